# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between an agent that believes in server tools and a gateway that has none.

The request's server tools become ordinary ones. Where the model calls one, the call is done here, the client gets the blocks that a
server tool has, and the model is asked again with what was found, until it has said what it has to say: all in one answer.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from ..settings import Settings
from .backends import Web
from .conversation import Conversation
from .events import Events, server_use
from .rounds import Round
from .sse import Frames, frame_of

Again = Callable[[bytes], AsyncIterator[bytes]]
"""Sends a body to where the first one went, and gives the bytes of a good answer; raises where there is none."""

_TRACES = (b'"web_search', b'"web_fetch', b"srvtoolu_")


class Exchange:
    """One request and its answer. Without ``again`` the answer ends behind the results."""

    def __init__(self, settings: Settings, backends: Web, again: Again | None = None) -> None:
        self._is_on = settings.web_search is not None
        self._again = again
        self._conversation = Conversation(backends)
        self.active = False
        """Whether the request was rewritten, so that the answer may have to be, too."""

    def request(self, body: bytes) -> bytes:
        """The request as a gateway takes it: the very same object where nothing is to do."""
        if not self._is_on or not any(one in body for one in _TRACES):
            return body
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            return body
        changed = self._conversation.open(told) if isinstance(told, dict) else None
        self.active = changed is not None
        return body if changed is None else changed

    def betas(self, header: str) -> str:
        """``anthropic-beta`` without what only server tools need; empty where nothing is left of it."""
        if not self.active:
            return header
        names = [one.strip() for one in header.split(",")]
        return ",".join(one for one in names if one and not one.startswith(("web-search-", "web-fetch-")))

    async def stream(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The events for the client. Raises what the stream raises, and ValueError for an event without an end."""
        if not self.active:
            async for chunk in chunks:
                yield chunk
            return
        events = Events(self._conversation, self._again is not None)
        before: dict[str, Any] | None = None
        while True:
            current, began = self._conversation.next_round(), events.next_index
            events.begin(current)
            try:
                async for frame in _frames(chunks):
                    async for out in events.write(frame):
                        yield out
            except Exception:
                if before is None or events.next_index != began:
                    raise
            if events.held is None or self._again is None:
                break
            before, chunks = events.held, self._again(self._conversation.next_body(current))
        if before is not None and events.next_index == began and not events.has_ended:
            # The model could not be asked again: what was found has to do.
            yield events.end(before)
            yield frame_of({"type": "message_stop"})

    async def answer(self, body: bytes) -> bytes:
        """The whole answer for the client: the very same object where nothing is to do."""
        first = _message(body) if self.active else None
        if first is None:
            return body
        content: list[Any] = []
        last = first
        while True:
            current = self._conversation.next_round()
            content += await self._blocks(last, current)
            if self._again is None or not self._conversation.is_unfinished(last.get("stop_reason"), current):
                break
            following = await _whole(self._again(self._conversation.next_body(current)))
            if following is None:
                break  # what was found has to do
            last = following
        if not self._conversation.has_called:
            return body
        ended = {
            "stop_reason": self._conversation.reason(last.get("stop_reason"), not current.calls_of_others),
            "stop_sequence": last.get("stop_sequence"),
            "usage": self._conversation.usage(last.get("usage")),
        }
        return json.dumps({**first, "content": content, **ended}).encode()

    async def _blocks(self, message: Mapping[str, Any], current: Round) -> list[Any]:
        """What a message says, with the results of the calls that are ours."""
        found: list[Any] = []
        current.add_usage(message.get("usage"))
        for index, block in enumerate(message["content"]):
            if not isinstance(block, Mapping):
                continue
            current.begin(index, block)
            given = current.end(index)
            offer = self._conversation.offer(block)
            if offer is None:
                current.calls_of_others += block.get("type") == "tool_use"
                found.append(block)
            else:
                found.append(server_use(block, given or {}))
                found.append(await self._conversation.call(offer, block, given, current))
        return found


async def _whole(parts: AsyncIterator[bytes]) -> dict[str, Any] | None:
    """The message that comes; None where none does."""
    try:
        return _message(b"".join([part async for part in parts]))
    except Exception:
        return None


async def _frames(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    frames = Frames()
    async for chunk in chunks:
        for frame in frames.split(chunk):
            yield frame
    if frames.rest():
        yield frames.rest()


def _message(body: bytes) -> dict[str, Any] | None:
    """The message that a body is; None for anything else, such as an error."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("content"), list) else None
