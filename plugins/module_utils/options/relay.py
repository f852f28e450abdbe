# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay: a server on loopback for agents that read a token once, and for what only knows a base URL."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Callable

from ..places import MACHINE
from ..relay.settings import DEFAULT_IDLE_MINUTES, DEFAULT_PORT, SERVICE, SESSION
from .values import PREFIX, Spec, allowed, as_list, by_kind, registry, shown

OFF, AUTO = "off", "auto"

AGENTS = registry("agents", "AGENTS")

SPEC: Spec = {
    "relay": {"type": "str", "choices": [AUTO, SESSION, SERVICE, OFF], "default": OFF},
    "relay_port": {"type": "int", "default": DEFAULT_PORT},
    "relay_idle_minutes": {"type": "int", "default": DEFAULT_IDLE_MINUTES},
    "relay_clients": {"type": "list", "elements": "str", "default": []},
    "relay_tls_cert": {"type": "str"},
    "relay_tls_key": {"type": "str", "no_log": False},
}
if AGENTS:
    SPEC["relay_clients"]["choices"] = sorted(AGENTS)
EXAMPLES = {
    "relay": AUTO,
    "relay_port": str(DEFAULT_PORT),
    "relay_idle_minutes": str(DEFAULT_IDLE_MINUTES),
    "relay_clients": "[claude_code]",
    "relay_tls_cert": "/etc/ssl/relay.pem",
    "relay_tls_key": "/etc/ssl/private/relay.key",
}
USE = {"relay": "usual", "relay_clients": "usual"}


def life_of(value: Any) -> str:
    """One of the choices. In YAML, ``off`` without quotes is a boolean."""
    return OFF if value is None or value is False or value == "" else str(value)


def _life(value: Any, variable: str) -> list[str]:
    if life_of(value) in SPEC["relay"]["choices"]:
        return []
    return [f"{variable} is {shown(value)}. Give {allowed(SPEC['relay'], EXAMPLES['relay'])}."]


def _number(name: str, least: int, most: int) -> Callable[[Any, str], list[str]]:
    def check(value: Any, variable: str) -> list[str]:
        if isinstance(value, bool) or not re.fullmatch("[0-9]{1,6}", str(value)) or not least <= int(value) <= most:
            return [
                f"{variable} is {shown(value)}. Give a whole number from {least} to {most}, such as {EXAMPLES[name]}."
            ]
        return []

    return check


def _path(name: str) -> Callable[[Any, str], list[str]]:
    def check(value: Any, variable: str) -> list[str]:
        found = by_kind(variable, SPEC[name], EXAMPLES[name], value)
        if not found and not (os.path.isabs(str(value)) and str(value).isprintable()):
            found = [
                f"{variable} is {shown(value)}, which is no absolute path on hosts. Give one, such as {EXAMPLES[name]}."
            ]
        return found

    return check


CHECKS = {
    "relay": _life,
    "relay_port": _number("relay_port", 1024, 65535),
    "relay_idle_minutes": _number("relay_idle_minutes", 0, 100000),
    "relay_tls_cert": _path("relay_tls_cert"),
    "relay_tls_key": _path("relay_tls_key"),
}


def together(given: Mapping[str, Any]) -> list[str]:
    found = []
    life = life_of(given.get("relay"))
    if life == OFF and as_list(given.get("relay_clients")):
        found.append(
            f"{PREFIX}relay_clients names agents, but {PREFIX}relay is off. Set {PREFIX}relay to {AUTO}, or take it out."
        )
    if life == SERVICE and given.get("scope") == MACHINE:
        found.append(
            f"{PREFIX}relay is {SERVICE}, and {PREFIX}scope is machine: a service is one person's. "
            f"Use {PREFIX}relay {SESSION}, with which each person has their own relay."
        )
    if bool(given.get("relay_tls_cert")) != bool(given.get("relay_tls_key")):
        found.append(f"Of {PREFIX}relay_tls_cert and {PREFIX}relay_tls_key one is set. Set both or neither.")
    return found
