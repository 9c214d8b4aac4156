"""What is sent is the event itself, to where the subscription sends at that moment, with its headers, signed with its
secrets, and as another system did; a connector's message is its text."""

import base64
import hashlib
import hmac
import json
from urllib.parse import urlsplit

from gateway.tests.joints.checkers import Checker
from gateway.tests.joints.history import Attempt
from gateway.tests.world.model import sayings
from gateway.tests.world.model.old_signatures import is_signed_so
from gateway.tests.world.model.sayings import Saying
from gateway.tests.world.model.wishes import Secrets

MADE = "whsec_"
"""What secrets begin with that the gateway makes."""
CLOCK = 1.0
"""The seconds by which the end of a rotation may be off: signatures are of whole seconds."""


class Content(Checker):
    def sent(self, attempt: Attempt) -> None:
        if attempt.wish.is_webhook:
            self._check_webhook(attempt)
        else:
            self._check_message(attempt)

    def shadowed(self, attempt: Attempt) -> None:
        self._check_webhook(attempt, sayings.SIGNED_APART)

    def tried(self, attempt: Attempt) -> None:
        self._check_head(attempt)

    def _check_webhook(self, attempt: Attempt, signed_also: Saying = sayings.SIGNED_ALSO) -> None:
        if attempt.body != attempt.event.body:
            self.fail(f"{attempt} is not the event: {attempt.body!r}")
        self._check_head(attempt, signed_also)

    def _check_head(self, attempt: Attempt, signed_also: Saying = sayings.SIGNED_ALSO) -> None:
        wish, first, at = attempt.wish, attempt.at - self.world.model.slack.of_form(attempt.wish), attempt.at
        if attempt.url not in wish.url.between(first, at):
            self.fail(f"{attempt} goes to {attempt.url}")
        if not any(headers.items() <= attempt.headers.items() for headers in wish.headers.between(first, at)):
            self.world.fail(sayings.HEADERS.rule, f"{attempt} has other headers: {attempt.headers}")
        origin = urlsplit(attempt.url).netloc
        value = attempt.headers.get("x-of", "")
        if origin not in self.world.clients.owners.origins.get(value, {origin}):
            self.world.fail("headers elsewhere", f"{attempt} brings {value!r}, which was given for another origin")
        if not any(is_signed(attempt, secrets) for secrets in wish.secrets.between(first, at)):
            self.world.fail(sayings.SIGNED.rule, f"{attempt} is signed with other secrets")
        if _has_key_pair(attempt) not in wish.has_key_pair.between(first, at):
            self.world.fail(sayings.SIGNED.rule, f"{attempt} is signed as {attempt.headers['webhook-signature']}")
        self.world.clients.endpoint_tokens.check(attempt, first)
        self.world.clients.certificates.check(attempt, first)
        also = wish.sign_also.between(first, at)
        if not any(is_signed_so(attempt.headers, attempt.body, each) for each in also):
            self.world.fail(signed_also.rule, f"{attempt} is signed as {attempt.headers}, not as {also}")

    def _check_message(self, attempt: Attempt) -> None:
        title = attempt.event.document["title"]
        texts = attempt.wish.text.between(attempt.at - self.world.model.slack.vendor, attempt.at)
        said = json.loads(attempt.body)["text"]
        if said not in [text.replace("{{ document.title }}", title) for text in texts]:
            self.fail(f"{attempt} says {said!r}")


def is_signed(attempt: Attempt, secrets: Secrets) -> bool:
    """Whether it is signed as these secrets say (C19 to C21)."""
    may_be: list[tuple[str, ...]] = []
    if secrets.next is None or attempt.at < secrets.at_last + CLOCK:
        may_be.append((secrets.current,) if secrets.next is None else (secrets.current, secrets.next))
    if secrets.next is not None and attempt.at > secrets.until - CLOCK:
        may_be.append((secrets.next,))
    return any(_fits(attempt, signing) for signing in may_be)


def _fits(attempt: Attempt, signing: tuple[str, ...]) -> bool:
    headers = attempt.headers
    given = (headers["plexus-webhook-signature"], headers.get("plexus-webhook-signature-alternate"))
    plain = tuple(hmac.new(each.encode(), attempt.body, hashlib.sha512).hexdigest() for each in signing)
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + attempt.body
    standard = " ".join(
        "v1," + base64.b64encode(hmac.new(_key_of(each), signed, hashlib.sha256).digest()).decode() for each in signing
    )
    return given == (*plain, None)[:2] and " ".join(_signatures(attempt, "v1")) == standard


def _key_of(secret: str) -> bytes:
    """The key of the standard signature (C20)."""
    return base64.b64decode(secret.removeprefix(MADE)) if secret.startswith(MADE) else secret.encode()


def _signatures(attempt: Attempt, version: str) -> list[str]:
    return [each for each in attempt.headers["webhook-signature"].split(" ") if each.startswith(f"{version},")]


def _has_key_pair(attempt: Attempt) -> bool:
    """Whether it has signatures of a key pair, after those of secrets, and each has its length."""
    found = _signatures(attempt, "v1a")
    together = " ".join((*_signatures(attempt, "v1"), *found)) == attempt.headers["webhook-signature"]
    lengths = {len(base64.b64decode(each.removeprefix("v1a,"), validate=True)) for each in found}
    return bool(found) and together and lengths == {64}
