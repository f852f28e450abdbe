# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See the documentation of the module of the same name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.agents.sources import Settings
from ..module_utils.defects import defect
from ..module_utils.errors import OperatorError
from ..module_utils.lending import lent
from ..module_utils.options.values import as_boolean, as_list, as_mapping
from ..modules.offline_mirror import SPEC
from ..plugin_utils import carrying, offline
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
        settings = Settings(
            home=os.path.expanduser("~"),
            environment=os.environ,
            npm_registry=options["npm_registry"],
            pip_index=options["pip_index"],
            certificates=carrying.certificate_authority(options["ca_file"]),
            mirror=options["mirror"],
        )
        mirror = offline.Mirror(directory, settings, bool(self._task.check_mode))
        versions = offline.versions_of(names, as_mapping(options["cli_versions"]) or {})
        platforms = [str(one) for one in as_list(options["offline_platforms"]) or ()]
        # The standard library takes the way out of the environment.
        way = {"https_proxy": options["proxy"], "http_proxy": options["proxy"], "no_proxy": options["no_proxy"]}
        with lent({name: value for name, value in way.items() if value}):
            wanted = as_boolean(options["offline_databricks_cli"]) is True
            mirror.fill(versions, platforms, carrying.locks(), ["node", *(["databricks_cli"] if wanted else [])])
        fetched = sorted(mirror.fetched)
        after = "".join(f"{one}\n" for one in fetched)
        shown = {"before": "", "after": after, "before_header": directory, "after_header": directory}
        result = {"changed": bool(fetched), "directory": directory, "fetched": fetched}
        return {**result, "diff": shown} if fetched else result
