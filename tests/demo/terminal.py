# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demonstration prints: headings, commands, the real output of those commands, and what was expected of it.

Every line of a program's own output stands behind ``  | ``, so that nobody takes our words for its words.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

WIDTH = 100
_COLOURS = {"bold": "1", "red": "31", "green": "32", "cyan": "36", "dim": "2"}
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def coloured() -> bool:
    """Whether colours are wanted: at a terminal, unless NO_COLOR says no (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, *colours: str) -> str:
    """Return the text in colours where they are wanted."""
    if not coloured():
        return text
    return "".join(f"\x1b[{_COLOURS[colour]}m" for colour in colours) + text + "\x1b[0m"


def say(text: str = "") -> None:
    """Print one paragraph, wrapped."""
    print("\n".join(textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)) or "", flush=True)


def heading(text: str) -> None:
    """Print the heading of a step."""
    print(f"\n{paint('=' * WIDTH, 'cyan')}\n{paint(text, 'bold', 'cyan')}\n{paint('=' * WIDTH, 'cyan')}", flush=True)


def quote(lines: Sequence[str]) -> None:
    """Print lines that are not ours: a program's, or a file's."""
    for line in lines:
        print(f"{paint('  |', 'dim')} {line}".rstrip(), flush=True)


def shell_words(arguments: Sequence[str], variables: Mapping[str, str] | None = None) -> str:
    """Return a command as a shell takes it."""
    assignments = [f"{name}={shlex.quote(value)}" for name, value in (variables or {}).items()]
    return " ".join([*assignments, shlex.join(arguments)])


@dataclass
class Ran:
    """One command that has ended: its exit status and all its output, without colours."""

    status: int
    lines: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    shown: str | None = None,
    cwd: Path | None = None,
) -> Ran:
    """Show a command, run it, and print its output as it comes.

    Output goes through a pipe of its own: a program such as node that makes its standard error non-blocking must not do so
    to the next one. Standard input is empty, so nothing can wait for an answer.

    :param shown: what to print as the command, when a reader would have to type something else than ``arguments``.
    """
    print(f"\n{paint('$ ' + (shown or shell_words(arguments)), 'bold')}", flush=True)
    ran = Ran(-1)
    begin = time.monotonic()
    with subprocess.Popen(
        list(arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        cwd=cwd,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        if process.stdout is None:
            raise RuntimeError("a pipe was asked for")
        try:
            for line in process.stdout:
                line = line.rstrip("\n")
                ran.lines.append(_ESCAPES.sub("", line))
                quote([line])
        except BaseException:
            _interrupt(process)
            raise
    ran.status = process.returncode
    ran.seconds = time.monotonic() - begin
    print(paint(f"    exit status {ran.status}, {ran.seconds:.1f} s", "dim"), flush=True)
    return ran


def _interrupt(process: subprocess.Popen[str]) -> None:
    """End a program as Ctrl-C does (ansible-playbook then ends what it has started), or with force when it does not."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
