"""C14, C18: which URLs and which additional headers a subscription may have."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from signalpost.domain.body import check_of
from signalpost.domain.checks import Bad, Several
from signalpost.domain.endpoint import EndpointUrl, Headers, parse_url

url_of = check_of(EndpointUrl)
headers_of = check_of(Headers)


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port", "path", "authority"),
    [
        ("https://example.com", "https", "example.com", 443, "/", "example.com"),
        ("https://example.com/", "https", "example.com", 443, "/", "example.com"),
        ("HTTPS://EXAMPLE.com/A?b=C", "https", "example.com", 443, "/A?b=C", "example.com"),
        ("https://example.com?q=1", "https", "example.com", 443, "/?q=1", "example.com"),
        ("https://example.com:443/", "https", "example.com", 443, "/", "example.com"),
        ("https://example.com:8443/x", "https", "example.com", 8443, "/x", "example.com:8443"),
        ("https://example.com:80/", "https", "example.com", 80, "/", "example.com:80"),
        ("http://example.com/", "http", "example.com", 80, "/", "example.com"),
        ("http://example.com:443/", "http", "example.com", 443, "/", "example.com:443"),
        ("https://example.com:65535/", "https", "example.com", 65535, "/", "example.com:65535"),
        ("https://a_b.example.com/", "https", "a_b.example.com", 443, "/", "a_b.example.com"),
        ("https://127.0.0.1:9000/", "https", "127.0.0.1", 9000, "/", "127.0.0.1:9000"),
        ("https://[::1]/", "https", "::1", 443, "/", "[::1]"),
        ("https://[2001:DB8::1]:8443/x", "https", "2001:db8::1", 8443, "/x", "[2001:db8::1]:8443"),
        ("https://[2001:db8:0:0:0:0:0:1]", "https", "2001:db8::1", 443, "/", "[2001:db8::1]"),
        ("https://bücher.example/", "https", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
        ("https://BÜCHER.example/", "https", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
        ("https://ｅxample。com/", "https", "example.com", 443, "/", "example.com"),
        ("https://example.com/%20%C3%A4?a[]=1&b=;", "https", "example.com", 443, "/%20%C3%A4?a[]=1&b=;", "example.com"),
        ("https://example.com/a@b:c", "https", "example.com", 443, "/a@b:c", "example.com"),
    ],
)  # fmt: skip
def test_urls_that_are_taken(text: str, scheme: str, host: str, port: int, path: str, authority: str) -> None:
    """C14"""
    url = parse_url(url_of(text))
    assert (url.target.scheme, url.target.host, url.target.port) == (scheme, host, port)
    assert url.path == path
    assert url.authority == authority


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("example.com", "not_https"),
        ("//example.com", "not_https"),
        ("/hook", "not_https"),
        ("ftp://example.com", "not_https"),
        ("javascript://example.com", "not_https"),
        (" https://example.com", "not_https"),
        ("https:example.com", "not_https"),
        ("https://", "bad_url"),
        ("https:///path", "bad_url"),
        ("https://?q", "bad_url"),
        ("https://:443/", "bad_url"),
        # User names, fragments
        ("https://user@example.com/", "bad_url"),
        ("https://user:password@example.com/", "bad_url"),
        ("https://@example.com/", "bad_url"),
        ("https://example.com\\@evil.example/", "bad_url"),
        ("https://example.com/#fragment", "bad_url"),
        ("https://example.com#", "bad_url"),
        # Ports
        ("https://example.com:/", "bad_url"),
        ("https://example.com:0/", "bad_url"),
        ("https://example.com:65536/", "bad_url"),
        ("https://example.com:-1/", "bad_url"),
        ("https://example.com:+1/", "bad_url"),
        ("https://example.com:1e3/", "bad_url"),
        ("https://example.com: 443/", "bad_url"),
        ("https://example.com:٣/", "bad_url"),
        ("https://example.com:1:2/", "bad_url"),
        # Hosts
        ("https://a..example.com/", "bad_url"),
        ("https://.example.com/", "bad_url"),
        ("https://-a.example.com/", "bad_url"),
        ("https://exa mple.com/", "bad_url"),
        ("https://exa\tmple.com/", "bad_url"),
        ("https://exa\nmple.com/", "bad_url"),
        ("https://exa\rmple.com/", "bad_url"),
        ("https://example.com\r\n/", "bad_url"),
        ("https://exa\x7fmple.com/", "bad_url"),
        ("https://ex%61mple.com/", "bad_url"),
        ("https://exa*mple.com/", "bad_url"),
        ("https://a,b/", "bad_url"),
        ("https://℀.example/", "bad_url"),
        ("https://" + "a" * 64 + ".com/", "bad_url"),
        ("https://" + "ü" * 64 + ".com/", "bad_url"),
        ("https://" + "a." * 127 + "com/", "bad_url"),
        # IPv6
        ("https://::1/", "bad_url"),
        ("https://[::1/", "bad_url"),
        ("https://::1]/", "bad_url"),
        ("https://[]/", "bad_url"),
        ("https://[::1]x/", "bad_url"),
        ("https://[::1]evil.example:443/", "bad_url"),
        ("https://evil.example[::1]/", "bad_url"),
        ("https://[::1]:/", "bad_url"),
        ("https://[1:2]/", "bad_url"),
        ("https://[v1.abc]/", "bad_url"),
        ("https://[v1.a:b]/", "bad_url"),
        ("https://[127.0.0.1]/", "bad_url"),
        ("https://[fe80::1%25eth0]/", "bad_url"),
        ("https://[fe80::1%eth0]/", "bad_url"),
        # Paths
        ("https://example.com/a b", "bad_url"),
        ("https://example.com/a\r\nx-evil: 1", "bad_url"),
        ("https://example.com/ä", "bad_url"),
        ("https://example.com/\x00", "forbidden_character"),
        ("https://example.com/" + "a" * 2048, "wrong_length"),
        ("", "wrong_length"),
        (None, "wrong_type"),
        (1, "wrong_type"),
    ],
)
def test_urls_that_are_refused(text: Any, code: str) -> None:
    """C14"""
    with pytest.raises(Bad) as caught:
        url_of(text)
    assert caught.value.code == code
    assert caught.value.detail.endswith(".")


URL_ALPHABET = st.sampled_from("aäz09.-_:/?#@[]%\\ \t\r\n,;=&*~ｅ。\u00ad\u200d☃") | st.characters()


@given(st.text(URL_ALPHABET, max_size=40))
@example("[::1]evil")
def test_whatever_is_taken_cannot_break_out_of_the_request_line_or_the_host_header(rest: str) -> None:
    """C18: no header can be smuggled in by the URL."""
    try:
        url = parse_url(url_of(f"https://{rest}"))
    except Bad:
        return
    for part in (url.path, url.authority):
        assert part.isascii()
        assert all("!" <= character <= "~" for character in part)
    assert url.path.startswith("/")
    assert url.target.host
    assert not set(url.target.host) & set("/?#@[]\\")
    assert url.target.host == url.target.host.lower()
    assert 1 <= url.target.port <= 65535
    assert parse_url(f"https://{url.authority}{url.path}") == url


# --- Headers ----------------------------------------------------------------------------------------------------------


def refusals(value: Any) -> set[tuple[tuple[str, ...], str]]:
    with pytest.raises((Bad, Several)) as caught:
        headers_of(value)
    bads = caught.value.bads if isinstance(caught.value, Several) else [caught.value]
    return {(bad.below, bad.code) for bad in bads if isinstance(bad, Bad)}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer abc"},
        {"X-Api-Key": "k", "Cookie": "a=b; c=d"},
        {"x-empty": ""},
        {"x": "a  b"},
        {"x": "v" * 4096},
        {"!#$%&'*+.^_`|~-09aZ": "x"},
        {f"x-{n}": "v" for n in range(20)},
    ],
)
def test_additional_headers_are_kept_as_they_were_given(headers: dict[str, str]) -> None:
    """C18"""
    assert headers_of(headers) == headers


@pytest.mark.parametrize(
    "name",
    [
        "Host", "content-type", "Content-Length", "Transfer-Encoding", "connection", "user-agent", "accept-encoding",
        "expect", "te", "trailer", "upgrade", "keep-alive", "proxy-authorization", "content-encoding",
        "Plexus-Webhook-Signature", "plexus-webhook-signature-alternate", "webhook-id", "Webhook-Timestamp",
        "webhook-signature", "signalpost-sequence", "Signalpost-Attempt", "signalpost-replay", "signalpost-test",
        "signalpost-anything", "plexus-webhook-anything", "webhook_signature", "Plexus_Webhook-Signature",
        "content_type", "Host_", "_host", "content.type", "webhook.id", "Forwarded", "X-Forwarded-For",
        "x_forwarded_proto", "X-Forwarded-Anything", "Proxy",
    ],
)  # fmt: skip
def test_no_additional_header_replaces_one_that_the_gateway_sets(name: str) -> None:
    """C18, C19, C20, C21"""
    assert refusals({name: "x"}) == {((name,), "reserved_header")}


@pytest.mark.parametrize("name", ["", " ", "a b", "a:", "a\r\nb", "ä", "a\x00", "(", "a" * 129, "\ud800", "a\n"])
def test_header_names_are_tokens(name: str) -> None:
    assert refusals({name: "x"}) == {((name,), "bad_header_name")}


@pytest.mark.parametrize(
    "value", ["a\r\nx-evil: 1", "a\nb", "a\n", "\r", "a\x00b", "a\tb", "\x7f", "ä", "\ud800", " a", "a ", " "]
)
def test_header_values_carry_no_control_characters(value: str) -> None:
    """C18"""
    assert refusals({"x": value}) == {(("x",), "forbidden_character")}


def test_every_bad_header_is_named_at_once() -> None:
    assert refusals({"host": "a", "x": 1, "y": "\n", "z": "v" * 4097, "A": "1", "a": "2"}) == {
        (("host",), "reserved_header"),
        (("x",), "wrong_type"),
        (("y",), "forbidden_character"),
        (("z",), "wrong_length"),
        (("a",), "duplicate"),
    }


def test_there_are_at_most_20() -> None:
    assert refusals({f"x-{n}": "v" for n in range(21)}) == {((), "too_many")}
    # Of a hundred thousand a few are looked at: the last, which is no name, is not.
    assert refusals({**{f"x-{n}": "v" for n in range(85_000)}, "no name": "v"}) == {((), "too_many")}


@pytest.mark.parametrize("value", [None, [], "a: b", 1])
def test_headers_are_an_object(value: Any) -> None:
    assert refusals(value) == {((), "wrong_type")}


@given(st.dictionaries(st.text(max_size=10) | st.sampled_from(["Host", "x", "X"]), st.text(max_size=10), max_size=3))
def test_whatever_is_taken_stays_one_line_for_each_header(headers: dict[str, str]) -> None:
    """C18"""
    try:
        taken = headers_of(headers)
    except (Bad, Several):
        return
    head = "".join(f"{name}: {value}\r\n" for name, value in taken.items())
    assert head.isascii()
    assert head.count("\r\n") == len(taken) == head.count("\n") == head.count("\r")
