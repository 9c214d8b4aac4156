"""The key pair of a subscription, with which its webhook is signed beside the secret (`signWithKeyPair`): `v1a` of
Standard Webhooks, which is Ed25519.

The private key never leaves the gateway. The public key is no secret: a program that has it can tell what the gateway
signed, and can sign nothing. A pair signs for one subscription alone, so that what one endpoint got proves nothing to
another.
"""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Final, Literal

from msgspec import Meta, Struct

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PATH: Final = "/.well-known/signalpost-keys/"
"""Where the public keys of a subscription are; its id follows."""
_SEED_BYTES: Final = 32

SignWithKeyPair = Annotated[
    bool,
    Meta(
        description="Sign with a private key of the subscription, too: `v1a` (Ed25519) of Standard Webhooks, in "
        "`webhook-signature`. Its public keys are at `/.well-known/signalpost-keys/{id}`."
    ),
]


class KeyPair(Struct, frozen=True):
    seed: bytes
    """The private key."""
    public: bytes

    def __repr__(self) -> str:
        """Shows no private key, because tools that print a traceback's variables call this."""
        return f"KeyPair({self.public_key})"

    @property
    def public_key(self) -> str:
        """The public key in the form of Standard Webhooks."""
        return f"whpk_{b64encode(self.public).decode()}"

    @property
    def private(self) -> "Ed25519PrivateKey":
        return _private_of(self.seed)


class PublishedKey(Struct, frozen=True, rename="camel"):
    """A public key as a JWK (RFC 8037)."""

    kid: Annotated[str, Meta(description="Its thumbprint (RFC 7638).")]
    x: Annotated[str, Meta(description="The 32 bytes, in the base64 of URLs.")]
    public_key: Annotated[str, Meta(description="The same in the form of Standard Webhooks, which receivers take.")]
    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    alg: Literal["EdDSA"] = "EdDSA"
    use: Literal["sig"] = "sig"


class PublishedKeys(Struct, frozen=True):
    """The public keys of a subscription as a JWK set (RFC 7517)."""

    keys: Annotated[
        tuple[PublishedKey, ...], Meta(description="During a rotation both, the old one first; and those of a shadow.")
    ]


def made_of(seed: bytes) -> KeyPair:
    """The pair that 32 bytes are the private key of."""
    return KeyPair(seed, _private_of(seed).public_key().public_bytes_raw())


def new(random_bytes: Callable[[int], bytes]) -> KeyPair:
    return made_of(random_bytes(_SEED_BYTES))


def stand_in(text: str) -> KeyPair:
    """The pair of a text, which signs what must not be taken for genuine."""
    return made_of(sha256(text.encode()).digest())


def published(pair: KeyPair) -> PublishedKey:
    x = urlsafe_b64encode(pair.public).decode().rstrip("=")
    thumbprint = sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest()
    kid = urlsafe_b64encode(thumbprint).decode().rstrip("=")
    return PublishedKey(kid, x, pair.public_key)


def _private_of(seed: bytes) -> "Ed25519PrivateKey":
    # Here, because it takes twenty modules, and a gateway without key pairs needs none of them.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed)
