# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host half of the collection from beginning to end, on whatever Python starts this: ``python3.X host_story.py TREE HOME``.

TREE holds ``ansible_collections``. Standard library of Python 3.9 only: there is no pytest and no Ansible where this runs. Prints
``{"python": ..., "modules": [...], "left_out": [...]}`` and ends with status 0, or stops at the assertion that does not hold.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import os
import pkgutil
import sys
import zlib
from typing import Any

PACKAGE = "ansible_collections.fmapi.coding_agents.plugins.module_utils"
CONTROL_NODE = "workspace"
"""The room that never travels to a host: it needs the SDK, and a newer Python."""

GROUPS = ("owner", "workspace", "databricks_oauth", "agent_settings", "relay", "skills", "agent_cli")
"""Of options, that the parts read."""


def import_all() -> tuple[list[str], list[str]]:
    """Import every part of the host half; returns their names, and those that only Ansible can import."""
    root = importlib.import_module(PACKAGE)
    done, left_out = [], []
    for found in pkgutil.walk_packages(root.__path__, f"{PACKAGE}."):
        name = found.name[len(PACKAGE) + 1 :]
        if name.split(".")[0] == CONTROL_NODE:
            continue
        try:
            importlib.import_module(found.name)
            done.append(name)
        except ModuleNotFoundError as error:
            assert (error.name or "").split(".")[0] == "ansible", error
            left_out.append(name)
    return done, left_out


def tree(home: str) -> dict[str, Any]:
    """Everything in a home: kind, mode and content."""
    found: dict[str, Any] = {}
    for directory, names, files in os.walk(home):
        for name in names + files:
            path = os.path.join(directory, name)
            content = ""
            if os.path.islink(path):
                content = os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as stream:
                    content = hashlib.sha256(stream.read()).hexdigest()
            found[os.path.relpath(path, home)] = (oct(os.lstat(path).st_mode), content)
    return found


def live_in(home: str) -> None:
    """Files of a user, written as people write them."""
    os.makedirs(os.path.join(home, ".claude"))
    texts = {
        ".claude/settings.json": '{\n\t"model" : "opus",\r\n\t"env": {"EDITOR": "vim", "N": 1.10},\n\t"é": "\\u00e9" }',
        ".claude.json": '{"numStartups":12,"projects":{}}',
        ".databrickscfg": "; mine\r\n[DEFAULT]\r\nhost  = https://other.example.com\r\n# last line",
    }
    for name, text in texts.items():
        with open(os.path.join(home, name), "wb") as stream:
            stream.write(text.encode())


def options(url: str, **changes: Any) -> dict[str, Any]:
    """What a module is called with: every option of the groups that the parts read, by default as Ansible fills them."""
    groups = [importlib.import_module(f"{PACKAGE}.options.{name}") for name in GROUPS]
    filled = {name: spec.get("default") for group in groups for name, spec in group.SPEC.items()}
    program = b"#!/bin/sh\n# stands for the host program\n"
    carried = {
        "program_sha256": hashlib.sha256(program).hexdigest(),
        "program": base64.b64encode(zlib.compress(program)).decode(),
    }
    given = {"identity": "service_principal", "client_id": "an-id", "client_secret": "a-secret", "carried": carried}
    return {**filled, "workspace_url": url, **given, **changes}


def wanted(home: str, url: str, **changes: Any) -> list[Any]:
    """What a rollout wants of this home: the documents of all parts but the agents' programs, which would have to be fetched."""
    parts = importlib.import_module(f"{PACKAGE}.parts").PARTS
    owner = importlib.import_module(f"{PACKAGE}.engine.owner").current_owner(home)
    given = options(url, **changes)
    return [one for name, part in parts.items() if name != "agent_cli" for one in part.wanted(owner, given)]


def link(home: str, model: str) -> Any:
    """A program that is ours, as far as documents go."""
    of_engine = importlib.import_module(f"{PACKAGE}.engine.ownership")
    path = os.path.join(home, ".local", "bin", "claude")
    return of_engine.Wanted(
        path, "link", "agent_cli", values={(): f"../lib/{model}/claude"}, summary=f"Claude Code {model}"
    )


def story(home: str) -> None:
    """Install, a second run, a change, and the way back, each with its dry run."""
    engine = importlib.import_module(f"{PACKAGE}.engine.transaction")
    diffs = importlib.import_module(f"{PACKAGE}.engine.diffs")
    parts = importlib.import_module(f"{PACKAGE}.parts").PARTS
    owner = importlib.import_module(f"{PACKAGE}.engine.owner").current_owner(home)
    live_in(home)
    start = tree(home)

    def traces(ledger: Any) -> None:
        for part in parts.values():
            part.traces(ledger)

    def run(steps: list[Any], changed: bool) -> None:
        before = tree(home)
        told = engine.bring(owner, list(parts), steps, True, traces)
        assert tree(home) == before, "a dry run has written"
        done = engine.bring(owner, list(parts), steps, False, traces)
        assert (told.changed, told.changes) == (done.changed, done.changes)
        assert diffs.diff_of(told.plans) == diffs.diff_of(done.plans)
        assert done.changed == changed, done.changes
        assert (tree(home) != before) == changed

    def steps(number: str) -> list[Any]:
        models = {"claude_code": {"default": f"model-{number}"}}
        url = f"https://dbc-{number}.cloud.databricks.com"
        return [*wanted(home, url, models=models), link(home, number)]

    run(steps("one"), True)
    with open(os.path.join(home, ".claude", "settings.json"), encoding="utf-8") as stream:
        settings = json.load(stream)
    assert settings["env"]["ANTHROPIC_MODEL"] == "model-one" and settings["env"]["N"] == 1.1 and settings["é"] == "é"
    run(steps("one"), False)
    run(steps("two"), True)
    with open(os.path.join(home, ".databrickscfg"), "rb") as profiles:
        text = profiles.read()
    assert b"https://dbc-two." in text and b"https://dbc-one." not in text
    run(steps("two"), False)
    run([], True)
    assert tree(home) == start, "the way back is not exact"
    run([], False)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    names, without = import_all()
    story(sys.argv[2])
    print(json.dumps({"python": sys.version.split()[0], "modules": names, "left_out": without}))
