# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where prompts are rewritten that ask for tools which only the model's vendor has (see web/): only where the operator wants it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any, Callable, Optional, Protocol

from ..host_program.config import Config
from .routes import Route
from .settings import Settings

_MESSAGES = (b"/v1/messages", b"/v1/messages/count_tokens")


class Exchange(Protocol):
    """One prompt and its answer."""

    active: bool
    """Whether the request was rewritten: only then is the answer looked into."""

    def request(self, body: bytes) -> bytes: ...

    def betas(self, value: str) -> str: ...

    def stream(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]: ...

    async def answer(self, body: bytes) -> bytes: ...


Again = Callable[[bytes], AsyncIterator[bytes]]
"""Sends another body in place of the first, and has what comes of it."""

Exchanges = Callable[[Optional[Again]], Exchange]
"""Begins one."""


def exchanges(settings: Settings, config: Config) -> Exchanges | None:
    """None where nothing is to be rewritten."""
    if settings.web_search is None:
        return None
    backends: Any = import_module(f"{__package__}.web.backends").Backends.of(settings, config)
    kind: Any = import_module(f"{__package__}.web.rewriting").Exchange
    return lambda again: kind(settings, backends, again)


def rewrites(route: Route, method: str) -> bool:
    """Whether this is a prompt that such tools may be in."""
    return method == "POST" and route.prefix == "anthropic" and route.target.partition(b"?")[0].endswith(_MESSAGES)
