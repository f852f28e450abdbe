# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the relay lives: as its clients do, or until it is told to stop; and what it finishes before it ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import NamedTuple

from . import clients
from .places import Places
from .settings import SESSION, Settings

LOOK_SECONDS = 5.0
"""So often it looks whether its clients live."""

AFTER_LAST_SECONDS = 20.0
"""It stays for so long after the last client: an agent that is started anew should find it."""

DRAIN_SECONDS = 600.0
"""For so long at most it finishes what runs."""


class Seen(NamedTuple):
    """What decides about its end. Times are seconds of one clock."""

    now: float
    last_request: float
    active: int
    clients: int
    had_clients: bool


def should_end(settings: Settings, seen: Seen) -> bool:
    """Whether nobody needs it any more. A client that lives needs it, however long it says nothing."""
    if settings.life != SESSION or seen.active or seen.clients:
        return False
    quiet = seen.now - seen.last_request
    if seen.had_clients and quiet >= AFTER_LAST_SECONDS:
        return True
    return bool(settings.idle_minutes) and quiet >= settings.idle_minutes * 60


class Lives:
    """What runs now. Make it in the event loop that it is used in."""

    def __init__(self, settings: Settings, places: Places) -> None:
        self._settings = settings
        self._places = places
        self._had_clients = False
        self.started_at = int(time.time())
        self.active = 0
        self.requests = 0
        """All that have come."""
        self.last_request = time.monotonic()
        self.is_draining = False
        self.has_patience = True
        self.ending = asyncio.Event()
        """Set when it is to end."""

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        """One request, from its first byte to its last."""
        self.active += 1
        self.requests += 1
        try:
            yield
        finally:
            self.active -= 1
            self.touch()

    def touch(self) -> None:
        """Somebody uses it."""
        self.last_request = time.monotonic()

    async def clients(self) -> int:
        """How many live."""
        # Where there is no /proc, a program is asked.
        living = len(await asyncio.to_thread(clients.living, self._places))
        if living:
            self._had_clients = True
            self.touch()
        return living

    def drain(self) -> None:
        """Finish what runs, then end."""
        self.is_draining = True
        self.ending.set()

    def give_up(self) -> None:
        """End at once, whatever runs."""
        self.has_patience = False

    async def watch(self) -> None:
        """Until nobody needs it any more, or it is told to end."""
        while not self.ending.is_set():
            living = await self.clients()
            seen = Seen(time.monotonic(), self.last_request, self.active, living, self._had_clients)
            if should_end(self._settings, seen):
                self.drain()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.ending.wait(), LOOK_SECONDS)
