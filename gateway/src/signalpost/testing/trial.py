"""A rehearsal that is strict: what a kind answers must be what the gateway can go on with.

Each method raises AssertionError with a sentence for the kind's author if it is not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET

from signalpost.destinations.calls import Call, Mail, Reply, Skip
from signalpost.destinations.destination import MAX_FOLLOW_UPS, Context
from signalpost.destinations.guarded import (
    fault_of_call,
    fault_of_foreseen,
    fault_of_kept,
    fault_of_prepared,
    fault_of_ruling,
)
from signalpost.destinations.members import origin_of
from signalpost.destinations.rulings import Reject, Ruling, Then
from signalpost.domain.checks import Bad
from signalpost.domain.endpoint import parse_url
from signalpost.domain.language.template_filters import TemplateError
from signalpost.engine.connectors.mail_wire import mail_request_of
from signalpost.engine.connectors.wire import Impossible
from signalpost.testing.rehearsal import Rehearsal
from signalpost.testing.samples import DOCUMENT

_MAX_SHOWN: Final = 200
T = TypeVar("T")


def expect(holds: object, otherwise: str) -> None:
    """Fail with a sentence unless something holds."""
    if not holds:
        raise AssertionError(otherwise)


def shown(value: object) -> str:
    """A value as failures show it; only its beginning if it is long. It takes as long as all else that is looked at of
    an answer, so it is for what has failed."""
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


class Trial(Rehearsal):
    """A kind that is asked, and whose every answer is looked at."""

    def prepare(self, context: Context) -> Call | Mail | Skip | Reject:
        """The call, the mail, the skip or the refusal of an event. A config that cannot be filled in is a skip."""
        try:
            config = self.filled(context)
        except TemplateError as error:
            return Skip(str(error))
        made: Any = _asked("prepare", context, lambda: self.kind.prepare(self.connection, config, context))
        fault = fault_of_prepared(made)
        if fault is not None:
            raise AssertionError(f"`prepare` returns {shown(made)}: {fault}")
        if isinstance(made, Call | Mail):
            expect_sendable(made)
        return made  # type: ignore[no-any-return]

    def foreseen(self, context: Context) -> Sequence[Call]:
        """The further calls that a preview of an event shows; none if the config cannot be filled in for it."""
        try:
            config = self.filled(context)
        except TemplateError:
            return ()
        calls: Any = _asked("foreseen", context, lambda: self.kind.foreseen(self.connection, config, context))
        fault = fault_of_foreseen(calls)
        if fault is not None:
            raise AssertionError(f"`foreseen` returns {shown(calls)}: {fault}")
        for call in calls:
            expect_sendable(call)
        return calls  # type: ignore[no-any-return]

    def classify(self, context: Context, call: Call | Mail, reply: Reply) -> Ruling:
        """The ruling on a reply."""
        if isinstance(call, Mail):
            return super().classify(context, call, reply)
        config = self.filled(context)
        ruling = _asked("classify", reply, lambda: self.kind.classify(self.connection, config, context, call, reply))
        return _ruling("classify", ruling, reply)

    def classify_to_the_end(self, context: Context, call: Call | Mail, reply: Reply) -> Iterator[Ruling]:
        """The rulings on a call and those that follow it, all of which are answered by the same reply."""
        for _ in range(1 + MAX_FOLLOW_UPS):
            ruling = self.classify(context, call, reply)
            yield ruling
            if not isinstance(ruling, Then):
                return
            call = ruling.call

    def probed(self, reply: Reply) -> Ruling:
        """The ruling on a reply to `probe`."""
        return _ruling("probed", _asked("probed", reply, lambda: self.kind.probed(self.connection, reply)), reply)

    def discovered(self, reply: Reply) -> Mapping[str, str] | ValueError:
        """What is kept of the reply to `discover`, or why nothing is."""
        try:
            account: Any = self.kind.discovered(self.connection, reply)
        except ValueError as refusal:
            expect(str(refusal).strip(), "`discovered` must say in a sentence why an account will not do.")
            return refusal
        except Exception as error:
            raise AssertionError(f"`discovered` raises {shown(error)} on {shown(reply)}.") from error
        fault = fault_of_kept(account)
        if fault is not None:
            raise AssertionError(f"`discovered` returns {shown(account)}: {fault}")
        return account  # type: ignore[no-any-return]


def _event(context: Context) -> str:
    """An event as a failure shows it: by what tells it from the usual one."""
    document = {name: value for name, value in context.document.items() if value != DOCUMENT.get(name)}
    special = {"made": context.made, "before": context.before, "document": document}
    told = ", ".join(f"{name}={shown(value)}" for name, value in special.items() if value)
    return f"{context.event['type']} with {told}" if told else str(context.event["type"])


def _asked(method: str, about: Context | Reply, ask: Callable[[], T]) -> T:
    try:
        return ask()
    except Exception as error:
        told = shown(about) if isinstance(about, Reply) else _event(about)
        raise AssertionError(f"`{method}` raises {shown(error)} on {told}.") from error


def expect_sendable(call: Call | Mail) -> None:
    """Fail unless the gateway can write the call as a request, or the mail as a message."""
    if isinstance(call, Mail):
        try:
            mail_request_of(call, (origin_of(call.url),), 1.0, 0, 0)
        except (Bad, Impossible) as error:
            raise AssertionError(f"The mail cannot be sent: {error}") from None
        return
    fault = fault_of_call(call)
    expect(fault is None, f"The call cannot be sent: {fault}")
    try:
        parse_url(call.url)
    except Bad as error:
        raise AssertionError(f"The call's address {shown(call.url)} cannot be used. {error}") from None
    try:
        msgspec.json.encode(None if call.json is UNSET else call.json)
    except (TypeError, ValueError, RecursionError):
        raise AssertionError(f"The call's body cannot be written as JSON: {shown(call.json)}.") from None
    for name, value in call.headers.items():
        expect(value.isascii() and value.isprintable(), f"The call's header {name} is no printable ASCII: {value!r}.")


def _ruling(method: str, ruling: Any, reply: Reply) -> Ruling:
    fault = fault_of_ruling(ruling)
    if fault is not None:
        raise AssertionError(f"`{method}` answers {shown(reply)} with {shown(ruling)}: {fault}")
    if isinstance(ruling, Then):
        expect_sendable(ruling.call)
    return ruling  # type: ignore[no-any-return]
