"""Members that connections of several kinds have: addresses, and what stands in for a vendor's own."""

import base64
import re
from textwrap import wrap
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, UnsetType

from signalpost.destinations.fields import MAX_SECRET_CHARACTERS, SecretText
from signalpost.domain.body import checked_by, read_by
from signalpost.domain.checks import Bad, plain_text
from signalpost.domain.endpoint import MAIL, WEB, parse_url
from signalpost.domain.oauth import in_header

MAX_ORIGIN_CHARACTERS: Final = 300
MAX_DETAIL_CHARACTERS: Final = 500
_SMTP: Final = ("smtp://", "smtps://")
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
"""The `grant_type` that exchanges a signed assertion for a token (RFC 7523)."""

ClientId = Annotated[
    str,
    Meta(
        title="Client id",
        description="The id of the app that you registered with the vendor, sometimes called the consumer key.",
        examples=["3MVG9lKcPoNINVBIPJjdw1J9LLM82HnFVVX19KY1uA5mu0"],
        min_length=1,
        max_length=512,
        pattern="^[!-~]+$",
    ),
]


def read_private_key(value: Any) -> str:
    """The key as PEM has it. People copy keys out of JSON files, with `\\n` for the ends of lines and a quotation mark,
    and a field of one line drops its line breaks. The key is only looked at, not proved: that would hold up everybody
    for a fifth of a second."""
    # Imported here, because few gateways sign assertions, and each would start later.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    text = plain_text(value, MAX_SECRET_CHARACTERS).replace("\\r", "").replace("\\n", "\n")
    found = _PEM.search(text)
    if found is None:
        raise Bad("not_a_key", f"There is no private key in this. {_A_KEY}")
    title, content = found.groups()
    lines = wrap("".join(content.split()), 64)
    pem = "\n".join((f"-----BEGIN {title}-----", *lines, f"-----END {title}-----", ""))
    try:
        key = load_pem_private_key(pem.encode(), password=None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise Bad("not_a_key", f"The private key cannot be read. {_A_KEY}")
    return pem


_PEM: Final = re.compile("-----BEGIN ([A-Z ]*PRIVATE KEY)-----(.*?)-----END \\1-----", re.DOTALL)
_A_KEY: Final = "This must be an RSA key in PEM without a password: -----BEGIN PRIVATE KEY-----…"
PrivateKey = Annotated[SecretText, Meta(extra=read_by(read_private_key))]
"""An RSA key that signs assertions."""


def origin_of(url: str) -> str:
    """The origin of an absolute URL, such as `https://slack.com` or `smtp://smtp.example.com`. Raises Bad if it is
    none."""
    return parse_url(url, MAIL if url.startswith(_SMTP) else WEB).origin


def _read_origin(value: Any) -> str:
    text = plain_text(value, MAX_ORIGIN_CHARACTERS)
    parsed = parse_url(text)
    if parsed.path != "/":
        raise Bad("bad_url", f"Leave out everything after the host: write {origin_of(text)}.")
    return origin_of(text)


Origin = Annotated[
    str,
    Meta(
        max_length=MAX_ORIGIN_CHARACTERS,
        pattern="^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@]+/?$",
        extra_json_schema={"format": "uri"},
        extra=read_by(_read_origin),
    ),
]
"""Scheme, host and, if it is not the scheme's own, port. Plain http and private addresses are taken only if the
operator allows them, which is checked when a connection is saved."""


def hosted_at(*hosts: str) -> Meta:
    """A check that refuses a URL whose host is not one of the vendor's. A host that begins with a dot stands for all
    hosts below it."""
    own = ", ".join(f"*{host}" if host.startswith(".") else host for host in hosts)

    def check(url: str) -> str:
        host = parse_url(url).target.host
        if host not in hosts and not any(each.startswith(".") and host.endswith(each) for each in hosts):
            detail = f"The vendor's addresses are at {own}, not at {host}. For a proxy or a test, set standIn."
            raise Bad("not_the_vendors", detail)
        return url

    return Meta(extra=checked_by(check))


StandIn = Annotated[
    Origin | UnsetType,
    Meta(
        title="Stand-in",
        description="For a proxy or a test: an origin that is called instead of the vendor's.",
        examples=["https://proxy.example.com"],
    ),
]


def or_stand_in(origin: str, stand_in: str | UnsetType) -> str:
    """The vendor's origin, unless another stands in for it."""
    return origin if stand_in is UNSET else stand_in


def at_stand_in(url: str, stand_in: str | UnsetType) -> str:
    """A URL of the vendor's, at the origin that stands in for it if there is one."""
    return url if stand_in is UNSET else stand_in + parse_url(url).path


def vendor_origins(stand_in: str | UnsetType, *origins: str) -> tuple[str, ...]:
    """The vendor's origins, or the one that stands in for all of them."""
    return origins if stand_in is UNSET else (stand_in,)


def basic_authorization(name: str, password: str) -> str:
    """The value of the header `authorization` for a name and a password (RFC 7617), in UTF-8."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def client_authorization(client_id: str, client_secret: str) -> str:
    """The value of the header `authorization` for a client of OAuth 2."""
    return basic_authorization(in_header(client_id), in_header(client_secret))


def shortened(text: str) -> str:
    """A vendor's words at a length at which people read them, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_DETAIL_CHARACTERS else f"{line[: MAX_DETAIL_CHARACTERS - 1]}…"
