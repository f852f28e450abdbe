# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A page for a model: what is fetched, what is not, and how much of it."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import tracemalloc

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.asking import Asking
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.fetch import Fetching
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.found import Page, WebError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.guard import Guard
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.reading import Reader
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.robots import simple

from tests.unit.relay_web.web_site import Reply, Site

PAGE = """<!doctype html><html><head><title>A  page</title><style>p {color: red}</style></head><body>
<nav><a href="/home">Home</a><a href="#part">Part</a><a href="javascript:x()">Do</a></nav>
<h2>News</h2><p>First <b>bold</b> &amp; second.<script>var hidden = 1;</script></p><noscript>no script</noscript>
<ul><li>one<li>two</ul><pre>a
  b</pre><table><tr><td>x</td><td>y</td></tr></table></body></html>"""


def _fetching(budget: int = 10_000, seconds: float = 10.0) -> Fetching:
    return Fetching(Asking(ssl.create_default_context(), Guard(["127.0.0.0/8"])), budget, seconds)


def _fetch(url: str, budget: int = 10_000) -> Page:
    return asyncio.run(_fetching(budget).fetch(url))


def _refusal(url: str, fetching: Fetching | None = None) -> str:
    with pytest.raises(WebError) as caught:
        asyncio.run((fetching or _fetching()).fetch(url))
    return caught.value.code


def test_a_page_becomes_readable_text(site: Site) -> None:
    site.pages["/a"] = Reply(PAGE.encode())
    page = _fetch(site.url("/a#part"))
    assert (page.url, page.title) == (site.url("/a"), "A page")
    assert f"[Home]({site.url('/home')})" in page.text
    assert "## News" in page.text and "First bold & second." in page.text
    assert "- one\n- two" in page.text and "a\nb" in page.text and "| x | y" in page.text
    for unseen in ("hidden", "color", "no script", "javascript", "<", "#part"):
        assert unseen not in page.text
    assert site.asked[-1].headers["user-agent"].startswith("fmapi-coding-agents/")
    assert "cookie" not in site.asked[-1].headers and "authorization" not in site.asked[-1].headers


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/json", "application/problem+json", "text/markdown; charset=utf-8"]
)
def test_text_of_another_kind_is_given_as_it_is(site: Site, kind: str) -> None:
    site.pages["/a"] = Reply(b'{"a": "<b>"}', kind)
    assert _fetch(site.url("/a")).text == '{"a": "<b>"}'


@pytest.mark.parametrize("kind", ["application/pdf", "image/png", "application/octet-stream"])
def test_what_is_no_text_is_refused(site: Site, kind: str) -> None:
    site.pages["/a"] = Reply(b"%PDF", kind)
    assert _refusal(site.url("/a")) == "unsupported_content_type"


def test_the_encoding_is_the_one_that_is_named(site: Site) -> None:
    for kind, body in (
        ("text/html; charset=iso-8859-1", "é".encode("latin-1")),
        ("text/html", '<meta charset="windows-1252">é'.encode("cp1252")),
        ("text/html; charset=no-such", "é".encode()),
        ("text/html; charset=base64", "é".encode()),
    ):
        site.pages["/a"] = Reply(body, kind)
        assert _fetch(site.url("/a")).text == "é", kind


def test_a_page_is_cut_at_the_budget_and_says_so(site: Site) -> None:
    site.pages["/a"] = Reply(("<p>" + "é" * 5000 + "</p>").encode())
    text = _fetch(site.url("/a"), budget=1001).text
    assert text.startswith("é" * 500 + "\n") and text.endswith("[The page is longer: the rest was left out.]")
    assert "left out" not in _fetch(site.url("/a"), budget=10_000).text


def test_a_packed_page_is_unpacked_within_bounds(site: Site) -> None:
    site.pages["/a"] = Reply(gzip.compress(b"<p>packed</p>"), headers={"Content-Encoding": "gzip"})
    assert _fetch(site.url("/a")).text == "packed"
    bomb = gzip.compress(b"x" * (100 << 20), 9)
    site.pages["/bomb"] = Reply(bomb, "text/plain", headers={"Content-Encoding": "gzip"})
    tracemalloc.start()
    try:
        assert len(_fetch(site.url("/bomb")).text) < 11_000
        assert tracemalloc.get_traced_memory()[1] < 20 << 20, "it is not unpacked further than it is read"
    finally:
        tracemalloc.stop()
    site.pages["/odd"] = Reply(b"??", headers={"Content-Encoding": "br"})
    assert _refusal(site.url("/odd")) == "url_not_accessible"


def test_three_redirects_are_followed_and_a_fourth_is_not(site: Site) -> None:
    for number in range(4):
        site.pages[f"/{number}"] = Reply(status=302, headers={"Location": f"{number + 1}"})
    site.pages["/4"] = Reply(b"<p>there</p>")
    assert _fetch(site.url("/1")) == Page(site.url("/4"), "", "there")
    assert _refusal(site.url("/0")) == "url_not_accessible"


@pytest.mark.parametrize("where", ["ftp://site.example/", "https://user:word@site.example/", "http://[::1", "data:,x"])
def test_a_redirect_to_what_is_no_page_is_refused(site: Site, where: str) -> None:
    site.pages["/a"] = Reply(status=302, headers={"Location": where})
    assert _refusal(site.url("/a")) == "url_not_allowed"


@pytest.mark.parametrize(
    ("status", "code"), [(404, "url_not_accessible"), (500, "url_not_accessible"), (429, "too_many_requests")]
)
def test_an_error_of_the_site_is_an_error(site: Site, status: int, code: str) -> None:
    site.pages["/a"] = Reply(b"<p>sorry</p>", status=status)
    assert _refusal(site.url("/a")) == code


def test_nobody_there_is_an_error() -> None:
    assert _refusal("http://127.0.0.1:9/") == "url_not_accessible"


def test_a_site_that_does_not_answer_is_given_up(site: Site) -> None:
    site.pages["/a"] = Reply(b"<p>late</p>")
    site.is_open.clear()
    assert _refusal(site.url("/a"), _fetching(seconds=0.2)) == "url_not_accessible"


def test_robots_txt_is_heeded_and_read_once(site: Site) -> None:
    site.pages["/robots.txt"] = Reply(b"User-agent: *\nDisallow: /no\nAllow: /no/but\n", "text/plain")
    for path in ("/yes", "/no", "/no/but"):
        site.pages[path] = Reply(b"<p>page</p>")

    async def fetch_all() -> list[str]:
        fetching, told = _fetching(), []
        for path in ("/yes", "/no", "/no/but"):
            try:
                told.append((await fetching.fetch(site.url(path))).text)
            except WebError as error:
                told.append(error.code)
        return told

    assert asyncio.run(fetch_all()) == ["page", "url_not_allowed", "page"]
    assert site.paths() == ["/robots.txt", "/yes", "/no/but"]


def test_what_robots_txt_says_to_us_by_name_counts_before_what_it_says_to_all(site: Site) -> None:
    site.pages["/a"] = Reply(b"<p>page</p>")
    site.pages["/robots.txt"] = Reply(
        b"User-agent: fmapi-coding-agents\nDisallow: /\n\nUser-agent: *\nDisallow:\n", "text/plain"
    )
    assert _refusal(site.url("/a")) == "url_not_allowed"
    site.pages["/robots.txt"] = Reply(
        b"User-agent: *\nDisallow: /\n\nUser-agent: fmapi-coding-agents\nAllow: /\n", "text/plain"
    )
    assert _fetch(site.url("/a")).text == "page"


def test_a_redirect_to_what_robots_txt_forbids_is_not_followed(site: Site) -> None:
    site.pages["/robots.txt"] = Reply(b"User-agent: *\nDisallow: /no\n", "text/plain")
    site.pages["/a"] = Reply(status=301, headers={"Location": "/no"})
    site.pages["/no"] = Reply(b"<p>page</p>")
    assert _refusal(site.url("/a")) == "url_not_allowed"
    assert "/no" not in site.paths()


def test_a_broken_site_allows_nothing_and_one_without_robots_txt_allows_all(site: Site) -> None:
    site.pages["/a"] = Reply(b"<p>page</p>")
    assert _fetch(site.url("/a")).text == "page"
    site.pages["/robots.txt"] = Reply(status=503)
    assert _refusal(site.url("/a")) == "url_not_allowed"


def test_a_pattern_that_would_be_matched_for_hours_is_shortened() -> None:
    hostile = "User-agent: *\nDisallow: /" + "a*" * 30 + "b\nAllow: /a*b$\nDisallow: /x**y***z\n"
    assert simple(hostile) == "User-agent: *\nDisallow: /a*a*\nAllow: /a*b$\nDisallow: /x*y*"


def test_such_a_robots_txt_does_not_hold_anybody_up(site: Site) -> None:
    site.pages["/robots.txt"] = Reply(b"User-agent: *\n" + b"Disallow: /*a*a*a*a*a*a*a*b\n" * 50, "text/plain")
    path = "/" + "c" * 1000
    site.pages[path] = Reply(b"<p>page</p>")
    assert _fetch(site.url(path)).text == "page"


@pytest.mark.parametrize("piece", ["<!--", "<![", "<a b='", "&#", "</", "<p><", "<?"])
def test_a_page_that_is_made_to_be_read_slowly_is_given_up(piece: str) -> None:
    reader = Reader("https://site.example/").read("<p>seen</p>" + piece * 200_000)
    assert "seen" in reader.text
