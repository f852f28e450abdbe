# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight: is what the operator wants possible, before any host is touched? Control node only, reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..agents import AGENTS
from ..errors import OperatorError
from ..options import agent_settings, judge
from ..options.values import as_boolean, as_list, as_mapping
from ..options.workspace import SPEC
from ..routing import (
    API_TYPES,
    SYSTEM_SCHEMA,
    TTL_MINUTES_DEFAULT,
    base_model_name,
    base_urls,
    model_service_of,
    normalize_workspace_url,
    ttl_warning,
    validate_ttl_minutes,
    validate_workspace_id,
)
from . import client, newest
from .endpoints import NOT_FOUND, NOT_READY, READY, validate_names
from .errors import GRANTS, WorkspaceError

GATEWAY_MODELS = "/ai-gateway/anthropic/v1/models"
"""Lists what the gateway serves to agents that speak the Anthropic dialect; 404 where the gateway is not enabled."""

# The control node's own sign-in is a convenience: that it cannot be used is worth a warning, not the end of a rollout.
_SIGN_IN_TROUBLE = frozenset(("no_credentials", "wrong_secret", "unauthorized", "forbidden", "configuration", "other"))


class Options:
    """What was asked for, judged before. ``models`` is ``{agent: {choice: model id}}``: what was named, over the defaults."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.workspace_url = normalize_workspace_url(given.get("workspace_url"))
        self.routing = given.get("routing") or SPEC["routing"]["default"]
        self.routing_is_set = bool(given.get("routing_is_set", "routing" in given))
        self.ttl_minutes = validate_ttl_minutes(given.get("token_ttl_minutes", TTL_MINUTES_DEFAULT))
        workspace_id = given.get("workspace_id")
        self.workspace_id = None if workspace_id in (None, "") else validate_workspace_id(workspace_id)
        self.identity = given.get("identity")
        self.client_id = given.get("client_id") or None
        self.client_secret = given.get("client_secret") or None
        self.pat = (given.get("pat") or None) if self.identity == "pat" else None
        self.auth_profile = given.get("auth_profile") or None
        self.ca_file = given.get("ca_file") or None
        self.agents = as_list(given.get("agents")) or agent_settings.SPEC["agents"]["default"]
        self.models = {agent: judge.models_of(agent, given) for agent in self.agents}
        defaults = {agent: judge.models_of(agent, {}) for agent in self.agents}
        named = as_mapping(given.get("models")) or {}
        chosen = {agent: as_mapping(named.get(agent)) or {} for agent in self.agents}
        self.left_open = {
            agent: {slot: name for slot, name in defaults[agent].items() if not chosen[agent].get(slot)}
            for agent in self.agents
        }
        """Of those, the ones that nobody named."""
        self.chooses = as_boolean(given.get("models_auto")) is True and any(self.left_open.values())
        self.schemas = as_list(given.get("models_schemas")) or [SYSTEM_SCHEMA]
        """Whose model services may be chosen, in the order of preference."""
        self.base_urls = as_mapping(given.get("base_urls")) or {}

    def choose(self, models: Mapping[str, Mapping[str, str]]) -> None:
        """Take what was chosen for what nobody named."""
        for agent, chosen in models.items():
            self.models[agent] = {**self.models[agent], **chosen}
            self.left_open[agent] = {slot: one for slot, one in self.left_open[agent].items() if slot not in chosen}

    named = "set by the operator"

    @property
    def reason(self) -> str:
        """Why the routing is what it is, where nothing had to be found out."""
        return self.named if self.routing_is_set else "the default"


def opened(options: Options) -> client.Workspace:
    """The workspace, to be asked as the identity that hosts will have, where the control node has what that takes."""
    own: dict[str, Any] = {"workspace_url": options.workspace_url, "ca_file": options.ca_file}
    if options.identity == "service_principal":
        own.update(client_id=options.client_id, client_secret=options.client_secret)
    elif options.pat:
        own["token"] = options.pat
    elif options.auth_profile:
        own.update(profile=options.auth_profile)
    try:
        return client.Workspace(own)
    except OperatorError as error:
        if "profile" in own:
            raise OperatorError(str(error), "coding_agents_auth_profile") from error
        raise


def _sign_in(workspace: client.Workspace, required: bool, warnings: list[str]) -> tuple[str | None, str | None] | None:
    """Return the user name and the workspace id, or None when the control node's own sign-in cannot be used.

    :param required: whether the operator named this identity: then a refusal is an error.
    """
    try:
        workspace.connect()
        return workspace.me()
    except WorkspaceError as error:
        if required or error.kind not in _SIGN_IN_TROUBLE:
            raise
        if error.kind == "no_credentials":
            what = f"The models were not checked: {error.what} ({error.where}). {error.way_out}"
        else:
            what = f"The models were not checked, because the control node's own sign-in did not work: {error}"
        warnings.append(what)
        return None


def _gateway(workspace: client.Workspace, signed_in: bool) -> tuple[bool, str, str | None]:
    """Return whether the gateway answers, why we think so, and a warning if there is one.

    :raises WorkspaceError: it cannot be told now (the workspace does not answer, or has trouble of its own).
    """
    if not signed_in:
        status = workspace.public_status(GATEWAY_MODELS)
        if status in (200, 401, 403):
            return True, f"the gateway asks for credentials (HTTP {status})", None
        return False, f"the gateway does not answer (HTTP {status})", None
    try:
        answer = workspace.get(GATEWAY_MODELS)
    except WorkspaceError as error:
        if error.kind == "forbidden":
            return False, "the gateway refuses this identity", f"{GATEWAY_MODELS}: {error}"
        if error.kind in ("not_found", "not_databricks", "other"):
            return False, "the gateway is not enabled on this workspace", None
        raise
    if answer.get("data"):
        return True, "the gateway answers", None
    return (
        True,
        "the gateway answers",
        (f"The gateway of {workspace.where} lists no model for this identity. It needs: {GRANTS}."),
    )


def _decide_routing(
    options: Options, workspace: client.Workspace, signed_in: bool, warnings: list[str]
) -> tuple[str, str]:
    """Return the routing in force and the reason for it."""
    if options.routing not in ("auto", "gateway"):
        return options.routing, options.reason
    answers, reason, warning = _gateway(workspace, signed_in)
    if warning:
        warnings.append(warning)
    if options.routing == "auto":
        if not signed_in:
            warnings.append(f"coding_agents_routing is auto and was decided without credentials: {reason}.")
        return ("gateway" if answers else "serving_endpoints"), reason
    if not answers:
        warnings.append(
            f"coding_agents_routing is gateway, but {reason} ({workspace.where}). "
            f"Set coding_agents_routing to auto or serving_endpoints if agents get no reply."
        )
    return "gateway", options.reason


_Models = dict[str, dict[str, str]]


def _models_in_force(
    options: Options, workspace: client.Workspace, workspace_id: str | None, routing: str
) -> tuple[_Models, str]:
    """Return the model ids by agent and choice, and why those that nobody named are called so.

    A model that Databricks serves has two names: of a model service (``system.ai.*``) and of a serving endpoint. Where a workspace
    enforces its gateway the latter are reported to be answered with HTTP 501, which agents repeat for minutes. Only the gateway
    knows the former. What the operator names is never changed.
    """
    if routing != "gateway" or not any(options.left_open.values()):
        return options.models, "named as serving endpoints" if any(options.left_open.values()) else options.named
    try:
        services = set(workspace.model_services(SYSTEM_SCHEMA, workspace_id))
    except WorkspaceError as error:
        if error.kind not in client.NOT_TOLD:  # an older workspace, or grants that are missing
            raise
        return options.models, f"named as serving endpoints: the model services of {SYSTEM_SCHEMA} cannot be listed"
    found = {
        agent: {slot: service for slot, name in names.items() if (service := model_service_of(name)) in services}
        for agent, names in options.left_open.items()
    }
    if not any(found.values()):
        return options.models, f"named as serving endpoints: {SYSTEM_SCHEMA} lists none of them"
    return (
        {agent: {**names, **found[agent]} for agent, names in options.models.items()},
        f"named as model services: {SYSTEM_SCHEMA} lists them",
    )


def _chosen(
    options: Options, workspace: client.Workspace, workspace_id: str | None, routing: str, warnings: list[str]
) -> _Models:
    """Return the newest model of each family, by agent and by each choice that nobody named; nothing for families that nobody serves.

    Services come first where requests go through the gateway, which may refuse the names of endpoints.
    """
    listings = []
    for schema in options.schemas if routing == "gateway" else ():
        try:
            services, why = workspace.model_services(schema, workspace_id), "it lists none to this identity"
        except WorkspaceError as error:
            if error.kind not in client.NOT_TOLD:
                raise
            services, why = {}, str(error)
        listings.append(services)
        if not services and schema != SYSTEM_SCHEMA:
            warnings.append(f"coding_agents_models_schemas: no model service of {schema} can be chosen: {why}")
    found = _newest(options, listings)
    if sum(map(len, found.values())) < sum(map(len, options.left_open.values())):
        served = workspace.served((), every=True)
        ready = {name: served.api_types.get(name, []) for name, state in served.states.items() if state == READY}
        found = _newest(options, [*listings, ready])
    return found


def _newest(options: Options, listings: list[dict[str, list[str]]]) -> _Models:
    """Of the first listing that has one of the family in a dialect of the agent. Dialects that are not told are not judged."""
    found: _Models = {}
    for agent, names in options.left_open.items():
        spoken = {API_TYPES[dialect] for dialect in AGENTS[agent].dialects}
        fit = [[name for name, types in one.items() if not types or spoken & set(types)] for one in listings]
        best = {
            slot: next(filter(None, (newest.newest(one, like, options.schemas) for one in fit)), None)
            for slot, like in names.items()
        }
        found[agent] = {slot: model for slot, model in best.items() if model}
    return {agent: models for agent, models in found.items() if models}


def _variables(models: _Models) -> dict[str, list[str]]:
    """``{model id: the variables that name it}``, each model once."""
    found: dict[str, list[str]] = {}
    for agent, names in models.items():
        for slot, model in names.items():
            found.setdefault(model, []).append(f"coding_agents_models.{agent}.{slot}")
    return found


def foreign_to(agent: str, served: Sequence[str]) -> str:
    """Why an agent cannot speak to what is served in these dialects; empty where it can, or where none is told."""
    spoken = [API_TYPES[dialect] for dialect in AGENTS[agent].dialects]
    if not served or set(served) & set(spoken):
        return ""
    return f"is served as {', '.join(served)}, but {AGENTS[agent].title} speaks {' or '.join(spoken)}"


def _in_no_dialect_of(models: _Models, api_types: Mapping[str, list[str]]) -> list[str]:
    """Name each model that is served, but in no dialect that its agent speaks."""
    found = []
    for name, chosen in models.items():
        for model, variables in _variables({name: chosen}).items():
            why = foreign_to(name, api_types.get(base_model_name(model), []))
            found += [f"{model} ({', '.join(variables)}) {why}"] if why else []
    return found


def _check_models(
    in_force: _Models, workspace: client.Workspace, workspace_id: str | None, warnings: list[str]
) -> list[dict[str, str]]:
    """Return ``{"model", "status"}`` for each model.

    :raises OperatorError: one or more are not served, or in no dialect that the agent speaks; all of them are named with their
        variable, and with what looks like it or what they speak.
    """
    models = _variables(in_force)
    served = workspace.served(models, workspace_id)
    verdicts = validate_names(models, served.states, served.api_types)
    missing = []
    for verdict in verdicts:
        variables = ", ".join(models[verdict["name"]])
        if verdict["status"] == NOT_FOUND:
            close = verdict["close_matches"]
            hint = f"did you mean {' or '.join(close)}?" if close else "nothing served there looks like it."
            missing.append(f"{verdict['name']} ({variables}): {hint}")
        elif verdict["status"] == NOT_READY:
            warnings.append(
                f"{verdict['name']} ({variables}) is not ready on {workspace.where}: it answers later or not."
            )
    wrong = ["does not serve, or does not show to this identity: " + "; ".join(missing)] if missing else []
    foreign = _in_no_dialect_of(in_force, served.api_types)
    if foreign:
        wrong.append("does not serve in a dialect of the agent: " + "; ".join(foreign))
    if wrong:
        raise OperatorError(
            "; and ".join(wrong),
            workspace.where,
            "Correct the variable, or let the identity query the model. "
            "fmapi.coding_agents.serving_endpoint_info lists what is served.",
        )
    return [{"model": verdict["name"], "status": verdict["status"]} for verdict in verdicts]


class Found(NamedTuple):
    """What a workspace tells before it is asked for single models."""

    signed_in: bool
    user_name: str | None
    workspace_id: str | None
    routing: str
    routing_reason: str
    in_force: _Models
    chosen: _Models
    models_reason: str


def find(options: Options, workspace: client.Workspace, required: bool, warnings: list[str]) -> Found:
    """Ask who we are, how requests reach models, and which models agents are to ask for.

    :param required: whether it is an error that nobody can be signed in.
    :raises OperatorError: what the operator wants cannot be.
    """
    metadata = workspace.probe()
    signed = _sign_in(workspace, required, warnings)
    told = client.workspace_id_in(metadata.get("workspace_id"))
    user_name, workspace_id = signed or (None, None)
    workspace_id = workspace_id or told
    if options.workspace_id is not None and workspace_id not in (None, options.workspace_id):
        raise OperatorError(
            f"is {options.workspace_id}, but {options.workspace_url} is the workspace {workspace_id}",
            "coding_agents_workspace_id",
            "Correct it, or leave it out to have it detected.",
        )
    workspace_id = options.workspace_id or workspace_id
    routing, reason = _decide_routing(options, workspace, signed is not None, warnings)
    chosen: _Models = {}
    in_force, models_reason = (
        options.models,
        "named as serving endpoints, where a host has no other name: nobody was signed in who could ask",
    )
    if signed is None and options.chooses:
        raise OperatorError(
            "is true, but nobody could ask which models there are",
            "coding_agents_models_auto",
            "Sign in on the control node (coding_agents_auth_profile names a profile), or name them in coding_agents_models",
        )
    if signed is not None:
        if options.chooses:
            chosen = _chosen(options, workspace, workspace_id, routing, warnings)
            options.choose(chosen)
        in_force, models_reason = _models_in_force(options, workspace, workspace_id, routing)
        if chosen:
            models_reason = "the newest of each family, by coding_agents_models_auto"
    return Found(signed is not None, user_name, workspace_id, routing, reason, in_force, chosen, models_reason)


def check(given: Mapping[str, Any]) -> dict[str, Any]:
    """Check what the operator wants against the workspace.

    :param given: the options of the module workspace_info, judged before.
    :return: its documented result, plus ``warnings`` (a list of sentences). No secret.
    :raises OperatorError: it cannot work; the message says what, where and the way out.
    """
    options = Options(given)
    warnings: list[str] = []
    warning = ttl_warning(options.ttl_minutes)
    if warning:
        warnings.append(warning)
    required = options.identity == "service_principal" or (options.pat or options.auth_profile) is not None
    with opened(options) as workspace:
        found = find(options, workspace, required, warnings)
        models = _check_models(found.in_force, workspace, found.workspace_id, warnings) if found.signed_in else []
    try:
        for name in options.agents:
            named = options.base_urls.get(name)
            base_urls(AGENTS[name].dialects, named, found.routing, options.workspace_url, found.workspace_id)
    except ValueError as error:
        raise OperatorError(str(error)) from error
    return {
        "workspace_url": options.workspace_url,
        "workspace_id": found.workspace_id,
        "routing": found.routing,
        "routing_reason": found.routing_reason,
        "user_name": found.user_name,
        "models": models,
        "models_in_force": found.in_force,
        "models_chosen": found.chosen,
        "models_reason": found.models_reason,
        "checked": found.signed_in,
        "warnings": warnings,
    }
