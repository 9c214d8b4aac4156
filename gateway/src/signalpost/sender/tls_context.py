"""What the gateway and its commands require of a TLS server."""

import ssl
from pathlib import Path
from typing import Final

HTTP: Final = "http/1.1"


def tls_context(ca_file: Path | None, *protocols: str) -> ssl.SSLContext:
    """A TLS context that trusts the system's authorities and those in `ca_file`, and offers these protocols (ALPN).
    Building it takes 10 ms, so all connections share one.

    `ssl.create_default_context` would write the keys of every connection to the file that SSLKEYLOGFILE names, so that
    one environment variable could expose all deliveries to anyone who can read that file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False  # a certificate says its hosts in its alternative names only
    if protocols:
        context.set_alpn_protocols(protocols)
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context
