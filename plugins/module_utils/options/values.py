# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators write, read as Ansible reads it, and the judgements that many options share. Pure."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Dict  # noqa: UP035

Spec = Dict[str, Dict[str, Any]]  # noqa: UP006
"""An argument specification, as AnsibleModule takes it."""

PREFIX = "coding_agents_"
"""Of every variable. An option that a task leaves open comes from the host's variable of this prefix and the option's name."""

NOT_IN_PROFILES = "#;\"'`\\"
"""Characters that readers of INI files take for more than themselves."""

# What AnsibleModule takes for a boolean.
_TRUE = frozenset(("y", "yes", "on", "1", "true", "t", "1.0"))
_FALSE = frozenset(("n", "no", "off", "0", "false", "f", "0.0"))

KINDS = {
    "str": "a text",
    "path": "a path",
    "bool": "true or false",
    "int": "a whole number",
    "list": "a list",
    "dict": "a dictionary",
}


def registry(room: str, name: str) -> Mapping[str, Any]:
    """A registry of another room, where its files are: on the control node. Empty on hosts.

    No static import: Ansible would carry all agents and parts, and the engine with them, to hosts whose modules only need the form of
    an option. What is in it has been judged by then.
    """
    try:
        found: Mapping[str, Any] = getattr(importlib.import_module(f"..{room}", __package__), name)
    except ImportError:
        return {}
    return found


def as_boolean(value: Any) -> bool | None:
    """True or false as Ansible reads it; None for what is neither."""
    word = str(value).strip().lower() if isinstance(value, (bool, int, str)) else ""
    return True if word in _TRUE else False if word in _FALSE else None


def as_list(value: Any) -> list[Any] | None:
    """A list as Ansible reads it: itself, or a text with commas. None for what is none."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return list(value) if isinstance(value, (list, tuple)) else None


def as_mapping(value: Any) -> Mapping[str, Any] | None:
    """A dictionary: itself, or one written as JSON (``-e`` gives text). None for what is none."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, Mapping) else None


def shown(value: Any) -> str:
    """A value as YAML's reader thinks of it, short enough for a message. The texts in a dictionary are left out: one that stands in
    another option's place may hold a secret.
    """
    text = repr(value) if isinstance(value, str) else json.dumps(_without_texts(value), default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _without_texts(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_texts(one) for one in value]
    if isinstance(value, Mapping):
        return {name: "..." if isinstance(one, str) else _without_texts(one) for name, one in value.items()}
    return value


def is_plain(value: Any) -> bool:
    """Whether a value can stand in a profile as it is: a word that every reader reads the same."""
    return (
        isinstance(value, str)
        and value.isascii()
        and value.isprintable()
        and not set(value) & set(" " + NOT_IN_PROFILES)
    )


def not_chosen(option: Mapping[str, Any], values: Iterable[Any]) -> list[str]:
    return [str(value) for value in values if "choices" in option and value not in option["choices"]]


def allowed(option: Mapping[str, Any], example: str) -> str:
    """What an option takes, in words."""
    if "choices" in option:
        amount = "one or more" if option["type"] == "list" else "one"
        return f"{amount} of: {', '.join(map(str, option['choices']))}"
    return f"{KINDS.get(option['type'], 'a value')}, such as {example}"


def by_kind(variable: str, option: Mapping[str, Any], example: str, value: Any) -> list[str]:
    """What is wrong with a value by its option's type and choices alone."""
    kind, use = option["type"], allowed(option, example)
    said = "has a value that" if option.get("no_log") else f"is {shown(value)}, which"
    wrong = [f"{variable} {said} is not {KINDS.get(kind)}. Give {use}."]
    if kind == "bool":
        return wrong if as_boolean(value) is None else []
    if kind == "int":
        return [] if not isinstance(value, bool) and re.fullmatch(r"-?[0-9]+", str(value).strip()) else wrong
    if kind in ("str", "path"):
        # YAML reads 123 as a number where a text is meant; 1.10 has lost its last digit by then.
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            return wrong
        if not str(value).isprintable():
            return [f"{variable} holds a line break or another control character. Give {use}."]
        return [f"{variable} is {shown(value)}. Use {use}."] if not_chosen(option, [value]) else []
    if kind == "list":
        members = as_list(value)
        if members is None or not all(isinstance(one, str) and one and one.isprintable() for one in members):
            return wrong
        strange = not_chosen(option, members)
        return [f"{variable} names {', '.join(strange)}. Use {use}."] if strange else []
    if kind == "dict":
        return [] if as_mapping(value) is not None else wrong
    return []
