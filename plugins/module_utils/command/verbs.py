# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each verb does. A verb is a function of the options and returns the exit status."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from .. import careful
from ..errors import OperatorError
from ..host_program.main import use_proxy
from ..host_program.token import TokenError
from ..version import VERSION
from . import completions, output, relay, show, whose
from .arguments import FAILED, OK
from .whose import Here


def _by_memory(here: Here) -> ModuleType:
    """What is done by what the host remembers; with the parsers that a rollout has left here."""
    from .. import by_memory, loading

    loading.offer_kept_libraries(here.cache, here.owner.cache)
    return by_memory


def _contact(here: Here) -> str:
    """Whom to ask, as the operator wants it said; empty where nobody is named."""
    from ..parts.wanted_state import remembered

    try:
        return str(remembered(here.owner).options.get("contact") or "")
    except OperatorError:
        return ""


def run(options: argparse.Namespace) -> int:
    """Raises nothing that a person could not read."""
    if options.verb == "completions":
        return completions.write(options.shell)
    try:
        here = whose.find(options.config)
    except OperatorError as error:
        output.complain(error.told)
        return FAILED
    use_proxy(here.config)
    try:
        return _VERBS[options.verb](here, options)
    except (OperatorError, TokenError) as error:
        output.complain(_with_contact(getattr(error, "told", str(error)), _contact(here)))
        return getattr(error, "exit_status", FAILED)
    except Exception as error:
        if not getattr(error, "needs_libraries", False):
            raise
        output.complain(
            _with_contact(f"{error} is needed to read a file, and only a rollout brings it", _contact(here))
        )
        return FAILED


def _with_contact(said: str, contact: str) -> str:
    return f"{said}\ncoding-agents: whom to ask: {contact}" if contact else said


def _status(here: Here, options: argparse.Namespace) -> int:
    from ..host_program import status

    tokens = status.report(here.config, os.environ)
    by_memory = _by_memory(here)
    found = by_memory.report(here.owner, {})
    if options.json:
        output.write(json.dumps({**tokens, "rollout": found}, indent=1))
        return OK
    told = {name.replace("_", " "): value for name, value in tokens.items()}
    told["routing"] = found.get("routing")
    told["set up by"] = f"fmapi.coding_agents {found['version']}" if found.get("version") else None
    told["whom to ask"] = found.get("contact")
    drift = found.get("drift") or []
    output.write(*output.pairs(told, here.owner.home))
    tone = {by_memory.IN_ORDER: "ok", by_memory.DRIFTED: "warning"}.get(found["state"], "")
    output.write("", output.toned(f"{found['state']}: {found['detail']}", tone), *(f"  {one}" for one in drift[1:]))
    if drift and not here.is_everybodys:
        output.write("  -> coding-agents repair")
    if found["agents"]:
        output.write(
            "", *output.table(("AGENT", "COMMAND", "VERSION", "MODELS"), [_row(one) for one in found["agents"]])
        )
    if options.verbose:
        output.write("", *found.get("files", ()))
    return OK


def _row(agent: Mapping[str, Any]) -> tuple[str, ...]:
    version, wanted = agent["version"] or "not installed", agent["wanted_version"]
    differs = f" (wanted: {wanted})" if wanted and wanted != agent["version"] else ""
    models = ", ".join(dict.fromkeys(map(str, agent["models"].values())))
    return agent["title"], agent["command"], f"{version}{differs}", models


def _doctor(here: Here, options: argparse.Namespace) -> int:
    checks = _checks(here, options.prompt)
    failed = any(one["status"] == "FAIL" for one in checks)
    if options.json:
        output.write(json.dumps({"failed": failed, "checks": checks}, indent=1))
        return FAILED if failed else OK
    for one in checks:
        output.write(
            f"{output.toned(one['status'], one['status'])}  {one['category']:<13}  {one['check']}: {one['detail']}"
        )
        if one["fix"]:
            output.write(f"      {'':<13}  -> {one['fix']}")
    contact = _contact(here)
    if failed and contact:
        output.write("", f"Whom to ask: {contact}")
    return FAILED if failed else OK


def _checks(here: Here, prompt: bool) -> list[dict[str, str]]:
    from .. import examining
    from ..parts.examination import ROLL_OUT
    from ..places import How

    by_memory = _by_memory(here)
    result = examining.examine(here.owner, by_memory.doctor_options(here.owner, prompt), How())
    checks: list[dict[str, str]] = result["checks"]
    if not here.is_everybodys:
        for one in checks:  # what the person can do, where the operator's way out is a rollout
            one["fix"] = re.sub(rf"^{ROLL_OUT}( \(--check --diff .*\))?$", "Run: coding-agents repair", one["fix"])
    return checks


def _models(here: Here, options: argparse.Namespace) -> int:
    from . import models

    if options.validate:
        checks = [one for one in _checks(here, False) if one["category"] == "Models"]
        failed = any(one["status"] == "FAIL" for one in checks)
        if options.json:
            output.write(json.dumps({"failed": failed, "checks": checks}, indent=1))
        else:
            for one in checks:
                fix = f"  -> {one['fix']}" if one["fix"] else ""
                output.write(f"{output.toned(one['status'], one['status'])}  {one['check']}: {one['detail']}{fix}")
        return FAILED if failed else OK
    found = models.served(here.config, models.configured(here.owner))
    if options.json:
        output.write(json.dumps({"models": found}, indent=1))
        return OK
    rows = [
        (output.toned(f"* {one['name']}", "ok") if one["used_by"] else f"  {one['name']}", one["state"], one["used_by"])
        for one in found
    ]
    output.write(
        *output.table(("  MODEL", "STATE", "USED BY"), [(one, two, ", ".join(three)) for one, two, three in rows])
    )
    return OK


def _logout(here: Here, options: argparse.Namespace) -> int:
    from ..parts.databricks_oauth_end import sign_out

    if here.config.identity != "user":
        output.write(f"Nobody is signed in here: tokens are for the identity {here.config.identity}")
        return OK
    reason = sign_out(here.owner, here.config, dict(os.environ))
    if reason:
        output.complain(f"profile {here.config.profile} could not be signed out ({reason})")
        return FAILED
    output.write(f"Signed out: profile {here.config.profile}")
    return OK


def _repair(here: Here, options: argparse.Namespace) -> int:
    if here.is_everybodys:
        raise OperatorError("is for all users of this host, and root alone can repair it", here.config.data_directory)
    result = _by_memory(here).repair_here(here.owner, options.check)
    word = "would be" if options.check else "was"
    for change in result["changes"]:
        output.write(f"{word} brought back: {change}")
    if not result["changes"]:
        output.write("Nothing to repair: all is as it was rolled out")
    return _ended(result, _contact(here))


def _uninstall(here: Here, options: argparse.Namespace) -> int:
    if here.is_everybodys:
        raise OperatorError(
            "is for all users of this host, and root alone can take it away", here.config.data_directory
        )
    from .. import rollout
    from ..places import How

    by_memory = _by_memory(here)
    wanted = by_memory.withdrawal_options(here.owner)
    foretold = rollout.withdraw(here.owner, wanted, How(check=True))
    output.write(*foretold["changes"])
    if options.check or not foretold["changes"]:
        output.write("Nothing was changed" if foretold["changes"] else "Nothing to uninstall")
        return OK
    if not options.yes and not _agrees():
        output.write("Nothing was changed")
        return FAILED
    contact = _contact(here)  # is forgotten with all else
    result = rollout.withdraw(here.owner, wanted, How())
    output.write("Given back as it was found")
    return _ended(result, contact)


def _agrees() -> bool:
    if not sys.stdin.isatty():
        raise OperatorError("would be changed, and nobody can be asked", "what is listed", "Add --yes")
    sys.stdout.write("Give all this back? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _ended(result: Mapping[str, Any], contact: str) -> int:
    for warning in result.get("warnings", ()):
        output.complain(careful.visible(str(warning)))
    if result.get("error"):
        output.complain(_with_contact(str(result["error"]), contact))
        return FAILED
    return OK


def _run(here: Here, options: argparse.Namespace) -> int:
    from ..agents import AGENTS
    from ..parts.wanted_state import remembered

    chosen = [AGENTS[name] for name in remembered(here.owner).options["agents"] if name in AGENTS]
    agent = next((one for one in chosen if options.agent in (one.command, one.name)), None)
    if agent is None:
        known = ", ".join(one.command for one in chosen)
        raise OperatorError("is no agent that is set up here", options.agent, f"Use one of: {known}")
    front = os.path.join(here.owner.launchers, agent.command)
    places = [os.environ.get("PATH", os.defpath), os.path.join(here.owner.prefix, "bin")]
    program = front if os.access(front, os.X_OK) else shutil.which(agent.command, path=os.pathsep.join(places))
    if program is None:
        raise OperatorError("is not installed", agent.command, "Run: coding-agents repair")
    sys.stdout.flush()
    os.execv(program, [program, *options.arguments])  # noqa: S606


def _mcp(here: Here, options: argparse.Namespace) -> int:
    """In place of this process: its standard output is the protocol's."""
    from ..relay import control

    control.load(here.config)  # raises OperatorError where there is no relay
    command = control.web_command(here.config)
    os.execve(command[0], command, control.environment(here.config, os.environ))  # noqa: S606


def _version(here: Here, options: argparse.Namespace) -> int:
    output.write(f"fmapi.coding_agents {VERSION} (Python {sys.version.split()[0]}, {here.config.program})")
    return OK


_VERBS: dict[str, Callable[[Here, argparse.Namespace], int]] = {
    "status": _status,
    "doctor": _doctor,
    "models": _models,
    "logout": _logout,
    "relay": relay.run,
    "mcp": _mcp,
    "show": show.run,
    "repair": _repair,
    "uninstall": _uninstall,
    "run": _run,
    "version": _version,
}
