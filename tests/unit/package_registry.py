# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry of packages on the loopback: npm's and Python's, as far as real npm and pip ask one to install a small package."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import ssl
import tarfile
import threading
import time
import urllib.parse
import zipfile
from pathlib import Path
from typing import Any

import trustme

VERSION_SAID = "#!/bin/sh\necho '{version} (a stand-in)'\n"


class Registry:
    """Serves what was added. ``asked`` has each request's path; ``authorized`` the credentials that came with it.

    :param tls: a directory for the certificate authority (``ca.pem``) that vouches for it.
    :param user: a user name and a password without which nothing is served.
    """

    def __init__(self, tls: Path | None = None, user: tuple[str, str] | None = None) -> None:
        self.asked: list[str] = []
        self.authorized: list[str] = []
        self.headers: dict[str, dict[str, str]] = {}
        """By path: what is said beside the content."""
        self.cut: set[str] = set()
        """Paths of files that break off."""
        self.leads: dict[str, str] = {}
        """By path: where its answer leads to instead."""
        self._files: dict[str, bytes] = {}
        self._packages: dict[str, dict[str, Any]] = {}
        self._wheels: dict[str, list[str]] = {}
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = urllib.parse.unquote(self.path)
                for place in ("/npm/", "/pypi/"):  # as a mirror has them
                    path = path if not path.startswith(place) else path[len(place) - 1 :]
                if path in registry.cut:
                    self._cut(registry._files[path])
                    return
                given = self.headers.get("Authorization", "").partition(" ")[2]
                said = base64.b64decode(given).decode() if given else ""
                registry.asked.append(urllib.parse.unquote(self.path))
                registry.authorized.append(said)
                if user and said != ":".join(user):
                    self._answer(401, b"{}")
                elif path in registry.leads:
                    self.send_response(302)
                    self.send_header("Location", registry.leads[path])
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif path in registry._files:
                    self._answer(200, registry._files[path])
                elif path.strip("/") in registry._packages:
                    self._answer(200, json.dumps(registry._packages[path.strip("/")]).encode())
                elif path.startswith("/simple/"):
                    links = registry._wheels.get(path.split("/")[2], [])
                    page = "".join(f'<a href="/wheels/{name}">{name}</a>' for name in links).encode()
                    self._answer(200 if links else 404, page, "text/html")
                else:
                    self._answer(404, b"{}")

            def _cut(self, body: bytes) -> None:
                """All of it is announced, half of it comes."""
                registry.asked.append(urllib.parse.unquote(self.path))
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2])
                self.close_connection = True

            def _answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                for name, value in registry.headers.get(urllib.parse.unquote(self.path), {}).items():
                    self.send_header(name, value)
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Basic realm="packages"')
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        host = f"localhost:{self._server.server_port}"
        self.url = f"http://{host}"
        if tls is not None:
            authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.cert_pem.write_to_path(str(tls / "ca.pem"))
            authority.issue_cert("localhost").configure_cert(context)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            self.url = f"https://{host}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add_file(self, path: str, content: bytes) -> None:
        self._files[path] = content

    def add_npm(
        self, name: str, version: str, command: str, script: str = VERSION_SAID, holds: str = "", **manifest: Any
    ) -> None:
        """A package with one command. ``holds`` is the version that its files tell, if they tell another than the registry."""
        told = {"name": name, "version": holds or version, "bin": {command: "cli"}, **manifest}
        content = {"package.json": json.dumps(told), "cli": script.format(version=version)}
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w:gz") as archive:
            for path, text in content.items():
                entry = tarfile.TarInfo(f"package/{path}")
                entry.size, entry.mode, entry.mtime = len(text.encode()), 0o644, int(time.time())
                archive.addfile(entry, io.BytesIO(text.encode()))
        tarball = f"/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
        self._files[tarball] = made.getvalue()
        dist = {
            "tarball": self.url + tarball,
            "integrity": f"sha512-{base64.b64encode(hashlib.sha512(made.getvalue()).digest()).decode()}",
        }
        package = self._packages.setdefault(name, {"name": name, "dist-tags": {}, "versions": {}})
        package["versions"][version] = {**told, "version": version, "hasInstallScript": "scripts" in told, "dist": dist}
        package["dist-tags"]["latest"] = version

    def add_wheel(self, name: str, version: str, command: str, does: str = "") -> str:
        """A wheel with one command, which says its version, and ``does`` more; returns its SHA-256."""
        module, information = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
        content = {
            f"{module}.py": f"{does}\ndef main():\n    print('{version} (a stand-in)')\n",
            f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: more\n",
            f"{information}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{information}/entry_points.txt": f"[console_scripts]\n{command} = {module}:main\n",
        }
        record = f"{information}/RECORD"
        content[record] = "".join(f"{path},,\n" for path in (*content, record))
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            for path, text in content.items():
                archive.writestr(path, text)
        file_name = f"{module}-{version}-py3-none-any.whl"
        self._files[f"/wheels/{file_name}"] = made.getvalue()
        links = self._wheels.setdefault(name, [])
        links += [] if file_name in links else [file_name]
        return hashlib.sha256(made.getvalue()).hexdigest()
