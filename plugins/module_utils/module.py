# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where host code meets Ansible: option specifications, errors, results. Modules stay short because of it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import Any, Callable, Dict  # noqa: UP035

from ansible.module_utils.basic import AnsibleModule

from . import extra_settings
from .agents import AGENTS, AgentOptions
from .defects import defect
from .engine.diffs import diff_of
from .errors import OperatorError
from ..plugin_utils import program as build
from .host_program.config import Config
from .host_program.session import IDENTITIES
from .host_program.token import TokenError
from .engine.owner import (
    Done,
    check_home,
    current_owner,
    each,
    owner_named,
)
from .engine.ownership import Wanted
from .routing import (
    DEFAULT_PROFILE,
    ROUTING_CHOICES,
    TTL_MINUTES_DEFAULT,
    normalize_workspace_url,
    validate_profile,
    validate_ttl_minutes,
)
from .engine.transaction import Outcome
from .wanted import (
    ROLES,
    UNREADY,
    agent_documents,
    base_urls,
)

OLDEST_PYTHON = (3, 9)
"""Of a host. Up to the check that says so, the code has to run on 3.8, on which ansible-core 2.18 still starts modules: hence the
few aliases that :mod:`typing` spells.
"""

Spec = Dict[str, Dict[str, Any]]  # noqa: UP006

OWNER: Spec = {"home": {"type": "path"}, "users": {"type": "list", "elements": "str", "default": []}}
STATE: Spec = {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}}
WORKSPACE: Spec = {
    "workspace_url": {"type": "str"},
    "token_ttl_minutes": {"type": "int", "default": TTL_MINUTES_DEFAULT, "no_log": False},
    "ca_file": {"type": "path"},
    "on_unreadable": {"type": "str", "choices": ["fail", "backup_and_replace"], "default": "fail"},
}
AUTH: Spec = {
    "profile": {"type": "str", "default": DEFAULT_PROFILE},
    "identity": {"type": "str", "choices": list(IDENTITIES), "default": "user"},
    "client_id": {"type": "str"},
    "client_secret": {"type": "str", "no_log": True},
    "oidc_token_file": {"type": "str", "no_log": False},
    "oidc_token_env": {"type": "str", "no_log": False},
    "oidc_token_command": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "token_audience": {"type": "str", "no_log": False},
    "pat": {"type": "str", "no_log": True},
    "helper_log": {"type": "bool", "default": False},
    "login_at_start": {"type": "bool", "default": False},
}
OIDC_SOURCES = ("oidc_token_file", "oidc_token_env", "oidc_token_command")
_NOT_IN_PROFILES = "#;\"'`\\"
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
    # One text: of a dictionary, Ansible would hide every word and number wherever it appears in a result.
    "extra_settings": {"type": "str", "no_log": True},
}
CLI: Spec = {
    "cli_versions": {"type": "dict", "default": {}},
    "npm_prefix": {"type": "path"},
    "npm_registry": {"type": "str"},
}


Body = Callable[[AnsibleModule, str], "dict[str, Any]"]
"""A module's work for one owner: the module and the owner's home in, the owner's part of the result out.

``changed``, ``changes``, ``diff``, ``warnings``, ``checks``, ``sign_ins`` and ``drifted_roles`` are merged over all owners; ``error``
is a failure that leaves the rest of the part standing.
"""


def run(spec: Spec, body: Body, plans_only: bool = False, **module_options: Any) -> None:
    """Run a module for each of its owners; what an operator can mend becomes one clear failure, after all have had their turn.

    With ``plans_only`` (the look), some owners' failures are a finding, so that the others are not held up: the result names
    ``ready_users`` and ``failed_users``, and the role that fails for the latter comes last.
    """
    module = AnsibleModule(
        argument_spec={**OWNER, **spec},
        supports_check_mode=True,
        **module_options,
    )
    if sys.version_info < OLDEST_PYTHON:
        module.fail_json(
            msg=f"{sys.executable} is Python {sys.version.split()[0]}, and fmapi.coding_agents needs "
            f"{'.'.join(map(str, OLDEST_PYTHON))} or newer on a host. Install one, and name it in ansible_python_interpreter"
        )
    try:
        users = module.params["users"]
        if users and module.params["home"]:
            raise OperatorError("are both set", "coding_agents_users and coding_agents_home", "Leave one of them out")
        owners = [owner_named(user) for user in users] if users else [current_owner(module.params["home"])]
    except OperatorError as error:
        module.fail_json(msg=str(error))
    if users:
        # A child that became the owner cannot read the module's own archive any more: load now what is otherwise loaded late.
        from .host_program import (  # noqa: F401
            machine_to_machine,
            oidc_source,
            profile,
            token_exchange,
            user_sign_in,
            workspace,
        )

        build.program()
    try:
        done = each(owners, lambda owner: body(module, check_home(owner)), (OperatorError, TokenError, ValueError))
    except Exception as error:
        module.fail_json(**defect(error))
    result = _merged(done)
    for warning in result.pop("warnings"):
        module.warn(warning)
    failed = [one for one in done if one.error]
    if failed and len(done) == 1:
        module.fail_json(msg=failed[0].error, **result)
    if plans_only and len(failed) < len(done):
        result["ready_users"] = [one.owner.user for one in done if not one.error] if users else []
        result["failed_users"] = {one.owner.user: one.error for one in failed}
        result["drifted_roles"] += [UNREADY] if failed else []
        module.exit_json(**result)
    if failed:
        said = "; ".join(f"{one.owner.user}: {one.error}" for one in failed)
        module.fail_json(msg=f"{len(failed)} of {len(done)} users failed. {said}", **result)
    module.exit_json(**result)


def _merged(done: list[Done]) -> dict[str, Any]:
    """One result of all owners': lists are joined; the rest stands under ``owners``, and above for the only one."""
    parts = {one.owner.user: dict(one.result) for one in done}
    result: dict[str, Any] = {"changed": False, "warnings": []}
    for part in parts.values():
        result["changed"] = part.pop("changed", False) or result["changed"]
        for name in ("changes", "warnings", "diff", "checks", "sign_ins", "drifted_roles"):
            if name in part:
                result.setdefault(name, []).extend(part.pop(name))
    if "drifted_roles" in result:
        result["drifted_roles"] = [role for role in ROLES if role in result["drifted_roles"]]
    if len(done) == 1:
        return {**result, **parts[done[0].owner.user]}
    return {**result, "owners": parts}


def config_of(module: AnsibleModule, home: str) -> Config:
    """The configuration of the token helper. Raises OperatorError and ValueError for what the operator must correct."""
    options = module.params
    config = Config(
        home=home,
        workspace_url=normalize_workspace_url(options["workspace_url"]),
        profile=validate_profile(options["profile"]),
        identity=options["identity"],
        token_ttl_minutes=validate_ttl_minutes(options["token_ttl_minutes"]),
        ca_file=_ca_file(options["ca_file"]),
        log=options["helper_log"],
        login_at_start=options["login_at_start"],
    )
    if config.identity == "service_principal":
        return config._replace(client_id=_needed(options, "client_id"))
    if config.identity == "workload_identity":
        return config._replace(**_workload(options, home))
    return config._replace(owns_profile=False) if config.identity == "pat" and not options["pat"] else config


def secret_of(module: AnsibleModule) -> str | None:
    """What the operator gave for the profile to hold: a service principal's OAuth secret or a personal access token.

    None where the identity has none of ours. Raises OperatorError.
    """
    if module.params["identity"] == "service_principal":
        return _needed(module.params, "client_secret")
    return _plain(module.params, "pat") if module.params["identity"] == "pat" else None


def _workload(options: Mapping[str, Any], home: str) -> dict[str, Any]:
    """Where a workload's OIDC token comes from, and what it is exchanged for. Raises OperatorError."""
    given = [name for name in OIDC_SOURCES if options[name]]
    if len(given) != 1:
        raise OperatorError(
            f"identity workload_identity needs exactly one of them, and has {len(given)}",
            ", ".join(f"coding_agents_{name}" for name in OIDC_SOURCES),
            "Set the one that the host's OIDC tokens come from",
        )
    path, name, command = (options[source] for source in OIDC_SOURCES)
    if path and path.startswith("~/"):
        path = os.path.join(home, path[2:])  # not expanded by Ansible, which may run as somebody else
    if name and not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
        raise OperatorError("is no name of a variable", f"coding_agents_oidc_token_env {name}", "Give the name alone")
    if not name:
        program = path or command[0]
        if not os.path.isabs(program) or not program.isprintable() or set(program) & set(_NOT_IN_PROFILES):
            raise OperatorError(
                "is no absolute path, or holds a character that a profile cannot",
                f"coding_agents_{given[0]} {program}",
                "Give the whole path",
            )
    return {
        "client_id": _plain(options, "client_id"),
        "oidc_token_file": path or None,
        "oidc_token_env": name or None,
        "oidc_token_command": command or None,
        "token_audience": _plain(options, "token_audience"),
    }


def _needed(options: Mapping[str, Any], name: str) -> str:
    value = _plain(options, name)
    if value is None:
        raise OperatorError(
            "identity service_principal needs it",
            f"coding_agents_{name} is not set",
            "Give it by vault, lookup or credential",
        )
    return value


def _plain(options: Mapping[str, Any], name: str) -> str | None:
    """An option whose value stands in the profile as it is: a word that every reader reads the same. Raises OperatorError."""
    value = options[name] or None
    if value and not (value.isascii() and value.isprintable() and not set(value) & set(" " + _NOT_IN_PROFILES)):
        raise OperatorError("holds a character that no such value has", f"coding_agents_{name}", "Copy it again")
    return value


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


def documents_of(module: AnsibleModule, home: str) -> list[Wanted]:
    """The documents of the chosen agents. Raises OperatorError and ValueError."""
    if not module.params["agents"]:
        # More often a mistake in a template than a wish: what withdraws everything has a name of its own.
        raise OperatorError("names no agent", "coding_agents_agents", "Name one, or run the playbook uninstall")
    extra = extra_settings.parse(module.params["extra_settings"], AGENTS)
    return agent_documents(module.params["agents"], agent_options_of(module, home), replaces_unreadable(module), extra)


def replaces_unreadable(module: AnsibleModule) -> bool:
    """Whether the operator allows that a file which cannot be parsed is put aside."""
    return bool(module.params["on_unreadable"] == "backup_and_replace")


def npm_prefix_of(module: AnsibleModule, home: str) -> str:
    return os.path.normpath(module.params["npm_prefix"] or os.path.join(home, ".local"))


def result_of(outcome: Outcome, **more: Any) -> dict[str, Any]:
    """An owner's result: changed, the changes in words, the diff; notes become warnings, so that nobody misses them."""
    return {
        "changed": outcome.changed,
        "changes": outcome.changes,
        "diff": diff_of(outcome.plans),
        "warnings": outcome.notes,
        **more,
    }


def _ca_file(path: str | None) -> str | None:
    if path and not os.access(path, os.R_OK):
        raise OperatorError(
            "is not there, or cannot be read by this user",
            f"coding_agents_ca_file {path}",
            "Put the PEM file on the host first",
        )
    return path or None
