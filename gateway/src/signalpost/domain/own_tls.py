"""How one webhook speaks TLS with its endpoint: the client certificate that it offers, and the authorities that it
trusts in place of all others (`clientCertificate`, `authorities`).

Both are given as PEM, and read once: what is kept is written anew, so that OpenSSL reads what was checked. The private
key goes nowhere but into the context of connections to the endpoint.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta, Struct, UnsetType

from signalpost.domain.body import Body, checked_by
from signalpost.domain.checks import Bad
from signalpost.domain.errors import FieldError, Invalid
from signalpost.domain.fields import Timestamp
from signalpost.domain.timestamps import SECOND, format_timestamp

if TYPE_CHECKING:
    from cryptography import x509

MAX_PEM_CHARACTERS: Final = 32 * 1024
MAX_CERTIFICATES: Final = 10
_MIN_RSA_BITS: Final = 2048
_PEM: Final = Meta(min_length=1, max_length=MAX_PEM_CHARACTERS)


class Certificate(Struct, frozen=True, kw_only=True):
    """What is known of a certificate, and the certificate itself."""

    pem: bytes
    """With what leads to its root, if it is that of a client."""
    subject: str
    ends_at: int
    fingerprint: str
    """SHA-256 of the certificate, in hex."""

    @property
    def shown(self) -> "CertificateShown":
        return CertificateShown(self.subject, format_timestamp(self.ends_at), self.fingerprint)


class ClientCertificate(Certificate, frozen=True, kw_only=True):
    key: bytes
    """The private key of the certificate."""

    def __repr__(self) -> str:
        """Shows no private key, because tools that print a traceback's variables call this."""
        return f"ClientCertificate({self.fingerprint})"


class CertificateShown(Struct, frozen=True, rename="camel"):
    subject: str
    expires_at: Timestamp
    fingerprint: Annotated[str, Meta(description="SHA-256 of the certificate, in hex.")]


class NewClientCertificate(Body, frozen=True, kw_only=True):
    """A certificate with its private key."""

    certificate: Annotated[
        str, _PEM, Meta(description="PEM: the certificate first, then those that lead to its root, if there are any.")
    ]
    private_key: Annotated[str, _PEM, Meta(description="PEM, without a password. It is never shown.")]


def _check_pair(given: NewClientCertificate) -> NewClientCertificate:
    client_certificate(given)
    return given


def _check_authorities(given: str) -> str:
    authorities_in(given)
    return given


ClientCertificateGiven = Annotated[
    NewClientCertificate,
    Meta(
        description="The certificate that the gateway offers to the endpoint (mTLS), to no other and on connections of "
        "this subscription alone.",
        extra=checked_by(_check_pair),
    ),
]
Authorities = Annotated[
    str,
    _PEM,
    Meta(
        description="PEM: the authorities that the endpoint's certificate may be from, in place of those that the "
        "gateway trusts else.",
        extra=checked_by(_check_authorities),
    ),
]


def client_certificate(given: NewClientCertificate) -> ClientCertificate:
    """What is given, read. Raises Bad."""
    chain = _certificates(given.certificate, "certificate")
    key = _private_key(given.private_key)
    if key.public_key() != _public_key_of(chain[0]):
        raise Bad("wrong_key", "This is not the private key of the certificate.", ("privateKey",))
    return ClientCertificate(
        pem=b"".join(map(_pem_of, chain)), subject=_subject(chain[0]), ends_at=_ends(chain[0]),
        fingerprint=_fingerprint(chain[0]), key=_pem_of_key(key),
    )  # fmt: skip


def authorities_in(given: str) -> tuple[Certificate, ...]:
    """The authorities that are given, read. Raises Bad."""
    return tuple(
        Certificate(pem=_pem_of(each), subject=_subject(each), ends_at=_ends(each), fingerprint=_fingerprint(each))
        for each in _certificates(given)
    )


def read_certificate(given: NewClientCertificate | UnsetType | None) -> ClientCertificate | None:
    """What a checked body says; None for none."""
    return client_certificate(given) if isinstance(given, NewClientCertificate) else None


def read_authorities(given: str | UnsetType | None) -> tuple[Certificate, ...]:
    """What a checked body says; empty for none."""
    return authorities_in(given) if isinstance(given, str) else ()


def check_usable(certificate: ClientCertificate | None, authorities: Sequence[Certificate], url: str, now: int) -> None:
    """Raises Invalid if a certificate has expired already, or if the endpoint speaks no TLS."""
    errors = []
    if certificate is not None and certificate.ends_at <= now:
        detail = f"It expired at {format_timestamp(certificate.ends_at)}."
        errors.append(FieldError("/clientCertificate/certificate", "expired", detail))
    if (certificate is not None or authorities) and not url.lower().startswith("https://"):
        member = "/authorities" if certificate is None else "/clientCertificate"
        errors.append(FieldError(member, "needs_https", "Only an https URL can have this."))
    if errors:
        raise Invalid(errors)


def fingerprints(pem: str) -> list[str]:
    """The fingerprints of the certificates in a PEM text, as they are shown; none if it has none."""
    try:
        return [_fingerprint(each) for each in _certificates(pem)]
    except Bad:
        return []


def _certificates(pem: str, *below: str) -> "list[x509.Certificate]":
    from cryptography import x509  # here, because it takes a tenth of a second, and few subscriptions need it

    try:
        found = x509.load_pem_x509_certificates(pem.encode())
    except (ValueError, UnicodeEncodeError):
        raise Bad("bad_certificate", "This must be one or more certificates in PEM.", below) from None
    if len(found) > MAX_CERTIFICATES:
        raise Bad("too_many", f"These are {len(found)} certificates; at most {MAX_CERTIFICATES} are taken.", below)
    return found


def _private_key(pem: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    below = ("privateKey",)
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        raise Bad("encrypted_key", "The key is encrypted with a password. Give it without one.", below) from None
    except Exception:  # of a malformed key, the library raises several of its own
        raise Bad("bad_key", "This must be a private key in PEM.", below) from None
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < _MIN_RSA_BITS:
        raise Bad("weak_key", f"An RSA key must have at least {_MIN_RSA_BITS} bits.", below)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise Bad("bad_key", "This must be a key of RSA, ECDSA or Ed25519.", below)
    return key


def _public_key_of(certificate: "x509.Certificate") -> object:
    try:
        return certificate.public_key()
    except Exception:  # of a key that it does not know, the library raises several of its own
        raise Bad(
            "bad_certificate", "The certificate has a key of a kind that is not known.", ("certificate",)
        ) from None


def _pem_of_key(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    written: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return written


def _pem_of(certificate: "x509.Certificate") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _subject(certificate: "x509.Certificate") -> str:
    return certificate.subject.rfc4514_string()[:512]


def _ends(certificate: "x509.Certificate") -> int:
    return int(certificate.not_valid_after_utc.timestamp()) * SECOND


def _fingerprint(certificate: "x509.Certificate") -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
