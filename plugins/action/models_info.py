# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the workspace serves: on the control node, without become, once per distinct set of options in a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..module_utils.errors import OperatorError
from ..module_utils.options.values import as_boolean
from ..modules.models_info import SPEC
from ..plugin_utils import asking, models_query
from ..plugin_utils.host_action import HostAction


class ActionModule(HostAction):
    """See the documentation of the module of the same name."""

    OPTIONS = SPEC
    ASKS_WORKSPACE = True
    _requires_connection = False
    _supports_async = False

    def _asked(self, options: dict[str, Any], routing_is_set: bool) -> dict[str, Any]:
        query = models_query.compiled(options.get("models_query"))
        answer = asking.survey(options, routing_is_set, as_boolean(options.get("validate")) is True)
        if answer.get("failed"):
            raise OperatorError(str(answer["msg"]))
        self._answer = {**answer, **query.result(answer["served"])}
        return self._answer

    def _call(self, options: dict[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
        # The warnings are told with those of any module.
        result = {"changed": False, **{name: value for name, value in self._answer.items() if name != "warnings"}}
        wrong = [one for one in self._answer["choices"] if one["status"] == "FAIL"]
        if not self._answer["validated"] or not wrong:
            return result
        named = "; ".join(f"{one['model']} ({one['variable']}): {one['detail']}. {one['fix']}" for one in wrong)
        return {**result, "failed": True, "msg": f"{self._answer['workspace_url']}: {named}"}
