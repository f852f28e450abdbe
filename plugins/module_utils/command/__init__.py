# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``coding-agents`` on a host, for the person who works there.

What agents call (``token``, ``headers``) and ``login`` are the host program's own, and nothing here is imported for them. Every other
verb goes by what the host remembers of its rollout, and runs the code of the rollout itself: compiled, as modules keep it.
"""

from __future__ import annotations

import sys

_OF_HOST_PROGRAM = ("token", "headers", "login")


def main(arguments: list[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["--config"] and len(words) > 2 and words[2] in _OF_HOST_PROGRAM:
        from ..host_program.main import main as host_program

        return host_program(words)
    from . import compiled

    with compiled.code(words[1] if words[:1] == ["--config"] and len(words) > 1 else ""):
        from .entry import run

        return run(words)
