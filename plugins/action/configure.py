# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See the documentation of the module of the same name."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ..module_utils.defects import defect
from ..module_utils.errors import OperatorError
from ..module_utils.options import judge
from ..module_utils.options.values import PREFIX, as_boolean
from ..modules.configure import SPEC
from ..plugin_utils import asking, configuring
from ..plugin_utils.filling import filled, plain
from ..plugin_utils.terminal import Terminal
from ..plugin_utils.variables_file import is_template, is_vaulted

try:
    from ansible.template import trust_as_template
except ImportError:  # before ansible-core 2.19 every text is a template

    def trust_as_template(value: str) -> str:
        return value


_IN_A_VAULT = "in-a-vault"
"""What a vaulted value of a file means here: it is there, and nobody looks into it."""
_OF_ANSIBLE = "/etc/ansible/hosts"
"""Its inventory where nobody names one."""


class ActionModule(ActionBase):
    """See the documentation of the module of the same name."""

    OPTIONS = SPEC

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        self._variables = task_vars or {}
        try:
            return self._configured()
        except OperatorError as error:
            return {"failed": True, "msg": error.told}
        except Exception as error:  # its own text may be a value that was not expected, a secret
            return {"failed": True, **defect(error)}

    def _configured(self) -> dict[str, Any]:
        options, _from_variables = filled(SPEC, dict(self._task.args), self._variables, self._templar)
        named = options.get("answers")
        terminal = Terminal(f"Run it in a terminal, or name a YAML file of variables in {configuring.ANSWERS}")
        run = configuring.Configuring(
            configuring.Answered(terminal.say) if named else terminal,
            configuring.read_answers(str(named)) if named else None,
            self._known(self._variables, configuring.ASKED),
            self._stated(),
            self._meaning,
            self._served,
            as_boolean(options.get("configure_replace", False)) is True,
            bool(self._task.check_mode),
        )
        return run.run(configuring.places(options.get("configure_file"), self._inventories()))

    def _stated(self) -> dict[str, Any]:
        """What the JSON config file says that the operator named, and over it what stands on the command line."""
        in_config = PREFIX + judge.CONFIG_IN_FORCE in self._variables
        of_config = {one.partition(".")[0] for one in judge.CONFIG_KEYS.values()} if in_config else set()
        of_nobody_else = set(judge.VARIABLES) - configuring.OF_PLAYBOOKS
        return {
            **self._known(self._variables, sorted(of_config)),
            **self._known(load_extra_vars(self._loader), sorted(of_nobody_else)),
        }

    @staticmethod
    def _known(variables: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
        """What variables say of these options, as it stands; no secret, and nothing that is in a vault."""
        found = {}
        for name in names:
            if PREFIX + name in variables and not judge.is_secret(name):
                with contextlib.suppress(TypeError):  # to read a vaulted value would be to write it
                    found[name] = json.loads(json.dumps(variables[PREFIX + name]))
        return found

    def _meaning(self, value: Any) -> Any:
        """What a value of a file means among the variables of the play. Raises OperatorError."""
        if is_vaulted(value):
            return _IN_A_VAULT
        if not is_template(value):
            return plain(value)
        try:
            return plain(self._templar.template(trust_as_template(value)))
        except Exception as error:  # a template can raise anything before ansible-core 2.19
            raise OperatorError(f"has no value that can be read: {error}") from None

    def _served(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """What the workspace serves to whoever can ask for it here. Raises OperatorError."""
        given = dict(options)
        for name in (*asking.ABOUT, "ca_file", "preflight_ca_file"):
            open_here = given.get(name) in (None, "", judge.VARIABLES[name].get("default"))
            if PREFIX + name in self._variables and (open_here or judge.is_secret(name)):
                given[name] = self._meaning(self._variables[PREFIX + name])
        secrets = {name: value for name, value in given.items() if judge.is_secret(name)}
        lacking = [name for name, value in secrets.items() if value == _IN_A_VAULT or is_template(value)]
        if lacking:
            raise OperatorError(f"{PREFIX}{lacking[0]} is in no vault that this run reads, so nobody can ask")
        answer = asking.survey(given, True, False)
        if answer.get("failed"):
            raise OperatorError(str(answer["msg"]))
        return answer

    @staticmethod
    def _inventories() -> list[str]:
        """Files and directories that the command line, or a configuration of the operator's, names."""
        named = [str(one) for one in context.CLIARGS.get("inventory") or ()]
        if named == C.DEFAULT_HOST_LIST:
            named = [one for one in named if one != _OF_ANSIBLE]
        return [one for one in named if "," not in one]
