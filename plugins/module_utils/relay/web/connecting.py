# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How httpcore connects to the web: to an address that the guard let through. TLS still asks for the name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..connecting import connected
from ..libraries import AnyIOBackend, httpcore
from .guard import Guard

_CONNECT_SECONDS = 3.0
"""For each address where a name has several: one that does not answer must not use up the time of the others."""

if TYPE_CHECKING:
    _Backend = httpcore.AsyncNetworkBackend
else:
    _Backend = object


class Connections(_Backend):
    """``guard``: None where any address will do."""

    def __init__(self, guard: Guard | None) -> None:
        self._guard = guard
        self._plain = AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Any:
        """Raises WebError, httpcore.ConnectError, httpcore.ConnectTimeout."""
        *others, last = await self._guard.addresses(host, port) if self._guard else [host]
        for address in others:
            try:
                return await self._connect(address, port, _CONNECT_SECONDS)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._connect(last, port, timeout)

    async def _connect(self, address: str, port: int, timeout: float | None) -> Any:
        return await connected(self._plain.connect_tcp(address, port, timeout))

    async def sleep(self, seconds: float) -> None:
        await self._plain.sleep(seconds)
