# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that says what a test wants it to, byte by byte, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator
from io import BufferedIOBase
from types import TracebackType
from typing import NamedTuple


class Asked(NamedTuple):
    """A request, as it came."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for one, value in self.headers if one.lower() == name]


class Exchange(NamedTuple):
    """What a script has to work with."""

    asked: Asked
    source: BufferedIOBase
    sink: BufferedIOBase
    close: Callable[[], None]

    def write(self, content: bytes) -> None:
        self.sink.write(content)
        self.sink.flush()

    def head(self, status: str = "200 OK", *headers: str) -> None:
        self.write("\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode())

    def whole(self, body: bytes, status: str = "200 OK", *headers: str) -> None:
        self.head(status, f"Content-Length: {len(body)}", *headers)
        self.write(body)

    def chunk(self, body: bytes) -> None:
        self.write(b"%x\r\n%b\r\n" % (len(body), body))


Script = Callable[[Exchange], None]
"""Answers one request."""


class Upstream(socketserver.ThreadingTCPServer):
    """On loopback, without TLS."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[Asked] = []
        self.connections = 0
        self.script: Script = lambda exchange: exchange.whole(b"{}")
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Upstream:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self.server_close()

    def clear(self) -> None:
        self.asked.clear()
        self.script = lambda exchange: exchange.whole(b"{}")


class _Handler(socketserver.StreamRequestHandler):
    server: Upstream
    disable_nagle_algorithm = True

    def handle(self) -> None:
        self.server.connections += 1
        with contextlib.suppress(OSError, ValueError):
            while self._one():
                pass

    def _one(self) -> bool:
        first = self.rfile.readline().decode("latin-1").split()
        if len(first) != 3:
            return False
        lines = list(iter(lambda: self.rfile.readline().decode("latin-1").rstrip("\r\n"), ""))
        headers = [(name, value.strip()) for name, _colon, value in (line.partition(":") for line in lines)]
        length = [value for name, value in headers if name.lower() == "content-length"]
        chunked = any(name.lower() == "transfer-encoding" for name, _value in headers)
        body = b"".join(self._chunks()) if chunked else self.rfile.read(int(length[0])) if length else b""
        asked = Asked(first[0], first[1], headers, body)
        self.server.asked.append(asked)
        closed = []
        self.server.script(Exchange(asked, self.rfile, self.wfile, lambda: closed.append(True)))
        return not closed

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
