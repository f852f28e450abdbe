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
LEAVES = {
    "lending",
    "careful",
    "errors",
    "processes",
    "version",
    "defects",
    "routing",
    "people",
    "places",
    "platforms",
    "web",
}

RELAY = "relay.settings relay.places relay.clients relay.running relay.control"
"""Of the relay, what others may know: it needs no package."""

# A room, and what it may import: rooms, and packages that are not of the standard library. From the bottom up.
MAY_IMPORT: dict[str, str] = {
    "leaves": "",
    "engine": "leaves",
    "host_program": "leaves engine.documents",
    "relay": "leaves host_program",
    "agents": "leaves engine",
    "options": "leaves agents relay.settings",
    "parts": f"leaves engine agents host_program {RELAY}",
    "leavings": "leaves engine parts",
    "rollout": "leaves engine host_program parts leavings",
    "examining": "leaves engine host_program parts rollout",
    "listing": "leaves engine parts leavings rollout",
    "by_memory": "leaves engine agents host_program parts rollout examining",
    "loading": "leaves engine.owner",
    "command": f"leaves engine.owner agents host_program {RELAY} parts rollout examining by_memory loading",
    "module": "leaves engine.owner engine.owners loading ansible",
    "by_action": "options ansible",
    "workspace": "leaves agents options databricks requests certifi",
    "modules": "leaves options by_action",
    "plugin_utils": "leaves agents options parts loading workspace ansible",
    "action": "leaves agents options modules plugin_utils ansible",
    "lookup": "leaves options plugin_utils ansible",
    "doc_fragments": "agents options parts",
}
# Of single modules.
MORE = {
    "modules/host_call.py": "module",
    "module_utils/relay/libraries.py": "anyio certifi h11 httpcore uvicorn",
    "module_utils/relay/web/libraries.py": "protego",
    "modules/run_report.py": "ansible",
    "plugin_utils/reports/upgrade.py": "yaml",
    "plugin_utils/models_query.py": "jmespath",
    "plugin_utils/variables_file.py": "yaml",
    "modules/serving_endpoint_info.py": "ansible workspace jmespath",
}
# What the files of a room share: the others of it, which its registry (__init__) lists, do not know each other.
SHARED = {
    "agents": {
        "base",
        "sources",
        "source_npm",
        "source_pip",
        "source_release",
        "source_system",
        "source_distribution",
        "source_homebrew",
        "programs",
        "extra_settings",
        "shapes",
    },
    "parts": {
        "base",
        "context",
        "downloads",
        "examination",
        "fetched",
        "older_functions",
        "older_tools",
        "person",
        "relay_scripts",
        "relaying",
        "system_packages",
    },
}
# What stands on hosts once and is not carried by every call.
STANDS_ON_HOSTS = {
    "agents",
    "parts",
    "host_program",
    "rollout",
    "leavings",
    "examining",
    "listing",
    "by_memory",
    "command",
    "workspace",
}

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
                (*module, one.name) if above and _is_module((*module, one.name)) else module for one in node.names
            )


def _is_module(parts: tuple[str, ...]) -> bool:
    return PLUGINS.joinpath(*parts[1:]).is_dir() or bool(_file(parts))


def _file(parts: tuple[str, ...]) -> str:
    """The file of a module of the collection; empty for a directory without one."""
    path = PLUGINS.joinpath(*parts[1:])
    found = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return str(found.relative_to(PLUGINS)) if found.is_file() else ""


def _room(parts: tuple[str, ...]) -> str:
    """The room of a module of the collection, and the way on in it, such as ``host_program.config``."""
    _empty, *way = parts
    way = way[1:] if way[0] == "module_utils" and len(way) > 1 else way
    return "leaves" if way[0] in LEAVES else ".".join(way)


def _room_of(name: str) -> str:
    return _room(("", *Path(name.removesuffix("/__init__.py")).with_suffix("").parts))


def _within(name: str, rooms: str) -> bool:
    return any(f"{name}.".startswith(f"{room}.") for room in rooms.split())


@pytest.mark.parametrize("name", FILES)
def test_a_file_imports_what_its_room_may(name: str) -> None:
    room, _dot, own = _room_of(name).partition(".")
    for parts in _imported(name):
        imported = _room(parts) if not parts[0] else parts[0]
        if parts[0] in sys.stdlib_module_names or imported == "module_utils":  # the package itself: where its files are
            continue
        if _within(imported, room):
            other = imported.partition(".")[2]
            # What one agent or part has in a second file bears its name.
            known = not own or room not in SHARED or other in SHARED[room] or other.startswith(f"{own}_")
            assert known, f"{name} knows {imported}"
        else:
            assert _within(imported, f"{MAY_IMPORT[room]} {MORE.get(name, '')}"), f"{name}: {imported}"


def test_the_table_goes_down_only() -> None:
    rooms = list(MAY_IMPORT)
    for number, allowed in enumerate(MAY_IMPORT.values()):
        above = {one.partition(".")[0] for one in allowed.split()} & set(rooms[number:])
        assert not above, f"{rooms[number]} imports from above: {above}"


def test_no_imports_go_round() -> None:
    done: set[str] = set()

    def follow(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way, name))
        if name not in done:
            for parts in _imported(name):
                if not parts[0] and _file(parts):
                    follow(_file(parts), (*way, name))
            done.add(name)

    for name in FILES:
        follow(name, ())


def test_a_call_carries_nothing_that_stands_on_the_host() -> None:
    """Ansible packs all that a module imports, wherever the import stands."""
    carried: set[str] = set()
    ahead = {"modules/host_call.py"}
    while ahead:
        carried |= ahead
        imported = {_file(parts) for one in ahead for parts in _imported(one) if not parts[0]}
        ahead = {one for one in imported if one} - carried
    rooms = {_room_of(one) for one in carried}
    assert not {room for room in rooms if room.partition(".")[0] in {*STANDS_ON_HOSTS, "options"}}
    assert {room for room in rooms if room.startswith("engine")} <= {"engine", "engine.owner", "engine.owners"}


@pytest.mark.parametrize("name", ON_HOSTS)
def test_what_runs_on_hosts_loads_nothing_that_makes_every_call_slow(name: str) -> None:
    assert not {parts[0] for parts in _imported(name)} & {"dataclasses", "inspect"}


@pytest.mark.parametrize("name", [name for name in FILES if name.split("/")[0] in ("action", "plugin_utils")])
def test_no_private_method_of_ansible_is_overridden(name: str) -> None:
    theirs = {one for one in (*dir(ActionBase), *dir(Normal)) if one.startswith("_") and not one.startswith("__")}
    for node in ast.walk(ast.parse((PLUGINS / name).read_text())):
        if isinstance(node, ast.ClassDef):
            own = {one.name for one in node.body if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))}
            assert not own & theirs, f"{node.name} overrides {own & theirs}"
