# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two server tools, as a request offers them, as a model is offered them in their place, and what a call gave in both forms."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .backends import Web
from .found import INVALID, NOT_ALLOWED, NOT_IN_CONTEXT, UNAVAILABLE, USED_UP, Found, Page, WebError

SEARCH, FETCH = "web_search", "web_fetch"
NAMES = (SEARCH, FETCH)

_DEFINITIONS: dict[str, dict[str, Any]] = {
    SEARCH: {
        "description": "Search the web. Returns titles, URLs and short excerpts of a few pages.",
        "input_schema": {
            "type": "object",
            "properties": {"query": {"type": "string", "description": "What to search for"}},
            "required": ["query"],
        },
    },
    FETCH: {
        "description": "Fetch a web page and return its text. The URL must stand in the conversation, or in what a tool returned.",
        "input_schema": {
            "type": "object",
            "properties": {"url": {"type": "string", "description": "The whole URL of the page"}},
            "required": ["url"],
        },
    },
}


class Offer(NamedTuple):
    """A server tool that a request offers, and its limits."""

    name: str
    most_uses: int | None
    allowed: Sequence[str]
    blocked: Sequence[str]


class Outcome(NamedTuple):
    """What a call gave: the content of the result block for the client, and a text for the model."""

    content: Any
    text: str
    is_error: bool = False


def offer_of(tool: object) -> Offer | None:
    """What a tool of a request offers that its provider would have to run; None for any other tool."""
    if not isinstance(tool, Mapping):
        return None
    name = next((one for one in NAMES if str(tool.get("type", "")).startswith(f"{one}_")), "")
    if not name or tool.get("name") != name:
        return None
    most = tool.get("max_uses")
    return Offer(
        name,
        most if isinstance(most, int) and not isinstance(most, bool) else None,
        _texts(tool.get("allowed_domains")),
        _texts(tool.get("blocked_domains")),
    )


def ordinary(offer: Offer, tool: Mapping[str, Any]) -> dict[str, Any]:
    """The tool as any other: the model calls it, and whoever asked has to run it."""
    kept = {"cache_control": tool["cache_control"]} if tool.get("cache_control") else {}
    return {"name": offer.name, **_DEFINITIONS[offer.name], **kept}


def definition(name: str) -> dict[str, Any]:
    """``description`` and ``input_schema``."""
    return _DEFINITIONS[name]


async def run(web: Web, offer: Offer, given: object, uses: int, context: str) -> Outcome:
    """Do what a model asked for. ``uses``: how often it was done before; ``context``: all in which a URL may stand."""
    try:
        if offer.most_uses is not None and uses >= offer.most_uses:
            raise WebError(USED_UP, f"{offer.name} may be used {offer.most_uses} times for one answer")
        asked = given.get("query" if offer.name == SEARCH else "url") if isinstance(given, Mapping) else None
        if not isinstance(asked, str):
            raise WebError(
                INVALID, f"{offer.name} takes a {'query' if offer.name == SEARCH else 'url'}, which is a text"
            )
        if offer.name == SEARCH:
            results = _search_content(await _search(web, offer, asked))
            return Outcome(results, listed(results))
        if not stands_in(asked, context):
            raise WebError(NOT_IN_CONTEXT, "only a URL that stands in the conversation may be fetched")
        if not _is_permitted(asked, offer):
            raise WebError(NOT_ALLOWED, "the request does not allow pages of this site")
        page = _page_content(await web.fetch(asked))
        return Outcome(page, shown(page))
    except WebError as error:
        return failed(offer.name, error.code, str(error))
    except Exception as error:  # a fault of ours must not end an answer that a model has begun
        return failed(offer.name, UNAVAILABLE, f"{offer.name} failed ({type(error).__name__})")


def failed(name: str, code: str, message: str) -> Outcome:
    return Outcome({"type": f"{name}_tool_result_error", "error_code": code}, f"{code}: {message}", is_error=True)


def stands_in(url: str, context: str) -> bool:
    """Whether a URL was named before, with or without its scheme: a model must not make up where to send things."""
    bare = url.partition("#")[0].partition("://")[2].rstrip("/")
    return len(bare) > 3 and bare in context


async def _search(web: Web, offer: Offer, query: str) -> list[Found]:
    if offer.allowed:
        sites = " OR ".join(f"site:{one}" for one in offer.allowed)
        query = f"{query} ({sites})" if len(offer.allowed) > 1 else f"{query} {sites}"
    return [one for one in await web.search(query) if _is_permitted(one.url, offer)]


def found_text(found: Sequence[Found]) -> str:
    """Results of a search, for a model."""
    return listed(_search_content(found))


def page_text(page: Page) -> str:
    """A page, for a model."""
    return shown(_page_content(page))


def _search_content(found: Sequence[Found]) -> list[dict[str, Any]]:
    return [
        {
            "type": "web_search_result",
            "title": one.title,
            "url": one.url,
            # Anthropic's is for Anthropic's eyes. Ours comes back with the history, and is what we tell the model then.
            "encrypted_content": one.snippet,
            "page_age": one.age,
        }
        for one in found
    ]


def listed(content: object) -> str:
    """Results of a search as a text for the model."""
    rows = [one for one in content if isinstance(one, Mapping)] if isinstance(content, list) else []
    told = []
    for number, row in enumerate(rows, 1):
        age = f" ({row['page_age']})" if row.get("page_age") else ""
        snippet = str(row.get("encrypted_content") or "")
        # One without a blank is none of ours: it came from the vendor, who alone can read it.
        told.append(f"{number}. {row.get('title')}{age}\n{row.get('url')}" + (f"\n{snippet}" if " " in snippet else ""))
    return "\n\n".join(told) or "No results."


def _page_content(page: Page) -> dict[str, Any]:
    return {
        "type": "web_fetch_result",
        "url": page.url,
        "content": {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": page.text},
            "title": page.title or None,
        },
        "retrieved_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def shown(content: object) -> str:
    """A fetched page as a text for the model."""
    told = content if isinstance(content, Mapping) else {}
    document = told.get("content")
    document = document if isinstance(document, Mapping) else {}
    source = document.get("source")
    text = source.get("data") if isinstance(source, Mapping) and source.get("type") == "text" else None
    head = f"{document['title']}\n" if document.get("title") else ""
    return f"{head}{told.get('url')}\n\n{text if isinstance(text, str) else '[This page is not text.]'}"


def _texts(value: object) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str) and one) if isinstance(value, list) else ()


def _is_permitted(url: str, offer: Offer) -> bool:
    if offer.allowed and not any(_is_of(url, one) for one in offer.allowed):
        return False
    return not any(_is_of(url, one) for one in offer.blocked)


def _is_of(url: str, domain: str) -> bool:
    """Whether a page is of a domain, or below it; a domain may have a path."""
    host, slash, path = domain.lower().partition("/")
    try:
        parts = urlsplit(url)
        there = (parts.hostname or "").lower()
    except ValueError:
        return False
    return (there == host or there.endswith(f".{host}")) and parts.path.lower().startswith(slash + path)
