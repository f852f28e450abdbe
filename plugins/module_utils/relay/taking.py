# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the port: from nobody, from the relay that it replaces, and never from a stranger."""

from __future__ import annotations

import errno
import socket
import ssl
import time
import urllib.request

from .. import web
from .places import Places
from .running import Found, find
from .settings import HOST, Settings
from .strangers import holder

_WAIT_SECONDS = 5.0
"""For one that has been asked to end."""
_BEGIN_SECONDS = 1.5
"""For one that has just taken the port, and is about to say so."""
_ASK_SECONDS = 3.0
_MOST_BYTES = 10_000
_WAITING = 1024


class PortTaken(Exception):
    """Somebody else has it. The message says who, and the way out."""


def take(settings: Settings, places: Places, key: str, digests: dict[str, str], replace: bool) -> socket.socket | None:
    """A socket that listens; None where such a relay serves already. Raises PortTaken, OSError."""
    begin = time.monotonic()
    asked: set[int] = set()
    while True:
        try:
            return listening(settings.port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        found = find(places)
        if found is not None and found.port == settings.port:
            is_same = all(found.told.get(name) == value for name, value in digests.items())
            if is_same and not replace:
                return None
            if found.pid not in asked:
                asked.add(found.pid)
                _ask_to_end(found, key)
        if time.monotonic() - begin > (_WAIT_SECONDS if asked else _BEGIN_SECONDS):
            raise PortTaken(_taken(settings.port))
        time.sleep(0.05)


def listening(port: int) -> socket.socket:
    """On loopback only. Raises OSError."""
    # With its protocol named: asyncio turns Nagle's algorithm off for such sockets only, and with it on an answer that comes in two
    # parts takes 40 ms.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((HOST, port))
        made.listen(_WAITING)
    except OSError:
        made.close()
        raise
    return made


def _taken(port: int) -> str:
    who = holder(port)
    by = f"by {who}" if who else "by another program"
    way_out = "End that program, or set coding_agents_relay_port to a free port and run the rollout again"
    return f"port {port} of this host is held {by}. {way_out}"


def _ask_to_end(found: Found, key: str) -> None:
    """It finishes what it has. Where it does not answer, its port stays taken, and that is said."""
    request = urllib.request.Request(f"{found.url}/stop", data=b"", headers={"x-api-key": key}, method="POST")
    believing = ssl.create_default_context()
    # Its process is known by what only its user can write; which authority its certificate is of is not.
    believing.check_hostname = False
    believing.verify_mode = ssl.CERT_NONE
    try:
        web.ask(request, _ASK_SECONDS, _MOST_BYTES, believing, urllib.request.ProxyHandler({}))
    except (OSError, web.NoHttp):
        return
