# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connect so that whoever gives up while it connects is heard."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def connected(work: Coroutine[Any, Any, Any]) -> Any:
    """The stream that ``work`` makes, in a task of its own. Raises what it raises.

    anyio, which tries addresses side by side, loses a cancellation that comes in the very step in which it has connected.
    """
    connecting = asyncio.ensure_future(work)
    try:
        await asyncio.wait({connecting})
    except asyncio.CancelledError:
        connecting.cancel()
        connecting.add_done_callback(_drop)
        raise
    return connecting.result()


def _drop(connecting: asyncio.Future[Any]) -> None:
    """Close a connection that nobody waits for any more."""
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.get_loop().create_task(connecting.result().aclose())
