# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where host code meets Ansible: option specifications, errors, diffs. Modules stay short because of it."""

from __future__ import annotations

import os
import pwd
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule

from .agents import AGENTS, AgentOptions
from .errors import OperatorError
from .host_program.config import Config
from .host_program.session import IDENTITIES
from .host_program.token import TokenError
from .masking import masked_pair
from .ownership import Plan
from .routing import (
    DEFAULT_PROFILE,
    ROUTING_CHOICES,
    TTL_MINUTES_DEFAULT,
    normalize_workspace_url,
    validate_profile,
    validate_ttl_minutes,
)
from .transaction import Outcome
from .wanted import base_urls

Spec = dict[str, dict[str, Any]]

OWNER: Spec = {"home": {"type": "path"}}
STATE: Spec = {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}}
WORKSPACE: Spec = {
    "workspace_url": {"type": "str"},
    "token_ttl_minutes": {"type": "int", "default": TTL_MINUTES_DEFAULT, "no_log": False},
    "ca_file": {"type": "path"},
}
AUTH: Spec = {
    "profile": {"type": "str", "default": DEFAULT_PROFILE},
    "identity": {"type": "str", "choices": list(IDENTITIES), "default": "user"},
    "client_id": {"type": "str"},
    "client_secret": {"type": "str", "no_log": True},
}
SETTINGS: Spec = {
    "agents": {"type": "list", "elements": "str", "choices": sorted(AGENTS), "default": ["claude_code"]},
    "models": {
        "type": "dict",
        "default": {},
        "options": {slot: {"type": "str"} for slot in ("default", "opus", "sonnet", "haiku")},
    },
    "routing": {"type": "str", "choices": list(ROUTING_CHOICES), "default": "gateway"},
    "workspace_id": {"type": "str"},
    "settings_location": {"type": "str", "default": "home"},
    "experimental_betas": {"type": "bool", "default": False},
}
CLI: Spec = {
    "cli_versions": {"type": "dict", "default": {}},
    "npm_prefix": {"type": "path"},
    "npm_registry": {"type": "str"},
}


def run(spec: Spec, body: Callable[[AnsibleModule], dict[str, Any]], **module_options: Any) -> None:
    """Run a module: ``body`` returns its result; what an operator can mend becomes one clear failure."""
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True, **module_options)
    try:
        result = body(module)
    except (OperatorError, TokenError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


def home_of(module: AnsibleModule) -> str:
    """The owner's home: the option, or that of the user whom the module runs as. Raises OperatorError."""
    home = module.params["home"] or pwd.getpwuid(os.geteuid()).pw_dir
    if not os.path.isabs(home):
        raise OperatorError(
            "is not an absolute path", f"home {home}", "Set coding_agents_home to an absolute path, or leave it out"
        )
    if not os.path.isdir(home):
        raise OperatorError("does not exist", f"home {home}", "Make the home first, or correct coding_agents_home")
    if os.stat(home).st_uid != os.geteuid():
        owner = _user_name(os.stat(home).st_uid)
        raise OperatorError(
            f"belongs to {owner}, the task runs as {_user_name(os.geteuid())}",
            f"home {home}",
            f"Use become_user: {owner}",
        )
    return os.path.normpath(home)


def config_of(module: AnsibleModule, home: str) -> Config:
    """The configuration of the token helper. Raises ValueError for what the operator must correct."""
    options = module.params
    return Config(
        home=home,
        workspace_url=normalize_workspace_url(options["workspace_url"]),
        profile=validate_profile(options["profile"]),
        identity=options["identity"],
        token_ttl_minutes=validate_ttl_minutes(options["token_ttl_minutes"]),
        ca_file=_ca_file(options["ca_file"]),
    )


def credentials_of(module: AnsibleModule) -> tuple[str, str] | None:
    """A service principal's client id and secret; None for another identity. Raises OperatorError."""
    if module.params["identity"] != "service_principal":
        return None
    found = []
    for name in ("client_id", "client_secret"):
        value = module.params[name] or ""
        if not value:
            raise OperatorError(
                "identity service_principal needs it",
                f"coding_agents_{name} is not set",
                "Give it by vault, lookup or credential",
            )
        if not value.isascii() or not value.isprintable() or any(one in " #;\"'`\\" for one in value):
            raise OperatorError("holds a character that no such value has", f"coding_agents_{name}", "Copy it again")
        found.append(value)
    return found[0], found[1]


def agent_options_of(module: AnsibleModule, home: str) -> AgentOptions:
    """What the agents' documents depend on. Raises OperatorError and ValueError."""
    options = module.params
    url = normalize_workspace_url(options["workspace_url"])
    directory = home
    if options["settings_location"] != "home":
        directory = os.path.expanduser(options["settings_location"])
        if not os.path.isabs(directory) or not os.path.isdir(directory):
            what = (
                "is no directory on this host"
                if os.path.isabs(directory)
                else "is neither the word home nor an absolute path"
            )
            raise OperatorError(
                what, f"coding_agents_settings_location {directory}", "Name an existing directory, or home"
            )
    config = Config(home, url, "", "", 0)
    return AgentOptions(
        home=home,
        settings_directory=os.path.normpath(directory),
        workspace_url=url,
        base_urls=base_urls(options["routing"], url, options["workspace_id"]),
        token_helper=config.helper,
        token_ttl_minutes=validate_ttl_minutes(options["token_ttl_minutes"]),
        models={slot: model for slot, model in options["models"].items() if model},
        ca_file=_ca_file(options["ca_file"]),
        experimental_betas=options["experimental_betas"],
    )


def npm_prefix_of(module: AnsibleModule, home: str) -> str:
    return os.path.normpath(module.params["npm_prefix"] or os.path.join(home, ".local"))


def result_of(module: AnsibleModule, outcome: Outcome, **more: Any) -> dict[str, Any]:
    """A module's result: changed, the changes in words, the diff; notes become warnings, so that nobody misses them."""
    for note in outcome.notes:
        module.warn(note)
    return {"changed": outcome.changed, "changes": outcome.changes, "diff": diff_of(outcome.plans), **more}


def diff_of(plans: list[Plan]) -> list[dict[str, str]]:
    """What ``--diff`` shows: each changed file's own text before and after, secrets masked."""
    return [_diff(one) for one in plans if one.changed]


def _diff(one: Plan) -> dict[str, str]:
    before, after = masked_pair(_readable(one.before), _readable(one.after))
    headers = [
        f"{one.path}{_mode(mode)}" for mode in (one.mode_before, one.mode_after if one.after is not None else None)
    ]
    return {"before_header": headers[0], "after_header": headers[1], "before": before, "after": after}


def _mode(mode: int | None) -> str:
    return " (no file)" if mode is None else f" ({mode:04o})"


def _readable(content: bytes | None) -> str:
    if content is None:
        return ""
    if b"\0" in content:
        return f"(program, {len(content)} bytes)\n"
    return content.decode("utf-8", "replace")


def _ca_file(path: str | None) -> str | None:
    if path and not os.access(path, os.R_OK):
        raise OperatorError(
            "is not there, or cannot be read by this user",
            f"coding_agents_ca_file {path}",
            "Put the PEM file on the host first",
        )
    return path or None


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
