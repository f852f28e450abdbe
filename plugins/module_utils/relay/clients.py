# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who uses the relay: a file for each client, with its process. One whose process is gone counts no more, however it went."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Mapping
from typing import NamedTuple

from .. import careful, processes
from .places import Places

_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")
_MOST_BYTES = 1000
_PS_SECONDS = 2.0


class Client(NamedTuple):
    """A process, told apart from a later one of the same number by when it started."""

    pid: int
    start: str


def of_process(pid: int) -> Client | None:
    """The client that this process is; None where there is no such process."""
    start = _start_of(pid)
    return None if start is None else Client(pid, start)


def add(places: Places, client: Client, session: str = "") -> str:
    """Count it from now on, and return the name by which it is removed. Raises OSError."""
    name = _name(client, session)
    os.makedirs(places.clients, mode=0o700, exist_ok=True)
    path = os.path.join(places.clients, name)
    temporary = f"{path}.{os.getpid()}~"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        json.dump(client._asdict(), stream)
    os.replace(temporary, path)
    return name


def remove(places: Places, name: str) -> None:
    """Count it no more."""
    if _NAME.fullmatch(name):
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(places.clients, name))


def session_name(session: str) -> str:
    """What the file of an agent's session is called, whatever the agent calls the session."""
    return "session-" + re.sub(r"[^A-Za-z0-9_-]", "_", session)[:100]


def living(places: Places) -> list[str]:
    """Names of the clients that live. Files of the others are removed."""
    try:
        names = sorted(os.listdir(places.clients))
    except OSError:
        return []
    found = {name: _read(os.path.join(places.clients, name)) for name in names if not name.endswith("~")}
    alive = [name for name, client in found.items() if client is not None and _lives(client)]
    for name in set(found) - set(alive):
        remove(places, name)
    return alive


def _name(client: Client, session: str) -> str:
    start = re.sub(r"[^A-Za-z0-9]", "-", client.start)
    return session_name(session) if session else f"{client.pid}-{start}"


def _read(path: str) -> Client | None:
    try:
        told = json.loads(careful.read(path, _MOST_BYTES, follow=False))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(told, Mapping):
        return None
    pid, start = told.get("pid"), told.get("start")
    if isinstance(pid, int) and not isinstance(pid, bool) and pid > 0 and isinstance(start, str):
        return Client(pid, start)
    return None


def _lives(client: Client) -> bool:
    return _start_of(client.pid) == client.start


def _start_of(pid: int) -> str | None:
    """When a process started, as the system tells it; None where there is none. One that has ended and is not yet fetched is none."""
    return _start_by_proc(pid) if sys.platform.startswith("linux") else _start_by_ps(pid)


def _start_by_proc(pid: int) -> str | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            # The program's name is in parentheses and may hold any character: what follows the last one counts.
            words = stream.read().rpartition(b")")[2].split()
        return None if words[0] in (b"Z", b"X") else words[19].decode("ascii")
    except (OSError, IndexError, UnicodeDecodeError):
        return None


def _start_by_ps(pid: int) -> str | None:
    try:
        environment = processes.environment({"LC_ALL": "C"}, "/")
        told = processes.run(["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], environment, _PS_SECONDS)
    except OSError:
        return None
    state, _space, start = told.stdout.strip().partition(" ")
    return start.strip() if start and not state.startswith("Z") else None
