# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugins of one run of ``ansible-playbook`` share: answers that are the same for all hosts, notes on one host, and
what happened on each, for the report at the end.

Each task of each host runs in a process of its own, so all of it is in files. They are in the directory that ansible-core makes for
one run, with a random name and for the operator alone, and removes at the run's end.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from ansible import constants

from ..module_utils.errors import OperatorError

Entry = dict[str, Any]
"""What one module call did on one host. Which keys there are stands in :mod:`.report`."""

_PREFIX = "fmapi-coding-agents-"


def once(key: Any, compute: Callable[[], Any]) -> Any:
    """Return ``compute()`` of the first who asks for ``key`` in this run; the others wait for it, and get the same.

    An OperatorError is kept as well: forty hosts do not wait forty times for a workspace that does not answer. A defect is not.

    :param key: anything that JSON can say. It may hold a secret: only a digest is written, salted by the directory's random name.
    """
    path = _path(f"once-{_digest(key)}.json")
    with _locked(f"{path}.lock"):
        try:
            with open(path, encoding="utf-8") as file:
                kept = json.load(file)
        except FileNotFoundError:
            kept = _computed(compute)
            _replace(path, kept)
    if "error" in kept:
        raise OperatorError(*kept["error"])
    return kept["value"]


def _computed(compute: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"value": compute()}
    except OperatorError as error:
        return {"error": [error.what, error.where, error.way_out]}


def note(host: str, name: str, value: Any) -> None:
    """Let later tasks of the same host know something (for example that it has the program already)."""
    _append(_path(f"notes-{_digest(host)}.jsonl"), {name: value})


def noted(host: str, name: str) -> Any:
    """What was noted last under this name for this host in this run; None if nothing was."""
    found = None
    for one in _lines(_path(f"notes-{_digest(host)}.jsonl")):
        found = one.get(name, found)
    return found


def remember(host: str, entry: Entry) -> None:
    """Keep for the report what a module call did. ``host`` is the name in the inventory."""
    line = {"at": time.time_ns(), "entry": {**entry, "host": host}}
    _append(_path(f"entries-{_digest(host)}.jsonl"), line)


def remembered() -> list[Entry]:
    """All entries of this run, oldest first."""
    return [entry for _name, entry in _entries()]


def _entries() -> list[tuple[str, Entry]]:
    """Each entry, oldest first, with a name that no other has."""
    directory = constants.DEFAULT_LOCAL_TMP
    found = []
    for file in os.listdir(directory):
        if file.startswith(f"{_PREFIX}entries-"):
            for number, line in enumerate(_lines(os.path.join(directory, file))):
                found.append((line["at"], f"{file} {number}", line["entry"]))
    return [(name, entry) for _at, name, entry in sorted(found, key=lambda one: one[:2])]


class Reporting:
    """What is still to be reported, while nobody else reports.

    A run has several reports where it has several plays or batches (``serial``), or where each host comes to its end by itself
    (strategy ``free``). None of them repeats another.
    """

    def __init__(self, known: dict[str, Any]) -> None:
        self._told: dict[str, bool] = known.setdefault("told", {})
        reported: dict[str, str] = known.setdefault("reported", {})
        entries = _entries()
        self.new = [entry for name, entry in entries if name not in reported]
        """What no report of this run has shown, oldest first."""
        self._of_file = [(reported.get(name), entry) for name, entry in entries]
        self._reported = reported
        self._names = [name for name, _entry in entries if name not in reported]

    def of_file(self, path: str) -> list[Entry]:
        """What the file at ``path`` is to say: what is new, and what earlier reports of this run have put there."""
        for name in self._names:
            self._reported[name] = path
        return [entry for before, entry in self._of_file if before in (None, path)]

    def done(self) -> None:
        """Everything new is reported."""
        for name in self._names:
            self._reported.setdefault(name, "")

    def is_told_first(self, what: str) -> bool:
        """Whether no report of this run has said this. From now on one has."""
        first = what not in self._told
        self._told[what] = True
        return first


@contextlib.contextmanager
def reporting() -> Iterator[Reporting]:
    """Hold the right to report, and remember at the end what was reported."""
    path = _path("reported.json")
    with _locked(f"{path}.lock"):
        known: dict[str, Any] = {}
        with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
            known = json.load(file)
        mine = Reporting(known)
        yield mine
        mine.done()
        _replace(path, known)


@contextlib.contextmanager
def gathering(key: Any) -> Iterator[dict[str, Any]]:
    """Hold what was gathered under ``key`` in this run, alone, and keep what was added to it."""
    path = _path(f"gathered-{_digest(key)}.json")
    with _locked(f"{path}.lock"):
        gathered: dict[str, Any] = {}
        with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
            gathered = json.load(file)
        yield gathered
        _replace(path, gathered)


def report_path(given: str) -> str:
    """Where the operator wants the report, or another file.

    From the directory where ``ansible-playbook`` was started, as with ``-e @FILE``.
    """
    return os.path.abspath(os.path.expanduser(given))


def check_report_path(path: str, variable: str = "coding_agents_report") -> None:
    """Raise OperatorError if no report, or what else the variable is for, can be written there.

    For asking before any host is touched.
    """
    target = os.path.realpath(path)
    directory = os.path.dirname(target)
    where = f"{variable} {path}"
    if not os.path.isdir(directory):
        raise OperatorError(f"there is no directory {directory}", where, "Make it, or name another file")
    if os.path.lexists(target) and not os.path.isfile(target):
        raise OperatorError("is there and no file", where, "Name another one")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise OperatorError(f"nothing can be written in {directory}", where, "Name a file elsewhere")


def write_report(path: str, data: dict[str, Any]) -> None:
    """Write the report. Raises OperatorError."""

    def dump(file: TextIO) -> None:
        json.dump(data, file, indent=2)
        file.write("\n")

    write(path, dump)


def write(path: str, content: Callable[[TextIO], object], variable: str = "coding_agents_report") -> None:
    """Write a file of the operator's with the rights that their files have: whole, or not at all. Raises OperatorError.

    Who could not read what stood there cannot read the new one either.
    """
    check_report_path(path, variable)
    target = os.path.realpath(path)
    temporary = f"{target}.{os.getpid()}.new"
    try:
        try:
            # Not by tempfile, whose files are for the operator alone: others collect reports.
            with open(temporary, "x", encoding="utf-8") as file:
                with contextlib.suppress(FileNotFoundError):
                    os.fchmod(file.fileno(), os.fstat(file.fileno()).st_mode & stat.S_IMODE(os.stat(target).st_mode))
                content(file)
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise OperatorError(f"cannot be written ({error.strerror})", f"{variable} {path}") from None


def _path(name: str) -> str:
    return os.path.join(constants.DEFAULT_LOCAL_TMP, f"{_PREFIX}{name}")


def _digest(key: Any) -> str:
    text = json.dumps([constants.DEFAULT_LOCAL_TMP, key], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _replace(path: str, value: Any) -> None:
    """Write a file whole, for the operator alone: a process that is killed leaves no half of one."""
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path))
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file, default=str)
    os.replace(temporary, path)


def _append(path: str, value: Any) -> None:
    """Add a line in one write, which no other process' line can divide."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, json.dumps(value, default=str).encode() + b"\n")
    finally:
        os.close(descriptor)


def _lines(path: str) -> Iterator[dict[str, Any]]:
    """The lines that are whole: a process may have been killed while it wrote."""
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                with contextlib.suppress(ValueError):
                    yield json.loads(line)
    except FileNotFoundError:
        return
