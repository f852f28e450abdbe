# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what callbacks are told, one JSON object a line: tests read results from it instead of from printed text."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: record
type: notification
short_description: Record results as JSON lines
description:
  - Appends each result to the file that the environment variable C(TEST_RECORD_FILE) names.
requirements:
  - enable in configuration
"""


class CallbackModule(CallbackBase):
    """What other notification plugins get too: a secret that is in here is in somebody's log."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "record"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, **event: Any) -> None:
        with open(os.environ["TEST_RECORD_FILE"], "a", encoding="utf-8") as stream:
            stream.write(json.dumps(event, default=str) + "\n")

    def _result(self, status: str, result: Any) -> None:
        # The names without an underscore are those of ansible-core 2.19 and later.
        values = result.result if hasattr(result, "result") else result._result
        task = result.task if hasattr(result, "task") else result._task
        host = result.host if hasattr(result, "host") else result._host
        self._write(
            status=status, host=host.get_name(), action=task.action, task=task.get_name(), result=dict(values.items())
        )

    def v2_runner_on_ok(self, result: Any) -> None:
        self._result("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._result("failed", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._result("unreachable", result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._result("skipped", result)

    def v2_on_file_diff(self, result: Any) -> None:
        self._result("diff", result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._write(status="stats", stats={host: stats.summarize(host) for host in stats.processed})
