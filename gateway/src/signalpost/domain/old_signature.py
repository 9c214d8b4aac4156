"""The signature of another system beside the gateway's own, so that receivers which were written for that system go on
verifying while they are changed (`signAlso`)."""

import re
from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from signalpost.domain.body import Body, read_by
from signalpost.domain.checks import NO_NUL, Bad, plain_text, pointer
from signalpost.domain.endpoint import check_header_name
from signalpost.domain.errors import FieldError, Invalid

MAX_OLD_SIGNATURES: Final = 2
MAX_CHARACTERS: Final = 200
Encoding = Literal["hex", "base64"]


class Algorithm(StrEnum):
    """The hash of an old signature, with a key (HMAC)."""

    SHA1 = "sha1"
    SHA256 = "sha256"
    SHA512 = "sha512"


BODY: Final = "{body}"
TIMESTAMP: Final = "{timestamp}"
ID: Final = "{id}"
_PLACEHOLDER = re.compile(r"\{[^{}]*\}|[{}]")
_PRINTABLE = re.compile(r"[ -~]*")
_OF_OVER: Final = frozenset({BODY, TIMESTAMP, ID})
_OF_PREFIX: Final = frozenset({TIMESTAMP})
_TEXT: Final = "[ -z|~]"
"""A character of which no placeholder is made."""
_AROUND: Final = rf"({_TEXT}|\{{timestamp\}}|\{{id\}})*"


def _template(text: str, known: Collection[str]) -> str:
    if not _PRINTABLE.fullmatch(text):
        raise Bad("forbidden_character", "This must be printable ASCII.")
    for found in _PLACEHOLDER.findall(text):
        if found not in known:
            raise Bad("unknown_placeholder", f"There is no {found} here. Known: {', '.join(sorted(known))}.")
    return text


def _read_over(value: Any) -> str:
    text = _template(plain_text(value, MAX_CHARACTERS), _OF_OVER)
    if text.count(BODY) != 1:
        raise Bad("no_body", "This must have {body} once, such as {timestamp}.{body}.")
    return text


def _read_prefix(value: Any) -> str:
    return "" if value == "" else _template(plain_text(value, MAX_CHARACTERS), _OF_PREFIX)


def _read_header(value: Any) -> str:
    return check_header_name(plain_text(value, 128))


Over = Annotated[
    str,
    Meta(
        max_length=MAX_CHARACTERS,
        pattern=rf"^{_AROUND}\{{body\}}{_AROUND}$",
        description="What is signed: `{body}` once, and `{timestamp}` (seconds) and `{id}` (of the event) if the other "
        "system signed these.",
        extra=read_by(_read_over),
    ),
]
Prefix = Annotated[
    str,
    Meta(
        max_length=MAX_CHARACTERS,
        pattern=rf"^({_TEXT}|\{{timestamp\}})*$",
        description="What stands before the signature in the header; may have `{timestamp}`.",
        extra=read_by(_read_prefix),
    ),
]
HeaderName = Annotated[
    str,
    Meta(
        pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$",
        description="The header of the other system, such as X-Convoy-Signature.",
        extra=read_by(_read_header),
    ),
]


_SECRET: Final = Meta(min_length=4, max_length=256, pattern=NO_NUL)


class _GivenOldSignature(Body, frozen=True, kw_only=True):
    """How another system signed."""

    header: HeaderName
    algorithm: Algorithm = Algorithm.SHA256
    encoding: Encoding = "hex"
    over: Over = BODY
    prefix: Prefix = ""


class NewOldSignature(_GivenOldSignature, frozen=True, kw_only=True):
    """A signature of another system, of a new subscription."""

    secret: Annotated[
        Annotated[str, _SECRET], Meta(description="The secret that the receiver knows; its UTF-8 is the key.")
    ]


class ChangedOldSignature(_GivenOldSignature, frozen=True, kw_only=True):
    """A signature of another system, in a change."""

    secret: Annotated[
        Annotated[str, _SECRET] | UnsetType,
        Meta(
            description="The secret that the receiver knows; its UTF-8 is the key. If left out, that of the same "
            "header stays."
        ),
    ] = UNSET


_DESCRIBED: Final = Meta(
    max_length=MAX_OLD_SIGNATURES, description="Signatures of other systems, sent beside the gateway's own."
)
SignAlso = Annotated[tuple[NewOldSignature, ...], _DESCRIBED]
ChangedSignAlso = Annotated[tuple[ChangedOldSignature, ...], _DESCRIBED]


class OldSignatureShown(Struct, frozen=True):
    """How another system signed, without the secret."""

    header: str
    algorithm: Algorithm
    encoding: Encoding
    over: str
    prefix: str


class OldSignature(OldSignatureShown, frozen=True):
    """A signature that a subscription sends beside the gateway's own."""

    secret: str

    @property
    def shown(self) -> OldSignatureShown:
        return OldSignatureShown(self.header, self.algorithm, self.encoding, self.over, self.prefix)

    def __repr__(self) -> str:
        """Shows no secret, because tools that print a traceback's variables call this."""
        return f"OldSignature({self.header}, {self.algorithm})"


def with_secrets(
    given: Sequence[NewOldSignature | ChangedOldSignature], before: Sequence[OldSignature]
) -> tuple[OldSignature, ...]:
    """What is given, each with its secret or that which its header had before. Raises Invalid."""
    secrets = {each.header.lower(): each.secret for each in before}
    found: dict[str, OldSignature] = {}
    errors: list[FieldError] = []
    for number, each in enumerate(given):
        name = each.header.lower()
        secret = secrets.get(name) if each.secret is UNSET else each.secret
        if secret is None:
            errors.append(FieldError(pointer("signAlso", str(number), "secret"), "required", "This field is required."))
        elif name in found:
            detail = "Another of these has this header: upper and lower case make no difference."
            errors.append(FieldError(pointer("signAlso", str(number), "header"), "duplicate", detail))
        else:
            found[name] = OldSignature(each.header, each.algorithm, each.encoding, each.over, each.prefix, secret)
    if errors:
        raise Invalid(errors)
    return (*found.values(),)


def check_apart(signatures: Sequence[OldSignature], headers: Collection[str]) -> None:
    """Raises Invalid if an additional header is that of a signature."""
    if signatures:
        taken = {each.header.lower() for each in signatures}
        detail = "One of signAlso has this header: upper and lower case make no difference."
        errors = [
            FieldError(pointer("headers", name), "duplicate", detail) for name in headers if name.lower() in taken
        ]
        if errors:
            raise Invalid(errors)
