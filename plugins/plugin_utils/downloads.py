# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch on the control node what a host lacks, once for all hosts, and pack it for the way there (``coding_agents_download_on``)."""

from __future__ import annotations

import fcntl
import os
import re
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from ansible import constants

from ..module_utils.errors import OperatorError
from . import carrying, offline, run_store

_CACHE = os.path.join("fmapi-coding-agents", "downloads")
WAYS = ("mirror", "npm_registry", "pip_index", "ca_file", "proxy", "no_proxy")
"""Options that say where something is fetched, which hosts of one run may have different."""
_SYSTEMS = {"linux": "linux", "darwin": "macosx"}
"""As the names of wheels have them."""
_MACHINES = {"x86_64": ("x86_64", "universal2"), "arm64": ("aarch64", "arm64", "universal2")}
"""What names of wheels have, where that is not the kind of machine alone."""


def packed(needed: Sequence[Mapping[str, Any]], options: Mapping[str, Any]) -> str:
    """An archive with all of that, proved by our locks. Raises OperatorError.

    :param needed: what each owner of a host lacks, as the host has told it.
    """
    agents = {name: str(version) for one in needed for name, version in one["agents"].items()}
    tools = sorted({tool for one in needed for tool in one["tools"]})
    kind, python = str(needed[0]["platform"]), str(needed[0]["python"])
    key = ["downloads", agents, tools, kind, python, [options.get(name) for name in WAYS]]
    return str(run_store.once(key, lambda: _packed(agents, tools, kind, python, options)))


def _packed(agents: Mapping[str, str], tools: Sequence[str], kind: str, python: str, options: Mapping[str, Any]) -> str:
    directory = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), _CACHE)
    mirror = offline.Mirror(directory, offline.settings_of(options), check=False)
    descriptor, path = tempfile.mkstemp(dir=constants.DEFAULT_LOCAL_TMP, suffix=".tar")
    os.close(descriptor)
    try:
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, "lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # hosts of other kinds, and other runs, fill it too
            mirror.fill(agents, [kind], carrying.locks(), tools)
            with tarfile.open(path, "w") as archive:
                for place in dict.fromkeys(mirror.places):
                    if not place.endswith(".whl") or _fits(place, kind, python):
                        archive.add(os.path.join(directory, place), place)
    except OSError as error:
        raise OperatorError(f"cannot be written ({error.strerror})", directory, "Mend that and run again") from None
    return path


def _fits(wheel: str, kind: str, python: str) -> bool:
    """Whether a host of this kind can use a wheel, by the tags in its name."""
    pythons, abi, platforms = wheel[: -len(".whl")].split("-")[-3:]
    system, machine = kind.split("_", 1)
    major, minor = python.split(".")
    of_python = (
        bool(re.search(rf"(?:^|\.)(?:py{major}|cp{major}{minor}|py{major}{minor})(?:\.|$)", pythons)) or abi == "abi3"
    )
    of_platform = platforms == "any" or (
        _SYSTEMS[system] in platforms and any(one in platforms for one in _MACHINES.get(machine, (machine,)))
    )
    return of_python and of_platform
