# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which process serves: a file that it writes when it listens, and takes away when it does not any more."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import Any, NamedTuple

from .. import careful
from ..version import VERSION
from . import clients
from .places import Places
from .settings import Settings

_MOST_BYTES = 10_000


class Found(NamedTuple):
    """What such a file says of a process that lives."""

    pid: int
    port: int
    url: str
    told: dict[str, Any]


class Running:
    """This process, as others find it."""

    def __init__(self, settings: Settings, places: Places, digests: dict[str, str]) -> None:
        self.digests = digests
        self._settings = settings
        self._places = places

    def write(self) -> None:
        """A home that cannot be written to is no reason not to serve."""
        own = clients.of_process(os.getpid())
        told = {
            "pid": os.getpid(),
            "start": own.start if own else "",
            "port": self._settings.port,
            "url": self._settings.url,
            "started_at": int(time.time()),
            "version": VERSION,
            **self.digests,
        }
        temporary = f"{self._places.running}.{os.getpid()}"
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as stream:
                stream.write(json.dumps(told) + "\n")
            os.replace(temporary, self._places.running)

    def remove(self) -> None:
        """Only what this process has written: the next one may have begun already."""
        with contextlib.suppress(OSError, ValueError):
            if _told(self._places)["pid"] == os.getpid():
                os.unlink(self._places.running)


def find(places: Places) -> Found | None:
    """The relay that says it serves, if its process lives; None for none."""
    try:
        told = _told(places)
        found = Found(int(told["pid"]), int(told["port"]), str(told["url"]), told)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    own = clients.of_process(found.pid)
    return found if own is not None and own.start == told.get("start") else None


def _told(places: Places) -> dict[str, Any]:
    """Raises OSError, ValueError."""
    told = json.loads(careful.read(places.running, _MOST_BYTES, follow=False))
    if not isinstance(told, dict):
        raise ValueError("no object")
    return told
