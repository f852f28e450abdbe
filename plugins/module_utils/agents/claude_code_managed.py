# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What managed settings of others, which win over a person's, do to ours. By effect, measured with 2.1.197 and 2.1.331 on Linux.

Not looked at: configuration profiles of macOS, and settings that a server of the vendor hands out (they need a sign-in there).
"""

from __future__ import annotations

import glob
import json
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from .. import careful
from .base import Problem, version_key

DIRECTORIES = ("/etc/claude-code", "/Library/Application Support/ClaudeCode")

_BROKEN = "Claude Code 2.1.331 ends at once for every user, older versions ignore which model is wanted"
_NO_SIGN_IN = "Claude Code ends at once, for a token helper is no sign-in of its vendor"
_WAY_OUT = "Let who manages it take it out"
_FAMILIES = ("opus", "sonnet", "haiku", "fable")
_VENDOR_NAME = re.compile(r"claude-.*")
_OFF = ("", "0", "false", "no", "off")


class Managed:
    """All managed files as one: of two that say something about one key, the later wins. ``values`` has ``env.NAME`` for variables."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.problems: list[Problem] = []
        self._where: dict[str, str] = {}
        for path in _paths():
            self._read(path)

    def say(self, severity: str, key: str, effect: str) -> None:
        self.problems.append(Problem(severity, f"{self._where[key]} sets {key}: {effect}", _WAY_OUT))

    def _read(self, path: str) -> None:
        try:
            content = careful.read(path)
        except OSError as error:
            said = f"{path} cannot be read ({error.strerror}): what it enforces is not known"
            self.problems.append(Problem("WARN", said, "Let it be read"))
            return
        try:
            document = json.loads(content.decode("utf-8-sig")) if content.strip() else {}
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            self.problems.append(Problem("FAIL", f"{path} is no JSON object: {_BROKEN}", "Mend it, or take it away"))
            return
        variables = document.pop("env", None)
        if isinstance(variables, dict):
            document.update({f"env.{name}": value for name, value in variables.items()})
        self.values.update(document)
        self._where.update(dict.fromkeys(document, path))


def _paths() -> list[str]:
    found = []
    for directory in DIRECTORIES:
        found.append(os.path.join(directory, "managed-settings.json"))
        # Hidden files and those of other names are not read.
        found.extend(sorted(glob.glob(os.path.join(directory, "managed-settings.d", "*.json"))))
    return [path for path in found if os.path.lexists(path)]


def problems(
    ours: Mapping[str, str], helper: str, models: Sequence[str], outranking: Sequence[str], version: str
) -> list[Problem]:
    """What is to be told of them.

    ``ours`` are the variables of our settings, ``models`` those in force, ``outranking`` variables that come before our settings,
    ``version`` the one that is or would be there.
    """
    managed = Managed()
    values, say = managed.values, managed.say
    for name in outranking:
        if is_on(values.get(f"env.{name}")):
            say("FAIL", f"env.{name}", "it outranks the person's settings")
    for key in ("forceLoginMethod", "forceLoginOrgUUID"):
        if values.get(key):
            say("FAIL", key, _NO_SIGN_IN)
    if values.get("apiKeyHelper") not in (None, shlex.quote(helper)):
        say("FAIL", "apiKeyHelper", "another program than ours gives the token")
    url, pinned = ours["ANTHROPIC_BASE_URL"], values.get("env.ANTHROPIC_BASE_URL")
    if pinned not in (None, url):
        say("FAIL", "env.ANTHROPIC_BASE_URL", "requests go elsewhere")
    providers = values.get("allowedProviders")
    if isinstance(providers, list) and not ("customEndpoint" in providers and pinned == url):
        effect = f"2.1.331 ends at once, unless it lists customEndpoint and the same file sets env.ANTHROPIC_BASE_URL to {url}"
        say("FAIL", "allowedProviders", effect)
    for key in ("availableModels", "deniedModels"):
        refused = refused_models({key: values.get(key)}, models)
        if refused:
            say("FAIL", key, f"Claude Code asks for another model than {', '.join(refused)}")
    for key, is_outside in (("requiredMinimumVersion", _is_older), ("requiredMaximumVersion", _is_newer)):
        if is_outside(version, values.get(key)):
            say("FAIL", key, f"Claude Code {version} ends at once")
    if values.get("policyHelper"):
        say("WARN", "policyHelper", "what that program enforces is not known here")
    for name, value in ours.items():
        if name != "ANTHROPIC_BASE_URL" and values.get(f"env.{name}", value) != value:
            say("WARN", f"env.{name}", "it wins over what the rollout wrote")
    return managed.problems


def is_on(value: object) -> bool:
    """Whether Claude Code takes a variable with this value for set."""
    return str(value or "").lower() not in _OFF


def refused_models(settings: Mapping[str, Any], models: Sequence[str]) -> list[str]:
    """Of these models, those that ``availableModels`` does not list, and those that ``deniedModels`` does."""
    available, denied = settings.get("availableModels"), settings.get("deniedModels")
    return [
        one
        for one in dict.fromkeys(models)
        if (isinstance(available, list) and not any(_lists(str(entry), one) for entry in available))
        or (isinstance(denied, list) and any(_denies(str(entry), one) for entry in denied))
    ]


def _lists(entry: str, model: str) -> bool:
    """A family, a whole name, or its beginning up to a hyphen."""
    plain = _plain(model)
    return entry in (model, plain) or plain.startswith(f"{entry}-") or _is_family(entry, plain)


def _denies(entry: str, model: str) -> bool:
    """A family, or a version by whatever name a provider gives it."""
    plain, of_vendor, wanted = _plain(model), _VENDOR_NAME.search(_plain(model)), _VENDOR_NAME.search(entry)
    if entry == plain or _is_family(entry, plain):
        return True
    if of_vendor is None or wanted is None or not re.search(r"\d", wanted.group()):
        return False
    return of_vendor.group() == wanted.group() or of_vendor.group().startswith(f"{wanted.group()}-")


def _is_family(entry: str, plain: str) -> bool:
    return entry in _FAMILIES and entry in re.split(r"[-./]", plain)


def _plain(model: str) -> str:
    """Without the suffix for a larger context, which never leaves the agent."""
    return re.sub(r"\[\w+\]$", "", model)


def _is_older(version: str, least: Any) -> bool:
    return isinstance(least, str) and bool(least) and version_key(version) < version_key(least)


def _is_newer(version: str, most: Any) -> bool:
    return isinstance(most, str) and bool(most) and version_key(version) > version_key(most)
