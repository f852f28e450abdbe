# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest sees every kind of change, because tests conclude from its silence that nothing was touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from . import tree


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A small home: a file, a directory with a file, a link and a dangling link."""
    home = tmp_path / "home"
    (home / ".config").mkdir(parents=True)
    (home / ".config" / "settings.json").write_text("{}")
    (home / "notes").write_text("text")
    (home / "link").symlink_to("notes")
    (home / "dangling").symlink_to("nowhere")
    return home


def _rewrite_same_size(home: Path) -> None:
    (home / "notes").write_text("next")


def _mode(home: Path) -> None:
    (home / "notes").chmod(0o600)


def _directory_mode(home: Path) -> None:
    (home / ".config").chmod(0o700)


def _root_mode(home: Path) -> None:
    home.chmod(0o700)


def _retarget(home: Path) -> None:
    (home / "link").unlink()
    (home / "link").symlink_to(".config")


def _replace_by_link(home: Path) -> None:
    (home / ".config" / "settings.json").unlink()
    (home / ".config" / "settings.json").symlink_to("../notes")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda home: (home / "new").write_text(""), ["added: new (file)"]),
        (lambda home: (home / "empty").mkdir(), ["added: empty (directory)"]),
        (lambda home: (home / "notes").unlink(), ["missing: notes (file)"]),
        (lambda home: (home / "dangling").unlink(), ["missing: dangling (link)"]),
        (_rewrite_same_size, ["changed: notes: sha256"]),
        (_mode, ["changed: notes: mode 0644 -> 0600"]),
        (_directory_mode, ["changed: .config: mode 0755 -> 0700"]),
        (_root_mode, ["changed: .: mode 0755 -> 0700"]),
        (_retarget, ["changed: link: target notes -> .config"]),
        (_replace_by_link, ["changed: .config/settings.json: type file -> link"]),
    ],
)
def test_a_change_is_named(home: Path, change: Callable[[Path], object], expected: list[str]) -> None:
    home.chmod(0o755)
    (home / ".config").chmod(0o755)
    (home / "notes").chmod(0o644)
    before = tree.manifest(str(home))
    change(home)
    lines = tree.differences(before, tree.manifest(str(home)))
    for start in expected:
        assert any(line.startswith(start) for line in lines), lines


def test_times_count_only_when_asked_for(home: Path) -> None:
    before = tree.manifest(str(home))
    os.utime(home / "notes", ns=(1, 1))
    after = tree.manifest(str(home))
    assert tree.differences(before, after) == []
    assert len(tree.differences(before, after, times=True)) == 1


def test_an_unreadable_directory_is_an_error_not_a_gap(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError):
        tree.manifest(str(home))


def test_it_runs_from_standard_input_and_compares_files(home: Path, tmp_path: Path) -> None:
    program = Path(tree.__file__)
    command = [sys.executable, "-I", "-", str(home)]
    done = subprocess.run(command, input=program.read_bytes(), capture_output=True, check=True)
    assert json.loads(done.stdout) == tree.manifest(str(home))
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_bytes(done.stdout)
    (home / "notes").write_text("other")
    after.write_text(json.dumps(tree.manifest(str(home))))
    compare = [sys.executable, "-I", str(program), "--compare", str(before)]
    same = subprocess.run([*compare, str(before)], capture_output=True, check=False, text=True)
    assert (same.returncode, same.stdout) == (0, "no difference\n")
    other = subprocess.run([*compare, str(after)], capture_output=True, check=False, text=True)
    assert other.returncode == 1
    assert "changed: notes: sha256" in other.stdout
