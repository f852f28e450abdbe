# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor says of agents' programs: whether they are there, do, start, and come first on the person's PATH."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from ..agents import Agent, FoundCli
from ..agents.source_npm import Npm
from . import fetched
from .examination import FAIL, PASS, ROLL_OUT, WARN, Check, Examination

_NEWER_NODE = "Install a newer Node.js, and put it first on this user's PATH"


def of_program(agent: Agent, found: FoundCli | None, examination: Examination) -> Iterator[Check]:
    """What is to be said of one agent's."""
    check = ("Dependencies", agent.title)
    if found is None:
        yield Check(*check, FAIL, "is not installed", _way_to(agent, examination))
    elif not agent.accepts(found.version):
        said = f"{found.version} does not work with a workspace"
        yield Check(*check, FAIL, said, _way_to(agent, examination))
    else:
        unfit = _unfit(agent, found, examination)
        if unfit:
            yield Check(*check, FAIL, f"{found.path} does not start: {unfit}", _NEWER_NODE)
            return
        yield Check(*check, PASS, f"{found.version or 'of unknown version'} ({found.path})")
        yield from _on_path(agent, found, _behind_launchers(examination))


def _way_to(agent: Agent, examination: Examination) -> str:
    """What brings the program: a rollout cannot where what it fetches with is not there."""
    version = examination.options["cli_versions"].get(agent.name) or agent.pinned_version
    if isinstance(agent.source, Npm) and fetched.may_fetch_tools(examination.options):
        return ROLL_OUT
    needed = agent.source.needed(str(version), fetched.settings(examination.owner, examination.options))
    return f"{needed}, then run the rollout" if needed else ROLL_OUT


def _unfit(agent: Agent, found: FoundCli, examination: Examination) -> str:
    """Why it cannot run in the person's terminal. In check mode no program is started that could tell."""
    path = examination.shell().get("PATH") or examination.environment.get("PATH", "")
    if examination.offline:
        return ""
    return agent.source.unfit(found.path, found.version or agent.pinned_version, examination.owner.home, {"PATH": path})


def _behind_launchers(examination: Examination) -> str:
    """The person's PATH without our own directory: its commands start the program that comes next."""
    path = examination.shell().get("PATH", "").split(os.pathsep)
    return os.pathsep.join(one for one in path if os.path.normpath(one) != examination.owner.launchers)


def _on_path(agent: Agent, found: FoundCli, path: str) -> Iterator[Check]:
    """Whether the person who types the command gets the program that was found, or at least another that will do."""
    check = f"{agent.title} on PATH"
    if not path:
        return  # the shell does not tell
    directory = os.path.dirname(found.path)
    first = shutil.which(agent.command, path=path)
    way_out = f'Put it in front, for example in ~/.profile: PATH="{directory}:$PATH"'
    if first is None:
        yield Check("Environment", check, WARN, f"{directory} is not on this user's PATH", way_out)
    elif os.path.realpath(first) != os.path.realpath(found.path):
        version = agent.found_at(first).version
        said = f"{first} ({version or 'of unknown version'}) comes before {found.path} on this user's PATH"
        if agent.accepts(version):
            yield Check("Conflicts", check, WARN, said, f"Remove the former, or: {way_out}")
        else:
            said += ", and does not work with a workspace"
            yield Check("Conflicts", check, FAIL, said, f"Remove the former, or: {way_out}")
