# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The questions of the playbook configure, and what it writes: each answer is judged before the next question, nothing of others is
overwritten unasked, and no secret is asked for or written.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import configuring
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils.configuring import Configuring
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils.variables_file import is_template

URL = "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com"
CLIENT_ID = "7c1e0a52-6a53-4f0c-9a1e-0d7f0c2f4b11"
OTHERS = {agent.name for agent in AGENTS.values() if not agent.machine_scope}

FIRST = [
    ("URL of", URL),
    ("Whose tokens", ""),
    ("Which coding agents", ""),
    ("requests reach", ""),
    ("Which models", ""),
]
LAST = [("Whose agents", ""), ("Users of", "")]
YES = [("Write ", ""), ("Write ", "")]


class Somebody:
    """Answers what is expected to be asked, and nothing else."""

    def __init__(self, *answers: tuple[str, str]) -> None:
        self.left = list(answers)
        self.said: list[str] = []

    def say(self, text: str, tone: str = "") -> None:
        self.said.append(text)

    def ask(self, text: str) -> str:
        assert self.left, f"nobody expected: {text}"
        expected, answer = self.left.pop(0)
        assert expected in text, f"{text} was asked, not {expected}; said before: {self.said[-3:]}"
        return answer


def resolve(value: Any) -> Any:
    if is_template(value):
        raise OperatorError("has no value that can be read: it is undefined")
    return value


def nobody_can_be_asked(options: Mapping[str, Any]) -> dict[str, Any]:
    raise OperatorError("nobody is signed in")


def run(
    directory: Path,
    person: Somebody | None = None,
    answers: Mapping[str, Any] | None = None,
    *,
    variables: Mapping[str, Any] | None = None,
    stated: Mapping[str, Any] | None = None,
    survey: Any = nobody_can_be_asked,
    replace: bool = False,
    check_mode: bool = False,
    file: str | None = None,
    meaning: Any = resolve,
) -> dict[str, Any]:
    person = person or Somebody()
    configured = Configuring(person, answers, variables or {}, stated or {}, meaning, survey, replace, check_mode)
    result = configured.run(configuring.places(file, []))
    assert not person.left, f"not asked: {person.left}"
    return result


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(directory: Path, file: str = "group_vars/all/coding_agents.yml") -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((directory / file).read_text("utf-8"))
    return {name.removeprefix("coding_agents_"): value for name, value in read.items()}


def test_a_first_run_takes_an_url_and_the_defaults(here: Path) -> None:
    person = Somebody(*FIRST, *LAST, *YES)
    result = run(here, person)
    assert result["changed"] and not result["kept"]
    assert written(here) == {
        "workspace_url": URL,
        "routing": "gateway",
        "identity": "user",
        "agents": ["claude_code"],
        "scope": "user",
    }
    hosts = yaml.safe_load((here / "inventory.yml").read_text())["all"]["hosts"]
    assert hosts == {"localhost": {"ansible_connection": "local"}}
    assert person.said[-1] == "Next: ansible-playbook fmapi.coding_agents.rollout -i inventory.yml --check --diff"


def test_each_answer_is_judged_before_the_next_question(here: Path) -> None:
    wrong = [("URL of", ""), ("URL of", "http://x"), ("URL of", f"{URL.upper()}/"), ("Whose tokens", "nobody")]
    wrong += [("Whose tokens", "user"), ("Which coding agents", "codex, cursor"), ("Which coding agents", "2, pi")]
    person = Somebody(
        *wrong,
        ("requests", "4"),
        ("Which models", "2"),
        ("Whose agents", "1"),
        ("Users", "a b"),
        ("Users", "all"),
        *YES,
    )
    run(here, person)
    found = written(here)
    assert found["workspace_url"] == URL, "in its one spelling"
    assert (found["agents"], found["routing"], found["models_auto"], found["users"]) == (
        ["codex", "pi"],
        "auto",
        True,
        ["all"],
    )
    said = "\n".join(person.said)
    assert "is needed" in said and "https only" in said and "names cursor" in said and "no user name" in said


@pytest.mark.parametrize("identity", ["service_principal", "pat"])
def test_a_secret_is_neither_asked_for_nor_written(here: Path, identity: str) -> None:
    own = (
        [("Client id", ""), ("Client id", CLIENT_ID)]
        if identity == "service_principal"
        else [("personal access token", "vault")]
    )
    person = Somebody(FIRST[0], ("Whose tokens", identity), *own, *FIRST[2:], *LAST, *YES)
    run(here, person)
    secret = "client_secret" if identity == "service_principal" else "pat"
    assert written(here)[secret] == f"{{{{ vault_coding_agents_{secret} }}}}"
    assert "  -> ansible-vault create group_vars/all/coding_agents_vault.yml" in person.said
    assert person.said[-1].endswith("--ask-vault-pass")


def test_a_workload_says_where_its_token_is(here: Path) -> None:
    own = [("Client id", ""), ("Where is the OIDC", "2"), ("Which: ", "no name"), ("Which: ", "CI_JOB_JWT")]
    run(here, Somebody(FIRST[0], ("Whose tokens", "3"), *own, *FIRST[2:], *LAST, *YES))
    found = written(here)
    assert (found["identity"], found["oidc_token_env"]) == ("workload_identity", "CI_JOB_JWT")
    assert "client_id" not in found


def test_what_does_not_go_together_is_asked_for_again(here: Path) -> None:
    of_machine = [("Whose agents", "machine"), ("Group of the host", ""), ("Group of the host", "coders")]
    person = Somebody(FIRST[0], ("Whose tokens", "2"), ("Client id", CLIENT_ID), *FIRST[2:], *of_machine, *YES)
    run(here, person)
    assert (written(here)["scope"], written(here)["secret_group"]) == ("machine", "coders")


@pytest.mark.skipif(not OTHERS, reason="every agent has a machine scope")
def test_a_scope_that_an_agent_does_not_have_is_refused_at_once(here: Path) -> None:
    agents = [("Which coding agents", min(OTHERS)), *FIRST[3:]]
    person = Somebody(*FIRST[:2], *agents, ("Whose agents", "machine"), *LAST, *YES)
    run(here, person)
    assert any("has no machine scope" in line for line in person.said)
    assert written(here)["scope"] == "user"


def models(options: Mapping[str, Any]) -> dict[str, Any]:
    rows = [
        {"name": name, "ready": ready, "agents": agents, "api_types": ["told"]}
        for name, ready, agents in [
            ("claude-1", True, ["claude_code"]),
            ("claude-2", True, ["claude_code"]),
            ("gpt-1", True, ["codex"]),
        ]
    ]
    choices = [
        {"agent": "claude_code", "choice": choice, "model": model, "state": "READY", "status": status, "detail": "bad"}
        for choice, model, status in [
            ("default", "claude-2", "PASS"),
            ("opus", "gone", "FAIL"),
            ("sonnet", "claude-1", "PASS"),
            ("haiku", "claude-1", "PASS"),
        ]
    ]
    return {"served": rows, "choices": choices}


def test_models_are_chosen_among_those_that_are_served_to_the_agent(here: Path) -> None:
    each = [
        ("[each]", ""),
        ("default [claude-2]", ""),
        ("opus [claude-1]", "2"),
        ("sonnet", "claude-9"),
        ("sonnet", "gpt-1"),
    ]
    person = Somebody(*FIRST[:4], *each, ("sonnet", "1"), ("haiku", ""), *LAST, *YES)
    run(here, person, survey=models)
    assert written(here)["models"] == {
        "claude_code": {"default": "claude-2", "opus": "claude-2", "sonnet": "claude-1", "haiku": "claude-1"}
    }
    said = "\n".join(person.said)
    assert "does not list claude-9" in said and "does not speak" in said and "claude_code.opus     gone" in said


def test_where_the_workspace_cannot_be_asked_it_goes_on_and_says_so(here: Path) -> None:
    person = Somebody(*FIRST, *LAST, *YES)
    run(here, person)
    assert any("nobody is signed in" in line for line in person.said)


def test_what_is_there_is_kept_on_a_word(here: Path) -> None:
    run(here, answers={"workspace_url": URL, "users": ["ada"]})
    file = here / "group_vars" / "all" / "coding_agents.yml"
    before = file.read_bytes(), file.stat().st_mtime_ns
    person = Somebody(("Keep this configuration?", ""))
    result = run(here, person)
    assert (result["kept"], result["changed"]) == (True, False)
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert any(line.split() == ["Users", "ada"] for line in person.said)


def test_who_keeps_nothing_finds_it_as_defaults(here: Path) -> None:
    asked = {"workspace_url": URL, "identity": "user", "agents": ["pi"], "routing": "gateway", "scope": "user"}
    run(here, answers={**asked, "proxy": "http://proxy.example.com:3128"})
    again = [("URL of the Databricks workspace [https", ""), *FIRST[1:2], ("Which coding agents [pi]", ""), *FIRST[3:]]
    result = run(here, Somebody(("Keep", "no"), *again, *LAST))
    assert not result["changed"], "the same answers write the same file, which is not even asked about"
    assert written(here)["proxy"] == "http://proxy.example.com:3128"


def test_what_cannot_be_used_is_not_offered_to_be_kept(here: Path) -> None:
    (here / "group_vars" / "all").mkdir(parents=True)
    (here / "group_vars" / "all" / "coding_agents.yml").write_text("coding_agents_workspace_url: nonsense\n")
    person = Somebody(*FIRST, *LAST, ("Replace it? [y/N]", "y"), ("Write ", ""))
    run(here, person)
    assert any("has no scheme" in line for line in person.said)


def test_a_vaulted_value_is_neither_asked_for_nor_shown(here: Path) -> None:
    vaulted = "coding_agents_client_id: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3132333435\n"
    file = here / "group_vars" / "all" / "coding_agents.yml"
    file.parent.mkdir(parents=True)
    file.write_text(f"coding_agents_workspace_url: {URL}\ncoding_agents_identity: service_principal\n{vaulted}")
    person = Somebody(*FIRST, *LAST, ("Replace it?", "y"), ("Write ", ""))
    run(here, person)
    assert vaulted in file.read_text()
    assert "coding_agents_client_id stays in its vault." in person.said


def test_a_default_that_is_a_template_stays_as_it_was_written(here: Path) -> None:
    template = "{{ chosen | default('codex,pi') }}"
    person = Somebody(*FIRST, *LAST, *YES)
    run(here, person, variables={"agents": template}, meaning=lambda one: ["codex"] if one == template else one)
    assert written(here)["agents"] == template


def test_what_is_no_number_is_no_choice(here: Path) -> None:
    person = Somebody(*FIRST[:4], ("Which models", "\u00b2"), *FIRST[4:], *LAST, *YES)
    run(here, person)
    assert "\u00b2 is none of: keep, newest, each." in person.said


def test_what_is_said_with_a_run_is_not_lost_by_keeping_what_was_there(here: Path) -> None:
    run(here, answers={"workspace_url": URL})
    again = ("URL of the Databricks workspace [https", "")
    person = Somebody(again, *FIRST[1:], *LAST, YES[0])
    run(here, person, stated={"proxy": "http://proxy.example.com:3128"})
    assert any("coding_agents_proxy" in line for line in person.said)
    assert written(here)["proxy"] == "http://proxy.example.com:3128"
    run(here, Somebody(("Keep", "")), stated={"proxy": "http://proxy.example.com:3128"})


@pytest.fixture
def foreign(here: Path) -> Path:
    file = here / "group_vars" / "all" / "coding_agents.yml"
    file.parent.mkdir(parents=True)
    file.write_text(f"# ours since 2024\ncoding_agents_workspace_url: {URL}\nmine: kept\n")
    (here / "inventory.yml").write_text("all: {}\n")
    return file


def test_what_others_wrote_is_replaced_by_an_answer_alone_after_its_difference(foreign: Path, here: Path) -> None:
    before = foreign.read_bytes()
    person = Somebody(("Keep", "n"), *FIRST, *LAST, ("has what configure did not write. Replace it? [y/N]", ""))
    with pytest.raises(OperatorError, match="somebody said no"):
        run(here, person)
    assert foreign.read_bytes() == before
    assert "-# ours since 2024" in person.said
    run(here, Somebody(("Keep", "n"), *FIRST, *LAST, ("Replace it?", "yes")))
    assert written(here)["mine"] == "kept"


def test_answers_replace_what_others_wrote_only_when_told_to(foreign: Path, here: Path) -> None:
    before = foreign.read_bytes()
    person = Somebody()
    with pytest.raises(OperatorError, match="coding_agents_configure_replace"):
        run(here, person, {"agents": ["pi"]})
    assert foreign.read_bytes() == before and "-# ours since 2024" in person.said
    run(here, answers={"agents": ["pi"]}, replace=True)
    assert written(here) | {"routing": 0} == {"workspace_url": URL, "agents": ["pi"], "mine": "kept", "routing": 0}


@pytest.mark.parametrize("answers", [None, {"workspace_url": URL}])
def test_check_mode_shows_the_file_and_writes_nothing(here: Path, answers: Mapping[str, Any] | None) -> None:
    person = Somebody(*([] if answers else [*FIRST, *LAST]))
    result = run(here, person, answers, check_mode=True)
    assert result["changed"] and list(here.iterdir()) == []
    assert f"  coding_agents_workspace_url: {URL}" in person.said
    assert any(line.startswith("Would write ") and line.endswith("inventory.yml:") for line in person.said)


def test_a_second_run_with_the_same_answers_changes_nothing(here: Path) -> None:
    answers = {"workspace_url": URL, "identity": "service_principal", "client_id": CLIENT_ID}
    assert run(here, answers=answers)["changed"] and not run(here, answers=answers)["changed"]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({}, "coding_agents_workspace_url is needed"),
        ({"workspace_url": URL, "agents": ["cursor"]}, "names cursor"),
        ({"workspace_url": URL, "scope": "machine", "users": ["ada"]}, "names some"),
        ({"workspace_url": URL, "identity": "workload_identity"}, "exactly one of"),
    ],
)
def test_answers_are_judged_and_nothing_is_written(here: Path, answers: dict[str, Any], said: str) -> None:
    with pytest.raises(OperatorError, match=said):
        run(here, answers=answers)
    assert list(here.iterdir()) == []


def test_another_identity_leaves_nothing_of_the_former(here: Path) -> None:
    run(here, answers={"workspace_url": URL, "identity": "service_principal", "client_id": CLIENT_ID})
    run(here, answers={"identity": "user"})
    assert not {"client_id", "client_secret"} & set(written(here))


def test_a_file_of_answers_is_variables_and_holds_no_plain_secret(here: Path) -> None:
    path = here / "answers.yml"
    path.write_text(f"coding_agents_workspace_url: {URL}\ncoding_agents_report: x.json\n")
    assert configuring.read_answers("answers.yml") == {"workspace_url": URL}, (
        "what one run is told is in no configuration"
    )
    for text, said in [
        ("coding_agents_agent: [pi]\n", "Did you mean coding_agents_agents"),
        ("workspace_url: x\n", "begin with coding_agents_"),
        ("coding_agents_client_secret: dose01\n", "in plain text"),
    ]:
        path.write_text(text)
        with pytest.raises(OperatorError, match=said):
            configuring.read_answers("answers.yml")
    with pytest.raises(OperatorError, match="is not there"):
        configuring.read_answers("none.yml")


def test_what_the_command_line_says_ranks_over_the_file_and_this_over_the_play(here: Path) -> None:
    run(here, answers={"workspace_url": URL, "agents": ["pi"]})
    run(here, answers={}, variables={"agents": ["codex"], "routing": "auto"}, stated={"ca_file": "/etc/ca.pem"})
    assert written(here)["agents"] == ["pi"]
    run(here, answers={}, stated={"agents": ["hermes"]})
    assert (written(here)["agents"], written(here)["routing"], written(here)["ca_file"]) == (
        ["hermes"],
        "auto",
        "/etc/ca.pem",
    )


def test_files_go_beside_the_inventory_or_where_they_are_named(here: Path) -> None:
    (here / "prod").mkdir()
    (here / "prod" / "hosts.ini").write_text("[all]\n")
    usual = "group_vars/all/coding_agents.yml"

    def relative(found: configuring.Places) -> tuple[str, str, bool]:
        return (
            str(Path(found.file).relative_to(here)),
            str(Path(found.inventory).relative_to(here)),
            found.has_inventory,
        )

    assert relative(configuring.places(None, [])) == (usual, "inventory.yml", False)
    assert relative(configuring.places(None, ["prod/hosts.ini"])) == (f"prod/{usual}", "prod/hosts.ini", True)
    assert relative(configuring.places(None, ["prod"])) == (f"prod/{usual}", "prod", True)
    assert relative(configuring.places(None, ["new/inventory.yml"])) == (f"new/{usual}", "new/inventory.yml", False)
    assert relative(configuring.places("prod/group_vars/laptops.yml", [])) == (
        "prod/group_vars/laptops.yml",
        "prod/hosts.ini",
        True,
    )
    assert relative(configuring.places("elsewhere.yml", [])) == ("elsewhere.yml", "inventory.yml", False)
    with pytest.raises(OperatorError, match=r"new/hosts\.ini: is not there"):
        configuring.places(None, ["new/hosts.ini"])


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("group_vars/all/coding_agents.yml", ""),
        ("group_vars/laptops.yml", " -e @group_vars/coding_agents_vault.yml"),
        ("mine.yml", " -e @mine.yml -e @coding_agents_vault.yml"),
    ],
)
def test_a_vault_that_ansible_would_not_find_is_named_in_what_is_next(here: Path, file: str, named: str) -> None:
    person = Somebody()
    run(here, person, {"workspace_url": URL, "identity": "service_principal", "client_id": CLIENT_ID}, file=file)
    assert person.said[-1].endswith(f"rollout -i inventory.yml{named} --check --diff --ask-vault-pass")


def test_a_file_that_ansible_would_not_find_is_named_in_what_is_next(here: Path) -> None:
    person = Somebody()
    run(here, person, {"workspace_url": URL}, file="mine.yml")
    assert person.said[-1].endswith("rollout -i inventory.yml -e @mine.yml --check --diff")
    shutil.rmtree(here / "group_vars", ignore_errors=True)
    assert written(here, "mine.yml")["workspace_url"] == URL
