# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where prompts are rewritten that ask for tools which only the model's vendor has (see web/): only where the operator wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Optional

from ..host_program.config import Config
from .routes import Route
from .settings import Settings

if TYPE_CHECKING:
    from .web.rewriting import Again, Exchange

    Exchanges = Callable[[Optional[Again]], Exchange]

_MESSAGES = (b"/v1/messages", b"/v1/messages/count_tokens")


def exchanges(settings: Settings, config: Config) -> Exchanges | None:
    """None where nothing is to be rewritten."""
    if settings.web_search is None:
        return None
    # Few want it, and it takes its time to import.
    from .web.backends import Backends
    from .web.rewriting import Exchange

    backends = Backends.of(settings, config)
    return lambda again: Exchange(settings, backends, again)


def rewrites(route: Route, method: str) -> bool:
    """Whether this is a prompt that such tools may be in."""
    return method == "POST" and route.prefix == "anthropic" and route.target.partition(b"?")[0].endswith(_MESSAGES)
