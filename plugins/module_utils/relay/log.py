# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay's log: when, what, how long; never a header's value or a body. A log that cannot be written changes nothing."""

from __future__ import annotations

import logging
import os
import re

from ..host_program import log as files
from .ends import Cut
from .places import Places

MOST_BYTES = 1 << 20
"""A log that has grown to this takes the place of the old one (``.1``), and a new one begins."""

_HIDDEN = "..."
_SECRETS = (
    re.compile(r"(?i)\b(bearer|basic)[ =:]+[A-Za-z0-9._~+/=-]{6,}"),
    re.compile(
        r"(?i)\b(authorization|(?:x-)?(?:goog-)?api-key|x-databricks-[a-z-]*token|cookie)\b['\"]?\s*[:=]\s*\S.*"
    ),
    re.compile(
        r"(?i)\b(\w*(?:token|secret|password|key))\b"
        r"['\"]?\s*[:=]\s*['\"]?[^\s'\",;&}]{6,}"
    ),
    re.compile(r"()\b(?:dapi|dkea|dose|ddbr)[A-Za-z0-9-]{8,}"),
    re.compile(r"()\b(?:sk|pk|ghp|gho|github_pat|xox[a-z])[-_][A-Za-z0-9_-]{10,}"),
    re.compile(r"()\beyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,4}"),
    re.compile(r"()//[^/\s@]+@"),
    re.compile(r"()\b[A-Za-z0-9_-]{40,}\b"),
)
"""What a token looks like, and what stands where one would. No line of ours has one: this is for what others say in an error."""


class Log:
    """Of one user's relay."""

    def __init__(self, places: Places) -> None:
        self._path = places.log

    def write(self, event: str) -> None:
        """Add a line."""
        # It may have been taken away while the last streams come to their end.
        if os.path.isdir(os.path.dirname(self._path)):
            files.append(self._path, redacted(" ".join(event.split())), MOST_BYTES)


def redacted(text: str) -> str:
    """A text without what may be a secret."""
    for pattern in _SECRETS:
        text = pattern.sub(_replacement, text)
    return text


def _replacement(found: re.Match[str]) -> str:
    return f"{found.group(1)} {_HIDDEN}" if found.group(1) else _HIDDEN


class Handler(logging.Handler):
    """What the libraries say, for the log: their words and the kind of an error, never where it happened or what it held."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, Cut):  # it is in the request's own line
            return
        kind = f" ({type(error).__name__})" if error is not None else ""
        self._log.write(f"{record.getMessage()}{kind}")
