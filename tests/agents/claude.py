# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start the real Claude Code as a developer or a script does."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

BEFORE = "2.1.197"
"""The version that was pinned before: people keep it while it will do."""

_LIMIT_SECONDS = 240.0
"""With an endless 401 Claude Code gives up after about 180 seconds; longer means that it hangs."""


def keep_tokens_for(home: Path, seconds: float) -> None:
    """Put another TTL into the settings of a rollout, whose shortest is a minute."""
    path = home / ".claude" / "settings.json"
    settings = json.loads(path.read_text())
    settings["env"]["CLAUDE_CODE_API_KEY_HELPER_TTL_MS"] = str(int(seconds * 1000))
    path.write_text(json.dumps(settings))


class Session:
    """One process of Claude Code that takes several turns (``--input-format stream-json``)."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], project: Path) -> None:
        self._errors = tempfile.NamedTemporaryFile(  # noqa: SIM115 closed in __exit__
            dir=project.parent, prefix="session-stderr-", delete=False
        )
        self._process = subprocess.Popen(
            [*command, "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=dict(environment),
            cwd=project,
            text=True,
        )
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                self._events.put(json.loads(line))
        self._events.put(None)

    def ask(self, prompt: str) -> dict[str, Any]:
        """Type one prompt; return the ``result`` event of that turn."""
        assert self._process.stdin is not None
        message = {"type": "user", "message": {"role": "user", "content": prompt}}
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        while True:
            event = self._events.get(timeout=_LIMIT_SECONDS)
            assert event is not None, f"the session ended: {self.errors()}"
            if event.get("type") == "result":
                return event

    def errors(self) -> str:
        """What it wrote on stderr so far."""
        return Path(self._errors.name).read_text(errors="replace")

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()


class Claude:
    """Claude Code with nothing in its environment but a home and a path: what it knows, it knows from its files."""

    def __init__(self, program: Path, project: Path, sessions: contextlib.ExitStack) -> None:
        self.program = program
        self.project = project
        self._sessions = sessions

    def environment(self, home: Path) -> dict[str, str]:
        node = os.path.dirname(shutil.which("node") or "/usr/bin/node")
        return {"HOME": str(home), "PATH": os.pathsep.join([node, "/usr/bin", "/bin"]), "LANG": "C.UTF-8"}

    def prompt(
        self, home: Path, text: str, *options: str, within: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """One prompt (``claude -p``); ``within`` is what the call is started with, such as ``ip netns exec``."""
        return subprocess.run(
            [*within, str(self.program), "-p", text, *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=self.environment(home),
            cwd=self.project,
            timeout=_LIMIT_SECONDS,
            check=False,
        )

    def session(self, home: Path, *options: str, within: Sequence[str] = ()) -> Session:
        """A session that ends with the test at the latest."""
        command = [*within, str(self.program), "-p", *options]
        return self._sessions.enter_context(Session(command, self.environment(home), self.project))
