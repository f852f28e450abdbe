# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where host code meets Ansible: the module host_call, its owners, their results merged."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule

from . import loading
from .engine.owner import Done, Owner, alone, check_home, current_owner, machine_of_other_scope, machine_owner
from .errors import OperatorError
from .places import EVERYBODY, MACHINE, How

OLDEST_PYTHON = (3, 9)
"""Of a host. Up to the check that says so, the code has to run on 3.8, on which ansible-core 2.18 still starts modules: hence the
few aliases that :mod:`typing` spells.
"""

SPEC = {
    "carried": {"type": "str", "required": True, "no_log": True},
    "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
}
"""All in one text that is not logged: else the host's log has it, and of a dictionary each word would be hidden in the result."""

_EXPECTED = (OperatorError, ValueError)
_NO_PROGRAM = {"needs_program": True, "drifted": True}
_NO_LIBRARIES = {"needs_libraries": True}
_NO_RELAY = {"needs_relay": True, "drifted": True}
_CALLED_AGAIN = ("needs_program", "needs_libraries", "needs_relay", "needs_downloads")
_CHANGING = ("apply", "withdraw", "bring_or_withdraw")
_LISTING = "listing.list_artifacts"
_REPAIR = "by_memory.repair"
_SCOPED = ("look", _LISTING, *_CHANGING)
"""Of these, what the other scope holds is a part: no key is in both."""
_JOINED = (
    "changes",
    "warnings",
    "diff",
    "checks",
    "sign_ins",
    "artifacts",
    "statuses",
    "drifted_parts",
    "needs_downloads",
    "silent_homes",
)


def run() -> None:
    """Do what a function of the host program does, for each of the owners.

    What has travelled: ``verb``, the function's name, after that of its module where that is not ``rollout``; ``options``, judged and
    with their defaults; ``paths``, which of them are paths of the host; ``finds_failures``; ``silent_homes``, for which no call waits
    again; and what :mod:`.loading` takes.

    What an operator can mend becomes one clear failure, after all have had their turn. Where ``finds_failures`` (the look) an owner's
    failure is a finding: the result names ``failed_users``, and whatever applies the rest fails for them. Only where nobody can be
    planned for does the module itself fail.
    """
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    if sys.version_info < OLDEST_PYTHON:
        module.fail_json(
            msg=f"{sys.executable} is Python {sys.version.split()[0]}, and fmapi.coding_agents needs "
            f"{'.'.join(map(str, OLDEST_PYTHON))} or newer on a host. Install one, and name it in ansible_python_interpreter"
        )
    carried = json.loads(module.params["carried"])
    verb, finds_failures = carried["verb"], carried["finds_failures"]
    options = {**carried.pop("options"), "carried": carried, **({"state": "absent"} if verb == _LISTING else {})}
    for name in carried["paths"]:
        if options[name]:
            options[name] = os.path.expanduser(os.path.expandvars(options[name]))
    for name, value in (("https_proxy", options.get("proxy")), ("no_proxy", options.get("no_proxy"))):
        if value:
            os.environ[name] = value
            os.environ.pop(name.upper(), None)
    how = How(module.check_mode, module._diff, module._verbosity > 0)
    try:
        owners, missing, notes = _owners(options)
        leaving, silent = _leaving(owners, options) if verb in _SCOPED else ([], [])
        done = _lacking([*owners, *leaving], carried) if not finds_failures else []
        if not done and verb in _CHANGING:
            done = _unread(owners, options, how) or _unread(leaving, {**options, "state": "absent"}, how)
        if not done:
            done = _undelivered(owners, verb, options, how)
        if not done:
            done = _each(owners, lambda one: _work(check_home(one), verb, options, how))
            # What is new stands before what it replaces goes; where it could not be brought, the old one stays.
            if not any(one.error or not one.result.keys().isdisjoint(_CALLED_AGAIN) for one in done):
                looked = How(how.check or finds_failures, how.diff, how.verbose)
                leave = _LISTING if verb == _LISTING else "leave"
                done += _each(leaving, lambda one: _work(check_home(one), leave, options, looked))
        done += missing
    except OperatorError as error:
        module.fail_json(msg=error.told)
    except Exception as error:
        from .defects import defect

        module.fail_json(**defect(error))
    result = merged(done)
    # Not by module.warn(): ansible-core 2.19 and newer show that at once, and keep it from the action plugin.
    result["notes"] = [*notes, *map(_not_looked_at, silent), *result.pop("warnings", [])]
    if silent:
        result["silent_homes"] = [one.home for one in silent]
    failed = {one.owner.user: one.error for one in done if one.error}
    if not failed or (finds_failures and len(failed) < len(done)):
        module.exit_json(**{**result, **({"failed_users": failed, "drifted": True} if failed else {})})
    if len(done) == 1:
        module.fail_json(msg=str(done[0].error), **result)
    said = [f"{len(failed)} of {len(done)} users failed: {', '.join(failed)}"]
    said += [f"{user}: {'. '.join(error.splitlines())}" for user, error in failed.items()]
    module.fail_json(msg="\n".join(said), failed_users=failed, **result)


def _each(owners: list[Owner], work: Callable[[Owner], dict[str, Any]]) -> list[Done]:
    """Most calls work for who they run as, and would compile for nothing what work for others needs."""
    if all(one.uid == os.geteuid() for one in owners):
        return [alone(one, work, _EXPECTED) for one in owners]
    from .engine import owners as several

    return several.each(owners, work, _EXPECTED)


def _owners(options: dict[str, Any]) -> tuple[list[Owner], list[Done], list[str]]:
    """The owners whose work can begin, what is to be said of the others, whose lack is nobody else's, and notes."""
    if options["scope"] == MACHINE:
        return [machine_owner()], [], []
    if not options["users"]:
        return [current_owner(options["home"])], [], []
    from .engine import owners as several

    gives_back = options.get("state") == "absent"
    silent = options["carried"]["silent_homes"]
    if options["users"] == [EVERYBODY]:
        owners, homeless, troubled = several.at_home(several.everybody(options["exclude_users"], gives_back), silent)
        return owners, troubled, _passed_over(len(owners) + len(troubled), homeless)
    named: list[Owner] = []
    missing: list[Done] = []
    for user in dict.fromkeys(options["users"]):
        try:
            named.append(several.owner_named(user))
        except OperatorError as error:
            unknown = Owner(user, -1, -1, "")
            if gives_back:
                missing.append(
                    Done(unknown, {"warnings": [f"{error.where}: {error.what}: nothing to give back"]}, None)
                )
            else:
                missing.append(Done(unknown, {}, error.told))
    owners, homeless, troubled = several.at_home(named, silent)
    return owners, [*homeless, *troubled, *missing], []


def _passed_over(count: int, homeless: list[Done]) -> list[str]:
    """Notes about everybody of a host: who has no home, and that nobody is left."""
    said = [f"user {one.owner.user} is passed over: {str(one.error).splitlines()[0]}" for one in homeless]
    none = f"coding_agents_users {EVERYBODY}: this host lists no people with a home. Name the users, if it has any"
    return said if count else [*said, none]


def _leaving(owners: list[Owner], options: dict[str, Any]) -> tuple[list[Owner], list[Owner]]:
    """Who has what the wanted scope replaces, and whose home does not tell. A way back that names nobody takes along what is the
    machine's, as far as it may.
    """
    gives_back = options.get("state") == "absent"
    if options["scope"] != MACHINE:
        some = gives_back and (options["users"] or options["home"] or os.geteuid() != 0)
        return ([] if some else machine_of_other_scope(owners)), []
    if gives_back:
        return [], []
    from .engine import owners as several

    return several.with_ledger(options["carried"]["silent_homes"])


def _not_looked_at(one: Owner) -> str:
    said = (
        f"user {one.user}: home {one.home} does not answer. Whether they have agents set up of their own is not known"
    )
    return f"{said}: mount it again, and run again"


def _lacking(owners: list[Owner], carried: dict[str, Any]) -> list[Done]:
    """The answer where one of several owners lacks the program; an empty list where none does.

    Then nobody's work begins: the call that brings the program could not tell any more what had been done in this one.
    """
    if len(owners) < 2 or "program" in carried:
        return []
    at_hand = _each(owners, lambda one: {} if loading.is_at_hand(check_home(one), carried) else {**_NO_PROGRAM})
    return at_hand if any(one.result for one in at_hand) else []


def _unread(owners: list[Owner], options: dict[str, Any], how: How) -> list[Done]:
    """The same where one of several owners needs a library, to read a document, or the relay, which have not travelled."""
    carried = options["carried"]
    if len(owners) < 2 or ("libraries" in carried and ("relay" in carried or "relay_sha256" not in carried)):
        return []
    looked = How(True, how.diff, how.verbose)
    done = _each(owners, lambda one: _work(check_home(one), "read_documents", options, looked))
    return done if any(one.result for one in done) else []


def _undelivered(owners: list[Owner], verb: str, options: dict[str, Any], how: How) -> list[Done]:
    """The same where the control node is to fetch for hosts, and has not been told yet what this one lacks."""
    carried = options["carried"]
    # Of a repair, the host alone knows what the rollout was told.
    asks = "by_memory.downloads" if verb == _REPAIR else "downloads" if verb in _CHANGING else ""
    if how.check or not asks or (verb != _REPAIR and options.get("download_on") != "controller"):
        return []
    if "downloads" in carried:
        # Before anybody's work begins: the directory that it is in is for who this call runs as.
        carried["downloads_descriptor"] = os.open(carried["downloads"], os.O_RDONLY | os.O_CLOEXEC)
        return []
    looked = How(True, how.diff, how.verbose)
    done = _each(owners, lambda one: _work(check_home(one), asks, options, looked))
    return done if any(one.result for one in done) else []


def _work(one: Owner, verb: str, options: dict[str, Any], how: How) -> dict[str, Any]:
    """One owner's part of the result. Raises OperatorError for what an operator or the owner can mend."""
    if one.is_machine:
        os.umask(0o022)  # what it makes is for everybody to read
    module, _dot, function = verb.rpartition(".")
    program = loading.load(one, options["carried"], module=module or "rollout")
    if program is None:
        return {**_NO_PROGRAM}
    try:
        result: dict[str, Any] = getattr(program, function)(one, options, how)
    except Exception as error:
        if getattr(error, "needs_libraries", False):
            return {**_NO_LIBRARIES}
        if getattr(error, "needs_relay", False):
            return {**_NO_RELAY}
        # The program has an OperatorError of its own, and others of its kind.
        told = getattr(error, "told", None)
        if told is None:
            raise
        raise OperatorError(told) from None
    if not how.check:
        loading.keep(one, options["carried"])
    return result


def merged(done: list[Done]) -> dict[str, Any]:
    """One result of all owners': lists are joined; the rest stands under ``owners``, and above for the only one."""
    parts = {one.owner.user: {**one.result, **({"error": one.error} if one.error else {})} for one in done}
    result: dict[str, Any] = {"changed": False, "homes": [one.owner.home for one in done if one.owner.home]}
    for part in parts.values():
        result["changed"] = part.pop("changed", False) or result["changed"]
        for name in ("drifted", "needs_program", "needs_libraries", "needs_relay", "lacks_relay"):
            if name in part:
                result[name] = part.pop(name) or result.get(name, False)
        for name in _JOINED:
            if name in part:
                result.setdefault(name, []).extend(part.pop(name))
    if "drifted_parts" in result:
        result["drifted_parts"] = list(dict.fromkeys(result["drifted_parts"]))
    sessions = {user: part["session"] for user, part in parts.items() if "session" in part}
    result["sessions"] = [{**one, "user": user} for user, one in sessions.items() if "command" in one]
    if len(done) == 1:
        parts[done[0].owner.user].pop("error", None)  # is the message
        return {**result, **parts[done[0].owner.user]}
    return {**result, "owners": parts}
