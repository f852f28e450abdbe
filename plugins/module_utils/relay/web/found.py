# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the backends give, and how they fail."""

from __future__ import annotations

from typing import NamedTuple

INVALID, TOO_LONG, NOT_ALLOWED, NOT_IN_CONTEXT = (
    "invalid_tool_input",
    "url_too_long",
    "url_not_allowed",
    "url_not_in_prior_context",
)
NOT_ACCESSIBLE, WRONG_TYPE, TOO_MANY, USED_UP, UNAVAILABLE = (
    "url_not_accessible",
    "unsupported_content_type",
    "too_many_requests",
    "max_uses_exceeded",
    "unavailable",
)
"""The words of Anthropic's server tools."""


class Found(NamedTuple):
    """One result of a search."""

    title: str
    url: str
    snippet: str
    age: str | None = None


class Page(NamedTuple):
    """What was fetched, as text. ``url`` is where it stands after all redirects."""

    url: str
    title: str
    text: str


class WebError(Exception):
    """No result. The code is for programs, the message for the model: one sentence that says what failed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
