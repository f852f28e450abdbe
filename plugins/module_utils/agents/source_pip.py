# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that come from a Python index, each in a virtual environment of its own."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .. import processes
from ..errors import OperatorError
from .sources import (
    ANSWER_SECONDS,
    START_SECONDS,
    Settings,
    Source,
    certificates_file,
    environment_for,
    names_in,
    registry_of,
    run,
    scratch_directory,
    text_of,
    write,
)


class Pip(Source):
    """A package of a Python index, in a virtual environment. ``pythons`` are the versions that it runs on, the best one first."""

    name = "pip"
    place = "pypi/simple/"
    """In a mirror."""
    """Of the vendor's own index: so it is called in a mirror."""
    _SETTINGS = re.compile(r"PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|CERT|CONFIG_FILE)")
    """Of pip's own variables, those that say where packages come from; others say where they go."""

    def __init__(
        self, package: str, extras: Sequence[str] = (), pythons: Sequence[str] = (), trial: str = Source.trial
    ) -> None:
        super().__init__(package)
        self.trial = trial
        self.extras = tuple(extras)
        self.pythons = tuple(pythons)

    def fetch(self, version: str, directory: str, settings: Settings, lock: Any = None) -> None:
        what = f"{self.package} {version}"
        registry = registry_of("the Python index", settings.pip_index, "coding_agents_pip_index", settings, self.place)
        with scratch_directory() as scratch:
            # pip starts any rustc that it finds, and the first start of one that rustup manages leaves files in the home.
            environment = {**environment_for(settings, scratch), "RUSTUP_HOME": os.path.join(scratch, "rustup")}
            python = self._python(what, environment, settings)
            run(self.name, [python, "-I", "-m", "venv", directory], environment, what, registry, (directory,))
            environment.update(
                (name, value) for name, value in settings.environment.items() if self._SETTINGS.fullmatch(name)
            )
            if settings.certificates:
                environment["PIP_CERT"] = certificates_file(settings, scratch)
            if settings.proxy:
                environment["PIP_PROXY"] = settings.proxy
            # Not on the command line, which every user of the machine can read: an index may be named with a password.
            requirements = os.path.join(scratch, "requirements.txt")
            extras = f"[{','.join(self.extras)}]" if self.extras else ""
            index = [f"--index-url {registry.named}"] if registry.named else []
            write(requirements, "\n".join((*index, *(lock or (f"{self.package}{extras}=={version}",)), "")))
            command = [os.path.join(directory, "bin", "python"), "-I", "-m", "pip", "install", "--no-input", "--quiet"]
            command += ["--disable-pip-version-check", "--cache-dir", os.path.join(scratch, "cache")]
            command += ["--retries", "1", "--timeout", str(ANSWER_SECONDS), "--requirement", requirements]
            # No package is built: what it would be built with is in no lock.
            command += ["--no-deps", "--require-hashes", "--only-binary=:all:"] if lock else []
            run(self.name, command, environment, what, registry, (scratch, directory))
        self._require(version, directory)

    def needed(self, version: str, settings: Settings) -> str:
        try:
            self.require(version, settings)
        except OperatorError as error:
            return error.way_out
        return ""

    def require(self, version: str, settings: Settings) -> None:
        with scratch_directory() as scratch:
            self._python(f"{self.package} {version}", environment_for(settings, scratch), settings)

    def installed_version(self, directory: str) -> str | None:
        return next((version for version, _information in self._installed(directory)), None)

    def version_of(self, program: str) -> str | None:
        """Told by the package that lists the program among its files."""
        program = os.path.realpath(program)
        command = f"/bin/{os.path.basename(program)}"
        for version, information in self._installed(os.path.dirname(os.path.dirname(program))):
            listed = text_of(os.path.join(information, "RECORD")).splitlines()
            if any(line.partition(",")[0].endswith(command) for line in listed):
                return version
        return None

    def _installed(self, root: str) -> Iterator[tuple[str, str]]:
        """Versions of the package below ``root``, for each Python there, and the directory with what pip noted about it."""
        library = os.path.join(root, "lib")
        for python in names_in(library):
            for kind in ("site-packages", "dist-packages"):
                packages = os.path.join(library, python, kind)
                for name in names_in(packages) if python.startswith("python3") else ():
                    title, _dash, version = name[: -len(".dist-info")].rpartition("-")
                    if name.endswith(".dist-info") and _normal(title) == _normal(self.package):
                        yield version, os.path.join(packages, name)

    def _python(self, what: str, environment: Mapping[str, str], settings: Settings) -> str:
        """A Python that makes virtual environments. Some that are found answer with an error only (a shim, a part of a package)."""
        path = settings.path
        named = [shutil.which(f"python{version}", path=path) for version in self.pythons]
        running = [] if settings.for_all_users else [sys.executable]  # which may be root's own
        for python in (*named, *running, shutil.which("python3", path=path)):
            version = _version_of_python(python, environment) if python else ""
            if python and version and version in (self.pythons or (version,)):
                return python
        wanted = f"Python {' or '.join(self.pythons)}" if self.pythons else "Python 3"
        way_out = f"Install {wanted} with its module venv"
        raise OperatorError(f"cannot be fetched: it needs {wanted}, which is not there", what, way_out)


def _version_of_python(python: str, environment: Mapping[str, str]) -> str:
    """``3.13``, or nothing where this Python makes no virtual environments."""
    question = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    with contextlib.suppress(OSError):
        done = processes.run([python, "-I", "-c", question], environment, START_SECONDS)
        return done.stdout.strip() if done.status == 0 else ""
    return ""


def _normal(name: str) -> str:
    """A Python package's name as its index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
