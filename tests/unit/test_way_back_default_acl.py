# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory whose default ACL gives new files to others: what is replaced keeps what it had, and what is new has its mode alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import bring

from tests.unit.homes import COMPONENTS, everything, make_home, owner_of, shared_directory, tree

ACL = "system.posix_acl_access"
READER = 65534

pytestmark = pytest.mark.skipif(
    shutil.which("setfacl") is None and os.environ.get("CI") != "true", reason="needs setfacl: apt-get install -y acl"
)


def setfacl(path: Path, *arguments: str) -> None:
    done = subprocess.run(["setfacl", *arguments, str(path)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"this file system has no ACLs: {done.stderr.strip()}")


def entries(home: Path) -> dict[str, str]:
    """The ACL of each file and directory that has one beyond its mode."""
    found = {}
    for path in sorted(home.rglob("*")):
        if not path.is_symlink() and ACL in os.listxattr(path):
            told = subprocess.run(["getfacl", "-cEpn", str(path)], capture_output=True, text=True, check=True)
            found[str(path.relative_to(home))] = told.stdout.partition("default:")[0].strip()
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return generous(tmp_path / "home")


@pytest.fixture
def shared() -> Iterator[Path]:
    yield from shared_directory("fmapi-test-acl")


def generous(path: Path) -> Path:
    """A home in which each directory gives what is made there to another user; what stood there before has nothing of it."""
    home = make_home(path)
    for directory in (home, home / ".agent"):
        setfacl(directory, "-d", "-m", f"u:{READER}:rwx,g:{READER}:rwx,m::rwx")
    return home


def roll_out(home: Path, url: str = "https://w") -> None:
    bring(owner_of(home), COMPONENTS, everything(home, url), check=False)


def uninstall(home: Path) -> None:
    bring(owner_of(home), COMPONENTS, [], check=False)


def test_nothing_that_is_written_is_given_to_anybody(home: Path) -> None:
    roll_out(home)
    assert entries(home) == {}
    modes = {path: one[1] for path, one in tree(home).items() if one[0] != "link"}
    assert modes[".databrickscfg"] == 0o600 and modes[".agent/settings.json"] == 0o640 and modes[".agent.json"] == 0o600
    assert modes[".local/share/ours/helper"] == 0o700 and modes[".tools"] == modes[".local/state"] == 0o700
    roll_out(home, "https://new")
    assert entries(home) == {}


def test_the_way_back_gives_nothing_to_anybody_either(home: Path) -> None:
    """A profile that was private to its mode would be readable afterwards."""
    before = tree(home)
    roll_out(home)
    uninstall(home)
    assert entries(home) == {} and tree(home) == before


def test_entries_that_a_file_has_of_its_own_stay_there_and_back(home: Path) -> None:
    """And those of a private one say nothing as long as it is ours, and all again afterwards."""
    for name in (".agent/settings.json", ".databrickscfg"):
        setfacl(home / name, "-m", "u:1234:rw")
    before = tree(home), entries(home)
    assert len(before[1]) == 2
    roll_out(home)
    assert entries(home)[".agent/settings.json"] == before[1][".agent/settings.json"]
    assert "mask::---" in entries(home)[".databrickscfg"]
    roll_out(home, "https://new")
    uninstall(home)
    assert (tree(home), entries(home)) == before


def test_a_file_that_was_put_aside_is_private(home: Path) -> None:
    (home / "broken.json").write_text("{broken")
    broken = Wanted(str(home / "broken.json"), "json", "one", values={("a",): 1}, replace_unreadable=True)
    bring(owner_of(home), COMPONENTS, [broken], check=False)
    (aside,) = home.glob("broken.json.unreadable-*")
    given_by_a_test = {"broken.json"}
    assert str(aside.relative_to(home)) not in entries(home) and aside.stat().st_mode & 0o777 == 0o600
    assert set(entries(home)) <= given_by_a_test


def test_another_user_reads_nothing_of_it(shared: Path) -> None:
    """Asked of the kernel, from a process of that user."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv, to become another user")
    home = generous(shared / "home")
    roll_out(home)
    uninstall(home)
    roll_out(home)
    reader = ["setpriv", f"--reuid={READER}", f"--regid={READER}", "--clear-groups"]
    for_its_group = subprocess.run(
        [*reader, "cat", str(home / ".agent/settings.json")], capture_output=True, check=False
    )
    assert for_its_group.returncode != 0, "0640, and no entry for this user"
    private = [
        ".databrickscfg",
        ".agent.json",
        ".local/share/ours/helper",
        ".local/state/fmapi-coding-agents/ledger.json",
    ]
    for name in private:
        done = subprocess.run([*reader, "cat", str(home / name)], capture_output=True, text=True, check=False)
        assert done.returncode != 0 and done.stdout == "" and "Permission denied" in done.stderr, name
