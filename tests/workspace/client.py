# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""Start, ask and steer a simulated workspace from a test. Standard library only: any test runner can import it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

_REPOSITORY = Path(__file__).resolve().parents[2]
_START_LIMIT = 60.0


def lasting_port() -> int:
    """A free port that nobody is given by chance: a workspace can be stopped, and started there again.

    Ports that a system hands out by itself lie higher.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as trial:
            trial.bind(("127.0.0.1", port))
            return port


class WorkspaceFailed(RuntimeError):
    """The simulated workspace did not start, or refused an order."""


class Workspace:
    """A simulated workspace in a process of its own.

    Use it as a context manager, or call :meth:`start` and :meth:`stop`. The process ends with the one that started it,
    unless ``detach`` is given; a detached one is found again with :meth:`attach`.

    :param state_dir: directory for its files; a temporary one when not given.
    :param host: address to listen on; ``0.0.0.0`` together with ``names`` makes it reachable from other hosts.
    :param names: further host names and addresses for its certificate.
    :param python: interpreter that has starlette, uvicorn and trustme; this one when not given.
    """

    def __init__(
        self,
        state_dir: str | os.PathLike[str] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        names: Iterable[str] = (),
        python: str = sys.executable,
        detach: bool = False,
    ) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="workspace-") if state_dir is None else None
        self.state_dir = Path(self._temporary.name if self._temporary else state_dir or "").resolve()
        arguments = [python, "-m", "tests.workspace", "--state-dir", str(self.state_dir), "--host", host]
        arguments += ["--port", str(port)]
        for name in names:
            arguments += ["--name", name]
        self._detach = detach
        self._arguments = arguments if detach else [*arguments, "--stop-with-stdin"]
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: dict[str, Any] = {}
        self._credentials: dict[str, str] = {}
        self._admin_token = ""

    # -- life -------------------------------------------------------------------------------------------------------

    def start(self) -> Workspace:
        """Start it and wait until it answers.

        :raises WorkspaceFailed: with what it said, if it ends or is not ready within a minute.
        """
        self.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.state_dir / "ready.json").unlink(missing_ok=True)
        log_path = self.state_dir / "server.log"
        environment = {**os.environ, "PYTHONPATH": str(_REPOSITORY)}
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.DEVNULL if self._detach else subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=_REPOSITORY,
                start_new_session=self._detach,
            )
        limit = time.monotonic() + _START_LIMIT
        while not (self.state_dir / "ready.json").exists():
            if self._process.poll() is not None or time.monotonic() > limit:
                self.stop()
                raise WorkspaceFailed(f"the simulated workspace did not start:\n{log_path.read_text(errors='replace')}")
            time.sleep(0.02)
        self._load()
        return self

    @classmethod
    def attach(cls, state_dir: str | os.PathLike[str]) -> Workspace:
        """The workspace that runs on ``state_dir`` already, for example one started detached by another process."""
        found = cls(state_dir)
        found._load()
        return found

    def _load(self) -> None:
        try:
            self._ready = json.loads((self.state_dir / "ready.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise WorkspaceFailed(f"no simulated workspace runs on {self.state_dir}") from None
        self._credentials = json.loads(Path(self._ready["credentials_file"]).read_text(encoding="utf-8"))
        self._admin_token = Path(self._ready["admin_token_file"]).read_text(encoding="utf-8")

    def stop(self) -> None:
        """Stop it, whoever started it. Stopping twice is no error."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        elif self._ready:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._ready["pid"], signal.SIGTERM)
            limit = time.monotonic() + 10
            while (self.state_dir / "ready.json").exists() and time.monotonic() < limit:
                time.sleep(0.02)
        self._ready = {}
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> Workspace:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- facts ------------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """``https://HOST:PORT``, no slash at the end."""
        return str(self._ready["url"])

    @property
    def port(self) -> int:
        return int(self._ready["port"])

    @property
    def pid(self) -> int:
        return int(self._ready["pid"])

    @property
    def ca_file(self) -> str:
        """The certificate authority to trust, PEM. Nothing answers but this workspace, so it can stand alone."""
        return str(self._ready["ca_file"])

    @property
    def client_id(self) -> str:
        return self._credentials["client_id"]

    @property
    def client_secret(self) -> str:
        return self._credentials["client_secret"]

    @property
    def workspace_id(self) -> str:
        return str(self._ready["workspace_id"])

    @property
    def user_name(self) -> str:
        """Who signs in when a browser is sent to the authorize endpoint."""
        return str(self._ready["user_name"])

    # -- orders -----------------------------------------------------------------------------------------------------

    def _admin(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._ready['admin_url']}{path}", data, method=method)
        request.add_header("X-Test-Admin", self._admin_token)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self.ca_file)),
        )
        try:
            with opener.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise WorkspaceFailed(error.read().decode(errors="replace")) from None

    def requests(self, path_prefix: str = "") -> list[dict[str, Any]]:
        """What was asked so far, oldest first; README.md names the fields."""
        log = self._admin("GET", "/_test/requests")["requests"]
        return [entry for entry in log if entry["path"].startswith(path_prefix)]

    def clear(self) -> None:
        """Empty the request log."""
        self._admin("DELETE", "/_test/requests")

    def control(self, **settings: Any) -> dict[str, Any]:
        """Change its behaviour; README.md has the table. Returns all settings as they now stand."""
        result: dict[str, Any] = self._admin("POST", "/_test/control", settings)
        return result

    def reset(self) -> None:
        """Forget every token, sign-in, logged request and setting."""
        self.control(reset=True)

    def trust_workload(self, issuer: str, subject: str, audience: str, account_wide: bool = False) -> None:
        """Have a federation policy, and no other, for the service principal or for the account's users."""
        policy = {"issuer": issuer, "subject": subject, "audiences": [audience], "account_wide": account_wide}
        self.control(federation_policies=[policy])

    def oidc_token(self, issuer: str, subject: str, audience: str, lifetime: float = 3600) -> str:
        """A workload's OIDC token, signed by the provider that the workspace trusts."""
        now = int(time.time())
        claims = {"iss": issuer, "sub": subject, "aud": audience, "iat": now, "exp": now + lifetime}
        return str(self._admin("POST", "/_test/oidc-token", claims)["token"])

    def mint(self, identity: str = "user", kind: str = "oauth", lifetime: float | None = None) -> str:
        """A token of the ``user`` or the ``service_principal``, without a request in the log."""
        order = {"identity": identity, "kind": kind, "lifetime": lifetime}
        return str(self._admin("POST", "/_test/token", order)["token"])
