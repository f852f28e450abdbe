# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents that agents read."""

from __future__ import annotations

import os
from collections.abc import Iterator

from .. import processes
from ..agents import AGENTS, Agent, AgentOptions
from ..agents.extra_settings import merged, parse
from ..engine import traces
from ..engine.documents import FORMATS, MISSING
from ..engine.ledger import Ledger
from ..engine.owner import Owner
from ..engine.ownership import Wanted
from ..errors import OperatorError
from ..routing import base_url, normalize_workspace_url
from .base import Options, Part
from .context import bare_config, ca_file_of
from .examination import FAIL, PASS, ROLL_OUT, SKIP, WARN, Check, Examination

PROMPT = "Reply with one short sentence that says hello."
_PROMPT_SECONDS = 180


class AgentSettings(Part):
    name = "agent_settings"

    def wanted(self, owner: Owner, options: Options) -> list[Wanted]:
        extra = parse(options["extra_settings"], AGENTS)
        replace_unreadable = options["on_unreadable"] == "backup_and_replace"
        return [
            wanted.replaced(replace_unreadable=replace_unreadable)
            for name in options["agents"]
            for wanted in merged(
                AGENTS[name].documents(agent_options(owner, options, name)), extra.get(name, {}), AGENTS[name]
            )
        ]

    def checks(self, examination: Examination) -> Iterator[Check]:
        quiet = True
        for name in examination.options["agents"]:
            agent = AGENTS[name]
            options = agent_options(examination.owner, examination.options, name)
            for problem in agent.problems(options, examination.environment):
                quiet = False
                yield Check("Environment", agent.title, problem.severity, problem.what, problem.way_out)
        if quiet:
            yield Check("Environment", "nothing outranks the settings", PASS, "as seen by this login")
        yield from _models(examination)
        if examination.options["doctor_prompt"]:
            for name in examination.options["agents"]:
                yield _prompt(examination, AGENTS[name])

    def traces(self, ledger: Ledger) -> None:
        helper = bare_config(ledger.owner).helper
        for agent in AGENTS.values():
            for path, kind in agent.usual_files(ledger.owner).items():
                try:
                    document = FORMATS[kind](traces.content(path) or b"")
                    known = agent.known_as_ours(document, helper)
                except OperatorError:
                    continue  # nothing of ours can be known in a file that cannot be read
                values = {key: document.get(key) for key in known if document.get(key) is not MISSING}
                if values:
                    parents = list(dict.fromkeys(key[:-1] for key in values if key[:-1]))
                    traces.keys(ledger, self.name, path, kind, values, parents)


def agent_options(owner: Owner, options: Options, name: str) -> AgentOptions:
    """What one agent's documents depend on. Raises OperatorError and ValueError."""
    url = normalize_workspace_url(options["workspace_url"])
    agent = AGENTS[name]
    routing, workspace_id = options["routing"], options["workspace_id"]
    chosen = (options["models"] or {}).get(name) or {}
    return AgentOptions(
        owner=owner,
        workspace_url=url,
        base_urls={dialect: base_url(routing, url, dialect, workspace_id) for dialect in agent.dialects},
        token_helper=bare_config(owner).helper,
        token_ttl_minutes=options["token_ttl_minutes"],
        models={slot: model for slot, model in chosen.items() if model},
        ca_file=ca_file_of(owner, options),
        proxy=options["proxy"] or None,
        no_proxy=options["no_proxy"] or None,
        own={option: options[f"{name}_{option}"] for option in agent.own_options},
    )


def _models(examination: Examination) -> Iterator[Check]:
    chosen = examination.options["models"] or {}
    models = [
        model
        for name in examination.options["agents"]
        for model in AGENTS[name].models(chosen.get(name) or {}).values()
    ]
    unasked = examination.unasked()
    for model in dict.fromkeys(models):
        yield Check("Models", model, SKIP, unasked) if unasked else _model(examination, model)


def _model(examination: Examination, model: str) -> Check:
    check = ("Models", model)
    if model.count(".") == 2:
        return Check(*check, SKIP, "a Unity Catalog model service: checked by the preflight")
    status, body = examination.get(f"/api/2.0/serving-endpoints/{model}", examination.token()[0] or "")
    state = body.get("state")
    ready = str(state.get("ready", "")) if isinstance(state, dict) else ""
    if status == 200 and ready == "READY":
        return Check(*check, PASS, "READY")
    if status == 200:
        return Check(*check, WARN, ready or "state unknown", "Wait, or look at the endpoint in the workspace")
    if status == 404:
        return Check(*check, FAIL, "is not served by this workspace", "Set coding_agents_models to one that is")
    return Check(*check, FAIL, f"cannot be looked up ({status})", "Grant the identity CAN QUERY on the endpoint")


def _prompt(examination: Examination, agent: Agent) -> Check:
    """One real prompt in an empty directory. The agent writes its own session files into the home, as it does in daily use."""
    check = ("Prompt", agent.title)
    unasked = examination.unasked()
    if unasked:
        return Check(*check, SKIP, unasked)
    prefix = examination.options["npm_prefix"] or os.path.join(examination.owner.home, ".local")
    found = agent.find_cli(examination.owner, prefix, examination.environment)
    if found is None:
        return Check(*check, SKIP, "is not installed")
    environment = {
        **examination.environment,
        "HOME": examination.owner.home,
        "PATH": examination.environment.get("PATH") or "/usr/local/bin:/usr/bin:/bin",
    }
    import tempfile  # every look would pay for it

    with tempfile.TemporaryDirectory(prefix="fmapi-doctor-") as directory:
        try:
            done = processes.run(agent.prompt_command(found.path, PROMPT), environment, _PROMPT_SECONDS, directory)
        except TimeoutError:
            return Check(*check, FAIL, f"no reply within {_PROMPT_SECONDS} s", "Look at the checks above")
        except OSError as error:
            return Check(*check, FAIL, f"cannot be started ({error.strerror})", ROLL_OUT)
    reply = " ".join((done.stdout or done.stderr).split())[:200]
    if done.status == 0 and done.stdout.strip():
        return Check(*check, PASS, f"replied: {reply}")
    return Check(*check, FAIL, f"exit status {done.status}: {reply}", "Look at the checks above")
