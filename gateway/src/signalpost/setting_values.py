"""Parses the values of settings. Each function takes a text and returns the value, or raises a ValueError whose message
completes "SIGNALPOST_PORT …", such as "must be a whole number from 0 to 65535"."""

import base64
import binascii
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from msgspec.structs import fields

from signalpost.domain import body
from signalpost.domain.access.tenant import OTHER_TENANTS, TENANT_NAME
from signalpost.domain.access.tenant_limits import NO_LIMITS, LimitsPatch, TenantLimits
from signalpost.domain.checks import Bad
from signalpost.domain.endpoint import check_header, parse_url
from signalpost.domain.errors import Invalid
from signalpost.files.content_types import KINDS
from signalpost.store.nouns.fleet import NodeRole

_KEY = re.compile(r"sp_[A-Za-z0-9_-]{43}")


def number(minimum: int, maximum: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not minimum <= int(text) <= maximum:
            raise ValueError(f"must be a whole number from {minimum} to {maximum}")
        return int(text)

    return read


def database_url(text: str) -> str:
    if not re.fullmatch(r"(sqlite:///|postgres(ql)?://).+", text):
        raise ValueError("must be sqlite:///PATH or postgresql://USER@HOST/NAME")
    return text


def role(text: str) -> NodeRole:
    if text.lower() not in tuple(NodeRole):
        raise ValueError(f"must be one of {', '.join(NodeRole)}")
    return NodeRole(text.lower())


def tenant_limits(text: str) -> TenantLimits:
    try:
        pairs = [part.split("=") for part in text.split(",")] if text.strip() else []
        said = {name.strip(): int(most) if re.fullmatch(r"[0-9]{1,13}", most.strip()) else most for name, most in pairs}
        if len(said) < len(pairs):
            raise ValueError
        patch: LimitsPatch = body.read(LimitsPatch, said)
    except (ValueError, Invalid):
        known = ", ".join(field.encode_name for field in fields(TenantLimits))
        raise ValueError(f"must be NAME=NUMBER, separated by commas; the names are {known}") from None
    return patch.applied_to(NO_LIMITS)


def tenant_names(most: int) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(each.strip() for each in text.split(","))) if text.strip() else ()
        for name in names:
            if not re.fullmatch(TENANT_NAME, name):
                raise ValueError(f"must be names of tenants, separated by commas; {name!r} is none")
        if OTHER_TENANTS in names:
            raise ValueError(f"cannot name a tenant {OTHER_TENANTS}: that stands for all that are not named")
        if len(names) > most:
            raise ValueError(f"can have at most {most} names, because each adds to what Prometheus stores")
        return names

    return read


def seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", text) or not 0.1 <= float(text) <= 60:
        raise ValueError("must be seconds from 0.1 to 60")
    return float(text)


def delays(text: str) -> tuple[int, ...]:
    try:
        seconds_of_each = tuple(number(1, 86_400)(part.strip()) for part in text.split(",")) if text.strip() else ()
    except ValueError:
        raise ValueError("must be seconds from 1 to 86400, separated by commas, such as 10,60,300") from None
    if len(seconds_of_each) > 10:
        raise ValueError("can have at most ten delays")
    return seconds_of_each


def nonempty(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty; leave it out to get the default")
    return text


def files_url(text: str) -> str:
    """The URL without a trailing slash."""
    if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*/?", text):
        raise ValueError("must be s3://bucket/prefix; leave it out for a folder in DATA_DIR")
    return text.rstrip("/")


def file_kinds(text: str) -> tuple[str, ...]:
    kinds = tuple(part.strip().lower() for part in text.split(","))
    if not set(kinds) <= set(KINDS):
        raise ValueError(f"must be some of {', '.join(KINDS)}, separated by commas")
    return kinds


def public_url(text: str) -> str:
    """The URL without a trailing slash."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or not re.fullmatch(r"[!-~]{1,512}", text) or re.search(r"[?#@\\\"<>]", text):
        raise ValueError("must be http(s)://host[:port][/path], such as https://signalpost.example.com")
    return text.rstrip("/")


def issuer(text: str) -> str:
    """An issuer is compared exactly as written, so the text is not changed."""
    if not re.fullmatch(r"https?://[!-~]{1,500}", text) or re.search(r"[?#@\\\"<>]", text):
        raise ValueError("must be the provider's issuer, such as https://login.example.com")
    return text


def path(text: str) -> Path:
    return Path(nonempty(text))


def pem_file(text: str) -> Path:
    if not Path(text).is_file():
        raise ValueError(f"must be a readable file; there is none at {text}")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=text)
    except (ssl.SSLError, OSError):
        raise ValueError(f"must be a PEM file of certificates; {text} is not one") from None
    return Path(text)


def master_keys(text: str) -> tuple[bytes, ...]:
    """Keys between commas, or a line for each."""
    try:
        keys = tuple(base64.b64decode(part, validate=True) for part in re.split(",|\n", text))
    except (binascii.Error, ValueError):
        keys = ()
    if not keys or any(len(key) != 32 for key in keys):
        raise ValueError("must be 32 bytes as base64, or several such keys separated by commas, the newest first")
    return keys


def operator_key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise ValueError("must be sp_ and 43 letters, digits, - or _")
    return text


def one_of(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return text.lower()

    return read


def ratio(text: str) -> float:
    if not re.fullmatch(r"[01](\.[0-9]{1,9})?", text) or not 0 <= float(text) <= 1:
        raise ValueError("must be a number from 0 to 1, such as 0.01")
    return float(text)


def collector_url(text: str) -> str:
    """The URL without a trailing slash."""
    try:
        parse_url(text)
    except Bad:
        raise ValueError("must be an http(s) URL, such as http://127.0.0.1:4318") from None
    if "?" in text:
        raise ValueError("must be an http(s) URL without a query, such as http://127.0.0.1:4318")
    return text.rstrip("/")


class NamedValue(NamedTuple):
    """One `name=value` of a list."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{quote(self.name)}={quote(self.value)}"


def pairs(text: str) -> tuple[NamedValue, ...]:
    """`name=value`, separated by commas; other signs than those of URLs are percent-encoded, as OpenTelemetry says."""
    found = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, separator, value = part.partition("=")
        if not separator or not name.strip():
            raise ValueError("must be name=value, separated by commas, with signs such as , and = percent-encoded")
        found.append(NamedValue(unquote(name.strip()), unquote(value.strip())))
    return tuple(found)


def header_pairs(text: str) -> tuple[NamedValue, ...]:
    found = pairs(text)
    for number, (name, value) in enumerate(found, 1):
        try:
            check_header(name, value)
        except Bad as bad:  # what was taken for the name may be the key
            raise ValueError(f"cannot have the header that is number {number} in it: {bad.detail}") from None
    return found
