"""Where a request came from, for the log: the client's own address, even behind proxies.

Anybody can send an `X-Forwarded-For`. Each proxy appends the address from which it got the request, so only the
addresses that the operator's own proxies appended are reliable. The list is read from its end, for as long as a trusted
proxy appended the entry. The client may have forged everything before that.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


def parse_proxies(text: str) -> tuple[Network, ...]:
    """Parse `TRUSTED_PROXIES`: addresses and networks, separated by commas. Raises ValueError with the entry."""
    return tuple(_network(entry.strip()) for entry in text.split(",") if entry.strip())


def _network(entry: str) -> Network:
    try:
        return ip_network(entry)
    except ValueError:
        raise ValueError(f"“{entry}” is neither an address nor a network such as 10.0.0.0/8.") from None


def source_of(peer: str | None, forwarded_for: Iterable[str], proxies: Sequence[Network]) -> str | None:
    """The address of the client, as far as trusted proxies vouch for it. `peer` is who holds the connection, None if
    the server does not tell; `forwarded_for` has the values of all `X-Forwarded-For` headers in their order."""
    if peer is None or not proxies:
        return peer
    source = _address(peer)
    hops = [hop.strip() for value in forwarded_for for hop in value.split(",")]
    while source is not None and hops and _is_one(source, proxies):
        before = _address(hops.pop())
        if before is None:
            break  # no address: whatever it is, nobody can be named by it
        source = before
    return peer if source is None else str(source)


def _is_one(address: IPv4Address | IPv6Address, proxies: Sequence[Network]) -> bool:
    return any(address.version == proxy.version and address in proxy for proxy in proxies)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
