# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the relay answers itself: how it is, and that it should end."""

from __future__ import annotations

import os
from typing import Any

from ..version import VERSION
from .access import Headers, has_key
from .lives import Lives
from .refusals import Answer, Refusal, json_answer
from .settings import TOOL, Settings
from .tokens import Tokens

HEALTH, STOP = b"/health", b"/stop"


class OwnPaths:
    """Of one user's relay."""

    def __init__(self, settings: Settings, digests: dict[str, str], key: str, lives: Lives, tokens: Tokens) -> None:
        self._settings = settings
        self._digests = digests
        self._key = key
        self._lives = lives
        self._tokens = tokens

    async def health(self, headers: Headers) -> Answer:
        """That it lives, to all; how it is, to who brings the key. No activity: who asks this needs nothing of the workspace."""
        told: dict[str, Any] = {"tool": TOOL, "status": "draining" if self._lives.is_draining else "ok"}
        if has_key(headers, self._key):
            told = {
                **told,
                "version": VERSION,
                "pid": os.getpid(),
                "life": self._settings.life,
                "started_at": self._lives.started_at,
                "active": self._lives.active,
                "requests": self._lives.requests,
                "clients": await self._lives.clients(),
                **self._digests,
                "upstreams": dict(self._settings.upstreams),
                "token": self._tokens.state(),
            }
        return json_answer(200, told)

    def stop(self, method: str) -> Answer:
        """Begin to end. Raises Refusal."""
        if method != "POST":
            raise Refusal(405, "To end the relay takes a POST")
        self._lives.drain()
        return json_answer(200, {"drain": True, "active": self._lives.active})
