# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site's robots.txt says to us (RFC 9309)."""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from urllib.parse import urlsplit

from .asking import PRODUCT, Answer
from .libraries import Protego

MOST_BYTES = 500 * 1024
_KEPT_SECONDS = 24 * 3600.0
_MOST_SITES = 256


def simple(text: str) -> str:
    """Patterns end with their second wildcard: with more of them, a hostile one could be matched for hours.

    What is disallowed becomes a little more by that.
    """
    return "\n".join(map(_cut, re.sub(r"\*+", "*", text).splitlines()))


def _cut(line: str) -> str:
    second = line.find("*", line.find("*") + 1)
    return line if "*" not in line or second < 0 else line[: second + 1]


class Robots:
    """Remembers for a day what sites allow."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[float, Protego | None]] = OrderedDict()

    def unknown(self, url: str) -> str:
        """The robots.txt that has to be read before this URL; empty where we know what it says."""
        site = _site(url)
        until, _rules = self._known.get(site, (0.0, None))
        return "" if time.monotonic() < until else f"{site}/robots.txt"

    async def learn(self, url: str, answer: Answer) -> None:
        """What that file has said. A site that is broken (5xx) allows nothing; one without a file allows all."""
        text = "User-agent: *\nDisallow: /" if answer.status >= 500 else ""
        if 200 <= answer.status < 300:
            text = answer.body.decode("utf-8-sig", "replace")
        rules = await asyncio.to_thread(lambda: Protego.parse(simple(text)))
        kept = 60.0 if answer.status >= 500 else _KEPT_SECONDS
        self._known[_site(url)] = (time.monotonic() + kept, rules)
        if len(self._known) > _MOST_SITES:
            self._known.popitem(last=False)

    async def allow(self, url: str) -> bool:
        """Whether we may fetch it."""
        _until, rules = self._known.get(_site(url), (0.0, None))
        return rules is None or await asyncio.to_thread(rules.can_fetch, url, PRODUCT)


def _site(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
