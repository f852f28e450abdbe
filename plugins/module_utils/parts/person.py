# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's terminal as they have it, which may be another world than the login that Ansible has."""

from __future__ import annotations

import glob
import os
import pwd
import re
from collections.abc import Mapping, Sequence

from .. import careful, processes
from ..engine.owner import Owner

_SHELL_SECONDS = 10
_LONGEST_LINE = 2000
"""A longer one is no setting that a person has written, and would be looked through for long."""

START_FILES = (
    "~/.profile",
    "~/.bash_profile",
    "~/.bash_login",
    "~/.bashrc",
    "~/.bash_aliases",
    "~/.zshenv",
    "~/.zprofile",
    "~/.zshrc",
    "~/.zlogin",
    "~/.config/fish/config.fish",
    "~/.config/fish/conf.d/*.fish",
    "~/.cshrc",
    "~/.tcshrc",
    "~/.login",
    "~/.pam_environment",
    "~/.config/environment.d/*.conf",
    "/etc/environment",
    "/etc/environment.d/*.conf",
    "/etc/profile",
    "/etc/profile.d/*",
    "/etc/bash.bashrc",
    "/etc/bashrc",
    "/etc/zshenv",
    "/etc/zprofile",
    "/etc/zshrc",
    "/etc/zsh/*",
    "/etc/fish/config.fish",
    "/etc/fish/conf.d/*.fish",
)
"""Where the environment of terminals and of desktop sessions comes from. What those files read in turn is not followed."""


def environment(owner: Owner) -> Mapping[str, str]:
    """The environment as this user's own shell has it at a login; empty where the shell does not tell."""
    try:
        shell = pwd.getpwuid(owner.uid).pw_shell or "/bin/sh"
    except KeyError:
        return {}
    given = {"HOME": owner.home, "USER": owner.user, "LOGNAME": owner.user, "SHELL": shell, "TERM": "dumb"}
    try:
        # Interactive, because many set their PATH only there. exec: so that the shell does not write its history at its end.
        done = processes.run([shell, "-l", "-i", "-c", "exec env"], given, _SHELL_SECONDS, owner.home)
    except OSError:
        return {}
    lines = done.stdout.splitlines() if done.status == 0 else []
    found = [re.match(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", line) for line in lines]
    told: dict[str, str] = {}
    for one in found:
        if one:
            told.setdefault(one.group(1), one.group(2))
    return told


def settings_of(owner: Owner, names: Sequence[str]) -> dict[str, list[str]]:
    """Where the files that a shell or a desktop session starts with set these variables: ``FILE:LINE`` by name. Reads files only."""
    found: dict[str, list[str]] = {}
    if not names:
        return found
    setting = re.compile(
        rf"(?:(?:^|[\s;&|({{'\"`])({'|'.join(names)})\s?=|\bset(?:env)?\s(?:[^#;]*\s)?({'|'.join(names)})\s+)"
        r"(?![\"']{2}(?:\s|;|$))[^\s;]"
    )
    for pattern in START_FILES:
        for path in sorted(glob.glob(os.path.join(owner.home, pattern[2:]) if pattern.startswith("~/") else pattern)):
            for number, line in enumerate(_lines(path), 1):
                if len(line) > _LONGEST_LINE:
                    continue
                for one in setting.finditer(re.split(r"(?:^|\s)#", line, maxsplit=1)[0]):
                    place = f"{path}:{number}"
                    places = found.setdefault(one.group(1) or one.group(2), [])
                    if place not in places:
                        places.append(place)
    return found


def _lines(path: str) -> list[str]:
    try:
        return careful.read(path).decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def login_shell(owner: Owner) -> str:
    """The name of the shell that the owner logs in with."""
    try:
        return os.path.basename(pwd.getpwuid(owner.uid).pw_shell or "sh")
    except KeyError:
        return "sh"
