# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the relay that runs, ask it, start it and have it end: with the standard library, for the command, hooks and a rollout.

A relay is known by what it has noted of itself, and only that process is ever asked with the key: who merely holds the port learns
nothing, and is never ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import careful, processes
from ..errors import OperatorError
from ..host_program.config import Config
from . import clients, running
from .places import Places, own_key, read_key
from .settings import FILE_NAME, HOST, PROGRAM_NAME, TOOL, Settings

FREE_THE_PORT = "End that program, or set coding_agents_relay_port to another one and run the rollout"
START_SECONDS = 10.0
_ASK_SECONDS = 2.0
_GLANCE_SECONDS = 0.02
_TAIL_LINES = 5
_MOST_LOG = 1 << 21


class Answer(NamedTuple):
    status: int
    body: Mapping[str, Any]


def settings_file(config: Config) -> str:
    return os.path.join(config.data_directory, FILE_NAME)


def program(config: Config) -> str:
    return os.path.join(config.data_directory, PROGRAM_NAME)


def load(config: Config) -> Settings:
    """Raises OperatorError where no relay was rolled out, or what it was told cannot be used."""
    path = settings_file(config)
    try:
        return Settings.load(path)
    except FileNotFoundError:
        raise OperatorError(
            "no relay is set up here", path, "Ask for a rollout with coding_agents_relay auto, session or service"
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise OperatorError(f"cannot be used ({error})", path, "Run: coding-agents repair") from None


def ask(settings: Settings, places: Places, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
    """One request to our own relay, with the key. Raises OSError, ValueError where there is no answer of it."""
    found = running.find(places)
    if found is None:
        raise ConnectionError("no relay runs")
    key = read_key(places)
    if key is None:
        raise ConnectionError(f"{places.key} is no key that only its owner can read")
    return _request(settings, found.port, method, path, {"Authorization": f"Bearer {key}"}, body)


def holder(settings: Settings) -> str:
    """Who answers at the port: ``relay`` for one of this kind, whoever it belongs to, ``stranger``, or nothing for nobody.

    Asked without a key.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(_ASK_SECONDS)
        if probe.connect_ex((HOST, settings.port)) != 0:
            return ""
    try:
        answer = _request(settings, settings.port, "GET", "/health", {}, None)
    except (OSError, ValueError):
        return "stranger"
    return "relay" if answer.body.get("tool") == TOOL else "stranger"


def _request(
    settings: Settings, port: int, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any] | None
) -> Answer:
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    connection: HTTPConnection
    if settings.tls_cert:
        import ssl

        # Its process is known by what only its user can write; which authority its certificate is of is not.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = HTTPSConnection(HOST, port, timeout=_ASK_SECONDS, context=context)
    else:
        connection = HTTPConnection(HOST, port, timeout=_ASK_SECONDS)
    sent = {**headers, **({"Content-Type": "application/json"} if body is not None else {})}
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, sent)
        reply = connection.getresponse()
        told = json.loads(reply.read(1 << 20) or b"{}")
    except HTTPException as error:
        raise ValueError(f"no HTTP ({type(error).__name__})") from None
    except RecursionError:
        raise ValueError("no JSON") from None
    finally:
        connection.close()
    if not isinstance(told, dict):
        raise ValueError("no JSON object")
    return Answer(reply.status, told)


def command(config: Config, again: bool = False) -> list[str]:
    """argv of a relay in the foreground."""
    found = [*_command(config), "serve"]
    return [*found, "--replace"] if again else found


def web_command(config: Config) -> list[str]:
    """argv of its web tools alone, for an agent that speaks to them by the Model Context Protocol."""
    return [*_command(config), "mcp-web"]


def _command(config: Config) -> list[str]:
    """``-I -S``: nothing of the person's own Python is in it."""
    return [sys.executable, "-I", "-S", program(config), "--settings", settings_file(config)]


def environment(config: Config, given: Mapping[str, str]) -> dict[str, str]:
    """What it gets of ours: the way through a proxy, and the variable that may hold a workload's token."""
    names = [name for name in (config.oidc_token_env,) if name]
    return processes.environment(config.environment(given), config.home, names)


def start(config: Config, settings: Settings, again: bool = False) -> running.Found:
    """The relay that runs, started now if none does; with ``again`` a new one in any case, to which the old one gives way.

    Raises OperatorError that says why it does not run, with the end of its log.
    """
    places = Places(config.home)
    found = running.find(places)
    if found is not None and not again:
        return found
    before = found.pid if found is not None else 0
    if found is None:
        _require_free(settings)
    try:
        own_key(places)
        process = _spawn(config, places, again)
    except OSError as error:
        raise OperatorError(
            f"cannot be started ({error})", "the relay", "See that its directory can be written to"
        ) from None
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        ended = process.poll() is not None
        found = running.find(places)
        # Where another one was quicker, or nothing is new, ours gives way.
        if found is not None and (found.pid != before or (ended and process.returncode == 0)):
            return found
        if ended:
            break
        time.sleep(_GLANCE_SECONDS)
    if process.poll() is None:
        process.kill()
        problem = f"does not listen after {START_SECONDS:.0f} s"
    else:
        problem = f"ended as it was started (status {process.returncode})"
    said = tail(places)
    raise OperatorError(f"{problem}{f': {said}' if said else ''}", "the relay", f"Its log is {places.log}")


def _require_free(settings: Settings) -> None:
    """Raises OperatorError where somebody else holds the port."""
    who = holder(settings)
    if not who:
        return
    raise OperatorError(
        f"is in use by {called(who)}, which is left alone", f"port {settings.port} of {HOST}", FREE_THE_PORT
    )


def called(who: str) -> str:
    """Whoever :func:`holder` has found, in words."""
    return "the relay of somebody else" if who == "relay" else "another program"


def _spawn(config: Config, places: Places, again: bool) -> subprocess.Popen[bytes]:
    """In a session of its own, with nothing of ours but its log. Raises OSError."""
    places.make()
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    log = os.open(places.log, flags, 0o600)
    try:
        return subprocess.Popen(  # pylint: disable=ansible-bad-function,consider-using-with
            command(config, again),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(config, os.environ),
            cwd="/",
            start_new_session=True,
        )
    finally:
        os.close(log)


def stop(settings: Settings, places: Places) -> bool:
    """Have our relay end when what runs through it has ended. Whether one ran. Raises OperatorError where it does not obey."""
    if running.find(places) is None:
        return False
    try:
        answer = ask(settings, places, "POST", "/stop", {"drain": True})
    except (OSError, ValueError) as error:
        raise OperatorError(f"does not answer ({error})", "the relay", f"Its log is {places.log}") from None
    if answer.status >= 300:
        raise OperatorError(f"refuses to end (HTTP {answer.status})", "the relay", f"Its log is {places.log}")
    return True


def wait_for_end(pid: int, seconds: float) -> None:
    """Until that process has ended, or for so long."""
    until = time.monotonic() + seconds
    while clients.of_process(pid) is not None and time.monotonic() < until:
        time.sleep(_GLANCE_SECONDS)


def tail(places: Places) -> str:
    """The end of its log, on one line."""
    with contextlib.suppress(OSError):
        lines = careful.read(places.log, _MOST_LOG, follow=False).decode("utf-8", "replace").splitlines()
        return careful.line("; ".join(line for line in lines[-_TAIL_LINES:] if line.strip()))
    return ""
