# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which programs open a link where we run, and open it without ever waiting for a browser to be closed.

What decides is an argument everywhere, so that every platform can be told on any other.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping
from typing import NamedTuple

from .. import processes
from ..platforms import PLATFORMS, Platform, platform_of

NO_BROWSER = "none"
"""``BROWSER=none`` says, to the Databricks CLI too, that no browser is wanted."""


class Place(NamedTuple):
    """Where a link is to be opened: ``platform.system()``, ``platform.release()`` and the environment."""

    system: str
    kernel_release: str
    environment: Mapping[str, str]

    @property
    def platform(self) -> Platform:
        return PLATFORMS[platform_of(*self)]

    @property
    def has_desktop(self) -> bool:
        """Whether a browser could show up in front of the person."""
        if self.system == "Darwin":
            return not (self.environment.get("SSH_CONNECTION") or self.environment.get("SSH_TTY"))
        return self.platform.is_wsl or bool(self.environment.get("DISPLAY") or self.environment.get("WAYLAND_DISPLAY"))


def here(environment: Mapping[str, str]) -> Place:
    return Place(platform.system(), platform.release(), environment)


def openers(place: Place) -> list[list[str]]:
    """The commands that open a link, best first, without the link itself; none where no browser is to be opened.

    A ``BROWSER`` that somebody set counts without a desktop, too: an editor that works on a remote host forwards links by it.
    """
    named = place.environment.get("BROWSER", "")
    if named == NO_BROWSER:
        return []
    own = [_command(named)] if named else []
    if place.platform.is_wsl:
        return [*_found(place), *own]
    return own if own or not place.has_desktop else _found(place)


def _command(named: str) -> list[str]:
    """``BROWSER`` as people set it: the path of a program, or a command with arguments."""
    if os.path.isabs(named) and os.access(named, os.X_OK):
        return [named]  # which may hold a space
    return ["/bin/sh", "-c", f'{named} "$1"', "browser"]


def _found(place: Place) -> list[list[str]]:
    platform = place.platform
    path = os.pathsep.join(part for part in (place.environment.get("PATH", ""), platform.browser_directory) if part)
    found = [(shutil.which(name, path=path), arguments) for name, *arguments in platform.browsers]
    return [[program, *arguments] for program, arguments in found if program]


class Opening:
    """A link on its way to a browser: the next opener is tried when one fails, and none is waited for."""

    def __init__(self, commands: list[list[str]], link: str, environment: Mapping[str, str]) -> None:
        self._left = [[*command, link] for command in commands]
        self._environment = environment
        self._process: processes.Started | None = None

    def has_failed(self) -> bool:
        """Go on to the next opener where the last one failed; whether none is left."""
        while self._process is None or self._process.poll() not in (None, 0):
            if not self._left:
                return True
            try:
                self._process = processes.start(self._left.pop(0), self._environment)
            except OSError:
                self._process = None
        return False
