# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See the documentation of the module of the same name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.agents.source_system import DATABRICKS_CLI
from ..module_utils.defects import defect
from ..module_utils.errors import OperatorError
from ..module_utils.options.relay import life_of
from ..module_utils.options.values import as_boolean, as_list, as_mapping
from ..modules.offline_mirror import SPEC
from ..plugin_utils import carrying, offline, relay_program
from ..plugin_utils.filling import filled


class ActionModule(ActionBase):
    """See the documentation of the module of the same name."""

    OPTIONS = SPEC

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        try:
            given, _from_variables = filled(SPEC, dict(self._task.args), task_vars or {}, self._templar)
            return self._filled(given)
        except OperatorError as error:
            return {"failed": True, "msg": error.told}
        except Exception as error:  # its own text may be a value that was not expected, a secret
            return {"failed": True, **defect(error)}

    def _filled(self, given: Mapping[str, Any]) -> dict[str, Any]:
        options = {**{name: one.get("default") for name, one in SPEC.items()}, **given}
        if not options["offline_directory"]:
            raise OperatorError("is not set", "coding_agents_offline_directory", "Name the directory to fill")
        directory = os.path.abspath(os.path.expanduser(str(options["offline_directory"])))
        names = [str(one) for one in as_list(options["agents"]) or ()]
        mirror = offline.Mirror(directory, offline.settings_of(options), bool(self._task.check_mode))
        versions = offline.versions_of(names, as_mapping(options["cli_versions"]) or {})
        platforms = [str(one) for one in as_list(options["offline_platforms"]) or ()]
        tools = [one for one in offline.TOOLS if one != DATABRICKS_CLI or as_boolean(options["offline_databricks_cli"])]
        packages = relay_program.lines_for({**options, "agents": names, "relay": life_of(options["relay"])})
        mirror.fill(versions, platforms, carrying.locks(), tools, packages)
        fetched = sorted(mirror.fetched)
        after = "".join(f"{one}\n" for one in fetched)
        shown = {"before": "", "after": after, "before_header": directory, "after_header": directory}
        result = {"changed": bool(fetched), "directory": directory, "fetched": fetched}
        return {**result, "diff": shown} if fetched else result
