# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A workspace that was taken over: it says anything, byte by byte if it likes, and remembers what it was sent."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trustme

Behaviour = Callable[[ssl.SSLSocket], None]

METADATA = "/oidc/.well-known/oauth-authorization-server"
CONFIG = "/.well-known/databricks-config"
TOKENS = "/oidc/v1/token"


def response(body: Any, status: str = "200 OK", headers: str = "") -> bytes:
    """As a server sends it; what is no bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = "Content-Type: application/json\r\n"
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n{kind}{headers}\r\n".encode() + content


def trickle(content: bytes, seconds: float = 0.2) -> Behaviour:
    """Send these bytes, and then one more now and then, for ever."""

    def send(connection: ssl.SSLSocket) -> None:
        connection.sendall(content)
        while True:
            time.sleep(seconds)
            connection.sendall(b" ")

    return send


def flood(head: bytes, part: bytes) -> Behaviour:
    """Send without end."""

    def send(connection: ssl.SSLSocket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(part)

    return send


class Hostile:
    """``says`` has the behaviour for a path (or its raw answer), ``otherwise`` that for all others."""

    def __init__(self, directory: Path, authority: trustme.CA | None = None) -> None:
        self.authority = authority or trustme.CA()
        self.ca_file = str(directory / "hostile-ca.pem")
        self.authority.cert_pem.write_to_path(self.ca_file)
        self.says: dict[str, bytes | Behaviour] = {}
        self.otherwise: bytes | Behaviour = response({}, "404 Not Found")
        self.got: list[bytes] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("localhost").configure_cert(self._context)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def as_workspace(self, **tokens: Any) -> None:
        """Be one, as far as signing in goes; ``tokens`` change what the token endpoint answers."""
        self.says = {
            CONFIG: response({"oidc_endpoint": f"{self.url}/oidc", "workspace_id": "11", "account_id": "a"}),
            METADATA: response(self.metadata()),
            TOKENS: response({"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 3600, **tokens}),
        }

    def metadata(self, **changes: Any) -> dict[str, Any]:
        own = {"authorization_endpoint": f"{self.url}/oidc/v1/authorize", "token_endpoint": f"{self.url}{TOKENS}"}
        return {**own, **changes}

    def paths(self) -> list[str]:
        return [one.split(b" ")[1].decode() for one in self.got if one.count(b" ") > 1]

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self._listener.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), self._context.wrap_socket(connection, server_side=True) as secure:
            secure.settimeout(60)
            request = b""
            while b"\r\n\r\n" not in request:
                part = secure.recv(1 << 16)
                if not part:
                    return
                request += part
            head, _end, body = request.partition(b"\r\n\r\n")
            length = next(
                (int(one[15:]) for one in head.split(b"\r\n") if one.lower().startswith(b"content-length:")), 0
            )
            while len(body) < length:
                body += secure.recv(1 << 16)
            self.got.append(head + b"\r\n\r\n" + body)
            path = head.split(b" ")[1].decode().partition("?")[0]
            behaviour = self.says.get(path, self.otherwise)
            if callable(behaviour):
                behaviour(secure)
            else:
                secure.sendall(behaviour)
