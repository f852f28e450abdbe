# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a run as the file that ``coding_agents_report`` names: a host that failed has its checks nowhere else."""

from __future__ import annotations

import json
from typing import Any

from tests.control_node import Play

REPORT = "report.json"
"""Value of ``coding_agents_report``: in the directory of the play."""


def checks(play: Play, status: str = "", host: str = "host") -> list[dict[str, Any]]:
    """What the doctor found on a host."""
    found = json.loads((play.directory / REPORT).read_text())["hosts"][host]["checks"]
    return [one for one in found if not status or one["status"] == status]
