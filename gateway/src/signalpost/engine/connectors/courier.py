"""Delivers the events of one subscription through the API of a vendor, as its kind of destination says.

    event ─▶ what was made before ─▶ config filled in ─▶ prepare ─▶ call ─▶ classify ─▶ outcome
                                                            ▲                  │
                                                            └── at most twice ─┘

A kind is code that an operator installed, and says what calls are made. The courier makes sure that it harms no one
else: whatever it raises or returns ends in an outcome, a call goes to the origins of its connection alone, and no
secret is in what is kept of an attempt. An error that is not the kind's is the gateway's own, and ends in no outcome:
the delivery is as it was before, and the lane tries again a little later.

Something is waited for before each call: a read of the store, the answer to the call before, its turn. Meanwhile the
lane may have got another owner. So each call asks once more whether the lane may still send, and what another owner
has to wait for is one call and not an attempt.
"""

import re
from collections.abc import Callable
from math import ceil
from typing import Any, Final, ParamSpec, TypeVar

from msgspec import UNSET, Struct
from msgspec.structs import replace

from signalpost.destinations import rulings
from signalpost.destinations.calls import Call, Mail, Reply, Skip
from signalpost.destinations.destination import MAX_FOLLOW_UPS, Context
from signalpost.destinations.fields import Filling
from signalpost.destinations.registry import Destinations
from signalpost.destinations.rulings import FinalRuling, Ruling, by_mail_status
from signalpost.domain.body import Body
from signalpost.domain.delivery.attempt_trace import AttemptTrace
from signalpost.domain.delivery.delivery import Delivery
from signalpost.domain.delivery.outcome import ANSWER_KEPT_BYTES, Failure, Outcome
from signalpost.domain.errors import Invalid, SignalpostError
from signalpost.domain.event import Event
from signalpost.domain.language.names import Subject
from signalpost.domain.language.subject import texts_of
from signalpost.domain.language.template_filters import TemplateError
from signalpost.domain.secrets import Secrets, without_secrets
from signalpost.domain.subscription import Subscription
from signalpost.engine.connectors.identity import key_of, slot_of
from signalpost.engine.connectors.mail_wire import mail_request_of
from signalpost.engine.connectors.open_connection import OpenConnection, OpenedConnection
from signalpost.engine.connectors.pace import Pace
from signalpost.engine.connectors.passage import Passage
from signalpost.engine.connectors.wire import Impossible, VendorTransport, reply_of, request_of
from signalpost.engine.lanes.carriers import AttemptEnded, Made
from signalpost.engine.lanes.subjects import Subjects
from signalpost.runtime.clock import Clock
from signalpost.runtime.logger import log
from signalpost.runtime.tasks import Tasks
from signalpost.sender.transport import MailTransport, answered
from signalpost.store.store import Store

SLOW_AFTER: Final = 50_000
"""µs after which a kind that holds up the event loop is named in the log."""
MAX_REJECTED_IN_A_ROW: Final = 10
MAX_DETAIL_CHARACTERS: Final = 1_000
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""What may be a code of the vendor's, and not a text that repeats the document's."""
_PREPARED = (Call, Mail, Skip, rulings.Reject)
_STOPPED: Final = Outcome(
    failure=Failure.INTERRUPTED, detail="Signalpost may not send for the subscription any more; a further call was due."
)
T = TypeVar("T")
P = ParamSpec("P")


class KindFailed(Exception):
    """The code of a kind raised an error. The message names it, and may hold secrets."""


class CourierParts(Struct, frozen=True):
    """What all couriers share."""

    destinations: Destinations
    store: Store
    subjects: Subjects
    transport: VendorTransport
    mailer: MailTransport
    clock: Clock
    tasks: Tasks
    disable: Callable[[Subscription, str], None]
    """Has a subscription disabled, for a reason."""
    may_start: Callable[[], bool]
    """Whether calls of lanes may start at all: the node holds its lease."""
    note_works: Callable[[OpenConnection], None]
    """Is told of a connection through which something was just done."""


class Courier:
    def __init__(self, subscription: Subscription, passage: Passage, made: Made, parts: CourierParts) -> None:
        self.gate = passage.connection
        self._passage = passage
        self._subscription = subscription
        self._made = made
        self._parts = parts
        self._clock = parts.clock
        self._filling: tuple[OpenedConnection, Filling[Body]] | None = None
        self._paces: dict[Delivery, Pace] = {}
        """The pace that counts each delivery that has made a call: the passage may have another one by its end."""
        self._rejected_for = ""
        self._rejected_in_a_row = 0

    def carry(self, event: Event, delivery: Delivery, done: AttemptEnded, trace: AttemptTrace | None = None) -> None:
        """See `Carrier`. A vendor is not told of traces."""
        self._parts.tasks.start(self._run(event, delivery, done))

    async def _run(self, event: Event, delivery: Delivery, done: AttemptEnded) -> None:
        outcome: Outcome | None = None
        try:
            outcome = await self._outcome(event, delivery)
            self._passage.note_able()
        except Exception as error:
            self._put_off(error)
        try:
            done(outcome)
        finally:
            if (pace := self._paces.pop(delivery, None)) is not None:
                pace.note_end(delivery)
            self.gate.wake()

    async def _outcome(self, event: Event, delivery: Delivery) -> Outcome | None:
        """What became of the event, without secrets; None if it may not be sent any more. Raises what is no fault of
        the kind."""
        started_at, began = self._clock.wall(), self._clock.steady()
        try:
            outcome = await self._attempt(event, delivery)
        except (Impossible, Invalid) as error:
            outcome = Outcome(failure=Failure.CONNECTOR, detail=str(error), quotes=True)
        except KindFailed as error:
            outcome = self._failed_by_itself(error)
        if outcome is None:
            return None
        secrets = self.gate.secrets
        outcome = without_secrets(outcome, secrets)
        return replace(
            outcome,
            detail=secrets.strike(outcome.detail)[:MAX_DETAIL_CHARACTERS],
            answer=outcome.answer[:ANSWER_KEPT_BYTES],
            head=b"",
            started_at=started_at,
            elapsed_us=self._clock.steady() - began,
        )

    def _put_off(self, error: Exception) -> None:
        """Let the lane wait: the gateway itself could not do what it had to."""
        if not self._passage.put_off(self._clock.steady()):
            return
        what = "calls of a subscription could not be made; trying again"
        if isinstance(error, SignalpostError):
            log.warning(what, subscription=self._subscription.id, error=str(error))
        else:
            log.exception(what, error, subscription=self._subscription.id)

    def _failed_by_itself(self, error: KindFailed) -> Outcome:
        said = self.gate.secrets.strike(str(error))
        log.error("a kind of destination failed", kind=self._subscription.kind, subscription=self._subscription.id,
                  error=type(error.__cause__).__name__)  # fmt: skip
        detail = f"The destination {self._subscription.kind} failed: {said}"
        return Outcome(failure=Failure.CONNECTOR, detail=detail, quotes=True)

    # --- One attempt --------------------------------------------------------------------------------------------------

    async def _attempt(self, event: Event, delivery: Delivery) -> Outcome | None:
        """Everything from the event to its outcome; None if it may not be sent any more. Raises KindFailed, Impossible,
        Invalid."""
        subject = replace(await self._parts.subjects.of(event), made=await self._made.find(event.document_id))
        if (opened := self.gate.opened) is None:
            return Outcome(failure=Failure.UNAUTHORISED, detail=self.gate.trouble or "")
        try:
            config = self._filled(opened, subject)
        except TemplateError as error:
            return self._rejection(rulings.Reject("template", str(error)), subject)
        context = self._context(event, subject, delivery.failed_attempts + 1)
        call = self._prepared(opened, config, context)
        if isinstance(call, Skip):
            return Outcome(failure=Failure.SKIPPED, detail=call.why)
        if isinstance(call, rulings.Reject):
            return self._rejection(call, subject)
        if isinstance(call, Mail):
            return await self._mailed(opened, context, call, delivery)
        return await self._called(opened, config, context, call, delivery)

    async def _called(
        self, opened: OpenedConnection, config: Body, context: Context, call: Call, delivery: Delivery
    ) -> Outcome | None:
        """Make the call and those that follow it, each in its turn; all go as the connection was at first."""
        pace = self._passage.pace
        for following in range(1 + MAX_FOLLOW_UPS):
            if following:
                await pace.further_call()
            if not self._may_call:
                return _STOPPED if following else None
            authorization = self.gate.tokens.authorization if call.authorised else None
            if call.authorised and authorization is None and self.gate.tokens.are_needed:
                return Outcome(failure=Failure.UNAUTHORISED, detail="The token ended before the call was made.")
            sign, tenant_id = self.gate.signing(opened), self._subscription.tenant_id
            request = request_of(call, authorization, opened.origins, opened.kind.seconds, tenant_id, sign)
            self._paces[delivery] = pace
            pace.note_call(delivery)
            outcome = await answered(self._parts.transport, request)
            reply = reply_of(outcome)
            if reply is None:
                return outcome
            ruling = self._classified(opened, config, context, call, reply)
            if isinstance(ruling, rulings.Reauthorise) and self.gate.opened is not opened:
                # What was refused is not what the next call is let in with.
                unauthorised = Failure.UNAUTHORISED
                return replace(outcome, failure=unauthorised, detail=ruling.detail, retry_after=None, quotes=True)
            if not isinstance(ruling, rulings.Then):
                return self._meaning(ruling, authorization, context, delivery, outcome)
            call = ruling.call
        raise Impossible(f"The destination {self._subscription.kind} wants more than {MAX_FOLLOW_UPS} further calls.")

    async def _mailed(
        self, opened: OpenedConnection, context: Context, mail: Mail, delivery: Delivery
    ) -> Outcome | None:
        """Hand the mail to its server; None if it may not be sent any more."""
        if not self._may_call:
            return None
        authorization, pace = self.gate.tokens.authorization, self._passage.pace
        tenant_id = self._subscription.tenant_id
        request = mail_request_of(mail, opened.origins, opened.kind.seconds, tenant_id, self._clock.wall())
        self._paces[delivery] = pace
        pace.note_call(delivery)
        outcome = await self._parts.mailer.send_mail(request)
        if outcome.status is None:
            return outcome
        ruling = by_mail_status(outcome.status, outcome.detail)
        return self._meaning(ruling, authorization, context, delivery, outcome)

    @property
    def _may_call(self) -> bool:
        lane = self._passage.user
        return lane is None or (lane.may_send and self._parts.may_start())

    def _filled(self, opened: OpenedConnection, subject: Subject) -> Body:
        """The config with placeholders filled in. It is read once for each state of the connection."""
        if self._filling is None or self._filling[0] is not opened:
            subscription = self._subscription
            read_config = self._parts.destinations.read_config
            read = self._of_kind(read_config, subscription.kind, subscription.config, opened.holds)
            self._filling = opened, Filling(read)
        return self._of_kind(self._filling[1].filled, subject, opened.kind.escape)

    def _context(self, event: Event, subject: Subject, number: int) -> Context:
        granted, own = self.gate.connection.granted, self._subscription.id
        return Context(
            event=subject.event,
            before=subject.before,
            made=subject.made,
            account={} if granted is None else granted.account,
            key=key_of(own, event.id),
            slot=slot_of(own, event.document_id),
            attempt=number,
        )

    # --- What the kind says -------------------------------------------------------------------------------------------

    def _prepared(
        self, opened: OpenedConnection, config: Body, context: Context
    ) -> Call | Mail | Skip | rulings.Reject:
        began = self._clock.steady()
        call: Any = self._of_kind(opened.kind.prepare, opened.holds, config, context)
        self._note_slowness("prepare", began)
        if not isinstance(call, _PREPARED):
            raise Impossible(
                f"The destination {opened.kind.kind} made neither a call, a mail, a skip nor a refusal of the event."
            )
        return call

    def _classified(self, opened: OpenedConnection, config: Body, context: Context, call: Call, reply: Reply) -> Ruling:
        began = self._clock.steady()
        ruling: Any = self._of_kind(opened.kind.classify, opened.holds, config, context, call, reply)
        self._note_slowness("classify", began)
        if not isinstance(ruling, Ruling):
            raise Impossible(f"The destination {opened.kind.kind} did not say what the vendor's answer means.")
        return ruling

    def _of_kind(self, ask: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        """What code of the kind returns. Raises KindFailed for what it raises, except for what it may raise."""
        try:
            return ask(*given, **named)
        except (Impossible, Invalid, TemplateError):
            raise
        except Exception as error:
            raise KindFailed(f"{type(error).__name__}: {error}") from error

    def _note_slowness(self, method: str, began: int) -> None:
        took = self._clock.steady() - began
        if took > SLOW_AFTER:
            log.warning(
                "a kind of destination blocks the event loop",
                kind=self._subscription.kind,
                method=method,
                ms=took // 1000,
            )

    def _meaning(
        self, ruling: FinalRuling, authorization: str | None, context: Context, delivery: Delivery, outcome: Outcome
    ) -> Outcome:
        """The outcome for a ruling."""
        outcome = replace(outcome, quotes=True)
        if not isinstance(ruling, rulings.Reauthorise):
            self.gate.tokens.note_accepted(authorization)
        if not isinstance(ruling, rulings.Reject):
            self._rejected_in_a_row = 0
        match ruling:
            case rulings.Done(detail=detail, made=made):
                if made is not UNSET:
                    self._made.note(delivery.document_id, made)
                self._parts.note_works(self.gate)
                return replace(outcome, failure=None, detail=detail, retry_after=None)
            case rulings.Retry(detail=detail, after=after):
                asked = None if after is None else str(ceil(after))
                return replace(outcome, failure=Failure.STATUS, detail=detail, retry_after=asked)
            case rulings.Throttle(detail=detail, after=after):
                wait = ceil(min(max(after, 1.0), rulings.DAY))
                self.gate.hold(wait)
                return replace(outcome, failure=Failure.THROTTLED, detail=detail, retry_after=None, wait=wait)
            case rulings.Reject():
                return replace(self._rejection(ruling, context), status=outcome.status, answer=outcome.answer)
            case rulings.Reauthorise(detail=detail):
                says_nothing = self.gate.tokens.refuse(authorization, _without_texts(detail, context))
                failure = Failure.UNAUTHORISED if says_nothing else Failure.STATUS
                return replace(outcome, failure=failure, detail=detail, retry_after=None)

    def _rejection(self, reject: rulings.Reject, subject: Subject) -> Outcome:
        """An event that the vendor refuses. Many in a row for one cause disable the subscription."""
        in_a_row = self._rejected_in_a_row + 1 if reject.code == self._rejected_for else 1
        self._rejected_for, self._rejected_in_a_row = reject.code, in_a_row
        detail = f"{reject.code}: {reject.detail}"
        if in_a_row == MAX_REJECTED_IN_A_ROW:
            self._rejected_in_a_row = 0
            code = _without_texts(reject.code, subject)
            cause = f" with {code}" if _CODE.fullmatch(code) else ""
            because = f"The vendor refused {MAX_REJECTED_IN_A_ROW} events in a row{cause}. Their deliveries say why."
            self._parts.disable(self._subscription, self.gate.secrets.strike(because))
        return Outcome(failure=Failure.REJECTED, detail=detail, quotes=True)


def _without_texts(said: str, subject: Subject) -> str:
    """What a vendor said, without the document's texts: the reason why something is disabled or broken is kept where no
    erasure of a document looks for it."""
    return Secrets(texts_of(subject)).strike(said)
