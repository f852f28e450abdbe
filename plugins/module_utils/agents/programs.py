# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where programs are on a host: on PATH, in the usual places, and with managers of versions of Node.js. Reads files only."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping

from ..platforms import without_windows

USUAL_DIRECTORIES = ("/usr/local/bin", "/opt/homebrew/bin", "/usr/bin", "/bin", "/home/linuxbrew/.linuxbrew/bin")
_MANAGERS = (
    # (a variable with the manager's directory, its usual places in a home, where programs are in it)
    ("NVM_DIR", (".nvm",), ("versions/node/*/bin",)),
    (
        "FNM_DIR",
        (".local/share/fnm", ".fnm", "Library/Application Support/fnm"),
        ("node-versions/*/installation/bin",),
    ),
    (
        "VOLTA_HOME",
        (".volta",),
        ("tools/image/node/*/bin", "tools/image/packages/*/bin", "tools/image/packages/@*/*/bin"),
    ),
    ("MISE_DATA_DIR", (".local/share/mise",), ("installs/node/*/bin", "installs/npm-*/*/bin", "installs/claude*/*")),
    ("ASDF_DATA_DIR", (".asdf",), ("installs/nodejs/*/bin",)),
    ("NODENV_ROOT", (".nodenv",), ("versions/*/bin",)),
    ("N_PREFIX", ("n",), ("bin",)),
    ("PNPM_HOME", (".local/share/pnpm", "Library/pnpm"), (".", "bin")),
    ("BUN_INSTALL", (".bun",), ("bin",)),
    # Formulas of an older line of Node.js are linked to nowhere.
    (
        "HOMEBREW_PREFIX",
        ("/opt/homebrew", "/usr/local", "/home/linuxbrew/.linuxbrew"),
        ("opt/node@*/bin", "opt/node/bin"),
    ),
    ("", (".npm-global", ".npm-packages", ".nix-profile"), ("bin",)),
)
"""Managers of versions of Node.js put their directories on PATH in an interactive shell only, or put shims there: programs that decide
anew at each start, and may fetch what they start. Nothing of a manager is started: what it has installed stands in files.
"""


def search_path(home: str, environment: Mapping[str, str]) -> str:
    """All of those, as a PATH."""
    managed = directories_of_managers(home, environment)
    own = os.path.join(home, ".local", "bin")
    return os.pathsep.join([*given_directories(environment), *USUAL_DIRECTORIES, own, *managed])


def given_directories(environment: Mapping[str, str]) -> list[str]:
    """Of PATH, those in which programs of this system can be."""
    given = environment.get("PATH", "").split(os.pathsep)
    return without_windows([one for one in given if os.path.isabs(one)])


def directories_of_managers(home: str, environment: Mapping[str, str]) -> list[str]:
    """Where managers of versions of Node.js keep programs; of each manager the newest first."""
    found = []
    for variable, usual, below in _MANAGERS:
        named = environment.get(variable, "") if variable else ""
        for root in [named] if os.path.isabs(named) else [os.path.join(home, one) for one in usual]:
            for pattern in below if os.path.isdir(root) else ():
                matching = glob.glob(os.path.join(glob.escape(root), pattern))
                found.extend(sorted(map(os.path.normpath, matching), key=_numbers, reverse=True))
    return found


def _numbers(path: str) -> list[int]:
    return [int(one) for one in re.findall(r"\d+", path)]
