# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools that a host's own package manager brings: what each such source has in common.

A look asks a package manager about what it has kept of its sources: nobody is reached, and nothing is written. What is to be new is
known before anything is installed: only that is given back, and nothing of it that something else on the host needs by then.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Callable, NamedTuple

from .. import processes
from ..errors import OperatorError
from .sources import START_SECONDS, Settings, environment_for, quoted, scratch_directory

NODE, DATABRICKS_CLI = "node", "databricks_cli"
"""The tools. A source has packages for them, or not."""

_INSTALL_SECONDS = 900
_SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_NAME = re.compile(r"[A-Za-z0-9@][A-Za-z0-9@/+._:-]{0,200}")
"""Of a package. A ledger is an owner's word: nothing in it becomes an option of a program."""

_CAUSES = (
    (
        r"Could not get lock|Unable to (?:acquire|lock)|is locked by another|Waiting for process|another .{0,20}process",
        "another program holds its lock",
        "Wait for the end of that one, then run again",
    ),
    (
        r"No space left|not enough free space|Disk quota exceeded|needs \S+ more space",
        "no space is left on the disk",
        "Free some and run again",
    ),
    (
        r"NO_PUBKEY|GPG|not signed|signature|certificate",
        "what its package sources give is not trusted",
        "Mend the keys and certificates of its package sources",
    ),
    (
        r"Failed to fetch|Unable to fetch|Could not resolve|Could not connect|Connection|Temporary failure|Cannot download"
        r"|Curl error|No more mirrors|Network is unreachable|Failed to download|timed out",
        "its package sources are not reachable",
        "Check them, the proxy that it is set to and the network, or name another source in coding_agents_toolchain_sources",
    ),
    (
        r"Permission denied|Read-only file system|not writable",
        "it may not write",
        "Check owners and modes, and run again",
    ),
)


def is_root() -> bool:
    return os.geteuid() == 0


class Offer(NamedTuple):
    """What a package manager would install."""

    manager: str
    """By which the ledger knows it."""
    names: Sequence[str]
    """The packages to ask for."""
    version: str
    """Empty where it is not asked before it is installed."""

    @property
    def title(self) -> str:
        return f"{' and '.join(self.names)} {self.version}".strip()


class PackageManager:
    """One program that installs packages for a whole host."""

    name = ""
    """As messages and the ledger call it."""
    prefix = "/usr"
    packages: Mapping[str, Sequence[Sequence[str]]] = {}
    """By tool: what to ask for, best first."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, ...], processes.Finished] = {}

    def refusal(self, settings: Settings) -> str:
        """Why it cannot be used here, as the end of a sentence; empty where it can."""
        raise NotImplementedError

    def offer(self, tool: str, fits: Callable[[str], bool], settings: Settings) -> Offer | str:
        """What it would install, or why nothing of it will do. Reaches nobody, and writes nothing."""
        raise NotImplementedError

    def new(self, offer: Offer, settings: Settings) -> list[str]:
        """All that is not installed yet of what it would install, what its packages need included."""
        raise NotImplementedError

    def install(self, offer: Offer, settings: Settings) -> None:
        """Raises OperatorError that begins with the cause."""
        raise NotImplementedError

    def installed(self, settings: Settings) -> set[str]:
        raise NotImplementedError

    def needed(self, names: Sequence[str], settings: Settings) -> dict[str, str]:
        """Of these, each that something needs which is none of these, with what that is."""
        raise NotImplementedError

    def remove(self, names: Sequence[str], settings: Settings) -> None:
        """Raises OperatorError."""
        raise NotImplementedError

    def removable(self, names: Sequence[str], settings: Settings) -> tuple[list[str], dict[str, str]]:
        """Of packages that we have installed: those that can go, and those that stay, each with what needs it."""
        self._answers.clear()  # of before
        installed = self.installed(settings)
        gone, kept = [one for one in names if _NAME.fullmatch(one) and one in installed], {}
        while gone:
            needed = {name: who for name, who in self.needed(gone, settings).items() if name in gone}
            if not needed:
                break
            kept.update(needed)
            gone = [one for one in gone if one not in needed]
        return gone, kept

    def _said(self, command: Sequence[str], settings: Settings, seconds: float = START_SECONDS) -> processes.Finished:
        """Raises OperatorError where it does not end."""
        with scratch_directory() as scratch:
            environment = {**environment_for(settings, scratch), **self._own_environment(), "LC_ALL": "C"}
            environment["PATH"] = os.pathsep.join((settings.path, _SYSTEM_PATH))
            try:
                return processes.run(command, environment, seconds, scratch)
            except TimeoutError:
                raise self._problem(f"{command[0]} did not end within {seconds:.0f} s", "Run it by hand once") from None
            except OSError as error:
                raise self._problem(f"{command[0]} cannot be started ({error.strerror})", "Install it again") from None

    def _answer(self, command: Sequence[str], settings: Settings) -> processes.Finished:
        """What a question was answered with, asked once: one look asks for each agent."""
        key = (settings.path, *command)
        if key not in self._answers:
            self._answers[key] = self._said(command, settings)
        return self._answers[key]

    def _own_environment(self) -> Mapping[str, str]:
        return {}

    def _done(self, command: Sequence[str], what: Sequence[str], settings: Settings, does: str) -> None:
        self._answers.clear()
        done = self._said(command, settings, _INSTALL_SECONDS)
        if done.status:
            said = f"{done.stderr}\n{done.stdout}"
            known = ((cause, way_out) for pattern, cause, way_out in _CAUSES if re.search(pattern, said))
            cause, way_out = next(known, (f"it ended with status {done.status}", "Run it by hand once"))
            raise self._problem(
                f"cannot be {does} with {self.name}: {cause}", f"{way_out}. It said: {quoted(said)}", what
            )

    def _problem(self, problem: str, way_out: str, what: Sequence[str] = ()) -> OperatorError:
        return OperatorError(problem, " ".join(what) or self.name, way_out)
