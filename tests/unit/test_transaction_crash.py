# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real process, killed at every system call that writes: each file is old or new, and the next run repairs."""

from __future__ import annotations

import collections
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import FORMATS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import bring

from tests.conftest import PROFILE
from tests.unit.homes import COMPONENTS, PYTHON, everything, imports, make_home, owner_of, temporaries, tree

pytestmark = [
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
    *([pytest.mark.soak] if PROFILE == "soak" else []),
]

CALLS = [
    "write",
    "pwrite64",
    "writev",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "fsync",
    "fdatasync",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "link",
    "symlink",
    "symlinkat",
    "ftruncate",
    "setxattr",
    "fsetxattr",
    "flock",
]
OLD, NEW = "https://old", "https://new"


def strace(options: list[str], home: Path, url: str | None) -> subprocess.CompletedProcess[str]:
    command = ["strace", "-f", "-qq", *options, PYTHON, "-m", "tests.unit.crash_driver", str(home)]
    return subprocess.run(
        [*command, *([url] if url else [])], env=imports(), cwd="/", capture_output=True, text=True, check=False
    )


def installed(home: Path) -> None:
    bring(owner_of(home), COMPONENTS, everything(home, OLD), check=False)


def edited(home: Path) -> None:
    installed(home)
    settings = home / ".agent/settings.json"
    settings.write_text(settings.read_text().replace("{", '{"theirs": 1,', 1))


def interrupted(home: Path) -> None:
    """A home in which an earlier run was killed before it wrote its last document."""
    strace(["--inject=renameat2,rename:signal=KILL:when=2", "-o", "/dev/null"], home, NEW)


SCENARIOS: dict[str, tuple[Callable[[Path], None], str | None]] = {
    "install": (lambda home: None, NEW),
    "change": (installed, NEW),
    "change after an edit": (edited, NEW),
    "uninstall": (installed, None),
    "uninstall after an edit": (edited, None),
    "repair": (interrupted, NEW),
    "uninstall after a kill": (interrupted, None),
}


def held(one: Wanted) -> bytes:
    """What a document holds now."""
    return os.fsencode(os.readlink(one.path)) if one.format == "link" else Path(one.path).read_bytes()


def linked(home: Path) -> None:
    """Settings as a dotfile manager keeps them."""
    (home / ".agent").rename(home / "dotfiles")
    (home / ".agent").mkdir()
    (home / ".agent/settings.json").symlink_to("../dotfiles/settings.json")


def empty(home: Path) -> None:
    shutil.rmtree(home / ".agent")
    (home / ".databrickscfg").unlink()
    (home / "agent").unlink()


LAYOUTS: dict[str, Callable[[Path], None]] = {"plain": lambda home: None, "linked": linked, "empty": empty}


@pytest.mark.parametrize("layout", LAYOUTS if PROFILE == "soak" else ["plain"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_anywhere_every_file_is_old_or_new_and_the_next_run_repairs(
    scenario: str, layout: str, tmp_path: Path
) -> None:
    prepare, url = SCENARIOS[scenario]
    template = make_home(tmp_path / "home")
    LAYOUTS[layout](template)
    prepare(template)
    # Paths are in the ledger, so every try happens in the same place.
    kept = tmp_path / "kept"
    template.rename(kept)
    home = tmp_path / "home"

    def start() -> None:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(kept, home, symlinks=True)

    start()
    done = strace(["-e", f"trace={','.join(CALLS)}", "-o", str(tmp_path / "trace")], home, url)
    assert done.returncode == 0, done.stderr
    counts = collections.Counter(re.findall(r"^\d+ +(\w+)\(", (tmp_path / "trace").read_text(), re.MULTILINE))
    points = [(name, number) for name in sorted(counts) for number in range(1, counts[name] + 1)]
    assert len(points) > 10
    old, new = tree(kept), tree(home)
    documents = [str(Path(one.path).relative_to(home)) for one in everything(home)]
    bring(owner_of(home), COMPONENTS, [], check=False)
    without = tree(home)

    wanted_points = points if PROFILE == "soak" else points[:: max(len(points) // 7, 1)]
    for name, number in wanted_points:
        start()
        killed = strace([f"--inject={name}:signal=KILL:when={number}", "-o", "/dev/null"], home, url)
        assert killed.returncode != 0, (name, number)
        after = tree(home)
        for document in documents:
            states = [
                None if one is None else (one[0], one[2])
                for one in (after.get(document), old.get(document), new.get(document))
            ]
            assert states[0] in states[1:], (name, number, document)
        told = bring(owner_of(home), COMPONENTS, everything(home, url) if url else [], check=True)
        assert tree(home) == after, "a dry run has written"
        finished = bring(owner_of(home), COMPONENTS, everything(home, url) if url else [], check=False)
        assert told.changes == finished.changes
        for one in everything(home, url) if url else []:
            written = FORMATS[one.format](held(one))
            assert all(written.get(key) == value for key, value in one.values.items()), (name, number)
        assert temporaries(home) == [], (name, number)
        assert not bring(owner_of(home), COMPONENTS, everything(home, url) if url else [], check=False).changed
        bring(owner_of(home), COMPONENTS, [], check=False)
        assert tree(home) == without, (name, number)
