# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that says whatever it is told, where the simulated workspace would say what a workspace says."""

from __future__ import annotations

import datetime
import http.server
import ssl
import threading
from pathlib import Path

import trustme


class Answer:
    """A server that the certificate authority vouches for, and that says whatever it is told, in raw bytes.

    :param valid: from how many days from now, to how many, its certificate is valid.
    """

    def __init__(self, directory: Path, valid: tuple[int, int] = (-1, 30)) -> None:
        authority = trustme.CA()
        self.ca_file = str(directory / "ca.pem")
        authority.cert_pem.write_to_path(self.ca_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        begin, end = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days) for days in valid)
        authority.issue_cert("localhost", not_before=begin, not_after=end).configure_cert(context)
        self.raw = b""
        answer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.wfile.write(answer.raw)
                self.close_connection = True

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def say(self, body: bytes, status: str = "200 OK", headers: str = "") -> None:
        self.raw = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body
