# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch one page for a model: as text, within a budget, where robots.txt and the address guard let us."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urljoin

from .asking import Answer, Asking, checked_url
from .found import NOT_ACCESSIBLE, NOT_ALLOWED, TOO_MANY, WRONG_TYPE, Page, WebError
from .reading import Reader
from .robots import MOST_BYTES as MOST_ROBOTS_BYTES
from .robots import Robots

SECONDS = 10.0
MOST_REDIRECTS = 3
MOST_SOURCE_BYTES = 2 << 20
"""Of a page as it is sent: what a model gets of it is bounded by the budget."""

_REDIRECTS = (301, 302, 303, 307, 308)
_HTML = ("text/html", "application/xhtml+xml")
_ALSO_TEXT = re.compile(
    r"^(text/[\w.+-]+|application/([\w.-]+\+)?(json|xml|yaml|toml)|application/(x-)?(javascript|ndjson))$"
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w:.-]{1,40})", re.I)


class Fetching:
    """Fetches pages, each with a connection of its own."""

    def __init__(self, asking: Asking, budget: int, seconds: float = SECONDS) -> None:
        self._asking = asking
        self._budget = budget
        self._seconds = seconds
        self._robots = Robots()

    async def fetch(self, url: str) -> Page:
        """Raises WebError."""
        try:
            return await asyncio.wait_for(self._fetch(url), self._seconds)
        except asyncio.TimeoutError:
            raise WebError(NOT_ACCESSIBLE, f"the page was not there within {self._seconds:.0f} s") from None

    async def _fetch(self, url: str) -> Page:
        here, answer = await self._follow(checked_url(url), MOST_SOURCE_BYTES, with_robots=True)
        if answer.status == 429:
            raise WebError(TOO_MANY, "the site answers with HTTP 429: it was asked too often")
        if not 200 <= answer.status < 300:
            raise WebError(NOT_ACCESSIBLE, f"the site answers with HTTP {answer.status}")
        kind = answer.headers.get("content-type", "text/html").partition(";")[0].strip().lower()
        if kind not in _HTML and not _ALSO_TEXT.match(kind):
            raise WebError(WRONG_TYPE, f"the page is no text ({kind[:80]})")
        text = _decoded(answer, kind in _HTML)
        if kind not in _HTML:
            return Page(here, "", _within(text, self._budget, answer.is_cut))
        read = await asyncio.to_thread(Reader(here).read, text)
        return Page(here, read.title, _within(read.text, self._budget, answer.is_cut))

    async def _follow(self, url: str, most: int, with_robots: bool) -> tuple[str, Answer]:
        """The answer after redirects. Each new address is judged as the first one was."""
        for _redirect in range(MOST_REDIRECTS + 1):
            if with_robots:
                await self._ask_robots(url)
            answer = await self._asking.ask(url, most)
            where = answer.headers.get("location", "")
            if answer.status not in _REDIRECTS or not where:
                return url, answer
            try:
                url = checked_url(urljoin(url, where))
            except ValueError:
                raise WebError(NOT_ALLOWED, "the page redirects to something that is no URL") from None
        raise WebError(NOT_ACCESSIBLE, f"the page redirects more than {MOST_REDIRECTS} times")

    async def _ask_robots(self, url: str) -> None:
        """Raises WebError where the site does not want us there."""
        unread = self._robots.unknown(url)
        if unread:
            _where, told = await self._follow(unread, MOST_ROBOTS_BYTES, with_robots=False)
            await self._robots.learn(url, told)
        if not await self._robots.allow(url):
            raise WebError(NOT_ALLOWED, "the site's robots.txt does not allow it")


def _decoded(answer: Answer, is_html: bool) -> str:
    told = _CHARSET.search(answer.headers.get("content-type", ""))
    named = told[1] if told else ""
    if not named and is_html:
        inside = _CHARSET.search(answer.body[:2048].decode("latin-1"))
        named = inside[1] if inside else ""
    try:
        return answer.body.decode(named or "utf-8", "replace")
    except (LookupError, UnicodeError, ValueError):  # a name of no encoding, or of one that is none of text
        return answer.body.decode("utf-8", "replace")


def _within(text: str, budget: int, is_cut: bool) -> str:
    """At most this many bytes of a text, and a line that says so where there was more."""
    whole = text.encode()
    if len(whole) <= budget and not is_cut:
        return text
    return whole[:budget].decode("utf-8", "ignore") + "\n\n[The page is longer: the rest was left out.]"
