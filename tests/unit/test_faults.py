# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a disk, a file system and other runs can do to a transaction: all of an owner's documents or none, a clear error, no litter.

Errors are injected into a real process at every system call that writes (strace); full, read-only and immutable places are
real ones where the machine lets us make them.
"""

from __future__ import annotations

import collections
import contextlib
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import ledger_lock
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger_lock import locked
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import bring
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError

from tests.conftest import PROFILE
from tests.unit.homes import (
    COMPONENTS,
    as_nobody,
    everything,
    make_home,
    owner_of,
    shared_directory,
    temporaries,
    tree,
    wanted,
)
from tests.unit.test_transaction_crash import CALLS, SCENARIOS, strace

SOAK = PROFILE == "soak"
WAYS_OUT = {
    "ENOSPC": "Free some space and run again",
    "EROFS": "mount it writable and run again",
    "EACCES": "Check its owner and mode",
    "EIO": "The disk, or the way to it, has a fault",
}
ERROR = re.compile(r"\.(?:OperatorError|Unfinished): (?P<where>.+?): (?P<what>.+)")
LEDGER = ".local/state/fmapi-coding-agents/ledger.json"

Tree = dict[str, tuple[str, int, bytes]]


class Point(NamedTuple):
    """One system call of the run: the ``number``-th of that name."""

    call: str
    number: int


class Stage:
    """A home that is made anew for each try, always in the same place (its path is in the ledger)."""

    def __init__(self, folder: Path, scenario: str) -> None:
        prepare, self.url = SCENARIOS[scenario]
        self.home, self._kept, self.trace = folder / "home", folder / "kept", folder / "trace"
        prepare(make_home(self.home))
        self.home.rename(self._kept)
        self.start()
        self.old = tree(self.home)
        calls = ",".join([*CALLS, "openat"])
        done = strace(["-e", f"trace={calls}", "-o", str(self.trace)], self.home, self.url)
        assert done.returncode == 0, done.stderr
        self.points = self._points()
        self.new = tree(self.home)
        bring(owner_of(self.home), COMPONENTS, [], check=False)
        self.without = tree(self.home)

    def start(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self._kept, self.home, symlinks=True)

    def _points(self) -> list[Point]:
        """Every system call that writes; of the many that open a file, those that make one."""
        counts: collections.Counter[str] = collections.Counter()
        points = []
        for line in self.trace.read_text().splitlines():
            match = re.match(r"\d+ +(\w+)\(", line)
            if match:
                counts[match[1]] += 1
                if match[1] != "openat" or "O_CREAT" in line:
                    points.append(Point(match[1], counts[match[1]]))
        assert {"openat", "write", "fsync", "flock"} <= {point.call for point in points}
        return points

    def wanted(self) -> list[Wanted]:
        return everything(self.home, self.url) if self.url else []

    def inject(self, point: Point, error: str, lasting: bool = False) -> str:
        """Run with one failing call (or, ``lasting``, with all of them from there on); returns the error's text, or nothing."""
        when = f"{point.number}{'+' if lasting else ''}"
        options = ["-e", f"trace={point.call}", "-e", f"inject={point.call}:error={error}:when={when}"]
        done = strace([*options, "-o", str(self.trace)], self.home, self.url)
        hit = [line for line in self.trace.read_text().splitlines() if "(INJECTED)" in line]
        assert hit and (lasting or len(hit) == 1), (point, hit)
        assert lasting or point.call != "openat" or "O_CREAT" in hit[0]
        if done.returncode == 0:
            return ""
        if lasting and point.call == "write" and not done.stderr:
            return f"(the message could not be written, either) {WAYS_OUT[error]}"
        last = done.stderr.strip().splitlines()[-1]
        assert ERROR.search(last), f"{point} {error}: {done.stderr}"
        return last

    def side(self) -> str:
        """Which state all the documents are in: "old", "new", or "mixed"."""
        now = tree(self.home)
        paths = [str(Path(one.path).relative_to(self.home)) for one in everything(self.home)]
        for name, state in (("old", self.old), ("new", self.new)):
            if [now.get(path) for path in paths] == [state.get(path) for path in paths]:
                return name
        return "mixed"

    def each_is_whole(self) -> bool:
        """Whether each document is, on its own, the old or the new one."""
        now = tree(self.home)
        paths = [str(Path(one.path).relative_to(self.home)) for one in everything(self.home)]
        return all(now.get(path) in (self.old.get(path), self.new.get(path)) for path in paths)

    def mend(self) -> None:
        """The next run ends in the wanted state, as its dry run says; and the way back is exact."""
        before = tree(self.home)
        told = bring(owner_of(self.home), COMPONENTS, self.wanted(), check=True)
        assert tree(self.home) == before, "a dry run has written"
        assert bring(owner_of(self.home), COMPONENTS, self.wanted(), check=False).changes == told.changes
        assert self.side() == "new"
        assert temporaries(self.home) == []
        assert not bring(owner_of(self.home), COMPONENTS, self.wanted(), check=False).changed
        bring(owner_of(self.home), COMPONENTS, [], check=False)


def _but_for_empty_directories(home: Tree, less: Tree) -> Tree:
    """``home`` without the directories that ``less`` has not and that hold nothing: one cannot be removed when removing fails."""
    kept = dict(home)
    for path in sorted(home, key=len, reverse=True):
        if home[path][0] == "directory" and path not in less and not any(one.startswith(f"{path}/") for one in kept):
            del kept[path]
    return kept


needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None and os.environ.get("CI") != "true", reason="needs strace: apt-get install -y strace"
)
soaked = pytest.mark.soak if SOAK else pytest.mark.filterwarnings("default")
INJECTED = ("install", "change", "uninstall", "uninstall after an edit")


def _sample(points: list[Point], count: int) -> list[tuple[int, Point]]:
    """All of them in a soak run; otherwise some, of each part of the run and of each kind of call."""
    numbered = list(enumerate(points))
    return numbered if SOAK else numbered[:: max(len(numbered) // count, 1)]


@needs_strace
@soaked
@pytest.mark.parametrize("scenario", INJECTED)
def test_an_error_at_any_write_leaves_all_old_or_all_new(scenario: str, tmp_path: Path) -> None:
    stage = Stage(tmp_path, scenario)
    for number, point in _sample(stage.points, 24):
        for error in WAYS_OUT if SOAK else [list(WAYS_OUT)[number % len(WAYS_OUT)]]:
            stage.start()
            said = stage.inject(point, error)
            where = f"{scenario}: {error} at {point}: {said or 'no error'}"
            assert temporaries(stage.home) == [], where
            side, now = stage.side(), tree(stage.home)
            assert side == "new" or (said and side == "old"), where
            assert not said or WAYS_OUT[error] in said, where
            if side == "old" and point.call not in ("rmdir", "unlink"):
                for state in (now, stage.old):
                    state.pop(LEDGER, None)
                assert now == {path: entry for path, entry in stage.old.items() if path != LEDGER}, where
            stage.mend()
            assert _but_for_empty_directories(tree(stage.home), stage.without) == stage.without, where


@needs_strace
@soaked
@pytest.mark.parametrize("scenario", INJECTED)
def test_errors_that_last_leave_whole_files_and_the_next_run_mends_it(scenario: str, tmp_path: Path) -> None:
    """A file system that goes read-only on the way: nothing can be put back, and nothing is lost."""
    stage = Stage(tmp_path, scenario)
    for number, point in _sample(stage.points, 8):
        for error in ("EROFS", "ENOSPC") if SOAK else [("EROFS", "ENOSPC")[number % 2]]:
            stage.start()
            if point.call == "openat":
                continue  # from then on not even the program's own parts could be read
            said = stage.inject(point, error, lasting=True)
            where = f"{scenario}: {error} from {point} on: {said or 'no error'}"
            assert stage.each_is_whole(), where
            assert said or stage.side() == "new", where
            assert not said or WAYS_OUT[error] in said, where
            stage.mend()
            assert _but_for_empty_directories(tree(stage.home), stage.without) == stage.without, where


# -- real places -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def mounted(place: Path, *arguments: str) -> Iterator[Path]:
    """A mount for as long as a test needs it. Skips where this machine lets nobody mount."""
    place.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *arguments, str(place)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        what = f"needs to mount (root, and a container with the right to): {done.stderr.strip()}"
        if os.environ.get("CI") == "true":
            pytest.fail(what)
        pytest.skip(what)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_file_system_leaves_everything_as_it_was(tmp_path: Path) -> None:
    """Every amount of free space from none to enough: what does not fit changes nothing, what was begun is put back."""
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=96k,mode=755", "none") as place:
        home = make_home(place / "home")
        (home / ".agent/settings.json").write_text(json.dumps({"mine": "x" * 9000}))
        before, fits = tree(home), []
        for free in range(16):
            filler = place / "filler"
            with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as stream:
                while True:
                    stream.write(b"\0" * 4096)
            os.truncate(filler, max(filler.stat().st_size - 4096 * free, 0))
            try:
                bring(owner_of(home), COMPONENTS, wanted(home), check=False)
                fits.append(free)
                assert not bring(owner_of(home), COMPONENTS, wanted(home), check=False).changed
                bring(owner_of(home), COMPONENTS, [], check=False)
            except OperatorError as error:
                assert not fits, "more space was not enough"
                assert "No space left on device" in str(error) and "Free some space and run again" in str(error)
                assert "What was already written stays" not in str(error), "there is room for what was there before"
            filler.unlink()
            assert tree(home) == before, free
        assert fits and fits[0] > 4, fits


def test_a_read_only_file_system_leaves_everything_as_it_was(tmp_path: Path) -> None:
    source = make_home(tmp_path / "source")
    with mounted(tmp_path / "home", "--bind", str(source)) as home:
        before = tree(home)
        subprocess.run(["mount", "-o", "remount,bind,ro", str(home)], check=True)
        for check in (True, False):
            with pytest.raises(
                OperatorError, match=r"\(Read-only file system\)\. The file system is read-only: mount it"
            ):
                bring(owner_of(home), COMPONENTS, wanted(home), check=check)
        assert tree(home) == before
        subprocess.run(["mount", "-o", "remount,bind,rw", str(home)], check=True)
        bring(owner_of(home), COMPONENTS, wanted(home), check=False)
        subprocess.run(["mount", "-o", "remount,bind,ro", str(home)], check=True)
        assert not bring(owner_of(home), COMPONENTS, wanted(home), check=False).changed, "nothing to do needs no write"
        installed = tree(home)
        with pytest.raises(OperatorError, match="Read-only file system"):
            bring(owner_of(home), COMPONENTS, [], check=False)
        assert tree(home) == installed


@pytest.fixture
def immutable() -> Iterator[Callable[[Path], None]]:
    """Marks files as immutable until the test ends."""
    marked = []

    def mark(path: Path) -> None:
        done = subprocess.run(["chattr", "+i", str(path)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"this file system or user cannot mark files immutable: {done.stderr.strip()}")
        marked.append(path)

    yield mark
    for path in marked:
        subprocess.run(["chattr", "-i", str(path)], check=True)


@pytest.mark.skipif(shutil.which("chattr") is None, reason="chattr is not installed (package e2fsprogs)")
@pytest.mark.parametrize("name", [".agent/settings.json", ".databrickscfg", ".agent"])
def test_an_immutable_file_leaves_everything_as_it_was(
    name: str, immutable: Callable[[Path], None], tmp_path: Path
) -> None:
    home = make_home(tmp_path / "home")
    before = tree(home)
    immutable(home / name)
    with pytest.raises(
        OperatorError, match=r"Operation not permitted\)\. Check its owner, and that it is not marked immutable"
    ):
        bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    assert tree(home) == before


@pytest.mark.parametrize("check", [True, False], ids=["dry run", "run"])
def test_a_read_only_file_is_refused_before_anything_is_changed(check: bool, tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    (home / ".agent/settings.json").chmod(0o444)
    before = tree(home)
    with pytest.raises(OperatorError, match=r"settings\.json: is read-only\. .*chmod u\+w"):
        bring(owner_of(home), COMPONENTS, wanted(home), check=check)
    assert tree(home) == before


@pytest.fixture
def shared() -> Iterator[Path]:
    yield from shared_directory("fmapi-test-faults")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file to another user")
def test_a_link_to_another_users_file_is_refused_before_anything_is_changed(shared: Path) -> None:
    home = make_home(shared / "home")
    theirs = shared / "theirs.json"
    theirs.write_text("{}\n")
    theirs.chmod(0o666)
    (home / ".agent/settings.json").unlink()
    (home / ".agent/settings.json").symlink_to(theirs)
    before = tree(home)
    said = as_nobody(lambda: bring(owner_of(home), COMPONENTS, wanted(home), check=False), [home])
    assert f"is a symbolic link to {theirs}, which belongs to another user. Replace the link" in said
    assert tree(home) == before and theirs.read_text() == "{}\n"


# -- other runs --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def holding_the_lock(home: Path) -> Iterator[int]:
    """A living process that holds the owner's lock and does nothing else; it is killed at the end."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with locked(owner_of(home)):
                os.write(writer, b"!")
                signal.pause()
        finally:
            os._exit(1)
    os.close(writer)
    assert os.read(reader, 1) == b"!"
    os.close(reader)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_the_lock_of_a_living_process_is_waited_for_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_home(tmp_path / "home")
    before = tree(home)
    monkeypatch.setattr(ledger_lock, "LOCK_WAIT_SECONDS", 0.3)
    with holding_the_lock(home):
        message = (
            r"another run has been changing this home's files for over .* seconds\. Wait for it to end and run again"
        )
        with pytest.raises(OperatorError, match=message):
            bring(owner_of(home), COMPONENTS, wanted(home), check=False)
        assert tree(home) == before
        assert bring(owner_of(home), COMPONENTS, wanted(home), check=True).changed, "a dry run waits for nobody"
    assert bring(owner_of(home), COMPONENTS, wanted(home), check=False).changed


def test_the_lock_of_a_dead_process_delays_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = make_home(tmp_path / "home")
    with holding_the_lock(home):
        pass
    monkeypatch.setattr(ledger_lock, "LOCK_WAIT_SECONDS", 0.0)
    assert bring(owner_of(home), COMPONENTS, wanted(home), check=False).changed


def _own(home: Path, number: int, value: int) -> list[Wanted]:
    """Documents of one rollout: a file of its own, and one that was there before."""
    return [
        Wanted(str(home / f".config/made/{number}.json"), "json", f"agent{number}", values={("n",): value}),
        Wanted(str(home / f"theirs-{number}.json"), "json", f"agent{number}", values={("ours", "n"): value}),
    ]


def _roll_out(home: str, number: int, rounds: int) -> None:
    for value in range(rounds):
        bring(owner_of(home), [f"agent{number}"], _own(Path(home), number, value), check=False)


@pytest.mark.parametrize("count", [2, 8])
def test_rollouts_at_once_lose_nothing_and_leave_a_sound_ledger(count: int, tmp_path: Path) -> None:
    """Each run writes documents of its own into the one ledger: a record that got lost could not be given back."""
    home = make_home(tmp_path / "home")
    rounds = 6
    for number in range(count):
        (home / f"theirs-{number}.json").write_text(f'{{"mine": {number}}}')
    before = tree(home)
    context = multiprocessing.get_context("fork")
    runs = [context.Process(target=_roll_out, args=(str(home), number, rounds)) for number in range(count)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(120)
    assert [run.exitcode for run in runs] == [0] * count
    assert temporaries(home) == []
    kept = Ledger.load(owner_of(home))
    assert set(kept.documents) == {one.path for number in range(count) for one in _own(home, number, 0)}
    assert kept.pending == {}
    for number in range(count):
        assert json.loads((home / f"theirs-{number}.json").read_text()) == {"mine": number, "ours": {"n": rounds - 1}}
        assert not bring(owner_of(home), [f"agent{number}"], _own(home, number, rounds - 1), check=True).changed
    bring(owner_of(home), [f"agent{number}" for number in range(count)], [], check=False)
    assert tree(home) == before
