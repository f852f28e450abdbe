# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what became of all hosts, once, and write it into a file where the operator wants one.

Not with ``BYPASS_HOST_LOOP``: with it a play that uses the strategy ``free`` ends with an error. A task with ``run_once`` has the
same effect, and under ``free`` each host's task reports what the others have not.
"""

from __future__ import annotations

import datetime
import os
import shlex
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.errors import OperatorError
from ..modules.run_report import argument_spec
from ..plugin_utils import reports, run_store
from ..plugin_utils.terminal import COLOURS

try:
    from ansible.errors import AnsibleValueOmittedError
except ImportError:  # before ansible-core 2.19 omit is a text among the variables

    class AnsibleValueOmittedError(Exception):  # type: ignore[no-redef]
        """Never raised."""


_VARIABLE = "coding_agents_report"


class ActionModule(ActionBase):
    """See the documentation of the module of the same name."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        hosts = [str(name) for name in variables.get("ansible_play_hosts_all", [])]
        left = {str(name) for name in variables.get("ansible_play_hosts", [])}
        display = Display()
        with run_store.reporting() as reporting:
            known = {str(entry["host"]) for entry in run_store.remembered()}
            gone = [name for name in hosts if name not in left and name not in known]
            run = reports.Run(
                hosts=hosts,
                gone=[name for name in gone if reporting.is_told_first(f"gone: {name}")],
                verbose=display.verbosity > 0,
                diff=bool(self._task.diff),
                context=C.DIFF_CONTEXT,
                width=display.columns,
                doctor=_command("doctor"),
                sign_in=_command("sign_in"),
                repair=_command("repair"),
                is_told_first=reporting.is_told_first,
            )
            for line in reports.lines(reporting.new, run):
                display.display(line.text, color=COLOURS.get(line.tone))
            reporting.done()
            try:
                path = self._path(variables)
                if path:
                    at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
                    entries = reporting.of_file(path)
                    run_store.write_report(path, reports.data(entries, run._replace(gone=gone), at))
            except OperatorError as error:
                return {"failed": True, "msg": str(error)}
        return {"changed": False, "report": path}

    def _path(self, variables: dict[str, Any]) -> str:
        """Where to write; nothing where the operator wants no file."""
        _validation, options = self.validate_argument_spec(argument_spec=argument_spec())
        given = options["report"]
        if not given and variables.get(_VARIABLE):
            try:
                given = self._templar.template(variables[_VARIABLE])
            except AnsibleValueOmittedError:
                return ""
            except Exception as error:  # a template can raise anything before ansible-core 2.19
                raise OperatorError(f"has no value that can be read: {error}", _VARIABLE) from None
        if not given or given == variables.get("omit"):
            return ""
        if isinstance(given, bool) or not isinstance(given, (str, int)):
            raise OperatorError("is no path", _VARIABLE, "Give the name of a file")
        return run_store.report_path(str(given))


def _command(playbook: str) -> str:
    """The command that runs another playbook of the collection for the same hosts."""
    words = ["ansible-playbook", f"fmapi.coding_agents.{playbook}"]
    inventories = [str(one) for one in context.CLIARGS.get("inventory") or ()]
    for one in inventories if inventories != C.DEFAULT_HOST_LIST else []:
        words += ["-i", min(one, os.path.relpath(one), key=len) if os.path.exists(one) else one]
    subset = context.CLIARGS.get("subset")
    words += ["--limit", str(subset)] if subset else []
    return shlex.join(words)
