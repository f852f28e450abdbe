# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON config file as a file of variables, which only Ansible itself can put between inventory and extra variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: config_file
short_description: Path of a variables file made from the JSON config file that the operator named
version_added: 0.1.0
description:
  - Reads the JSON config file that the variable C(coding_agents_config) names (a path on the control node), or
    C(coding_agents_config_url) (an C(https) URL, with C(coding_agents_config_sha256) if its content is to be proven), and returns
    the path of a file that sets the variables of this collection accordingly. It is gone at the end of the run.
  - Without either, it returns the path of a file that sets nothing.
  - For C(vars_files) of a play or P(ansible.builtin.include_vars#module). There, Ansible ranks the variables over the inventory
    and below C(--extra-vars). The playbooks of this collection do so themselves.
  - A file that is wrong ends the run before any host is touched.
author:
  - fmapi.coding_agents contributors (@fmapi)
options: {}
"""

EXAMPLES = r"""
- name: Roll out what the config file says, from a playbook of your own
  hosts: laptops
  gather_facts: false
  vars_files:
    - "{{ lookup('fmapi.coding_agents.config_file') }}"
  roles:
    - role: fmapi.coding_agents.coding_agents
"""

RETURN = r"""
_raw:
  description: The path of a file of variables.
  type: list
  elements: path
"""

import fcntl
import hashlib
import json
import os
from typing import Any

from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ..module_utils.errors import OperatorError
from ..module_utils.options.judge import CONFIG_IN_FORCE, problems_of
from ..module_utils.options.values import PREFIX
from ..plugin_utils import config_file

_OPTIONS = ("config", "config_url", "config_sha256")


class LookupModule(LookupBase):
    """See the documentation above."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        given = {name: (variables or {}).get(PREFIX + name) for name in _OPTIONS}
        try:
            read = {name: self._templar.template(value) for name, value in given.items() if value}
        except Exception as error:  # a template can raise anything before ansible-core 2.19
            # Ansible would skip what is undefined with a word that nobody reads.
            raise AnsibleLookupError(f"The name of the config file cannot be read: {error}") from error
        named = {name: str(value) for name, value in read.items() if value}
        if not {"config", "config_url"} & set(named):
            return [_variables_file({})]
        wrong = [problem for name, value in named.items() for problem in problems_of(name, value)]
        if "config" in named and "config_url" in named:
            wrong.append(f"{PREFIX}config and {PREFIX}config_url are both set. Leave one of them out.")
        if wrong:
            raise AnsibleLookupError("\n".join(wrong))
        return [_once(named)]


def _once(named: dict[str, str]) -> str:
    """The variables file of this run for these options. Ansible asks for it before each task of each host."""
    path = _path(named)
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(path):
            return path
        try:
            if "config" in named:
                source = config_file.absolute(named["config"])
                found = config_file.from_file(source)
            else:
                source = named["config_url"].partition("?")[0]
                found = config_file.from_url(named["config_url"], named.get("config_sha256"))
        except OperatorError as error:
            raise AnsibleLookupError(str(error)) from error
        return _variables_file({**found, CONFIG_IN_FORCE: source}, path)
    finally:
        os.close(lock)


def _path(named: dict[str, str]) -> str:
    digest = hashlib.sha256(json.dumps([constants.DEFAULT_LOCAL_TMP, named], sort_keys=True).encode()).hexdigest()
    return os.path.join(constants.DEFAULT_LOCAL_TMP, f"fmapi-coding-agents-config-{digest}.json")


def _variables_file(values: dict[str, Any], path: str = "") -> str:
    path = path or _path({})
    if not os.path.exists(path):
        text = json.dumps({f"{PREFIX}{name}": value for name, value in values.items()})
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
    return path
