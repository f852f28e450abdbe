# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Skills of ours: where they stand, what they say, that they come and go exactly, and what of older set-ups leads to them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner, current_owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import skills
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.context import agent_options, bare_config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.skills import OLDER_KEY, PLUGIN, SKILLS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import MACHINE, How

from tests.hosts.tree import differences, manifest
from tests.unit.options_for import options_for

RUN, CHECK = How(), How(check=True)
NAMES = ["status", "sign-in", "doctor", "list-models", "validate-models", "set-up"]
REGISTRY = ".claude/plugins/installed_plugins.json"
OTHERS = '"their-plugin" : {"scope": "user","installPath":"/opt/their-plugin"}'  # as nobody would write it anew
REGISTRATION = '"fmapi-codingagent": {"scope": "user", "installPath": "/home/ada/.fmapi-codingagent-setup"}'
MACHINE_OWNER = Owner(MACHINE, 0, 0, "/root", MACHINE)


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    home = tmp_path / "Ada's home, żółć"
    home.mkdir(mode=0o700)
    return current_owner(str(home))


def wanted(*agents: str, **own: Any) -> dict[str, Any]:
    return options_for(parts=["skills"], agents=[*agents] or ["claude_code"], **own)


def below(owner: Owner, place: str) -> Path:
    return Path(owner.home, place)


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def files(owner: Owner) -> set[str]:
    """Skills, by their place below the home."""
    return {str(one.relative_to(owner.home).parent) for one in Path(owner.home).rglob("SKILL.md")}


def frontmatter(path: Path) -> dict[str, Any]:
    _before, head, _text = path.read_text(encoding="utf-8").split("---\n", 2)
    found: dict[str, Any] = yaml.safe_load(head)
    return found


def test_claude_code_gets_one_plugin(owner: Owner) -> None:
    rollout.apply(owner, wanted(), RUN)
    plugin = f".claude/skills/{PLUGIN}"
    assert files(owner) == {f"{plugin}/skills/{name}" for name in NAMES}
    assert json.loads(below(owner, f"{plugin}/.claude-plugin/plugin.json").read_text())["name"] == PLUGIN


def test_agents_that_look_in_one_place_share_what_is_there(owner: Owner) -> None:
    rollout.apply(owner, wanted("codex", "gemini", "opencode", "copilot", "pi"), RUN)
    assert files(owner) == {f".agents/skills/{PLUGIN}-{name}" for name in NAMES}


def test_every_agent_has_a_place_in_a_home(owner: Owner) -> None:
    rollout.apply(owner, wanted(*AGENTS), RUN)
    places = {".claude/skills/coding-agents/skills/", ".agents/skills/coding-agents-", ".hermes/skills/coding-agents-"}
    assert files(owner) == {f"{place}{name}" for place in places for name in NAMES}


def test_opencode_is_not_offered_claude_code_s_as_well(owner: Owner) -> None:
    """It looks into Claude Code's place, too, and takes what has a name."""
    rollout.apply(owner, wanted("claude_code", "opencode"), RUN)
    for path in Path(owner.home).rglob("SKILL.md"):
        named = frontmatter(path).get("name")
        assert named == (None if ".claude" in path.parts else path.parent.name)


@pytest.mark.parametrize("skill", SKILLS, ids=NAMES)
def test_a_skill_runs_one_verb_by_its_absolute_path(owner: Owner, skill: skills.Skill) -> None:
    rollout.apply(owner, wanted(*AGENTS), RUN)
    command = shlex.join([bare_config(owner).front, *skill.verb])
    for place in (AGENTS[name].skill_place(owner) for name in AGENTS):
        assert place is not None
        path = Path(skills.skill_file(place, skill))
        text = path.read_text(encoding="utf-8")
        assert f"```sh\n{command}\n```\n" in text and text.count("```") == 2
        assert ("Ask the person" in text.partition("```")[0]) is not skill.only_looks
        assert len(frontmatter(path)["description"]) < 1024, "longer ones are refused by some agents"
        own = "coding-agents:doctor" if place.takes_plugins else "coding-agents-doctor"
        assert "{" not in text and (own in text or skill.name != "status")


def test_claude_code_runs_without_asking_what_only_looks(owner: Owner) -> None:
    rollout.apply(owner, wanted(), RUN)
    front = shlex.quote(bare_config(owner).front)
    plugin = below(owner, f".claude/skills/{PLUGIN}/skills")
    allowed = {name: frontmatter(plugin / name / "SKILL.md").get("allowed-tools") for name in NAMES}
    assert allowed == {
        "status": f"Bash({front} status)",
        "doctor": f"Bash({front} doctor)",
        "list-models": f"Bash({front} models)",
        "validate-models": f"Bash({front} models --validate)",
        "sign-in": None,
        "set-up": None,
    }


def test_they_come_once_and_go_exactly(owner: Owner) -> None:
    put(below(owner, ".claude/skills/mine/SKILL.md"), "---\nname: mine\n---\nMine.\n")
    before = manifest(owner.home)
    foretold = rollout.apply(owner, wanted(*AGENTS), CHECK)
    assert differences(before, manifest(owner.home), times=True) == []
    assert rollout.apply(owner, wanted(*AGENTS), RUN)["changes"] == foretold["changes"]
    stands = manifest(owner.home)
    again = rollout.apply(owner, wanted(*AGENTS), RUN)
    assert (again["changed"], again["changes"]) == (False, [])
    assert differences(stands, manifest(owner.home), times=True) == []
    rollout.withdraw(owner, wanted(*AGENTS), RUN)
    assert differences(before, manifest(owner.home)) == []


def test_without_an_agent_or_without_leave_its_skills_go(owner: Owner) -> None:
    before = manifest(owner.home)
    rollout.apply(owner, wanted("claude_code", "pi"), RUN)
    rollout.apply(owner, wanted("pi"), RUN)
    assert files(owner) == {f".agents/skills/{PLUGIN}-{name}" for name in NAMES}
    rollout.apply(owner, wanted("pi", self_help_skills=False), RUN)
    assert differences(before, manifest(owner.home)) == []


def test_a_person_s_own_skill_by_such_a_name_is_back_afterwards(owner: Owner) -> None:
    own = put(below(owner, ".agents/skills/coding-agents-doctor/SKILL.md"), "mine")
    put(own.parent / "notes.md", "mine, too")
    before = manifest(owner.home)
    rollout.apply(owner, wanted("codex"), RUN)
    assert own.read_text() != "mine" and (own.parent / "notes.md").read_text() == "mine, too"
    rollout.withdraw(owner, wanted("codex"), RUN)
    assert differences(before, manifest(owner.home)) == []


def test_a_look_where_nothing_older_is_costs_seven_small_files(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollout that has nothing to do costs each host what it costs to read seven small files."""
    rollout.apply(owner, wanted(), RUN)
    assert len(skills.Skills().wanted(owner, wanted())) == len(NAMES) + 1
    loaded: list[str] = []
    monkeypatch.setattr(Ledger, "load", lambda owner: loaded.append("again"))
    skills.Skills().wanted(owner, wanted())
    assert loaded == [], "no older set-up: the ledger is not asked"


def test_without_the_ledger_they_still_go(owner: Owner) -> None:
    theirs = put(below(owner, ".agents/skills/theirs/SKILL.md"), "theirs")
    rollout.apply(owner, wanted(*AGENTS), RUN)
    shutil.rmtree(owner.state)
    edited = put(below(owner, f".agents/skills/{PLUGIN}-status/SKILL.md"), "somebody's own by now")
    rollout.withdraw(owner, wanted(), RUN)
    assert files(owner) == {str(one.relative_to(owner.home).parent) for one in (theirs, edited)}
    assert not [path for path in below(owner, ".claude").rglob("*") if path.is_file()]


# -- older set-ups ----------------------------------------------------------------------------------------------------


def registered(owner: Owner, *entries: str) -> Path:
    return put(below(owner, REGISTRY), "{" + ",\n   ".join(entries) + "}")


def older_names(owner: Owner) -> set[str]:
    return {os.path.basename(one) for one in files(owner) if OLDER_KEY in one}


def test_the_older_script_s_names_lead_to_ours_and_its_registration_goes_and_comes_back(owner: Owner) -> None:
    registry = registered(owner, OTHERS, REGISTRATION)
    before = manifest(owner.home)
    rollout.apply(owner, wanted(), RUN)
    assert registry.read_text() == "{" + OTHERS + "}", "others' entries stay byte for byte"
    assert older_names(owner) == {skill.older for skill in SKILLS}
    for skill in SKILLS:
        path = below(owner, f".claude/skills/{skill.older}/SKILL.md")
        assert shlex.join([bare_config(owner).front, *skill.verb]) in path.read_text(encoding="utf-8")
        head = frontmatter(path)
        assert head["disable-model-invocation"] is True, "the model is offered each once"
        assert "name" not in head, "OpenCode is not offered it at all"
    assert not rollout.apply(owner, wanted(), RUN)["changed"]
    rollout.withdraw(owner, wanted(), RUN)
    assert differences(before, manifest(owner.home)) == []


def test_a_registration_alone_in_its_file_comes_back(owner: Owner) -> None:
    registry = registered(owner, REGISTRATION)
    before = manifest(owner.home)
    rollout.apply(owner, wanted(), RUN)
    assert json.loads(registry.read_text()) == {}
    rollout.apply(owner, wanted("codex"), RUN)
    assert older_names(owner) == set()
    rollout.withdraw(owner, wanted(), RUN)
    assert differences(before, manifest(owner.home)) == []


def test_what_claude_code_installs_in_between_stays(owner: Owner) -> None:
    registry = registered(owner, REGISTRATION)
    rollout.apply(owner, wanted(), RUN)
    theirs = {"version": 2, "plugins": {"p@m": [{"scope": "user"}]}}
    registry.write_text(json.dumps(theirs, indent=2))
    assert not rollout.apply(owner, wanted(), RUN)["changed"]
    rollout.withdraw(owner, wanted(), RUN)
    left = json.loads(registry.read_text())
    assert {key: left[key] for key in theirs} == theirs and set(left) - set(theirs) == {OLDER_KEY}


@pytest.mark.parametrize(
    "content", ["{", '{"version": 2, "plugins": {"fmapi-codingagent@m": []}}', '["fmapi-codingagent"]', OTHERS]
)
def test_a_registry_that_has_no_entry_of_the_older_script_is_not_touched(owner: Owner, content: str) -> None:
    registry = put(below(owner, REGISTRY), content)
    before = manifest(owner.home)
    rollout.apply(owner, wanted(), RUN)
    assert registry.read_text() == content and older_names(owner) == set()
    rollout.withdraw(owner, wanted(), RUN)
    assert differences(before, manifest(owner.home)) == []


@pytest.mark.parametrize(("agent", "place"), [("claude_code", ".claude"), ("codex", ".agents")])
def test_copies_of_opskit_s_skills_give_way_to_ours_and_come_back(owner: Owner, agent: str, place: str) -> None:
    old = put(below(owner, f"{place}/skills/fmapi-codingagent-doctor/SKILL.md"), "Run setup-fmapi-claudecode doctor.\n")
    before = manifest(owner.home)
    rollout.apply(owner, wanted(agent), RUN)
    assert older_names(owner) == {"fmapi-codingagent-doctor"}, "of those that were not there, none is made"
    assert "setup-fmapi" not in old.read_text(encoding="utf-8")
    assert shlex.join([bare_config(owner).front, "doctor"]) in old.read_text(encoding="utf-8")
    assert not rollout.apply(owner, wanted(agent), RUN)["changed"]
    rollout.withdraw(owner, wanted(agent), RUN)
    assert differences(before, manifest(owner.home)) == []


# -- all users of a host ----------------------------------------------------------------------------------------------


def test_for_all_users_they_stand_where_agents_look_or_are_told_to(owner: Owner) -> None:
    options = options_for(agents=[*AGENTS], scope=MACHINE)
    paths = [one.path for one in skills.Skills().wanted(MACHINE_OWNER, options)]
    places = ("/etc/claude-code/.claude/skills", "/etc/codex/skills", "/opt/fmapi-coding-agents/skills")
    assert sorted(paths) == sorted(f"{place}/{PLUGIN}-{name}/SKILL.md" for place in places for name in NAMES)
    assert AGENTS["gemini"].skill_place(MACHINE_OWNER) is None

    told = {name: agent_options(MACHINE_OWNER, options, name) for name in ("opencode", "copilot", "pi")}
    assert AGENTS["opencode"].documents(told["opencode"])[-1].elements["skills", "paths"] == (places[2],)
    copilot, pi = AGENTS["copilot"].launch(told["copilot"]), AGENTS["pi"].launch(told["pi"])
    assert copilot is not None and copilot.first_directories == {"COPILOT_SKILLS_DIRS": (places[2], ",")}
    assert pi is not None and " ".join(("--skill", places[2])) in " ".join(pi.arguments)

    untold = {name: one._replace(skills=False) for name, one in told.items()}
    assert ("skills", "paths") not in AGENTS["opencode"].documents(untold["opencode"])[-1].elements
    copilot, pi = AGENTS["copilot"].launch(untold["copilot"]), AGENTS["pi"].launch(untold["pi"])
    assert copilot is not None and not copilot.first_directories and pi is not None and "--skill" not in pi.arguments


@pytest.mark.parametrize("name", AGENTS)
def test_in_a_home_no_agent_s_own_settings_name_them(owner: Owner, name: str) -> None:
    told = agent_options(owner, options_for(), name)
    untold = told._replace(skills=False)
    assert AGENTS[name].launch(told) == AGENTS[name].launch(untold)
    settings = [
        [(one.path, one.values, one.elements) for one in AGENTS[name].documents(each)] for each in (told, untold)
    ]
    assert settings[0] == settings[1]
