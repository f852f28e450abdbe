# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage that is away while a host is rolled out to or uninstalled: "gone" is not believed, and the way back ends when it is back."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import files, transaction
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import Outcome, bring
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests.unit.homes import COMPONENTS, everything, make_home, owner_of, tree
from tests.unit.options_for import options_for

SETTINGS = ".agent/settings.json"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "home")


def roll_out(home: Path, url: str = "https://w", check: bool = False) -> Outcome:
    return bring(owner_of(home), COMPONENTS, everything(home, url), check)


def uninstall(home: Path, check: bool = False) -> Outcome:
    return bring(owner_of(home), COMPONENTS, [], check)


# -- a link that leads nowhere ------------------------------------------------------------------------------------------


class Disk:
    """Another disk, on which a directory of the home (or a file) stands, by a link."""

    def __init__(self, home: Path, name: str) -> None:
        self.link, self.place = home / name, home.parent / "disk"
        self.place.mkdir()
        self.link.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(self.link):
            self.link.rename(self.place / "content")
        else:
            (self.place / "content").mkdir(mode=0o700)
        self.link.symlink_to(self.place / "content")

    def pull(self) -> None:
        self.place.rename(self.place.with_name("pulled"))

    def plug_in(self) -> None:
        self.place.with_name("pulled").rename(self.place)


ON_A_DISK = [".agent", SETTINGS, ".databrickscfg", ".local/share", ".tools", ".agent.json"]


@pytest.fixture(params=ON_A_DISK)
def disk(request: pytest.FixtureRequest, home: Path) -> Disk:
    if request.param == ".agent.json":
        (home / request.param).write_text("{}")
    return Disk(home, request.param)


def both(home: Path) -> dict[str, Any]:
    return {**tree(home), **{f"disk/{path}": one for path, one in tree(home.parent / "disk").items()}}


def test_a_way_back_gives_back_the_rest_says_who_is_left_and_ends_when_the_disk_is_back(home: Path, disk: Disk) -> None:
    before = both(home)
    roll_out(home)
    installed = both(home)
    disk.pull()
    for check in (True, False):
        outcome = uninstall(home, check)
        assert len(outcome.left) == 1 and str(disk.link) in outcome.left[0]
        assert "does not exist" in outcome.left[0]
    assert uninstall(home).left == outcome.left and not uninstall(home).changed, "nothing more can be done now"
    kept = Ledger.load(owner_of(home))
    assert len(kept.documents) == 1 and not kept.pending
    disk.plug_in()
    left = both(home)
    assert {path for path in installed if path.startswith("disk/")} <= {*left}, "on the disk is all that was there"
    assert uninstall(home).left == ()
    assert both(home) == before


def test_a_rollout_is_refused_in_the_dry_run_too_and_changes_nothing(home: Path, disk: Disk) -> None:
    before = both(home)
    for change in (lambda: None, lambda: roll_out(home)):
        change()
        stands = both(home)
        disk.pull()
        for check in (True, False):
            with pytest.raises(OperatorError, match=r"does not exist\. (Mend the link|Bring back what it leads to)"):
                roll_out(home, "https://new", check)
        disk.plug_in()
        assert both(home) == stands
    uninstall(home)
    assert both(home) == before


def test_a_document_that_is_not_wanted_any_more_and_is_away_refuses_the_rollout(home: Path) -> None:
    disk = Disk(home, ".agent")
    roll_out(home)
    disk.pull()
    less = [one for one in everything(home) if SETTINGS not in one.path]
    for check in (True, False):
        with pytest.raises(OperatorError, match=r"\.agent is a symbolic link to .*, which does not exist"):
            bring(owner_of(home), COMPONENTS, less, check)


def test_a_link_that_its_owner_removed_leaves_a_file_that_is_gone(home: Path) -> None:
    """It says so in the message: who removes the link has decided."""
    disk = Disk(home, ".agent")
    roll_out(home)
    disk.pull()
    assert uninstall(home).left
    disk.link.unlink()
    assert uninstall(home).left == ()
    assert not Ledger.load(owner_of(home)).documents and not (home / ".local").exists()


def test_a_home_that_has_its_ledger_on_the_disk_is_left_alone(home: Path) -> None:
    disk = Disk(home, ".local")
    roll_out(home)
    before = tree(home)
    disk.pull()
    for run in (roll_out, uninstall):
        with pytest.raises(OperatorError, match=r"ledger\.json: cannot be reached: .*\.local is a symbolic link"):
            run(home)
    assert tree(home) == before
    disk.plug_in()
    assert not roll_out(home).changed


class Killed(BaseException):
    pass


@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("then", ["roll out", "uninstall"])
@pytest.mark.parametrize("first", ["roll out", "uninstall"])
def test_a_run_that_was_killed_and_whose_disk_is_away_is_settled_when_it_is_back(
    home: Path, at: int, first: str, then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(home, ".agent")
    before = both(home)
    roll_out(home)
    real, count = transaction._write, [0]

    def killed(*arguments: Any) -> None:
        count[0] += 1
        if count[0] > at:
            raise Killed
        real(*arguments)

    monkeypatch.setattr(transaction, "_write", killed)
    with pytest.raises(Killed):
        roll_out(home, "https://new") if first == "roll out" else uninstall(home)
    monkeypatch.undo()
    disk.pull()
    assert uninstall(home).left
    if then == "roll out":
        with pytest.raises(OperatorError):
            roll_out(home, "https://new")
        disk.plug_in()
        roll_out(home, "https://new")
        assert json.loads((home / SETTINGS).read_text())["env"]["URL"] == "https://new"
    else:
        disk.plug_in()
    assert uninstall(home).left == ()
    assert both(home) == before


def test_another_component_s_uninstall_forgets_nothing_of_what_is_away(home: Path) -> None:
    """Its directories, either: they would stay for ever."""
    disk = Disk(home, ".tools")
    before = both(home)
    roll_out(home)
    disk.pull()
    outcome = bring(owner_of(home), ["one"], [], check=False)
    assert outcome.left == ()
    disk.plug_in()
    uninstall(home)
    assert both(home) == before


def test_a_directory_of_ours_that_is_away_is_remembered(home: Path) -> None:
    """Tokens are no documents: the directory for them is in the ledger."""
    owner = owner_of(home)
    disk = Disk(home, ".cache")
    before = both(home)
    roll_out(home)
    Path(owner.cache).mkdir(mode=0o700)
    disk.pull()
    assert "cache" in uninstall(home).left[0]
    assert Ledger.load(owner).directories and uninstall(home).left
    disk.plug_in()
    assert uninstall(home).left == () and both(home) == before


@pytest.mark.parametrize("number", [errno.ESTALE, errno.ENOTCONN, errno.EIO, errno.EHOSTDOWN])
def test_storage_that_does_not_answer_is_away_too(home: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(home)
    roll_out(home)
    real = os.open

    def dead(path: Any, *arguments: Any, **options: Any) -> int:
        if str(path) == str(home / SETTINGS):
            raise OSError(number, os.strerror(number))
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", dead)
    (left,) = uninstall(home).left
    assert left.startswith(f"{home / SETTINGS}: cannot be read ({os.strerror(number)})")
    with pytest.raises(OperatorError, match="cannot be read"):
        roll_out(home)
    monkeypatch.undo()
    assert uninstall(home).left == () and tree(home) == before


@pytest.mark.parametrize("kind", ["directory", "file above"])
def test_what_its_owner_put_in_a_file_s_place_is_left_with_a_note(home: Path, kind: str) -> None:
    """Nothing of ours can be in it."""
    roll_out(home)
    if kind == "directory":
        (home / SETTINGS).unlink()
        (home / SETTINGS).mkdir()
    else:
        shutil.rmtree(home / ".agent")
        (home / ".agent").write_text("theirs")
    outcome = uninstall(home)
    assert outcome.left == () and outcome.notes == [f"{home / SETTINGS}: is no regular file any more: left as it is"]
    assert Ledger.load(owner_of(home)).is_empty


# -- a mount that is away -----------------------------------------------------------------------------------------------


class Mount:
    """Storage that is mounted at a directory."""

    def __init__(self, storage: Path, at: Path) -> None:
        self.storage, self.at = storage, at

    def plug_in(self) -> None:
        done = subprocess.run(
            ["mount", "--bind", str(self.storage), str(self.at)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            if os.environ.get("CI") == "true":
                pytest.fail(f"needs to mount: {done.stderr.strip()}")
            pytest.skip(f"needs to mount (root, and a container with the right to): {done.stderr.strip()}")

    def pull(self) -> None:
        subprocess.run(["umount", str(self.at)], check=True)


@pytest.fixture(params=[".agent", ".with space", "outside"])
def mount(request: pytest.FixtureRequest, home: Path) -> Iterator[Mount]:
    """At the directory itself; above it, by a link and with a space in its name; and beside the home, by a link."""
    content = home.parent / "content"
    (home / ".agent").rename(content)
    if request.param == ".agent":
        (home / ".agent").mkdir(mode=0o755)
        mount = Mount(content, home / ".agent")
    else:
        place = (home / request.param if request.param != "outside" else home.parent / "outside") / "disk"
        place.mkdir(parents=True)
        (home / ".agent").symlink_to(place)
        mount = Mount(content, place)
    mount.plug_in()
    yield mount
    while os.path.ismount(mount.at) or files.is_mounted(os.path.realpath(mount.at)):
        subprocess.run(["umount", str(mount.at)], check=True)


def test_a_mount_that_is_away_is_not_believed_to_be_empty(home: Path, mount: Mount) -> None:
    before = tree(home), tree(mount.storage)
    roll_out(home)
    mount.pull()
    for check in (True, False):
        (left,) = uninstall(home, check).left
        assert f"{home / SETTINGS}: is on what was mounted at {os.path.realpath(mount.at)}" in left
        assert "Mount it and run again" in left
    for check in (True, False):
        with pytest.raises(OperatorError, match="nothing is mounted there now"):
            roll_out(home, "https://new", check)
    mount.plug_in()
    assert uninstall(home).left == ()
    assert (tree(home), tree(mount.storage)) == before


def test_a_file_that_an_agent_made_while_the_mount_was_away_is_not_taken_for_ours(home: Path, mount: Mount) -> None:
    roll_out(home)
    mount.pull()
    (home / SETTINGS).write_text('{"theirs": 1}\n')
    assert len(uninstall(home).left) == 1
    assert (home / SETTINGS).read_text() == '{"theirs": 1}\n'
    # The way out that the message names: a rollout takes the file that is there, and forgets the storage.
    roll_out(home)
    assert uninstall(home).left == ()
    assert json.loads((home / SETTINGS).read_text()) == {"theirs": 1, "env": {"OLD": "1"}}, "what we had put aside"
    assert not (home / ".local").exists()


def test_a_directory_that_was_moved_from_a_mount_with_what_is_in_it_is_followed(home: Path) -> None:
    (home / ".agent").rename(home.parent / "content")
    (home / ".agent").mkdir(mode=0o755)
    mount = Mount(home.parent / "content", home / ".agent")
    before = tree(mount.storage)
    mount.plug_in()
    try:
        roll_out(home)
    finally:
        mount.pull()
    shutil.copytree(mount.storage, home / ".agent", dirs_exist_ok=True)
    assert uninstall(home).left == ()
    assert tree(home / ".agent") == before and not (home / ".local").exists()


def test_a_home_that_is_a_mount_itself_asks_for_nothing(home: Path) -> None:
    mount = Mount(home.rename(home.with_name("content")), home)
    home.mkdir()
    mount.plug_in()
    try:
        roll_out(home)
        assert Ledger.load(owner_of(home)).mounts == []
        (home / SETTINGS).unlink()
        assert uninstall(home).left == ()
    finally:
        mount.pull()


# -- all parts ----------------------------------------------------------------------------------------------------------

RUN = How()


def withdrawn(home: Path, how: How = RUN) -> dict[str, Any]:
    return rollout.withdraw(owner_of(home), options_for(workspace_url=None), how)


@pytest.mark.parametrize("name", [".claude", ".cache", ".databrickscfg"])
def test_an_uninstall_does_not_say_ok_while_something_of_ours_is_on_a_disk_that_is_away(name: str, home: Path) -> None:
    (home / ".claude").mkdir(mode=0o755)
    (home / ".claude/settings.json").write_text('{"model": "opus"}\n')
    disk = Disk(home, name)
    before = both(home)
    options = options_for(agents=["claude_code"])
    only = {"parts": ["databricks_oauth", "agent_settings"]}
    rollout.apply(owner_of(home), {**options, **only}, RUN)
    disk.pull()
    for arrange in (rollout.look, rollout.apply):
        with pytest.raises(OperatorError, match="does not exist"):
            arrange(owner_of(home), {**options, **only}, How(check=True))
    for how in (How(check=True), RUN):
        result = withdrawn(home, how)
        assert result["changed"] and result["error"].startswith("not given back: ")
        assert str(disk.link) in result["error"]
    again = withdrawn(home)
    assert not again["changed"] and again["error"] == result["error"]
    disk.plug_in()
    assert "error" not in withdrawn(home)
    assert both(home) == before


def test_a_program_s_directory_on_a_disk_that_is_away_is_remembered(home: Path) -> None:
    """Its tree is no document: it would stay there for ever."""
    disk = Disk(home, ".local/lib")
    ledger = Ledger(owner_of(home))
    directory = home / ".local/lib/fmapi-coding-agents/claude_code/9.9.9"
    directory.mkdir(parents=True)
    (directory / "program").write_text("ours")
    ledger.packages["claude_code/9.9.9"] = {"version": "9.9.9", "directory": str(directory), "complete": True}
    ledger.save()
    disk.pull()
    for how in (How(check=True), RUN):
        result = withdrawn(home, how)
        assert f"not given back: {directory}: cannot be reached" in result["error"]
        assert not result["changed"]
    disk.plug_in()
    done = withdrawn(home)
    assert done["changed"] and "error" not in done and not directory.exists()
    assert Ledger.load(owner_of(home)).is_empty
