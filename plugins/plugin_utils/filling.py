# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill the options that a task leaves open from the host's variables ``coding_agents_<option>``, and judge them all.

A task's argument (module_defaults among them) ranks over the variable, the variable over the option's default. That is done here,
on the control node, and not by defaults of roles: those would be templated for each host, with all others, whether needed or not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..module_utils.errors import OperatorError
from ..module_utils.options import judge, verbs
from ..module_utils.options.values import PREFIX

try:
    from ansible.errors import AnsibleValueOmittedError
except ImportError:  # before ansible-core 2.19 omit is a text among the variables

    class AnsibleValueOmittedError(Exception):  # type: ignore[no-redef]
        """Never raised."""


try:
    from ansible.module_utils.secrets import register_secret
except ImportError:  # ansible-core before 2.22 masks what the specification marks no_log

    def register_secret(value: str, /) -> str:
        """Nothing to register."""
        return value


_SET_BY_A_CONFIG_FILE = {target.partition(".")[0] for target in judge.CONFIG_KEYS.values()}
_OMITTED = object()


def filled(
    names: Iterable[str], given: Mapping[str, Any], variables: Mapping[str, Any], templar: Any
) -> tuple[dict[str, Any], set[str]]:
    """The options ``names`` that have a value, in plain types, and which of them come from variables.

    ``given`` are a task's arguments. Of the variables only those of these options are templated: another may be a slow lookup.
    Raises OperatorError with all mistakes at once: in variables that are used, and in names that do not exist.
    """
    options = {name: plain(value) for name, value in given.items() if value is not None}
    wrong = judge.unknown(sorted(name[len(PREFIX) :] for name in variables if name.startswith(PREFIX)))
    open_options = [name for name in names if name not in options]
    wrong += [
        f"{name} is set, which is {PREFIX}{name} now. Rename it."
        for name in open_options
        if name in verbs.EARLIER and name in variables and PREFIX + name not in variables
    ]
    from_variables = set()
    for name in open_options:
        try:
            value = _value(PREFIX + name, variables, templar)
        except OperatorError as error:
            wrong.append(str(error))
            continue
        if value is not _OMITTED:
            options[name] = plain(value)
            from_variables.add(name)
    for name, value in options.items():
        if isinstance(value, str) and value and name in judge.VARIABLES and judge.is_secret(name):
            register_secret(value)
    wrong += judge.problems({name: value for name, value in options.items() if name in judge.VARIABLES})
    if _SET_BY_A_CONFIG_FILE & set(open_options):
        wrong += _unread(variables, templar)
    if wrong:
        raise OperatorError("\n".join(wrong))
    return {name: value for name, value in options.items() if value not in (None, "")}, from_variables


def _value(variable: str, variables: Mapping[str, Any], templar: Any) -> Any:
    """What a variable says, or that it says nothing. Raises OperatorError."""
    if variable not in variables:
        return _OMITTED
    try:
        value = templar.template(variables[variable])
    except AnsibleValueOmittedError:
        return _OMITTED
    except Exception as error:  # a template can raise anything before ansible-core 2.19
        raise OperatorError(f"{variable} has no value that can be read: {error}") from None
    return _OMITTED if isinstance(value, str) and value == variables.get("omit") else value


def plain(value: Any) -> Any:
    """Built-in types: ansible-core's own subclasses of str and dict carry tags, and secrets of a vault, that others stumble over."""
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    return json.loads(json.dumps(value, default=str))


def _unread(variables: Mapping[str, Any], templar: Any) -> list[str]:
    """A config file that is named in a play that does not read it."""
    if PREFIX + judge.CONFIG_IN_FORCE in variables:
        return []
    for variable in (f"{PREFIX}config", f"{PREFIX}config_url"):
        try:
            value = _value(variable, variables, templar)
        except OperatorError as error:
            return [str(error)]
        if value and value is not _OMITTED:
            return [
                f"{variable} is set, but this play does not read it. "
                "Add to the play: vars_files: [\"{{ lookup('fmapi.coding_agents.config_file') }}\"]"
            ]
    return []
