# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack the host program: on the control node, from the sources of this collection.

Its bytes are the same for the same sources, so a digest tells whether a host has the current one.
"""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile
from pathlib import Path

from .. import module_utils
from ..module_utils.loading import PACKAGE

_ROOMS = ("engine", "agents", "parts", "host_program", "command")
_LEAVES = (
    "by_memory",
    "careful",
    "errors",
    "examining",
    "leavings",
    "lending",
    "listing",
    "loading",
    "places",
    "platforms",
    "processes",
    "rollout",
    "routing",
    "version",
    "web",
)
"""What runs on hosts. A test compares this with the imports."""
_OF_THE_RELAY = ("__init__", "clients", "control", "places", "running", "settings")
"""Of the relay's room, what others need to start it and to ask it. The relay itself is another file (relay_program.py)."""
_OF_MODULES = ("owners.py",)
"""In those rooms, what a module needs before it becomes an owner, and the program never."""

_MAIN = f"import sys\nfrom {PACKAGE}.command import main\nsys.exit(main())\n"


@functools.lru_cache(maxsize=1)
def program() -> bytes:
    """The zipapp (nothing is compressed, times are fixed)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, source in sorted(_files().items()):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), source)
    return b"#!/usr/bin/env python3\n" + buffer.getvalue()


@functools.lru_cache(maxsize=1)
def digest() -> str:
    """SHA-256 of the zipapp, hexadecimal."""
    return hashlib.sha256(program()).hexdigest()


def _files() -> dict[str, bytes]:
    """Each file of the zipapp by its name."""
    here = Path(module_utils.__path__[0])
    paths = [
        *(here / f"{name}.py" for name in _LEAVES),
        *(here / "relay" / f"{name}.py" for name in _OF_THE_RELAY),
        *(path for room in _ROOMS for path in (here / room).rglob("*.py") if path.name not in _OF_MODULES),
    ]
    files = {f"{PACKAGE}/{path.relative_to(here).as_posix()}": path.read_bytes() for path in paths}
    return {"__main__.py": _MAIN.encode(), f"{PACKAGE}/__init__.py": b"", **files}
