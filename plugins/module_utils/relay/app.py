# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay as an ASGI application: who asks, what is asked, and a line in the log."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from . import access
from .ends import ClientGone, Cut
from .forwarding import Forwarding, Sent
from .lives import Lives
from .log import Log
from .own_paths import HEALTH, STOP, OwnPaths
from .places import Places
from .refusals import Answer, Refusal, answer
from .routes import Route, prefix_of, route
from .settings import Settings


class App:
    """Of one user's relay."""

    def __init__(
        self,
        settings: Settings,
        places: Places,
        key: str,
        lives: Lives,
        forwarding: Forwarding,
        own: OwnPaths,
        log: Log,
    ) -> None:
        self.settings = settings
        self.forwarding = forwarding
        self.lives = lives
        self.log = log
        self._places = places
        self._key = key
        self._own = own

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        begin = time.monotonic()
        sent = Sent(send, lambda: self.lives.is_draining)
        with self.lives.request() if scope["raw_path"] not in (HEALTH, STOP) else contextlib.nullcontext():
            how = await self._served(scope, receive, sent)
        if scope["raw_path"] != HEALTH:  # which is asked with every agent that starts
            self.line(scope["method"], scope["raw_path"], sent.status, sent.count, begin, how)
        if how == "cut":
            raise Cut

    def admit(self, headers: access.Headers) -> None:
        """Raises Refusal for whoever may not use the relay."""
        access.require_loopback(headers, self.settings.port)
        access.require_key(headers, self._key, self._places.key)

    def route(self, path: bytes, query: bytes) -> Route:
        """Raises Refusal."""
        return route(path, query, self.settings.upstreams)

    def line(self, method: str, path: bytes, status: int, count: int, begin: float, how: str = "") -> None:
        """Write to the log what was asked, and how it went: nothing that was said."""
        known = prefix_of(path)
        prefix = known if known in self.settings.upstreams or path == STOP else "?"
        took = (time.monotonic() - begin) * 1000
        self.log.write(f"{method} /{prefix} {status} {count} bytes {took:.0f} ms{' ' if how else ''}{how}")

    async def _served(self, scope: Any, receive: Any, sent: Sent) -> str:
        """How it went, in a word; empty for well."""
        path = scope["raw_path"]
        try:
            access.require_loopback(scope["headers"], self.settings.port)
            if path == HEALTH:
                await _give(sent, await self._own.health(scope["headers"]))
                return ""
            access.require_key(scope["headers"], self._key, self._places.key)
            if path == STOP:
                await _give(sent, self._own.stop(scope["method"]))
                return ""
            await self.forwarding.pass_on(self.route(path, scope["query_string"]), scope, receive, sent)
        except Refusal as refusal:
            if sent.status:
                return "cut"
            await _give(sent, answer(refusal, prefix_of(path)))
            return "refused"
        except ClientGone:
            return "given up by the client"
        except Cut:
            if sent.status:
                return "cut"
            ended = Refusal(502, "The workspace's answer ended in the middle", "Try again")
            await _give(sent, answer(ended, prefix_of(path)))
            return "refused"
        return ""


async def _give(sent: Sent, given: Answer) -> None:
    await sent.start(given.status, given.headers)
    await sent.part(given.body, more=False)
