"""What the gateway and its commands require of a TLS server."""

import ssl
from pathlib import Path
from typing import Final

from signalpost.domain.request import EndpointTls
from signalpost.runtime.pem_file import pem_file

HTTP: Final = "http/1.1"


def tls_context(ca_file: Path | None, *protocols: str) -> ssl.SSLContext:
    """A TLS context that trusts the system's authorities and those in `ca_file`, and offers these protocols (ALPN).
    Building it takes 10 ms, so all connections share one.

    `ssl.create_default_context` would write the keys of every connection to the file that SSLKEYLOGFILE names, so that
    one environment variable could expose all deliveries to anyone who can read that file. And from Python 3.13 on, it
    refuses the certificates of many private authorities."""
    context = _untrusting(*protocols)
    context.load_default_certs()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


def endpoint_context(ca_file: Path | None, tls: EndpointTls, *protocols: str) -> ssl.SSLContext:
    """The context of one subscription. Raises ssl.SSLError if OpenSSL cannot use what it has."""
    if tls.authorities:
        context = _untrusting(*protocols)
        context.load_verify_locations(cadata=tls.authorities.decode("ascii"))
    else:
        context = tls_context(ca_file, *protocols)
    if tls.chain:
        with pem_file(tls.chain + b"\n" + tls.key) as path:
            context.load_cert_chain(path, password=_refuse_password)
    return context


def _refuse_password() -> str:
    """Without this, OpenSSL would ask at the terminal."""
    raise ssl.SSLError("the key is encrypted")


def _untrusting(*protocols: str) -> ssl.SSLContext:
    """A context that trusts no authority yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False  # a certificate says its hosts in its alternative names only
    if protocols:
        context.set_alpn_protocols(protocols)
    return context
