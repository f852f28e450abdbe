# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the doctor's module on the host and print its report here, one line for each check."""

from __future__ import annotations

from typing import Any

from ansible import constants as C
from ansible.utils.display import Display

from ..plugin_utils.unkept import Unkept

_COLOURS = {"PASS": C.COLOR_OK, "FAIL": C.COLOR_ERROR, "WARN": C.COLOR_WARN, "SKIP": C.COLOR_SKIP}


class ActionModule(Unkept):
    """One module call on the host; the report goes through Display, where ``debug`` would show one escaped string."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        display = Display()
        name = (task_vars or {}).get("inventory_hostname", "host")
        checks = result.get("checks", [])
        several = len({check["home"] for check in checks}) > 1
        for check in checks:
            host = f"{name} {check['home']}" if several else name
            line = f"{host}: {check['status']}  {check['category']:<13} {check['check']}: {check['detail']}"
            display.display(line, color=_COLOURS.get(check["status"]))
            if check["fix"]:
                display.display(f"{' ' * len(host)}        {'':<13} -> {check['fix']}")
        if result.get("failed") and "checks" in result:
            # Ansible prints a failed result as one line of JSON; the report above says it better.
            result = {**result, "checks": [check for check in result["checks"] if check["status"] != "PASS"]}
        return dict(result)
