# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Package managers for tests. apt and dpkg are the real ones, with a database, package sources and a root directory of their own; dnf
with rpm, and Homebrew, are simulated as far as they are asked: same words, same answers, a directory of files for what is installed.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

_REAL = {name: str(shutil.which(name)) for name in ("apt-get", "apt-cache", "dpkg", "dpkg-query", "dpkg-deb")}
"""Found before a test says what is on PATH."""
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_SIMULATED = Path(__file__).with_name("simulated_package_manager.py")


class Apt:
    """A Debian's root directory. ``programs`` has apt's and dpkg's programs, which work on it, and write down each of their starts."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "root"
        self.programs = directory / "apt-programs"
        self._repository = directory / "repository"
        self._starts = directory / "starts"
        self._starts.touch()
        for one in ("etc/apt", "var/lib/dpkg/updates", "var/lib/dpkg/info", "var/lib/apt/lists/partial", "var/log/apt"):
            (self.root / one).mkdir(parents=True)
        (self.root / "var/cache/apt/archives/partial").mkdir(parents=True)
        for one in ("status", "available"):
            (self.root / "var/lib/dpkg" / one).touch()
        self._repository.mkdir()
        (self._repository / "Packages").touch()
        (self.root / "etc/apt/sources.list").write_text(f"deb [trusted=yes] file:{self._repository} ./\n")
        config = directory / "apt.conf"
        config.write_text(
            f'Dir "{self.root}";\nDir::State::status "{self.root}/var/lib/dpkg/status";\nAPT::Sandbox::User "root";\n'
            f'Dir::Etc::parts "none";\nDir::Bin::methods "/usr/lib/apt/methods";\nDir::Bin::dpkg "{self.programs}/dpkg";\n'
        )
        self.programs.mkdir()
        for name, own in (
            ("apt-get", ""),
            ("apt-cache", ""),
            ("dpkg", "--root={root}"),
            ("dpkg-query", "--root={root}"),
        ):
            start = f'APT_CONFIG={config} exec {_REAL[name]} {own.format(root=self.root)} "$@"'
            script = f'#!/bin/sh\necho "{name} $*" >>{self._starts}\nPATH={_PATH} {start}\n'
            (self.programs / name).write_text(script)
            (self.programs / name).chmod(0o755)

    def publish(self, name: str, version: str, needs: str = "", **files: str) -> Path:
        """Put a package into the package sources; ``files`` are programs, by name. Returns the package's file."""
        tree = self._repository.parent / "packing"
        (tree / "DEBIAN").mkdir(parents=True)
        control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: a test <t@example.com>\n"
        control += f"Depends: {needs}\n" if needs else ""
        control += "Description: for tests\n"
        (tree / "DEBIAN/control").write_text(control)
        for file, content in files.items():
            path = tree / "usr/bin" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            path.chmod(0o755)
        made = self._repository / f"{name}_{version}.deb"
        pack = [_REAL["dpkg-deb"], "--build", "-Znone", str(tree), str(made)]
        subprocess.run(pack, check=True, capture_output=True, env={"PATH": _PATH})
        shutil.rmtree(tree)
        digest = hashlib.sha256(made.read_bytes()).hexdigest()
        entry = f"{control}Filename: ./{made.name}\nSize: {made.stat().st_size}\nSHA256: {digest}\n\n"
        with (self._repository / "Packages").open("a") as stream:
            stream.write(entry)
        self.do("apt-get", "-qq", "update")
        return made

    def do(self, *command: str) -> str:
        """As the machine's administrator. It is no start that counts."""
        before = self._starts.read_text()
        done = subprocess.run([self.programs / command[0], *command[1:]], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        self._starts.write_text(before)
        return done.stdout

    def installed(self) -> set[str]:
        return set(self.do("dpkg-query", "-W", "-f", "${Package}\\n").split())

    def starts(self) -> list[str]:
        """What was started since the last call."""
        told = self._starts.read_text().splitlines()
        self._starts.write_text("")
        return told


class Simulated:
    """``programs`` has the programs of one simulated package manager."""

    def __init__(self, directory: Path, python: str, *names: str) -> None:
        self.programs = directory / "simulated-programs"
        self._state = directory / "simulated"
        for one in ("offered", "installed", "taps"):
            (self._state / one).mkdir(parents=True)
        self.programs.mkdir()
        for name in names:
            script = f'#!/bin/sh\nexec {python} -I {_SIMULATED} {self._state} {self.programs} {name} "$@"\n'
            (self.programs / name).write_text(script)
            (self.programs / name).chmod(0o755)

    def publish(self, name: str, version: str, needs: str = "", program: str = "", content: str = "") -> None:
        path = self._state / "offered" / name.replace("/", "%")
        path.write_text(f"{version}\n{needs}\n{program}\n{content}")

    def tapped(self, name: str) -> None:
        (self._state / "taps" / name.replace("/", "%")).touch()

    def taps(self) -> set[str]:
        return {one.name.replace("%", "/") for one in (self._state / "taps").iterdir()}

    def add(self, name: str) -> None:
        """As somebody else's doing."""
        shutil.copy(self._state / "offered" / name, self._state / "installed" / name)

    def installed(self) -> set[str]:
        return {one.name.rpartition("%")[2] for one in (self._state / "installed").iterdir()}

    def starts(self) -> list[str]:
        path = self._state / "starts"
        told = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return told
