"""The URL and the additional headers of a subscription: what may be in them (C14, C18)."""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from ipaddress import IPv6Address
from itertools import islice
from typing import Annotated, Any, Final

import idna
from msgspec import Meta, Struct

from signalpost import VERSION
from signalpost.domain.body import read_by
from signalpost.domain.checks import Bad, Several, plain_text
from signalpost.domain.errors import Invalid
from signalpost.domain.request import Target

MAX_URL_CHARACTERS = 2048
MAX_HEADERS = 20
MAX_HEADER_BYTES = 4096
MAX_HEADER_NAME_CHARACTERS = 128

WEB: Final = frozenset({"https", "http"})
MAIL: Final = frozenset({"smtps", "smtp"})
"""TLS from the first byte on, and TLS by STARTTLS."""
_PORTS: Final = {"https": 443, "http": 80, "smtps": 465, "smtp": 587}
_URL_CHARACTERS = re.compile(r"[!-~]+")
_AUTHORITY = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<host>[^\[\]:\x00-\x20\x7f]+))(?::(?P<port>[0-9]{1,5}))?")
_AFTER_AUTHORITY = re.compile("[/?#]")
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SIGNS = re.compile(r"[^0-9a-z]+")
_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?|")
_RESERVED = frozenset(
    """accept-encoding connection content-encoding content-language content-length content-location
    content-md5 content-range content-type date expect forwarded host keep-alive proxy te traceparent trailer
    transfer-encoding upgrade user-agent via""".split()
)
_RESERVED_PREFIXES = ("plexus-webhook-", "proxy-", "signalpost-", "webhook-", "x-forwarded-")


_NO_WEB: Final = ("not_https", "This must be an absolute URL that begins with https://.")
_NO_MAIL: Final = ("not_smtp", "This must begin with smtp:// or smtps://, such as smtp://smtp.example.com:587.")


class Url(Struct, frozen=True):
    """An endpoint's URL, taken apart."""

    target: Target
    path: str
    """With its query; what the request line says."""

    @property
    def authority(self) -> str:
        """The `host` header: with the port unless it is the scheme's own."""
        host = f"[{self.target.host}]" if ":" in self.target.host else self.target.host
        return host if self.target.port == _PORTS[self.target.scheme] else f"{host}:{self.target.port}"

    @property
    def origin(self) -> str:
        return f"{self.target.scheme}://{self.authority}"


def head_of_posts(url: Url, headers: Mapping[str, str]) -> str:
    """How the head of each request begins that sends JSON to an endpoint: all that is the same in all of them."""
    lines = [
        f"POST {url.path} HTTP/1.1",
        f"host: {url.authority}",
        f"user-agent: Signalpost/{VERSION}",
        "content-type: application/json",
        "accept-encoding: identity",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines)


def origin_of(url: str) -> str | None:
    """The origin of a subscription's URL; None if that was accepted by other rules."""
    try:
        return parse_url(url).origin
    except Bad:
        return None


_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PORT = "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
_URL = rf'^[Hh][Tt][Tt][Pp][Ss]?://(?![^:/?]{{254}}){_LABEL}(\.{_LABEL})*(:({_PORT}))?([/?][!"$-~]*)?$'


def _read_url(value: Any) -> str:
    text = plain_text(value, MAX_URL_CHARACTERS)
    parse_url(text)
    return text


EndpointUrl = Annotated[
    str,
    Meta(
        pattern=_URL,
        max_length=MAX_URL_CHARACTERS,
        description="An https URL without user name and fragment. International host names and IPv6 addresses are "
        "accepted, although the pattern excludes them. Plain http and private addresses need the operator's "
        "permission. The values of the query are write-only.",
        extra_json_schema={"format": "uri"},
        extra=read_by(_read_url),
    ),
]
"""An absolute https URL, or http if the operator allows its target, which is checked elsewhere."""


def parse_url(text: str, schemes: Collection[str] = WEB) -> Url:
    """Raises Bad with a sentence that says what to change."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in schemes:
        raise Bad(*(_NO_WEB if schemes is WEB else _NO_MAIL))
    end = _AFTER_AUTHORITY.search(rest)
    authority, remainder = (rest, "") if end is None else (rest[: end.start()], rest[end.start() :])
    if remainder and not _URL_CHARACTERS.fullmatch(remainder):
        raise Bad(
            "bad_url",
            "Percent-encode spaces, control characters and letters beyond ASCII in the path and the query.",
        )
    if "#" in remainder:
        raise Bad("bad_url", "Remove the fragment (#…): it is never sent.")
    if "@" in authority:
        raise Bad("bad_url", "Remove the user name and password; put credentials into an additional header.")
    path = remainder if remainder.startswith("/") else f"/{remainder}"
    return Url(_target(scheme.lower(), authority), path)


@lru_cache(maxsize=1024)  # the calls of a connection go to one or two, and to read a host takes as long as to read JSON
def _target(scheme: str, authority: str) -> Target:
    # Not urllib's: it drops tabs and newlines, and all that stands around an IPv6 address.
    match = _AUTHORITY.fullmatch(authority)
    port = _PORTS[scheme] if match is None or match["port"] is None else int(match["port"])
    if match is None or not 1 <= port <= 65535:
        raise Bad("bad_url", "This URL needs a valid host, and a port from 1 to 65535 if it names one.")
    return Target(scheme, _ipv6(match["ipv6"]) if match["host"] is None else _host(match["host"].lower()), port)


def _ipv6(text: str) -> str:
    if "%" in text:
        raise Bad("bad_url", "An address with a zone (%…) is valid on one machine only.")
    try:
        return IPv6Address(text).compressed
    except ValueError:
        raise Bad("bad_url", "The host in brackets must be an IPv6 address.") from None


def _host(host: str) -> str:
    if not _HOST.fullmatch(host):
        try:
            host = idna.encode(host, uts46=True).decode()
        except idna.IDNAError:
            raise Bad("bad_url", "The host name has a character that host names cannot have.") from None
    if len(host) > 253 or ".." in host or any(len(label) > 63 for label in host.split(".")):
        raise Bad("bad_url", "The host name is too long or has an empty part.")
    return host


def _read_headers(value: Any) -> dict[str, str]:
    """Names as they were given, none that the gateway sets itself."""
    if not isinstance(value, dict):
        raise Bad("wrong_type", "This must be a JSON object of header names and values.")
    bads: list[Bad] = []
    seen: set[str] = set()
    # A body has room for a hundred thousand: if they are too many anyway, a few are looked at.
    looked_at = islice(value.items(), Invalid.MAX_NAMED) if len(value) > MAX_HEADERS else value.items()
    for name, given in looked_at:
        try:
            check_header_name(name)
            _check_header_value(given)
            if name.lower() in seen:
                raise Bad(
                    "duplicate", "This header is given twice: upper and lower case make no difference in header names."
                )
            seen.add(name.lower())
        except Bad as bad:
            bads.append(Bad(bad.code, bad.detail, (name,)))
    if len(value) > MAX_HEADERS:
        bads.append(Bad("too_many", f"There can be at most {MAX_HEADERS} additional headers."))
    if bads:
        raise Several(bads)
    return dict(value)


def check_header_name(name: str) -> str:
    """Let a name through that a header can have and that the gateway does not set itself. Raises Bad."""
    # CGI, and many frameworks after it, know no difference between the signs in a name; and some drop one at its end.
    lowered = _SIGNS.sub("-", name.lower()).strip("-")
    if not _HEADER_NAME.fullmatch(name) or len(name) > MAX_HEADER_NAME_CHARACTERS:
        raise Bad("bad_header_name", "A header's name can only have letters, digits and !#$%&'*+.^_`|~-.")
    if lowered in _RESERVED or lowered.startswith(_RESERVED_PREFIXES):
        raise Bad("reserved_header", "The gateway sets this header itself.")
    return name


def check_header(name: str, value: str) -> None:
    """Let a header through that the gateway does not set itself. Raises Bad."""
    check_header_name(name)
    _check_header_value(value)


def _check_header_value(value: Any) -> None:
    if not isinstance(value, str):
        raise Bad("wrong_type", "A header's value must be a string.")
    if len(value) > MAX_HEADER_BYTES:
        raise Bad("wrong_length", f"A header's value can have at most {MAX_HEADER_BYTES} bytes.")
    if not _HEADER_VALUE.fullmatch(value):
        raise Bad(
            "forbidden_character",
            "A header's value must be printable ASCII, without control characters and without spaces at its ends.",
        )


Headers = Annotated[
    dict[
        Annotated[str, Meta(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$")],
        Annotated[str, Meta(max_length=MAX_HEADER_BYTES, pattern="^([!-~]([ -~]*[!-~])?)?$")],
    ],
    Meta(
        max_length=MAX_HEADERS,
        description="Sent with every request, besides the gateway's own. Values are write-only; if the scheme, host or "
        "port of the URL changes, give them again.",
        extra=read_by(_read_headers),
    ),
]
