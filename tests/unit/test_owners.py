# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work for several users: each in a process of its own with that user's rights, and none holds up the others."""

from __future__ import annotations

import os
import pwd
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import owners
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import (
    Done,
    Owner,
    check_home,
    current_owner,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owners import (
    at_home,
    each,
    owner_named,
    with_ledger,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import LEDGER_NAME

from tests.hosts.dead_home import dead_home
from tests.unit.homes import shared_directory

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become other users")
EXPECTED = (OperatorError, ValueError)


@pytest.fixture
def shared() -> Iterator[Path]:
    yield from shared_directory("fmapi-test-owners")


def _owners(shared: Path, count: int) -> list[Owner]:
    """Owners that need no entry in the host's list of users, with homes of their own."""
    made = []
    for number in range(count):
        owner = Owner(f"user{number}", 40000 + number, 40000 + number, str(shared / f"home{number}"))
        os.mkdir(owner.home, 0o700)
        os.chown(owner.home, owner.uid, owner.gid)
        made.append(owner)
    return made


@root
def test_each_works_with_the_rights_of_its_owner_and_no_other_group(shared: Path) -> None:
    def work(owner: Owner) -> dict[str, Any]:
        Path(check_home(owner).home, "made").write_text("x")
        return {"ids": [os.getresuid(), os.getresgid(), os.getgroups()], "home": os.environ["HOME"], "in": os.getcwd()}

    done = each(_owners(shared, 3), work, EXPECTED)
    for one in done:
        uid = one.owner.uid
        assert one.error is None
        assert one.result == {"ids": [[uid] * 3, [uid] * 3, [uid]], "home": one.owner.home, "in": "/"}
        status = os.stat(f"{one.owner.home}/made")
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (uid, uid, 0o600)
    assert os.geteuid() == 0


def _raise(error: BaseException) -> None:
    raise error


@root
@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (lambda: _raise(OperatorError("is broken", "/f", "Mend it")), "/f: is broken\nMend it"),
        (lambda: _raise(ValueError("what the operator must correct")), "what the operator must correct"),
        (lambda: _raise(RuntimeError("with a secret in it")), "user user1: RuntimeError while working as this user"),
        (lambda: _raise(SystemExit("out")), "user user1: SystemExit while working as this user"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "user user1: the work ended without an answer"),
        (lambda: os._exit(0), "user user1: the work ended without an answer"),
        (lambda: os.execv("/bin/true", ["true"]), "user user1: the work ended without an answer"),  # noqa: S606
        (lambda: os.closerange(3, 1000), "user user1: the work ended without an answer"),
    ],
    ids=["operator", "expected", "unknown", "exit", "killed", "ended", "replaced", "cut off"],
)
def test_one_that_fails_in_whatever_way_holds_up_nobody(
    shared: Path, trouble: Callable[[], None], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(owner: Owner) -> dict[str, Any]:
        if owner.user == "user1":
            trouble()
        return {"done": True}

    children = []
    real = os.fork

    def forked() -> int:
        children.append(real())
        return children[-1]

    monkeypatch.setattr(os, "fork", forked)
    done = each(_owners(shared, 3), work, EXPECTED)
    assert [one.result for one in done] == [{"done": True}, {}, {"done": True}]
    assert [one.error for one in done] == [None, said, None]
    for child in children:
        with pytest.raises(ChildProcessError):
            os.waitpid(child, os.WNOHANG)


@root
def test_a_large_answer_comes_whole(shared: Path) -> None:
    (done,) = each(_owners(shared, 1), lambda owner: {"text": "x" * 3_000_000, "error": "and yet"}, EXPECTED)
    assert len(done.result["text"]) == 3_000_000 and done.error == "and yet"


@root
def test_an_owner_whose_home_belongs_to_another_is_refused(shared: Path) -> None:
    first, second = _owners(shared, 2)
    (done,) = each([second._replace(home=first.home)], lambda owner: {"home": check_home(owner).home}, EXPECTED)
    assert done.error is not None
    assert "cannot be" in done.error or "belongs to uid 40000, the work is done as user1" in done.error


@root
def test_homes_that_are_none_and_one_that_never_answers_hold_up_nobody(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks into that one waits in the kernel, and no signal ends them."""
    good, dead, gone, of_another = _owners(shared, 4)
    os.rmdir(gone.home)
    os.chown(of_another.home, 0, 0)
    monkeypatch.setattr(owners, "_HOME_SECONDS", 1)
    monkeypatch.setattr(owners, "_END_SECONDS", 0.1)
    with dead_home(dead.home, dead.uid):
        ready, homeless, troubled = at_home([dead, gone, good, of_another])
        monkeypatch.setattr(owners, "_LONGEST_SECONDS", 1)
        done = each([dead, good], lambda owner: {"seen": os.listdir(owner.home)}, EXPECTED)
    assert ready == [good]
    assert [(one.owner, str(one.error).partition(": ")[2].splitlines()[0]) for one in homeless] == [
        (gone, "does not exist"),
        (of_another, "belongs to root, the work is done as user3"),
    ]
    assert [(one.owner, one.error) for one in troubled] == [
        (
            dead,
            f"user user1: home {dead.home}: does not answer within 1 seconds. Mount it again, or leave this user out",
        )
    ]
    assert done[0].error and done[1].result == {"seen": []}


@root
def test_a_home_that_has_been_waited_for_is_not_waited_for_again(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``silent`` is what an earlier call of the same run has told."""
    good, dead = _owners(shared, 2)
    monkeypatch.setattr(owners, "_HOME_SECONDS", 1)
    monkeypatch.setattr(owners, "_END_SECONDS", 0.1)
    with dead_home(dead.home, dead.uid):
        _ready, _homeless, (first,) = at_home([dead, good])
        assert first.result == {"silent_homes": [dead.home]}
        monkeypatch.setattr(owners, "_start", lambda one, *_more: pytest.fail("asked") if one == dead else _fork(one))
        ready, _homeless, troubled = at_home([dead, good], first.result["silent_homes"])
    assert (ready, troubled) == ([good], [first])


def _fork(owner: Owner) -> owners._Child:
    return owners._fork(owner, owners._look_at_home, EXPECTED)


@root
def test_who_has_agents_of_their_own_is_found_though_a_home_never_answers(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a rollout for all users of a host has to know."""
    good, dead, without = _owners(shared, 3)
    for owner in (good, dead):
        os.makedirs(owner.state)
        Path(owner.state, LEDGER_NAME).touch()
        os.chown(os.path.join(owner.state, LEDGER_NAME), owner.uid, owner.gid)
    listed = [
        pwd.struct_passwd((one.user, "x", one.uid, one.gid, "", one.home, "/bin/sh")) for one in (dead, good, without)
    ]
    monkeypatch.setattr(pwd, "getpwall", lambda: listed)
    assert with_ledger() == ([dead, good], [])
    monkeypatch.setattr(owners, "_HOME_SECONDS", 1)
    monkeypatch.setattr(owners, "_END_SECONDS", 0.1)
    with dead_home(dead.home, dead.uid):
        assert with_ledger() == ([good], [dead])
        monkeypatch.setattr(owners, "_HOME_SECONDS", 3600)
        assert with_ledger([dead.home]) == ([good], [dead])


@root
def test_homes_that_never_answer_are_waited_for_together(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is told by the ends of the waits, that are all one."""
    waits = []
    end = owners._Child.end

    def ended(child: owners._Child, until: float, late: str) -> Done:
        waits.append(until)
        return end(child, until, late)

    monkeypatch.setattr(owners._Child, "end", ended)
    ready, _homeless, _troubled = at_home(_owners(shared, 3))
    assert len(ready) == 3 and len(set(waits)) == 1 and waits[0] < time.monotonic() + owners._HOME_SECONDS


@root
def test_processes_that_do_not_end_are_waited_for_together(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (dead,) = _owners(shared, 1)
    monkeypatch.setattr(owners, "_HOME_SECONDS", 1)
    monkeypatch.setattr(owners, "_END_SECONDS", 1)
    with dead_home(dead.home, dead.uid):
        begin = time.monotonic()
        _ready, _homeless, troubled = at_home([dead._replace(user=f"user{number}") for number in range(5)])
        waited = time.monotonic() - begin
    assert len(troubled) == 5 and 2 <= waited < 4


@root
def test_a_user_who_is_not_root_works_for_nobody_else(shared: Path) -> None:
    me, other = _owners(shared, 2)

    def work(owner: Owner) -> dict[str, Any]:
        (inner,) = each([other], lambda one: {"reached": True}, EXPECTED)
        return {"result": inner.result, "said": inner.error}

    (done,) = each([me], work, EXPECTED)
    assert done.result == {"result": {}, "said": "user user1: only root can work for another user. Use become: true"}


def test_for_oneself_no_process_is_made(tmp_path: Path) -> None:
    (done,) = each([current_owner(str(tmp_path))], lambda owner: {"by": [os.getpid(), threading.get_ident()]}, EXPECTED)
    assert done.result == {"by": [os.getpid(), threading.get_ident()]}


def test_a_home_behind_a_link_has_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the host's list of users, whatever the operator called it; of a home that is not in the list, its real path."""
    (tmp_path / "real").mkdir()
    (tmp_path / "listed").symlink_to("real")
    (tmp_path / "third").symlink_to("listed")
    owner = current_owner(None)
    names = [
        owner._replace(home=f"{tmp_path}/{one}") for one in ("real", "listed", "third", "third/", "real/../listed")
    ]
    assert {check_home(one).home for one in names} == {f"{tmp_path}/real"}
    listed = owner._replace(home=f"{tmp_path}/listed/")
    monkeypatch.setattr(pwd, "getpwnam", lambda name: pwd.struct_passwd((name, "", 0, 0, "", listed.home, "")))
    assert {check_home(one).home for one in names} == {f"{tmp_path}/listed"}
    (tmp_path / "other").mkdir()
    assert check_home(owner._replace(home=f"{tmp_path}/other")).home == f"{tmp_path}/other"


@pytest.mark.parametrize("listed", ["", "relative", "/nowhere/at/all", "/dev/null"])
def test_a_home_in_the_list_that_is_none_names_nothing(
    listed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pwd, "getpwnam", lambda name: pwd.struct_passwd((name, "", 0, 0, "", listed, "")))
    assert check_home(current_owner(str(tmp_path))).home == str(tmp_path)


def test_an_owner_knows_where_our_own_files_are() -> None:
    owner = Owner("ada", 1, 1, "/home/ada")
    assert owner.scope == "user"
    assert [owner.data, owner.state, owner.cache] == [
        "/home/ada/.local/share/fmapi-coding-agents",
        "/home/ada/.local/state/fmapi-coding-agents",
        "/home/ada/.cache/fmapi-coding-agents",
    ]


def test_users_come_from_the_hosts_list() -> None:
    entry = pwd.getpwuid(0)
    assert owner_named(entry.pw_name) == Owner(entry.pw_name, 0, entry.pw_gid, entry.pw_dir)
    with pytest.raises(OperatorError, match="coding_agents_users nobody-of-this-name: is no user of this host"):
        owner_named("nobody-of-this-name")
