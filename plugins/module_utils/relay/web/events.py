# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The events of all rounds, written as those of one answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from .conversation import Conversation
from .history import server_id
from .rounds import Round
from .sse import event_of, frame_of
from .tools import Offer


def server_use(block: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A model's call as a client sees it."""
    call = server_id(str(block.get("id")))
    return {"type": "server_tool_use", "id": call, "name": block.get("name"), "input": dict(given)}


class Events:
    """Frames in, frames out. What is not to be changed goes out as it came, byte for byte."""

    def __init__(self, conversation: Conversation, can_go_on: bool) -> None:
        self._conversation = conversation
        self._can_go_on = can_go_on
        self._shift = 0
        self._calls: dict[int, tuple[Offer, Mapping[str, Any]]] = {}
        self._round = Round()
        self.next_index = 0
        """Of the next block that the client gets."""
        self.held: dict[str, Any] | None = None
        """The end of this round, where the model is asked again: the client gets that of the last one."""
        self.has_ended = False

    def begin(self, current: Round) -> None:
        self._round = current
        self._shift = self.next_index
        self._calls = {}
        self.held = None

    async def write(self, frame: bytes) -> AsyncIterator[bytes]:
        event = event_of(frame)
        writer = _WRITERS.get(str(event.get("type"))) if event else None
        if event is None or writer is None:
            yield frame
            return
        async for out in writer(self, event, frame):
            yield out

    def end(self, event: Mapping[str, Any], is_ours: bool = True) -> bytes:
        """The end of the answer: why, and what it cost."""
        delta = dict(event.get("delta") or {})
        delta["stop_reason"] = self._conversation.reason(delta.get("stop_reason"), is_ours)
        return frame_of({**event, "delta": delta, "usage": self._conversation.usage(event.get("usage"))})

    async def _start(self, event: dict[str, Any], frame: bytes) -> AsyncIterator[bytes]:
        message = event.get("message")
        self._round.add_usage(message.get("usage") if isinstance(message, Mapping) else None)
        if not self.next_index:  # further rounds begin behind blocks that are there
            yield frame

    async def _block_start(self, event: dict[str, Any], frame: bytes) -> AsyncIterator[bytes]:
        block, index = event.get("content_block"), event.get("index")
        if not isinstance(block, Mapping) or not isinstance(index, int):
            yield frame
            return
        self._round.begin(index, block)
        self.next_index = index + self._shift + 1
        offer = self._conversation.offer(block)
        if offer is None:
            self._round.calls_of_others += block.get("type") == "tool_use"
            yield self._shifted(event, frame)
            return
        self._calls[index] = (offer, block)
        yield frame_of({**event, "index": index + self._shift, "content_block": server_use(block, {})})

    async def _block_delta(self, event: dict[str, Any], frame: bytes) -> AsyncIterator[bytes]:
        delta, index = event.get("delta"), event.get("index")
        is_ours = isinstance(index, int) and index in self._calls
        fits = not isinstance(delta, Mapping) or not isinstance(index, int) or self._round.grow(index, delta)
        if fits or not is_ours:
            yield self._shifted(event, frame)

    async def _block_stop(self, event: dict[str, Any], frame: bytes) -> AsyncIterator[bytes]:
        yield self._shifted(event, frame)
        index = event.get("index")
        given = self._round.end(index) if isinstance(index, int) else None
        if not isinstance(index, int) or index not in self._calls:
            return
        offer, block = self._calls.pop(index)
        result = await self._conversation.call(offer, block, given, self._round)
        at = self.next_index
        self.next_index += 1
        self._shift += 1
        yield frame_of({"type": "content_block_start", "index": at, "content_block": result})
        yield frame_of({"type": "content_block_stop", "index": at})

    async def _message_delta(self, event: dict[str, Any], frame: bytes) -> AsyncIterator[bytes]:
        self._round.add_usage(event.get("usage"))
        delta = event.get("delta")
        reason = delta.get("stop_reason") if isinstance(delta, Mapping) else None
        if self._can_go_on and self._conversation.is_unfinished(reason, self._round):
            self.held = event
            return
        self.has_ended = True
        yield self.end(event, not self._round.calls_of_others) if self._conversation.has_called else frame

    async def _message_stop(self, event: dict[str, Any], frame: bytes) -> AsyncIterator[bytes]:
        if self.held is None:
            yield frame

    async def _error(self, event: dict[str, Any], frame: bytes) -> AsyncIterator[bytes]:
        self.has_ended = True
        yield frame

    def _shifted(self, event: dict[str, Any], frame: bytes) -> bytes:
        if not self._shift or not isinstance(event.get("index"), int):
            return frame
        return frame_of({**event, "index": event["index"] + self._shift})


_Writer = Callable[[Events, "dict[str, Any]", bytes], AsyncIterator[bytes]]
_WRITERS: dict[str, _Writer] = {
    "message_start": Events._start,
    "content_block_start": Events._block_start,
    "content_block_delta": Events._block_delta,
    "content_block_stop": Events._block_stop,
    "message_delta": Events._message_delta,
    "message_stop": Events._message_stop,
    "error": Events._error,
}
