# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch every process of this machine for strings that must not stand in its arguments or its environment."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Sequence
from types import TracebackType


class Watch:
    """A context manager that reads ``/proc`` over and over and fails at its end if it saw one of ``secrets``.

    A look takes some milliseconds, so that a process that lives shorter may be missed: what is proved is that nothing
    that does work (ssh, npm, a module, a helper) carries a secret where other users of the machine can read it.

    :param about: watch only processes that have this in their arguments or their environment, such as the path of a home;
        for what takes a moment only, so that a single look is enough.
    :param kinds: files of ``/proc/PID`` to read; without ``environ`` when the operator has put a secret there.
    """

    def __init__(self, secrets: Sequence[str], about: str = "", kinds: Sequence[str] = ("cmdline", "environ")) -> None:
        self.kinds = kinds
        self.secrets = [secret.encode() for secret in secrets]
        self.about = about.encode()
        self.found: set[str] = set()
        self.looks = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Watch:
        if self.secrets and os.path.isdir("/proc/self"):
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            assert self.looks > (0 if self.about else 10), "the processes were not watched"
            assert not self.found, f"a secret stood in: {sorted(self.found)}"

    def _watch(self) -> None:
        while not self._stop.is_set():
            self.look()
            self._stop.wait(0.05 if self.about else 0.003)

    def look(self) -> None:
        """Read the arguments and the environment of each process once."""
        self.looks += 1
        for process in os.listdir("/proc"):
            if not process.isdigit():
                continue
            texts: dict[str, bytes] = {}
            for kind in self.kinds:
                with contextlib.suppress(OSError), open(f"/proc/{process}/{kind}", "rb") as stream:
                    texts[kind] = stream.read()
            if not any(self.about in text for text in texts.values()):
                continue
            for kind, text in texts.items():
                if any(secret in text for secret in self.secrets):
                    program = text.split(b"\0")[0].decode(errors="replace") if kind == "cmdline" else process
                    self.found.add(f"{kind} of {program}")
