# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host program's parts are called with: an owner, and every option there is."""

from __future__ import annotations

import base64
import copy
import functools
import zlib
from typing import Any

from ansible_collections.fmapi.coding_agents.plugins.module_utils.options.judge import VARIABLES
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import program

from tests.unit.homes import owner_of

__all__ = ["NO_TOOLS", "URL", "carried", "options_for", "owner_of", "packed"]

URL = "https://dbc-1.cloud.databricks.com"
"""Of a workspace that nothing is asked of."""

NO_TOOLS = {"toolchain_sources": ["already_present"]}
"""No test asks a vendor for what a host lacks."""


def options_for(**own: Any) -> dict[str, Any]:
    """Every option by its default, as a module that carries the host program has them; ``own`` are set.

    Routing is decided, as it is before a host is reached; no tool is fetched from its vendor.
    """
    filled = {name: copy.deepcopy(option.get("default")) for name, option in VARIABLES.items()}
    decided = {"workspace_url": URL, "routing": "gateway", "routing_reason": "as set", "carried": carried()}
    return {**filled, **decided, **NO_TOOLS, **own}


def carried(with_program: bool = True, **more: Any) -> dict[str, Any]:
    """The option of that name: the host program's digest, and its bytes unless it is a call that only compares."""
    return {"program_sha256": program.digest(), **({"program": packed()} if with_program else {}), **more}


@functools.cache
def packed(content: bytes = b"") -> str:
    """A program (the real one if none is given) as it travels."""
    return base64.b64encode(zlib.compress(content or program.program())).decode()
