# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the workspace's answer says that it does not take the token, so that another one is worth a try."""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterator
from typing import Any

from .headers import value_of
from .upstreams import Reply

_MOST_BYTES = 1 << 16

_OF_THE_TOKEN = re.compile(
    rb"(?i)(?:\b(?:invalid|expired|revoked|malformed|unknown|bad)\b[^.]{0,40}\b(?:access token|token|credentials?)\b)"
    rb"|(?:\b(?:token|credentials?)\b[^.]{0,40}\b(?:invalid|expired|revoked|not valid|malformed|not sent)\b)"
)
_NARROW = b"required scopes"
"""A token that may do other things only is a good token: the next one could do no more."""


class Judged:
    """An answer of which the beginning may have been read already: it passes all the same."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self._parts: AsyncIterator[bytes] = reply.stream.__aiter__()
        self._read: list[bytes] = []

    async def refuses_token(self) -> bool:
        """401, or a 403 that speaks of the token: one about a permission would be the same with the next."""
        if self.reply.status == 401:
            return True
        if self.reply.status != 403:
            return False
        size = 0
        async for part in self._parts:
            self._read.append(part)
            size += len(part)
            if size > _MOST_BYTES:
                break
        told = _plain(b"".join(self._read), value_of(self.reply.headers, b"content-encoding"))
        return _NARROW not in told and bool(_OF_THE_TOKEN.search(told))

    async def parts(self) -> AsyncIterator[bytes]:
        """All of the body, each part as it comes."""
        for part in self._read:
            yield part
        async for part in self._parts:
            yield part

    async def close(self) -> None:
        await self.reply.stream.aclose()


def _plain(content: bytes, coding: bytes | None) -> bytes:
    if coding is None or coding.strip().lower() not in (b"gzip", b"deflate"):
        return content
    decoder: Any = zlib.decompressobj(wbits=47)  # which of the two it is, the content says
    try:
        plain: bytes = decoder.decompress(content, _MOST_BYTES)
    except zlib.error:
        return content
    return plain
