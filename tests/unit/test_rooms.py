# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may import whom: imports go down only, and what must not be known to a room is not named in it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.plugins.action import ActionBase
from ansible.plugins.action.normal import ActionModule as Normal

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
LEAVES = {"errors", "processes", "version", "defects", "routing", "places"}

# A room, and what it may import: rooms, and packages that are not of the standard library. From the bottom up.
MAY_IMPORT: dict[str, str] = {
    "leaves": "",
    "engine": "leaves",
    "host_program": "leaves engine.documents",
    "agents": "leaves engine host_program.config",
    "options": "leaves agents",
    "parts": "leaves engine agents host_program",
    "rollout": "leaves engine host_program parts",
    "module": "leaves engine host_program options parts rollout ansible",
    "workspace": "leaves agents options databricks requests certifi",
    "modules": "leaves engine host_program options parts.context rollout module",
    "plugin_utils": "leaves options parts workspace ansible",
    "action": "leaves options modules plugin_utils ansible",
    "lookup": "leaves options plugin_utils ansible",
    "doc_fragments": "agents options parts",
}
# These modules run on the control node: by their action plugin, or with databricks-sdk.
ON_THE_CONTROL_NODE = {
    "modules/run_report.py": "ansible",
    "modules/serving_endpoint_info.py": "ansible workspace jmespath",
    "modules/workspace_info.py": "ansible",
}
# What the files of a room share: the others of it, which its registry (__init__) lists, do not know each other.
SHARED = {"agents": {"base", "sources", "extra_settings"}, "parts": {"base", "context", "examination"}}

FILES = sorted(str(path.relative_to(PLUGINS)) for path in PLUGINS.rglob("*.py"))
ON_HOSTS = [name for name in FILES if name.startswith("module_utils/") and "/workspace/" not in name]


def _imported(name: str) -> Iterator[tuple[str, ...]]:
    """What a file imports: dotted names in parts, those of the collection from ``plugins`` on, after an empty part."""
    here = ("", *Path(name).parent.parts)
    for node in ast.walk(ast.parse((PLUGINS / name).read_text())):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = here[: len(here) - node.level + 1] if node.level else ()
            module = (*above, *(node.module or "").split(".")) if node.module else above
            # A name may be a module or stand in one: only the files tell.
            yield from (
                (*module, one.name) if above and _is_file((*module, one.name)) else module for one in node.names
            )


def _is_file(parts: tuple[str, ...]) -> bool:
    path = PLUGINS.joinpath(*parts[1:])
    return path.is_dir() or path.with_suffix(".py").is_file()


def _room(parts: tuple[str, ...]) -> str:
    """The room of a module of the collection, and the way on in it, such as ``host_program.config``."""
    _empty, *way = parts
    way = way[1:] if way[0] == "module_utils" and len(way) > 1 else way
    return "leaves" if way[0] in LEAVES else ".".join(way)


def _within(name: str, rooms: str) -> bool:
    return any(f"{name}.".startswith(f"{room}.") for room in rooms.split())


@pytest.mark.parametrize("name", FILES)
def test_a_file_imports_what_its_room_may(name: str) -> None:
    own = _room(("", *Path(name).with_suffix("").parts))
    room = own.partition(".")[0]
    allowed = f"{MAY_IMPORT[room]} {ON_THE_CONTROL_NODE.get(name, '')}"
    for parts in _imported(name):
        imported = _room(parts) if not parts[0] else parts[0]
        if parts[0] in sys.stdlib_module_names or imported == "module_utils":  # the package itself: where its files are
            continue
        if _within(imported, room):
            known = SHARED.get(room, set()) | {own.partition(".")[2]}
            inner = imported.split(".")[1:2]
            assert room not in SHARED or own.endswith("__init__") or set(inner) <= known, f"{name} knows {imported}"
        else:
            assert _within(imported, allowed), f"{name} imports {imported}"


def test_no_imports_go_round() -> None:
    below: list[str] = []
    for room, allowed in MAY_IMPORT.items():
        unknown = [
            one for one in allowed.split() if one.partition(".")[0] in MAY_IMPORT and one.partition(".")[0] not in below
        ]
        assert not unknown, f"{room} imports from above: {unknown}"
        below.append(room)
    files = {
        _room(("", *Path(name).with_suffix("").parts)).removesuffix(".__init__"): name for name in FILES if "/" in name
    }
    done: set[str] = set()

    def follow(one: str, way: tuple[str, ...]) -> None:
        assert one not in way, " -> ".join((*way, one))
        if one in files and one not in done:
            for parts in _imported(files[one]):
                if not parts[0]:
                    follow(_room(parts), (*way, one))
            done.add(one)

    for one in files:
        follow(one, ())


@pytest.mark.parametrize("name", ON_HOSTS)
def test_what_runs_on_hosts_loads_nothing_that_makes_every_call_slow(name: str) -> None:
    assert not {parts[0] for parts in _imported(name)} & {"dataclasses", "inspect", "typing_extensions"}, name


@pytest.mark.parametrize("name", [name for name in FILES if name.split("/")[0] in ("action", "plugin_utils")])
def test_no_private_method_of_ansible_is_overridden(name: str) -> None:
    theirs = {one for one in (*dir(ActionBase), *dir(Normal)) if one.startswith("_") and not one.startswith("__")}
    for node in ast.walk(ast.parse((PLUGINS / name).read_text())):
        if isinstance(node, ast.ClassDef):
            own = {one.name for one in node.body if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))}
            assert not own & theirs, f"{name}: {node.name} overrides {own & theirs}"
