# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-sent events: a stream of bytes, in frames. Chunks may be cut anywhere, and a frame may be larger than a chunk."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

MOST_BYTES = 16 << 20
"""Of a frame. More is no event of a model, and would only fill the memory."""

_END = re.compile(rb"\r?\n\r?\n")
_LONGEST_END = 4


class Frames:
    """Splits a stream. A frame has the blank line at its end with it: joined, they are the stream again."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._seen = 0

    def split(self, chunk: bytes) -> Iterator[bytes]:
        """The frames that are complete now. Raises ValueError for one that is too long."""
        self._held += chunk
        while True:
            end = _END.search(self._held, max(0, self._seen - _LONGEST_END))
            if end is None:
                break
            frame = bytes(self._held[: end.end()])
            del self._held[: end.end()]
            self._seen = 0
            yield frame
        self._seen = len(self._held)
        if self._seen > MOST_BYTES:
            raise ValueError(f"an event has more than {MOST_BYTES} bytes")

    def rest(self) -> bytes:
        """What came after the last blank line."""
        return bytes(self._held)


def event_of(frame: bytes) -> dict[str, Any] | None:
    """The JSON object that a frame carries; None for a comment, and for what is no such object."""
    data = [line[5:].removeprefix(b" ") for line in frame.splitlines() if line.startswith(b"data:")]
    if not data:
        return None
    try:
        found = json.loads(b"\n".join(data))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def frame_of(event: Mapping[str, Any]) -> bytes:
    """An event of the Messages API as a frame: its name is its type."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
