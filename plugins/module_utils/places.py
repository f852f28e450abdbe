# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where our own files are, below the owner's home or for a whole machine, and the few words that modules and the host program share.

XDG variables are not asked: a desktop session and an ssh session may disagree about them.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

DATA_DIRECTORY = (".local", "share", "fmapi-coding-agents")
LAUNCHERS = "bin"
"""Below the data directory: commands of ours that come before the agents' own on PATH."""
CACHE_DIRECTORY = (".cache", "fmapi-coding-agents")
STATE_DIRECTORY = (".local", "state", "fmapi-coding-agents")

LEDGER_NAME = "ledger.json"

EVERYBODY = "all"
"""In place of users' names: all people of a host."""

USER, MACHINE = "user", "machine"
"""Scopes: files in a home, or files that every user of the host gets."""


class MachinePlaces(NamedTuple):
    """Where ours is that every user of a host starts and reads; only root can change it."""

    data: str
    state: str
    cache: str
    prefix: str
    """Below which agents' programs are installed: its directory ``bin`` is on everybody's PATH."""


_LIBRARY = "/Library/Application Support/fmapi-coding-agents"
_MACHINE_PLACES = {
    "linux": MachinePlaces(
        "/opt/fmapi-coding-agents",
        "/var/lib/fmapi-coding-agents",
        "/var/cache/fmapi-coding-agents",
        "/usr/local",
    ),
    "darwin": MachinePlaces(
        _LIBRARY,
        f"{_LIBRARY}/state",
        "/Library/Caches/fmapi-coding-agents",
        "/usr/local",
    ),
}

PROGRAM_NAME = "coding-agents.pyz"
"""The host program, in the data directory."""

PYTHON_RECORDS = "python-"
"""How the files begin, in the data directory, that say which interpreter the rollout ran on; the host's name is the rest."""

COMPILED = "program-"
"""How the files begin in which modules keep its compiled code, in the cache directory (see loading.py)."""

LIBRARIES = "parsers"
"""The file beside them that holds the parsers which a call has brought."""

CARRIED_LIBRARY = "coding_agents_carried_"
"""How the names of packages begin that a call has brought (see engine/documents/libraries.py)."""


class How(NamedTuple):
    """How a module was started: in check mode, with ``--diff``, with ``-v``."""

    check: bool = False
    diff: bool = False
    verbose: bool = False


def machine_places() -> MachinePlaces:
    """Those of the system that we are on."""
    return _MACHINE_PLACES.get(sys.platform, _MACHINE_PLACES["linux"])
