# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only the control node needs to know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .values import PREFIX, Spec, as_boolean, as_list, by_kind, shown

_SCHEMA = re.compile(r"[^\s./\x00-\x1f\x7f]{1,255}\.[^\s./\x00-\x1f\x7f]{1,255}")

ASKING: Spec = {
    "preflight": {"type": "bool", "default": True},
    "preflight_ca_file": {"type": "path"},
    "auth_profile": {"type": "str"},
    "models_file": {"type": "path"},
    "models_schemas": {"type": "list", "elements": "str"},
}
"""How the control node asks the workspace, before a host is touched."""

CONFIG: Spec = {
    "config": {"type": "path"},
    "config_url": {"type": "str"},
    "config_sha256": {"type": "str"},
}
"""Read by the lookup config_file, and by no module."""

SPEC: Spec = {**ASKING, **CONFIG, "hosts": {"type": "raw", "default": "all"}, "report": {"type": "path"}}
EXAMPLES = {
    "preflight": "false",
    "preflight_ca_file": "/etc/ssl/company-ca.pem",
    "auth_profile": "fmapi-coding-agents",
    "config": "files/coding-agents.json",
    "config_sha256": "the 64 digits that sha256sum prints",
    "config_url": "https://it.example.com/coding-agents.json",
    "hosts": "laptops",
    "models_file": "models.yml",
    "models_schemas": "[main.agents, system.ai]",
    "report": "report.json",
}
USE = {"hosts": "usual", "auth_profile": "usual", "config": "usual", "report": "usual"}


def _url(value: Any, variable: str) -> list[str]:
    found = by_kind(variable, SPEC["config_url"], EXAMPLES["config_url"], value)
    if not found and (not str(value).lower().startswith("https://") or " " in str(value)):
        found.append(f"{variable} does not begin with https://. Give a URL, such as {EXAMPLES['config_url']}.")
    return found


def _sha256(value: Any, variable: str) -> list[str]:
    if isinstance(value, str) and len(value) == 64 and not value.lower().strip("0123456789abcdef"):
        return []
    return [f"{variable} is {shown(value)}, which is no SHA-256. Give {EXAMPLES['config_sha256']}."]


def _schemas(value: Any, variable: str) -> list[str]:
    return by_kind(variable, SPEC["models_schemas"], EXAMPLES["models_schemas"], value) or [
        f"{variable} has {shown(one)}, which is no schema of Unity Catalog. Give CATALOG.SCHEMA, such as main.agents."
        for one in as_list(value) or []
        if not _SCHEMA.fullmatch(str(one))
    ]


CHECKS = {"config_url": _url, "config_sha256": _sha256, "models_schemas": _schemas}


def together(given: Mapping[str, Any]) -> list[str]:
    found = []
    if given.get("config") and given.get("config_url"):
        found.append(f"{PREFIX}config and {PREFIX}config_url are both set. Leave one of them out.")
    if given.get("config_sha256") and not given.get("config_url"):
        found.append(f"{PREFIX}config_sha256 is set without {PREFIX}config_url, whose content it is to prove.")
    chooses = as_boolean(given.get("models_auto")) is True
    if given.get("models_file") and not chooses:
        found.append(f"{PREFIX}models_file is set without {PREFIX}models_auto, whose choice it is to hold.")
    if given.get("models_schemas") and not chooses:
        found.append(f"{PREFIX}models_schemas is set without {PREFIX}models_auto, which would choose among them.")
    if chooses and as_boolean(given.get("preflight")) is False:
        found.append(
            f"{PREFIX}models_auto is true, but only the preflight can choose models. "
            f"Leave {PREFIX}preflight on, or name them in {PREFIX}models."
        )
    if given.get("routing") == "auto" and as_boolean(given.get("preflight")) is False:
        found.append(
            f"{PREFIX}routing is auto, which only the preflight can decide. "
            f"Leave {PREFIX}preflight on, or name another routing."
        )
    return found
