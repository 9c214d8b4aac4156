"""Wraps a kind from another distribution, and makes sure that it keeps to the interface.

The rest of the gateway relies on what it is told: that a call has an address, that what was made is texts, that a
method returns or raises an `Exception`. This module calls the kinds of other distributions. Anything else that they do
becomes a `BrokenPromise`, which fails the delivery in question and nothing beside it, even if it was `sys.exit()`.
"""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Final, TypeVar, get_args

from msgspec import UNSET

from signalpost.destinations.access import Access, Consent, Fixed, Grant, Held, RequestToSign, Revocation, Signer
from signalpost.destinations.calls import Call, Mail, Method, Reply, Skip
from signalpost.destinations.destination import MAX_FOLLOW_UPS, MAX_REVOCATIONS, Context, Destination
from signalpost.destinations.rulings import DAY, Done, Reauthorise, Reject, Retry, Ruling, Then, Throttle

MAX_MADE_CHARACTERS: Final = 4096
"""How much a kind may have remembered for a document, names and values together."""
_METHODS: Final = get_args(Method)
_MEMBERS: Final = (
    "kind", "title", "api", "seconds", "rate", "at_once", "strict", "latest_wins", "presets", "connection", "config"
)  # fmt: skip
T = TypeVar("T")


class BrokenPromise(Exception):
    """A kind did what the interface does not allow. The message says what; it may hold secrets."""


class GuardedKind(Destination[Any, Any]):
    """Another kind, each of whose answers is looked at before it is passed on."""

    def __init__(self, kind: Destination[Any, Any]) -> None:
        self._kind = kind
        vars(self).update({name: getattr(kind, name) for name in _MEMBERS})

    @property
    def about(self) -> str:
        """What the kind says of itself."""
        return self._kind.about

    def check(self, connection: Any, config: Any) -> None:
        """Passes on what is refused."""
        _asked("check", lambda: self._kind.check(connection, config))

    def is_open(self, connection: Any) -> bool:
        """Openness is a yes or a no."""
        is_open = _asked("is_open", lambda: self._kind.is_open(connection))
        return _held("is_open", is_open, None if _is_flag(is_open) else "it must be True or False.")

    def origins(self, connection: Any) -> tuple[str, ...]:
        """Origins are a tuple of texts."""
        origins = _asked("origins", lambda: self._kind.origins(connection))
        return _held("origins", origins, fault_of_origins(origins))

    def paced_by(self, connection: Any, config: Any) -> str:
        """What calls are counted by is a text."""
        name = _asked("paced_by", lambda: self._kind.paced_by(connection, config))
        return _held("paced_by", name, None if _is_text(name) else "that is no text.")

    def access(self, connection: Any) -> Access:
        """Access is of one of three types, or None."""
        access = _asked("access", lambda: self._kind.access(connection))
        access = _held("access", access, fault_of_access(access))
        return GuardedSigner(access) if isinstance(access, Signer) else access

    def prepare(self, connection: Any, config: Any, context: Context) -> Call | Mail | Skip | Reject:
        """An event becomes a call, a mail, a skip or a refusal."""
        made = _asked("prepare", lambda: self._kind.prepare(connection, config, context))
        return _held("prepare", made, fault_of_prepared(made))

    def classify(self, connection: Any, config: Any, context: Context, call: Call, reply: Reply) -> Ruling:
        """A reply becomes a ruling."""
        ruling = _asked("classify", lambda: self._kind.classify(connection, config, context, call, reply))
        return _held("classify", ruling, fault_of_ruling(ruling))

    def foreseen(self, connection: Any, config: Any, context: Context) -> Sequence[Call]:
        """What a preview shows besides is a few calls."""
        calls = _asked("foreseen", lambda: self._kind.foreseen(connection, config, context))
        return _held("foreseen", calls, fault_of_foreseen(calls))

    def probe(self, connection: Any) -> Call | Mail | None:
        """A probe is a call, or a mail without a recipient."""
        call = _asked("probe", lambda: self._kind.probe(connection))
        return _held("probe", call, fault_of_probe(call))

    def probed(self, connection: Any, reply: Reply) -> Ruling:
        """A reply becomes a ruling."""
        ruling = _asked("probed", lambda: self._kind.probed(connection, reply))
        return _held("probed", ruling, fault_of_ruling(ruling))

    def discover(self, connection: Any) -> Call | None:
        """The question for the account is a call."""
        call = _asked("discover", lambda: self._kind.discover(connection))
        return _held("discover", call, None if call is None else fault_of_call(call))

    def discovered(self, connection: Any, reply: Reply) -> Mapping[str, str]:
        """Only texts are kept of an account."""
        account = _asked("discovered", lambda: self._kind.discovered(connection, reply))
        return _held("discovered", account, fault_of_kept(account))

    def revocations(self, connection: Any, held: Held) -> Sequence[Revocation]:
        """Revocations are a few calls."""
        calls = _asked("revocations", lambda: self._kind.revocations(connection, held))
        return _held("revocations", calls, fault_of_revocations(calls))

    def revoked(self, connection: Any, reply: Reply) -> Ruling:
        """A reply becomes a ruling."""
        ruling = _asked("revoked", lambda: self._kind.revoked(connection, reply))
        return _held("revoked", ruling, fault_of_ruling(ruling))

    def escape(self, text: str) -> str:
        """A text becomes a text."""
        escaped = _asked("escape", lambda: self._kind.escape(text))
        return _held("escape", escaped, None if _is_text(escaped) else "that is no text.")


class GuardedSigner(Signer, frozen=True):
    """What another distribution signs with."""

    signer: Signer

    def sign(self, request: RequestToSign, now: int) -> Mapping[str, str]:
        """A signature is headers."""
        headers = _asked("sign", lambda: self.signer.sign(request, now))
        return _held("sign", headers, None if _is_texts(headers) else "headers are names and texts.")


def _asked(method: str, ask: Callable[[], T]) -> T:
    """What a kind's method returns. Raises the Exception that it raises, and BrokenPromise for anything worse."""
    try:
        return ask()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, Exception) and _can_be_written(error):
            raise
        raise BrokenPromise(f"`{method}` ended in {type(error).__name__}.") from None


def _can_be_written(error: Exception) -> bool:
    try:
        str(error)
    except BaseException:
        return False
    return True


def _held(method: str, answer: T, fault: str | None) -> T:
    if fault is not None:
        raise BrokenPromise(f"`{method}` answered with a {type(answer).__name__}: {fault}")
    return answer


# --- What an answer may be --------------------------------------------------------------------------------------------


def fault_of_origins(origins: object) -> str | None:
    """What is wrong with what `origins` returned, as the end of a sentence; None if nothing is."""
    if not isinstance(origins, tuple) or not origins or not all(isinstance(origin, str) for origin in origins):
        return "the origins must be a tuple of at least one text."
    return None


def fault_of_access(access: object) -> str | None:
    """What is wrong with what `access` returned, as the end of a sentence; None if nothing is."""
    match access:
        case None:
            return None
        case Signer():
            return None
        case Fixed(authorization=authorization):
            return None if _is_sentence(authorization) else "the authorisation must be a text."
        case Grant(url=url, form=form):
            return None if _is_text(url) and _is_texts(form) else "a grant needs an address, and a form of texts."
        case Consent(authorize_url=url, token_url=token_url, issuer=issuer):
            texts = _is_text(url) and _is_text(token_url) and _is_text(issuer)
            return None if texts else "a consent needs two addresses, and its issuer is a text."
    return "it must be Fixed, Grant, Consent, a Signer or None."


def fault_of_prepared(made: object) -> str | None:
    """What is wrong with what `prepare` returned, as the end of a sentence; None if nothing is."""
    match made:
        case Skip(why=why):
            return None if _is_sentence(why) else "a skip must say why, in a sentence."
        case Reject():
            return fault_of_ruling(made)
        case Call():
            return fault_of_call(made)
        case Mail(to=to):
            return fault_of_mail(made) or (None if to else "a mail needs somebody who gets it.")
    return "it must return a Call, a Mail, a Skip or a Reject."


def fault_of_call(call: object) -> str | None:
    """What is wrong with a call, as far as its types go; None if nothing is."""
    if not isinstance(call, Call) or not _is_text(call.url):
        return "a call must have an address."
    if call.method not in _METHODS:
        return f"a call's method must be one of {', '.join(_METHODS)}."
    if not _is_texts(call.headers) or (call.form is not UNSET and not _is_texts(call.form)):
        return "headers and forms are names and texts."
    if call.form is not UNSET and call.json is not UNSET:
        return "a call has a body of JSON or of a form, not both."
    return None


def fault_of_mail(mail: Mail) -> str | None:
    """What is wrong with a mail, as far as its types go; None if nothing is."""
    login: object = mail.login
    if login is not None and not (isinstance(login, tuple) and len(login) == 2 and all(map(_is_text, login))):
        return "the login of a mail is a name and a password."
    if not isinstance(mail.to, tuple | list) or not all(_is_sentence(each) for each in mail.to):
        return "a mail goes to a tuple of addresses."
    if not _is_sentence(mail.url) or not _is_sentence(mail.sender) or not _is_sentence(mail.key):
        return "a mail has an address of its server, a sender and a key."
    texts = (mail.sender_name, mail.subject, mail.text)
    return None if all(map(_is_text, texts)) else "the name, the subject and the text of a mail are texts."


def fault_of_probe(probe: object) -> str | None:
    """What is wrong with what `probe` returned, as the end of a sentence; None if nothing is."""
    match probe:
        case None:
            return None
        case Mail(to=to):
            return fault_of_mail(probe) or ("a mail that is a probe has no recipient." if to else None)
    return fault_of_call(probe)


def fault_of_foreseen(calls: object) -> str | None:
    """What is wrong with what `foreseen` returned, as the end of a sentence; None if nothing is."""
    if not isinstance(calls, tuple | list) or len(calls) > MAX_FOLLOW_UPS:
        return f"it must be a tuple of at most {MAX_FOLLOW_UPS}."
    return next((fault for call in calls if (fault := fault_of_call(call)) is not None), None)


def fault_of_revocations(revocations: object) -> str | None:
    """What is wrong with what `revocations` returned, as the end of a sentence; None if nothing is."""
    if not isinstance(revocations, tuple | list) or len(revocations) > MAX_REVOCATIONS:
        return f"it must be a tuple of at most {MAX_REVOCATIONS}."
    for each in revocations:
        match each:
            case Revocation(call=call, basic=None | (str(), str())):
                if (fault := fault_of_call(call)) is not None:
                    return fault
            case _:
                return "each must be a Revocation, and its `basic` two texts."
    return None


def fault_of_ruling(ruling: object) -> str | None:
    """What is wrong with a ruling, as the end of a sentence; None if nothing is."""
    match ruling:
        case Then(call=call):
            return fault_of_call(call)
        case Done(detail=detail) if not _is_text(detail):
            return "the detail must be a text."
        case Done(made=made):
            return None if made is UNSET else fault_of_kept(made)
        case Retry(after=after) if after is not None and not _is_wait(after):
            return _NO_WAIT
        case Throttle(after=after) if not _is_wait(after):
            return _NO_WAIT
        case Reject(code=code) if not _is_sentence(code):
            return "the code must be the vendor's name for the cause."
        case Retry(detail=detail) | Throttle(detail=detail) | Reject(detail=detail) | Reauthorise(detail=detail):
            return None if _is_sentence(detail) else "the detail must be a sentence for people."
    return "that is no ruling."


def fault_of_kept(kept: object) -> str | None:
    """What is wrong with the values to remember; None if nothing is."""
    if not isinstance(kept, Mapping) or not _is_texts(kept):
        return "what is remembered must be names and texts."
    if sum(len(name) + len(text) for name, text in kept.items()) > MAX_MADE_CHARACTERS:
        return f"what is remembered may have {MAX_MADE_CHARACTERS} characters."
    return None


_NO_WAIT: Final = "the seconds to wait must be a number from 0 to a day."


def _is_wait(seconds: object) -> bool:
    return isinstance(seconds, int | float) and isfinite(seconds) and 0 <= seconds <= DAY


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_sentence(value: object) -> bool:
    return isinstance(value, str) and value.strip() != ""


def _is_texts(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(text, str) for pair in value.items() for text in pair)
