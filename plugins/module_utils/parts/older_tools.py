# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other tools have left in a home: how each is known for sure, and what an uninstall may take away of it.

Nothing is known by its name alone: what stands in a file says whose it is. Where the operator wants that, what two scripts wrote that
this collection follows is taken away, as far as nobody has edited it since. Other tools have their own way back, which is told.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .. import careful, processes
from ..agents import AGENTS
from ..engine import traces
from ..engine.documents import FORMATS, KeyPath, WholeFile
from ..engine.documents.block_document import WRAPPER
from ..engine.ledger import Ledger
from ..engine.owner import Owner
from ..engine.past import digest
from ..errors import OperatorError
from . import older_functions
from .older_tools_table import (
    BY_HAND,
    CACHE,
    CLONE,
    FUNCTION,
    HELPER,
    OPSKIT,
    PROFILE,
    REGISTRATION,
    SCRIPT,
    SETTINGS,
    TABLE,
    Artifact,
)

COMPONENT = "older_tools"
"""Marks in the ledger what a run is about to take away."""

View = Callable[[str], "bytes | None"]
"""What stands at a path, or will once ours is given back; None where nothing does that can be read."""

_HELPERS = {
    # SHA-256 of what two scripts in three versions put there, the filled-in lines emptied (see _emptied).
    "35ea98d7072fccfa688143b72054542eca0562e1878b8e4aeddbd0d8e3f64aa3": SCRIPT,
    "05bc85e109899631a9a0b272155a5a66783939a3dd4a89c6a163b398309017e6": SCRIPT,
    "77d2def1a62223225617ddaa36617a7a03838bab8ca299b9df939ff12a0ef263": OPSKIT,
}
_FILLED_IN = (
    (re.compile(rb'^(FMAPI_(?:PROFILE|HOST))="[^"\n]*"$', re.MULTILINE), rb'\1=""'),
    (re.compile(rb'^(echo "FMAPI:   bash )[^\n]*( --reauth" >&2)$', re.MULTILINE), rb"\1\2"),
)
_HELPER_NAME = "fmapi-key-helper.sh"
_IS_HELPER = re.compile(rb"\A#!/bin/(?:ba)?sh\n(?s:.*)\bauth token\b")
_CACHE_KEYS = {"token", "expiry_epoch", "lifetime_seconds"}
_MODEL = re.compile(r"(?:databricks|system\.ai\.)[\w.-]*claude-[\w.-]+")
_ENV = {
    "ANTHROPIC_MODEL": _MODEL,
    "ANTHROPIC_DEFAULT_OPUS_MODEL": _MODEL,
    "ANTHROPIC_DEFAULT_SONNET_MODEL": _MODEL,
    "ANTHROPIC_DEFAULT_HAIKU_MODEL": _MODEL,
    "ANTHROPIC_BASE_URL": re.compile(r"https://[^/\s]+/(?:serving-endpoints/)?anthropic"),
    "ANTHROPIC_CUSTOM_HEADERS": re.compile("x-databricks-use-coding-agent-mode: true"),
    "ANTHROPIC_AUTH_TOKEN": re.compile(r"dapi[0-9a-f]{32}(?:-\d+)?|eyJ[\w-]+\.[\w-]+\.[\w-]+"),
    "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": re.compile("1"),
    "CLAUDE_CODE_API_KEY_HELPER_TTL_MS": re.compile(r"\d{1,8}"),
}
"""What the script writes, and such values as it writes: another is its owner's."""
_PLUGIN = "fmapi-codingagent"
_PROFILES = ("fmapi-claudecode-profile", "fmapi-codex-profile")
_REMOTE = re.compile(
    r"^\s*url\s*=\s*(?:https://github\.com/|git@github\.com:)[\w.-]+/fmapi-codingagent-(?:setup|opskit)(?:\.git)?/?\s*$",
    re.MULTILINE,
)
_GIT_SECONDS = 20
_EDITED = "was edited since"


class Found(NamedTuple):
    """Something that another tool has left, as it stands. ``problem``: why it is never taken away, as a clause."""

    artifact: Artifact
    path: str
    detail: str = ""
    problem: str = ""
    format: str = ""
    values: Mapping[KeyPath, Any] = {}
    above: Sequence[KeyPath] = ()
    goes_when_empty: bool = False
    content: bytes = b""

    @property
    def can_go(self) -> bool:
        return self.artifact.is_removed and not self.problem

    @property
    def what(self) -> str:
        return f"{self.artifact.what} {self.detail}".rstrip()

    @property
    def way_out(self) -> str:
        return self.artifact.way_out.replace("NAME", self.detail)


def found(owner: Owner, view: View, environment: Mapping[str, str]) -> list[Found]:
    """All that other tools have left in a home, in the order of the table. Reads files only, and asks git about a clone."""
    if owner.is_machine:
        return []
    helper = list(_helpers(owner, view))
    functions = list(_functions(owner, view))
    leads_nowhere = all(one.can_go for one in helper)
    every = [
        *helper,
        *_cache(owner, view),
        *_settings(owner, view, leads_nowhere, functions),
        *_registration(owner, view),
        *functions,
        *_clone(owner, environment),
        *_profiles(owner, view),
        *_marked(owner, view),
    ]
    return sorted(every, key=lambda one: TABLE.index(one.artifact))


def enter(ledger: Ledger, those: Sequence[Found]) -> None:
    """Enter what can go as what a transaction is to take away."""
    for path in dict.fromkeys(one.path for one in those if one.format):
        own = [one for one in those if one.path == path and one.format]
        values = {key: value for one in own for key, value in one.values.items()}
        traces.keys(ledger, COMPONENT, path, own[0].format, values, [key for one in own for key in one.above])
        entry = ledger.documents[path]
        entry.update(note=None, created=own[0].goes_when_empty)
        if own[0].format == WholeFile.format:
            entry.update(created=True, after=digest(own[0].content), undo=[], summary=own[0].what)


def remove_clones(those: Sequence[Found]) -> list[str]:
    """Remove the clones among them; returns what could not be removed, and why."""
    errors: list[str] = []
    for one in those:
        if one.artifact.what == CLONE:
            try:
                shutil.rmtree(one.path)
            except OSError as error:
                errors.append(f"{one.path}: cannot be removed ({error.strerror}): {BY_HAND}")
    return errors


def _row(tool: str, path: str, what: str) -> Artifact:
    return next(one for one in TABLE if (one.path, one.what) == (path, what) and one.tool == tool)


def _helpers(owner: Owner, view: View) -> Iterator[Found]:
    row = _row(SCRIPT, ".claude/fmapi-key-helper.sh", HELPER)
    path = os.path.join(owner.home, row.path)
    content = view(path)
    if content is None or not _IS_HELPER.search(content):
        return
    tool = _HELPERS.get(hashlib.sha256(_emptied(content)).hexdigest())
    problem = "" if tool else f"{_EDITED}, or is of a version that is not known"
    detail = f"of {tool}" if tool == OPSKIT else ""
    yield Found(row, path, detail, problem, WholeFile.format, content=content)


def _emptied(content: bytes) -> bytes:
    for pattern, replacement in _FILLED_IN:
        content = pattern.sub(replacement, content)
    return content


def _cache(owner: Owner, view: View) -> Iterator[Found]:
    row = _row(SCRIPT, ".claude/.fmapi-pat-cache", CACHE)
    path = os.path.join(owner.home, row.path)
    content = view(path)
    if content is not None and set(_json(content)) == _CACHE_KEYS:
        yield Found(row, path, format=WholeFile.format, content=content)


def _settings(owner: Owner, view: View, leads_nowhere: bool, functions: Sequence[Found]) -> Iterator[Found]:
    row = _row(SCRIPT, ".claude/settings.json", SETTINGS)
    path = os.path.join(owner.home, row.path)
    settings = _json(view(path) or b"")
    helper = settings.get("apiKeyHelper")
    is_theirs = isinstance(helper, str) and os.path.basename(helper) == _HELPER_NAME
    # An older version had no helper: its function names the settings that it writes a token into.
    named = any(one.can_go and path in str(text) for one in functions for text in one.values.values())
    if not (is_theirs or named or "_fmapi_meta" in settings):
        return
    env = settings.get("env")
    env = env if isinstance(env, dict) else {}
    theirs = {
        name: value
        for name, value in env.items()
        if name in _ENV and isinstance(value, str) and _ENV[name].fullmatch(value)
    }
    values: dict[KeyPath, Any] = {("env", name): value for name, value in theirs.items()}
    values.update({("_fmapi_meta",): settings["_fmapi_meta"]} if "_fmapi_meta" in settings else {})
    if is_theirs:
        values[("apiKeyHelper",)] = helper
    edited = [name for name in _ENV if name in env and name not in theirs]
    if values:
        problem = "" if leads_nowhere else "leads to a token helper that stays"
        yield Found(row, path, f"({len(values)} keys)", problem, "json", values, [("env",)], goes_when_empty=True)
    if edited and values:
        yield Found(row, path, f"(env.{', env.'.join(edited)})", _EDITED)


def _registration(owner: Owner, view: View) -> Iterator[Found]:
    row = _row(SCRIPT, ".claude/plugins/installed_plugins.json", REGISTRATION)
    path = os.path.join(owner.home, row.path)
    registered = _json(view(path) or b"")
    plugins = registered.get("plugins")
    places: list[tuple[KeyPath, Any]] = [((_PLUGIN,), registered.get(_PLUGIN))]
    places.append((("plugins", _PLUGIN), plugins.get(_PLUGIN) if isinstance(plugins, dict) else None))
    for key, value in places:
        entries = value if isinstance(value, list) else [value]
        if value and all(isinstance(one, dict) and "installPath" in one for one in entries):
            known = all(set(one) == {"scope", "installPath"} for one in entries)
            problem = "" if known else _EDITED
            yield Found(row, path, f"({_PLUGIN})", problem, "json", {key: value}, goes_when_empty=len(key) == 1)


def _functions(owner: Owner, view: View) -> Iterator[Found]:
    def read(path: str) -> bytes:
        content = view(path)
        if content is None:
            raise FileNotFoundError(path)
        return content

    for one in older_functions.found(owner, AGENTS["claude_code"], read):
        row = _row(SCRIPT, os.path.relpath(one.path, owner.home), FUNCTION)
        block = FORMATS["block"](read(one.path)).get((WRAPPER, one.name)) if not one.problem else None
        values: dict[KeyPath, Any] = {(WRAPPER, one.name): block} if block is not None else {}
        yield Found(row, one.path, one.name, one.problem, "block", values)


def _clone(owner: Owner, environment: Mapping[str, str]) -> Iterator[Found]:
    row = _row(SCRIPT, ".fmapi-codingagent-setup", CLONE)
    path = os.path.join(owner.home, row.path)
    try:
        config = careful.read(os.path.join(path, ".git", "config")).decode("utf-8", "replace")
    except OSError:
        return
    if not _REMOTE.search(config):
        return
    yield Found(row, path, problem="is a symbolic link" if os.path.islink(path) else _changed_in(path, environment))


def _changed_in(clone: str, environment: Mapping[str, str]) -> str:
    """What a clone holds that its remote does not, as a clause; empty where that is nothing."""
    questions = (
        (["status", "--porcelain", "--ignored"], "has files that were changed or added"),
        (["log", "--format=%h", "--branches", "--not", "--remotes"], "has commits of its owner's"),
        (["stash", "list"], "has changes that were put aside"),
    )
    own = {**processes.environment(environment, os.path.dirname(clone)), "GIT_OPTIONAL_LOCKS": "0"}
    for arguments, problem in questions:
        command = ["git", "-C", clone, "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *arguments]
        try:
            done = processes.run(command, own, _GIT_SECONDS)
        except OSError:
            return "cannot be compared with its remote: git does not answer"
        if done.status != 0:
            return "cannot be compared with its remote: git refuses to"
        if done.stdout.strip():
            return problem
    return ""


def _profiles(owner: Owner, view: View) -> Iterator[Found]:
    row = _row(SCRIPT, ".databrickscfg", PROFILE)
    path = os.path.join(owner.home, row.path)
    content = view(path)
    if content is None or not any(name.encode() in content for name in _PROFILES):
        return
    try:
        document = FORMATS["ini"](content)
        for name in _PROFILES:
            section = document.get((name,))
            if isinstance(section, dict) and section.get("auth_type") == "databricks-cli":
                yield Found(row, path, name, "may be another tool's sign-in, too")
    except OperatorError:
        return


def _marked(owner: Owner, view: View) -> Iterator[Found]:
    for row in TABLE:
        content = view(os.path.join(owner.home, row.path)) if row.marker else None
        if content is not None and re.search(row.marker, content):
            yield Found(row, os.path.join(owner.home, row.path))


def _json(content: bytes) -> dict[str, Any]:
    """A JSON object; an empty one for what is none."""
    try:
        value = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
