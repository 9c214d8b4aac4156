"""The certificate that the sink shows: below an intermediate authority, as those of the public ones are."""

import datetime
import ipaddress
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey
_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


class _Authority(NamedTuple):
    name: x509.Name
    key: Key


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """One for 127.0.0.1, good for a day. PEM files: it, the intermediate authority's and its key; the root's."""
    root, middle, own = (_Authority(_name(what), _key()) for what in ("root", "authority", "sink"))
    root_pem = _pem(_issue(root, root, authority=True))
    chain = _pem(_issue(own, middle, authority=False)) + _pem(_issue(middle, root, authority=True))
    private = own.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files = folder / "sink.pem", folder / "root.pem"
    files[0].write_bytes(chain + private)
    files[1].write_bytes(root_pem)
    return files


def _name(what: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Signalpost bench: {what}")])


def _key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def _issue(to: _Authority, by: _Authority, *, authority: bool) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(to.name)
        .issuer_name(by.name)
        .public_key(to.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        # From 3.13 on, Python takes no certificate that does not say whose key signed it.
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(to.key.public_key()), critical=False)
    )
    if authority:
        builder = builder.add_extension(_SIGNS_CERTIFICATES, critical=True)
    else:
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return builder.sign(by.key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
