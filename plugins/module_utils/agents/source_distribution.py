# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools from the packages of a Linux distribution: apt, and dnf or yum. It needs root, and what stands is never changed by it."""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Mapping, Sequence
from typing import Callable, NamedTuple

from ..platforms import OS_RELEASE, PLATFORMS, TESTED, UNPROVEN, platform_of
from . import source_system
from .source_system import NODE, Offer, PackageManager
from .sources import Settings, text_of

_MOST_NAMED = 3


class Commands(NamedTuple):
    """One row of the table: how a package manager is asked, and by which pattern its answer is read."""

    program: str
    packages: Mapping[str, Sequence[Sequence[str]]]
    offered: tuple[Sequence[str], str]
    """The version that it would install."""
    planned: tuple[Sequence[str], str]
    """The packages that would be new."""
    changed: str
    """In the plan: a package that stands, and would be another or gone."""
    installed: tuple[Sequence[str], str]
    install: Sequence[str]
    tried_removal: tuple[Sequence[str], str]
    """Removes nothing, and says what is needed, and by whom."""
    provider: Sequence[str]
    """Whose a thing is that is needed, where not the package is named."""
    remove: Sequence[str]
    """Refuses where something is needed."""
    proof: str
    """How it is known that it is asked rightly, and answers as it is read here."""


# Without these it would write down what it has read, and what it has planned.
_READ_ONLY = ("-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "-o", "Dir::Log::Planner=/dev/null")
_APT = Commands(
    program="apt-get",
    # The former where the distribution has npm for itself, the latter where it comes with Node.js and both cannot stand together.
    packages={NODE: (("nodejs", "npm"), ("nodejs",))},
    offered=(("apt-cache", *_READ_ONLY, "policy"), r"(?m)^  Candidate: (?:\d+:)?(\d+(?:\.\d+)*)"),
    planned=(
        ("apt-get", "--simulate", *_READ_ONLY, "--no-install-recommends", "install"),
        r"(?m)^Inst (\S+) \(",
    ),
    changed=r"(?m)^(?:Remv (\S+)|Inst (\S+) \[)",
    installed=(("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package}\\n"), r"(?m)^[a-z]i. (\S+)$"),
    install=(
        *("apt-get", "-y", "-q", "--no-install-recommends", "--no-remove"),
        *("-o", "DPkg::Lock::Timeout=20", "-o", "Dpkg::Use-Pty=0", "-o", "Acquire::Retries=1"),
        *("-o", "Acquire::http::Timeout=15", "-o", "Acquire::https::Timeout=15", "install"),
    ),
    tried_removal=(
        ("dpkg", "--simulate", "--abort-after=9999", "--purge"),
        r"(?m)^dpkg: dependency problems prevent removal of ([^\s:]+)\S*:\n (\S+)",
    ),
    provider=(),
    remove=("dpkg", "--purge"),
    proof=TESTED,
)
_DNF = Commands(
    program="dnf",
    packages={NODE: (("nodejs", "npm"),)},
    offered=(("dnf", "-q", "-C", "list", "--available"), r"(?m)^nodejs\.\S+\s+(?:\d+:)?(\d+(?:\.\d+)*)"),
    planned=(
        ("dnf", "-q", "-C", "repoquery", "--requires", "--resolve", "--recursive", "--qf", "%{name}\n"),
        r"(?m)^(\S+)$",
    ),
    changed="",
    installed=(("rpm", "-qa", "--qf", "%{NAME}\n"), r"(?m)^(\S+)$"),
    install=(
        "dnf",
        "-y",
        "-q",
        "--setopt=install_weak_deps=False",
        "--setopt=timeout=15",
        "--setopt=retries=1",
        "install",
    ),
    tried_removal=(("rpm", "-e", "--test"), r"(?m)^\s*(\S.*?) is needed by \(installed\) (\S+)"),
    provider=("rpm", "-q", "--qf", "%{NAME}\n", "--whatprovides"),
    remove=("rpm", "-e"),
    proof=UNPROVEN,
)
_YUM = _DNF._replace(
    program="yum",
    offered=(("yum", "-q", "-C", "list", "available"), _DNF.offered[1]),
    planned=((), ""),
    install=("yum", "-y", "-q", "--setopt=timeout=15", "--setopt=retries=1", "install"),
)
ROWS: Mapping[str, Sequence[Commands]] = {
    "debian": (_APT,),
    "wsl1": (_APT,),
    "wsl2": (_APT,),
    "redhat": (_DNF, _YUM),
}
"""By the row of :data:`PLATFORMS`; each has the packages of its kind of distribution."""


class Distribution(PackageManager):
    """What the host's own distribution has."""

    def __init__(self, commands: Commands) -> None:
        super().__init__()
        self._commands = commands
        self.name = commands.program.partition("-")[0]
        self.packages = commands.packages

    def refusal(self, settings: Settings) -> str:
        if shutil.which(self._commands.program, path=settings.path) is None:
            return f"{self._commands.program} is not there"
        return "" if source_system.is_root() else "it needs root"

    def offer(self, tool: str, fits: Callable[[str], bool], settings: Settings) -> Offer | str:
        told = f"it has no {tool}"
        for names in self.packages.get(tool, ()):
            command, pattern = self._commands.offered
            found = re.search(pattern, self._answer([*command, names[0]], settings).stdout)
            if found is None:
                return f"its package lists have no {names[0]}"
            if not fits(found[1]):
                return f"{names[0]} {found[1]} is too old"
            told = self._obstacle(names, settings)
            if not told:
                return Offer(self.name, names, found[1])
        return told

    def _obstacle(self, names: Sequence[str], settings: Settings) -> str:
        """Why these cannot be installed, or not without a change to what stands; empty where they can, as far as the plan tells."""
        if not self._commands.changed:
            return f"{names[0]} stands there in another version" if names[0] in self.installed(settings) else ""
        done = self._answer([*self._commands.planned[0], *names], settings)
        if done.status:
            return f"{' and '.join(names)} cannot be installed beside what stands"
        changed = ["".join(one) for one in re.findall(self._commands.changed, done.stdout)]
        return f"it would change {', '.join(changed[:_MOST_NAMED])}, which stood before" if changed else ""

    def new(self, offer: Offer, settings: Settings) -> list[str]:
        command, pattern = self._commands.planned
        planned = re.findall(pattern, self._said([*command, *offer.names], settings).stdout) if command else []
        return sorted({*offer.names, *planned} - self.installed(settings))

    def install(self, offer: Offer, settings: Settings) -> None:
        self._done([*self._commands.install, *offer.names], offer.names, settings, "installed")

    def installed(self, settings: Settings) -> set[str]:
        command, pattern = self._commands.installed
        return set(re.findall(pattern, self._answer(command, settings).stdout))

    def needed(self, names: Sequence[str], settings: Settings) -> dict[str, str]:
        command, pattern = self._commands.tried_removal
        done = self._said([*command, *names], settings)
        needed = re.findall(pattern, f"{done.stdout}\n{done.stderr}") if done.status else []
        found = {}
        for what, who in needed:
            owners = [what]
            if self._commands.provider and what not in names:
                owners = self._said([*self._commands.provider, what], settings).stdout.split()
            found.update(dict.fromkeys(owners, who))
        return found

    def remove(self, names: Sequence[str], settings: Settings) -> None:
        self._done([*self._commands.remove, *names], names, settings, "removed")

    def _own_environment(self) -> Mapping[str, str]:
        return {"DEBIAN_FRONTEND": "noninteractive"}


MANAGERS: Mapping[str, PackageManager] = {one.name: one for one in map(Distribution, (_APT, _DNF, _YUM))}


def of_this_host(settings: Settings) -> PackageManager | str:
    """The package manager of this host's distribution, or why there is none."""
    row = platform_of(platform.system(), platform.release(), settings.environment, text_of(OS_RELEASE))
    names = [one.program for one in ROWS.get(row, ())]
    if not names:
        return f"{PLATFORMS[row].title} has none that is known here"
    program = next((one for one in names if shutil.which(one, path=settings.path)), names[0])
    return MANAGERS[program.partition("-")[0]]
