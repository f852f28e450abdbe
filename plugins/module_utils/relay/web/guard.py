# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The address guard: what a page on the web may not make this host connect to.

A name is looked up once, every address that comes back is judged, and the connection goes to an address that was judged: a second
look-up, which might find another, never takes place.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Union

from .found import NOT_ACCESSIBLE, NOT_ALLOWED, WebError

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_REFUSED_V4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's own services, which tell a machine about itself
            "169.254.0.0/16",  # link-local: the metadata of most clouds
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
"""All else is local, multicast, reserved, or an IPv4 address in disguise."""
_REFUSED_V6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""How a network without IPv4 reaches it: what counts is the address at the end of such a one."""


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Raises ValueError."""
    return tuple(map(ipaddress.ip_network, texts))


def is_refused(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether nothing may be fetched from an address. ``allowed``: the operator's networks."""
    if any(address in network for network in allowed):  # False for a network of the other kind
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return any(address in network for network in _REFUSED_V4)
    if address in _NAT64:
        return is_refused(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF), allowed)
    return address not in _PUBLIC_V6 or any(address in network for network in _REFUSED_V6)


async def resolve(host: str, port: int) -> list[str]:
    """All addresses of a name. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(where[0]) for *_kind, where in found))


class Guard:
    """Looks names up, and refuses those that lead to an address that is refused."""

    def __init__(self, allowed: Sequence[str] = (), resolve: Resolve = resolve) -> None:
        self._allowed = networks(allowed)
        self._resolve = resolve

    async def addresses(self, host: str, port: int) -> list[str]:
        """Where to connect for a name. Raises WebError: also where only one of its addresses is refused."""
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise WebError(NOT_ACCESSIBLE, f"the name {host} cannot be resolved") from None
        try:
            refused = [one for one in found if is_refused(ipaddress.ip_address(one.partition("%")[0]), self._allowed)]
        except ValueError:
            refused = list(found)
        if refused or not found:
            raise WebError(NOT_ALLOWED, f"{host} leads to an address that is not on the public internet")
        return list(found)
