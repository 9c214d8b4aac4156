"""What a portal link may say, and the colours of its theme."""

import base64
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from signalpost.domain.access.portal_link import MAX_LOGO_BYTES, PortalLinkRequest, Theme
from signalpost.domain.body import read
from signalpost.domain.colours import contrast, mixed, readable
from signalpost.domain.errors import Invalid

COLOURS = st.from_regex(r"#[0-9a-f]{6}", fullmatch=True)


def png(width: int = 2, height: int = 2, more: int = 0) -> str:
    """An image, with so many bytes of nothing after it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(b"\x00" * (1 + width) * height))
    image = b"\x89PNG\r\n\x1a\n" + head + rows + chunk(b"IEND", b"") + bytes(more)
    return base64.b64encode(image).decode()


def asked(**given: Any) -> PortalLinkRequest:
    made: PortalLinkRequest = read(PortalLinkRequest, {"name": "Acme", "subscriptions": "all", "can": [], **given})
    return made


def wrong(**given: Any) -> list[str]:
    with pytest.raises(Invalid) as refused:
        asked(**given)
    return [error.pointer for error in refused.value.errors]


def test_a_link_says_little_and_the_rest_is_safe() -> None:
    link = asked()
    assert (link.subscriptions, link.can, link.expires_in, link.embed) == ("all", (), 3600, UNSET)
    assert link.theme == Theme()


@pytest.mark.parametrize(
    "origin",
    ["https://app.example.com", "HTTPS://App.example.com:8443", "http://localhost:3000", "http://127.0.0.1:9000"],
)
def test_an_origin_is_of_https_or_of_this_machine(origin: str) -> None:
    assert asked(embed=[origin]).embed == (origin.lower(),)


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://*.example.com",
        "https://a.example.com/",
        "https://a.example.com/path",
        "https://a.example.com https://b.example.com",
        "https://a.example.com; script-src *",
        "https://a.example.com\n",
        "https://a.example.com\r\nset-cookie: a=b",
        "https://user@a.example.com",
        "http://a.example.com",
        "javascript:alert(1)",
        "null",
        "",
        7,
    ],
)
def test_nothing_else_gets_into_the_policy_of_frames(origin: Any) -> None:
    assert wrong(embed=["https://app.example.com", origin]) == ["/embed/1"]


@pytest.mark.parametrize("subscriptions", ["every", None, 7, {}, ["all"], [7]])
def test_subscriptions_are_named_or_all(subscriptions: Any) -> None:
    assert wrong(subscriptions=subscriptions)[0].startswith("/subscriptions")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("accent", "red"),
        ("accent", "#2b4fc"),
        ("accent", "#2b4fc7;}body{display:none"),
        ("accent", "#2b4fc7\n"),
        ("accent", "url(https://evil.example)"),
        ("radius", -1),
        ("radius", 17),
        ("radius", "6px"),
        ("mode", "sepia"),
        ("name", ""),
        ("name", "\x00"),
        ("css", "body{}"),
        ("logo", "https://evil.example/logo.png"),
        ("logo", base64.b64encode(b"<svg onload=alert(1)>").decode()),
        ("logo", png(more=MAX_LOGO_BYTES)),
        ("logo", png(1025, 1)),
        ("logo", png(0, 1)),
        ("logo", png()[:24]),
        ("logo", png()[:-1]),
        ("logo", "é"),
    ],
)
def test_a_theme_is_of_safe_values_alone(member: str, value: Any) -> None:
    assert wrong(theme={member: value}) == [f"/theme/{member}"]


def test_a_logo_is_a_small_image() -> None:
    assert asked(theme={"logo": png(1024, 1)}).theme.logo == png(1024, 1)
    assert asked(theme={"logo": None}).theme.logo is None


@given(COLOURS)
def test_any_colour_is_made_readable_on_light_and_on_dark(colour: str) -> None:
    for ground, towards in (("#ffffff", "#000000"), ("#1b1c1a", "#ffffff")):
        assert contrast(readable(colour, ground, towards), ground) >= 4.5


def test_a_colour_that_can_be_read_stays_as_it_is() -> None:
    assert readable("#2b4fc7", "#ffffff", "#000000") == "#2b4fc7"
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert mixed("#000000", "#ffffff", 0.5) == "#808080"
