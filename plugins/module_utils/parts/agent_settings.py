# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents that agents read."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from .. import careful, processes
from ..agents import AGENTS, Agent, AgentOptions, FoundCli
from ..agents.base import Problem
from ..agents.extra_settings import merged, parse
from ..engine import files, traces
from ..engine.documents import FORMATS, MISSING, KeyPath, WholeFile
from ..engine.ledger import Ledger
from ..engine.owner import THE_MACHINE, Owner
from ..engine.ownership import Wanted
from ..errors import OperatorError
from ..host_program import model_services
from ..routing import base_model_name, is_model_service, named_base_urls
from . import person, relaying
from .base import Options, Part
from .context import agent_options, bare_config
from .examination import AGAIN, FAIL, PASS, ROLL_OUT, SKIP, WARN, Check, Examination, unanswered

PROMPT = "Reply with one short sentence that says hello."
_PROMPT_SECONDS = 90
"""Longer than a model takes for one sentence, and than an agent takes to give up (see Agent.prompt_environment)."""
_FOR_EVERYBODY = 0o644
_NAMED_BY_OURS = b"fmapi"
"""In a file that holds something of ours, by the token helper's path or a plugin's name."""


class AgentSettings(Part):
    name = "agent_settings"

    def wanted(self, owner: Owner, options: Options) -> list[Wanted]:
        extra = parse(options["extra_settings"], AGENTS)
        replace_unreadable = options["on_unreadable"] == "backup_and_replace"
        found = []
        for name in options["agents"]:
            agent = AGENTS[name]
            documents = agent.documents(agent_options(owner, options, name))
            if extra.get(name) and documents[-1].format == WholeFile.format:
                raise OperatorError(
                    f"cannot be given for all users of a host: {agent.title} reads no settings that are for all of them",
                    f"coding_agents_extra_settings.{name}",
                    "Take it out, or set coding_agents_scope to user",
                )
            documents = merged(documents, extra.get(name, {}), agent)
            if owner.is_machine:
                # Read by everybody: what nobody else can read would be no settings for them.
                documents = [one.replaced(private=False, mode=_FOR_EVERYBODY) for one in documents]
            # Nobody's work is lost in a file that is ours: broken, it would stop the agent for every user of the host.
            replaced = replace_unreadable or (owner.is_machine and agent.owns_machine_file)
            found += [one.replaced(replace_unreadable=replaced) for one in documents]
        return found

    def warnings(self, owner: Owner, options: Options) -> list[str]:
        """What of the person's own in an agent's settings keeps it from answering."""
        return [
            f"{where}: {problem.what}. {problem.way_out}"
            for name in options["agents"]
            for where, problem in _troubles(owner, options, AGENTS[name])
        ]

    def checks(self, examination: Examination) -> Iterator[Check]:
        for name in examination.options["agents"]:
            for where, problem in _troubles(examination.owner, examination.options, AGENTS[name], parse_all=True):
                what = ("Configuration", f"{AGENTS[name].title} settings")
                yield Check(*what, problem.severity, f"{where}: {problem.what}", problem.way_out)
        quiet = True
        for name in examination.options["agents"]:
            for problem in _outranking(examination, AGENTS[name]):
                quiet = False
                yield Check("Conflicts", AGENTS[name].title, problem.severity, problem.what, problem.way_out)
        if quiet:
            seen = "as seen by this login" if examination.offline else "as seen by this login and this user's shell"
            yield Check("Conflicts", "nothing outranks the settings", PASS, seen)
        yield from _routes(examination)
        yield from _models(examination)
        if examination.options["doctor_prompt"]:
            for name in examination.options["agents"]:
                yield _prompt(examination, AGENTS[name])

    def traces(self, ledger: Ledger) -> None:
        here = bare_config(ledger.owner)
        helpers = (here.helper, os.path.join(here.data_directory, relaying.COMMAND_NAME))
        for agent in AGENTS.values():
            for path, kind in agent.usual_files(ledger.owner).items():
                try:
                    content = traces.content(path) or b""
                    if FORMATS[kind].library and _NAMED_BY_OURS not in content:
                        continue  # a parser travels for what may be ours only
                    document = FORMATS[kind](content)
                    known = next((one for one in map(partial(agent.known_as_ours, document), helpers) if one), [])
                except OperatorError:
                    continue  # nothing of ours can be known in a file that cannot be read
                values = {key: document.get(key) for key in known if document.get(key) is not MISSING}
                if values and kind == WholeFile.format:
                    traces.whole_file(ledger, self.name, path)
                elif values:
                    parents = list(dict.fromkeys(key[:-1] for key in values if key[:-1]))
                    traces.keys(ledger, self.name, path, kind, values, parents)


def _troubles(owner: Owner, options: Options, agent: Agent, parse_all: bool = False) -> Iterator[tuple[str, Problem]]:
    """What is wrong with an agent's settings file as it stands, beside what is ours in it, and where."""
    chosen = agent_options(owner, options, agent.name)
    main = agent.main_document(chosen)
    if main is None or main.format == WholeFile.format:
        return
    settings = _settings(main, parse_all)
    for key, value in main.values.items():
        _put(settings, key, value)
    for problem in agent.troubles(chosen, settings):
        yield main.path, problem


def _settings(main: Wanted | None, parse_all: bool = False) -> dict[str, Any]:
    """What an agent's settings file holds now; nothing where that cannot be told (planning says why, with the place).

    Of TOML and YAML only with ``parse_all``: every look would have to parse them. Raises LibraryNeeded then, where none has come.
    """
    if main is None:
        return {}
    try:
        content = files.read(main.path).content or b"{}"
        if FORMATS[main.format].library:
            whole = FORMATS[main.format](content).get(()) if parse_all and content != b"{}" else {}
            return whole if isinstance(whole, dict) else {}
        if main.format == "jsonc":
            from ..engine.documents.jsonc_document import JsoncDocument

            content = JsoncDocument(content).as_json
        settings = json.loads(content.decode("utf-8-sig"))
    except (OperatorError, ValueError, RecursionError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _put(settings: dict[str, Any], key: KeyPath, value: Any) -> None:
    """Ours is right, or will be after the rollout: what is wrong with it now is no trouble."""
    for name in key[:-1]:
        inside = settings.get(name)
        if not isinstance(inside, dict):
            return
        settings = inside
    settings[key[-1]] = value


def _outranking(examination: Examination, agent: Agent) -> Iterator[Problem]:
    """What comes before the settings: variables of this login and of the person's own shell, and what the agent knows of the host."""
    owner, login = examination.owner, examination.environment
    options = agent_options(owner, examination.options, agent.name)
    shell = examination.shell()
    names = agent.outranking(_settings(agent.main_document(options), parse_all=True))
    places = person.settings_of(owner, [*names, *agent.misleading])
    for name in names:
        where = ", ".join(places.get(name, ()))
        if login.get(name) or shell.get(name):
            said = where or _environment_of(shell, name)
            way_out = f"Take it out of {where}" if where else f"Unset {name}"
            yield Problem("FAIL", f"{name} is set in {said} and outranks the settings", way_out)
        elif where:
            said = f"{where} sets {name}, which outranks the settings wherever that file is read"
            yield Problem("WARN", said, f"Take it out of {where}")
    for name, effect in agent.misleading.items():
        if login.get(name) or shell.get(name) or places.get(name):
            where = ", ".join(places.get(name, ()))
            way_out = f"Take it out of {where}" if where else f"Unset {name}"
            yield Problem("WARN", f"{name} is set in {where or _environment_of(shell, name)}: {effect}", way_out)
    found = _found(examination, agent)
    yield from agent.problems(options, {**login, **shell}, found.version if found else "")
    yield from _managed(agent, options)


def _environment_of(shell: Mapping[str, str], name: str) -> str:
    return "this user's shell" if shell.get(name) else "this user's environment"


def _managed(agent: Agent, options: AgentOptions) -> Iterator[Problem]:
    """What a file for all users of the host, of somebody else, says about the keys that decide."""
    main = agent.main_document(options)
    if options.owner.is_machine or main is None or not agent.deciding:
        return
    machine = agent.main_document(options._replace(owner=THE_MACHINE))
    if machine is None:
        return
    try:
        content = careful.read(machine.path)
    except FileNotFoundError:
        return
    except OSError as error:
        said = f"{machine.path} cannot be read ({error.strerror}): what it enforces is not known"
        yield Problem("WARN", said, "Let it be read")
        return
    if not content.strip():
        return
    try:
        document = FORMATS[main.format](content)
    except OperatorError as error:
        place = f"{machine.path}: {error.where}" if error.where else machine.path
        yield Problem("FAIL", f"{place}: {error.what}", "Let who manages it mend it")
        return
    wanted = {key: (value, main.as_good.get(key, value)) for key, value in main.values.items() if key in agent.deciding}
    differing = [".".join(key) for key, good in wanted.items() if document.get(key) not in (MISSING, *good)]
    if differing:
        said = f"{machine.path} sets {', '.join(differing)}, and wins over the person's settings"
        yield Problem("FAIL", said, "Let who manages it take it out")


def _found(examination: Examination, agent: Agent) -> FoundCli | None:
    prefix = examination.options["npm_prefix"] or examination.owner.prefix
    return agent.find_cli(examination.owner, prefix, examination.environment)


def _routes(examination: Examination) -> Iterator[Check]:
    """Whether what agents ask answers: that the workspace does says nothing about its gateway."""
    token, unasked = "", examination.unasked()
    asked: set[str] = set()
    for name in examination.options["agents"]:
        agent = AGENTS[name]
        named = named_base_urls(agent.dialects, (examination.options["base_urls"] or {}).get(name))
        for dialect, url in agent_options(examination.owner, examination.options, name).base_urls.items():
            listing = agent.listings.get(dialect)
            listed = listing is not None and examination.options["routing"] != "serving_endpoints"
            if not (listed or dialect in named) or url in asked:
                continue
            asked.add(url)
            token = token or ("" if unasked else examination.token()[0] or "")
            if unasked:
                yield Check("Connectivity", url, SKIP, unasked)
            elif dialect in named:
                yield _named_route(examination, url, listing, token, f"coding_agents_base_urls.{name}")
            else:
                yield _route(examination, url, str(listing), token)


def _named_route(examination: Examination, url: str, listing: str | None, token: str, variable: str) -> Check:
    """Of what the operator put in the workspace's place, no more is known than its address: it may list no models."""
    check = ("Connectivity", url)
    status, _body = examination.get(listing or "", token, url)
    if isinstance(status, str):
        return unanswered(check, status, f"Check {variable}, and what is to answer there")
    if status == 200:
        return Check(*check, PASS, "answers")
    if status in (401, 403):
        return Check(*check, WARN, f"refuses this identity (HTTP {status})", f"Check {variable}, and what it lets pass")
    if status >= 500:
        return Check(
            *check, FAIL, f"answers with HTTP {status}", "Look at what answers there, or try again in a minute"
        )
    if listing is None:
        return Check(*check, PASS, f"is there (HTTP {status})")
    way_out = f"Check {variable}, and with coding_agents_doctor_prompt whether the agent is answered"
    return Check(*check, WARN, f"lists no models (HTTP {status})", way_out)


def _route(examination: Examination, url: str, listing: str, token: str) -> Check:
    check = ("Connectivity", url)
    status, _body = examination.get(listing, token, url)
    if status == 200:
        return Check(*check, PASS, "answers")
    if isinstance(status, str):
        return unanswered(check, status)
    if status == 404:
        way_out = "Enable the AI Gateway, or set coding_agents_routing to auto or serving_endpoints and run the rollout"
        return Check(*check, FAIL, "does not answer: the AI Gateway is not enabled on this workspace", way_out)
    if status in (401, 403):
        return Check(*check, WARN, f"refuses this identity (HTTP {status})", "Grant it what the gateway needs")
    return Check(*check, FAIL, f"answers with HTTP {status}", AGAIN)


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
    if is_model_service(model):
        return _model_service(examination, model)
    status, body = examination.get(f"/api/2.0/serving-endpoints/{model}", examination.token()[0] or "")
    state = body.get("state")
    ready = careful.line(state.get("ready", ""), 40) if isinstance(state, dict) else ""
    if status == 200 and ready == "READY":
        return Check(*check, PASS, "READY")
    if status == 200:
        return Check(*check, WARN, ready or "state unknown", "Wait, or look at the endpoint in the workspace")
    if status == 404:
        return Check(*check, FAIL, "is not served by this workspace", "Set coding_agents_models to one that is")
    if status in (401, 403):
        way_out = "Grant the identity CAN QUERY on the endpoint"
        return Check(*check, FAIL, f"may not be asked by this identity (HTTP {status})", way_out)
    return _not_looked_up(check, status)


def _model_service(examination: Examination, model: str) -> Check:
    check, schema = ("Models", model), model.rpartition(".")[0]
    answers: list[int | str] = []

    def get(path: str) -> Mapping[str, Any] | None:
        status, body = examination.get(path, examination.token()[0] or "")
        answers.append(status)
        return body if status == 200 else None

    if base_model_name(model) in model_services.listed(get, schema):
        return Check(*check, PASS, "is served")
    status = answers[-1]
    if status in (401, 403, 404):
        way_out = f"Grant the identity USE CATALOG, USE SCHEMA and EXECUTE on {schema}"
        return Check(*check, WARN, f"cannot be looked up (HTTP {status})", way_out)
    if status != 200:
        return _not_looked_up(check, status)
    return Check(*check, FAIL, "is not served by this workspace", "Set coding_agents_models to one that is")


def _not_looked_up(check: tuple[str, str], status: int | str) -> Check:
    """A busy workspace says nothing of the model."""
    if isinstance(status, int):
        said = "the workspace is busy (HTTP 429)" if status == 429 else f"the workspace answers with HTTP {status}"
        return Check(*check, WARN, f"cannot be looked up: {said}", AGAIN)
    told = unanswered(check, status)
    return told._replace(status=WARN, detail=f"cannot be looked up: {told.detail}")


def _told(weak: str, owner: Owner) -> str:
    return f"{careful.told(weak, owner.uid)}: {careful.way_out(weak, owner.uid)}"


@contextlib.contextmanager
def _private_directory(owner: Owner) -> Iterator[str]:
    """Empty, in the home: agents read instructions and start servers from where they are and from all directories above it.

    Raises OSError.
    """
    import tempfile  # every look would pay for it

    # Beside our own cache directory: the agent's records of the session keep this name, and should hold none of ours.
    beside = os.path.dirname(owner.cache)
    path = tempfile.mkdtemp(prefix="doctor-prompt-", dir=beside if os.path.isdir(beside) else owner.home)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _started_by(owner: Owner, agent: Agent, options: AgentOptions, found: FoundCli) -> str:
    """The command that a person's terminal starts: ours, where the agent needs something in its environment."""
    return found.path if agent.launch(options) is None else os.path.join(owner.launchers, agent.command)


def _prompt(examination: Examination, agent: Agent) -> Check:
    """One real prompt in an empty directory. The agent writes its own session files into the home, as it does in daily use."""
    check = ("Prompt", agent.title)
    unasked = examination.unasked()
    if unasked:
        return Check(*check, SKIP, unasked)
    found = _found(examination, agent)
    if found is None:
        return Check(*check, SKIP, "is not installed")
    # A workload's token may be in a variable, from which the helper takes it that the agent starts. What outranks the settings in the
    # person's terminals does so here, too: the prompt is to prove that they are answered.
    needed = [examination.config.oidc_token_env] if examination.config.oidc_token_env else []
    options = agent_options(examination.owner, examination.options, agent.name)
    needed += agent.outranking(_settings(agent.main_document(options), parse_all=True))
    seen = {**examination.environment, **examination.shell()}
    program, path = _started_by(examination.owner, agent, options, found), examination.environment.get("PATH", "")
    # A command of ours starts what it finds on PATH.
    seen["PATH"] = path if program == found.path else os.pathsep.join((os.path.dirname(found.path), path))
    environment = {
        **processes.environment(seen, examination.owner.home, needed),
        **agent.prompt_environment,
    }
    try:
        with _private_directory(examination.owner) as directory:
            weak = careful.weak_spot(directory, examination.owner.uid)
            if weak is not None:
                return Check(*check, SKIP, f"others could tell the agent what to do: {_told(weak, examination.owner)}")
            command = agent.prompt_command(program, PROMPT)
            done = processes.run(command, environment, _PROMPT_SECONDS, directory)
    except TimeoutError:
        return Check(*check, FAIL, f"no reply within {_PROMPT_SECONDS} s", "Look at the checks above")
    except OSError as error:
        return Check(*check, FAIL, f"cannot be started ({error.strerror})", ROLL_OUT)
    reply = careful.line(agent.reply(done.stdout), 200)
    if done.status == 0 and reply:
        cost = agent.tokens(done.stdout, done.stderr)
        return Check(*check, PASS, f"replied: {reply}" + (f" ({cost} tokens)" if cost else ""))
    reason = careful.line(agent.reason(done.stdout, done.stderr)) or "it said nothing"
    return Check(*check, FAIL, f"exit status {done.status}: {reason}", "Look at the checks above")
