"""Caller: the network address a request comes from, as one key for everyone who shares it."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

Network = IPv4Network | IPv6Network

HOME = 64
"""Bits of an IPv6 address that tell networks apart: whoever has one address of such a network has them all."""
UNKNOWN = "unknown"
"""Whoever comes by a Unix socket."""


def caller_of(scope: Scope, proxies: tuple[Network, ...]) -> str:
    """Return the IPv4 address or IPv6 /64 network that a request comes from.

    `X-Forwarded-For` is believed as far as configured proxies wrote it: from its end to the first address that is none
    of theirs. From anybody else it means nothing.
    """
    client = scope.get("client")
    address = _read(client[0]) if client else None
    if address is None:
        return UNKNOWN
    if proxies and _is_of(address, proxies):
        for hop in reversed(_hops(scope)):
            before = _read(hop)
            if before is None:
                break
            address = before
            if not _is_of(address, proxies):
                break
    return _key(address)


def _hops(scope: Scope) -> list[str]:
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return ",".join(values).split(",") if values else []


@lru_cache(maxsize=4096)
def _read(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address, of which some proxies also tell the port; None for what is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


@lru_cache(maxsize=4096)
def _key(address: IPv4Address | IPv6Address) -> str:
    return str(address if isinstance(address, IPv4Address) else ip_network((address, HOME), strict=False))


@lru_cache(maxsize=4096)
def _is_of(address: IPv4Address | IPv6Address, proxies: tuple[Network, ...]) -> bool:
    return any(address in network for network in proxies)
