"""Strikes secrets from whatever is kept, logged or answered about a connector."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from signalpost.domain import endpoint
from signalpost.domain.checks import Bad

STRUCK: Final = "[secret]"
_SHORTEST: Final = 4
"""Shorter secrets are not struck out: they would be found in every other sentence."""


class Secrets:
    """The secrets of one connection, with what an address or a header makes of them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {form for secret in secrets for form in _forms(secret) if len(form) >= _SHORTEST}
        self._texts = sorted(found, key=len, reverse=True)  # a secret that is a part of another goes second

    def __repr__(self) -> str:
        return "Secrets(…)"

    def strike(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._texts:
            if secret in text:
                text = text.replace(secret, STRUCK)
        return text

    def strike_bytes(self, content: bytes) -> bytes:
        """A vendor's answer without secrets."""
        for secret in self._texts:
            found = secret.encode()
            if found in content:
                content = content.replace(found, STRUCK.encode())
        return content


def _forms(secret: str) -> Iterable[str]:
    yield secret
    yield quote(secret, safe="")
    if secret.startswith(("https://", "http://")):
        try:
            yield endpoint.parse_url(secret).path
        except Bad:
            return
