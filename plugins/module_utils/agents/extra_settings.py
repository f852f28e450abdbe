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
                "Take it out: what it reads beside that is the person's own to write",
            )
        if main is None:
            continue
        ours = _ours(agents[name])
        for path, value in _leaves(settings, (), where):
            _check_leaf(path, value, ours, main, where)
        for misfit in agents[name].misfits(settings):
            raise OperatorError(
                f"is {misfit.found}, and must be {misfit.wanted}, else {agents[name].title} {agents[name].misfit_effect}",
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


def _check_leaf(path: KeyPath, value: Any, ours: Mapping[KeyPath, str], main: Wanted, where: str) -> None:
    for key, way_out in ours.items():
        if key == path and path in main.elements and isinstance(value, list):
            continue
        shared = min(len(key), len(path))
        if key[:shared] == path[:shared]:
            named = f"{where}.{'.'.join(path)}"
            raise OperatorError(f"is set by this collection ({'.'.join(key)})", named, way_out)


def _ours(agent: Agent) -> dict[KeyPath, str]:
    """Each key of the main document that is ours, whether or not it is set on this host, and what to do instead of setting it.

    A key follows the variables without which the document would hold something else there.
    """
    found: dict[KeyPath, str] = {}
    main = agent.main_document(_ANY)
    if main is None:
        return found
    documents = [(variable, agent.main_document(options)) for variable, options in _choices(agent)]
    others = [(variable, one) for variable, one in documents if one is not None]
    for one in (main, *(other for _variable, other in others)):
        for key in (*one.values, *one.superseded, *one.elements):
            named = [variable for variable, other in others if other.values.get(key) != main.values.get(key)]
            found[key] = (
                f"Take it out, and set {' or '.join(named)} instead"
                if named
                else f"Take it out: with another value {agent.title} would not answer, or would ask others"
            )
    return found


def _choices(agent: Agent) -> Iterator[tuple[str, AgentOptions]]:
    """Each variable that an operator can set about an agent, and options in which it is another."""
    yield "coding_agents_workspace_url", _ANY._replace(base_urls=dict.fromkeys(DIALECTS, "https://other"))
    yield "coding_agents_token_ttl_minutes", _ANY._replace(token_ttl_minutes=2)
    yield "coding_agents_ca_file", _ANY._replace(ca_file=None)
    yield "coding_agents_proxy", _ANY._replace(proxy=None)
    yield "coding_agents_no_proxy", _ANY._replace(no_proxy=None)
    for slot in agent.model_defaults:
        yield f"coding_agents_models.{agent.name}.{slot}", _ANY._replace(models={slot: "other"})
    for name, said in agent.own_options.items():
        if said["type"] in ("bool", "int"):
            other = not said["default"] if said["type"] == "bool" else said["default"] + 1
            yield f"coding_agents_{agent.name}_{name}", _ANY._replace(own={name: other})


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
