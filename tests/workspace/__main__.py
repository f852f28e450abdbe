# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""``python -m tests.workspace --state-dir DIR``: run a simulated workspace until told to stop. See README.md."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import sys
import threading
import uuid
from pathlib import Path

import trustme
import uvicorn

from .app import build
from .state import State

_ANY_ADDRESS = ("0.0.0.0", "::")


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read; it appears under its name complete or not at all."""
    part = path.with_name(path.name + ".part")
    with contextlib.suppress(FileNotFoundError):
        part.unlink()
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
        handle.write(text)
    part.replace(path)


def _authority(directory: Path) -> trustme.CA:
    """The certificate authority of this state directory, made once and kept, so that a restart is trusted too."""
    certificate, key = directory / "ca.pem", directory / "ca.key"
    if certificate.exists() and key.exists():
        return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
    authority = trustme.CA(organization_name="Simulated workspace", organization_unit_name="Test CA")
    _write_private(key, authority.private_key_pem.bytes().decode())
    certificate.write_bytes(authority.cert_pem.bytes())
    return authority


def _credentials(directory: Path, client_id: str | None, secret_file: Path | None) -> dict[str, str]:
    """The service principal: as given, else as in the state directory, else new."""
    path = directory / "credentials.json"
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    found = {
        "client_id": client_id or known.get("client_id") or str(uuid.uuid4()),
        "client_secret": known.get("client_secret") or f"dose{secrets.token_hex(16)}",
    }
    if secret_file is not None:
        found["client_secret"] = secret_file.read_text(encoding="utf-8").strip()
    _write_private(path, json.dumps(found))
    return found


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.workspace", description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True, help="where ready.json, ca.pem and the rest go")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--name", action="append", default=[], help="further host name or address for the certificate")
    parser.add_argument("--client-id", help="application id of the service principal")
    parser.add_argument("--client-secret-file", type=Path, help="file with its secret")
    parser.add_argument("--stop-with-stdin", action="store_true", help="stop when standard input ends")
    return parser.parse_args(argv)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named, unlike socket.create_server: asyncio turns Nagle's algorithm off for such sockets only,
    # and with it on every answer that comes in two writes takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(1024)
    return listener


async def _announce(server: uvicorn.Server, path: Path, ready: dict[str, object]) -> None:
    while not server.started:
        await asyncio.sleep(0.01)
    _write_private(path, json.dumps(ready))


async def _serve(server: uvicorn.Server, listener: socket.socket, path: Path, ready: dict[str, object]) -> None:
    announcing = asyncio.create_task(_announce(server, path, ready))
    try:
        await server.serve(sockets=[listener])
    finally:
        announcing.cancel()


def main(argv: list[str]) -> int:
    args = _parse(argv)
    directory: Path = args.state_dir.resolve()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    ready_file = directory / "ready.json"
    ready_file.unlink(missing_ok=True)

    try:
        listener = _listen(args.host, args.port)
    except OSError as error:
        print(f"cannot listen on {args.host}, port {args.port}: {error.strerror}", file=sys.stderr)
        return 1
    port = listener.getsockname()[1]
    everywhere = args.host in _ANY_ADDRESS
    names = ["localhost", "127.0.0.1", *([] if everywhere else [args.host]), *args.name]
    names = list(dict.fromkeys(names))
    # The address others use: where it listens, or if that is everywhere, the first name it was given.
    main_name = (args.name[0] if args.name else "127.0.0.1") if everywhere else args.host

    leaf = _authority(directory).issue_cert(*names)
    server_pem = directory / "server.pem"
    _write_private(server_pem, leaf.private_key_and_cert_chain_pem.bytes().decode())
    credentials = _credentials(directory, args.client_id, args.client_secret_file)
    admin_token = secrets.token_urlsafe(32)
    _write_private(directory / "admin-token", admin_token)

    state = State(credentials["client_id"], credentials["client_secret"], admin_token)
    server = uvicorn.Server(
        uvicorn.Config(
            build(state),
            ssl_certfile=str(server_pem),
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            lifespan="off",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
    )
    if args.stop_with_stdin:

        def watch() -> None:
            while sys.stdin.buffer.read(4096):
                pass
            server.should_exit = True

        threading.Thread(target=watch, daemon=True).start()
    ready = {
        "url": f"https://{_bracketed(main_name)}:{port}",
        "urls": [f"https://{_bracketed(name)}:{port}" for name in names],
        # For the tests themselves: the address the clients use may be one that only they can reach.
        "admin_url": f"https://{'127.0.0.1' if everywhere else _bracketed(args.host)}:{port}",
        "port": port,
        "pid": os.getpid(),
        "ca_file": str(directory / "ca.pem"),
        "admin_token_file": str(directory / "admin-token"),
        "credentials_file": str(directory / "credentials.json"),
        "workspace_id": state.workspace_id,
        "user_name": state.user.user_name,
    }
    # uvicorn stops at this signal and then raises it once more for whoever comes after; that is us, and we still have
    # to take ready.json away.
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        asyncio.run(_serve(server, listener, ready_file, ready))
    except KeyboardInterrupt:
        pass
    finally:
        ready_file.unlink(missing_ok=True)
    return 0


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
