# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's terminal: what they type, they type into a login shell."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from plugins.module_utils.places import DATA_DIRECTORY
from plugins.module_utils.places import LAUNCHERS as _LAUNCHERS

LAUNCHERS = Path(*DATA_DIRECTORY, _LAUNCHERS)
"""Below a home: commands of ours that come first on PATH."""


def typed(home: Path, line: str, within: Sequence[str] = (), **own: str) -> subprocess.CompletedProcess[str]:
    """Type a line, with nothing in the environment but a home, the usual path with Node.js, and ``own``.

    ``within`` is what the shell is started with, such as ``ip netns exec``.
    """
    node = os.path.dirname(shutil.which("node") or "/usr/bin/node")
    return subprocess.run(
        [*within, "bash", "-l", "-c", line],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={"HOME": str(home), "PATH": f"{node}:/usr/bin:/bin", "LANG": "C.UTF-8", **own},
        cwd=home,
        timeout=180,
        check=False,
    )
