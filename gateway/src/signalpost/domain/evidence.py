"""Evidence of a delivery: what was sent and what was answered, in a file that others can check without the gateway.

The file has a *statement*, which is a text, and an Ed25519 signature over exactly that text. So nothing has to be
brought into one form before it is checked. The event itself lies beside the statement, which has its SHA-256: the file
can be passed on without it.

A signature shows that the gateway stated this, and that no one changed it since. Whether what it states is so, is the
gateway's word; and that an endpoint answered does not show that a person read it.
"""

import json
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from signalpost.domain.shown_url import shown_url
from signalpost.domain.signing_key import SigningKey
from signalpost.domain.subscription import WEBHOOK, Subscription
from signalpost.domain.timestamps import format_timestamp, parse_timestamp

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FORMAT: Final = "signalpost evidence 1"
PATH: Final = "/.well-known/signalpost-evidence.json"
MAX_BYTES: Final = 32 * 1024 * 1024
"""A larger file is no evidence: an event has at most 1 MiB, and an attempt a little more than 1 KiB."""
_Hex = Annotated[str, Meta(pattern="^[0-9a-f]+$")]


class StatedEvent(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    id: str
    sequence: int
    type: str
    created_at: str
    sha256: Annotated[
        str | None,
        Meta(description="SHA-256 of the event, which a webhook sends as it is; null if its document was erased."),
    ]


class StatedSubscription(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    id: str
    name: str
    kind: str


class StatedAttempt(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    number: int
    run: Annotated[int, Meta(description="0 for the first attempts; each replay, and each retry, begins another run.")]
    started_at: str
    duration_ms: float
    to: Annotated[
        str | None,
        Meta(
            description="The URL, without what may be a credential; null if the subscription had another one then, or a"
            " minute before."
        ),
    ]
    status_code: int | None
    error: Annotated[str | None, Meta(description="Null if it was delivered; `skipped` if no request was made.")]
    answer: Annotated[str, Meta(description="The first 1 KiB of the answer.")]


class EvidenceStatement(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What is signed."""

    stated_at: str
    gateway: Annotated[str, Meta(description="Its address.")]
    tenant: str
    event: StatedEvent
    subscription: StatedSubscription
    status: Annotated[str, Meta(description="Of the delivery, when this was stated.")]
    attempts: Annotated[tuple[StatedAttempt, ...], Meta(description="The newest 1,000 that are kept, oldest first.")]


class Evidence(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The file."""

    format: Literal["signalpost evidence 1"]
    statement: Annotated[str, Meta(description="JSON, as a text: these very characters, in UTF-8, are signed.")]
    key: Annotated[
        _Hex, Meta(min_length=16, max_length=16, description="The first digits of the public key's SHA-256.")
    ]
    public_key: Annotated[_Hex, Meta(min_length=64, max_length=64, description="Ed25519, in hex.")]
    signature: Annotated[
        _Hex,
        Meta(min_length=128, max_length=128, description="Of `signalpost evidence 1`, a newline, and the statement."),
    ]
    body: Annotated[
        str | UnsetType, Meta(description="The event as it is sent; missing if its document was erased.")
    ] = UNSET


class EvidenceKey(Struct, frozen=True, rename="camel"):
    """A key that signs evidence, or did."""

    key: str
    public_key: str
    algorithm: Literal["Ed25519"] = "Ed25519"
    retired_at: Annotated[
        str | None, Meta(description="From then on it signs no more: later statements are not the gateway's.")
    ] = None


class EvidenceKeys(Struct, frozen=True):
    """The keys as the gateway publishes them."""

    keys: Annotated[tuple[EvidenceKey, ...], Meta(description="The one that signs now first.")]


def url_of(found: Subscription, started_at: int) -> str | None:
    """The URL that an attempt went to; None if it may have been a former one: where an attempt went is not kept if it
    was delivered."""
    return shown_url(found.url) if found.kind == WEBHOOK and started_at >= found.moved_at else None


class Unproven(ValueError):
    """A file proves nothing; the message says why."""


class ProvenEvidence(Struct, frozen=True):
    """What a file proves."""

    statement: EvidenceStatement
    key: str
    body: str | None
    """The event that was sent; None if the file does not have it."""
    is_known_key: bool | None
    """Whether the gateway published the key; None if that was not asked."""


class EvidenceSigner:
    def __init__(self, keys: Sequence[SigningKey]) -> None:
        """`keys` sign evidence, and nothing else."""
        self.sign_with(keys)

    def sign_with(self, keys: Sequence[SigningKey]) -> None:
        """Sign with the first of these keys from now on, and publish all of them."""
        self._keys = tuple(keys)
        self._published: EvidenceKeys | None = None

    @property
    def published(self) -> EvidenceKeys:
        if self._published is None:
            self._published = EvidenceKeys(tuple(_published(key) for key in self._keys))
        return self._published

    @property
    def _private(self) -> "Ed25519PrivateKey":
        return _private_of(self._keys[0])

    def sign(self, statement: EvidenceStatement, body: bytes | None) -> Evidence:
        signs, text = self.published.keys[0], msgspec.json.encode(statement).decode()
        return Evidence(
            format="signalpost evidence 1",
            statement=text,
            key=signs.key,
            public_key=signs.public_key,
            signature=self._private.sign(_signed(text)).hex(),
            body=UNSET if body is None else body.decode(),
        )


def check(file: bytes, published: bytes | None = None) -> ProvenEvidence:
    """What a file proves. `published` is what the gateway publishes of its keys. Raises Unproven."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if len(file) > MAX_BYTES:
        raise Unproven("The file is too large to be evidence.")
    evidence = _read(file, Evidence, "The file is no evidence")
    public_key = bytes.fromhex(evidence.public_key)
    if evidence.key != _name_of(public_key):
        raise Unproven("The file was changed: the key's name is that of another key.")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(
            bytes.fromhex(evidence.signature), _signed(evidence.statement)
        )
    except (InvalidSignature, ValueError):
        raise Unproven("The file was changed: the signature is not of this statement by this key.") from None
    statement = _read(
        _bytes(evidence.statement), EvidenceStatement, "The statement is of another version of Signalpost"
    )
    body = None if evidence.body is UNSET else evidence.body
    if body is not None and sha256(_bytes(body)).hexdigest() != statement.event.sha256:
        raise Unproven("The file was changed: its event is not the one that the statement is about.")
    return ProvenEvidence(
        statement, evidence.key, body, None if published is None else _is_published(evidence, statement, published)
    )


def _is_published(evidence: Evidence, statement: EvidenceStatement, published: bytes) -> Literal[True]:
    """Raises Unproven unless the key is among those that the gateway publishes, and signed at that time."""
    keys = _read(published, EvidenceKeys, "The file with the keys is not what a gateway publishes").keys
    known = next((each for each in keys if each.public_key == evidence.public_key), None)
    if known is None:
        raise Unproven("None of the gateway's keys signed this.")
    if known.retired_at is not None and _moment(statement.stated_at) > _moment(known.retired_at):
        raise Unproven(f"The key was retired at {known.retired_at}, before this was stated.")
    return True


def _read(text: bytes, kind: type, otherwise: str) -> Any:
    try:
        found: Any = msgspec.json.decode(text, type=kind)
        # Later, when it is known to be shallow: of two members, msgspec takes the last, and other programs the first.
        json.loads(text, object_pairs_hook=_once)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise Unproven(f"{otherwise}: {error}") from None
    return found


def _once(members: list[tuple[str, Any]]) -> None:
    """Raises ValueError if a member of an object is there twice."""
    counted = Counter(name for name, _ in members)
    if len(counted) < len(members):
        raise ValueError(f"`{counted.most_common(1)[0][0]}` is there twice.")


def _moment(text: str) -> int:
    try:
        return parse_timestamp(text)
    except ValueError as error:
        raise Unproven(f"{text[:100]} is no timestamp: {error}") from None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _signed(statement: str) -> bytes:
    return f"{FORMAT}\n".encode() + _bytes(statement)


def _private_of(key: SigningKey) -> "Ed25519PrivateKey":
    # Here, because it takes twenty modules, and a start needs none of them.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(key.secret)


def _published(key: SigningKey) -> EvidenceKey:
    public = _private_of(key).public_key().public_bytes_raw()
    retired_at = None if key.retired_at is None else format_timestamp(key.retired_at)
    return EvidenceKey(key=_name_of(public), public_key=public.hex(), retired_at=retired_at)


def _name_of(public_key: bytes) -> str:
    return sha256(public_key).hexdigest()[:16]
