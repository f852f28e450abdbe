# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with a host by what it remembers of its rollout, without an inventory: status, repair, upgrade.

The modules do it for operators and the command ``coding-agents`` for the person on the host. Each function returns an owner's part of
a module's result.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from typing import Any

from . import rollout
from .agents import AGENTS
from .engine.ledger import Ledger
from .engine.owner import Owner
from .errors import OperatorError
from .host_program import session
from .host_program.config import Config
from .parts import PARTS, relaying
from .parts.agent_cli import AgentCli
from .parts.context import bare_config
from .parts.wanted_state import SECRETS, Remembered, number, options_of, program_here, refuse_newer, remembered
from .places import MACHINE, How
from .version import VERSION

Options = Mapping[str, Any]

IN_ORDER, DRIFTED, UNKNOWN, NOT_SET_UP = "in order", "drifted", "unknown", "not set up"


def repair(owner: Owner, options: Options, how: How) -> dict[str, Any]:
    """Bring an owner back to what was rolled out; with ``upgrade`` to what this version makes of it.

    ``carried`` has the ``defaults`` of options that the rollout did not know yet. Raises what :func:`rollout.apply` does, and
    OperatorError where nothing is remembered, or by another version.
    """
    known = remembered(owner)
    _check_version(known, bool(options.get("upgrade")))
    wanted = wanted_options(owner, known, options["carried"], options["carried"].get("defaults") or {})
    if options.get("upgrade") and "relay_sha256" not in options["carried"] and relaying.life(wanted) != relaying.OFF:
        raise relaying.RelayNeeded  # which one this version makes, the control node alone knows
    before = _versions(owner, wanted)
    result = rollout.apply(owner, wanted, how)
    after = {name: str(one.get("version") or "") for name, one in (result.get("programs") or {}).items()}
    if how.check:
        after = {name: str(one.get("wanted_version") or "") for name, one in (result.get("programs") or {}).items()}
    result["versions"] = {
        "fmapi.coding_agents": {"before": known.version, "after": VERSION},
        **{name: {"before": before.get(name, ""), "after": after[name]} for name in after},
    }
    return result


def _may_change(owner: Owner) -> bool:
    return not owner.is_machine or os.geteuid() == 0


def downloads(owner: Owner, options: Options, how: How) -> dict[str, Any]:
    """What the control node is to fetch before a repair, where the rollout was told that it does; nothing where all is there."""
    known = remembered(owner)
    _check_version(known, bool(options.get("upgrade")))
    wanted = wanted_options(owner, known, options["carried"], options["carried"].get("defaults") or {})
    return rollout.downloads(owner, wanted, how) if wanted.get("download_on") == "controller" else {}


def wanted_options(owner: Owner, known: Remembered, carried: Mapping[str, Any], defaults: Options) -> dict[str, Any]:
    """The options of the rollout that is remembered. Raises OperatorError."""
    return options_of(owner, known, {**carried, "forgotten": SECRETS}, defaults, _may_change(owner))


def _versions(owner: Owner, options: Options) -> dict[str, str]:
    """Of the agents' programs that stand here; empty for one that does not."""
    programs = AgentCli().facts(owner, options, asking=False)["programs"]
    return {name: str(one.get("version") or "") for name, one in programs.items()}


def status(owner: Owner, options: Options, how: How) -> dict[str, Any]:
    """What an owner has, and whether it is still as it was rolled out. Reads files only."""
    return {"statuses": [report(owner, options.get("carried") or {})]}


def report(owner: Owner, carried: Mapping[str, Any]) -> dict[str, Any]:
    """One flat object, and under ``agents`` one for each; None for what is not known. Never a token."""
    found: dict[str, Any] = {"user": owner.user, "home": owner.home, "scope": owner.scope}
    try:
        config = Config.load(bare_config(owner).config_file)
    except (OSError, ValueError, TypeError):
        return {**found, "state": NOT_SET_UP, "detail": "Nothing is rolled out here", "agents": []}
    if not config.is_machine:
        config = config._replace(home=owner.home)
    found.update(workspace_url=config.workspace_url, identity=config.identity, profile=config.profile)
    # A machine has no session: each user has their own.
    found["session"] = None if owner.user == MACHINE else session.look(config, dict(os.environ))
    try:
        known = remembered(owner)
    except OperatorError as error:
        return {**found, "state": UNKNOWN, "detail": error.told, "agents": []}
    found.update(
        version=known.version,
        routing=known.options.get("routing"),
        parts=known.parts,
        contact=known.options.get("contact"),
    )
    return {**found, **_compared(owner, known, carried)}


def _compared(owner: Owner, known: Remembered, carried: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"agents": []}
    try:
        options = wanted_options(owner, known, {**carried, "program_sha256": known.program_sha256}, {})
    except OperatorError as error:
        return {**found, "state": DRIFTED, "detail": error.told, "drift": [error.told]}
    found["agents"] = _agents(owner, known, options)
    if not _may_change(owner):
        return {**found, "state": UNKNOWN, "detail": "Root alone can compare the files of all users"}
    ledger = Ledger.load(owner)
    found["files"] = sorted(ledger.documents)
    with contextlib.suppress(OSError):
        found["changed_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(os.stat(ledger.path).st_mtime))
    try:
        look = rollout.look(owner, options, How(check=True))
    except (OperatorError, ValueError) as error:
        return {**found, "state": DRIFTED, "detail": str(error), "drift": [str(error)]}
    if look["drifted"]:
        drift = look["changes"] or ["a run that was interrupted"]
        return {**found, "state": DRIFTED, "detail": drift[0], "drift": drift}
    return {**found, "state": IN_ORDER, "detail": "As it was rolled out", "drift": []}


def _agents(owner: Owner, known: Remembered, options: Options) -> list[dict[str, Any]]:
    programs = AgentCli().facts(owner, options, asking=False)["programs"]
    found = []
    for name in options["agents"]:
        program = programs.get(name) or {}
        found.append(
            {
                "agent": name,
                "title": AGENTS[name].title,
                "command": AGENTS[name].command,
                "version": program.get("version") or None,
                "wanted_version": program.get("wanted_version"),
                "path": program.get("path"),
                "models": (known.options.get("models") or {}).get(name) or {},
            }
        )
    return found


def doctor_options(owner: Owner, prompt: bool) -> dict[str, Any]:
    """The options of a doctor on the host itself. Raises OperatorError where nothing is remembered."""
    known = remembered(owner)
    carried = {"program_sha256": known.program_sha256}
    options = options_of(owner, known, carried, {"doctor_prompt": prompt}, _may_change(owner))
    return {**options, "parts": [name for name in PARTS if name in known.parts], "doctor_prompt": prompt}


def repair_here(owner: Owner, check: bool) -> dict[str, Any]:
    """:func:`repair` by the program that stands here. Raises OperatorError, too, where only the control node can bring what lacks."""
    options = {"carried": {"program_sha256": program_here(owner)}}
    if not check and downloads(owner, options, How()):
        raise OperatorError(
            "lacks a program that the control node fetches for it (coding_agents_download_on)",
            "this host",
            "Ask for the playbook repair",
        )
    try:
        return repair(owner, options, How(check=check))
    except relaying.RelayNeeded:
        raise OperatorError(
            "lacks the relay, which the control node makes", "this host", "Ask for the playbook repair"
        ) from None


def withdrawal_options(owner: Owner) -> dict[str, Any]:
    """What a way back goes by, where no operator says it."""
    unasked = {"sign_out": False, "uninstall_older_tools": False, "revoke_legacy_pats": False, "parts": None}
    try:
        return {**remembered(owner).options, **unasked}
    except OperatorError:
        return unasked


def _check_version(known: Remembered, upgrade: bool) -> None:
    """Raises OperatorError where this version must not touch what another has brought."""
    refuse_newer(known)
    if number(known.version) < number(VERSION) and not upgrade:
        raise OperatorError(
            f"was set up by fmapi.coding_agents {known.version}, and this is {VERSION}",
            "this host",
            "Run the playbook upgrade, which brings the host to this version",
        )
