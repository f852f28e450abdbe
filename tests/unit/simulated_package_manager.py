# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""dnf, yum, rpm and brew as far as the collection asks them: ``STATE PROGRAMS NAME ARGUMENTS...``.

What is offered and installed are files with four parts: version, names of what it needs, name of its program, and that program's text.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn


class Manager:
    def __init__(self, state: Path, programs: Path) -> None:
        self.state, self.programs = state, programs

    def end(self, said: str, status: int = 1) -> NoReturn:
        print(said, file=sys.stderr)
        sys.exit(status)

    def _file(self, kind: str, name: str) -> Path:
        return self.state / kind / name.replace("/", "%")

    def offered(self, name: str) -> list[str]:
        path = self._file("offered", name)
        return path.read_text().split("\n", 3) if path.exists() else []

    def installed(self) -> list[str]:
        return sorted(one.name for one in (self.state / "installed").iterdir())

    def needs(self, names: Iterable[str]) -> list[str]:
        found: list[str] = []
        for name in names:
            for one in self.offered(name)[1].split() if self.offered(name) else ():
                found += [one, *self.needs([one])]
        return list(dict.fromkeys(found))

    def users(self, name: str) -> list[str]:
        short = name.rpartition("/")[2]
        return [
            one
            for one in self.installed()
            if short in (self.state / "installed" / one).read_text().split("\n", 3)[1].split()
        ]

    def install(self, names: list[str]) -> None:
        for name in [*self.needs(names), *names]:
            path = self._file("offered", name)
            shutil.copy(path, self.state / "installed" / path.name)
            _version, _needs, program, content = path.read_text().split("\n", 3)
            for one in program.split():
                (self.programs / one).write_text(content)
                (self.programs / one).chmod(0o755)

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            for path in (self.state / "installed").glob(f"*{name}"):
                if path.name.rpartition("%")[2] == name.rpartition("/")[2]:
                    for one in path.read_text().split("\n", 3)[2].split():
                        (self.programs / one).unlink()
                    path.unlink()


def dnf(manager: Manager, arguments: list[str]) -> None:
    words = [one for one in arguments if not one.startswith("-") and one != "%{name}\n"]
    if "list" in words:
        found = manager.offered(words[-1])
        if not found:
            manager.end("Error: No matching Packages to list")
        print(f"Available Packages\n{words[-1]}.x86_64    1:{found[0]}-1.el9    appstream")
    elif "repoquery" in words:
        print("\n".join(manager.needs(words[1:])))
    elif "install" in words:
        if not all(map(manager.offered, words[1:])):
            manager.end("Error: Unable to find a match")
        manager.install(words[1:])
    else:
        manager.end(f"not simulated: {arguments}", 64)


def rpm(manager: Manager, arguments: list[str]) -> None:
    names = [one for one in arguments if not one.startswith("-") and "%" not in one]
    if arguments[0] == "-qa":
        print("\n".join(manager.installed()))
    elif "--whatprovides" in arguments:
        print(names[-1].partition(".so")[0])
    elif arguments[0] == "-e":
        needed = [(one, who) for one in names for who in manager.users(one) if who not in names]
        if needed:
            said = (f"\t{one}.so.1()(64bit) is needed by (installed) {who}-1-1.el9.x86_64" for one, who in needed)
            manager.end("\n".join(("error: Failed dependencies:", *said)))
        if "--test" not in arguments:
            manager.remove(names)
    else:
        manager.end(f"not simulated: {arguments}", 64)


def brew(manager: Manager, arguments: list[str]) -> None:
    verb, names = arguments[0], [one for one in arguments[1:] if not one.startswith("-")]
    if verb == "tap":
        print("\n".join(one.name.replace("%", "/") for one in (manager.state / "taps").iterdir()))
    elif verb == "list":
        full = "--full-name" in arguments
        print("\n".join(one.replace("%", "/") if full else one.rpartition("%")[2] for one in manager.installed()))
    elif verb == "deps":
        print("\n".join(manager.needs(names)))
    elif verb == "uses":
        print("\n".join(manager.users(names[0])))
    elif verb == "install":
        if not manager.offered(names[0]):
            manager.end(f'Error: No available formula with the name "{names[0]}".')
        if "/" in names[0]:
            (manager.state / "taps" / names[0].rpartition("/")[0].replace("/", "%")).touch()
        manager.install(names)
    elif verb == "uninstall":
        manager.remove(names)
    elif verb == "untap":
        (manager.state / "taps" / names[0].replace("/", "%")).unlink()
    else:
        manager.end(f"not simulated: {arguments}", 64)


if __name__ == "__main__":
    state, programs, name, *given = sys.argv[1:]
    with Path(state, "starts").open("a") as stream:
        stream.write(" ".join([name, *given]).replace("\n", " ") + "\n")
    {"dnf": dnf, "yum": dnf, "rpm": rpm, "brew": brew}[name](Manager(Path(state), Path(programs)), given)
