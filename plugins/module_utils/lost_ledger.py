# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Working without a ledger: what is still known to be ours from the files themselves.

A ledger can be lost (a home restored from a backup, an eager clean-up). Then the helper's path in an agent's settings, and the
files in our own directory, still say what we wrote; what it replaced is not known any more, and the operator is told so.
"""

from __future__ import annotations

import os
from typing import Any

from .engine import files
from .parts import login_item as login_items
from .agents import AGENTS
from .engine.documents import FORMATS, MISSING, KeyPath
from .errors import OperatorError
from .host_program.config import Config
from .engine.ledger import Ledger
from .engine.ownership import Entry, digest, value_digest
from .wanted import WORKSPACE_AUTH

NOTE = "there was no ledger: what is known to be ours was taken out, what it had replaced is not known"


def rebuild(ledger: Ledger) -> None:
    """Fill an empty ledger from the traces in the home, so that withdrawing works as ever. Reads files only."""
    config = Config(ledger.home, "", "", "", 0)
    for name, agent in AGENTS.items():
        for path, kind in agent.usual_files(ledger.home).items():
            content = _content(path)
            if content is None:
                continue
            try:
                document = FORMATS[kind](content)
                keys = agent.known_as_ours(document, config.helper)
            except OperatorError:
                continue  # nothing of ours can be known in a file that cannot be read
            values: dict[KeyPath, Any] = {key: document.get(key) for key in keys if document.get(key) is not MISSING}
            if values:
                parents = list(dict.fromkeys(key[:-1] for key in values if key[:-1]))
                ledger.documents[path] = _entry(name, kind, values, ledger.salt, parents)
    _rebuild_workspace_auth(ledger, config)


def _rebuild_workspace_auth(ledger: Ledger, config: Config) -> None:
    try:
        told = Config.load(config.config_file)
        profile = FORMATS["ini"](_content(told.databrickscfg) or b"").get((told.profile,))
    except (OSError, ValueError, TypeError, OperatorError):
        profile = MISSING
    if profile is not MISSING and told.owns_profile and str(profile.get("host", "")).rstrip("/") == told.workspace_url:
        values: dict[KeyPath, Any] = {(told.profile, key): value for key, value in profile.items()}
        ledger.documents[told.databrickscfg] = _entry(WORKSPACE_AUTH, "ini", values, ledger.salt, [(told.profile,)])
    login_files = (login_items.launch_agent(ledger.home), login_items.desktop_entry(ledger.home))
    for path in (config.helper, config.front, config.config_file, config.program, *login_files):
        content = _content(path)
        if content is not None:
            ours: Entry = {"created": True, "after": digest(content), "undo": [], "note": None}
            ledger.documents[path] = {**_entry(WORKSPACE_AUTH, "file", {}, ledger.salt), **ours}
    _rebuild_login_block(ledger)
    ledger.directories.extend(path for path in (config.data_directory, config.cache_directory) if os.path.isdir(path))


def _rebuild_login_block(ledger: Ledger) -> None:
    path = login_items.shell_profile(ledger.home)
    try:
        block = FORMATS["block"](_content(path) or b"").get(login_items.BLOCK)
    except OperatorError:
        return
    if block is not MISSING:
        ledger.documents[path] = _entry(WORKSPACE_AUTH, "block", {login_items.BLOCK: block}, ledger.salt)


def _entry(
    component: str, kind: str, values: dict[KeyPath, Any], salt: str, containers: list[KeyPath] | None = None
) -> Entry:
    return {
        "component": component,
        "format": kind,
        "created": False,
        "after": "",
        "undo": None,
        "mode": [None, None],
        "leftovers": [],
        "backup": None,
        "values": [{"path": list(key), "digest": value_digest(value, salt)} for key, value in values.items()],
        "elements": [],
        "removed": [],
        "containers": [list(path) for path in containers or []],
        "note": NOTE,
    }


def _content(path: str) -> bytes | None:
    try:
        return files.read(path).content
    except OperatorError:
        return None
