# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay of the person who works here: start it, have it end, ask it, and count who uses it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import OperatorError
from ..host_program.config import Config
from ..relay import clients, control, running
from ..relay.places import Places, own_key
from ..relay.settings import PREFIXES, Settings
from . import output
from .arguments import FAILED, OK
from .whose import Here

_GLANCE_SECONDS = 2.0


def run(here: Here, options: argparse.Namespace) -> int:
    """Raises OperatorError."""
    return _ACTIONS[options.action](here.config, options)


def _start(config: Config, options: argparse.Namespace) -> int:
    settings = control.load(config)
    found = control.start(config, settings)
    output.write(f"The relay runs at {settings.url} (process {found.pid})")
    return OK


def _key(config: Config, options: argparse.Namespace) -> int:
    control.start(config, control.load(config))
    try:
        output.write(own_key(Places(config.home)))
    except OSError as error:
        raise OperatorError(str(error)) from None
    return OK


def _stop(config: Config, options: argparse.Namespace) -> int:
    stopped = control.stop(control.load(config), Places(config.home))
    output.write("The relay ends when what runs through it has ended" if stopped else "No relay runs")
    return OK


def _status(config: Config, options: argparse.Namespace) -> int:
    settings, places = control.load(config), Places(config.home)
    found = running.find(places)
    told: dict[str, Any] = {"running": found is not None, "url": settings.url, "life": settings.life, "log": places.log}
    told["urls"] = {prefix: settings.base_url(prefix) for prefix in PREFIXES if prefix in settings.upstreams}
    if found is not None:
        told["pid"] = found.pid
        try:
            told.update(control.ask(settings, places, "GET", "/health").body)
        except (OSError, ValueError) as error:
            told["problem"] = f"does not answer ({error})"
    if options.json:
        output.write(json.dumps(told, indent=1))
    else:
        urls = told.pop("urls")
        told["clients"] = len(told["clients"]) if isinstance(told.get("clients"), list) else told.get("clients")
        flat = {name: value for name, value in told.items() if not isinstance(value, (dict, list))}
        output.write(*output.pairs(flat, config.home), "", *output.table(("PATH", "URL"), [*urls.items()]))
    return FAILED if "problem" in told else OK


def _run(config: Config, options: argparse.Namespace) -> int:
    """Until the relay ends, nobody has asked it anything for long, or somebody ends this."""
    settings, places = control.load(config), Places(config.home)
    with contextlib.suppress(KeyboardInterrupt), _counted(places):
        control.start(config, settings)
        output.write(f"PROXY_URL={settings.url}")
        sys.stdout.flush()
        _wait(settings, places)
    return OK


def _wait(settings: Settings, places: Places) -> None:
    """As a client of it, so it stays for as long as this waits."""
    seen, since = -1, time.monotonic()
    while not settings.idle_minutes or time.monotonic() - since < settings.idle_minutes * 60:
        try:
            told = control.ask(settings, places, "GET", "/health").body
        except (OSError, ValueError):
            return
        if told.get("active") or told.get("requests") != seen:
            seen, since = told.get("requests", -1), time.monotonic()
        time.sleep(_GLANCE_SECONDS)


@contextlib.contextmanager
def _counted(places: Places) -> Iterator[None]:
    """As one of the relay's clients."""

    def interrupted(*_signal: object) -> None:
        raise KeyboardInterrupt

    own, name = clients.of_process(os.getpid()), ""
    before = signal.signal(signal.SIGTERM, interrupted)
    try:
        if own is not None:
            with contextlib.suppress(OSError):
                name = clients.add(places, own)
        yield
    finally:
        clients.remove(places, name)
        signal.signal(signal.SIGTERM, before)


def _session(config: Config, options: argparse.Namespace) -> int:
    """A script of sh has done this by now, where a relay is set up. Without one, no agent is to fail for that."""
    return OK


_ACTIONS: dict[str, Callable[[Config, argparse.Namespace], int]] = {
    "start": _start,
    "run": _run,
    "status": _status,
    "stop": _stop,
    "key": _key,
    "session-start": _session,
    "session-end": _session,
}
