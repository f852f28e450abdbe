# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A YAML file of variables that an operator keeps, read and written as it stands: templates and vaulted values stay what they are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from ..module_utils import careful
from ..module_utils.errors import OperatorError
from ..module_utils.options import judge
from ..module_utils.options.values import PREFIX

FIRST_LINE = (
    "# Variables of fmapi.coding_agents, written by its playbook configure, which keeps what it does not ask for."
)
VAULT = "vault_"
"""Before the name of a variable: the one in a vault that holds its value."""

_TEMPLATE_MARKS = ("{{", "{%", "{#")
_VAULTED = "!vault"
_HIDDEN = "********"
_SHORTEST_HIDDEN = 4
_WHOLE_VAULT = "$ANSIBLE_VAULT;"


class Tagged(str):
    """A text with a tag of Ansible's: a vaulted one, or one that is no template whatever it looks like."""

    tag = ""


def _tagged(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Tagged:
    found = Tagged(loader.construct_scalar(node))
    found.tag = node.tag
    return found


def _represented(dumper: yaml.SafeDumper, value: Tagged) -> yaml.ScalarNode:
    return dumper.represent_scalar(value.tag, str(value), style="|")


def _quoted(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    """A template between the quotation marks that Ansible's people give it."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"' if is_template(value) else None)


class _Loader(yaml.SafeLoader):
    """Knows the tags that Ansible adds to YAML."""


class _Dumper(yaml.SafeDumper):
    """Indents the members of a list, as most people and ansible-lint do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


for _tag in (_VAULTED, "!unsafe"):
    _Loader.add_constructor(_tag, _tagged)
_Dumper.add_representer(Tagged, _represented)
_Dumper.add_representer(str, _quoted)


class Found(NamedTuple):
    """A file as it is."""

    text: str
    values: dict[str, Any]
    """By the names of the variables."""

    @property
    def is_ours(self) -> bool:
        """Whether nobody has written a word of it but this module."""
        return self.text == rendered(self.values)


def is_template(value: object) -> bool:
    return isinstance(value, str) and not isinstance(value, Tagged) and any(mark in value for mark in _TEMPLATE_MARKS)


def is_vaulted(value: object) -> bool:
    return isinstance(value, Tagged) and value.tag == _VAULTED


def is_plain_secret(name: str, value: object) -> bool:
    """Whether a secret could be read by whoever has the file: our variable's, or the one's that is to be in a vault."""
    option = name.removeprefix(VAULT).removeprefix(PREFIX)
    text = option in judge.VARIABLES and judge.is_secret(option) and judge.VARIABLES[option]["type"] == "str"
    return text and bool(value) and not is_vaulted(value) and not is_template(value)


def read(path: str, variable: str) -> Found | None:
    """The file at ``path``; None where there is none. Raises OperatorError, which quotes nothing of it."""
    where = f"{variable} {path}"
    if not os.path.lexists(path):
        return None
    try:
        text = careful.read(path).decode("utf-8")
    except OSError as error:
        raise OperatorError(f"cannot be read ({error.strerror})", where, "Name another file") from None
    except ValueError:
        raise OperatorError("is no UTF-8 text", where, "Name another file") from None
    if text.startswith(_WHOLE_VAULT):
        raise OperatorError(
            "is encrypted as a whole",
            where,
            "Name another file beside it: Ansible reads all of a directory in group_vars",
        )
    try:
        values = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
        raise OperatorError(f"is no YAML{place}", where, "Correct the file") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise OperatorError("is no YAML", where, "Correct the file") from None
    if values is None:
        values = {}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise OperatorError("holds no variables", where, f"Write them like {PREFIX}workspace_url: https://...")
    plain = [name for name, value in values.items() if is_plain_secret(name, value)]
    if plain:
        raise OperatorError(
            f"holds {' and '.join(plain)} in plain text", where, "Move it into a vault: docs/secrets.md says how"
        )
    return Found(text, values)


def options_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Our own variables, without their prefix."""
    return {name[len(PREFIX) :]: value for name, value in values.items() if name.startswith(PREFIX)}


def rendered(values: Mapping[str, Any]) -> str:
    """The whole file: our variables in the order of the documentation, then all others as they come."""
    order = [PREFIX + name for name in judge.VARIABLES]
    names = [*(name for name in order if name in values), *(name for name in values if name not in order)]
    parts = [
        yaml.dump({name: values[name]}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
        for name in names
    ]
    return "".join([FIRST_LINE + "\n---\n", *parts])


def masked(text: str, values: Mapping[str, Any]) -> str:
    """The text without what secret variables hold, for a terminal."""
    hidden = {
        one
        for name, value in options_of(values).items()
        if name in judge.VARIABLES and judge.is_secret(name)
        for one in _texts(value)
        if len(one) >= _SHORTEST_HIDDEN
    }
    for one in sorted(hidden, key=len, reverse=True):
        text = text.replace(one, _HIDDEN)
    return text


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if not is_vaulted(value) and not is_template(value):
            yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
