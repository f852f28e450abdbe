# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host half of the collection from beginning to end, on whatever Python starts this: ``python3.X host_story.py TREE HOME``.

TREE holds ``ansible_collections``. Standard library of Python 3.9 only: there is no pytest and no Ansible where this runs. Prints
``{"python": ..., "modules": [...], "left_out": [...]}`` and ends with status 0, or stops at the assertion that does not hold.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import pkgutil
import sys
from typing import Any

PACKAGE = "ansible_collections.fmapi.coding_agents.plugins.module_utils"
CONTROL_NODE = ("databricks", "endpoints", "preflight")
"""Parts that never travel to a host: they need the SDK or a newer Python."""


def import_all() -> tuple[list[str], list[str]]:
    """Import every part of the host half; returns their names, and those that only Ansible can import."""
    root = importlib.import_module(PACKAGE)
    done, left_out = [], []
    for found in pkgutil.walk_packages(root.__path__, f"{PACKAGE}."):
        name = found.name[len(PACKAGE) + 1 :]
        if name in CONTROL_NODE:
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


def wanted(home: str, url: str, model: str) -> list[Any]:
    """What a rollout wants of this home: the documents of the sign-in, and those of the agents."""
    of_host = importlib.import_module(f"{PACKAGE}.wanted")
    config_of = importlib.import_module(f"{PACKAGE}.host_program.config").Config
    options_of = importlib.import_module(f"{PACKAGE}.agents").AgentOptions
    config = config_of(home, url, "fmapi-coding-agents", "service_principal", 15, client_id="an-id")
    options = options_of(
        home=home,
        settings_directory=home,
        workspace_url=url,
        base_urls=of_host.base_urls("gateway", url, None),
        token_helper=config.helper,
        token_ttl_minutes=15,
        models={"default": model},
        ca_file=None,
        experimental_betas=False,
    )
    auth = of_host.workspace_auth(config, "a-secret", sys.executable)
    return [*auth, *of_host.agent_documents(["claude_code"], options, False)]


def story(home: str) -> None:
    """Install, a second run, a change, and the way back, each with its dry run."""
    bring = importlib.import_module(f"{PACKAGE}.transaction").bring
    lost_ledger = importlib.import_module(f"{PACKAGE}.lost_ledger")
    components = ["workspace_auth", "claude_code"]
    live_in(home)
    start = tree(home)

    def run(steps: list[Any], changed: bool) -> None:
        before = tree(home)
        told = bring(home, components, steps, True, lost_ledger.rebuild)
        assert tree(home) == before, "a dry run has written"
        done = bring(home, components, steps, False, lost_ledger.rebuild)
        assert (told.changed, told.changes) == (done.changed, done.changes)
        assert done.changed == changed, done.changes
        assert (tree(home) != before) == changed

    first = wanted(home, "https://one.example.com", "model-one")
    second = wanted(home, "https://two.example.com", "model-two")
    run(first, True)
    with open(os.path.join(home, ".claude", "settings.json"), encoding="utf-8") as stream:
        settings = json.load(stream)
    assert settings["env"]["ANTHROPIC_MODEL"] == "model-one" and settings["env"]["N"] == 1.1 and settings["é"] == "é"
    run(first, False)
    run(second, True)
    with open(os.path.join(home, ".databrickscfg"), "rb") as profiles:
        text = profiles.read()
    assert b"https://two.example.com" in text and b"https://one.example.com" not in text
    run(second, False)
    run([], True)
    assert tree(home) == start, "the way back is not exact"
    run([], False)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    names, without = import_all()
    story(sys.argv[2])
    print(json.dumps({"python": sys.version.split()[0], "modules": names, "left_out": without}))
