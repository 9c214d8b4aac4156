"""Strikes secrets from all that is kept, logged or shown of what an endpoint or a vendor answered."""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from msgspec.structs import replace

from signalpost.domain import endpoint
from signalpost.domain.checks import Bad
from signalpost.domain.delivery.outcome import ANSWER_KEPT_BYTES, Outcome
from signalpost.domain.oauth import in_header
from signalpost.domain.shown_url import hidden_parts
from signalpost.domain.subscription import Subscription

STRUCK: Final = "[secret]"
SHORTEST: Final = 4
"""Shorter secrets are not struck out: they would be found in every other sentence."""
_PERCENT: Final = re.compile("%[0-9A-F]{2}")
_IN_HTML: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
_URL_SAFE: Final = str.maketrans("+/", "-_")


class Secrets:
    """Secrets, with what an address, a header or an encoding makes of them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST}
        self._texts = sorted(found, key=len, reverse=True)  # a secret that is a part of another goes second
        self._bytes = [text.encode() for text in self._texts]

    def __repr__(self) -> str:
        return "Secrets(…)"

    def strike(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._texts:
            if secret in text:
                text = text.replace(secret, STRUCK)
        return text

    def strike_bytes(self, content: bytes) -> bytes:
        """What was answered, without secrets."""
        for secret in self._bytes:
            if secret in content:
                content = content.replace(secret, STRUCK.encode())
        return content

    def strike_cut(self, content: bytes) -> bytes:
        """The beginning of an answer without secrets, also without the part of one at its end."""
        struck = self.strike_bytes(content)
        if len(content) < ANSWER_KEPT_BYTES:
            return struck
        begins = min((_begin_at_end(struck, secret) for secret in self._bytes), default=len(struck))
        return struck if begins == len(struck) else struck[:begins] + STRUCK.encode()


def _begin_at_end(content: bytes, secret: bytes) -> int:
    """Where the part of a secret begins with which the content ends; the content's length if it ends with none."""
    at = max(0, len(content) - len(secret) + 1)
    while (at := content.find(secret[:SHORTEST], at)) >= 0:
        if secret.startswith(content[at:]):
            return at
        at += 1
    return len(content)


def secrets_of(subscription: Subscription) -> Secrets:
    """What no client may read back of a webhook: its secrets, the values of its headers, and what is struck out of its
    URLs."""
    headers = (part for value in subscription.headers.values() for part in parts_of_header(value))
    own = (subscription.secret, subscription.next_secret or "", *(each.secret for each in subscription.sign_also))
    client = subscription.oauth
    if client is not None:
        own += (*forms_of_client(client.client_id, client.client_secret), *hidden_parts(client.token_url))
    return Secrets((*own, *headers, *hidden_parts(subscription.url)))


def without_secrets(outcome: Outcome, secrets: Secrets) -> Outcome:
    """An outcome of which no part repeats a secret."""
    trace = outcome.trace
    if trace is not None and trace.answer_head:
        trace = replace(trace, answer_head=secrets.strike_bytes(trace.answer_head))
    return replace(outcome, answer=secrets.strike_cut(outcome.answer), trace=trace)


def forms_of_client(client_id: str, client_secret: str) -> Iterator[str]:
    """The secret of a client, as it is and as it is encoded before it goes into a header, and what goes there with the
    id: a part of that in base64 may tell the end of the secret."""
    for name, secret in ((client_id, client_secret), (in_header(client_id), in_header(client_secret))):
        yield secret
        yield f"{name}:{secret}"
        yield base64.b64encode(f"{name}:{secret}".encode()).decode()


def parts_of_header(value: str) -> Iterator[str]:
    """A header's value, and what a receiver makes of it if it is a credential with a scheme (`Bearer …`)."""
    yield value
    scheme, space, credential = value.partition(" ")
    if not space:
        return
    yield credential.strip()
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(credential, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return
        yield pair
        yield pair.partition(":")[2]


def _forms(secret: str) -> Iterator[str]:
    yield secret
    if len(secret) < SHORTEST:
        return
    yield from _escaped(secret)
    content = secret.encode()
    yield content.hex()
    yield content.hex().upper()
    whole = base64.b64encode(content).decode()
    for form in (whole, whole.translate(_URL_SAFE)):
        yield form.rstrip("=")
        yield from _escaped(form)
    for before in range(3):  # in base64, it depends on what stands before
        encoded = base64.b64encode(bytes(before) + content).decode()
        inner = encoded[(before * 8 + 5) // 6 : len(encoded) - 4]
        yield inner
        yield inner.translate(_URL_SAFE)
    if secret.startswith(("https://", "http://")):
        try:
            yield endpoint.parse_url(secret).path
        except Bad:
            return


def _escaped(text: str) -> Iterator[str]:
    """A text as URLs, forms, JSON and HTML escape it."""
    for quoted in (quote(text, safe=""), quote_plus(text)):
        yield quoted
        yield _PERCENT.sub(lambda found: found[0].lower(), quoted)
    in_json = json.dumps(text)[1:-1]
    yield in_json
    yield in_json.replace("/", "\\/")  # as PHP does
    yield text.translate(_IN_HTML)
