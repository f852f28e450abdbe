# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTPS proxy as companies have it: CONNECT only, knows names that nobody else resolves, notes who was asked for."""

from __future__ import annotations

import contextlib
import selectors
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping


class Proxy(socketserver.ThreadingTCPServer):
    """A CONNECT proxy on a port of its own.

    :param names: address by host name, for those that only this proxy resolves.
    :param host: the address of this machine at which it listens.
    :param refuse: status line with which it turns everybody away, such as ``407 Proxy Authentication Required``.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, names: Mapping[str, str] | None = None, refuse: str = "", host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), _Tunnel)
        self.names = dict(names or {})
        self.refuse = refuse
        self.asked: list[str] = []
        """``HOST:PORT`` of each CONNECT, oldest first."""

    def allows(self, client: str, target: str) -> bool:
        """Whether who asks from that address may connect there."""
        self.asked.append(target)
        return True

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"


class _Tunnel(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        method, target = (self.rfile.readline().decode("ascii", "replace").split() + ["", ""])[:2]
        while self.rfile.readline().strip():
            pass
        host, _colon, port = target.rpartition(":")
        allowed = self.server.allows(self.client_address[0], target)
        if method != "CONNECT" or self.server.refuse or not allowed:
            refusal = self.server.refuse or ("405 Method Not Allowed" if allowed else "403 Forbidden")
            self.wfile.write(f"HTTP/1.1 {refusal}\r\n\r\n".encode())
            return
        address = (self.server.names.get(host, host), int(port))
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=10) as there:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _pass_on(self.connection, there)


def _pass_on(here: socket.socket, there: socket.socket) -> None:
    """Carry bytes both ways until one side ends."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(here, selectors.EVENT_READ, there)
        waiting.register(there, selectors.EVENT_READ, here)
        while True:
            for key, _events in waiting.select():
                content = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]
                if not content:
                    return
                key.data.sendall(content)


@contextlib.contextmanager
def running(names: Mapping[str, str] | None = None, refuse: str = "", host: str = "127.0.0.1") -> Iterator[Proxy]:
    """Run a proxy in a thread."""
    with Proxy(names, refuse, host) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
