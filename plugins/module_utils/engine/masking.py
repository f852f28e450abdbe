# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Know a secret when we see one: for the diffs that operators read, and for what the ledger must not keep."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

MASK = "********"
CHANGED = MASK + " (value changed)"

_SECRET_NAME = re.compile(
    r"token|secret|password|passwd|passphrase|credential|authorization|(?<![a-z])keys?(?![a-z])|_key|key_|apikey"
    r"|(?-i:[a-z]Keys?(?![a-z]))",
    re.IGNORECASE,
)
_HARMLESS_NAMES = frozenset(
    (
        "apiKeyHelper",
        "CLAUDE_CODE_API_KEY_HELPER_TTL_MS",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
        "MAX_THINKING_TOKENS",
        "oidc_token_env",
        "oidc_token_file",
        "oidc_token_filepath",
        "token_audience",
        "token_ttl_minutes",
    )
)
_JWT = r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"
_PAT = r"(?:dapi|dose|dkea)[0-9a-f]{16,}(?:-\d+)?"
_SHAPES = re.compile(
    rf"{_JWT}|{_PAT}|(?<=Bearer )[A-Za-z0-9._~+/=-]{{8,}}|\b(?:sk|ghp|gho|xox[abp]|AKIA)[-_A-Za-z0-9]{{12,}}"
)
_SECRET_DIGITS = 6
"""A number of fewer digits is no secret: a port, a limit."""
_STRING = r'"(?:[^"\\\n]|\\.)*"'
# Every string is one match, a member's or not, closed or not: so none is looked for inside another, in time without end.
_MEMBER = re.compile(
    rf"(?P<name>{_STRING}?)(?:\s*:\s*(?:(?P<value>{_STRING})|(?P<list>\[\s*{_STRING}(?:\s*,\s*{_STRING})*\s*\])))?"
)
_NAMES = re.compile(r"\s*:")
_ANY_STRING = re.compile(_STRING)
_ASSIGNMENT = re.compile(
    r"(?m)^[^\S\n]*(?:export[ \t]+)?(?P<name>[A-Za-z0-9_.-]+)(?P<sign>[ \t]*[=:][ \t]*)(?P<value>[^\s][^\r\n]*)"
)


def is_databricks_token(value: Any) -> bool:
    """A personal access token (``dapi...``) or an OAuth token that a workspace issued (a JWT whose issuer ends in ``/oidc``)."""
    if not isinstance(value, str):
        return False
    if re.fullmatch(_PAT, value):
        return True
    parts = value.split(".")
    if len(parts) != 3:
        return False
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return str(claims["iss"]).rstrip("/").endswith("/oidc")
    except (ValueError, KeyError, TypeError):
        return False


def masked_pair(before: str, after: str, private: frozenset[str] = frozenset()) -> tuple[str, str]:
    """Two texts of one file for a diff, secrets replaced; one that differs between them shows as changed, not as the same.

    ``private`` are texts that are not shown either, whatever their names: where one is a whole string of JSON.
    """
    private -= {one for one in private if one in ("", "true", "false") or (one.isdigit() and len(one) < _SECRET_DIGITS)}
    known: dict[str, list[str]] = {}
    return _masked(before, known, private, first=True), _masked(after, known, private, first=False)


def _masked(text: str, known: dict[str, list[str]], private: frozenset[str], first: bool) -> str:
    def is_private(value: str) -> bool:
        try:
            return bool(private) and json.loads(f'"{value}"', strict=False) in private
        except ValueError:
            return False

    def shown(name: str, value: str) -> str:
        if is_private(value):
            if first:
                known.setdefault("", []).append(value)
            return CHANGED if not first and value not in known.get("", ()) else MASK
        if name in _HARMLESS_NAMES or not _SECRET_NAME.search(name):
            return value
        if value in ("", "true", "false") or value.isdigit():
            return value
        if first:
            known.setdefault(name, []).append(value)
        return CHANGED if not first and name in known and value not in known[name] else MASK

    def member(match: re.Match[str]) -> str:
        name, start, end = match["name"][1:-1], match.end("name") - match.start(), match.end() - match.start()
        if end == start:  # an element of a list, or the name of a member that is no text
            hidden = is_private(name) and not _NAMES.match(match.string, match.end())
            return f'"{shown("", name)}"' if hidden else match[0]
        return match[0][:start] + _ANY_STRING.sub(lambda one: f'"{shown(name, one[0][1:-1])}"', match[0][start:end])

    def assignment(match: re.Match[str]) -> str:
        start = match.start("value") - match.start()
        return match[0][:start] + shown(match["name"], match["value"])

    text = _MEMBER.sub(member, text)
    text = _ASSIGNMENT.sub(assignment, text)
    return _SHAPES.sub(MASK, text)
