"""Which addresses the sender may call (C14): https to public ones, and what the operator names."""

from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.request import Target
from signalpost.sender.addresses import (
    ELSEWHERE,
    EVERYWHERE,
    NO_EXCEPTIONS,
    THIS_MACHINE,
    AllowedTarget,
    Guard,
    addresses_refusal,
    parse_allow_targets,
    parse_deny_targets,
    parse_nat64_prefixes,
    refusal,
    target_refusal,
)

REFUSED = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200",
    "100.127.255.255", "127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.0.1",
    "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.9",
    "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255",
    "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::7f00:1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "::ffff:100.100.100.200", "::ffff:a9fe:a9fe", "::ffff:0:127.0.0.1",
    "::ffff:0:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "2001::1",
    "2001:0:7f00:1::", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::",
    "2002:808:808::1", "3ffe::1", "3fff::1", "4000::1", "5f00::1", "8000::1", "fc00::1",
    "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::1%eth0", "2606:4700::1111%eth0", "fec0::1",
    "feff::1", "ff02::1", "ff0e::1",
]  # fmt: skip

PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "128.0.0.1",
    "168.63.129.15", "168.63.129.17", "169.253.255.255", "172.15.255.255", "172.32.0.0",
    "192.0.1.1", "192.167.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255",
    "::ffff:8.8.8.8", "2001:200::1", "2001:4860:4860::8888", "2003::1", "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_an_address_that_is_not_public_is_refused_in_a_sentence(text: str) -> None:
    why = refusal(ip_address(text))
    assert why is not None
    assert why.endswith(".")


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_unicast_address_is_called(text: str) -> None:
    assert refusal(ip_address(text)) is None


@given(st.ip_addresses(v=4))
def test_nothing_that_python_calls_private_or_special_is_taken_for_public(address: object) -> None:
    v4 = ip_address(str(address))
    if v4.is_private or v4.is_multicast or v4.is_reserved or v4.is_loopback or v4.is_link_local:
        assert refusal(v4) is not None


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_in_any_ipv6_clothing_is_judged_no_better_than_itself(address: object) -> None:
    text = str(address)
    assert (refusal(ip_address(f"::ffff:{text}")) is None) == (refusal(ip_address(text)) is None)
    for prefix in ("::", "::ffff:0:", "64:ff9b::", "64:ff9b:1::"):
        assert refusal(ip_address(prefix + text)) is not None


ONLY_HTTPS = "Use https; plain http only where the operator allows it (ALLOW_TARGETS)."


def allowing(text: str) -> Guard:
    return Guard(allowed=parse_allow_targets(text))


def https(host: str, port: int = 443) -> Target:
    return Target("https", host, port)


@pytest.mark.parametrize("port", [443, 80, 22, 8443, 65535])
def test_a_public_host_is_called_by_https_on_any_port(port: int) -> None:
    assert target_refusal(https("hooks.example", port)) is None
    assert target_refusal(https("8.8.8.8", port)) is None
    assert target_refusal(https("2606:4700:4700::1111", port)) is None


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:7f00:1", "fe80::1%eth0", "64:ff9b::7f00:1"]
)
def test_an_address_as_a_host_is_judged_when_the_subscription_is_made(host: str) -> None:
    assert target_refusal(https(host)) is not None


@pytest.mark.parametrize(
    "host",
    [
        "2130706433", "0x7f000001", "0x7f.1", "127.1", "017700000001", "0177.0.0.1", "127.0.0.01",
        "0x7f.0x0.0x0.0x1", "1.2.3.256", "1.2.3.4.5", "08.8.8.8", "foo.123", "0x", "8.8.8.0x8",
    ],
)  # fmt: skip
def test_an_unusual_spelling_of_an_address_is_refused_wherever_it_leads(host: str) -> None:
    assert target_refusal(https(host)) is not None
    assert target_refusal(https(host), allowing("https://0.0.0.0/0:443")) is not None


@pytest.mark.parametrize(
    "host",
    ["", ".", "a..b", "hooks.example.", "Hooks.Example", "①②⑦.⓪.⓪.①", "[::1]", "a b", "a%2e", "user@host",
     "-a.example", "a" * 64 + ".example", "a/b", "hooks.example\n", "1.2.3.4\x00.example", "hooks:80"],
)  # fmt: skip
def test_what_is_no_host_name_is_refused(host: str) -> None:
    assert target_refusal(https(host)) is not None


@pytest.mark.parametrize("host", ["localhost", "a.localhost"])
def test_this_machine_is_refused_by_name(host: str) -> None:
    assert target_refusal(https(host)) is not None
    assert target_refusal(https(host), allowing("https://localhost:443,https://127.0.0.0/8:443")) is None


@pytest.mark.parametrize(
    "host", ["hooks.example", "1e100.net", "a_b.example", "xn--bcher-kva.example", "intranet", "3com.com"]
)
def test_a_host_name_is_left_to_its_addresses(host: str) -> None:
    assert target_refusal(https(host)) is None


def test_plain_http_is_refused_unless_the_operator_opens_it() -> None:
    target = Target("http", "hooks.example", 80)
    assert target_refusal(target) == ONLY_HTTPS
    assert addresses_refusal(target, [ip_address("8.8.8.8")], NO_EXCEPTIONS) == ONLY_HTTPS
    assert target_refusal(target, allowing("http://hooks.example:80")) is None
    assert target_refusal(target, allowing("http://10.0.0.0/8:80")) is None
    assert target_refusal(target, allowing("http://hooks.example:81")) is not None
    assert target_refusal(target, allowing("https://hooks.example:80")) is not None


def test_a_network_entry_opens_no_public_address_to_plain_http() -> None:
    target = Target("http", "hooks.example", 80)
    allowed = allowing("http://10.0.0.0/8:80")
    assert addresses_refusal(target, [ip_address("10.1.2.3")], allowed) is None
    assert addresses_refusal(target, [ip_address("8.8.8.8")], allowed) is not None
    assert addresses_refusal(target, [ip_address("10.1.2.3"), ip_address("8.8.8.8")], allowed) is not None


def test_one_refused_address_among_a_hosts_addresses_refuses_the_host() -> None:
    public, private = ip_address("8.8.8.8"), ip_address("10.0.0.1")
    assert addresses_refusal(https("hooks.example"), [public], NO_EXCEPTIONS) is None
    for mixed in ([public, private], [private, public], [ip_address("2606:4700::1"), ip_address("::1")]):
        assert addresses_refusal(https("hooks.example"), mixed, NO_EXCEPTIONS) is not None


def test_a_network_entry_holds_for_its_scheme_its_port_and_its_addresses_only() -> None:
    allowed = allowing("https://10.0.0.0/24:8443, https://[fd00::/8]:8443")
    inside, outside = ip_address("10.0.0.7"), ip_address("10.0.1.7")
    assert addresses_refusal(https("any.example", 8443), [inside], allowed) is None
    assert addresses_refusal(https("any.example", 8443), [ip_address("::ffff:10.0.0.7")], allowed) is None
    assert addresses_refusal(https("any.example", 8443), [ip_address("fd00::1")], allowed) is None
    assert addresses_refusal(https("any.example", 8443), [inside, ip_address("8.8.8.8")], allowed) is None
    assert addresses_refusal(https("any.example", 8443), [inside, outside], allowed) is not None
    assert addresses_refusal(https("any.example", 443), [inside], allowed) is not None
    assert addresses_refusal(Target("http", "any.example", 8443), [inside], allowed) is not None
    assert addresses_refusal(https("any.example", 8443), [ip_address("fd00::1%eth0")], allowed) is not None


def test_a_host_entry_opens_exactly_that_host_wherever_it_resolves() -> None:
    allowed = allowing("https://hooks.internal:443")
    metadata = [ip_address("169.254.169.254")]
    assert addresses_refusal(https("hooks.internal"), metadata, allowed) is None
    for other in ("a.hooks.internal", "hooks.internal.example", "internal"):
        assert addresses_refusal(https(other), metadata, allowed) is not None
    assert addresses_refusal(https("hooks.internal", 444), metadata, allowed) is not None


def test_what_the_operator_denies_is_refused_although_it_is_public() -> None:
    guard = Guard(denied=parse_deny_targets("203.0.112.0/24, 2600:1f18::/32, evil.example"))
    for host in ("203.0.112.7", "::ffff:203.0.112.7", "2600:1f18::1", "evil.example", "a.b.evil.example"):
        assert "DENY_TARGETS" in (target_refusal(https(host), guard) or "")
    for host in ("203.0.113.0.example", "203.0.111.7", "2600:1f19::1", "notevil.example", "evil.example.org"):
        assert target_refusal(https(host), guard) is None
    resolved = [ip_address("8.8.8.8"), ip_address("203.0.112.7")]
    assert "DENY_TARGETS" in (addresses_refusal(https("hooks.example"), resolved, guard) or "")
    assert "DENY_TARGETS" in (addresses_refusal(https("a.evil.example"), [ip_address("8.8.8.8")], guard) or "")


def test_a_denial_is_stronger_than_any_exception() -> None:
    allowed = parse_allow_targets("https://10.0.0.0/8:443,https://hooks.internal:443,https://10.0.0.7:443")
    guard = Guard(allowed, parse_deny_targets("10.0.0.7,hooks.internal"))
    assert addresses_refusal(https("any.example"), [ip_address("10.0.0.8")], guard) is None
    assert addresses_refusal(https("any.example"), [ip_address("10.0.0.8"), ip_address("10.0.0.7")], guard) is not None
    assert target_refusal(https("10.0.0.7"), guard) is not None
    assert target_refusal(https("hooks.internal"), guard) is not None
    assert addresses_refusal(https("hooks.internal"), [ip_address("8.8.8.8")], guard) is not None


@given(st.ip_addresses(v=4))
def test_an_isatap_address_is_refused_wherever_the_ipv4_address_in_it_is(address: object) -> None:
    for identifier in ("0:5efe", "200:5efe"):
        isatap = ip_address(f"2606:4700:0:1:{identifier}:{address}")
        assert (refusal(isatap) is None) == (refusal(ip_address(str(address))) is None)
        denied = Guard(denied=parse_deny_targets(str(address)))
        assert addresses_refusal(https("hooks.example"), [isatap], denied) is not None


RFC_6052 = [
    ("2606:db8::/32", "2606:db8:c000:221::"),
    ("2606:db8:100::/40", "2606:db8:1c0:2:21::"),
    ("2606:db8:122::/48", "2606:db8:122:c000:2:2100::"),
    ("2606:db8:122:300::/56", "2606:db8:122:3c0:0:221::"),
    ("2606:db8:122:344::/64", "2606:db8:122:344:c0:2:2100::"),
    ("2606:db8:122:344::/96", "2606:db8:122:344::192.0.2.33"),
    ("64:ff9b::/96", "64:ff9b::192.0.2.33"),
]
"""The examples of RFC 6052, section 2.4, for 192.0.2.33, behind prefixes that could be routed."""


@pytest.mark.parametrize(("prefix", "address"), RFC_6052)
def test_an_address_behind_a_translator_is_judged_as_the_ipv4_address_it_leads_to(prefix: str, address: str) -> None:
    translated, inner = ip_address(address), ip_address("192.0.2.33")
    guard = Guard(nat64=parse_nat64_prefixes(prefix))
    assert guard.meant(translated) == inner
    assert addresses_refusal(https("hooks.example"), [translated], guard) == refusal(inner)
    opened = Guard(parse_allow_targets("https://192.0.2.0/24:443"), nat64=guard.nat64)
    assert addresses_refusal(https("hooks.example"), [translated], opened) is None
    denied = Guard(opened.allowed, parse_deny_targets("192.0.2.33"), guard.nat64)
    assert addresses_refusal(https("hooks.example"), [translated], denied) is not None


def test_a_translator_that_the_operator_names_leads_to_public_addresses() -> None:
    guard = Guard(nat64=parse_nat64_prefixes("64:ff9b::/96"))
    assert target_refusal(https("64:ff9b::8.8.8.8"), guard) is None
    assert target_refusal(https("64:ff9b::8.8.8.8")) is not None


@pytest.mark.parametrize("entry", ["http://a:80", "10.0.0.1/8", "a b", "*.example", "127.1", "[::1]", "::ffff:0:0/96"])
def test_a_denial_that_cannot_be_read_is_named(entry: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_deny_targets(f"fine.example,{entry}")
    assert entry in str(error.value)


@pytest.mark.parametrize("entry", ["10.0.0.0/8", "64:ff9b::/95", "64:ff9b::", "64:ff9b::1/96", "x"])
def test_a_prefix_that_cannot_be_read_is_named(entry: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_nat64_prefixes(f"64:ff9b::/96,{entry}")
    assert entry in str(error.value)


def test_entries_are_read_with_their_spaces_and_in_either_case() -> None:
    assert parse_allow_targets("") == parse_allow_targets(" , ") == ()
    first, second, third = parse_allow_targets("HTTP://Hooks.Internal:80, https://127.0.0.1:8443 ,https://[::1]:1,")
    assert first == AllowedTarget("http", "hooks.internal", None, 80)
    assert (str(second.network), second.port) == ("127.0.0.1/32", 8443)
    assert str(third.network) == "::1/128"


@pytest.mark.parametrize(
    "entry",
    ["hooks.internal", "hooks.internal:80", "ftp://hooks.internal:21", "http://hooks.internal", "http://:80",
     "http://hooks.internal:0", "http://hooks.internal:65536", "http://hooks.internal:80/path", "http://*.internal:80",
     "http://10.0.0.1/8:80", "http://10.0.0.0/33:80", "http://::1:80", "http://[10.0.0.1]:80", "http://0x7f.1:80",
     "http://127.1:80", "http://a@b:80", "http://[fe80::1%eth0]:80", "http://[::1]/128:80",
     "http://[::ffff:10.0.0.0/104]:80"],
)  # fmt: skip
def test_an_entry_that_cannot_be_read_is_named(entry: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_allow_targets(f"https://fine.example:443,{entry}")
    assert entry in str(error.value)


@given(st.text())
def test_any_text_is_read_or_refused_as_a_value(text: str) -> None:
    with suppress(ValueError):
        parse_allow_targets(text)
    assert target_refusal(https(text)) is None or target_refusal(https(text))


@pytest.mark.parametrize("port", [1, 80, 9000, 65535])
def test_tools_for_ones_own_machine_call_every_port_of_it_and_nothing_else(port: int) -> None:
    guard = Guard(THIS_MACHINE, ELSEWHERE)
    for scheme, host in (("http", "127.0.0.1"), ("https", "127.8.8.8"), ("http", "::1")):
        assert target_refusal(Target(scheme, host, port), guard) is None
    local, elsewhere = ip_address("127.0.0.1"), ip_address("93.184.215.14")
    named = Target("http", "laptop.example", port)
    assert target_refusal(named, guard) is None, "dialling will tell"
    assert addresses_refusal(named, [local], guard) is None
    assert addresses_refusal(named, [local, elsewhere], guard) is not None
    for scheme, host in (("http", "10.0.0.1"), ("https", "93.184.215.14"), ("https", "2606:2800:21f:cb07::1")):
        assert target_refusal(Target(scheme, host, port), guard) is not None
        assert addresses_refusal(Target("https", "laptop.example", port), [ip_address(host)], guard) is not None


def test_a_person_may_let_a_tool_call_everything_but_no_setting_can() -> None:
    guard = Guard(EVERYWHERE)
    for host in ("10.0.0.1", "93.184.215.14", "fd00::1", "169.254.169.254"):
        assert target_refusal(Target("http", host, 8080), guard) is None
    for entry in ("http://127.0.0.0/8", "http://127.0.0.0/8:*", "http://127.0.0.0/8:0"):
        with pytest.raises(ValueError, match=r"port|of the form"):
            parse_allow_targets(entry)
