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
from .engine import files
from .engine.documents import FORMATS
from .engine.ledger import Ledger
from .engine.owner import Owner
from .engine.ownership import Plan, Wanted, plan
from .engine.past import digest
from .engine.transaction import Outcome, Unfinished, bring
from .errors import OperatorError
from .host_program import session, user_sign_in
from .host_program.config import Config
from .host_program.token import PERSON_MUST_SIGN_IN, TokenError
from .parts import PARTS, older_tokens, older_tools
from .parts.base import NOTHING, Done, Part
from .parts.context import bare_config, config_of
from .parts.examination import CATEGORIES, FAIL, PASS, ROLL_OUT, Check, Examination
from .places import How
from .platforms import OS_RELEASE, PLATFORMS, platform_of

Options = Mapping[str, Any]

OURS = "fmapi.coding_agents"
"""Among the tools of a listing."""
_WAY_OF_OLDER_TOOLS = "coding_agents_uninstall_older_tools: true removes it"


def look(owner: Owner, options: Options, how: How) -> dict[str, Any]:
    """What differs from the wanted state, found by the planning code that changes it. Reads files only.

    Raises OperatorError and ValueError for what must be mended before anything can be planned.
    """
    parts = _chosen(options)
    outcome = bring(owner, [part.name for part in parts], _wanted(parts, owner, options), True, _traces)
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
    parts = _chosen(options)
    names = [part.name for part in parts]
    outcome = bring(owner, names, _wanted(parts, owner, options), True, _traces)
    _check_diff(outcome.plans, how)
    missing = [one for part in parts for one in part.missing(owner, options)]
    errors: list[str] = []
    if not how.check:
        prepared: list[tuple[Part, Any]] = []
        try:
            for part in parts:
                prepared.append((part, part.prepare(owner, options)))
            outcome = bring(owner, names, _wanted(parts, owner, options), False, _traces)
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


def withdraw(owner: Owner, options: Options, how: How) -> dict[str, Any]:
    """Give back all that the chosen parts brought, in one transaction. The ledger says what that is; without one, traces do.

    It goes as far as it can: what stays is an ``error`` in the result, and the next one finishes it.
    """
    parts = _chosen(options)
    names = [*(part.name for part in parts), older_tools.COMPONENT]  # of the last, what a run left that was interrupted
    foretold = bring(owner, names, [], True, _traces)  # what can be refused is refused before anybody is signed out
    _check_diff(foretold.plans, how)
    revoked = _revoke(owner, options, how)
    before = [_withdrawn(part.before_withdrawal, owner, options, how) for part in parts]
    try:
        outcome = bring(owner, names, [], how.check, _traces)
    except OperatorError as error:
        if isinstance(error, Unfinished) or revoked or any(one.changes for one in before):
            return {"changed": True, "error": error.told}
        raise
    after = [_withdrawn(part.after_withdrawal, owner, options, how) for part in parts]
    removed, done = _remove_older_tools(owner, options, how, outcome)
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


def list_artifacts(owner: Owner, options: Options, how: How) -> dict[str, Any]:
    """All that an uninstall would find, ours and older tools', and what becomes of each, found by the planning code that does it.

    Writes nothing. The workspace is asked for tokens that older tools have made, where a token to ask with is at hand.
    """
    parts = _chosen(options)
    foretold = bring(owner, [*(part.name for part in parts), older_tools.COMPONENT], [], True, _traces)
    looked = How(True, how.diff, how.verbose)
    steps = [
        *(_withdrawn(part.before_withdrawal, owner, options, looked) for part in parts),
        *(_withdrawn(part.after_withdrawal, owner, options, looked) for part in parts),
    ]
    ours = [
        *((_told(one), _fate(one)) for one in foretold.plans if one.changed or one.notes),
        *((change, "") for one in steps for change in one.changes),
        *((problem, "stays: cannot be given back now") for problem in foretold.left),
    ]
    theirs = older_tools.found(owner, _view(foretold), dict(os.environ))
    wanted = _takes_older_tools(options)
    artifacts = [{"tool": OURS, "what": what, "fate": fate} for what, fate in ours]
    for one in theirs:
        fate = f"stays: {one.problem}. To be rid of it, {one.way_out}" if one.problem else f"stays: {one.way_out}"
        if one.can_go:
            fate = f"removed: left by {one.artifact.tool}" if wanted else f"stays: {_WAY_OF_OLDER_TOOLS}"
        artifacts.append({"tool": one.artifact.tool, "what": f"{one.path}: {one.what}", "fate": fate})
    revokes = bool(options.get("revoke_legacy_pats"))
    tokens = older_tokens.listed(owner, dict(os.environ), renew=revokes and not how.check)
    for token in tokens.tokens:
        what = f'personal access token "{token.comment}"'
        stays = f"stays until {token.ends}: coding_agents_revoke_legacy_pats: true revokes it"
        fate = "revoked" if revokes else stays
        artifacts.append({"tool": older_tools.SCRIPT, "what": what, "fate": fate})
    about = {"user": owner.user, "home": owner.home}
    said = f"personal access tokens of {older_tools.SCRIPT} are not listed: {tokens.problem}"
    matters = revokes or any(one.artifact.tool == older_tools.SCRIPT for one in theirs)
    return {
        "artifacts": [{**about, **one} for one in artifacts],
        "warnings": [said] if tokens.problem and matters else [],
    }


def read_documents(owner: Owner, options: Options, how: How) -> dict[str, Any]:
    """Nothing, or LibraryNeeded where a change would have to read a document whose parser has not travelled."""
    parts = _chosen(options)
    wanted = [] if options.get("state") == "absent" else _wanted(parts, owner, options)
    formats = {one.format for one in wanted} | {str(one["format"]) for one in Ledger.load(owner).documents.values()}
    if any(FORMATS[one].library for one in formats):
        with contextlib.suppress(OperatorError, ValueError):  # what is wrong is told by who makes the change
            plans = bring(owner, [part.name for part in parts], wanted, True, _traces).plans
            _check_diff(plans, how)
    return {}


def examine(owner: Owner, options: Options, how: How) -> dict[str, Any]:
    """The doctor's checks, in the order of :data:`CATEGORIES`. In check mode only what files show is checked."""
    parts = _chosen(options)
    config = config_of(owner, options)
    examination = Examination(owner, options, config, dict(os.environ), offline=how.check)
    checks = [
        Check("Dependencies", "Python", PASS, platform.python_version()),
        *(_configuration(part, owner, options) for part in parts),
        Check("Configuration", "routing", PASS, f"{options['routing']} ({options['routing_reason']})"),
        *(check for part in parts for check in part.checks(examination)),
    ]
    checks.sort(key=lambda check: CATEGORIES.index(check.category))
    result: dict[str, Any] = {
        "checks": [{"user": owner.user, "home": owner.home, **check._asdict()} for check in checks if check.detail]
    }
    failed = [check for check in checks if check.status == FAIL]
    if failed:
        first = failed[0]
        more = f" ({len(failed)} checks failed)" if len(failed) > 1 else ""
        result["error"] = f"{first.category}, {first.check}: {first.detail}{more}. {first.fix}".rstrip(". ")
    return result


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


def _chosen(options: Options) -> list[Part]:
    names = options.get("parts") or list(PARTS)
    return [part for name, part in PARTS.items() if name in names]


def _wanted(parts: Sequence[Part], owner: Owner, options: Options) -> list[Wanted]:
    return [wanted for part in parts for wanted in part.wanted(owner, options)]


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


def _traces(ledger: Ledger) -> None:
    for part in PARTS.values():
        part.traces(ledger)


def _withdrawn(step: Callable[[Owner, Options, bool], Done], owner: Owner, options: Options, how: How) -> Done:
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


def _told(one: Plan) -> str:
    """A document that is given back, and what in it is ours where that is not all."""
    keys = [change.removesuffix(" removed").removesuffix(" given back") for change in one.changes if " " in change]
    is_whole = any(change in ("removed", "back to what stood here") for change in one.changes)
    said = one.summaries[0] or ("" if is_whole else ", ".join(keys))
    return f"{one.path}: {said}" if said else one.path


def _fate(one: Plan) -> str:
    """What becomes of a document of ours."""
    edited = one.entry_before is not None and digest(one.before) != one.entry_before["after"]
    if not one.changed:
        return f"stays: yours, edited since ({'; '.join(one.notes)})"
    if one.after is None:
        return "removed: ours"
    if edited:
        return "ours is taken out; what was edited since stays"
    return "given back to what stood before"


def _view(outcome: Outcome) -> older_tools.View:
    """What stands at a path once ours is given back, which it may be already."""
    after = {files.place(one.path): one.after for one in outcome.plans if one.changed and not one.is_link}

    def view(path: str) -> bytes | None:
        place = files.place(path)
        return after[place] if place in after else _content(path)

    return view


def _content(path: str) -> bytes | None:
    try:
        return careful.read(path)
    except OSError:
        return None


def _takes_older_tools(options: Options) -> bool:
    """Where the operator wants that, and everything of ours goes."""
    return bool(options.get("uninstall_older_tools")) and len(_chosen(options)) == len(PARTS)


def _revoke(owner: Owner, options: Options, how: How) -> list[str]:
    """End the tokens that older tools had made, as long as the person's session stands. Raises OperatorError."""
    if not options.get("revoke_legacy_pats"):
        return []
    if how.check:
        tokens = older_tokens.listed(owner, dict(os.environ), renew=False).tokens
        return [older_tokens.said(one) for one in tokens]
    return older_tokens.revoke(owner, dict(os.environ))


def _remove_older_tools(owner: Owner, options: Options, how: How, given_back: Outcome) -> tuple[list[Plan], Done]:
    """Take away what older tools have left, in a transaction of its own: what ours had replaced stands there again by now."""
    if not _takes_older_tools(options):
        return [], NOTHING
    view = _view(given_back)
    those = [one for one in older_tools.found(owner, view, dict(os.environ)) if one.can_go]
    clones = [f"{one.path}: {one.what}: removed" for one in those if not one.format]
    if how.check:
        ledger = Ledger(owner)
        older_tools.enter(ledger, those)
        records = ledger.documents.items()
        return [
            plan(path, view(path), files.read(path).mode, entry, None, ledger.salt) for path, entry in records
        ], Done(clones, [])
    ledger = Ledger.load(owner)
    try:
        if those and (ledger.documents or ledger.pending):
            raise OperatorError(f"what {older_tools.SCRIPT} has left stays until all of ours is given back")
        plans = bring(owner, [older_tools.COMPONENT], [], False, lambda new: older_tools.enter(new, those)).plans
    except OperatorError as error:
        return [], Done([], [], (error.told,))
    return plans, Done(clones, [], tuple(older_tools.remove_clones(those)))


def _check_diff(plans: list[Plan], how: How) -> None:
    """Raises LibraryNeeded for what the diff would have to read, before anything is changed."""
    if how.diff:
        from .engine.diffs import check_readable  # every look would pay for it

        check_readable(plans)


def _configuration(part: Part, owner: Owner, options: Options) -> Check:
    """Whether a part's documents are as wanted."""
    what = ("Configuration", part.name)
    try:
        outcome = bring(owner, [part.name], part.wanted(owner, options), True, _traces)
        missing = part.missing(owner, options)
    except (OperatorError, ValueError) as error:
        return Check(*what, FAIL, str(error), "Mend that first, then run the rollout")
    if outcome.changed or missing:
        differing = [*(one.path for one in outcome.plans if one.changed), *missing]
        said = f"not as wanted: {', '.join(differing)}"
        return Check(*what, FAIL, said, f"{ROLL_OUT} (--check --diff shows the lines)")
    return Check(*what, PASS, "as wanted")
