# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell function of the older script fmapi-codingagent-setup: taken over with its name, and given back byte for byte."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import MISSING, BlockDocument
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner, current_owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.examination import Check, Examination
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.launcher import Launcher
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests.hosts.tree import differences, manifest
from tests.unit.options_for import options_for

NAME = "dbx-fmapi-claude"
OWN = b"# mine \xff\nexport EDITOR=vi\n"
CHECK, RUN = How(check=True), How()
SAYS = '#!/bin/sh\necho "the program:$*"\n'


def function(name: str = NAME, more: str = "") -> bytes:
    """Of the script's form and statements: a token is looked at, renewed, and put into the settings."""
    return f"""
# >>> {name} wrapper >>>
{name}() {{
  local sf="/home/ada/.claude/settings.json"
  [[ ! -f "$sf" ]] && {{ command claude "$@"; return; }}

  local token host profile="fmapi"
  token=$(jq -r '.env.ANTHROPIC_AUTH_TOKEN // empty' "$sf")
{more}  # an old one is renewed
  if [[ -z "$token" ]] || \\
     [[ "$(curl -s "$host/api/2.0/x")" != "200" ]]; then
    echo "[{name}] renewed (until $(date -r "$new_expiry" '+%H:%M'))."
    local new_token=""
    new_token=$(databricks auth token --profile "$profile") || true
    if [[ -z "$new_token" ]]; then
      databricks auth login --host "$host" --profile "$profile"
    else
      echo "[{name}] Error" >&2
      return 1
    fi
  fi

  command claude "$@"
}}
# <<< {name} wrapper <<<
""".encode()


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    """Who uses bash, and has had the script write into its start file."""
    home = tmp_path / "Ada's home, żółć"
    home.mkdir(mode=0o700)
    program = home / ".local" / "bin" / "claude"
    program.parent.mkdir(parents=True)
    program.write_text(SAYS)
    program.chmod(0o755)
    (home / ".bashrc").write_bytes(OWN + function() + b"alias ll='ls -l'\n")
    return current_owner(str(home))


def wanted(*agents: str) -> dict[str, object]:
    return options_for(parts=["launcher"], agents=[*agents] or ["claude_code"])


def bashrc(owner: Owner) -> Path:
    return Path(owner.home, ".bashrc")


def typed(owner: Owner, line: str) -> str:
    """What a terminal of this person prints."""
    environment = {"HOME": owner.home, "PATH": "/usr/bin:/bin", "TERM": "dumb"}
    bash = ["bash", "--rcfile", str(bashrc(owner)), "-i", "-c", line]
    return subprocess.run(bash, env=environment, capture_output=True, text=True, check=False, timeout=20).stdout


def doctor(owner: Owner) -> list[Check]:
    config = Config(owner.home, "https://w.example.com", "p", "user", 15)
    checks = Launcher().checks(Examination(owner, wanted(), config, dict(os.environ), offline=True))
    return [one for one in checks if one.status == "WARN"]


def test_the_name_starts_claude_code_and_the_function_is_back_byte_for_byte(owner: Owner) -> None:
    before, stood = manifest(owner.home), bashrc(owner).read_bytes()
    foretold = rollout.apply(owner, wanted(), CHECK)
    assert any(".bashrc" in one and NAME in one for one in foretold["changes"]), "the dry run says it"
    assert manifest(owner.home) == before
    assert rollout.apply(owner, wanted(), RUN)["changes"] == foretold["changes"]
    assert NAME.encode() not in bashrc(owner).read_bytes() and bashrc(owner).read_bytes().startswith(OWN)
    assert typed(owner, f"{NAME} -p 'a  b'") == "the program:-p a  b\n"
    assert doctor(owner) == []
    assert not rollout.apply(owner, wanted(), RUN)["changed"]
    rollout.withdraw(owner, wanted(), RUN)
    assert bashrc(owner).read_bytes() == stood and differences(before, manifest(owner.home)) == []


def test_a_host_without_it_gets_no_such_command_and_no_start_file_is_touched(owner: Owner) -> None:
    bashrc(owner).write_bytes(OWN)
    assert not rollout.apply(owner, wanted(), RUN)["changed"]
    assert not os.path.exists(owner.launchers)


def test_an_override_by_the_agent_s_own_name_is_taken_over_without_a_command_of_ours(owner: Owner) -> None:
    bashrc(owner).write_bytes(OWN + function("claude"))
    before = manifest(owner.home)
    assert rollout.apply(owner, wanted(), RUN)["changed"]
    assert bashrc(owner).read_bytes() == OWN + b"\n" and not os.path.exists(owner.launchers)
    assert not rollout.apply(owner, wanted(), RUN)["changed"]
    rollout.withdraw(owner, wanted(), RUN)
    assert differences(before, manifest(owner.home)) == []


LEFT = {
    "edited": (function(more="  cd ~/work\n"), "was changed since"),
    "its last line edited": (
        function().replace(b'\n  command claude "$@"', b'\n  command claude -c "$@"'),
        "was changed since",
    ),
    "no closing brace": (function().replace(b"\n}\n", b"\n"), "no closing brace"),
    "no end": (function().partition(b"# <<<")[0], "no pair"),
    "twice": (function() * 2, "stands twice"),
    "by hand": (f"{NAME}() {{ claude; }}\n".encode(), "did not write it"),
}


@pytest.mark.parametrize("how", LEFT)
def test_what_is_not_the_script_s_own_any_more_is_left_alone_and_said(owner: Owner, how: str) -> None:
    text, said = LEFT[how]
    bashrc(owner).write_bytes(OWN + text)
    before = manifest(owner.home)
    done = rollout.apply(owner, wanted(), RUN)
    assert bashrc(owner).read_bytes().startswith(OWN + text)
    (warning,) = done["warnings"]
    assert said in warning and f"{bashrc(owner)}:" in warning and NAME in warning
    (check,) = doctor(owner)
    assert said in check.detail and ".bashrc" in check.fix
    assert not rollout.apply(owner, wanted(), RUN)["changed"]
    rollout.withdraw(owner, wanted(), RUN)
    assert differences(before, manifest(owner.home)) == []


def test_once_the_owner_has_taken_it_out_the_command_is_ours(owner: Owner) -> None:
    bashrc(owner).write_bytes(OWN + LEFT["edited"][0])
    rollout.apply(owner, wanted(), RUN)
    bashrc(owner).write_bytes(bashrc(owner).read_bytes().replace(LEFT["edited"][0], b""))
    assert typed(owner, NAME) == "the program:\n"
    assert not rollout.apply(owner, wanted(), RUN)["changed"] and doctor(owner) == []


def test_a_script_that_is_run_again_is_taken_over_again(owner: Owner) -> None:
    rollout.apply(owner, wanted(), RUN)
    bashrc(owner).write_bytes(bashrc(owner).read_bytes() + function())
    assert rollout.apply(owner, wanted(), RUN)["changed"]
    assert NAME.encode() not in bashrc(owner).read_bytes()
    rollout.withdraw(owner, wanted(), RUN)
    assert bashrc(owner).read_bytes().count(function().strip()) == 1


def test_with_a_start_file_that_changed_since_the_function_is_given_back_whole(owner: Owner) -> None:
    rollout.apply(owner, wanted(), RUN)
    bashrc(owner).write_bytes(bashrc(owner).read_bytes() + b"export MORE=1\n")
    assert not rollout.apply(owner, wanted(), RUN)["changed"]
    rollout.withdraw(owner, wanted(), RUN)
    left = bashrc(owner).read_bytes()
    assert b"export MORE=1\n" in left and function().strip() in left and b"coding_agents" not in left


def test_without_the_agent_it_is_given_back(owner: Owner) -> None:
    stood = bashrc(owner).read_bytes()
    rollout.apply(owner, wanted(), RUN)
    rollout.apply(owner, wanted("codex"), RUN)
    assert bashrc(owner).read_bytes() == stood and not os.path.exists(owner.launchers)


def test_without_the_ledger_our_command_still_goes(owner: Owner) -> None:
    rollout.apply(owner, wanted(), RUN)
    shutil.rmtree(owner.data, ignore_errors=True)
    rollout.withdraw(owner, wanted(), RUN)
    assert not os.path.exists(os.path.join(owner.launchers, NAME))


def test_a_start_file_that_is_a_symbolic_link_stays_one(owner: Owner) -> None:
    bashrc(owner).rename(Path(owner.home, "dotfiles"))
    bashrc(owner).symlink_to("dotfiles")
    before = manifest(owner.home)
    rollout.apply(owner, wanted(), RUN)
    assert bashrc(owner).is_symlink() and NAME.encode() not in bashrc(owner).read_bytes()
    rollout.withdraw(owner, wanted(), RUN)
    assert differences(before, manifest(owner.home)) == []


def test_a_start_file_that_may_not_be_written_is_refused_with_the_way_out(owner: Owner) -> None:
    bashrc(owner).chmod(0o444)
    before = manifest(owner.home)
    with pytest.raises(OperatorError, match=r"\.bashrc: is read-only.*chmod u\+w"):
        rollout.apply(owner, wanted(), RUN)
    assert differences(before, manifest(owner.home)) == []


def test_the_block_of_another_tool_is_one_value() -> None:
    key = ("wrapper", NAME)
    document = BlockDocument(OWN + function())
    value = document.get(key)
    assert value.encode() == function().removeprefix(b"\n")
    document.remove(key)
    assert document.get(key) is MISSING and document.content == OWN + b"\n"
    document.set(key, value)
    assert document.content == OWN + function()
    assert BlockDocument.reverted(document.content, document.undo) == OWN + function()


def test_only_one_agent_claims_a_name() -> None:
    names = [name for agent in AGENTS.values() for name in (agent.command, *agent.other_commands)]
    assert len(names) == len(set(names))
