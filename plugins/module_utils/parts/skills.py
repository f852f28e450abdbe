# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Skills by which agents help with this set-up: its state, the sign-in, the doctor, the models.

Each tells the agent to run one verb of the host's command, by its absolute path, and what to do with what that says. They stand where
the chosen agents look, once for each place: several agents share one. Claude Code gets them as one plugin, whose skills have no name
of their own: OpenCode, which looks into Claude Code's place as well, passes over those, and is not offered them twice.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .. import careful
from ..agents import AGENTS
from ..agents.base import SkillPlace
from ..engine import traces
from ..engine.ledger import Ledger
from ..engine.owner import Owner
from ..engine.ownership import Wanted, whole_file
from .base import Options, Part
from .context import bare_config

PLUGIN = "coding-agents"
"""The plugin's name, and how the names of skills begin where there is no plugin around them."""
OLDER_KEY = "fmapi-codingagent"
"""By which an older script registered its skills with Claude Code."""

_FILE = "SKILL.md"
_MARK = "# Written by fmapi.coding_agents."


class Skill(NamedTuple):
    """One skill. ``older``: what it was called in older set-ups. ``only_looks``: it changes nothing, and asks for no consent."""

    name: str
    older: str
    verb: tuple[str, ...]
    description: str
    text: str
    only_looks: bool = True


SKILLS = (
    Skill(
        "status",
        "fmapi-codingagent-status",
        ("status",),
        "Show how the coding agents of this machine are set up for the Databricks workspace: which workspace, who is signed in there,"
        " and until when. Use it when somebody asks whether they are signed in or set up, or which workspace or identity is in use.",
        """\
Tell the person in two or three sentences which workspace it is, who they are there, and whether a token can be had, until when.
If it says that the sign-in is over or was never done, offer {sign_in}. If something else looks wrong, offer {doctor}.
It prints no token. Do not look for one anywhere else.""",
    ),
    Skill(
        "sign-in",
        "fmapi-codingagent-reauth",
        ("login",),
        "Sign the person in to the Databricks workspace that this machine's coding agents use. Use it when a sign-in has ended or is"
        " about to, when requests are refused with 401 or 403, or when somebody asks to sign in, log in or authenticate again.",
        """\
A browser opens on this machine, and the command waits for the person, up to five minutes. Run it with a time limit of more than that,
or in the background. If it shows a link, give the person the whole link at once, and let the command go on waiting.
It asks nothing where they are signed in already. With `--again` at its end, somebody signs in anew, or as somebody else.
At the end, say who is signed in, or what it said went wrong. Never ask the person for a password or a token.""",
        only_looks=False,
    ),
    Skill(
        "doctor",
        "fmapi-codingagent-doctor",
        ("doctor",),
        "Find out why this machine's coding agents or their Databricks models do not work: programs, settings, environment, sign-in,"
        " network, models. Use it when an agent does not answer, when requests fail, or when somebody asks for a check or the doctor.",
        """\
Each line is PASS, WARN, FAIL or SKIP, with the way out where there is one. Name what failed first, with that way out in your own
words, then the warnings, and only how many checks passed. Its exit status is not zero where something failed: that is an answer, no
error. Change nothing by yourself. Offer what the person can do: {sign_in}, {set_up}, or what the line says. Where it says "Run the
rollout" and {set_up} does not help, only whoever set this machine up can do it.""",
    ),
    Skill(
        "list-models",
        "fmapi-codingagent-list-models",
        ("models",),
        "List the models that the Databricks workspace serves to this machine's coding agents, and which of them are configured. Use"
        " it when somebody asks which models there are, or for another model.",
        """\
Show the list by family, the configured models first. If the person wants another model, say how the agent that they use switches it
for a session (its command for models). Which model every session begins with was rolled out: {set_up} says who can change that.""",
    ),
    Skill(
        "validate-models",
        "fmapi-codingagent-validate-models",
        ("models", "--validate"),
        "Check that the models that this machine's coding agents are configured for exist in the Databricks workspace and are ready."
        " Use it when a model is not found or not ready, or when somebody asks to validate the models.",
        """\
Say which configured models are ready, and of each other one what is wrong: it does not exist, is not ready yet, or may not be used.
For one that does not exist, offer {list_models}. One that is not ready comes back by itself, or whoever runs the workspace can tell.
Its exit status is not zero where a model is not ready: that is an answer, no error.""",
    ),
    Skill(
        "set-up",
        "fmapi-codingagent-setup",
        ("repair",),
        "Explain what was set up on this machine for coding agents with Databricks models, and bring it back where it was changed or"
        " lost. Use it when settings are gone or broken, or when somebody wants to set up, repair or change the configuration.",
        """\
It brings back what was rolled out here, and leaves everything of the person's own as it is. Say afterwards what it changed.

This machine was set up by IT, with the Ansible collection fmapi.coding_agents: the settings that the agents need for the workspace's
models, a helper that gets them short-lived tokens, commands in front of some agents, and these skills. The person has nothing to set
up but their sign-in ({sign_in}). What there is, {status} shows.
Do not edit those settings by hand: the next rollout sets them again. Another workspace, another agent, other models, or to take all of
it away, is for IT to roll out: the command says whom to ask, if IT has named somebody.""",
        only_looks=False,
    ),
)


class Skills(Part):
    name = "skills"

    def wanted(self, owner: Owner, options: Options) -> list[Wanted]:
        if not options["self_help_skills"]:
            return []
        front = shlex.quote(bare_config(owner).front)
        found: dict[str, Wanted] = {}
        for place in _places(owner, options["agents"]):
            documents = [*_documents(place, front), *_older(owner, place, front)]
            found.update({one.path: one for one in documents})
        return [*found.values()]

    def traces(self, ledger: Ledger) -> None:
        for place in _places(ledger.owner, AGENTS):
            below = [skill_file(place, skill) for skill in SKILLS] + [older_file(place, skill) for skill in SKILLS]
            for path in (*below, _manifest_file(place)) if place.takes_plugins else below:
                content = traces.content(path) or b""
                if _MARK.encode() in content or content == _manifest():
                    traces.whole_file(ledger, self.name, path)


def _places(owner: Owner, agents: Iterable[str]) -> list[SkillPlace]:
    """Where these agents look, each place once."""
    places = (AGENTS[name].skill_place(owner) for name in agents)
    return [*dict.fromkeys(place for place in places if place is not None)]


def skill_file(place: SkillPlace, skill: Skill) -> str:
    if place.takes_plugins:
        return os.path.join(place.directory, PLUGIN, "skills", skill.name, _FILE)
    return os.path.join(place.directory, f"{PLUGIN}-{skill.name}", _FILE)


def older_file(place: SkillPlace, skill: Skill) -> str:
    """Where an older set-up had the same."""
    return os.path.join(place.directory, skill.older, _FILE)


def _manifest_file(place: SkillPlace) -> str:
    return os.path.join(place.directory, PLUGIN, ".claude-plugin", "plugin.json")


def _manifest() -> bytes:
    told = {"name": PLUGIN, "description": "The state, sign-in, doctor and models of this machine's Databricks set-up."}
    return f"{json.dumps(told, indent=2)}\n".encode()


def _documents(place: SkillPlace, front: str) -> Iterator[Wanted]:
    if place.takes_plugins:
        yield whole_file(_manifest_file(place), Skills.name, _manifest(), f"plugin {PLUGIN}")
    for skill in SKILLS:
        head = [f"description: {json.dumps(skill.description)}"]
        if not place.takes_plugins:
            head.insert(0, f"name: {PLUGIN}-{skill.name}")
        yield _file(skill_file(place, skill), head, place, skill, front)


def _older(owner: Owner, place: SkillPlace, front: str) -> Iterator[Wanted]:
    """What older set-ups have left: their names lead to the same, for people alone, and what was registered in vain is taken out.

    The names stay for as long as the agent is chosen: our own files are there then.
    """
    registered = _is_registered(owner, place.older_registry)
    if registered:
        yield Wanted(place.older_registry, "json", Skills.name, superseded=((OLDER_KEY,),))
    for skill in SKILLS:
        path = older_file(place, skill)
        if registered or os.path.lexists(path):
            head = [f"description: {json.dumps(f'Former name of {_called(place, skill.name)}.')}"]
            head.append("disable-model-invocation: true")
            if not place.takes_plugins:
                head.insert(0, f"name: {skill.older}")
            yield _file(path, head, place, skill, front)


def _is_registered(owner: Owner, registry: str) -> bool:
    """Whether the older script's entry is there, or was until we took it out. What cannot be read is its owner's to mend."""
    if not registry or not os.path.lexists(registry):
        return False
    try:
        content = careful.read(registry)
        told = json.loads(content.decode("utf-8-sig")) if OLDER_KEY.encode() in content else {}
    except (OSError, ValueError, RecursionError):
        return False
    if isinstance(told, dict) and OLDER_KEY in told:
        return True
    ledger = Ledger.load(owner)
    record = ledger.documents.get(ledger.spelled(registry)) or {}
    return any(one["path"] == [OLDER_KEY] for one in record.get("removed", ()))


def _file(path: str, head: list[str], place: SkillPlace, skill: Skill, front: str) -> Wanted:
    command = " ".join([front, *skill.verb])
    if skill.only_looks and place.permission:
        head = [*head, f"allowed-tools: {json.dumps(place.permission.replace('COMMAND', command))}"]
    others = {one.name.replace("-", "_"): f"the skill {_called(place, one.name)}" for one in SKILLS}
    frontmatter = "\n".join(["---", _MARK, *head, "---"])
    wish = "Run this command" if skill.only_looks else "Ask the person whether you may run this command, then run it"
    text = f"{frontmatter}\n\n{wish}:\n\n```sh\n{command}\n```\n\n{skill.text.format(**others)}\n"
    return whole_file(path, Skills.name, text.encode(), f"skill {os.path.basename(os.path.dirname(path))}")


def _called(place: SkillPlace, name: str) -> str:
    """A skill's name, as the agents of this place have it."""
    return f"{PLUGIN}:{name}" if place.takes_plugins else f"{PLUGIN}-{name}"
