"""Makes calls of a gateway."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request


class Calls:
    """`timeout_s` is how long an answer may take. Certificates are verified in the same way with each version of
    Python: from 3.13 on, a context of the standard library's own refuses those of many private authorities."""

    def __init__(self, timeout_s: float) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_default_certs()
        # The key goes to the gateway, and not on to where a redirect leads.
        opener = urllib.request.build_opener(_NoRedirects(), urllib.request.HTTPSHandler(context=context))
        self._open = opener.open
        self._timeout_s = timeout_s

    def send(self, request: urllib.request.Request) -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError, HTTPException."""
        try:
            with self._open(request, timeout=self._timeout_s) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None
