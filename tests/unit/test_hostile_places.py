# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories that others can change, and links that they planted: nothing is written there, and nothing from there is believed."""

from __future__ import annotations

import hashlib
import json
import marshal
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import careful, loading, rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owners import each
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import login, token_cache
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.browser import Place
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.token import Token
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import databricks_oauth_runtime
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.context import config_of
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.examination import Examination
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests.unit.homes import shared_directory, tree
from tests.unit.options_for import options_for, owner_of

ADA, EVE = 40001, 40002
ME = os.geteuid()
root = pytest.mark.skipif(ME != 0, reason="needs root, to make files of other users")


@pytest.fixture
def shared() -> Iterator[Path]:
    yield from shared_directory("fmapi-test-hostile-places")


# -- what others can change --------------------------------------------------------------------------------------------


def made(path: Path, mode: int = 0o755, uid: int = ME, gid: int | None = None) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    os.chmod(path, mode)
    if (uid, gid) != (ME, None):
        os.chown(path, uid, uid if gid is None else gid)
    return path


def linked(path: Path, target: str, uid: int = ME) -> Path:
    path.symlink_to(target)
    os.lchown(path, uid, uid)
    return path


@pytest.mark.parametrize("mode", [0o755, 0o700, 0o711, 0o555])
def test_what_only_we_can_change_is_no_weak_spot(tmp_path: Path, mode: int) -> None:
    made(tmp_path / "a" / "b")
    os.chmod(tmp_path / "a", mode)
    assert careful.weak_spot(str(tmp_path / "a" / "b"), ME) is None
    assert careful.weak_spot(str(tmp_path / "a" / ".." / "a" / "." / "b" / ""), ME) is None
    assert careful.weak_spot(str(tmp_path / "a" / "nothing" / "yet"), ME) is None


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o722, 0o775])
def test_a_directory_that_others_can_write_to_is_one_wherever_on_the_way(tmp_path: Path, mode: int) -> None:
    for weak in ("a", "a/b", "a/b/c"):
        top = made(tmp_path / weak.replace("/", "-"))
        made(top / "a" / "b" / "c")
        os.chmod(top / weak, mode)
        if ME == 0 and mode == 0o775:
            os.chown(top / weak, 0, 12345)
        if mode == 0o775 and ME != 0:
            continue  # the group may be our own
        found = careful.weak_spot(str(top / "a" / "b" / "c"), ME)
        assert found == str(top / weak)
        assert careful.told(found, ME) == f"{top / weak} can be written to by others (mode {mode:04o})"
        assert careful.way_out(found, ME) == f"chmod go-w {top / weak}"


def test_below_tmp_what_is_ours_is_safe_and_tmp_itself_is_not(tmp_path: Path) -> None:
    top = made(tmp_path / "tmp", 0o1777)
    made(top / "ours")
    assert careful.weak_spot(str(top / "ours"), ME) is None
    assert careful.weak_spot(str(top), ME) == str(top)


@root
def test_what_belongs_to_another_user_is_a_weak_spot_for_everybody_else(shared: Path) -> None:
    made(shared / "ada" / "project", uid=ADA)
    made(shared / "ada", uid=ADA)
    assert careful.weak_spot(str(shared / "ada" / "project"), ADA) is None
    for uid in (0, EVE):
        found = careful.weak_spot(str(shared / "ada" / "project"), uid)
        assert found == str(shared / "ada")
        assert careful.told(found, uid) == f"{shared}/ada belongs to uid {ADA}"
    sticky = made(shared / "tmp", 0o1777)
    made(sticky / "eve", uid=EVE)
    assert careful.weak_spot(str(sticky / "eve"), ADA) == str(sticky / "eve")


@root
def test_a_group_that_has_only_the_user_is_nobody_else(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import grp
    import pwd

    made(shared / "home", 0o775, ADA, ADA)
    user = pwd.struct_passwd(("ada", "x", ADA, ADA, "", str(shared / "home"), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: user)
    for name, members, safe in (
        ("ada", [], True),
        ("ada", ["ada"], True),
        ("ada", ["eve"], False),
        ("staff", [], False),
    ):
        group = grp.struct_group((name, "x", ADA, members))
        monkeypatch.setattr(grp, "getgrgid", lambda gid, group=group: group)
        assert (careful.weak_spot(str(shared / "home"), ADA) is None) == safe


def test_links_are_followed_as_the_system_does(tmp_path: Path) -> None:
    made(tmp_path / "far" / "away")
    weak = made(tmp_path / "weak", 0o777)
    made(weak / "inside")
    linked(tmp_path / "one", "far/../far/away")
    linked(tmp_path / "two", str(tmp_path / "one"))
    linked(tmp_path / "bad", "far/../weak/inside")
    assert careful.weak_spot(str(tmp_path / "two" / "x"), ME) is None
    assert careful.weak_spot(str(tmp_path / "bad"), ME) == str(weak)
    linked(tmp_path / "circle", "circle")
    with pytest.raises(OSError):
        careful.weak_spot(str(tmp_path / "circle"), ME)


@root
def test_a_link_of_another_user_is_a_weak_spot(shared: Path) -> None:
    made(shared / "far")
    sticky = made(shared / "tmp", 0o1777)
    linked(sticky / "theirs", str(shared / "far"), EVE)
    assert careful.weak_spot(str(sticky / "theirs" / "x"), 0) == str(sticky / "theirs")


# -- settings in a place of the operator's choice ----------------------------------------------------------------------


def settings_at(directory: Path, owner: Owner, **more: Any) -> dict[str, Any]:
    options = options_for(
        parts=["agent_settings"], claude_code_settings_location=str(directory), preflight=False, **more
    )
    return rollout.apply(owner, options, How())


def refused(directory: Path, owner: Owner, **more: Any) -> str:
    before = tree(directory.parent)
    with pytest.raises(OperatorError) as caught:
        settings_at(directory, owner, **more)
    assert tree(directory.parent) == before
    return str(caught.value)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return made(tmp_path / "home", 0o700)


def test_a_directory_of_one_s_own_is_written_to(home: Path) -> None:
    project = made(home / "project")
    assert settings_at(project, owner_of(home))["changed"]
    assert "apiKeyHelper" in json.loads((project / ".claude" / "settings.json").read_text())


@root
@pytest.mark.parametrize("theirs", ["the directory", "the one above", "the one inside"])
def test_root_writes_to_no_directory_of_another_user(shared: Path, home: Path, theirs: str) -> None:
    project = made(shared / "srv" / "project")
    made(project / ".claude")
    weak = {"the directory": project, "the one above": project.parent, "the one inside": project / ".claude"}[theirs]
    os.chown(weak, EVE, EVE)
    said = refused(project, owner_of(home))
    assert f"coding_agents_claude_code_settings_location {project}" in said
    assert f"{weak} belongs to uid {EVE}" in said and "with the rights of root" in said and f"chown root {weak}" in said


@root
@pytest.mark.parametrize("directory", ["srv/project", "srv"])
def test_nor_does_another_user(shared: Path, directory: str) -> None:
    made(shared / "srv" / "project", uid=EVE)
    made(shared / "srv", 0o777, uid=0)
    own = made(shared / "ada", 0o700, ADA)

    def work(owner: Owner) -> dict[str, Any]:
        settings_at(shared / directory, owner)
        return {}

    (done,) = each([Owner("ada", ADA, ADA, str(own))], work, (OperatorError,))
    assert "others could say where to" in (done.error or "")
    assert not list((shared / "srv").rglob(".claude"))


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_nobody_writes_where_everybody_can(tmp_path: Path, home: Path, mode: int) -> None:
    assert "can be written to by others" in refused(made(tmp_path / "open", mode), owner_of(home))


PLANTED: dict[str, Callable[[Path, Path], None]] = {
    "directory": lambda project, target: (project / ".claude").symlink_to(target),
    "file": lambda project, target: (made(project / ".claude") / "settings.json").symlink_to(
        target / "authorized_keys"
    ),
    "file that is not there": lambda project, target: (made(project / ".claude") / "settings.json").symlink_to(
        target / "new"
    ),
    "backup": lambda project, target: (
        made(project / ".claude") / f"settings.json.unreadable-{hashlib.sha256(b'{broken').hexdigest()[:12]}"
    ).symlink_to(target / "authorized_keys"),
    "temporary file": lambda project, target: (made(project / ".claude") / ".settings.json.fmapi-tmp-1").symlink_to(
        target
    ),
}


@pytest.mark.parametrize("case", PLANTED)
def test_a_link_that_came_with_a_repository_is_not_followed(tmp_path: Path, home: Path, case: str) -> None:
    target = made(tmp_path / "ssh")
    (target / "authorized_keys").write_text("ssh-ed25519 mine\n")
    project = made(tmp_path / "project")
    PLANTED[case](project, target)
    if case == "backup":
        (project / ".claude" / "settings.json").write_text("{broken")
    before = tree(target)
    said = refused(project, owner_of(home), on_unreadable="backup_and_replace")
    assert "holds the symbolic link .claude" in said and "Remove the link, or name home" in said
    assert tree(target) == before


def test_in_a_home_links_are_its_owner_s_way(tmp_path: Path, home: Path) -> None:
    dotfiles = made(tmp_path / "dotfiles")
    (home / ".claude").symlink_to(dotfiles)
    rollout.apply(owner_of(home), options_for(parts=["agent_settings"], preflight=False), How())
    assert (dotfiles / "settings.json").is_file()


# -- our own directories -----------------------------------------------------------------------------------------------


def _check(owner: Owner) -> tuple[str, str, str]:
    options = options_for()
    check = databricks_oauth_runtime._directories(Examination(owner, options, config_of(owner, options), {}))
    return check.status, check.detail, check.fix


@pytest.mark.parametrize("name", ["data", "state", "cache", "home", "above"])
def test_the_doctor_says_which_directory_others_can_write_to(home: Path, name: str) -> None:
    owner = owner_of(home)
    for directory in (owner.data, owner.state, owner.cache):
        os.makedirs(directory, 0o700)
    assert _check(owner) == ("PASS", "nobody else can write to them", "")
    weak = {"home": str(home), "above": os.path.dirname(owner.state)}.get(name) or getattr(owner, name)
    os.chmod(weak, 0o777)  # noqa: S103
    status, detail, fix = _check(owner)
    assert status == "FAIL"
    assert detail == f"what is in them is not to be trusted: {weak} can be written to by others (mode 0777)"
    assert fix == f"Run: chmod go-w {weak}, then the rollout"
    subprocess.run(fix[5:].partition(",")[0].split(), check=True)
    assert _check(owner)[0] == "PASS"


def test_a_host_without_our_directories_has_no_weak_ones(home: Path) -> None:
    assert _check(owner_of(home))[0] == "PASS"


def _config(home: Path) -> Config:
    return Config(str(home), "https://w", "fmapi", "user", 15)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_token_in_a_cache_that_others_can_write_to_is_not_handed_out(home: Path, mode: int) -> None:
    own = _config(home)
    token_cache.store(own, Token("planted", int(time.time()) + 36_000))
    os.chmod(own.cache_directory, mode)
    assert token_cache.load(own) is None
    token = token_cache.get(own, lambda refused: Token("new", int(time.time()) + 36_000), lambda found: False)
    assert token.value == "new"
    # Which takes that from others, and is believed from then on.
    assert os.stat(own.cache_directory).st_mode & 0o777 == 0o700
    assert token_cache.load(own) is not None


def test_a_link_to_sign_in_with_that_others_could_have_written_is_not_shown(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = _config(home)
    made(Path(own.cache_directory), 0o777)
    Path(f"{own.cache_file}.login").write_text("https://evil.example/?redirect_uri=http%3A%2F%2Flocalhost%3A1")
    with login._Turn(own, login.Options(1, False, 0), Place("Linux", "6", {})) as turn:
        assert turn._lock == -1
    assert "evil" not in capsys.readouterr().err


@pytest.mark.parametrize("mode", [0o777, 0o720])
def test_code_in_a_cache_that_others_can_write_to_is_not_run(home: Path, mode: int) -> None:
    owner, digest = owner_of(home), "0" * 64
    made(Path(owner.cache), 0o700)
    path = loading._compiled_file(owner.cache, digest)
    body = marshal.dumps({})
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as stream:
        stream.write(hashlib.sha256(body).digest() + body)
    assert loading._compiled(path) == {}
    os.chmod(owner.cache, mode)
    assert loading._compiled(path) is None
    shutil.rmtree(owner.cache)
    made(Path(owner.cache), mode)
    loading.keep(owner, {"program_sha256": digest})
    assert os.listdir(owner.cache) == []


def test_programs_are_not_rolled_out_to_where_others_can_replace_them(home: Path) -> None:
    owner, options = owner_of(home), options_for(parts=["databricks_oauth", "agent_settings"])
    rollout.apply(owner, options, How())
    os.chmod(owner.data, 0o777)  # noqa: S103
    before = tree(home)
    for verb, how in (("look", How(check=True)), ("apply", How(check=True)), ("apply", How())):
        with pytest.raises(OperatorError) as caught:
            getattr(rollout, verb)(owner, options, how)
        assert f"{owner.data}: is not to be trusted: {owner.data} can be written to by others" in str(caught.value)
        assert f"Run: chmod go-w {owner.data}" in str(caught.value)
    assert tree(home) == before
    assert rollout.withdraw(owner, options, How())["changed"], "the way back asks for less"


@pytest.mark.parametrize("which", ["directory", "file"])
def test_a_ledger_that_others_can_write_is_not_acted_upon(home: Path, which: str) -> None:
    """It says what is put back into the owner's files, with the owner's rights."""
    owner, options = owner_of(home), options_for(parts=["agent_settings"], preflight=False)
    rollout.apply(owner, options, How())
    path = os.path.join(owner.state, "ledger.json")
    weak = owner.state if which == "directory" else path
    mode = os.stat(weak).st_mode & 0o777
    os.chmod(weak, mode | 0o022)  # noqa: S103
    before = tree(home)
    for verb in ("look", "apply", "withdraw"):
        with pytest.raises(OperatorError) as caught:
            getattr(rollout, verb)(owner, options, How())
        assert f"{path}: is not to be trusted: {weak} can be written to by others" in str(caught.value)
        assert f"chmod go-w {weak}" in str(caught.value)
    assert tree(home) == before
    os.chmod(weak, mode)
    assert rollout.withdraw(owner, options, How())["changed"]


@root
def test_a_ledger_of_another_user_is_not_acted_upon(shared: Path) -> None:
    own = made(shared / "ada", 0o700, ADA)
    owner, options = Owner("ada", ADA, ADA, str(own)), options_for(parts=["agent_settings"], preflight=False)

    def work(one: Owner) -> dict[str, Any]:
        return rollout.apply(one, options, How())

    (done,) = each([owner], work, (OperatorError,))
    assert done.error is None
    os.chown(f"{owner.state}/ledger.json", EVE, EVE)
    os.chmod(f"{owner.state}/ledger.json", 0o644)
    (done,) = each([owner], work, (OperatorError,))
    assert f"belongs to uid {EVE}" in (done.error or "")
