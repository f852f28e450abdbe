# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of an error that nobody expected."""

from __future__ import annotations

import traceback

_LONGEST = 200
"""Lines of a traceback, of the errors that led to another too."""


def defect(error: BaseException) -> dict[str, str]:
    """``msg`` and ``exception`` of the failure that a defect of ours is: where it happened, without the error's own text.

    That text is often the value that was not expected, and the value may be a secret. What the system says of a file is none.
    """
    lines: list[str] = []
    one: BaseException | None = error
    while one is not None and len(lines) < _LONGEST:
        lines[:0] = [*traceback.format_tb(one.__traceback__), f"{_named(one)}\n"]
        one = one.__cause__ or one.__context__
    return {
        "msg": f"A defect of fmapi.coding_agents: {_named(error)}. Report it with what the same command shows with "
        "ANSIBLE_DISPLAY_TRACEBACK=error before it and -vvv behind it",
        "exception": "".join(lines),
    }


def _named(error: BaseException) -> str:
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, OSError) else name
