# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's checks of one host: each a category, what was looked at, a verdict, and the way out where there is one."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, NamedTuple

from . import lost_ledger, processes
from .agents import AGENTS, Agent, AgentOptions
from .errors import OperatorError
from .host_program import session, user_sign_in, workspace
from .host_program.config import Config
from .host_program.token import TokenError
from .engine.ownership import Wanted
from .engine.transaction import bring
from .wanted import WORKSPACE_AUTH

PASS, FAIL, WARN, SKIP = "PASS", "FAIL", "WARN", "SKIP"

ROLL_OUT = "Run the rollout"
PROMPT = "Reply with one short sentence that says hello."
_HELPER_SECONDS = 20
_PROMPT_SECONDS = 180


class Check(NamedTuple):
    category: str
    check: str
    status: str
    detail: str
    fix: str = ""


class Host(NamedTuple):
    """What the checks look at."""

    config: Config
    agents: Sequence[str]
    options: AgentOptions
    routing: str
    prefix: str
    environment: Mapping[str, str]
    auth: Callable[[], list[Wanted]]
    settings: Callable[[], list[Wanted]]


def examine(host: Host, prompt: bool) -> list[Check]:
    """Run all checks in order. A token is used, and never part of a check."""
    checks = examine_files(host)
    token, check = _token(host)
    checks.append(check)
    if token is None:
        skipped = "no token"
        return [*checks, *(Check(name, "not tried", SKIP, skipped) for name in ("Connectivity", "Models", "Prompt"))]
    checks.append(_connectivity(host, token))
    if checks[-1].status == FAIL:
        return [
            *checks,
            *(Check(name, "not tried", SKIP, "the workspace does not answer") for name in ("Models", "Prompt")),
        ]
    checks.extend(_models(host, token))
    if prompt:
        checks.extend(_prompt(host, AGENTS[name]) for name in host.agents)
    return checks


def examine_files(host: Host) -> list[Check]:
    """The checks that only read files."""
    return [*_dependencies(host), *_configuration(host), *_environment(host), *_identity(host)]


def _dependencies(host: Host) -> Iterator[Check]:
    yield Check("Dependencies", "Python", PASS, platform.python_version())
    for name in host.agents:
        agent = AGENTS[name]
        found = agent.find_cli(host.config.home, host.prefix, host.environment)
        if found is None:
            yield Check("Dependencies", agent.title, FAIL, "is not installed", ROLL_OUT)
        elif not agent.accepts(found.version):
            yield Check("Dependencies", agent.title, FAIL, f"{found.version} does not work with a workspace", ROLL_OUT)
        else:
            yield Check("Dependencies", agent.title, PASS, f"{found.version or 'of unknown version'} ({found.path})")
    cli = user_sign_in.find_cli(host.config.home, host.environment)
    if host.config.identity != "user":
        yield Check("Dependencies", "Databricks CLI", SKIP, f"identity {host.config.identity} does not need it")
    elif cli is None:
        yield Check(
            "Dependencies", "Databricks CLI", FAIL, "is not installed", "Install the Databricks CLI 1.0 or newer"
        )
    else:
        yield Check("Dependencies", "Databricks CLI", PASS, cli)


def _configuration(host: Host) -> Iterator[Check]:
    groups: tuple[tuple[str, list[str], Callable[[], list[Wanted]]], ...] = (
        ("profile and token helper", [WORKSPACE_AUTH], host.auth),
        ("agents' settings", list(AGENTS), host.settings),
    )
    for what, components, wanted in groups:
        try:
            outcome = bring(host.config.home, components, wanted(), True, lost_ledger.rebuild)
        except (OperatorError, ValueError) as error:
            yield Check("Configuration", what, FAIL, str(error), "Mend that first, then run the rollout")
            continue
        if outcome.changed:
            files = [one.path for one in outcome.plans if one.changed]
            yield Check(
                "Configuration",
                what,
                FAIL,
                f"not as wanted: {', '.join(files)}",
                f"{ROLL_OUT} (--check --diff shows the lines)",
            )
        else:
            yield Check("Configuration", what, PASS, "as wanted")
    yield Check("Configuration", "routing", PASS, host.routing)


def _environment(host: Host) -> Iterator[Check]:
    quiet = True
    for name in host.agents:
        for problem in AGENTS[name].problems(host.options, host.environment):
            quiet = False
            yield Check("Environment", AGENTS[name].title, problem.severity, problem.what, problem.way_out)
    if quiet:
        yield Check("Environment", "nothing outranks the settings", PASS, "as seen by this login")


def _identity(host: Host) -> Iterator[Check]:
    if host.config.identity == "pat":
        yield Check(
            "Auth",
            "personal access token",
            WARN,
            "in use: it is long-lived, and whoever copies it can use it",
            "Prefer coding_agents_identity user, service_principal or workload_identity",
        )


def _token(host: Host) -> tuple[str | None, Check]:
    """Run the helper as agents do: through sh, with the short PATH of a GUI."""
    check = ("Auth", "token helper")
    environment = {"PATH": "/usr/bin:/bin", "HOME": host.config.home, **_passed_on(host)}
    variable = host.config.oidc_token_env
    if variable and variable not in environment:
        return None, Check(*check, SKIP, f"{variable} is not set for this login, as it is for the agents'")
    try:
        done = processes.run([host.config.helper], environment, _HELPER_SECONDS)
    except TimeoutError:
        return None, Check(*check, FAIL, f"did not end within {_HELPER_SECONDS} s", ROLL_OUT)
    except OSError as error:
        return None, Check(*check, FAIL, f"{host.config.helper} cannot be started ({error.strerror})", ROLL_OUT)
    said = done.stderr.strip().splitlines()
    if done.status != 0:
        fix = host.config.sign_in_command() if done.status == 2 and host.config.identity == "user" else ""
        return None, Check(*check, FAIL, said[0] if said else f"exit status {done.status}", fix and f"Run: {fix}")
    lines = done.stdout.splitlines()
    if len(lines) != 1 or not lines[0].strip():
        return None, Check(*check, FAIL, f"printed {len(lines)} lines where one must stand", ROLL_OUT)
    return lines[0], Check(*check, PASS, "printed a token")


def _connectivity(host: Host, token: str) -> Check:
    status, _body = _get(host, session.WHO_AM_I, token)
    what = ("Connectivity", host.config.workspace_url)
    if status == 200:
        return Check(*what, PASS, "answers, and knows the identity")
    if isinstance(status, str):
        return Check(*what, FAIL, status, "Check network, proxy, VPN and coding_agents_ca_file")
    if status in (401, 403):
        return Check(
            *what,
            FAIL,
            f"refuses the token (HTTP {status})",
            "Run the doctor again: the helper has replaced a token that was revoked. If it stays, give the identity the entitlement "
            "Workspace access or Consumer access",
        )
    return Check(*what, FAIL, f"answers with HTTP {status}", "Check that the URL is the workspace's own")


def _models(host: Host, token: str) -> Iterator[Check]:
    models = [model for name in host.agents for model in AGENTS[name].models(host.options.models).values()]
    for model in dict.fromkeys(models):
        if model.count(".") == 2:
            yield Check("Models", model, SKIP, "a Unity Catalog model service: checked by the preflight")
            continue
        status, body = _get(host, f"/api/2.0/serving-endpoints/{model}", token)
        ready = str(body.get("state", {}).get("ready", ""))
        if status == 200 and ready == "READY":
            yield Check("Models", model, PASS, "READY")
        elif status == 200:
            yield Check(
                "Models", model, WARN, ready or "state unknown", "Wait, or look at the endpoint in the workspace"
            )
        elif status == 404:
            yield Check(
                "Models", model, FAIL, "is not served by this workspace", "Set coding_agents_models to one that is"
            )
        else:
            yield Check(
                "Models", model, FAIL, f"cannot be looked up ({status})", "Grant the identity CAN QUERY on the endpoint"
            )


def _prompt(host: Host, agent: Agent) -> Check:
    """One real prompt in an empty directory. The agent writes its own session files into the home, as it does in daily use."""
    found = agent.find_cli(host.config.home, host.prefix, host.environment)
    if found is None:
        return Check("Prompt", agent.title, SKIP, "is not installed")
    environment = {
        **host.environment,
        "HOME": host.config.home,
        "PATH": host.environment.get("PATH") or "/usr/local/bin:/usr/bin:/bin",
    }
    with tempfile.TemporaryDirectory(prefix="fmapi-doctor-") as directory:
        try:
            done = processes.run(agent.prompt_command(found.path, PROMPT), environment, _PROMPT_SECONDS, directory)
        except TimeoutError:
            return Check(
                "Prompt", agent.title, FAIL, f"no reply within {_PROMPT_SECONDS} s", "Look at the checks above"
            )
        except OSError as error:
            return Check("Prompt", agent.title, FAIL, f"cannot be started ({error.strerror})", ROLL_OUT)
    reply = " ".join((done.stdout or done.stderr).split())[:200]
    if done.status == 0 and done.stdout.strip():
        return Check("Prompt", agent.title, PASS, f"replied: {reply}")
    return Check("Prompt", agent.title, FAIL, f"exit status {done.status}: {reply}", "Look at the checks above")


def _get(host: Host, path: str, token: str) -> tuple[int | str, dict[str, Any]]:
    """HTTP status and JSON body, or one sentence where there was no answer."""
    try:
        answer = workspace.ask(host.config.workspace_url, path, f"Bearer {token}", host.config.ca_file)
    except TokenError as error:
        return str(error), {}
    return answer.status, answer.body or {}


def _passed_on(host: Host) -> dict[str, str]:
    """What the helper needs of this login's environment: the way through the proxy, and a workload's token."""
    names = ("https_proxy", "no_proxy", (host.config.oidc_token_env or "").lower())
    return {name: value for name, value in host.environment.items() if name.lower() in names}
