# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What test hosts find on their network beside a workspace: a mirror, a proxy and a name server.

``python -m tests.hosts.surroundings DIRECTORY ADDRESS`` gives the directory ``mirror`` in it over https, with a certificate of
``authority/ca.pem`` and ``ca.key``. The name server knows two names, and the proxy connects to nothing else. Whom hosts ask for
is noted in ``asked.jsonl``, one line each: how (``name`` or ``proxy``), who, and for what.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import json
import os
import signal
import socketserver
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trustme

from tests.proxy import Proxy

WORKSPACE, MIRROR = "dbc-00000000-0000.closed.test", "mirror.closed.test"
"""By which a closed network knows them."""

_REPOSITORY = Path(__file__).resolve().parents[2]
_START_LIMIT = 60.0
_NAME_PORT = 53
_ADDRESS_RECORD, _INTERNET = 1, 1
_ANSWER, _NO_SUCH_NAME = 0x8580, 0x8583
"""Flags of an answer of the name server's own authority."""


class Log:
    """What was asked, as lines of a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def note(self, how: str, client: str, what: str) -> None:
        line = json.dumps({"how": how, "client": client, "what": what})
        with self._lock, self._path.open("a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")


class NameServer(socketserver.ThreadingUDPServer):
    """Knows some names, all at one address, and says of every other that it does not exist."""

    daemon_threads = True

    def __init__(self, address: str, names: tuple[str, ...], log: Log, port: int = _NAME_PORT) -> None:
        super().__init__((address, port), _Question)
        self.address = address
        self.names = names
        self.log = log


class _Question(socketserver.DatagramRequestHandler):
    server: NameServer

    def handle(self) -> None:
        message: bytes = self.rfile.read()
        labels, at = [], 12
        while length := message[at]:
            labels.append(message[at + 1 : at + 1 + length].decode("ascii", "replace"))
            at += 1 + length
        name, end = ".".join(labels).lower(), at + 5
        self.server.log.note("name", self.client_address[0], name)
        (kind,) = struct.unpack_from(">H", message, at + 1)
        known = name in self.server.names
        found = known and kind == _ADDRESS_RECORD
        self.wfile.write(message[:2])
        self.wfile.write(struct.pack(">HHHHH", _ANSWER if known else _NO_SUCH_NAME, 1, int(found), 0, 0))
        self.wfile.write(message[12:end])
        if found:
            pointer = b"\xc0\x0c"  # to the name in the question
            self.wfile.write(pointer + struct.pack(">HHIH", _ADDRESS_RECORD, _INTERNET, 60, 4))
            self.wfile.write(bytes(map(int, self.server.address.split("."))))


class _NotedProxy(Proxy):
    """Connects to known names only."""

    def __init__(self, address: str, names: tuple[str, ...], log: Log) -> None:
        super().__init__(dict.fromkeys(names, address), host=address)
        self._log = log

    def allows(self, client: str, target: str) -> bool:
        self._log.note("proxy", client, target.rpartition(":")[0])
        return target.rpartition(":")[0] in self.names


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def served(directory: Path, address: str, authority: trustme.CA, *names: str) -> Iterator[int]:
    """A directory over https, as any server of files gives it; yields the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(address, *names).configure_cert(context)
    with http.server.ThreadingHTTPServer((address, 0), functools.partial(_Quiet, directory=str(directory))) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def start(directory: Path, address: str) -> dict[str, Any]:
    """Start all of it in a process of its own, which stays until :func:`stop`; tells the mirror's port and the proxy's URL."""
    ready = directory / "ready.json"
    ready.unlink(missing_ok=True)
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.hosts.surroundings", str(directory), address],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=_REPOSITORY,
            start_new_session=True,
        )
    limit = time.monotonic() + _START_LIMIT
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > limit:
            process.kill()
            raise RuntimeError(f"the mirror and the name server did not start:\n{(directory / 'log').read_text()}")
        time.sleep(0.02)
    told: dict[str, Any] = json.loads(ready.read_text(encoding="utf-8"))
    return told


def stop(directory: Path) -> None:
    """Stop what was started there, if it runs."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        os.kill(json.loads((directory / "ready.json").read_text(encoding="utf-8"))["pid"], signal.SIGTERM)
    (directory / "ready.json").unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.hosts.surroundings")
    parser.add_argument("directory", type=Path)
    parser.add_argument("address")
    options = parser.parse_args()
    directory, address = options.directory, options.address
    pair = [(directory / "authority" / name).read_bytes() for name in ("ca.pem", "ca.key")]
    (directory / "mirror").mkdir(exist_ok=True)
    log, names = Log(directory / "asked.jsonl"), (WORKSPACE, MIRROR)
    with (
        NameServer(address, names, log) as name_server,
        _NotedProxy(address, names, log) as proxy,
        served(directory / "mirror", address, trustme.CA.from_pem(*pair), MIRROR) as port,
    ):
        for server in (name_server, proxy):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        part = directory / "ready.part"
        part.write_text(json.dumps({"pid": os.getpid(), "mirror_port": port, "proxy": proxy.url}), encoding="utf-8")
        part.replace(directory / "ready.json")
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
