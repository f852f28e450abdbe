# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that the web tools stand on, once for each relay: who searches, what fetches, and what was found lately."""

from __future__ import annotations

import os
import ssl
import stat
from collections import OrderedDict
from typing import Protocol

from ... import careful
from ...host_program.config import Config
from ..settings import WEB_KEY_NAME, Settings
from .asking import Asking
from .fetch import Fetching
from .found import Found, Page
from .guard import Guard
from .search import Searching

_MOST_KEPT = 1024


class Web(Protocol):
    """What an exchange, or a server of MCP, asks of it."""

    async def search(self, query: str) -> list[Found]:
        """Raises WebError."""

    async def fetch(self, url: str) -> Page:
        """Raises WebError."""

    @property
    def memory(self) -> Memory:
        """What calls have given."""


class Memory:
    """What the last calls gave, by their ids: for clients that send back an error of their own in its place."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, str] = OrderedDict()

    def keep(self, call: str, text: str) -> None:
        self._kept[call] = text
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)

    def get(self, call: str) -> str | None:
        return self._kept.get(call)


class Backends:
    def __init__(self, searching: Searching, fetching: Fetching) -> None:
        self._searching = searching
        self._fetching = fetching
        self.memory = Memory()

    @classmethod
    def of(cls, settings: Settings, config: Config) -> Backends:
        """Raises OSError for a CA file that cannot be used, ValueError for a network that is none."""
        tls = ssl.create_default_context()
        if config.ca_file:
            tls.load_verify_locations(cafile=config.ca_file)
        key_file = os.path.join(config.data_directory, WEB_KEY_NAME)
        searching = Searching(
            settings.web_search or "none",
            settings.web_search_url,
            Asking(tls, None),
            lambda: _secret(key_file),
        )
        guarded = Asking(tls, Guard(settings.web_allowed_addresses))
        return cls(searching, Fetching(guarded, settings.web_fetch_bytes))

    async def search(self, query: str) -> list[Found]:
        return await self._searching.search(query)

    async def fetch(self, url: str) -> Page:
        return await self._fetching.fetch(url)


def _secret(path: str) -> str:
    """What a private file of ours holds; empty where there is none, or where others can read it."""
    try:
        with os.fdopen(careful.open_regular(path, follow=False), encoding="ascii") as stream:
            status = os.fstat(stream.fileno())
            text = stream.read(1000).strip()
    except (OSError, ValueError):
        return ""
    private = status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077
    return text if private and text.isprintable() else ""
