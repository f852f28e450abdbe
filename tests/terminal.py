# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody at a terminal who answers what a program asks: a real pseudo-terminal, and the program in its foreground."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_LOCAL_FLAGS = 3
_AFTER_RAW = 0.2
"""Seconds: Ansible throws away what was typed before it reads, which it does at once when the terminal no longer edits lines."""


class Conversation:
    """A program in a terminal of ``columns``."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], cwd: Path, columns: int = 160) -> None:
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))

        def in_the_foreground() -> None:
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

        self._process = subprocess.Popen(
            list(command),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**env, "TERM": "xterm-256color"},
            cwd=cwd,
            start_new_session=True,
            preexec_fn=in_the_foreground,  # noqa: PLW1509 - no thread is running
        )
        os.close(theirs)
        self._shown = b""
        self._read = 0

    @property
    def raw(self) -> str:
        """All that the program has written to the terminal."""
        return self._shown.decode("utf-8", "replace")

    @property
    def shown(self) -> str:
        """All that the terminal has shown, without colours and without what was wiped."""
        text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", self.raw)
        return text.replace("\r", "")

    def answer(self, question: str, text: str = "", seconds: float = 90.0) -> None:
        """Wait for a question that was not answered yet, and type a line."""
        self._until(question, seconds)
        self._until_raw(seconds)
        os.write(self._ours, f"{text}\r".encode())

    def end(self, seconds: float = 90.0) -> int:
        """Wait for the program's end; returns its status."""
        limit = time.monotonic() + seconds
        while self._more(limit, "its end"):
            pass
        os.close(self._ours)
        return self._process.wait(seconds)

    def _until(self, text: str, seconds: float) -> None:
        limit = time.monotonic() + seconds
        while text not in self.shown[self._read :]:
            assert self._more(limit, text), f"ended before it asked: {text}\n{self.shown[-4000:]}"
        self._read += self.shown[self._read :].index(text) + len(text)

    def _until_raw(self, seconds: float) -> None:
        limit = time.monotonic() + seconds
        while termios.tcgetattr(self._ours)[_LOCAL_FLAGS] & termios.ICANON:
            assert time.monotonic() < limit, "nobody reads"
            time.sleep(0.05)
        time.sleep(_AFTER_RAW)

    def _more(self, limit: float, what: str) -> bool:
        """Whether there is more to read."""
        left = limit - time.monotonic()
        assert left > 0, f"not shown in time: {what}\n{self.shown[-4000:]}"
        if not select.select([self._ours], [], [], min(left, 0.5))[0]:
            return True
        try:
            part = os.read(self._ours, 1 << 16)
        except OSError:  # Linux says so when nobody has the terminal any more
            return False
        self._shown += part
        return bool(part)
