# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several owners, each with their own rights: work in a user's home is done by a child process that is that user.

So a symbolic link that a user planted leads nowhere that the user could not go alone, new files belong to the user, and a home
that root may not enter (NFS with root squash) is no obstacle.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import pwd
import select
import signal
import time
from collections.abc import Collection
from typing import Any, Callable, NoReturn

from .. import careful, people, processes
from ..errors import OperatorError
from ..platforms import PLATFORMS, WSL_VARIABLE, platform_of
from .owner import Done, NoHome, Owner, alone, check_home, done, has_ledger

_KEPT = ("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", WSL_VARIABLE)
"""Of root's environment, beside what every program gets: how this host trusts its network, and what it is."""

_LONGEST_SECONDS = 3600
"""For one user's work. Programs that are fetched and started in it have limits of their own, far below."""
_HOME_SECONDS = 10
"""For all homes to be looked at. An automounter takes a few; a file server that is gone never answers."""
_END_SECONDS = 2
"""For a process that was killed to go. One that waits for a file server does not, and is left behind."""
_MOST_AT_ONCE = 100
_MOST_MEMORY = 4 << 30
_LONGEST_ANSWER = 1 << 26


def owner_named(user: str) -> Owner:
    """Raises OperatorError for a user that this host does not have."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise OperatorError(
            "is no user of this host", f"coding_agents_users {user}", "Correct the name, or make the user first"
        ) from None
    return Owner(user, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def everybody(excluded: Collection[str], whatever_shell: bool) -> list[Owner]:
    """The people of this host, as far as it lists them, by name; with ``whatever_shell``, those who may not log in any more, too."""
    texts = (_text(path) for path in people.LOGIN_DEFS)
    usual = PLATFORMS[platform_of(platform.system(), platform.release(), os.environ)].people
    found = people.people(pwd.getpwall(), next((text for text in texts if text), ""), usual, whatever_shell)
    return [Owner(one.pw_name, one.pw_uid, one.pw_gid, one.pw_dir) for one in found if one.pw_name not in excluded]


def _text(path: str) -> str:
    try:
        return careful.read(path).decode("utf-8", "replace")
    except OSError:
        return ""


def at_home(owners: list[Owner], silent: Collection[str] = ()) -> tuple[list[Owner], list[Done], list[Done]]:
    """Look at the homes of several owners: those whose work can begin, those whose home is none, and those with another trouble.

    All are looked at together: a file server that does not answer costs one wait, however many homes it has, and none of the others.
    ``silent`` are homes that an earlier call of this run has waited for in vain; the results of such users have ``silent_homes``.
    """
    ready: list[Owner] = []
    homeless: list[Done] = []
    troubled: list[Done] = []
    late = f"does not answer within {_HOME_SECONDS} seconds. Mount it again, or leave this user out"
    for owner in owners:
        if owner.home in silent:
            troubled.append(_silent(owner, f"user {owner.user}: home {owner.home}: {late}"))
    owners = [one for one in owners if one.home not in silent]
    for start in range(0, len(owners), _MOST_AT_ONCE):
        some = owners[start : start + _MOST_AT_ONCE]
        until = time.monotonic() + _HOME_SECONDS
        started = [_start(one, _look_at_home, (OperatorError,)) for one in some]
        for owner, work in zip(some, started):
            said = f"home {owner.home}: {late}"
            done = work.end(until, said)
            if done.error and done.error.endswith(said):
                done = _silent(owner, done.error)
            no_home = done.result.get("no_home")
            if no_home:
                homeless.append(Done(owner, {}, no_home))
            elif done.error:
                troubled.append(done)
            else:
                ready.append(owner)
    return ready, homeless, troubled


def _silent(owner: Owner, error: str) -> Done:
    return Done(owner, {"silent_homes": [owner.home]}, error)


def with_ledger(silent: Collection[str] = ()) -> tuple[list[Owner], list[Owner]]:
    """Of all users of this host, those who have something of ours by their ledger, and those whose home does not answer. For root.

    One process looks into all homes, for it may have to be left behind; where it is, each home gets one of its own, all at once.
    ``silent`` are homes that an earlier call of this run has waited for in vain.
    """
    everyone = [Owner(one.pw_name, one.pw_uid, one.pw_gid, one.pw_dir) for one in pwd.getpwall()]
    quiet = [one for one in everyone if one.home in silent]
    asked = [one for one in everyone if one.home not in silent]
    found, late = _ledgers(asked, time.monotonic() + _HOME_SECONDS)
    for start in range(0, len(late), _MOST_AT_ONCE):
        some = late[start : start + _MOST_AT_ONCE]
        until = time.monotonic() + _HOME_SECONDS
        for owner, work in [(one, _fork(_root(), _which([one]), ())) for one in some]:
            done = work.end(until, "")
            if done.error is not None:
                quiet.append(owner)
            elif done.result["have"]:
                found.append(owner)
    return found, quiet


def _ledgers(owners: list[Owner], until: float) -> tuple[list[Owner], list[Owner]]:
    """Those who have one, and nobody else; or nobody, and those that have to be asked one by one."""
    done = _fork(_root(), _which(owners), ()).end(until, "")
    if done.error is not None:
        return [], owners
    return [owners[number] for number in done.result["have"]], []


def _which(owners: list[Owner]) -> Callable[[Owner], dict[str, Any]]:
    return lambda _root: {"have": [number for number, one in enumerate(owners) if has_ledger(one)]}


def _root() -> Owner:
    entry = pwd.getpwuid(os.geteuid())
    return Owner(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def _look_at_home(owner: Owner) -> dict[str, Any]:
    try:
        home = check_home(owner).home
    except NoHome as problem:
        return {"no_home": problem.told}
    # A file server that is gone may have left the home's own status in a cache.
    with contextlib.suppress(OSError), os.scandir(home) as entries:
        next(entries, None)
    return {}


def each(
    owners: list[Owner], work: Callable[[Owner], dict[str, Any]], expected: tuple[type[Exception], ...]
) -> list[Done]:
    """Do the work for every owner, with that owner's rights; one that fails does not hold up the others.

    ``work`` returns what JSON can carry. Errors of the ``expected`` classes become sentences; any other ends the work of its
    owner with the name of its class. A result may hold an ``error`` beside what was done.
    """
    late = f"the work did not end within {_LONGEST_SECONDS // 60} minutes, and was ended"
    return [_start(owner, work, expected).end(time.monotonic() + _LONGEST_SECONDS, late) for owner in owners]


class _Finished:
    """Work that is done already."""

    def __init__(self, done: Done) -> None:
        self._done = done

    def end(self, until: float, late: str) -> Done:
        return self._done


class _Child:
    """Work that a child process does."""

    def __init__(self, owner: Owner, process: int, reader: int) -> None:
        self._owner, self._process, self._reader = owner, process, reader

    def end(self, until: float, late: str) -> Done:
        """What became of it; when that takes longer than ``until``, it is ended, and ``late`` says so."""
        answer, trouble = _answer(self._reader, until, late)
        now = time.monotonic()
        if trouble:
            os.kill(self._process, signal.SIGKILL)
        # Of those that are late together, the first is given the time for all.
        self._wait((min(until, now) if trouble else now) + _END_SECONDS)
        if trouble:
            return Done(self._owner, {}, f"user {self._owner.user}: {trouble}")
        try:
            result, error = json.loads(answer)
        except ValueError:
            return Done(self._owner, {}, f"user {self._owner.user}: the work ended without an answer")
        return Done(self._owner, {}, error) if error else done(self._owner, result)

    def _wait(self, until: float) -> None:
        """Not for ever: the kernel ends no process that waits for a file server."""
        while not os.waitpid(self._process, os.WNOHANG)[0] and time.monotonic() < until:
            time.sleep(0.002)


def _start(
    owner: Owner, work: Callable[[Owner], dict[str, Any]], expected: tuple[type[Exception], ...]
) -> _Child | _Finished:
    if owner.uid == os.geteuid():
        return _Finished(alone(owner, work, expected))
    if os.geteuid() != 0:
        return _Finished(Done(owner, {}, f"user {owner.user}: only root can work for another user. Use become: true"))
    return _fork(owner, work, expected)


def _fork(owner: Owner, work: Callable[[Owner], dict[str, Any]], expected: tuple[type[Exception], ...]) -> _Child:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _as_owner(owner, work, expected, writer)
    os.close(writer)
    return _Child(owner, child, reader)


def _answer(reader: int, until: float, late: str) -> tuple[bytes, str]:
    """What the child says until it ends, and why it has to be ended: its user can stop it, or give it work without end."""
    answer = bytearray()
    with os.fdopen(reader, "rb", buffering=0) as stream:
        while len(answer) <= _LONGEST_ANSWER:
            if not select.select([stream], [], [], max(until - time.monotonic(), 0))[0]:
                return b"", late
            part = stream.read(1 << 16)
            if not part:
                return bytes(answer), ""
            answer += part
    return b"", f"the work told more than {_LONGEST_ANSWER >> 20} MiB, and was ended"


def _as_owner(
    owner: Owner, work: Callable[[Owner], dict[str, Any]], expected: tuple[type[Exception], ...], writer: int
) -> NoReturn:
    """The child: become the owner for good, work, answer, end. Never returns, whatever happens."""
    result: dict[str, Any] = {}
    failure: str | None = None
    try:
        _leave_the_connection()
        os.initgroups(owner.user, owner.gid)
        os.setgid(owner.gid)
        os.setuid(owner.uid)
        os.umask(0o077)
        processes.limit_memory(_MOST_MEMORY)
        # What is in root's environment is for root: a vault's token, an agent's socket.
        kept = processes.environment(os.environ, owner.home, _KEPT)
        os.environ.clear()
        os.environ.update({**kept, "USER": owner.user, "LOGNAME": owner.user})
        os.chdir("/")
        result = work(owner)
    except expected as problem:
        failure = getattr(problem, "told", str(problem))
    except BaseException as problem:
        failure = f"user {owner.user}: {type(problem).__name__} while working as this user"
    try:
        answer = json.dumps([result, failure]).encode()
        while answer:
            answer = answer[os.write(writer, answer) :]
    finally:
        os._exit(0)


def _leave_the_connection() -> None:
    """A process that cannot be ended would hold it open, and with it the whole run."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nowhere, standard)
    os.close(nowhere)
