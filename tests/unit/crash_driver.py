# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One rollout or uninstall in a process of its own, to be killed: ``python -m tests.unit.crash_driver HOME [URL]``."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import bring

from tests.unit.homes import COMPONENTS, everything, owner_of

if __name__ == "__main__":
    home = Path(sys.argv[1])
    bring(owner_of(home), COMPONENTS, everything(home, sys.argv[2]) if len(sys.argv) > 2 else [], check=False)
