# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several parts derive from the options in the same way: the host program's configuration, the certificate authority, and what
an agent's documents depend on.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Mapping
from typing import Any

from ..agents import AGENTS, AgentOptions
from ..engine.owner import Owner
from ..errors import OperatorError
from ..host_program.config import Config
from ..relay.settings import HOST, SESSION
from ..routing import base_urls, model_service_of, normalize_workspace_url
from . import relaying

CA_NAME = "ca.pem"


def config_of(owner: Owner, options: Mapping[str, Any]) -> Config:
    """The host program's configuration. Raises OperatorError and ValueError for what must be mended first."""
    config = Config(
        home=owner.home,
        workspace_url=normalize_workspace_url(options["workspace_url"]),
        profile=options["profile"],
        identity=options["identity"],
        token_ttl_minutes=options["token_ttl_minutes"],
        ca_file=ca_file_of(owner, options),
        log=options["helper_log"],
        login_at_start=options["login_at_start"],
        proxy=options["proxy"] or None,
        no_proxy=options["no_proxy"] or None,
        scope=owner.scope,
    )
    if owner.is_machine and config.identity != "service_principal":
        config = config._replace(owns_profile=False)  # each user's profile comes with their own sign-in
    if config.identity == "service_principal":
        return config._replace(client_id=options["client_id"])
    if config.identity == "workload_identity":
        return config._replace(
            client_id=options["client_id"] or None,
            oidc_token_file=_in_home(owner, options["oidc_token_file"]),
            oidc_token_env=options["oidc_token_env"] or None,
            oidc_token_command=options["oidc_token_command"] or None,
            token_audience=options["token_audience"] or None,
        )
    return config._replace(owns_profile=False) if config.identity == "pat" and not options["pat"] else config


def bare_config(owner: Owner) -> Config:
    """A configuration of which nothing but the places is known."""
    return Config(owner.home, "", "", "", 0, scope=owner.scope)


def ca_file_of(owner: Owner, options: Mapping[str, Any]) -> str | None:
    """Where the certificate authority stands on this host: where it is named, or where we put the control node's.

    Raises OperatorError where it is on neither.
    """
    path = options["ca_file"]
    if not path:
        return None
    if os.path.isabs(path) and os.access(path, os.R_OK):
        if owner.is_machine and not os.stat(path).st_mode & stat.S_IROTH:
            raise OperatorError(
                "cannot be read by every user of this host",
                f"coding_agents_ca_file {path}",
                f"Run: chmod o+r {path}, or name a file of the control node",
            )
        return str(path)
    if brought_ca(options) is not None:
        return os.path.join(owner.data, CA_NAME)
    raise OperatorError(
        "is not there, or cannot be read by this user, and is not on the control node",
        f"coding_agents_ca_file {path}",
        "Put the PEM file on the host, or name one of the control node",
    )


def agent_options(owner: Owner, options: Mapping[str, Any], name: str) -> AgentOptions:
    """What one agent's documents depend on. Raises OperatorError and ValueError."""
    url = normalize_workspace_url(options["workspace_url"])
    agent, here = AGENTS[name], bare_config(owner)
    routing, workspace_id = options["routing"], options["workspace_id"]
    chosen = (options["models"] or {}).get(name) or {}
    # Which of a model's names a workspace serves is known to those who asked it, and not every run does: it must not change back.
    left_open = [slot for slot in agent.model_defaults if not chosen.get(slot)] if routing == "gateway" else []
    ca_file, urls = ca_file_of(owner, options), (options["base_urls"] or {}).get(name)
    found = AgentOptions(
        owner=owner,
        workspace_url=url,
        base_urls=base_urls(agent.dialects, urls, routing, url, workspace_id),
        token_helper=here.helper,
        token_ttl_minutes=options["token_ttl_minutes"],
        models={slot: model for slot, model in chosen.items() if model},
        other_names={slot: model_service_of(agent.model_defaults[slot]) for slot in left_open},
        ca_file=ca_file,
        proxy=options["proxy"] or None,
        no_proxy=options["no_proxy"] or None,
        skills=bool(options.get("self_help_skills")),
        own={option: options[f"{name}_{option}"] for option in agent.own_options},
    )
    if name not in relaying.users(options):
        return found
    relay = relaying.settings_of(here, options)
    return found._replace(
        searches=relaying.searches(options, name),
        base_urls=relaying.base_urls(relay, agent.dialects),
        token_helper=os.path.join(here.data_directory, relaying.COMMAND_NAME),
        ca_file=ca_file or relay.tls_cert,
        session_command=f"{shlex.quote(here.front)} relay" if relay.life == SESSION else "",
        no_proxy=",".join(one for one in (found.no_proxy, HOST) if one) if found.proxy else found.no_proxy,
    )


def brought_ca(options: Mapping[str, Any]) -> str | None:
    """The certificates that travelled with this call, if they are needed here."""
    path = options["ca_file"]
    if path and os.path.isabs(path) and os.access(path, os.R_OK):
        return None
    found = (options.get("carried") or {}).get("ca")
    return str(found) if found else None


def _in_home(owner: Owner, path: str | None) -> str | None:
    """``~/`` is the owner's: Ansible, which may run as somebody else, does not expand it. Of a machine, it is each user's."""
    if not path or owner.is_machine:
        return path or None
    return os.path.join(owner.home, path[2:]) if path.startswith("~/") else path
