# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module call takes along to its host: the host program, parsers, and a certificate authority of the control node.

A call that only compares gets the program's digest; its bytes travel to hosts where they differ. Parsers and locks travel to hosts
that say they have a document to read or a program to fetch with them. Parsers are the control node's own: Python's, and PyYAML, which
ansible-core stands on.
"""

from __future__ import annotations

import base64
import functools
import importlib.util
import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..module_utils.errors import OperatorError
from ..module_utils.workspace.certificates import read_certificates
from . import program

_LARGEST = 64 * 1024
"""Bytes. A larger file of certificates is a system's own, which hosts have."""

_LIBRARIES: dict[str, tuple[str, ...]] = {
    "tomllib": ("__init__", "_parser", "_re", "_types"),
    # No more than what reads a text into events.
    "yaml": ("error", "tokens", "events", "nodes", "reader", "scanner", "parser", "resolver"),
}


def carried(
    options: Mapping[str, Any],
    with_program: bool,
    with_libraries: bool = False,
    relay: tuple[str, str] | None = None,
    with_relay: bool = False,
) -> dict[str, str]:
    """The option ``carried`` of a host's module. Raises OperatorError for a certificate authority that cannot be used.

    :param relay: where the relay is on the control node, and its digest, for a host that is to have one.
    """
    content = program.program()
    found = {"program_sha256": program.digest()}
    if with_program:
        found["program"] = base64.b64encode(zlib.compress(content, 9)).decode()
    if with_libraries:
        found["libraries"] = libraries()
    if relay is not None:
        path, found["relay_sha256"] = relay
        if with_relay:
            found["relay"] = base64.b64encode(zlib.compress(Path(path).read_bytes(), 6)).decode()
    authority = certificate_authority(options.get("ca_file"))
    return {**found, "ca": authority} if authority else found


_LOCKS = Path(__file__).with_name("locks.json")
"""By package and version: all that an installation of it consists of, and what their makers published (tests/ci/locks.py)."""


def locks() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_LOCKS.read_bytes())
    return found


@functools.lru_cache(maxsize=1)
def libraries() -> str:
    """The parsers' sources, and the locks of agents' programs. Raises OperatorError for an installation that has none."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        text = json.dumps(locks(), separators=(",", ":"))
        info = zipfile.ZipInfo("locks/__init__.py", (1980, 1, 1, 0, 0, 0))
        archive.writestr(info, f"import json\nLOCKS = json.loads({text!r})\n", zipfile.ZIP_DEFLATED, 9)
        for library, names in _LIBRARIES.items():
            sources = {"__init__": b"", **{name: _source(library, name) for name in names}}
            for name, source in sources.items():
                info = zipfile.ZipInfo(f"{library}/{name}.py", (1980, 1, 1, 0, 0, 0))
                archive.writestr(info, source, zipfile.ZIP_DEFLATED, 9)
    return base64.b64encode(buffer.getvalue()).decode()


def _source(library: str, name: str) -> bytes:
    spec = importlib.util.find_spec(library)
    for directory in (spec.submodule_search_locations if spec else None) or ():
        path = Path(directory, f"{name}.py")
        if path.is_file():
            return path.read_bytes()
    raise OperatorError(
        f"{library} has no source {name}.py on the control node, and a host needs it to read an agent's file",
        way_out="Use a Python that has its sources; of yaml: pip install --force-reinstall PyYAML",
    )


def certificate_authority(path: Any) -> str | None:
    """The certificates of ``coding_agents_ca_file`` if that file is on the control node; hosts that have no such file get them."""
    here = on_control_node(path)
    return None if here is None or os.path.getsize(here) > _LARGEST else read_certificates(here)


def on_control_node(path: Any) -> str | None:
    """Where ``coding_agents_ca_file`` is on the control node; None where only hosts have it.

    A relative path can only be meant here, from where ansible-playbook is started. Raises OperatorError.
    """
    if not path:
        return None
    absolute = os.path.abspath(os.path.expanduser(str(path)))
    if os.path.isfile(absolute):
        return absolute
    if not str(path).startswith(("/", "~")):
        raise OperatorError(
            "is not on the control node, and is no absolute path on hosts",
            f"coding_agents_ca_file {path}",
            "Name a file from where ansible-playbook is started, or one that every host has",
        )
    return None
