# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools from Homebrew: formulas, into the Homebrew that the host has. It never works as root, and is not brought where it is not."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from typing import Callable

from ..errors import OperatorError
from . import source_system
from .source_system import DATABRICKS_CLI, NODE, Offer, PackageManager
from .sources import Settings

_NODE = "22"
"""The line of Node.js whose formula is asked for: each version of it is new enough for each pinned agent."""
_TAP = "databricks/tap"
_TAP_MARK = "tap:"
"""How a place of formulas is told from a formula, among what was new."""
_UNKNOWN = re.compile(r"No available formula|has been disabled|was deleted")


class Homebrew(PackageManager):
    """The one that this host has."""

    name = "Homebrew"
    packages: Mapping[str, Sequence[Sequence[str]]] = {
        NODE: ((f"node@{_NODE}",), ("node",)),
        DATABRICKS_CLI: ((f"{_TAP}/databricks",),),
    }

    def refusal(self, settings: Settings) -> str:
        brew = self._program(settings)
        if source_system.is_root():
            return "it does not work as root"
        if brew is None:
            return "it is not there"
        prefix = os.path.dirname(os.path.dirname(brew))
        cellar = os.path.join(prefix, "Cellar")
        directory = cellar if os.path.isdir(cellar) else prefix  # a prefix such as /usr/local is root's all the same
        return "" if os.access(directory, os.W_OK) else f"{directory} is another user's"

    def offer(self, tool: str, fits: Callable[[str], bool], settings: Settings) -> Offer | str:
        """Its formulas are the newest of their line: it is not asked, which might have it fetch its lists."""
        (names, *_others) = self.packages[tool]
        if tool == NODE and not fits(f"{_NODE}.999"):
            return f"{names[0]} is too old"
        return Offer(self.name, names, "")

    def install(self, offer: Offer, settings: Settings) -> None:
        alternatives = next(several for several in self.packages.values() if offer.names in several)
        for number, names in enumerate(alternatives, 1):
            try:
                self._done([self._brew(settings), "install", "--formula", *names], names, settings, "installed")
                return
            except OperatorError as error:
                if number == len(alternatives) or not _UNKNOWN.search(error.told):
                    raise

    def new(self, offer: Offer, settings: Settings) -> list[str]:
        alternatives = next(several for several in self.packages.values() if offer.names in several)
        found = set()
        for names in alternatives:
            needs = self._said([self._brew(settings), "deps", "--formula", "--union", *names], settings).stdout.split()
            found |= {one.rpartition("/")[2] for one in (*names, *needs)}
            found |= {f"{_TAP_MARK}{one.rpartition('/')[0]}" for one in names if "/" in one}
        return sorted(found - self.installed(settings))

    def installed(self, settings: Settings) -> set[str]:
        brew = self._brew(settings)
        taps = self._said([brew, "tap"], settings).stdout.split()
        formulas = self._said([brew, "list", "--formula", "-1"], settings).stdout.split()
        return {*formulas, *(f"{_TAP_MARK}{one}" for one in taps)}

    def needed(self, names: Sequence[str], settings: Settings) -> dict[str, str]:
        brew, found = self._brew(settings), {}
        for name in names:
            if name.startswith(_TAP_MARK):
                listed = self._said([brew, "list", "--formula", "-1", "--full-name"], settings).stdout.split()
                users = [one for one in listed if one.startswith(f"{name[len(_TAP_MARK) :]}/")]
            else:
                users = self._said([brew, "uses", "--installed", "--formula", name], settings).stdout.split()
            others = [one for one in users if one.rpartition("/")[2] not in names]
            if others:
                found[name] = others[0]
        return found

    def remove(self, names: Sequence[str], settings: Settings) -> None:
        formulas = [one for one in names if not one.startswith(_TAP_MARK)]
        taps = [one[len(_TAP_MARK) :] for one in names if one.startswith(_TAP_MARK)]
        for verb, several in ((("uninstall", "--formula"), formulas), (("untap",), taps)):
            if several:
                self._done([self._brew(settings), *verb, *several], several, settings, "removed")

    def _brew(self, settings: Settings) -> str:
        brew = self._program(settings)
        if brew is None:
            raise self._problem("is not there any more", "Put brew back on this user's PATH, then run again")
        return brew

    def _own_environment(self) -> Mapping[str, str]:
        names = (
            "NO_AUTO_UPDATE",
            "NO_ANALYTICS",
            "NO_ENV_HINTS",
            "NO_INSTALL_UPGRADE",
            "NO_INSTALL_CLEANUP",
            "NO_EMOJI",
        )
        return {**{f"HOMEBREW_{name}": "1" for name in names}, "NONINTERACTIVE": "1"}

    @staticmethod
    def _program(settings: Settings) -> str | None:
        return shutil.which("brew", path=settings.path)


HOMEBREW = Homebrew()
