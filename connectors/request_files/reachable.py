"""Which network addresses a request file may be fetched from: public ones, and private ones that a setting names.

Each address is checked right before the connection. So no redirect, no name that resolves to this network, and no name
that resolves differently a moment later (DNS rebinding) gets past the check.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
UNICAST = ip_network("2000::/3")  # Python's `is_global` includes more: fec0::, ::127.0.0.1
CARRIERS = (ip_network("64:ff9b::/96"), ip_network("::/96"))
DOCUMENTS = ip_network("3fff::/20")  # reserved for examples (RFC 9637); Python 3.11 takes it for public
ISATAP = (0x00005EFE, 0x02005EFE)
"""Above the last 32 bits, which are an IPv4 address (RFC 5214)."""
PLATFORMS = (ip_network("168.63.129.16/32"), ip_network("192.0.0.0/24"))
"""Metadata services of Azure and Oracle; other clouds have theirs at link-local addresses."""


def is_reachable(text: str, allowed: Sequence[Network], *, is_tls: bool) -> bool:
    """Whether this address may be connected to. Without TLS it must be one of the `allowed` networks."""
    address = _led_to(ip_address(text))
    return any(address in network for network in allowed) or (is_tls and _is_public(address))


def _led_to(address: Address) -> Address:
    """The IPv4 address that an IPv6 one leads to: mapped, 6to4, Teredo, NAT64, ISATAP."""
    if isinstance(address, IPv4Address):
        return address
    if int(address) >> 32 & 0xFFFFFFFF in ISATAP:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address != IPv6Address(1) and any(address in network for network in CARRIERS):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1] or address


def _is_public(address: Address) -> bool:
    is_unicast = address in UNICAST if isinstance(address, IPv6Address) else not address.is_multicast
    return is_unicast and address.is_global and not any(address in network for network in (*PLATFORMS, DOCUMENTS))
