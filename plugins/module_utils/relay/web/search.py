# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who searches the web: DuckDuckGo's page without JavaScript, a SearXNG of the operator's, or Brave's API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from ...careful import line
from .asking import Answer, Asking
from .found import INVALID, NOT_ACCESSIBLE, NOT_ALLOWED, TOO_MANY, UNAVAILABLE, Found, WebError
from .reading import feed

MOST_RESULTS = 5
SECONDS = 15.0
_MOST_BYTES = 2 << 20
_LONGEST_QUERY = 1000
_PAGES = {
    "duckduckgo": "https://html.duckduckgo.com/html/",
    "brave": "https://api.search.brave.com/res/v1/web/search",
}
_TELLS_WHY = {
    401: "refuses the key",
    403: "refuses the request: for SearXNG, add json to search.formats in its settings.yml",
    404: "is not there: check coding_agents_web_search_url",
}


class Searching:
    """Searches with one service. ``secret``: gives its key, or nothing; asked each time, as an operator may change it."""

    def __init__(self, service: str, url: str | None, asking: Asking, secret: Callable[[], str] = str) -> None:
        self._service = service
        self._url = url or _PAGES.get(service, "")
        self._asking = asking
        self._secret = secret

    async def search(self, query: str) -> list[Found]:
        """Raises WebError."""
        query = " ".join(query.split())
        if not query:
            raise WebError(INVALID, "the query is empty")
        if len(query) > _LONGEST_QUERY:
            raise WebError("query_too_long", f"the query has more than {_LONGEST_QUERY} characters")
        try:
            return await asyncio.wait_for(self._ways()(query), SECONDS)
        except WebError as error:
            if error.code in (NOT_ACCESSIBLE, NOT_ALLOWED):  # words of a fetch, which a search does not have
                raise WebError(UNAVAILABLE, str(error)) from None
            raise
        except asyncio.TimeoutError:
            raise WebError(UNAVAILABLE, f"{self._service} did not answer within {SECONDS:.0f} s") from None

    def _ways(self) -> Callable[[str], Any]:
        ways = {"duckduckgo": self._duckduckgo, "searxng": self._searxng, "brave": self._brave}
        if self._service not in ways or not self._url:
            raise WebError(UNAVAILABLE, "no search service is set up on this host")
        return ways[self._service]

    async def _duckduckgo(self, query: str) -> list[Found]:
        answer = self._good(await self._asking.ask(self._url, _MOST_BYTES, form=urlencode({"q": query}).encode()))
        page = answer.body.decode("utf-8", "replace")
        return (await asyncio.to_thread(_ResultsPage(self._url).read, page))[:MOST_RESULTS]

    async def _searxng(self, query: str) -> list[Found]:
        url = f"{self._url.rstrip('/')}/search?{urlencode({'q': query, 'format': 'json'})}"
        told = _json(self._good(await self._asking.ask(url, _MOST_BYTES, {"Accept": "application/json"})))
        return _results(told.get("results"), "content", "publishedDate")

    async def _brave(self, query: str) -> list[Found]:
        secret = self._secret()
        if not secret:
            raise WebError(
                UNAVAILABLE, "the key for Brave's search is not on this host: the operator has to roll it out"
            )
        url = f"{self._url}?{urlencode({'q': query, 'count': MOST_RESULTS})}"
        headers = {"Accept": "application/json", "X-Subscription-Token": secret}
        found = _json(self._good(await self._asking.ask(url, _MOST_BYTES, headers))).get("web")
        return _results(found.get("results") if isinstance(found, Mapping) else None, "description", "age")

    def _good(self, answer: Answer) -> Answer:
        if answer.status == 200:
            return answer
        if answer.status in (202, 429):  # 202: DuckDuckGo wants to know whether a person asks
            raise WebError(TOO_MANY, f"{self._service} takes no more searches from this address for now")
        why = _TELLS_WHY.get(answer.status, "failed")
        raise WebError(UNAVAILABLE, f"{self._service} {why} (HTTP {answer.status})")


def _json(answer: Answer) -> Mapping[str, Any]:
    try:
        told = json.loads(answer.body)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, Mapping):
        raise WebError(UNAVAILABLE, "the search service answered with something that is no JSON")
    return told


def _results(rows: object, snippet: str, age: str) -> list[Found]:
    found = []
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, Mapping) and _is_web(row.get("url")):
            when = row.get(age)
            found.append(
                Found(_text(row.get("title")), str(row["url"]), _text(row.get(snippet)), _text(when) if when else None)
            )
    return found[:MOST_RESULTS]


def _text(value: object) -> str:
    """One line of plain text: services mark the words of the query with tags."""
    reader = _Plain()
    feed(reader, value[:4000] if isinstance(value, str) else "")
    return line("".join(reader.parts), 1000)


def _is_web(url: object) -> bool:
    return isinstance(url, str) and url.startswith(("https://", "http://")) and len(url) <= 2048


class _Plain(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


class _ResultsPage(HTMLParser):
    """DuckDuckGo's results: ``a.result__a`` is a title, ``.result__snippet`` what the page says. Advertisements lead to ``/y.js``."""

    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self._url = url
        self._found: list[Found] = []
        self._into = ""
        self._tag = ""

    def read(self, page: str) -> list[Found]:
        feed(self, page)
        return [
            one._replace(title=line(one.title, 300), snippet=line(one.snippet, 1000)) for one in self._found if one.url
        ]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        kinds = (told.get("class") or "").split()
        if tag == "a" and "result__a" in kinds:
            self._found.append(Found("", self._target(told.get("href") or ""), ""))
            self._into, self._tag = "title", tag
        elif "result__snippet" in kinds and self._found:
            self._into, self._tag = "snippet", tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._tag:
            self._into = self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._into:
            last = self._found[-1]
            self._found[-1] = last._replace(**{self._into: getattr(last, self._into) + data})

    def _target(self, href: str) -> str:
        """Where a result leads; empty for an advertisement."""
        try:
            there = urljoin(self._url, href)
            parts = urlsplit(there)
            found = "" if parts.path.endswith("/y.js") else parse_qs(parts.query).get("uddg", [there])[0]
        except ValueError:
            return ""
        return found if _is_web(found) else ""
