# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show what was found on all hosts, and ask once whether to go on.

Not with ``BYPASS_HOST_LOOP``: with it a play that uses the strategy ``free`` ends with an error. There each host's task comes here,
and one of them asks for all.
"""

from __future__ import annotations

from typing import Any

from ansible import constants as C
from ansible.errors import AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.errors import OperatorError
from ..module_utils.options.values import as_boolean
from ..modules.confirm_uninstall import SPEC
from ..plugin_utils import run_store
from ..plugin_utils.filling import filled
from ..plugin_utils.reports import uninstall
from ..plugin_utils.reports.words import Run
from ..plugin_utils.terminal import COLOURS

_LISTING = "uninstall_info"


class ActionModule(ActionBase):
    """See the documentation of the module of the same name."""

    OPTIONS = SPEC

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        try:
            options, _from_variables = filled(SPEC, dict(self._task.args), variables, self._templar)
            hosts = [str(name) for name in variables.get("ansible_play_hosts_all", [])]
            confirmed = as_boolean(options.get("confirm")) is True or bool(self._task.check_mode)
            answer: dict[str, bool] = run_store.once(["confirm_uninstall", hosts], lambda: _asked(hosts, confirmed))
        except OperatorError as error:
            return {"failed": True, "msg": error.told}
        return {"changed": False, **answer}


def _asked(hosts: list[str], confirmed: bool) -> dict[str, bool]:
    display = Display()
    entries = [one for one in run_store.remembered() if one.get("module") == _LISTING and one["host"] in hosts]
    entries.sort(key=lambda one: hosts.index(one["host"]))  # not as they came to their end
    run = Run(verbose=display.verbosity > 0, width=display.columns)
    for line in uninstall.lines(entries, len(hosts), run):
        display.display(line.text, color=COLOURS.get(line.tone))
    touched = uninstall.touched(entries)
    if confirmed or len(touched) < 2:
        return {"confirmed": True, "asked": False}
    try:
        answer = display.prompt_until(uninstall.question(touched, run))
    except AnsiblePromptNoninteractive:
        return {"confirmed": True, "asked": False}
    except AnsiblePromptInterrupt:
        raise OperatorError("Nothing was changed: the question was not answered") from None
    yes = uninstall.is_yes(answer)
    if not yes:
        display.display("Nothing is changed: the answer was no", color=C.COLOR_WARN)
    return {"confirmed": yes, "asked": True}
