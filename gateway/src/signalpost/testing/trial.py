"""A rehearsal that is strict: whatever a kind answers must be what the gateway can go on with.

Each method raises AssertionError with a sentence for the kind's author where it is not.
"""

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET

from signalpost.destinations.destination import (
    DAY,
    MAX_FOLLOW_UPS,
    Call,
    Context,
    Done,
    Reauthorise,
    Reject,
    Reply,
    Retry,
    Ruling,
    Skip,
    Then,
    Throttle,
)
from signalpost.domain.checks import Bad
from signalpost.domain.endpoint import parse_url
from signalpost.domain.template_filters import TemplateError
from signalpost.testing.rehearsal import Rehearsal

_MAX_SHOWN: Final = 200
T = TypeVar("T")


def expect(holds: object, otherwise: str) -> None:
    """Fail with a sentence unless something holds."""
    if not holds:
        raise AssertionError(otherwise)


def shown(value: object) -> str:
    """A value as a failure shows it: the beginning of it, if it is long."""
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


class Trial(Rehearsal):
    """A kind that is asked, and whose every answer is looked at."""

    def prepare(self, context: Context) -> Call | Skip:
        """The call or the skip of an event. A config that cannot be filled in for it is a skip."""
        try:
            config = self.filled(context)
        except TemplateError as error:
            return Skip(str(error))
        made: Any = _asked("prepare", context.event, lambda: self.kind.prepare(self.connection, config, context))
        if isinstance(made, Skip):
            expect(_is_sentence(made.why), f"A skip must say why in a sentence; this one says {shown(made.why)}.")
            return made
        expect(isinstance(made, Call), f"`prepare` must return a Call or a Skip; it returns {shown(made)}.")
        expect_sendable(made)
        return made  # type: ignore[no-any-return]

    def classify(self, context: Context, call: Call, reply: Reply) -> Ruling:
        """The ruling on a reply."""
        config = self.filled(context)
        ruling = _asked("classify", reply, lambda: self.kind.classify(self.connection, config, context, call, reply))
        return _ruling("classify", ruling, reply)

    def classify_to_the_end(self, context: Context, call: Call, reply: Reply) -> Iterator[Ruling]:
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
            expect(_is_sentence(str(refusal)), "`discovered` must say in a sentence why an account will not do.")
            return refusal
        except Exception as error:
            raise AssertionError(f"`discovered` raises {shown(error)} on {shown(reply)}.") from error
        expect(_is_texts(account), f"`discovered` must return names and texts; it returns {shown(account)}.")
        return account  # type: ignore[no-any-return]


def _asked(method: str, about: object, ask: Callable[[], T]) -> T:
    try:
        return ask()
    except Exception as error:
        raise AssertionError(f"`{method}` raises {shown(error)} on {shown(about)}.") from error


# --- What a call may be -----------------------------------------------------------------------------------------------


def expect_sendable(call: Call) -> None:
    """Fail unless the gateway can write the call as a request."""
    try:
        parse_url(call.url)
    except (Bad, TypeError, AttributeError) as error:
        raise AssertionError(f"The call's address {shown(call.url)} cannot be used. {error}") from None
    expect(call.json is UNSET or call.form is UNSET, "A call has a body of JSON or of a form, not both.")
    try:
        msgspec.json.encode(None if call.json is UNSET else call.json)
    except (TypeError, ValueError, RecursionError):
        raise AssertionError(f"The call's body cannot be written as JSON: {shown(call.json)}.") from None
    for name, value in call.headers.items():
        expect(value.isascii() and value.isprintable(), f"The call's header {name} is no printable ASCII: {value!r}.")


# --- What a ruling may be ---------------------------------------------------------------------------------------------


def _ruling(method: str, ruling: Any, reply: Reply) -> Ruling:
    fault = fault_of_ruling(ruling)
    expect(fault is None, f"`{method}` answers {shown(reply)} with {shown(ruling)}: {fault}")
    return ruling  # type: ignore[no-any-return]


def fault_of_ruling(ruling: object) -> str | None:
    """What is wrong with a ruling, as the end of a sentence; None if nothing is."""
    match ruling:
        case Then(call=call):
            expect_sendable(call)
            return None
        case Done(detail=detail) if not _is_text(detail):
            return "the detail must be a text."
        case Done(made=made) if made is not UNSET and not _is_texts(made):
            return "what was made must be names and texts."
        case Retry(after=after) if after is not None and not _is_wait(after):
            return _NO_WAIT
        case Throttle(after=after) if not _is_wait(after):
            return _NO_WAIT
        case Reject(code=code) if not _is_sentence(code):
            return "the code must be the vendor's name for the cause."
        case Retry(detail=detail) | Throttle(detail=detail) | Reject(detail=detail) | Reauthorise(detail=detail):
            return None if _is_sentence(detail) else "the detail must be a sentence for people."
        case Done():
            return None
    return "that is no ruling."


_NO_WAIT: Final = "the seconds to wait must be a number from 0 to a day."


def _is_wait(seconds: object) -> bool:
    return isinstance(seconds, int | float) and isfinite(seconds) and 0 <= seconds <= DAY


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_sentence(value: object) -> bool:
    return isinstance(value, str) and value.strip() != ""


def _is_texts(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(text, str) for pair in value.items() for text in pair)
