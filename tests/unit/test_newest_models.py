# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest model of each family: which it is, who it is chosen for, and the file that keeps the choice."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible import constants
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace import preflight
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace.newest import Named, newest, read
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import models_file
from hypothesis import example, given
from hypothesis import strategies as st

from tests.workspace.client import Workspace

OPUS, SONNET = "databricks-claude-opus-4-6", "databricks-claude-sonnet-4-6"


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "family", "version"),
    [
        ("databricks-claude-opus-4-6", "claude opus", (4, 6)),
        ("system.ai.claude-opus-4-10", "claude opus", (4, 10)),
        ("databricks-claude-3-7-sonnet", "claude sonnet", (3, 7)),
        ("databricks-gpt-5", "gpt", (5,)),
        ("databricks-gpt-5-1-codex-max", "gpt codex max", (5, 1)),
        ("databricks-gemini-3-5-flash", "gemini flash", (3, 5)),
        ("databricks-gemini-3-5-flash-lite", "gemini flash lite", (3, 5)),
        ("databricks-claude-opus-4-20250514", "claude opus 20250514", (4,)),
    ],
)
def test_a_name_tells_the_family_and_the_version(name: str, family: str, version: tuple[int, ...]) -> None:
    assert read(name) == Named(tuple(family.split()), version)


@pytest.mark.parametrize(
    "name", ["databricks-gpt-oss-120b", "team-claude-opus-9", "main.ai.claude-opus-9", "", "claude"]
)
def test_what_has_no_version_or_is_somebody_s_own_is_of_no_family(name: str) -> None:
    assert read(name) is None
    assert newest([name, "databricks-claude-opus-4-6"], name) is None


def test_a_model_service_of_a_named_schema_is_of_a_family_by_its_name() -> None:
    assert read("main.ai.claude-opus-9", ["main.ai"]) == Named(("claude", "opus"), (9,))
    assert newest(["main.ai.claude-opus-9", "other.ai.claude-opus-10"], OPUS, ["main.ai"]) == "main.ai.claude-opus-9"


def test_every_agent_s_default_is_of_a_family() -> None:
    for agent in AGENTS.values():
        for default in agent.model_defaults.values():
            assert newest([default], default) == default


_VERSIONS = st.lists(st.integers(0, 999), min_size=1, max_size=3).map(tuple)
_OTHERS = ["databricks-claude-sonnet-99", "databricks-claude-opus-99-mini", "team-claude-opus-99", "databricks-gpt-99"]


@given(st.dictionaries(_VERSIONS, st.sampled_from(("databricks-", "system.ai.")), min_size=1, max_size=8), st.randoms())
@example(
    {(4, 10): "databricks-", (4, 9): "databricks-", (4,): "databricks-"}, random.Random(1)
)  # as text, 9 is the last
def test_the_newest_is_what_numbers_say_in_any_order_and_among_any_others(
    served: dict[tuple[int, ...], str], dice: random.Random
) -> None:
    names = {f"{prefix}claude-opus-{'-'.join(map(str, one))}": one for one, prefix in served.items()}
    left, found = [*names, *_OTHERS], []
    while (best := newest(left, OPUS)) is not None:
        found.append(names[best])
        left.remove(best)
        dice.shuffle(left)
    assert found == sorted(served, reverse=True)
    assert sorted(left) == sorted(_OTHERS)


# -- the choice --------------------------------------------------------------------------------------------------------


def check(workspace: Workspace, **more: Any) -> dict[str, Any]:
    given = {
        "workspace_url": workspace.url,
        "ca_file": workspace.ca_file,
        "identity": "service_principal",
        "client_id": workspace.client_id,
        "client_secret": workspace.client_secret,
        "models_auto": True,
        **more,
    }
    return preflight.check(given)


def serve(workspace: Workspace, **names: str) -> None:
    """More of what a fresh workspace has: ``gpt_5_10="databricks-gpt-5-5"``."""
    new = [{"name": f"databricks-{name.replace('_', '-')}", "like": like} for name, like in names.items()]
    workspace.control(new_endpoint=new)


def test_each_open_choice_gets_the_newest_of_its_family(workspace: Workspace) -> None:
    serve(workspace, claude_opus_4_10=OPUS, claude_opus_4_9=OPUS, gpt_5_10="databricks-gpt-5-5", claude_sonnet_5=SONNET)
    result = check(workspace, agents=["claude_code", "codex"], models={"claude_code": {"sonnet": SONNET}})
    assert result["models_chosen"] == {
        "claude_code": {
            "default": "system.ai.claude-opus-4-10",
            "opus": "system.ai.claude-opus-4-10",
            "haiku": "system.ai.claude-haiku-4-5",
        },
        "codex": {"default": "system.ai.gpt-5-10"},
    }
    assert result["models_in_force"]["claude_code"] == {**result["models_chosen"]["claude_code"], "sonnet": SONNET}
    assert "coding_agents_models_auto" in result["models_reason"]
    assert {one["status"] for one in result["models"]} == {"READY"}


def test_without_the_option_nothing_is_chosen(workspace: Workspace) -> None:
    serve(workspace, claude_opus_4_10=OPUS)
    result = check(workspace, models_auto=False)
    assert result["models_chosen"] == {}
    assert result["models_in_force"]["claude_code"]["opus"] == "system.ai.claude-opus-4-6"


@pytest.mark.parametrize("services", [True, False])
def test_what_is_not_ready_or_speaks_another_dialect_is_passed_over(workspace: Workspace, services: bool) -> None:
    serve(workspace, claude_opus_4_10=OPUS, claude_opus_9="databricks-gpt-5-5")
    workspace.control(
        endpoint_state={"name": "databricks-claude-opus-4-10", "ready": "NOT_READY"}, model_services=services
    )
    chosen = check(workspace)["models_chosen"]["claude_code"]
    assert chosen["opus"] == ("system.ai.claude-opus-4-6" if services else OPUS)


def test_another_routing_knows_endpoints_only(workspace: Workspace) -> None:
    serve(workspace, claude_opus_4_10=OPUS)
    chosen = check(workspace, routing="serving_endpoints")["models_chosen"]["claude_code"]
    assert chosen["opus"] == "databricks-claude-opus-4-10"
    assert len([one for one in workspace.requests() if one["path"] == "/api/2.0/serving-endpoints"]) == 1


OWN = "main.agents.claude-opus-4-7"


def own_services(workspace: Workspace, *more: str) -> None:
    workspace.control(new_service=[{"name": name, "like": OPUS} for name in (OWN, *more)])


def test_model_services_of_named_schemas_are_chosen_in_the_order_of_their_naming(workspace: Workspace) -> None:
    """Also where a later one has a newer model; what the first does not have is taken of the next."""
    own_services(workspace, "main.agents.for-coding")
    serve(workspace, claude_opus_4_10=OPUS)
    assert check(workspace)["models_chosen"]["claude_code"]["opus"] == "system.ai.claude-opus-4-10", (
        "unless it is named"
    )
    result = check(workspace, models_schemas=["main.agents", "system.ai"])
    assert result["models_chosen"]["claude_code"] == {
        "default": OWN,
        "opus": OWN,
        "sonnet": "system.ai.claude-sonnet-4-6",
        "haiku": "system.ai.claude-haiku-4-5",
    }
    assert {one["status"] for one in result["models"]} == {"READY"} and result["warnings"] == []
    last = check(workspace, models_schemas=["system.ai", "main.agents"])["models_chosen"]["claude_code"]
    assert last["opus"] == "system.ai.claude-opus-4-10"


def test_a_schema_that_lists_nothing_is_a_warning_and_the_next_is_asked(workspace: Workspace) -> None:
    result = check(workspace, models_schemas=["main.agnets", "system.ai"])
    assert result["models_chosen"]["claude_code"]["opus"] == "system.ai.claude-opus-4-6"
    (warning,) = result["warnings"]
    assert warning.startswith("coding_agents_models_schemas: no model service of main.agnets can be chosen")


def test_only_the_gateway_is_asked_for_model_services_of_named_schemas(workspace: Workspace) -> None:
    own_services(workspace)
    chosen = check(workspace, routing="serving_endpoints", models_schemas=["main.agents"])["models_chosen"]
    assert chosen["claude_code"]["opus"] == OPUS


def test_a_model_service_of_any_schema_can_be_named_and_a_wrong_name_is_told(workspace: Workspace) -> None:
    own_services(workspace, "main.agents.for-coding")
    named = {"claude_code": {"opus": "main.agents.for-coding"}}
    result = check(workspace, models_auto=False, models=named)
    assert {"model": "main.agents.for-coding", "status": "READY"} in result["models"]
    listed = "/api/2.1/unity-catalog/model-services"
    assert [one["query_keys"] for one in workspace.requests(listed)] == 2 * [["page_size", "parent"]], (
        "each schema by itself"
    )
    with pytest.raises(OperatorError, match=r"main\.agents\.for-codign .*did you mean main\.agents\.for-coding"):
        check(workspace, models_auto=False, models={"claude_code": {"opus": "main.agents.for-codign"}})
    with pytest.raises(OperatorError, match=r"main\.agents\.for-coding .* is served as .*but Codex speaks"):
        check(workspace, agents=["codex"], models_auto=False, models={"codex": {"default": "main.agents.for-coding"}})


def test_a_family_that_nobody_serves_is_the_default_s_error(workspace: Workspace) -> None:
    workspace.control(endpoint_state={"name": "databricks-gpt-5-5", "ready": "ABSENT"})
    workspace.control(endpoint_state={"name": "databricks-gpt-5-2", "ready": "ABSENT"})
    with pytest.raises(OperatorError, match=r"databricks-gpt-5-5 \(coding_agents_models\.codex\.default\)"):
        check(workspace, agents=["codex"])


def test_nobody_who_could_ask_is_an_error_unless_all_is_named(workspace: Workspace, bare: None) -> None:
    with pytest.raises(OperatorError, match="coding_agents_models_auto: is true, but nobody could ask"):
        check(workspace, identity="user", client_id=None, client_secret=None)
    named = {"codex": {"default": "databricks-gpt-5-2"}}
    result = check(workspace, identity="user", client_id=None, client_secret=None, agents=["codex"], models=named)
    assert result["models_in_force"] == named


def test_an_agent_s_own_address_needs_none_of_the_routing_s(workspace: Workspace) -> None:
    """The gateway's own host cannot be told for this workspace."""
    with pytest.raises(OperatorError, match="not known for 127"):
        check(workspace, routing="gateway_host")
    urls = {"claude_code": "https://llm.example.com/anthropic"}
    assert check(workspace, routing="gateway_host", base_urls=urls)["routing"] == "gateway_host"


# -- the file ----------------------------------------------------------------------------------------------------------


def answer(opus: str, url: str = "https://one.example.com", agent: str = "claude_code") -> dict[str, Any]:
    return {"workspace_url": url, "models_in_force": {agent: {"opus": opus}}}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of its own, started in this directory."""
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path / "run"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_file_holds_what_all_hosts_of_the_run_have(run: Path) -> None:
    named = {"pi": {"default": "mine"}, "claude_code": {"opus": "a"}}
    assert models_file.keep("models.yml", answer("a"), named, False) == str(run / "models.yml")
    models_file.keep("models.yml", answer("b", agent="codex"), {}, False)
    assert yaml.safe_load((run / "models.yml").read_text()) == {
        "coding_agents_models": {"claude_code": {"opus": "a"}, "codex": {"opus": "b"}, "pi": {"default": "mine"}}
    }


def test_the_file_is_left_alone_where_it_says_so_already(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models_file.keep("models.yml", answer("a"), {}, False)
    before = (run / "models.yml").stat()
    models_file.keep("models.yml", answer("a"), {}, False)
    assert (run / "models.yml").stat() == before


def test_check_mode_writes_no_file_and_refuses_the_same(run: Path) -> None:
    models_file.keep("models.yml", answer("a"), {}, True)
    assert not (run / "models.yml").exists()
    (run / "models.yml").write_text("coding_agents_models: {}\n")
    for check_mode in (True, False):
        with pytest.raises(OperatorError, match=r"models\.yml: is there, and is not of this making"):
            models_file.keep("models.yml", answer("a"), {}, check_mode)
    assert (run / "models.yml").read_text() == "coding_agents_models: {}\n"


def test_two_choices_for_one_agent_do_not_fit_into_a_file(run: Path) -> None:
    models_file.keep("models.yml", answer("a"), {}, False)
    with pytest.raises(OperatorError, match=r"two models for claude_code\.opus: a \(https://one.*b \(https://two"):
        models_file.keep("models.yml", answer("b", "https://two.example.com"), {}, False)
    models_file.keep("other.yml", answer("b", "https://two.example.com"), {}, False)


def test_a_place_that_is_not_there_is_told(run: Path) -> None:
    with pytest.raises(OperatorError, match=r"coding_agents_models_file .*: there is no directory"):
        models_file.keep("nowhere/models.yml", answer("a"), {}, False)
