# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files: read with care, replaced in one step, links and owners kept, and a sentence for everything that goes wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import files
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.files import ChangedMeanwhile, Found
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError

from tests.unit.homes import as_nobody, owner_of, shared_directory, temporaries


@pytest.fixture
def shared() -> Iterator[Path]:
    yield from shared_directory("fmapi-test-files")


def test_a_file_is_read_with_its_mode_and_a_missing_one_is_none(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    (tmp_path / "f").chmod(0o640)
    assert files.read(str(tmp_path / "f")) == Found(b"x", 0o640)
    assert files.read(str(tmp_path / "none")) == Found(None, None)
    assert files.read(str(tmp_path / "no" / "ne")) == Found(None, None)


def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "circle").symlink_to("circle")
    for name, message in {
        "fifo": "is not a regular file. Move it away",
        "directory": "is not a regular file. Move it away",
        "file/below": "a part of its path is a file",
        "dangling": "is a symbolic link to nowhere, which does not exist. Mend the link, or remove it",
        "circle": "Its symbolic links lead in a circle",
    }.items():
        with pytest.raises(OperatorError) as refused:
            files.read(str(tmp_path / name))
        assert str(refused.value).startswith(f"{tmp_path / name}: ")
        assert message in str(refused.value)


def test_no_descriptor_is_lost_on_the_way(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _one in range(5):
        with pytest.raises(OperatorError):
            files.read(str(tmp_path))
        files.replace(str(tmp_path / "f"), b"x", 0o600)
        files.read(str(tmp_path / "f"))
    assert len(os.listdir("/proc/self/fd")) == before


def test_replacing_is_one_step_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "f"
    files.replace(str(path), b"one", 0o600)
    inode = path.stat().st_ino
    files.replace(str(path), b"two", 0o644, files.read(str(path)))
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"two", 0o644)
    assert path.stat().st_ino != inode
    assert os.listdir(tmp_path) == ["f"]


def test_a_new_file_is_never_wider_than_its_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    fchmod = os.fchmod

    def watched(descriptor: int, mode: int) -> None:
        seen.append(os.fstat(descriptor).st_mode & 0o777)
        fchmod(descriptor, mode)

    monkeypatch.setattr(os, "fchmod", watched)
    files.replace(str(tmp_path / "f"), b"secret", 0o600)
    assert seen == [0o600]


def test_a_link_stays_a_link_and_its_target_is_edited(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / "dotfiles" / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("dotfiles/real")
    (tmp_path / "second").symlink_to("link")
    path = str(tmp_path / "second")
    files.replace(path, b"new", 0o600, files.read(path))
    assert os.readlink(path) == "link"
    assert (tmp_path / "dotfiles" / "real").read_bytes() == b"new"
    assert os.listdir(tmp_path / "dotfiles") == ["real"]


def test_another_program_s_write_before_ours_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    read = files.read(str(path))
    path.write_bytes(b"theirs")
    with pytest.raises(ChangedMeanwhile):
        files.replace(str(path), b"ours", 0o644, read)
    assert (path.read_bytes(), temporaries(tmp_path)) == (b"theirs", [])
    with pytest.raises(ChangedMeanwhile):
        files.remove(str(path), read)
    path.unlink()
    with pytest.raises(ChangedMeanwhile):
        files.replace(str(path), b"ours", 0o644, read)
    assert not path.exists()
    with pytest.raises(ChangedMeanwhile):
        path.write_bytes(b"new")
        files.replace(str(path), b"ours", 0o644, Found(None, None))
    assert path.read_bytes() == b"new"


def test_another_program_s_rename_at_the_last_moment_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    exchange = files._exchange
    met: list[int] = []

    def late(one: str, other: str) -> bool:
        if not met:
            met.append(1)
            (tmp_path / "n").write_bytes(b"theirs")
            os.replace(tmp_path / "n", path)
        return exchange(one, other)

    monkeypatch.setattr(files, "_exchange", late)
    with pytest.raises(ChangedMeanwhile):
        files.replace(str(path), b"ours", 0o644, files.read(str(path)))
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"theirs", ["f"])


def test_a_system_without_exchange_compares_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    path = tmp_path / "f"
    path.write_bytes(b"old")
    files.replace(str(path), b"new", 0o644, files.read(str(path)))
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"new", ["f"])


def test_extended_attributes_stay(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    try:
        os.setxattr(path, "user.note", b"mine")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    files.replace(str(path), b"new", 0o644, files.read(str(path)))
    assert os.getxattr(path, "user.note") == b"mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_owner_and_group_stay(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    os.chown(path, 65534, 12345)
    files.replace(str(path), b"new", 0o644, files.read(str(path)))
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 12345)


def test_no_permission_says_what_to_check(shared: Path) -> None:
    (shared / "f").write_bytes(b"old")
    (shared / "f").chmod(0o600)
    closed = shared / "closed"
    closed.mkdir(mode=0o700)
    assert "cannot be read (Permission denied). Check its owner and mode" in as_nobody(
        lambda: files.read(f"{closed}/f")
    )
    shared.chmod(0o555)
    said = as_nobody(lambda: files.replace(f"{shared}/new", b"x", 0o600))
    assert f"OperatorError: {shared}: cannot be written to (Permission denied). Check its owner and mode" in said
    said = as_nobody(lambda: files.remove(f"{shared}/f"))
    assert "cannot be removed (Permission denied)" in said
    said = as_nobody(lambda: files.make_directories(f"{shared}/a/b", owner_of(shared)))
    assert f"{shared}/a: cannot be made (Permission denied)" in said
    said = as_nobody(lambda: files.set_mode(f"{shared}/f", 0o600))
    assert "cannot be given another mode" in said
    assert sorted(os.listdir(shared)) == ["closed", "f"]


@pytest.mark.skipif(os.geteuid() != 0, reason="the target must be somebody else's")
def test_a_link_to_another_user_s_file_is_an_error_and_nothing_changes(shared: Path) -> None:
    home = shared / "home"
    home.mkdir()
    target = shared / "target"
    target.write_bytes(b"root's")
    (home / "link").symlink_to(target)
    shared.chmod(0o777)
    said = as_nobody(lambda: files.replace(f"{home}/link", b"x", 0o644, files.read(f"{home}/link")), [home])
    assert said.startswith("OperatorError: ")
    assert (target.read_bytes(), temporaries(shared)) == (b"root's", [])


def test_directories_are_made_closed_and_removed_only_when_empty(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    made = files.make_directories(f"{home}/a/b/c", owner_of(home))
    assert made == [f"{home}/a", f"{home}/a/b", f"{home}/a/b/c"]
    assert all(os.stat(one).st_mode & 0o777 == 0o700 for one in made)
    assert files.make_directories(f"{home}/a/b", owner_of(home)) == []
    (home / "a" / "theirs").touch()
    files.remove_empty_directories(made)
    assert sorted(path.name for path in home.rglob("*")) == ["a", "theirs"]
    with pytest.raises(OperatorError, match="is not a directory"):
        files.make_directories(f"{home}/a/theirs/x", owner_of(home))


def test_only_our_own_leftovers_go(tmp_path: Path) -> None:
    for name in (".f[1].fmapi-tmp-ab", ".f1.fmapi-tmp-ab", ".f[1].tmp", "f[1]"):
        (tmp_path / name).touch()
    files.remove_leftovers(str(tmp_path / "f[1]"))
    assert sorted(os.listdir(tmp_path)) == [".f1.fmapi-tmp-ab", ".f[1].tmp", "f[1]"]
