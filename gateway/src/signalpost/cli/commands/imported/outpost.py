"""Destinations of Outpost, from its API: tenants have destinations. How all of them sign is said by its settings."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

from msgspec import Struct, field

from signalpost.cli.client import CommandError
from signalpost.cli.commands.imported.answers import Answers, path_of
from signalpost.cli.commands.imported.former import FormerEndpoint, FormerSignature
from signalpost.domain.old_signature import Algorithm

_PAGE: Final = 100
_WEBHOOK: Final = "webhook"
_ALGORITHMS: Final = {"hmac-sha256": Algorithm.SHA256, "hmac-sha1": Algorithm.SHA1}
_SETTING: Final = "DESTINATIONS_WEBHOOK_"
_STANDARD_PREFIX: Final = "webhook-"
_ACTIONS: Final = {".Body": "{body}", ".EventID": "{id}", ".Timestamp.Unix": "{timestamp}"}
"""What the templates of Outpost can say that `signAlso` can say too."""
_ACTION: Final = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_SIGNATURES: Final = re.compile(r"\{\{\s*\.Signatures\s*\|\s*join\s*\",\"\s*\}\}$")


class _Tenant(Struct):
    id: str


class _Pagination(Struct):
    next: str | None = None


class _Tenants(Struct):
    models: list[_Tenant]
    pagination: _Pagination = field(default_factory=_Pagination)


class _Destination(Struct):
    id: str
    type: str
    topics: list[str] | str = "*"
    filter: dict[str, Any] | None = None
    config: dict[str, str] = field(default_factory=dict)
    credentials: dict[str, str] = field(default_factory=dict)
    delivery_metadata: dict[str, str] | None = None
    disabled_at: str | None = None
    target: str = ""


class OutpostSigning(NamedTuple):
    """How a deployment signs."""

    is_standard: bool
    """Whether as Standard Webhooks wants it."""
    header_prefix: str
    form: FormerSignature | None
    """The signature of its own, with an empty secret; None if there is none, or none that can be made here."""
    lost: str | None = None


def signing(settings: Mapping[str, str | None]) -> OutpostSigning:
    """How a deployment signs with these settings, of which those that are left out are Outpost's own."""

    def said(name: str, usual: str) -> str:
        given = settings.get(_SETTING + name)
        return usual if given is None else given

    is_standard = said("MODE", "default") == "standard"
    prefix = said("HEADER_PREFIX", "") or (_STANDARD_PREFIX if is_standard else "x-outpost-")
    prefix = prefix.strip()
    if is_standard:
        lost = (
            None if prefix == _STANDARD_PREFIX else f"Its receivers look for {prefix}signature, not webhook-signature."
        )
        return OutpostSigning(is_standard, prefix, None, lost)
    header = said("SIGNATURE_HEADER_NAME", f"{prefix}signature").strip()
    if not header or said("DISABLE_DEFAULT_SIGNATURE_HEADER", "false") == "true":
        return OutpostSigning(is_standard, prefix, None)
    algorithm, encoding = said("SIGNATURE_ALGORITHM", "hmac-sha256"), said("SIGNATURE_ENCODING", "hex")
    over = _template(said("SIGNATURE_CONTENT_TEMPLATE", "{{.Body}}"))
    start = _prefix(said("SIGNATURE_HEADER_TEMPLATE", 'v0={{.Signatures | join ","}}'))
    known = _ALGORITHMS.get(algorithm)
    if known is None or encoding not in ("hex", "base64"):
        return OutpostSigning(is_standard, prefix, None, f"Outpost signs with {algorithm} in {encoding}.")
    if over is None or "{body}" not in over or start is None:
        return OutpostSigning(is_standard, prefix, None, "Outpost signs by templates that cannot be said here.")
    form = FormerSignature(
        header=header,
        secret="",
        algorithm=known,
        encoding="base64" if encoding == "base64" else "hex",
        over=over,
        prefix=start,
    )
    return OutpostSigning(is_standard, prefix, form)


def _template(text: str) -> str | None:
    """A template of Outpost as one of `signAlso`; None if it says what that cannot say."""
    parts = _ACTION.split(text)
    literal, actions = parts[::2], parts[1::2]
    if any(each not in _ACTIONS for each in actions) or any("{" in each or "}" in each for each in literal):
        return None
    filled = [_ACTIONS[each] for each in actions]
    return "".join(one + other for one, other in zip(literal, [*filled, ""], strict=True))


def _prefix(text: str) -> str | None:
    """What stands before the signatures in the header; None if `signAlso` cannot say it."""
    start, count = _SIGNATURES.subn("", text)
    prefix = _template(start) if count else None
    return None if prefix is None or "{body}" in prefix or "{id}" in prefix else prefix


def managed_settings(answers: Answers) -> Mapping[str, str | None] | None:
    """The settings as a managed deployment tells them; None if it does not."""
    return answers.find(dict[str, str | None], "/config")


def endpoints(answers: Answers, tenants: Collection[str], signs: OutpostSigning) -> Iterator[FormerEndpoint]:
    """The destinations of these tenants; of all if none is named."""
    for tenant in tenants or _tenants(answers):
        for each in answers.get(list[_Destination], path_of("tenants", tenant, "destinations")):
            yield _former(tenant, each, signs)


def _tenants(answers: Answers) -> Iterator[str]:
    try:
        for page in answers.pages(_Tenants, "/tenants", "next", lambda each: each.pagination.next, limit=_PAGE):
            yield from (each.id for each in page.models)
    except CommandError as error:
        raise CommandError(f"{error} If this Outpost cannot list its tenants, name them: --tenant ID") from None


def _former(tenant: str, destination: _Destination, signs: OutpostSigning) -> FormerEndpoint:
    topics = [destination.topics] if isinstance(destination.topics, str) else destination.topics
    secret = destination.credentials.get("secret")
    is_webhook = destination.type == _WEBHOOK
    form = signs.form if secret and is_webhook else None
    return FormerEndpoint(
        id=destination.id,
        name=f"{tenant}: {destination.target}" if destination.target else tenant,
        url=destination.config.get("url", "") if is_webhook else None,
        types=None if "*" in topics else topics,
        secret=secret if signs.is_standard else None,
        signature=form and FormerSignature(
            header=form.header, secret=secret or "", algorithm=form.algorithm, encoding=form.encoding, over=form.over,
            prefix=form.prefix,
        ),
        headers=_headers(destination, signs),
        lost=[*_lost(destination, signs)],
    )  # fmt: skip


def _headers(destination: _Destination, signs: OutpostSigning) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    try:
        given = json.loads(destination.config.get("custom_headers") or "{}")
    except ValueError:
        given = {}
    if isinstance(given, dict):
        found |= {str(name): str(value) for name, value in given.items()}
    found |= {signs.header_prefix + name: value for name, value in (destination.delivery_metadata or {}).items()}
    return found


def _lost(destination: _Destination, signs: OutpostSigning) -> Iterator[str]:
    if destination.type != _WEBHOOK:
        yield f"It is of the type {destination.type}. Set up a kind of destination for it."
        return
    if signs.lost:
        yield signs.lost
    if destination.filter:
        shown = json.dumps(destination.filter, ensure_ascii=False)
        yield f"The filter, which is about other payloads: {shown}. Write `when` instead."
    if destination.credentials.get("previous_secret"):
        yield "An earlier secret signs, too, until it expires. Here the newest signs alone."
    if destination.disabled_at:
        yield "It was disabled."
