# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens, and why there is none."""

from __future__ import annotations

from typing import NamedTuple

from .. import careful

RETRY_MAY_HELP = 1
PERSON_MUST_SIGN_IN = 2
"""Exit statuses of the helper when it has no token."""

LATEST = 253402300799
"""The last second of the year 9999. What ends later ends never, and no clock shows it."""

_LONGEST_LIFE_SECONDS = 400 * 86400
_LONGEST_MESSAGE = 2000


class Token(NamedTuple):
    """``expires_at`` is in seconds since the epoch on this host's clock."""

    value: str
    expires_at: int

    def __repr__(self) -> str:
        return f"Token(expires_at={self.expires_at})"


def token_text(value: object) -> str:
    """The token in an answer. Raises ValueError for what no header could carry, and no line of the cache hold."""
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("no token")
    return value


def expiry_in(seconds: object, now: float) -> int:
    """When a token ends that is said to live so long from now on. Raises ValueError for no number of seconds that a token can have."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float, str)) or len(str(seconds)) > 40:
        raise ValueError("no lifetime")
    life = float(seconds)
    if not 0 < life <= _LONGEST_LIFE_SECONDS:  # not for NaN either
        raise ValueError("no lifetime")
    return int(now + life)


class TokenError(Exception):
    """No token. The message is one line: what failed, and the command or step that mends it. Never a secret."""

    at_hand: Token | None = None
    """One that lives still and cannot be replaced now."""

    def __init__(self, message: str, exit_status: int = RETRY_MAY_HELP, hint: str | None = None) -> None:
        # It may quote what a workspace or a program said, and is printed on a terminal.
        text, hint = careful.line(message, _LONGEST_MESSAGE), careful.line(hint or "", _LONGEST_MESSAGE)
        self.told = f"{text}\n{hint}" if hint else text
        super().__init__(f"{text}. {hint}" if hint else text)
        self.exit_status = exit_status


class TokenRefused(TokenError):
    """The workspace refuses what the identity has: a token of it that is still at hand is no better."""
