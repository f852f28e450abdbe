# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the tokens are for, and how they are got."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from .. import routing
from ..places import MACHINE
from .values import NOT_IN_PROFILES, PREFIX, Spec, as_list, by_kind, is_plain

IDENTITIES = ("user", "service_principal", "workload_identity", "pat")

SPEC: Spec = {
    "profile": {"type": "str", "default": routing.DEFAULT_PROFILE},
    "identity": {"type": "str", "choices": list(IDENTITIES), "default": "user"},
    "client_id": {"type": "str"},
    "client_secret": {"type": "str", "no_log": True},
    "secret_group": {"type": "str", "no_log": False},
    "oidc_token_file": {"type": "str", "no_log": False},
    "oidc_token_env": {"type": "str", "no_log": False},
    "oidc_token_command": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "token_audience": {"type": "str", "no_log": False},
    "pat": {"type": "str", "no_log": True},
    "token_ttl_minutes": {"type": "int", "default": routing.TTL_MINUTES_DEFAULT, "no_log": False},
    "helper_log": {"type": "bool", "default": False},
    "contact": {"type": "str"},
    "login_at_start": {"type": "bool", "default": False},
    "sign_out": {"type": "bool", "default": False},
}
EXAMPLES = {
    "profile": routing.DEFAULT_PROFILE,
    "identity": "user",
    "client_id": "7c1e0a52-6a53-4f0c-9a1e-0d7f0c2f4b11",
    "client_secret": '"{{ vault_coding_agents_client_secret }}"',
    "secret_group": "coding-agents",
    "oidc_token_file": "/run/secrets/oidc-token",
    "oidc_token_env": "CI_JOB_JWT",
    "oidc_token_command": "[/usr/local/bin/oidc-token]",
    "token_audience": "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com/oidc/v1/token",
    "pat": '"{{ vault_coding_agents_pat }}"',
    "token_ttl_minutes": str(routing.TTL_MINUTES_DEFAULT),
    "helper_log": "true",
    "contact": "it@example.com",
    "login_at_start": "true",
    "sign_out": "true",
}
USE = {
    "identity": "usual",
    "client_id": "usual",
    "client_secret": "usual",
    "login_at_start": "usual",
}

OIDC_SOURCES = ("oidc_token_file", "oidc_token_env", "oidc_token_command")


def _plain(value: Any, variable: str) -> list[str]:
    """Judge what stands in the profile as it is; the value is in no message: it may be a secret."""
    name = variable[len(PREFIX) :]
    found = by_kind(variable, SPEC[name], EXAMPLES[name], value)
    if not found and not is_plain(str(value)):
        found = [f"{variable} holds a character that no such value has. Copy it again."]
    return found


def _oidc_token_env(value: Any, variable: str) -> list[str]:
    found = by_kind(variable, SPEC["oidc_token_env"], EXAMPLES["oidc_token_env"], value)
    if not found and not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", str(value)):
        found = [f"{variable} is {value!r}, which is no name of a variable. Give the name alone."]
    return found


def _oidc_token_file(value: Any, variable: str) -> list[str]:
    found = by_kind(variable, SPEC["oidc_token_file"], EXAMPLES["oidc_token_file"], value)
    return found or _program(str(value), variable, home=True)


def _oidc_token_command(value: Any, variable: str) -> list[str]:
    found = by_kind(variable, SPEC["oidc_token_command"], EXAMPLES["oidc_token_command"], value)
    words = as_list(value) or [""]
    return found or _program(words[0], variable, home=False)


def _program(path: str, variable: str, home: bool) -> list[str]:
    absolute = os.path.isabs(path) or (home and path.startswith("~/"))
    if absolute and path.isprintable() and not set(path) & set(NOT_IN_PROFILES):
        return []
    return [f"{variable} {path} is no absolute path, or holds a character that a profile cannot. Give the whole path."]


CHECKS = {
    "profile": routing.validate_profile,
    "token_ttl_minutes": routing.validate_ttl_minutes,
    "client_id": _plain,
    "client_secret": _plain,
    "pat": _plain,
    "token_audience": _plain,
    "oidc_token_env": _oidc_token_env,
    "oidc_token_file": _oidc_token_file,
    "oidc_token_command": _oidc_token_command,
}


def together(given: Mapping[str, Any]) -> list[str]:
    found = []
    if given.get("identity") == "service_principal":
        missing = [f"{PREFIX}{name}" for name in ("client_id", "client_secret") if not given.get(name)]
        if missing:
            found.append(
                f"{PREFIX}identity is service_principal, but {' and '.join(missing)} is not set. "
                f"Give it from a vault, a lookup or a credential of the automation platform."
            )
    if given.get("scope") == MACHINE:
        found += _machine(given)
    elif given.get("secret_group"):
        found.append(
            f"{PREFIX}secret_group is set without {PREFIX}scope machine, whose secret it is to read. Take it out."
        )
    sources = [name for name in OIDC_SOURCES if given.get(name)]
    if given.get("identity") == "workload_identity" and len(sources) != 1:
        names = ", ".join(f"{PREFIX}{name}" for name in OIDC_SOURCES)
        found.append(
            f"{PREFIX}identity is workload_identity, which needs exactly one of {names}, and has {len(sources)}."
        )
    return found


def _machine(given: Mapping[str, Any]) -> list[str]:
    """Of a whole machine: a secret that every user could spend would be everybody's."""
    identity = given.get("identity")
    if identity == "pat":
        return [
            f"{PREFIX}identity is pat, and {PREFIX}scope is machine: one person's token would be everybody's. "
            f"Use identity user, with which each person signs in, or set {PREFIX}scope to user."
        ]
    if identity == "service_principal" and not given.get("secret_group"):
        return [
            f"{PREFIX}identity is service_principal, and {PREFIX}scope is machine: every user of the host could spend the secret. "
            f"Set {PREFIX}secret_group to the group that may read it, or use identity user."
        ]
    return []
