# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module call takes along to its host: the host program and a certificate authority of the control node.

A call that only compares gets the program's digest; its bytes travel to hosts where they differ.
"""

from __future__ import annotations

import base64
import os
import zlib
from collections.abc import Mapping
from typing import Any

from ..module_utils.errors import OperatorError
from ..module_utils.workspace.certificates import read_certificates
from . import program

_LARGEST = 64 * 1024
"""Bytes. A larger file of certificates is a system's own, which hosts have."""


def carried(options: Mapping[str, Any], with_program: bool) -> dict[str, str]:
    """The option ``carried`` of a host's module. Raises OperatorError for a certificate authority that cannot be used."""
    content = program.program()
    found = {"program_sha256": program.digest()}
    if with_program:
        found["program"] = base64.b64encode(zlib.compress(content, 9)).decode()
    authority = certificate_authority(options.get("ca_file"))
    return {**found, "ca": authority} if authority else found


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
