# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight as a task: on the control node, without become, once per distinct set of options in a run.

A task that is delegated to localhost would take the play's become with it, ``run_once`` would give the answer about one
host's workspace to hosts of another, and a play on localhost is skipped by ``--limit``. So each host's task asks here,
and all but the first of the same options find the answer in a file of this run.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.module_utils.basic import missing_required_lib
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.options import judge as operator_variables
from ..module_utils.defects import defect
from ..module_utils.errors import OperatorError
from ..module_utils.options.judge import PREFIX
from ..modules.workspace_info import argument_spec

try:
    from ansible.module_utils.secrets import register_secret
except ImportError:  # ansible-core before 2.22 masks what the specification marks no_log

    def register_secret(value: str, /) -> str:
        """Nothing to register."""
        return value


def _specification() -> dict[str, dict[str, Any]]:
    """Return the module's options without what is judged with messages of our own, which name the variables that operators
    set: whether it is there, the choices, and the form of agents and models."""
    loose = {
        name: {key: value for key, value in option.items() if key not in ("required", "choices")}
        for name, option in argument_spec().items()
    }
    loose["agents"] = {"type": "raw", "default": loose["agents"]["default"]}
    loose["models"] = {"type": "raw", "default": loose["models"]["default"]}
    return loose


def _plain(value: Any) -> Any:
    """Return built-in types: ansible-core's own subclasses of str and dict carry tags that others stumble over."""
    return json.loads(json.dumps(value, default=str))


def _told(result: dict[str, Any]) -> str:
    """What the run goes by, in one line: an operator wants to see it without -v, once for each workspace."""
    models = f"{len(result['models'])} models served" if result["checked"] else "models not checked"
    asked = f", asked as {result['user_name']}" if result["user_name"] else ""
    return f"{result['workspace_url']}: routing {result['routing']} ({result['routing_reason']}), {models}{asked}"


class ActionModule(ActionBase):
    """See the documentation of the module of the same name."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        for secret in (self._task.args.get("client_secret"), self._task.args.get("pat")):
            if isinstance(secret, str) and secret:
                register_secret(secret)
        if operator_variables.as_boolean(self._task.args.get("check_variables")):
            wrong = self._wrong_variables(task_vars or {})
            if wrong:
                return {"failed": True, "msg": "\n".join(wrong)}
        _validation, options = self.validate_argument_spec(argument_spec=_specification())
        if not options["check_workspace"]:
            return {"changed": False}
        result: dict[str, Any] = self._once(_plain(options))
        return {"changed": False, **result}

    def _wrong_variables(self, task_vars: dict[str, Any]) -> list[str]:
        """A message for each mistake in the host's ``coding_agents_*`` variables.

        Only they are templated, and of them no secret: that may be a slow lookup, and comes with the options anyway.
        """
        names = sorted(name[len(PREFIX) :] for name in task_vars if name.startswith(PREFIX))
        wrong = operator_variables.unknown(names)
        given: dict[str, Any] = {}
        for name in (one for one in names if one in operator_variables.VARIABLES):
            if operator_variables.is_secret(name):
                continue
            try:
                given[name] = _plain(self._templar.template(task_vars[PREFIX + name]))
            except Exception as error:  # a template can raise anything before ansible-core 2.19
                wrong.append(f"{PREFIX}{name} has no value that can be read: {error}")
        # What was given to the role itself (preflight_*) counts where the variable is not set.
        for name, value in self._task.args.items():
            if name in operator_variables.VARIABLES and value not in (None, ""):
                given.setdefault(name, _plain(value))
        if (given.get("config") or given.get("config_url")) and operator_variables.CONFIG_IN_FORCE not in names:
            wrong.append(
                f"{PREFIX}config or {PREFIX}config_url is set, but this play does not read it. "
                "Add to the play: vars_files: [\"{{ lookup('fmapi.coding_agents.config_file') }}\"]"
            )
        return wrong + operator_variables.problems(given)

    def _once(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the result for these options: from this run's file, or by asking and leaving it there.

        The file's name is a digest over all options, the secret included; salted by the directory, whose name is
        random and which ansible-core makes for one run and removes at its end. Failures are kept as well: forty hosts
        do not wait forty times for a workspace that does not answer.
        """
        directory = constants.DEFAULT_LOCAL_TMP
        digest = hashlib.sha256(json.dumps([directory, options], sort_keys=True).encode()).hexdigest()
        path = os.path.join(directory, f"fmapi-coding-agents-preflight-{digest}.json")
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    known: dict[str, Any] = json.load(file)
                return known
            result = self._ask(options)
            if not result.get("failed"):
                Display().display(_told(result))
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(result, file)
            return result
        finally:
            os.close(lock)

    @staticmethod
    def _ask(options: dict[str, Any]) -> dict[str, Any]:
        # databricks-sdk takes a second to import: only the one task that asks pays for it.
        from ..module_utils.workspace import client as databricks, preflight

        if databricks.IMPORT_ERROR is not None:
            raise AnsibleActionFail(
                missing_required_lib("databricks-sdk")
                + " It is needed on the control node; set coding_agents_preflight to false to go without the checks."
            )
        try:
            return preflight.check(options)
        except OperatorError as error:
            return {"failed": True, "msg": str(error)}
        except Exception as error:
            return {"failed": True, **defect(error)}
