# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What single playbooks can be told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .values import Spec, registry

STATE: Spec = {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}}
PARTS: Spec = {"parts": {"type": "list", "elements": "str"}}
if registry("parts", "PARTS"):
    PARTS["parts"]["choices"] = list(registry("parts", "PARTS"))
VALIDATE: Spec = {"validate": {"type": "bool", "default": False}}
UPGRADE: Spec = {"upgrade": {"type": "bool", "default": False}}
"""Of modules alone: no variable sets these."""

DOCTOR: Spec = {"doctor_prompt": {"type": "bool", "default": False}}
SIGN_IN: Spec = {"sign_in_timeout": {"type": "int", "default": 300}}
OFFLINE: Spec = {
    "offline_databricks_cli": {"type": "bool", "default": True},
    "offline_directory": {"type": "path"},
    "offline_platforms": {
        "type": "list",
        "elements": "str",
        "choices": ["linux_x86_64", "linux_arm64", "darwin_x86_64", "darwin_arm64"],
        "default": ["linux_x86_64"],
    },
}
MODELS: Spec = {"models_query": {"type": "str"}}
CONFIGURE: Spec = {
    "answers": {"type": "path"},
    "configure_file": {"type": "path"},
    "configure_replace": {"type": "bool", "default": False},
}
SPEC: Spec = {**DOCTOR, **SIGN_IN, **OFFLINE, **MODELS, **CONFIGURE}
EXAMPLES = {
    "answers": "answers.yml",
    "configure_file": "group_vars/laptops/coding_agents.yml",
    "configure_replace": "true",
    "doctor_prompt": "true",
    "models_query": "\"[?contains(agents, 'codex') && ready]\"",
    "offline_databricks_cli": "false",
    "offline_directory": "/srv/mirror",
    "offline_platforms": "[linux_x86_64, darwin_arm64]",
    "sign_in_timeout": "300",
}
USE = {"doctor_prompt": "usual", "models_query": "usual"}


def _seconds(value: Any, variable: str) -> list[str]:
    if isinstance(value, bool) or not re.fullmatch("[0-9]{1,4}", str(value)) or not 1 <= int(value) <= 3600:
        return [f"{variable} is {value!r}. Give seconds from 1 to 3600, such as {EXAMPLES['sign_in_timeout']}."]
    return []


CHECKS = {"sign_in_timeout": _seconds}

EARLIER = frozenset({**DOCTOR, **SIGN_IN})
"""Set without the prefix once."""


def together(given: Mapping[str, Any]) -> list[str]:
    return []
