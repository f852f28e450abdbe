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
    r"token|secret|password|passwd|credential|authorization|(?<![a-z])key(?![a-z])|_key|key_|apikey", re.IGNORECASE
)
_HARMLESS_NAMES = frozenset(
    (
        "apiKeyHelper",
        "CLAUDE_CODE_API_KEY_HELPER_TTL_MS",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
        "MAX_THINKING_TOKENS",
        "token_ttl_minutes",
    )
)
_JWT = r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"
_PAT = r"(?:dapi|dose|dkea)[0-9a-f]{16,}(?:-\d+)?"
_SHAPES = re.compile(
    rf"{_JWT}|{_PAT}|(?<=Bearer )[A-Za-z0-9._~+/=-]{{8,}}|\b(?:sk|ghp|gho|xox[abp]|AKIA)[-_A-Za-z0-9]{{12,}}"
)
_MEMBER = re.compile(r'"(?P<name>(?:[^"\\]|\\.)*)"(?P<sign>\s*:\s*)"(?P<value>(?:[^"\\]|\\.)*)"')
_ASSIGNMENT = re.compile(r"(?m)^(?P<name>[^\S\n]*[A-Za-z0-9_.-]+)(?P<sign>[ \t]*=[ \t]*)(?P<value>[^\r\n]+)")


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


def masked_pair(before: str, after: str) -> tuple[str, str]:
    """Two texts of one file for a diff, secrets replaced; one that differs between them shows as changed, not as the same."""
    known: dict[str, list[str]] = {}
    return _masked(before, known, first=True), _masked(after, known, first=False)


def _masked(text: str, known: dict[str, list[str]], first: bool) -> str:
    def member(match: re.Match[str]) -> str:
        name, value = match["name"].strip(), match["value"]
        if (
            name in _HARMLESS_NAMES
            or not _SECRET_NAME.search(name)
            or value in ("", "true", "false")
            or value.isdigit()
        ):
            return match[0]
        if first:
            known.setdefault(name, []).append(value)
        shown = CHANGED if not first and name in known and value not in known[name] else MASK
        start = match.start("value") - match.start()
        return match[0][:start] + shown + match[0][start + len(value) :]

    text = _MEMBER.sub(member, text)
    text = _ASSIGNMENT.sub(member, text)
    return _SHAPES.sub(MASK, text)
