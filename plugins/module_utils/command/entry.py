# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what was typed to what is done."""

from __future__ import annotations

import io
import os
import sys

from ..host_program.main import open_missing_streams
from . import completions, verbs
from .arguments import OK, parser

_INTERRUPTED = 130
"""As shells say it of a program that SIGINT has ended."""


def run(words: list[str]) -> int:
    """Do what the words say. Returns the exit status."""
    open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files may be anything
    if words[:1] == ["--config"] and words[2:3] == ["complete"]:  # what shells ask; not a verb for people
        return completions.complete(words[1], words[3:])
    options = parser().parse_args(words)
    try:
        return verbs.run(options)
    except BrokenPipeError:  # whoever read has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return OK
    except KeyboardInterrupt:
        return _INTERRUPTED
