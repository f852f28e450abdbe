# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack the host program: once in a run of Ansible, on the control node, from the sources of this collection.

Its bytes are the same for the same sources, so a digest tells whether a host has the current one.
"""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile
from pathlib import Path

from .. import module_utils

_PACKAGE = "coding_agents"
_ROOM = "host_program"
_LEAVES = ("errors", "places", "processes", "engine/documents/base", "engine/documents/ini_document")
"""What the host program imports from outside its room. A test compares this with the imports."""

_MAIN = f"import sys\nfrom {_PACKAGE}.{_ROOM}.main import main\nsys.exit(main())\n"


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
    """Each file of the zipapp by its name. No package's own ``__init__``: that of the documents would bring every format along."""
    here = Path(module_utils.__path__[0])
    names = [*_LEAVES, *(f"{_ROOM}/{path.stem}" for path in (here / _ROOM).glob("*.py") if path.stem != "__init__")]
    files = {f"{_PACKAGE}/{name}.py": (here / f"{name}.py").read_bytes() for name in names}
    packages = {parent for name in files for parent in Path(name).parents if str(parent) != "."}
    return {"__main__.py": _MAIN.encode(), **files, **{f"{package}/__init__.py": b"" for package in packages}}
