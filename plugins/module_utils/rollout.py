# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All parts of one owner together: look at them, bring them about in one transaction, give them back, examine them.

This is where modules enter the host program: each function has an owner, the options and how the module was started.

Each function returns an owner's part of a module's result.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import careful
from .engine.documents import FORMATS
from .engine.ledger import Ledger
from .engine.owner import Owner
from .engine.ownership import Plan, Wanted
from .engine.transaction import Outcome, Unfinished, bring
from .errors import OperatorError
from .host_program import session, user_sign_in
from .host_program.config import Config
from .host_program.token import PERSON_MUST_SIGN_IN, TokenError
from .parts import PARTS
from .parts.base import Done, Part
from .parts.context import bare_config
from .parts.wanted_state import WantedState
from .places import How
from .platforms import OS_RELEASE, PLATFORMS, platform_of

Options = Mapping[str, Any]

WANTED_STATE = WantedState()


def look(owner: Owner, options: Options, how: How) -> dict[str, Any]:
    """What differs from the wanted state, found by the planning code that changes it. Reads files only.

    Raises OperatorError and ValueError for what must be mended before anything can be planned.
    """
    parts, options = _brought(options)
    outcome = bring(owner, [part.name for part in parts], _wanted(parts, owner, options), True, known_traces)
    missing = {part.name: part.missing(owner, options) for part in parts}
    drifted = {one.component for one in outcome.plans if one.changed} | {name for name, one in missing.items() if one}
    result = {
        "drifted": bool(drifted) or outcome.interrupted,
        "drifted_parts": [name for name in PARTS if name in drifted],
        "changes": [*outcome.changes, *(one for several in missing.values() for one in several)],
        "platform": _platform(),
        "warnings": _warnings(parts, owner, options),
    }
    return {**result, **_facts(parts, owner, options, asking=False)}


def apply(owner: Owner, options: Options, how: How) -> dict[str, Any]:
    """Bring all chosen parts to the wanted state: all or none.

    What can be refused is refused before anything is fetched, and what is fetched before anything is written. Raises OperatorError,
    TokenError, ValueError; a failure after something was written is an ``error`` in the result, which says that it was.
    """
    parts, options = _brought(options)
    names = [part.name for part in parts]
    outcome = bring(owner, names, _wanted(parts, owner, options), True, known_traces)
    _check_diff(outcome.plans, how)
    missing = [one for part in parts for one in part.missing(owner, options)]
    errors: list[str] = []
    if not how.check:
        _require_carried(parts, owner, options)
        prepared: list[tuple[Part, Any]] = []
        try:
            for part in parts:
                prepared.append((part, part.prepare(owner, options)))
            outcome = bring(owner, names, _wanted(parts, owner, options), False, known_traces)
        except BaseException as error:
            for part, what in reversed(prepared):
                with contextlib.suppress(OperatorError):  # what failed first is to be told; the ledger knows what stays
                    part.abandon(owner, options, what)
            if isinstance(error, Unfinished):
                return {"changed": True, "error": error.told}
            raise
        for part, what in prepared:
            try:
                part.after(owner, options, what)
            except OperatorError as error:
                errors.append(f"all files are as wanted, what follows from it was not done: {error.told}")
    result = _result(outcome, how, missing, errors)
    result["warnings"] += _warnings(parts, owner, options)
    result.update(_facts(parts, owner, options, asking=not how.check))
    lacking = result.get("session", {}).get("state", session.ACTIVE) != session.ACTIVE
    if lacking and not how.check:
        result["warnings"].append(result["session"]["detail"])
    result["documents"] = [one.path for one in outcome.plans if one.entry is not None]
    return result


def downloads(owner: Owner, options: Options, how: How) -> dict[str, Any]:
    """What the control node is to fetch before this owner's rollout, where it is to do that; nothing where all is there."""
    if options.get("state") == "absent":
        return {}
    agents: dict[str, str] = {}
    tools: list[str] = []
    for part in chosen(options):
        own, needs = part.downloads(owner, options)
        agents.update(own)
        tools += needs
    from .parts.downloads import needed  # who fetches for itself need not pay for it

    return {"needs_downloads": [needed(agents, tools)]} if agents or tools else {}


def withdraw(owner: Owner, options: Options, how: How) -> dict[str, Any]:
    """Give back all that the chosen parts brought, in one transaction. The ledger says what that is; without one, traces do.

    It goes as far as it can: what stays is an ``error`` in the result, and the next one finishes it.
    """
    from . import leavings  # no rollout needs it

    parts = [*chosen(options), WANTED_STATE]
    names = [*(part.name for part in parts), leavings.COMPONENT]  # of the last, what a run left that was interrupted
    # What can be refused is refused before anybody is signed out.
    foretold = bring(owner, names, [], True, known_traces)
    _check_diff(foretold.plans, how)
    revoked = leavings.revoke(owner, options, how)
    before = [withdrawn(part.before_withdrawal, owner, options, how) for part in parts]
    try:
        outcome = bring(owner, names, [], how.check, known_traces)
    except OperatorError as error:
        if isinstance(error, Unfinished) or revoked or any(one.changes for one in before):
            return {"changed": True, "error": error.told}
        raise
    after = [withdrawn(part.after_withdrawal, owner, options, how) for part in parts]
    removed, done = leavings.remove(owner, options, how, outcome)
    after.append(done)
    outcome = outcome._replace(plans=[*outcome.plans, *removed])
    left = [*outcome.left, *(one for done in (*before, *after) for one in done.errors)]
    result = _result(outcome, how, [], [f"not given back: {one}" for one in dict.fromkeys(left)])
    result["changes"] = [
        *revoked,
        *(change for one in before for change in one.changes),
        *result["changes"],
        *(change for one in after for change in one.changes),
    ]
    result["changed"] = bool(result["changes"]) or result["changed"]
    result["warnings"] += [warning for one in (*before, *after) for warning in one.warnings]
    return result


def leave(owner: Owner, options: Options, how: How) -> dict[str, Any]:
    """Give back what another scope than the wanted one holds; in check mode, for a look too, what that would be."""
    stays = {"sign_out": False, "uninstall_older_tools": False, "revoke_legacy_pats": False}
    result = withdraw(owner, {**options, **stays}, how)
    return {**result, "drifted": result["changed"]} if how.check else result


def bring_or_withdraw(owner: Owner, options: Options, how: How) -> dict[str, Any]:
    """What the option ``state`` says."""
    return (withdraw if options["state"] == "absent" else apply)(owner, options, how)


def read_documents(owner: Owner, options: Options, how: How) -> dict[str, Any]:
    """Nothing; or LibraryNeeded where a change would have to read a document whose parser has not travelled, and of what else travels
    on demand the like.
    """
    parts, options = _brought(options)
    absent = options.get("state") == "absent"
    if not absent:
        _require_carried(parts, owner, options)
    wanted = [] if absent else _wanted(parts, owner, options)
    formats = {one.format for one in wanted} | {str(one["format"]) for one in Ledger.load(owner).documents.values()}
    if any(FORMATS[one].library for one in formats):
        with contextlib.suppress(OperatorError, ValueError):  # what is wrong is told by who makes the change
            plans = bring(owner, [part.name for part in parts], wanted, True, known_traces).plans
            _check_diff(plans, how)
    return {}


def sign_ins(owner: Owner, options: Options, how: How) -> dict[str, Any]:
    """Whether this owner has to sign in, and how. In check mode only files are asked."""
    here = bare_config(owner)
    entry: dict[str, Any] = {"user": owner.user, "home": owner.home, "front": here.front}
    try:
        config = Config.load(here.config_file)
    except (OSError, ValueError, TypeError):
        state, detail = "not_set_up", "nothing is rolled out here: run the playbook rollout first"
    else:
        entry.update(workspace_url=config.workspace_url, identity=config.identity)
        state, detail = _sign_in_state(config, how.check)
    login = user_sign_in.way_in(detail, here)
    if login.startswith(owner.home + "/") and owner.home == os.path.expanduser(f"~{owner.user}"):
        login = f"~{login[len(owner.home) :]}"  # the same on every host, and shorter
    return {"sign_ins": [{**entry, "state": state, "detail": detail, "login": login}]}


def _sign_in_state(config: Config, check: bool) -> tuple[str, str]:
    environment = dict(os.environ)
    if config.identity != "user":
        return "no_person_needed", f"identity {config.identity}"
    if config.is_machine:
        return "no_person_needed", f"each user of this host signs in by {config.sign_in_command()}"
    if check:
        found = session.look(config, environment)
        return "signed_in" if found["state"] == session.ACTIVE else "unknown", found["detail"]
    try:
        session.token(config, environment)
    except TokenError as error:
        return "sign_in_needed" if error.exit_status == PERSON_MUST_SIGN_IN else "unknown", str(error)
    return "signed_in", "a token can be had"


def chosen(options: Options) -> list[Part]:
    names = options.get("parts") or list(PARTS)
    return [part for name, part in PARTS.items() if name in names]


def _brought(options: Options) -> tuple[list[Part], Options]:
    """The same to bring about, and last what remembers that, where the call has all options; and the options, with their parts."""
    parts = chosen(options)
    remembers = "forgotten" in (options.get("carried") or {})
    return [*parts, *([WANTED_STATE] if remembers else [])], {**options, "parts": [part.name for part in parts]}


def _wanted(parts: Sequence[Part], owner: Owner, options: Options) -> list[Wanted]:
    return [wanted for part in parts for wanted in part.wanted(owner, options)]


def _require_carried(parts: Sequence[Part], owner: Owner, options: Options) -> None:
    for part in parts:
        part.require_carried(owner, options)


def _facts(parts: Sequence[Part], owner: Owner, options: Options, asking: bool) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.facts(owner, options, asking).items()}


def _platform() -> dict[str, Any]:
    try:
        os_release = careful.read(OS_RELEASE).decode("utf-8", "replace")
    except OSError:
        os_release = ""
    name = platform_of(platform.system(), platform.release(), os.environ, os_release)
    return {
        "system": platform.system(),
        "name": name,
        "wsl": PLATFORMS[name].is_wsl,
        "python": platform.python_version(),
    }


def _warnings(parts: Sequence[Part], owner: Owner, options: Options) -> list[str]:
    return [warning for part in parts for warning in part.warnings(owner, options)]


def known_traces(ledger: Ledger) -> None:
    for part in (*PARTS.values(), WANTED_STATE):
        part.traces(ledger)


def withdrawn(step: Callable[[Owner, Options, bool], Done], owner: Owner, options: Options, how: How) -> Done:
    """What a part has done on the way back; what it could not do holds nothing else up."""
    try:
        return step(owner, options, how.check)
    except OperatorError as error:
        return Done([], [], (error.told,))


def _result(outcome: Outcome, how: How, missing: list[str], errors: list[str]) -> dict[str, Any]:
    """Changed, the changes in words, the diff if it was asked for; notes become warnings, so that nobody misses them."""
    result: dict[str, Any] = {
        "changed": outcome.changed or bool(missing),
        "changes": [*outcome.changes, *missing],
        "warnings": list(outcome.notes),
        **({"error": "\n".join(errors)} if errors else {}),
    }
    if how.diff:
        from .engine.diffs import diff_of

        result["diff"] = diff_of(outcome.plans, full=how.verbose)
    return result


def _check_diff(plans: list[Plan], how: How) -> None:
    """Raises LibraryNeeded for what the diff would have to read, before anything is changed."""
    if how.diff:
        from .engine.diffs import check_readable  # every look would pay for it

        check_readable(plans)
