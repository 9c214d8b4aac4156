"""Guards against deliveries to private addresses (SSRF), except those that the operator allows.

The creator of a subscription chooses a host name, and with a name server of their own any address behind it: one of
this machine, of the operator's network, of a cloud's metadata service. So the guard never judges a name, only the
addresses that it has at the moment of dialling. All of them must pass, because a mixed answer is how such checks are
bypassed. The sender then dials one of the very addresses that passed.

An address is public if it is listed as public, not if it is absent from a list. For IPv6 that is only 2000::/3 (the
range that is routed today), less the blocks in it that are reserved or embed an IPv4 address. `ipaddress.is_global`
alone is not enough: it takes multicast, NAT64, IPv4-compatible and site-local addresses for global.

`ALLOW_TARGETS` makes exact exceptions: `scheme://host:port` (that host name, at any address) or
`scheme://network:port` (any host that resolves into the network). Without one, only https and mail servers, which are
spoken to under TLS alone, are possible, at public addresses and any port. `DENY_TARGETS` is stronger: what it names is
never called, even if another setting allows it.

An IPv6 address may lead to an IPv4 address: mapped, by ISATAP, or by a translator (NAT64) whose prefix only the
operator knows and names (`NAT64_PREFIXES`). Such an address is judged by where it leads.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from msgspec import Struct

from signalpost.domain.request import Target

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "an address of “this network”"),
    ("10.0.0.0/8", "a private address"),
    ("100.64.0.0/10", "a shared address behind a carrier's NAT"),
    ("127.0.0.0/8", "a loopback address"),
    ("168.63.129.16/32", "a cloud's internal service"),
    ("169.254.0.0/16", "a link-local address, where clouds keep their metadata"),
    ("172.16.0.0/12", "a private address"),
    ("192.0.0.0/24", "reserved for protocols"),
    ("192.0.2.0/24", "reserved for documentation"),
    ("192.88.99.0/24", "a relay to IPv6"),
    ("192.168.0.0/16", "a private address"),
    ("198.18.0.0/15", "reserved for benchmarks"),
    ("198.51.100.0/24", "reserved for documentation"),
    ("203.0.113.0/24", "reserved for documentation"),
    ("224.0.0.0/4", "a multicast address"),
    ("255.255.255.255/32", "the broadcast address"),
    ("240.0.0.0/4", "a reserved address"),
    ("::/128", "the unspecified address"),
    ("::1/128", "a loopback address"),
    ("::/96", "an IPv4 address in IPv6 notation"),
    ("::ffff:0:0:0/96", "a translated IPv4 address"),
    ("64:ff9b::/96", "an IPv4 address behind NAT64"),
    ("64:ff9b:1::/48", "an IPv4 address behind local NAT64"),
    ("100::/64", "an address that discards"),
    ("2001::/32", "an IPv4 address behind Teredo"),
    ("2001::/23", "reserved for protocols"),
    ("2001:db8::/32", "reserved for documentation"),
    ("2002::/16", "an IPv4 address behind 6to4"),
    ("3ffe::/16", "an address of a network that ended"),
    ("3fff::/20", "reserved for documentation"),
    ("5f00::/16", "a segment-routing address"),
    ("fc00::/7", "a private address"),
    ("fe80::/10", "a link-local address"),
    ("fec0::/10", "a site-local address"),
    ("ff00::/8", "a multicast address"),
)
_REFUSED_V4 = tuple((IPv4Network(net), why) for net, why in _NOT_PUBLIC if ":" not in net)
_REFUSED_V6 = tuple((IPv6Network(net), why) for net, why in _NOT_PUBLIC if ":" in net)
_ROUTED_V6 = IPv6Network("2000::/3")
_MAPPED = IPv6Network("::ffff:0:0/96")
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})
"""The upper half of an ISATAP address's interface identifier, for private and for public IPv4 addresses (RFC 5214)."""
_NAT64_LENGTHS = frozenset({32, 40, 48, 56, 64, 96})
"""The lengths that a translator's prefix can have (RFC 6052)."""

_HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_ENTRY = re.compile(r"(?P<scheme>https?|smtps?)://(?:\[(?P<v6>[^\[\]%]+)\]|(?P<host>[^\[\]:]+)):(?P<port>[0-9]{1,5})")


class AllowedTarget(Struct, frozen=True):
    """One entry of `ALLOW_TARGETS`: a host name, or a network, with scheme and port."""

    scheme: str
    host: str | None
    network: Network | None
    port: int | None
    """None for every port, which no setting can say: the tools for one's own machine do."""

    def __str__(self) -> str:
        """The entry as the setting spells it."""
        where = self.host or str(self.network)
        return f"{self.scheme}://{f'[{where}]' if ':' in where else where}:{self.port}"

    def names(self, target: Target) -> bool:
        """Whether this is a host entry for exactly this target."""
        return self.host is not None and self.host == target.host and self.may_hold(target)

    def may_hold(self, target: Target) -> bool:
        """Whether scheme and port are this target's."""
        return self.scheme == target.scheme and self.port in (None, target.port)

    def holds(self, target: Target, address: Address) -> bool:
        """Whether this is a network entry that allows this target at this address."""
        return (
            self.network is not None
            and self.may_hold(target)
            and address.version == self.network.version
            and address in self.network
        )


class DeniedTarget(Struct, frozen=True):
    """One entry of `DENY_TARGETS`: a host name with all names below it, or a network."""

    host: str | None
    network: Network | None

    def __str__(self) -> str:
        """The entry as the setting spells it."""
        return self.host or str(self.network)

    def names(self, host: str) -> bool:
        return self.host is not None and (host == self.host or host.endswith(f".{self.host}"))

    def holds(self, address: Address) -> bool:
        return self.network is not None and address.version == self.network.version and address in self.network


class Guard(Struct, frozen=True):
    """The operator's rules about targets, in addition to those of every gateway."""

    allowed: tuple[AllowedTarget, ...] = ()
    denied: tuple[DeniedTarget, ...] = ()
    nat64: tuple[IPv6Network, ...] = ()
    """The prefixes of the translators to IPv4 that this network has."""

    def meant(self, address: Address) -> Address:
        """The IPv4 address to which a mapped or translated address leads; any other address itself."""
        if isinstance(address, IPv6Address):
            if address.ipv4_mapped is not None:
                return address.ipv4_mapped
            for prefix in self.nat64:
                if address in prefix:
                    return _translated(address, prefix.prefixlen)
        return address

    def denial(self, target: Target, addresses: Iterable[Address] = ()) -> str | None:
        """A sentence if `DENY_TARGETS` names this host or one of its addresses."""
        if any(entry.names(target.host) for entry in self.denied):
            return f"The operator allows no calls to {target.host} (DENY_TARGETS)."
        for address in addresses:
            led_to = {address, self.meant(address), _of_isatap(address) or address}
            if any(entry.holds(each) for entry in self.denied for each in led_to):
                return f"The operator allows no calls to {address} (DENY_TARGETS)."
        return None


NO_EXCEPTIONS = Guard()


def _every_port(*networks: Network) -> tuple[AllowedTarget, ...]:
    schemes = ("http", "https", "smtp", "smtps")
    return tuple(AllowedTarget(scheme, None, network, None) for scheme in schemes for network in networks)


THIS_MACHINE = _every_port(IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
"""Every port of the machine itself: for tools that people use on their own machine, never for a gateway of others."""
ELSEWHERE = (
    *(DeniedTarget(None, net4) for net4 in IPv4Network("0.0.0.0/0").address_exclude(IPv4Network("127.0.0.0/8"))),
    *(DeniedTarget(None, net6) for net6 in IPv6Network("::/0").address_exclude(IPv6Network("::1/128"))),
)
"""Every address that is not the machine's own: without denying them, https to public ones would be possible."""
EVERYWHERE = _every_port(IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
"""Every target: for what a person on their own machine has allowed for one command."""


def parse_allow_targets(text: str) -> tuple[AllowedTarget, ...]:
    """Parse `ALLOW_TARGETS`: entries `scheme://host-or-CIDR:port`, separated by commas; IPv6 in brackets, such as
    `http://[fd00::/8]:80`. Raises ValueError, which names the entry."""
    return tuple(_parse_entry(entry.strip()) for entry in text.split(",") if entry.strip())


def _parse_entry(entry: str) -> AllowedTarget:
    match = _ENTRY.fullmatch(entry.lower())
    if match is None:
        raise ValueError(
            f"“{entry}” is not of the form scheme://host-or-CIDR:port, with the scheme http, https, smtp or smtps."
        )
    port = int(match["port"])
    if not 0 < port < 65536:
        raise ValueError(f"“{entry}”: the port is not between 1 and 65535.")
    host = match["host"]
    if host is not None and _is_host_name(host):
        return AllowedTarget(match["scheme"], host, None, port)
    try:
        network = ip_network(match["v6"] or host)
    except ValueError as error:
        raise ValueError(f"“{entry}”: neither a host name, an address nor a network ({error}).") from None
    if isinstance(network, IPv6Network) != bool(match["v6"]):
        raise ValueError(f"“{entry}”: brackets are for IPv6.")
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        raise ValueError(f"“{entry}”: write it as an IPv4 network.")
    return AllowedTarget(match["scheme"], None, network, port)


def parse_deny_targets(text: str) -> tuple[DeniedTarget, ...]:
    """Parse `DENY_TARGETS`: host names, addresses and networks, separated by commas. Raises ValueError, which names the
    entry."""
    return tuple(_parse_denied(entry.strip()) for entry in text.split(",") if entry.strip())


def _parse_denied(entry: str) -> DeniedTarget:
    host = entry.lower()
    if _is_host_name(host):
        return DeniedTarget(host, None)
    try:
        network = ip_network(entry)
    except ValueError:
        raise ValueError(f"“{entry}” is neither a host name, an address nor a network such as 10.0.0.0/8.") from None
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        raise ValueError(f"“{entry}”: write it as an IPv4 network.")
    return DeniedTarget(None, network)


def parse_nat64_prefixes(text: str) -> tuple[IPv6Network, ...]:
    """Parse `NAT64_PREFIXES`: IPv6 networks, separated by commas. Raises ValueError, which names the entry."""
    return tuple(_parse_prefix(entry.strip()) for entry in text.split(",") if entry.strip())


def _parse_prefix(entry: str) -> IPv6Network:
    try:
        prefix = IPv6Network(entry)
    except ValueError:
        prefix = None
    if prefix is None or prefix.prefixlen not in _NAT64_LENGTHS:
        raise ValueError(f"“{entry}” is not a NAT64 prefix, which is an IPv6 network of 32, 40, 48, 56, 64 or 96 bits.")
    return prefix


def refusal(address: Address) -> str | None:
    """A sentence why this address is refused; None for a public unicast address."""
    address = NO_EXCEPTIONS.meant(address)
    if isinstance(address, IPv4Address):
        for net4, why in _REFUSED_V4:
            if address in net4:
                return f"{address} is {why}."
    else:
        if address.scope_id is not None:
            return f"{address} belongs to one network interface."
        for net6, why in _REFUSED_V6:
            if address in net6:
                return f"{address} is {why}."
        if address not in _ROUTED_V6:
            return f"{address} is not a public unicast address."
        inner = _of_isatap(address)
        if inner is not None and (why_inner := refusal(inner)):
            return f"{address} leads to an IPv4 address by ISATAP: {why_inner}"
    return None if address.is_global else f"{address} is not a public address."


def literal(host: str) -> Address | None:
    """The address that a target's host spells, if it is one in its usual notation."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def target_refusal(target: Target, guard: Guard = NO_EXCEPTIONS) -> str | None:
    """A sentence why this target can never be dialled, as far as that is known without resolving it. Used when a
    subscription is created. None means that the addresses decide, at each dialling."""
    address = literal(target.host)
    if address is not None:
        return addresses_refusal(target, (address,), guard)
    if _ends_in_number(target.host):
        return f"“{target.host}” is an unusual spelling of an address; write it as four decimal numbers."
    if not _HOST_NAME.fullmatch(target.host):
        return f"“{target.host}” is not a host name."
    if why := guard.denial(target):
        return why
    if any(entry.names(target) for entry in guard.allowed):
        return None
    # A network entry for this scheme and port may hold what the name resolves to: dialling will tell.
    if any(entry.network and entry.may_hold(target) for entry in guard.allowed):
        return None
    if target.scheme == "http":
        return "Use https; plain http only where the operator allows it (ALLOW_TARGETS)."
    if target.host == "localhost" or target.host.endswith(".localhost"):
        return f"“{target.host}” is this machine itself."
    return None


def addresses_refusal(target: Target, addresses: Sequence[Address], guard: Guard = NO_EXCEPTIONS) -> str | None:
    """A sentence why a target with these addresses is refused; None if every one of them may be dialled."""
    if why := guard.denial(target, addresses):
        return why
    if any(entry.names(target) for entry in guard.allowed):
        return None
    for address in map(guard.meant, addresses):
        # An address with a zone is no address of a network: it needs the interface it was written for.
        zoned = isinstance(address, IPv6Address) and address.scope_id is not None
        if not zoned and any(entry.holds(target, address) for entry in guard.allowed):
            continue
        if target.scheme == "http":
            return "Use https; plain http only where the operator allows it (ALLOW_TARGETS)."
        if why := refusal(address):
            return why
    return None


def _of_isatap(address: Address) -> IPv4Address | None:
    """The IPv4 address in an ISATAP address, to which a tunnel of the network leads; None for any other address."""
    if isinstance(address, IPv6Address) and int(address) >> 32 & 0xFFFF_FFFF in _ISATAP:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def _translated(address: IPv6Address, length: int) -> IPv4Address:
    """The IPv4 address behind a prefix of this length. It follows the prefix, but for bits 64 to 71 (RFC 6052)."""
    packed = address.packed
    if length == 96:
        return IPv4Address(packed[12:])
    return IPv4Address((packed[:8] + packed[9:])[length // 8 :][:4])


def _is_host_name(text: str) -> bool:
    return _HOST_NAME.fullmatch(text) is not None and not _ends_in_number(text)


def _ends_in_number(host: str) -> bool:
    """Whether resolvers may take this host for an IPv4 address in some spelling: decimal, octal, hexadecimal, short."""
    return _NUMBER.fullmatch(host.rsplit(".", 1)[-1]) is not None
