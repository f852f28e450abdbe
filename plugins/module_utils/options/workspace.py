# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which workspace, and the way to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from .. import routing
from .values import PREFIX, Spec, by_kind

SPEC: Spec = {
    "workspace_url": {"type": "str"},
    "routing": {"type": "str", "choices": list(routing.ROUTING_CHOICES), "default": "gateway"},
    "workspace_id": {"type": "str"},
    "ca_file": {"type": "path"},
    "proxy": {"type": "str"},
    "no_proxy": {"type": "str"},
}
EXAMPLES = {
    "workspace_url": "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com",
    "routing": "gateway",
    "workspace_id": "1234567890123456",
    "ca_file": "files/company-ca.pem",
    "proxy": "http://proxy.example.com:3128",
    "no_proxy": "localhost,.example.com",
}
USE = {
    "workspace_url": "must",
    "routing": "usual",
    "ca_file": "usual",
    "proxy": "usual",
    "no_proxy": "usual",
    "workspace_id": "rare",
}


def _proxy(value: Any, variable: str) -> list[str]:
    found = by_kind(variable, SPEC["proxy"], EXAMPLES["proxy"], value)
    if found:
        return found
    try:
        parts = urlsplit(str(value))
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or port == 0:
        return [f"{variable} is no proxy's URL. Give one, such as {EXAMPLES['proxy']}."]
    if parts.username is not None or parts.password is not None:
        # It would stand in files that agents read, and in the environment of all that they start.
        return [
            f"{variable} holds a user name or a password, which would be readable in the agents' settings. Take it out."
        ]
    return []


def _no_proxy(value: Any, variable: str) -> list[str]:
    found = by_kind(variable, SPEC["no_proxy"], EXAMPLES["no_proxy"], value)
    if not found and set(str(value)) & set(" \t;\"'"):
        found = [
            f"{variable} is {value!r}. Write host names with commas and no spaces, such as {EXAMPLES['no_proxy']}."
        ]
    return found


CHECKS = {
    "workspace_url": routing.normalize_workspace_url,
    "routing": routing.validate_routing,
    "workspace_id": routing.validate_workspace_id,
    "proxy": _proxy,
    "no_proxy": _no_proxy,
}


def together(given: Mapping[str, Any]) -> list[str]:
    if given.get("no_proxy") and not given.get("proxy"):
        return [f"{PREFIX}no_proxy is set without {PREFIX}proxy, from which it makes exceptions."]
    return []
