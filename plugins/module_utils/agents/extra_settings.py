# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's own agent settings, merged into what this collection wants of an agent's documents. Pure.

They become values like ours: owned leaf by leaf, given back on uninstall. What this collection sets itself cannot be set here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ..engine.documents import KeyPath
from ..engine.owner import Owner
from ..engine.ownership import PRIVATE, Wanted
from ..errors import OperatorError
from ..routing import DIALECTS
from .base import Agent, AgentOptions

VARIABLE = "coding_agents_extra_settings"

_DEEPEST = 32
"""Levels of objects below an agent; no agent has nearly as many."""


def parse(text: str | None, agents: Mapping[str, Agent]) -> Mapping[str, Any]:
    """The settings by agent, from the one JSON text that modules get. Raises OperatorError, which never repeats a value."""
    if not text:
        return {}
    try:
        extra = json.loads(text, parse_constant=_no_number)
        if isinstance(extra, str):  # given with -e, it was text before to_json
            extra = json.loads(extra, parse_constant=_no_number)
    except RecursionError:
        raise _too_deep(VARIABLE) from None
    except ValueError:
        raise OperatorError("is no JSON text", VARIABLE, "Hand it over with the filter to_json") from None
    if not isinstance(extra, dict):
        raise OperatorError("is no dictionary", VARIABLE, "Give settings by agent")
    check_extra_settings(extra, agents)
    return extra


def check_extra_settings(extra: Mapping[str, Any], agents: Mapping[str, Agent]) -> None:
    """Raises OperatorError for an agent that we do not know, and a setting that this collection sets itself or the agent refuses."""
    for name, settings in extra.items():
        where = f"{VARIABLE}.{name}"
        if name not in agents:
            raise OperatorError("is no agent", where, f"Known are: {', '.join(sorted(agents))}")
        if not isinstance(settings, Mapping):
            raise OperatorError("is no dictionary", where, "Give settings as they stand in the agent's file")
        main = agents[name].main_document(_ANY)
        if main is None and settings:
            raise OperatorError(
                f"cannot be set: {agents[name].title} gets all from its environment, and no file of its own is written",
                where,
                "Take it out",
            )
        if main is None:
            continue
        for path, value in _leaves(settings, (), where):
            _check_leaf(path, value, main, where)
        for misfit in agents[name].misfits(settings):
            raise OperatorError(
                f"is {misfit.found}, and must be {misfit.wanted}, else {agents[name].title} drops its whole settings file",
                f"{where}.{'.'.join(misfit.path)}",
                "Correct it; a template gives text, which the filters bool and int make into what is wanted",
            )


def merged(documents: list[Wanted], settings: Mapping[str, Any], agent: Agent) -> list[Wanted]:
    """The agent's documents with these settings in the main one. They must have been checked."""
    if not settings:
        return documents
    *others, main = documents
    values, elements = dict(main.values), dict(main.elements)
    own: set[KeyPath] = set()
    for path, value in _leaves(settings, (), VARIABLE):
        if path in agent.element_lists and isinstance(value, list):
            elements[path] = _joined(elements.get(path, ()), value)
        else:
            values[path] = value
            own.add(path)
    main = main.replaced(values=values, elements=elements, masked=frozenset(own))
    # What may be a secret is for its owner's eyes.
    return [*others, main.replaced(private=True, mode=PRIVATE) if own else main]


# All that can make a document hold a key of ours: a key is ours whether or not it is set on this host.
_ANY = AgentOptions(
    Owner("any", 0, 0, "/"),
    "https://any",
    dict.fromkeys(DIALECTS, "https://any"),
    "/any",
    1,
    ca_file="/any",
    proxy="http://any",
    no_proxy="any",
)


def _check_leaf(path: KeyPath, value: Any, main: Wanted, where: str) -> None:
    named = f"{where}.{'.'.join(path)}"
    for ours in (*main.values, *main.superseded, *main.elements):
        if ours == path and path in main.elements and isinstance(value, list):
            continue
        shared = min(len(ours), len(path))
        if ours[:shared] == path[:shared]:
            raise OperatorError(
                f"is set by this collection ({'.'.join(ours)})",
                named,
                "Take it out; what can be chosen about it has a variable of its own",
            )


def _leaves(settings: Mapping[Any, Any], above: KeyPath, where: str) -> Iterator[tuple[KeyPath, Any]]:
    """Each value that is no object, and its key path. An empty object says nothing."""
    if len(above) > _DEEPEST:
        raise _too_deep(where)
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, str(name)), where)
        else:
            yield (*above, str(name)), value


def _joined(members: tuple[Any, ...], more: list[Any]) -> tuple[Any, ...]:
    """Both lists' members, each once."""
    return tuple({json.dumps(one, sort_keys=True): one for one in (*members, *more)}.values())


def _too_deep(where: str) -> OperatorError:
    return OperatorError(f"has more than {_DEEPEST} levels", where, "Give settings as they stand in the agent's file")


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number in JSON")
