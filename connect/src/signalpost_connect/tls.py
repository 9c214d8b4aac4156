"""Which certificates a source or sink trusts."""

import ssl


def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Trusts the authorities in this file, or else those of the system, in the same way with each version of Python:
    from 3.13 on, `ssl.create_default_context` refuses the certificates of many private authorities. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_file is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cafile=ca_file)
    return context
