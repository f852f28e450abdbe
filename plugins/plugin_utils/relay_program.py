# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack the relay: on the control node, from the sources of this collection and the wheels that relay_requirements.txt names.

Wheels are fetched by pip once, proved by their sums, and kept in the control node's cache; so is what was packed of them. Its bytes
are the same for the same inputs, so a digest tells whether a host has the current one.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import io
import os
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .. import module_utils
from ..module_utils.agents import sources
from ..module_utils.agents.source_pip import Pip
from ..module_utils.errors import OperatorError
from ..module_utils.loading import PACKAGE
from ..module_utils.parts import relaying
from . import offline, run_store

REQUIREMENTS = Path(__file__).with_name("relay_requirements.txt")

OLDEST_PYTHON = "3.9"
"""Of a host: what pip is to fetch for, whatever the control node itself runs on."""

_ROOMS = ("relay", "host_program", "engine/documents")
_FILES = ("engine/__init__.py",)
_LEAVES = ("careful", "errors", "places", "platforms", "processes", "routing", "version", "web")
"""What it needs of the host program. A test compares this with the imports."""

_MAIN = f"import sys\nfrom {PACKAGE}.relay.main import main\nsys.exit(main())\n"
_CACHE = os.path.join("fmapi-coding-agents", "relay")
_WHAT = "the relay"
_LICENCE = re.compile(r"[^/]+\.dist-info/(?:licenses/)?(LICEN[CS]E|COPYING|NOTICE)[^/]*", re.IGNORECASE)
_NOT_PACKED = re.compile(r"(.+/)?tests?/.*|click/testing\.py|anyio/pytest_plugin\.py")
"""Modules that nothing imports where nothing is tested."""


class Pin(NamedTuple):
    """One line of the requirements."""

    name: str
    version: str
    sha256: str

    @property
    def wheel(self) -> str:
        return f"{self.name}-{self.version}-py3-none-any.whl"


def pins() -> list[Pin]:
    """What the relay consists of beside our own code."""
    found = re.findall(r"^([\w.-]+)==(\S+) \\\n +--hash=sha256:([0-9a-f]{64})$", REQUIREMENTS.read_text(), re.MULTILINE)
    return [Pin(*one) for one in found]


def lines() -> list[str]:
    """The same, a line for each, as locks of the collection have them."""
    return [f"{one.name}=={one.version} --hash=sha256:{one.sha256}" for one in pins()]


def lines_for(options: Mapping[str, Any]) -> list[str]:
    """The same; none where these options mean no relay."""
    return [] if relaying.life(options) == relaying.OFF else lines()


def packed(options: Mapping[str, Any]) -> tuple[str, str]:
    """Where the relay is on this control node, and its SHA-256: once for a run. Raises OperatorError where it cannot be had."""
    ways = [options.get(name) for name in ("mirror", "pip_index", "ca_file", "proxy", "no_proxy")]
    path, digest = run_store.once(["relay", ways], lambda: _packed(offline.settings_of(options)))
    return str(path), str(digest)


def _packed(settings: sources.Settings) -> list[str]:
    directory = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), _CACHE)
    path = os.path.join(directory, f"relay-{inputs()[:16]}.pyz")
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        with open(os.path.join(directory, "lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be at it
            content = _read(path)
            if content is None:
                content = pack(wheels(directory, settings))
                part = f"{path}.part"
                Path(part).write_bytes(content)
                os.replace(part, path)
                _forget_older(directory, path)
    except OSError as error:
        raise OperatorError(f"cannot be written ({error.strerror})", directory, "Mend that and run again") from None
    return [path, hashlib.sha256(content).hexdigest()]


def _read(path: str) -> bytes | None:
    """What was packed earlier, if it is whole: its name says of what, and its end is the directory of a zip archive."""
    try:
        content = Path(path).read_bytes()
    except OSError:
        return None
    return content if zipfile.is_zipfile(io.BytesIO(content)) else None


def _forget_older(directory: str, kept: str) -> None:
    for name in os.listdir(directory):
        if name.endswith(".pyz") and name != os.path.basename(kept):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(directory, name))


def wheels(directory: str, settings: sources.Settings) -> dict[str, bytes]:
    """Each wheel by its name, proved; fetched into ``directory`` where it is not there. Raises OperatorError."""
    found = _proved(directory)
    if len(found) < len(pins()):
        _fetch(directory, settings)
        found = _proved(directory)
    lacking = [one for one in pins() if one.wheel not in found]
    if lacking:
        problem = f"cannot be made: pip ended well, but {lacking[0].wheel} is not what its maker published"
        raise OperatorError(problem, _WHAT, "Check coding_agents_pip_index, and who can write to it")
    return found


def _proved(directory: str) -> dict[str, bytes]:
    """Those that are there and are what the requirements say."""
    found = {}
    for one in pins():
        with contextlib.suppress(OSError):
            content = Path(directory, one.wheel).read_bytes()
            if hashlib.sha256(content).hexdigest() == one.sha256:
                found[one.wheel] = content
    return found


def _fetch(directory: str, settings: sources.Settings) -> None:
    """Have pip fetch them, from where the operator says, else from where this control node's pip does. Raises OperatorError."""
    registry = sources.registry_of(
        "the Python index", settings.pip_index, "coding_agents_pip_index", settings, Pip.place
    )
    with sources.scratch_directory() as scratch:
        environment = {**os.environ, **settings.way_out, "TMPDIR": scratch}
        if settings.certificates:
            environment["PIP_CERT"] = sources.certificates_file(settings, scratch)
        if settings.proxy:
            environment["PIP_PROXY"] = settings.proxy
        # Not on the command line, which every user of the machine can read: an index may be named with a password.
        named = os.path.join(scratch, "requirements.txt")
        index = f"--index-url {registry.named}\n" if registry.named else ""
        sources.write(named, index + REQUIREMENTS.read_text())
        pip = [sys.executable, "-m", "pip"]
        _require_pip(pip, environment)
        command = [*pip, "download", "--no-input", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
        command += ["--retries", "1", "--timeout", str(sources.ANSWER_SECONDS), "--dest", directory]
        command += ["--require-hashes", "--no-deps", "--only-binary=:all:", "--python-version", OLDEST_PYTHON]
        sources.run("pip", [*command, "--requirement", named], environment, _WHAT, registry, (directory, scratch))


def _require_pip(pip: list[str], environment: Mapping[str, str]) -> None:
    """Raises OperatorError where this Python has none."""
    from ..module_utils import processes

    try:
        done = processes.run([*pip, "--version"], environment, sources.START_SECONDS)
    except (OSError, TimeoutError):
        done = None
    if done is None or done.status != 0:
        raise OperatorError(
            f"cannot be made on this control node: {sys.executable} has no pip, which fetches what the relay consists of",
            _WHAT,
            "Install pip for that Python, or set coding_agents_relay to off",
        )


@functools.lru_cache(maxsize=1)
def inputs() -> str:
    """One digest of all that it is made of, without a wheel at hand."""
    found = hashlib.sha256(REQUIREMENTS.read_bytes())
    for name, content in sorted(_own().items()):
        found.update(f"{name}\0{len(content)}\0".encode() + content)
    found.update(Path(__file__).read_bytes())  # another packer makes another file
    return found.hexdigest()


def pack(content: Mapping[str, bytes]) -> bytes:
    """The zipapp of these wheels and our own code. Nothing is compressed, which every zlib does in its own way; times are fixed."""
    files = _own()
    for wheel in sorted(content):
        files.update(_of_wheel(content[wheel]))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, source in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), source)
    return b"#!/usr/bin/env python3\n" + buffer.getvalue()


def _of_wheel(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Its modules, and its licences."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            licence = _LICENCE.fullmatch(name)
            if licence:
                yield f"licences/{name.partition('.dist-info/')[0]}/{name.rpartition('/')[2]}", archive.read(name)
            elif name.endswith(".py") and not _NOT_PACKED.fullmatch(name):
                yield name, archive.read(name)


def _own() -> dict[str, bytes]:
    """Our part of it, by name."""
    here = Path(module_utils.__path__[0])
    paths = [
        *(here / f"{name}.py" for name in _LEAVES),
        *(here / name for name in _FILES),
        *(path for room in _ROOMS for path in (here / room).rglob("*.py")),
    ]
    files = {f"{PACKAGE}/{path.relative_to(here).as_posix()}": path.read_bytes() for path in paths}
    return {"__main__.py": _MAIN.encode(), f"{PACKAGE}/__init__.py": b"", **files}
