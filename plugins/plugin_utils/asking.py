# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the workspace from the control node, once in a run for each distinct set of options: the preflight.

A task that is delegated to localhost would take the play's become with it, ``run_once`` would give the answer about one host's
workspace to hosts of another, and a play on localhost is skipped by ``--limit``. So whoever needs the answer asks here, and all
but the first of the same options find it in a file of this run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import missing_required_lib

from ..module_utils.errors import OperatorError
from . import carrying, run_store

ABOUT = (
    "workspace_url",
    "routing",
    "workspace_id",
    "identity",
    "client_id",
    "client_secret",
    "pat",
    "profile",
    "token_ttl_minutes",
    "agents",
    "models",
    "models_auto",
    "models_schemas",
    "base_urls",
    "auth_profile",
)
"""The options that an answer depends on, beside the file of the certificate authority."""

_NEEDED = "It is needed on the control node."
_NEEDED_FOR_CHECKS = "It is needed on the control node; set coding_agents_preflight to false to go without the checks."


def ask(options: Mapping[str, Any], routing_is_set: bool) -> dict[str, Any]:
    """The answer about these options, whoever asked first; a failure is one, too: ``{"failed": True, "msg": ...}``.

    ``options`` must have been judged. Forty hosts do not wait forty times for a workspace that does not answer.
    """
    about = _about(options, routing_is_set)
    answer: dict[str, Any] = run_store.once({"preflight": about}, lambda: _ask(about, _preflight, _NEEDED_FOR_CHECKS))
    return answer


def survey(options: Mapping[str, Any], routing_is_set: bool, closely: bool) -> dict[str, Any]:
    """What the workspace serves, and the verdict on what agents are to ask for; a failure as of :func:`ask`."""
    about = _about(options, routing_is_set)

    def ask_for_all(given: Mapping[str, Any]) -> dict[str, Any]:
        from ..module_utils.workspace import survey as surveys

        return surveys.survey(given, closely)

    answer: dict[str, Any] = run_store.once(
        {"survey": about, "closely": closely}, lambda: _ask(about, ask_for_all, _NEEDED)
    )
    return answer


def _about(options: Mapping[str, Any], routing_is_set: bool) -> dict[str, Any]:
    about = {name: options[name] for name in ABOUT if options.get(name) not in (None, "")}
    about.update(ca_file=_ca_file(options), ca_file_of_hosts=options.get("ca_file"), routing_is_set=routing_is_set)
    return about


def _preflight(about: Mapping[str, Any]) -> dict[str, Any]:
    from ..module_utils.workspace import preflight

    return preflight.check(about)


def _ca_file(options: Mapping[str, Any]) -> str | None:
    """The certificate authority as the control node has it: a file that hosts have may not be here. Raises OperatorError."""
    named = options.get("preflight_ca_file")
    if not named:
        return carrying.on_control_node(options.get("ca_file"))
    path = os.path.abspath(os.path.expanduser(str(named)))
    if not os.path.isfile(path):
        raise OperatorError(
            "is not on the control node", f"coding_agents_preflight_ca_file {named}", "Name a PEM file that is there"
        )
    return path


def _ask(
    about: Mapping[str, Any], function: Callable[[Mapping[str, Any]], dict[str, Any]], needed: str
) -> dict[str, Any]:
    # databricks-sdk takes a second to import: only the one task that asks pays for it.
    from ..module_utils.workspace import sdk

    if sdk.IMPORT_ERROR is not None:
        said = missing_required_lib("databricks-sdk")
        return {"failed": True, "msg": f"{said} {needed}"}
    try:
        return function(about)
    except OperatorError as error:
        if about["ca_file_of_hosts"] and not about["ca_file"] and getattr(error, "kind", "") == "tls":
            only_hosts = f"coding_agents_ca_file {about['ca_file_of_hosts']} is not on the control node"
            error = OperatorError(error.what, error.where, f"{only_hosts}: name one in coding_agents_preflight_ca_file")
        return {"failed": True, "msg": error.told}
