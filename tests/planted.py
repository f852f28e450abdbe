# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plant secrets, make Ansible as loud as it can be, and search what it left."""

from __future__ import annotations

import base64
import json
import os
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.workspace.client import Workspace

# What a repair needs without the operator and its owner alone may read, below a home.
REMEMBERED = ".local/share/fmapi-coding-agents/wanted-private.json"


def _files(directory: Path) -> Iterator[Path]:
    for parent, _directories, names in os.walk(directory):
        yield from (path for path in (Path(parent, name) for name in names) if path.is_file() and not path.is_symlink())


def holding(directory: Path, secrets: Iterable[str]) -> set[str]:
    """Files below ``directory`` that hold one of ``secrets``, plain or in another spelling, relative to it."""
    wanted = [form for secret in secrets for form in _spellings(secret)]
    found = set()
    for path in _files(directory):
        content = path.read_bytes()
        if any(form in content for form in wanted):
            found.add(str(path.relative_to(directory)))
    return found


def _spellings(secret: str) -> set[bytes]:
    """A secret as it is, in JSON, in an address, and within something that is encoded in base64 as a whole."""
    plain = secret.encode()
    # Where it begins in a group of three decides what base64 makes of it; the characters at both ends depend on what is around.
    within = (base64.b64encode(b"\0" * before + plain)[2 * before : -4] for before in range(3))
    return {plain, json.dumps(secret)[1:-1].encode(), urllib.parse.quote(secret, safe="").encode(), *within}


def loud(directory: Path) -> dict[str, str]:
    """The environment of a run that keeps all it can below ``directory``: facts, log, callbacks' reports, names of failed hosts.

    ``tests/callbacks/record.py`` is the JSON callback: ansible-core has none of its own.
    """
    return {
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(directory / "facts"),
        "ANSIBLE_LOG_PATH": str(directory / "log"),
        "ANSIBLE_CALLBACKS_ENABLED": "record,ansible.builtin.junit",
        "JUNIT_OUTPUT_DIR": str(directory / "junit"),
        "ANSIBLE_RETRY_FILES_ENABLED": "1",
        "ANSIBLE_RETRY_FILES_SAVE_PATH": str(directory / "retry"),
        "ANSIBLE_DISPLAY_TRACEBACK": "always",
    }


LEFT = ("facts", "log", "junit", "retry", "ansible", "control-home")
"""What :func:`loud` and a control node of the same directory leave there, beside the directory of each play."""


def leaks(directory: Path, secrets: Iterable[str]) -> set[str]:
    """What runs left on the control node with a secret in it. The inventory is the operator's own place for it."""
    found = holding(directory, secrets)
    return {
        name
        for name in found
        if name.split("/")[0] in LEFT or (name.startswith("run-") and not name.endswith("/inventory.json"))
    }


def token_mark(workspace: Workspace) -> str:
    """What every access token of this workspace's service principal begins with: header and subject."""
    token = workspace.mint("service_principal")
    return token[: token.index(".") + 1 + 40]
