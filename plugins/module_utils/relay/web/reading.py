# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readable text out of HTML, without JavaScript: headings, paragraphs, lists, and links as Markdown has them."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from urllib.parse import urljoin

_UNSEEN = frozenset(
    {"script", "style", "noscript", "template", "svg", "iframe", "object", "canvas", "select", "button"}
)
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_LINES = frozenset({"dd", "dt", "li", "tr"})
_BLOCKS = (
    frozenset(
        {"address", "article", "aside", "blockquote", "div", "dl", "figcaption", "figure", "footer", "form", "header"}
    )
    | frozenset({"hr", "main", "nav", "ol", "p", "pre", "section", "table", "ul"})
    | _HEADINGS
    | _LINES
)
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_PART = 16 * 1024
_LONGEST_TAG = 64 * 1024
_SECONDS = 2.0
_LONGEST_TITLE = 300


def feed(parser: HTMLParser, source: str) -> None:
    """Read a source as far as it can be read. Bounded in time: some are made to be read slowly."""
    end = time.monotonic() + _SECONDS
    try:
        for at in range(0, len(source), _PART):
            parser.feed(source[at : at + _PART])
            if time.monotonic() > end or len(parser.rawdata) > _LONGEST_TAG:
                return
        parser.close()
    except AssertionError:  # what Python's parser says of a declaration that it cannot make sense of
        return


class Reader(HTMLParser):
    """``title`` and ``text`` are there after :meth:`read`."""

    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self._url = url
        self._unseen: list[str] = []
        self._in_title = False
        self._link = ""
        self._pre = 0
        self._parts: list[str] = []
        self.title = ""

    def read(self, source: str) -> Reader:
        feed(self, source)
        return self

    @property
    def text(self) -> str:
        lines = (line.strip() for line in "".join(self._parts).split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._unseen:
            if tag == self._unseen[-1]:
                self._unseen.append(tag)
            return
        if tag in _UNSEEN:
            self._unseen.append(tag)
        elif tag == "title":
            self._in_title = not self.title
        elif tag == "br":
            self._parts.append("\n")
        elif tag == "a":
            self._begin_link(dict(attrs).get("href") or "")
        elif tag in _BLOCKS:
            self._parts.append("\n" if tag in _LINES else "\n\n")
            if tag == "li":
                self._parts.append("- ")
            elif tag in _HEADINGS:
                self._parts.append("#" * int(tag[1]) + " ")
            self._pre += tag == "pre"
        elif tag in ("td", "th"):
            self._parts.append(" | ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._unseen:
            if tag == self._unseen[-1]:
                self._unseen.pop()
            return
        if tag == "title":
            self._in_title = False
        elif tag == "a":
            self._end_link()
        elif tag in _BLOCKS:
            self._pre -= tag == "pre" and self._pre > 0
            self._parts.append("\n")

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        if self._in_title:
            self.title = " ".join(f"{self.title} {data}".split())[:_LONGEST_TITLE]
        elif self._pre:
            self._parts.append(data)
        else:
            self._parts.append(re.sub(r"\s+", " ", data))

    def _begin_link(self, href: str) -> None:
        self._end_link()
        try:
            there = urljoin(self._url, href.strip())
        except ValueError:
            there = ""
        if href and not href.startswith("#") and there.startswith(("https://", "http://")):
            self._link = there
            self._parts.append("[")

    def _end_link(self) -> None:
        if self._link:
            self._parts.append(f"]({self._link})")
            self._link = ""
