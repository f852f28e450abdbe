# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables that operators set (``coding_agents_*``), and the one place that judges them.

What an option of a host module is (type, choices, whether it is a secret) stands in its specification in ``edge``; here are the
rest of the variables, an example of each, and the checks that a specification cannot say. Names are without the prefix.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Callable

from .. import module as edge, npm, routing
from ..agents import AGENTS
from ..errors import OperatorError
from ..extra_settings import check_extra_settings

PREFIX = "coding_agents_"

CONFIG_IN_FORCE = "config_in_force"
"""Set by the lookup ``config_file`` beside what the file holds, not by operators: where it was read from."""

_OF_THE_CONTROL_NODE: edge.Spec = {
    "hosts": {"type": "raw", "default": "all"},
    "preflight": {"type": "bool", "default": True},
    "preflight_ca_file": {"type": "path"},
    "auth_profile": {"type": "str"},
    "config": {"type": "path"},
    "config_url": {"type": "str"},
    "config_sha256": {"type": "str"},
}

VARIABLES: edge.Spec = {
    **edge.OWNER,
    **edge.WORKSPACE,
    **edge.AUTH,
    **edge.SETTINGS,
    **edge.CLI,
    **_OF_THE_CONTROL_NODE,
    "sign_out": {"type": "bool", "default": False},  # one module's only
    # Modules take it as one JSON text, so that Ansible does not hide each of its words wherever it appears.
    "extra_settings": {"type": "dict", "default": {}},
}

EXAMPLES: Mapping[str, str] = {
    "agents": "[claude_code]",
    "auth_profile": "fmapi-coding-agents",
    "ca_file": "/etc/ssl/company-ca.pem",
    "cli_versions": "{claude_code: '2.1.197'}",
    "client_id": "7c1e0a52-6a53-4f0c-9a1e-0d7f0c2f4b11",
    "client_secret": '"{{ vault_coding_agents_client_secret }}"',
    "config": "files/coding-agents.json",
    "config_sha256": "the 64 digits that sha256sum prints",
    "config_url": "https://it.example.com/coding-agents.json",
    "experimental_betas": "true",
    "extra_settings": "{claude_code: {includeCoAuthoredBy: false}}",
    "helper_log": "true",
    "home": "/home/ada",
    "hosts": "laptops",
    "identity": "user",
    "login_at_start": "true",
    "models": "{opus: databricks-claude-opus-4-6}",
    "npm_prefix": "/opt/coding-agents",
    "npm_registry": "https://npm.example.com/",
    "oidc_token_command": "[/usr/local/bin/oidc-token]",
    "oidc_token_env": "CI_JOB_JWT",
    "oidc_token_file": "/run/secrets/oidc-token",
    "on_unreadable": "fail",
    "pat": '"{{ vault_coding_agents_pat }}"',
    "preflight": "false",
    "preflight_ca_file": "/etc/ssl/company-ca.pem",
    "profile": routing.DEFAULT_PROFILE,
    "routing": "gateway",
    "settings_location": "home",
    "sign_out": "true",
    "token_audience": "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com/oidc/v1/token",
    "token_ttl_minutes": str(routing.TTL_MINUTES_DEFAULT),
    "users": "[ada, grace]",
    "workspace_id": "1234567890123456",
    "workspace_url": "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com",
}
"""A value of each variable as it stands in YAML."""

CONFIG_KEYS: Mapping[str, str] = {
    "host": "workspace_url",
    "profile": "profile",
    "model": "models.default",
    "opus": "models.opus",
    "sonnet": "models.sonnet",
    "haiku": "models.haiku",
    "ttl": "token_ttl_minutes",
    "settings_location": "settings_location",
    "ai_gateway": "routing",
    "workspace_id": "workspace_id",
}
"""Keys of the JSON config file, and what they are called here. As variables, too, people bring them from there."""

# What AnsibleModule takes for a boolean.
_TRUE = frozenset(("y", "yes", "on", "1", "true", "t", "1.0"))
_FALSE = frozenset(("n", "no", "off", "0", "false", "f", "0.0"))

_KINDS = {
    "str": "a text",
    "path": "a path",
    "bool": "true or false",
    "list": "a list",
    "dict": "a dictionary",
}


def problems(given: Mapping[str, Any]) -> list[str]:
    """What is wrong with these variables, one message for each mistake. An empty list: they can be used.

    ``given`` holds plain values. A message names the variable, the value (never a secret's), what is allowed and an example.
    """
    found = [problem for name, value in given.items() for problem in problems_of(name, value)]
    return found or _of_all(given)


def unknown(names: Iterable[str]) -> list[str]:
    """A message for each name that is no variable of ours, with the one that was probably meant."""
    return [_unknown(name) for name in names if name not in VARIABLES and name != CONFIG_IN_FORCE]


def is_secret(name: str) -> bool:
    return bool(VARIABLES[name].get("no_log"))


def as_boolean(value: Any) -> bool | None:
    """True or false as Ansible reads it; None for what is neither."""
    word = str(value).strip().lower() if isinstance(value, (bool, int, str)) else ""
    return True if word in _TRUE else False if word in _FALSE else None


def as_list(value: Any) -> list[Any] | None:
    """A list as Ansible reads it: itself, or a text with commas. None for what is none."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return list(value) if isinstance(value, (list, tuple)) else None


def as_mapping(value: Any) -> Mapping[str, Any] | None:
    """A dictionary: itself, or one written as JSON (``-e`` gives text). None for what is none."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, Mapping) else None


def problems_of(name: str, value: Any) -> list[str]:
    """What is wrong with one variable by itself."""
    if name not in VARIABLES:
        return [_unknown(name)]
    option, variable = VARIABLES[name], PREFIX + name
    if value is None or value == "":
        if name == "workspace_url" or option.get("default") in (None, [], {}):
            return []
        return [f"{variable} is set to nothing. Give {_allowed(name)}, or leave it out."]
    try:
        if name in _CHECKS:
            return list(_CHECKS[name](value, variable))
        return _by_kind(name, value)
    except (ValueError, OperatorError) as error:
        return [str(error)]


def _by_kind(name: str, value: Any) -> list[str]:
    """Judge by type and choices alone."""
    option, variable = VARIABLES[name], PREFIX + name
    kind = option["type"]
    shown = "has a value that" if is_secret(name) else f"is {_shown(value)}, which"
    wrong = [f"{variable} {shown} is not {_KINDS.get(kind)}. Give {_allowed(name)}."]
    if kind == "bool":
        return wrong if as_boolean(value) is None else []
    if kind in ("str", "path"):
        # YAML reads 123 as a number where a text is meant; 1.10 has lost its last digit by then.
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            return wrong
        if not str(value).isprintable():
            return [f"{variable} holds a line break or another control character. Give {_allowed(name)}."]
        return [f"{variable} is {_shown(value)}. Use {_allowed(name)}."] if _not_chosen(option, [value]) else []
    if kind == "list":
        members = as_list(value)
        if members is None or not all(isinstance(one, str) and one and one.isprintable() for one in members):
            return wrong
        strange = _not_chosen(option, members)
        return [f"{variable} names {', '.join(strange)}. Use {_allowed(name)}."] if strange else []
    if kind == "dict":
        return [] if as_mapping(value) is not None else wrong
    return []


def _of_all(given: Mapping[str, Any]) -> list[str]:
    """What does not go together, once each alone is right."""
    found = []
    if not given.get("workspace_url"):
        try:
            routing.normalize_workspace_url(None)
        except ValueError as error:
            found.append(str(error))
    if given.get("identity") == "service_principal":
        missing = [f"{PREFIX}{name}" for name in ("client_id", "client_secret") if not given.get(name)]
        if missing:
            found.append(
                f"{PREFIX}identity is service_principal, but {' and '.join(missing)} is not set. "
                f"Give it from a vault, a lookup or a credential of the automation platform."
            )
    sources = [name for name in edge.OIDC_SOURCES if given.get(name)]
    if given.get("identity") == "workload_identity" and len(sources) != 1:
        names = ", ".join(f"{PREFIX}{name}" for name in edge.OIDC_SOURCES)
        found.append(
            f"{PREFIX}identity is workload_identity, which needs exactly one of {names}, and has {len(sources)}."
        )
    for one, other in _EXCLUSIVE:
        if given.get(one) and given.get(other):
            found.append(f"{PREFIX}{one} and {PREFIX}{other} are both set. Leave one of them out.")
    if given.get("config_sha256") and not given.get("config_url"):
        found.append(f"{PREFIX}config_sha256 is set without {PREFIX}config_url, whose content it is to prove.")
    if given.get("routing") == "auto" and as_boolean(given.get("preflight")) is False:
        try:
            routing.base_url("auto", "", "")
        except ValueError as error:
            found.append(str(error))
    return found


_EXCLUSIVE = (("users", "home"), ("config", "config_url"))


def _unknown(name: str) -> str:
    if name in CONFIG_KEYS:
        return f"{PREFIX}{name}: there is no such variable. What it says is {PREFIX}{CONFIG_KEYS[name]} here."
    near = difflib.get_close_matches(name, VARIABLES, 1)
    if near:
        return f"{PREFIX}{name}: there is no such variable. Did you mean {PREFIX}{near[0]}?"
    return f"{PREFIX}{name}: there is no such variable. The README of fmapi.coding_agents lists them all."


def _allowed(name: str) -> str:
    option = VARIABLES[name]
    if "choices" in option:
        amount = "one or more" if option["type"] == "list" else "one"
        return f"{amount} of: {', '.join(map(str, option['choices']))}"
    return f"{_KINDS.get(option['type'], 'a value')}, such as {EXAMPLES[name]}"


def _shown(value: Any) -> str:
    """A value as YAML's reader thinks of it, short enough for a message."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _not_chosen(option: Mapping[str, Any], values: Iterable[Any]) -> list[str]:
    return [str(value) for value in values if "choices" in option and value not in option["choices"]]


def _agents(value: Any, variable: str) -> list[str]:
    names = as_list(value)
    if not names:
        return [f"{variable} names no agent. Use {_allowed('agents')}, or run the playbook uninstall."]
    return _by_kind("agents", value)


def _models(value: Any, variable: str) -> list[str]:
    chosen, slots = as_mapping(value), VARIABLES["models"]["options"]
    if chosen is None:
        return [f"{variable} is not a dictionary. Give model ids by {', '.join(slots)}, such as {EXAMPLES['models']}."]
    found = []
    for slot, model in chosen.items():
        if slot not in slots:
            near = difflib.get_close_matches(str(slot), slots, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            found.append(f"{variable} has {slot}, which is no choice of a model. Use only: {', '.join(slots)}.{hint}")
        elif model and not is_model_id(model):
            found.append(
                f"{variable}.{slot} is {_shown(model)}, which is no model id. "
                f"Give the name of a serving endpoint or model service, such as databricks-claude-opus-4-6."
            )
    return found


def is_model_id(model: Any) -> bool:
    return isinstance(model, str) and model.isascii() and model.isprintable() and " " not in model


def _cli_versions(value: Any, variable: str) -> list[str]:
    versions = as_mapping(value)
    if versions is None:
        return _by_kind("cli_versions", value)
    npm.check_versions(versions)
    return []


def _users(value: Any, variable: str) -> list[str]:
    found = _by_kind("users", value)
    odd = [] if found else [one for one in as_list(value) or [] if set(one) & set(" /:\t") or one.startswith("-")]
    return [*found, *(f"{variable} names {one!r}, which is no user name. Give {_allowed('users')}." for one in odd)]


def _url(value: Any, variable: str) -> list[str]:
    name = variable[len(PREFIX) :]
    found = _by_kind(name, value)
    schemes = ("https://",) if name == "config_url" else ("https://", "http://")
    if not found and (not str(value).lower().startswith(schemes) or " " in str(value)):
        found.append(f"{variable} does not begin with {' or '.join(schemes)}. Give a URL, such as {EXAMPLES[name]}.")
    return found


def _sha256(value: Any, variable: str) -> list[str]:
    if isinstance(value, str) and len(value) == 64 and not value.lower().strip("0123456789abcdef"):
        return []
    return [f"{variable} is {_shown(value)}, which is no SHA-256. Give {EXAMPLES['config_sha256']}."]


def _extra_settings(value: Any, variable: str) -> list[str]:
    extra = as_mapping(value)
    if extra is None:
        return [f"{variable} is not a dictionary. Give settings by agent, such as {EXAMPLES['extra_settings']}."]
    check_extra_settings(extra, AGENTS)
    return []


def _nothing_if_right(check: Callable[[Any, str], Any]) -> Callable[[Any, str], list[str]]:
    """A check of ``routing``, which returns the value and raises ValueError."""

    def judged(value: Any, variable: str) -> list[str]:
        check(value, variable)
        return []

    return judged


_CHECKS: Mapping[str, Callable[[Any, str], Iterable[str]]] = {
    "agents": _agents,
    "cli_versions": _cli_versions,
    "config_sha256": _sha256,
    "config_url": _url,
    "extra_settings": _extra_settings,
    "models": _models,
    "npm_registry": _url,
    "profile": _nothing_if_right(routing.validate_profile),
    "routing": _nothing_if_right(routing.validate_routing),
    "token_ttl_minutes": _nothing_if_right(routing.validate_ttl_minutes),
    "users": _users,
    "workspace_id": _nothing_if_right(routing.validate_workspace_id),
    "workspace_url": _nothing_if_right(routing.normalize_workspace_url),
}
