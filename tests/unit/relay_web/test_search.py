# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each search service, as a server of this machine that answers like it."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.settings import WEB_KEY_NAME, Settings
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.asking import Asking
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.backends import Backends
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.found import Found, WebError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.search import Searching

from tests.unit.relay_web.web_site import Reply, Site

RESULT = """<div class="result results_links web-result"><h2 class="result__title">
<a rel="nofollow" class="result__a" href="//duckduckgo.com/l/?uddg=https%3A%2F%2Fsite.example%2Fpage%3Fa%3Db&amp;rut=1">
A <b>page</b> &amp; more</a></h2>
<a class="result__url" href="x">site.example</a>
<a class="result__snippet" href="x">What it <b>says</b>.</a></div>"""
ADVERTISEMENT = """<div class="result result--ad">
<a class="result__a" href="//duckduckgo.com/y.js?ad_domain=shop.example&amp;uddg=https%3A%2F%2Fshop.example%2F">Buy</a>
<a class="result__snippet" href="x">An advertisement</a></div>"""


def _searching(service: str, url: str | None, secret: Callable[[], str] = str) -> Searching:
    return Searching(service, url, Asking(ssl.create_default_context(), None), secret)


def _search(searching: Searching, query: str = "what is  new?") -> list[Found]:
    return asyncio.run(searching.search(query))


def _refusal(searching: Searching, query: str = "news") -> WebError:
    with pytest.raises(WebError) as caught:
        _search(searching, query)
    return caught.value


def test_duckduckgos_page_is_read_without_its_advertisements(site: Site) -> None:
    site.pages["/html/"] = Reply(f"<html><body>{ADVERTISEMENT}{RESULT}</body></html>".encode())
    assert _search(_searching("duckduckgo", site.url("/html/"))) == [
        Found("A page & more", "https://site.example/page?a=b", "What it says.")
    ]
    (asked,) = site.asked
    assert (asked.method, asked.path) == ("POST", "/html/")
    assert parse_qs(asked.body.decode()) == {"q": ["what is new?"]}


def test_five_results_are_enough(site: Site) -> None:
    site.pages["/html/"] = Reply((RESULT * 9).encode())
    assert len(_search(_searching("duckduckgo", site.url("/html/")))) == 5
    rows = [{"title": f"T{n}", "url": f"https://s.example/{n}"} for n in range(9)]
    site.pages["/search"] = Reply(json.dumps({"results": rows}).encode(), "application/json")
    assert len(_search(_searching("searxng", site.url()))) == 5


def test_searxng_is_asked_for_json(site: Site) -> None:
    rows = [
        {"title": "T <b>x</b>", "url": "https://s.example/", "content": "says", "publishedDate": "2026-01-02"},
        {"title": "no web page", "url": "javascript:1"},
        "rubbish",
    ]
    site.pages["/search"] = Reply(json.dumps({"results": rows}).encode(), "application/json")
    assert _search(_searching("searxng", site.url())) == [Found("T x", "https://s.example/", "says", "2026-01-02")]
    assert parse_qs(site.asked[0].path.partition("?")[2]) == {"q": ["what is new?"], "format": ["json"]}


def test_brave_gets_the_key_in_a_header_and_nowhere_else(site: Site) -> None:
    rows = [{"title": "T", "url": "https://b.example/", "description": "says <strong>it</strong>", "age": "2 days ago"}]
    site.pages["/res"] = Reply(json.dumps({"web": {"results": rows}}).encode(), "application/json")
    assert _search(_searching("brave", site.url("/res"), lambda: "the-key")) == [
        Found("T", "https://b.example/", "says it", "2 days ago")
    ]
    (asked,) = site.asked
    assert asked.headers["x-subscription-token"] == "the-key" and "the-key" not in asked.path
    assert _refusal(_searching("brave", site.url("/res"))).code == "unavailable"


def test_a_key_that_others_can_read_is_no_key(tmp_path: Path, site: Site) -> None:
    config = Config(str(tmp_path), "https://w.example", "p", "user", 15)
    settings = Settings(config="/c", upstreams={}, web_search="brave", web_search_url=site.url("/res"))
    key = Path(config.data_directory, WEB_KEY_NAME)
    key.parent.mkdir(parents=True)
    key.write_text("the-key\n")
    key.chmod(0o600)
    site.pages["/res"] = Reply(b'{"web": {"results": []}}', "application/json")
    backends = Backends.of(settings, config)
    assert asyncio.run(backends.search("news")) == []
    assert site.asked[0].headers["x-subscription-token"] == "the-key"
    key.chmod(0o644)
    with pytest.raises(WebError, match="not on this host"):
        asyncio.run(backends.search("news"))


@pytest.mark.parametrize("service", ["duckduckgo", "searxng", "brave"])
@pytest.mark.parametrize(
    ("status", "code"), [(429, "too_many_requests"), (403, "unavailable"), (500, "unavailable"), (302, "unavailable")]
)
def test_what_a_service_refuses_is_an_error(site: Site, service: str, status: int, code: str) -> None:
    path = {"duckduckgo": "/html/", "searxng": "/search", "brave": "/res"}[service]
    site.pages[path] = Reply(b"no", status=status, headers={"Location": "/elsewhere"})
    url = site.url() if service == "searxng" else site.url(path)
    error = _refusal(_searching(service, url, lambda: "the-key"))
    assert error.code == code and "the-key" not in str(error)
    assert len(site.asked) == 1, "no redirect is followed, with a query and a key in it"


def test_the_page_that_wants_a_person_is_no_empty_result(site: Site) -> None:
    site.pages["/html/"] = Reply(b"<html>Select all squares with ducks</html>", status=202)
    assert _refusal(_searching("duckduckgo", site.url("/html/"))).code == "too_many_requests"


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"results": {}}', b'{"results": [{"url": 1}]}'])
def test_rubbish_gives_no_results(site: Site, body: bytes) -> None:
    site.pages["/search"] = Reply(body, "application/json")
    searching = _searching("searxng", site.url())
    if body.startswith(b"{"):
        assert _search(searching) == []
    else:
        assert _refusal(searching).code == "unavailable"


def test_queries_that_nobody_can_search_for_are_refused_before_they_are_sent(site: Site) -> None:
    assert _refusal(_searching("duckduckgo", site.url("/html/")), " \n").code == "invalid_tool_input"
    assert _refusal(_searching("duckduckgo", site.url("/html/")), "x" * 1001).code == "query_too_long"
    assert site.asked == []


def test_where_nobody_searches_it_says_so() -> None:
    assert _refusal(_searching("none", None)).code == "unavailable"
    assert _refusal(_searching("searxng", None)).code == "unavailable"
    assert _refusal(_searching("searxng", "http://127.0.0.1:9")).code == "unavailable"


def test_an_operators_service_may_stand_where_pages_may_not(tmp_path: Path, site: Site) -> None:
    """SearXNG is often on a private network. What it finds there is not fetched."""
    config = Config(str(tmp_path), "https://w.example", "p", "user", 15)
    settings = Settings(config="/c", upstreams={}, web_search="searxng", web_search_url=site.url())
    rows = [{"title": "Inner", "url": site.url("/inner")}]
    site.pages["/search"] = Reply(json.dumps({"results": rows}).encode(), "application/json")
    site.pages["/inner"] = Reply(b"secret")
    backends = Backends.of(settings, config)
    (found,) = asyncio.run(backends.search("news"))
    with pytest.raises(WebError) as caught:
        asyncio.run(backends.fetch(found.url))
    assert caught.value.code == "url_not_allowed"
    allowing = Backends.of(settings._replace(web_allowed_addresses=["127.0.0.0/8"]), config)
    assert asyncio.run(allowing.fetch(found.url)).text == "secret"


def test_a_search_that_nobody_waits_for_any_more_ends_at_once_whatever_it_is_at(site: Site) -> None:
    """At one of these steps it has just connected, where a cancellation is easily lost."""
    site.is_open.clear()

    async def left_alone(steps: int) -> bool:
        searching = asyncio.ensure_future(_searching("searxng", site.url()).search("news"))
        for _step in range(steps):
            await asyncio.sleep(0)
        searching.cancel()
        await asyncio.wait({searching}, timeout=5)
        return searching.cancelled()

    async def all_steps() -> list[int]:
        return [steps for steps in range(40) if not await left_alone(steps)]

    assert asyncio.run(all_steps()) == []
