"""A certificate as people make it at home: of an authority that says no more than that it is one, and itself with no
more than the host that it is for. It does not say whose key signed it, without which Python's own contexts refuse it
from 3.13 on."""

import datetime
import ssl
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HOST = "localhost"


class HomeMade(NamedTuple):
    authority: Path
    """The file of its certificate."""
    serving: ssl.SSLContext
    """What a server on `HOST` speaks TLS with."""


def make(folder: Path) -> HomeMade:
    signing, serving = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority, server = _name("Home"), _name(HOST)
    is_authority = x509.BasicConstraints(ca=True, path_length=None)
    its_host = x509.SubjectAlternativeName([x509.DNSName(HOST)])
    root = _signed(authority, authority, signing, signing, is_authority, critical=True)
    leaf = _signed(server, authority, serving, signing, its_host, critical=False)
    (folder / "authority.pem").write_bytes(root.public_bytes(Encoding.PEM))
    key = serving.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.pem").write_bytes(key + leaf.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return HomeMade(folder / "authority.pem", context)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    by: ec.EllipticCurvePrivateKey,
    says: x509.ExtensionType,
    *,
    critical: bool,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(says, critical=critical)
        .sign(by, hashes.SHA256())
    )
