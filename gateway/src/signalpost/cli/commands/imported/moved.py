"""What endpoints of another system become: tables for the file, secrets beside it, and what could not be carried over.
Pure."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from math import floor
from typing import Any, Final, NamedTuple

from signalpost.cli.commands.imported.former import FormerClient, FormerEndpoint
from signalpost.cli.terminal.options import EVERY_TYPE
from signalpost.domain.body import read
from signalpost.domain.checks import MAX_TEXT_CHARACTERS, Bad
from signalpost.domain.endpoint import MAX_HEADERS, check_header, check_header_name, parse_url
from signalpost.domain.errors import Invalid
from signalpost.domain.oauth import OAuthClient
from signalpost.domain.own_tls import NewClientCertificate, client_certificate
from signalpost.domain.shown_url import hidden_parts

ALL: Final = "*"
SECRETS: Final = "secrets"
"""The folder of the secrets, beside the file."""
_SECRET_CHARACTERS: Final = range(8, 257)
_OLD_SECRET_CHARACTERS: Final = range(4, 257)
_ROOM_FOR_NUMBERS: Final = 8


class MovedEndpoint(NamedTuple):
    """What became of an endpoint."""

    id: str
    """At the other system."""
    name: str
    table: Mapping[str, Any] | None
    """What the file has of it; None if it is left out."""
    lost: Sequence[str]
    """What was not carried over, in sentences."""


class Move(NamedTuple):
    """What is written."""

    endpoints: Sequence[MovedEndpoint]
    secrets: Mapping[str, str]
    """The texts of the files in the folder of secrets, by name."""

    def __repr__(self) -> str:
        """Shows no secret, because tools that print a traceback's variables call this."""
        return f"Move({len(self.endpoints)} endpoints)"


class _Secrets:
    """Puts each secret into a file of its own."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}

    def keep(self, secret: str, *names: str) -> dict[str, str]:
        """What the file says in place of a secret."""
        name = _apart(re.sub(r"[^a-z0-9]+", "-", "-".join(names).lower()).strip("-")[:100] or "secret", self.files)
        self.files[name] = secret
        return {"file": f"{SECRETS}/{name}"}


def moved(endpoints: Iterable[FormerEndpoint], counterparts: Mapping[str, str]) -> Move:
    """What endpoints become. `counterparts` has the type of our events for each type of the other system."""
    secrets = _Secrets()
    names: set[str] = set()
    found = []
    for each in endpoints:
        name = _apart(_wanted_name(each), names)
        names.add(name)
        found.append(_moved(each, name, secrets, counterparts))
    return Move(found, secrets.files)


def _wanted_name(former: FormerEndpoint) -> str:
    return printable(former.name)[: MAX_TEXT_CHARACTERS - _ROOM_FOR_NUMBERS] or printable(former.id)


def printable(text: str) -> str:
    """A text on one line, without what no file of TOML may have."""
    return "".join(each for each in " ".join(text.split()) if each.isprintable())


def _apart(wanted: str, taken: Container[str]) -> str:
    """A name that is not taken yet: the wanted one, or that with a number."""
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}-{count}"
    return name


def _moved(former: FormerEndpoint, name: str, secrets: _Secrets, counterparts: Mapping[str, str]) -> MovedEndpoint:
    types, unknown = types_of(former.types, counterparts)
    lost = [*former.lost]
    if unknown:
        lost.append(
            f"There is no counterpart of {', '.join(unknown)}. If there is one, say so: "
            f"--event-type {unknown[0]}=documentUpdated"
        )
    if why_not := _why_no_url(former.url):
        lost.append(why_not)
    if former.url is None or why_not or not types:
        return MovedEndpoint(former.id, name, None, lost)
    if former.url.lower().startswith("http://"):
        lost.append("Its URL begins with http://. The gateway refuses that, unless its operator allows the target.")
    table: dict[str, Any] = {"name": name}
    table["url"] = secrets.keep(former.url, name, "url") if hidden_parts(former.url) else former.url
    table["eventTypes"] = types
    table["secret"] = _secret(former, name, secrets, lost)
    table["headers"] = dict(_headers(former, name, secrets, lost)) or None
    table["oauth"] = _oauth(former, name, secrets, lost)
    table["clientCertificate"] = _certificate(former, name, secrets, lost)
    table["rateLimit"] = _rate_limit(former.rate_limit, lost)
    table["signAlso"] = _sign_also(former, name, secrets, lost)
    table["status"] = "paused"
    return MovedEndpoint(former.id, name, table, lost)


def types_of(wanted: Sequence[str] | None, counterparts: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The types of our events that correspond to these of the other system, and those that nothing corresponds to."""
    if wanted is None or ALL in wanted:
        return [*EVERY_TYPE], []
    known: dict[str, str] = {each: each for each in EVERY_TYPE} | dict(counterparts)
    fitting = {each: [name for name in known if _fits(name, each)] for each in wanted}
    found = {known[name] for names in fitting.values() for name in names}
    return [each for each in EVERY_TYPE if each in found], [each for each, names in fitting.items() if not names]


def _fits(name: str, pattern: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split(ALL))), name) is not None


def _why_no_url(url: str | None) -> str | None:
    """Why the gateway would not send to a URL; None if it may."""
    if url is None:
        return None
    try:
        parse_url(url)
    except Bad as bad:
        return f"Its URL cannot be used. {bad.detail}"
    return None


def _secret(former: FormerEndpoint, name: str, secrets: _Secrets, lost: list[str]) -> dict[str, str] | None:
    if former.secret is None:
        return None
    if len(former.secret) not in _SECRET_CHARACTERS:
        lost.append("Its secret has fewer than 8 or more than 256 characters. The gateway makes another one.")
        return None
    return secrets.keep(former.secret, name, "secret")


def _headers(
    former: FormerEndpoint, name: str, secrets: _Secrets, lost: list[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    taken: set[str] = set()
    for header, value in former.headers.items():
        try:
            if header.lower() in taken or (former.signature and header.lower() == former.signature.header.lower()):
                raise Bad("duplicate", "The header is there twice.")
            if len(taken) == MAX_HEADERS:
                raise Bad("too_many", f"There can be at most {MAX_HEADERS}.")
            check_header_name(header) if value is None else check_header(header, value)
        except Bad as bad:
            lost.append(f"The header {header}. {bad.detail}")
            continue
        taken.add(header.lower())
        if value is None:
            variable = _variable(name, header)
            lost.append(f"The value of the header {header} is not shown. Set {variable}.")
            yield header, {"env": variable}
        else:
            yield header, secrets.keep(value, name, header)


def _variable(*names: str) -> str:
    """The variable that has what the other system does not show."""
    return re.sub(r"[^A-Z0-9]+", "_", " ".join(names).upper()).strip("_")


def _oauth(former: FormerEndpoint, name: str, secrets: _Secrets, lost: list[str]) -> dict[str, Any] | None:
    client = former.oauth
    if client is None:
        return None
    said = {"tokenUrl": client.token_url, "clientId": client.client_id, "credentialsIn": client.credentials_in}
    said |= {"scope": client.scope} if client.scope else {}
    try:
        read(OAuthClient, {**said, "clientSecret": client.secret or "not shown"})
    except Invalid as invalid:
        lost.append(f"Its client of OAuth 2: {invalid.errors[0].pointer[1:]}. {invalid.errors[0].detail}")
        return None
    kept: dict[str, Any] = {**said, "clientSecret": _client_secret(client, name, secrets, lost)}
    if hidden_parts(client.token_url):
        kept["tokenUrl"] = secrets.keep(client.token_url, name, "token-url")
    return kept


def _client_secret(client: FormerClient, name: str, secrets: _Secrets, lost: list[str]) -> dict[str, str]:
    if client.secret:
        return secrets.keep(client.secret, name, "client-secret")
    variable = _variable(name, "client secret")
    lost.append(f"The secret of its client of OAuth 2 is not shown. Set {variable}.")
    return {"env": variable}


def _certificate(former: FormerEndpoint, name: str, secrets: _Secrets, lost: list[str]) -> dict[str, Any] | None:
    offered = former.certificate
    if offered is None:
        return None
    try:
        client_certificate(NewClientCertificate(certificate=offered.certificate, private_key=offered.key))
    except Bad as bad:
        lost.append(f"Its client certificate. {bad.detail}")
        return None
    return {
        "certificate": secrets.keep(offered.certificate, name, "certificate"),
        "privateKey": secrets.keep(offered.key, name, "private-key"),
    }


def _rate_limit(limit: float | None, lost: list[str]) -> int | None:
    if not limit:
        return None
    if limit != floor(limit):
        lost.append(f"Its rate limit of {limit:.3g} a second. Here it is a whole number.")
    return max(1, floor(limit))


def _sign_also(former: FormerEndpoint, name: str, secrets: _Secrets, lost: list[str]) -> list[dict[str, Any]] | None:
    signature = former.signature
    if signature is None:
        return None
    try:
        check_header_name(signature.header)
    except Bad as bad:
        lost.append(f"Its signature in the header {signature.header}. {bad.detail}")
        return None
    if len(signature.secret) not in _OLD_SECRET_CHARACTERS:
        lost.append("Its signature: the secret has fewer than 4 or more than 256 characters.")
        return None
    said = {
        "header": signature.header, "algorithm": str(signature.algorithm), "encoding": signature.encoding,
        "over": signature.over, "prefix": signature.prefix,
    }  # fmt: skip
    return [{**said, "secret": secrets.keep(signature.secret, name, signature.header)}]
