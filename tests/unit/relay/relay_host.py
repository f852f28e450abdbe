# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A relay as a process, in a home of its own, and what asks it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import token_cache
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.token import Token
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.places import Places, own_key
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.settings import Settings

from tests.workspace.client import lasting_port

REPOSITORY = Path(__file__).resolve().parents[3]
_START = (
    f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); "
    "from plugins.module_utils.relay.main import main; sys.exit(main(sys.argv[1:]))"
)
START_SECONDS = 30.0
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzb21lYm9keSJ9.c2lnbmF0dXJlLW9mLXRoZS1maXJzdA"
"""What the cache holds where nobody is asked for a token."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Relay:
    """Of the user whose home is ``home``."""

    def __init__(self, home: Path, upstreams: Mapping[str, str], config: Config | None = None, **settings: Any) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        # With an identity that nothing can be asked for: the token is in the cache, or there is none.
        self.config = config or Config(str(home), "https://127.0.0.1:1", "fmapi", "user", 15)
        self.places = Places(str(home))
        self.key = own_key(self.places)
        self.process: subprocess.Popen[bytes] | None = None
        self.environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
        directory = Path(self.config.data_directory)
        self.file = directory / "relay.json"
        self.settings = Settings(str(directory / "config.json"), dict(upstreams), lasting_port())
        self.configure(**settings)

    def configure(self, **changes: Any) -> None:
        """The rollout's two files."""
        self.settings = self.settings._replace(**changes)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        Path(self.settings.config).write_text(self.config.to_json())
        self.file.write_text(self.settings.to_json())

    def keep(self, value: str = TOKEN, lifetime: int = 3600) -> None:
        """Put a token into the helper's cache."""
        token_cache.store(self.config, Token(value, int(time.time()) + lifetime))

    def command(self, *more: str) -> list[str]:
        return [sys.executable, "-I", "-c", _START, "--settings", str(self.file), "serve", *more]

    def spawn(self, *more: str, **how: Any) -> subprocess.Popen[bytes]:
        """A process that wants to serve."""
        return subprocess.Popen(
            self.command(*more),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            **how,
        )

    def start(self) -> Relay:
        self.process = self.spawn()
        wait_until(lambda: self.serves() == self.process_id or self._has_ended())
        return self

    def _has_ended(self) -> bool:
        assert self.process is not None and self.process.stderr is not None
        if self.process.poll() is not None:
            raise AssertionError(self.process.stderr.read().decode())
        return False

    @property
    def process_id(self) -> int:
        assert self.process is not None
        return self.process.pid

    def serves(self) -> int:
        """The id of the process that answers; 0 for none."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return int(self.ask("GET", "/health").json["pid"])
        return 0

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.settings.port, timeout=30)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> Answer:
        """One request on a connection of its own, with the key unless another is given (empty: with none)."""
        brought = self.key if key is None else key
        own = {"x-api-key": brought} if brought else {}
        with contextlib.closing(self.connection()) as connection:
            connection.request(method, path, body, {**own, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.settings.port), timeout=30)

    def log(self) -> str:
        path = Path(self.places.log)
        return path.read_text() if path.exists() else ""

    def memory(self) -> int:
        """Bytes that the process has in memory."""
        pages = int(Path(f"/proc/{self.process_id}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def relay(home: Path, upstreams: Mapping[str, str], token: str = TOKEN, **more: Any) -> Iterator[Relay]:
    """One that serves, with a token at hand."""
    one = Relay(home, upstreams, **more)
    if token:
        one.keep(token)
    try:
        yield one.start()
    finally:
        one.stop()


def wait_until(condition: Any, seconds: float = START_SECONDS) -> None:
    """Until it holds; fails when it does not within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it has not come to that in time"
        time.sleep(0.02)
