"""What a proxy in front says of a request: whose it is, where it comes from, and whether it was encrypted. Pure.

Only the proxies of `serve.trusted_proxies` are believed: anybody can write these headers.
"""

import ipaddress
from collections.abc import Iterable, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
UNKNOWN = "unknown"


def network_of(text: str) -> Network:
    """Read an address, or a network as 10.0.0.0/8. Raises ValueError."""
    try:
        network = ipaddress.ip_network(text.strip())
    except ValueError:
        raise ValueError(f"{text[:60]!r} is no address and no network like 10.0.0.0/8") from None
    if not network.prefixlen:
        raise ValueError(f"{text} is everybody: then anybody could say to be anybody")
    return network


class Proxies:
    """Those that are believed."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Raises ValueError."""
        self._networks = tuple(map(network_of, networks))

    def __bool__(self) -> bool:
        return bool(self._networks)

    def trust(self, peer: str) -> bool:
        """Whether a connection's other end is one of them."""
        address = address_of(peer)
        return address is not None and any(address in network for network in self._networks)

    def client_of(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """Return where a request comes from: behind proxies that are trusted, the last one that is not.

        `forwarded_for` are the headers `X-Forwarded-For`; each proxy adds the address that it sees to their end.
        """
        client = address_of(peer)
        for text in reversed([one for header in forwarded_for for one in header.split(",")]):
            if not self.trust(str(client)):
                break
            before = address_of(text.strip())
            if before is None:
                break
            client = before
        return UNKNOWN if client is None else str(client)


def address_of(text: str) -> Address | None:
    """Return an address, with a port or without; None where it is none. IPv4 in IPv6 is IPv4."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
