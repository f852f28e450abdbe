# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module of hosts does on the control node: real ansible-playbook runs, to homes on this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import PARTS

from tests import homes
from tests.control_node import ControlNode, Play, workspace_variables
from tests.hosts.tree import differences, manifest
from tests.unit.control_node import installed
from tests.workspace.client import Workspace

URL = "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com"
OURS = "fmapi.coding_agents"
CONFIG = ".local/share/fmapi-coding-agents/config.json"
SETTINGS = ".claude/settings.json"
PROFILES = ".databrickscfg"


@pytest.fixture
def control(tmp_path: Path) -> ControlNode:
    return ControlNode(tmp_path)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return homes.bare(tmp_path / "home")


def _play(tasks: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"name": "Test", "hosts": "all", "gather_facts": False, "tasks": tasks, **more}


def _task(module: str, register: str = "found", **options: Any) -> dict[str, Any]:
    return {"name": f"Call {module}", f"{OURS}.{module}": options, "register": register}


def _playbook(directory: Path, *plays: dict[str, Any]) -> Path:
    path = directory / "site.yml"
    path.write_text(yaml.safe_dump(list(plays), sort_keys=False), "utf-8")
    return path


def _bare(home: Path, /, **own: Any) -> dict[str, Any]:
    """Variables of a host whose workspace nobody asks."""
    return {
        "coding_agents_workspace_url": URL,
        "coding_agents_home": str(home),
        "coding_agents_preflight": False,
        "coding_agents_toolchain_sources": ["already_present"],
        **{f"coding_agents_{name}": value for name, value in own.items()},
    }


def _asking(workspace: Workspace, home: Path, /, **own: Any) -> dict[str, Any]:
    """Variables of a host of a workspace that answers, with the agents' programs installed."""
    prefix = home.parent / "prefix"
    return {
        **workspace_variables(workspace),
        "coding_agents_home": str(home),
        "coding_agents_npm_prefix": str(prefix if prefix.exists() else installed(prefix, *AGENTS.values())),
        **{f"coding_agents_{name}": value for name, value in own.items()},
    }


def _profiles(play: Play) -> list[str]:
    """The profile's name, as each call of the module had it."""
    return [result["profile"] for result in play.ok().results("databricks_oauth")]


# -- where options come from ---------------------------------------------------------------------------------------------


@pytest.mark.matrix
def test_a_task_ranks_over_module_defaults_over_the_variable_over_the_default(
    control: ControlNode, home: Path, tmp_path: Path
) -> None:
    defaults = {f"{OURS}.databricks_oauth": {"profile": "of-defaults"}}
    group = {f"group/{OURS}.workspace": {"profile": "of-group-defaults"}}
    task, named = _task("databricks_oauth"), _task("databricks_oauth", profile="of-the-task")
    site = _playbook(
        tmp_path,
        _play([named, task], module_defaults=defaults),
        _play([named, task], module_defaults=group),
        _play([named, task]),
        _play([{**task, "vars": {"coding_agents_profile": "{{ omit }}"}}]),
    )
    play = control.run(site, {"host": _bare(home, profile="of-the-variable")}, "--check")
    by_rank = ["of-defaults", "of-the-task", "of-group-defaults", "of-the-task", "of-the-variable"]
    assert _profiles(play) == [
        *("of-the-task", "of-defaults"),
        *("of-the-task", "of-group-defaults"),
        *("of-the-task", "of-the-variable"),
        "fmapi-coding-agents",
    ], by_rank


@pytest.mark.matrix
@pytest.mark.parametrize("value", ["{{ nobody_sets_this | default(omit) }}", "{{ omit }}", "", "{{ '' }}", None])
def test_what_is_omitted_or_empty_in_an_inventory_is_not_set(
    control: ControlNode, home: Path, tmp_path: Path, value: str | None
) -> None:
    """An option without a default, which would fail with any value: a certificate authority that is nowhere."""
    host = _bare(home, ca_file=value, npm_registry=value, users=value)
    if value and "omit" in value:
        host["coding_agents_profile"] = value
    play = control.run(_playbook(tmp_path, _play([_task("databricks_oauth")])), {"host": host}, "--check")
    assert _profiles(play) == ["fmapi-coding-agents"]


def test_a_variable_may_be_a_template_of_others_and_only_those_of_the_module_are_templated(
    control: ControlNode, home: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "looked-up"
    host = {
        **_bare(home, profile="{{ company }}-agents", models={"claude_code": {"opus": "{{ model }}"}}),
        "coding_agents_npm_registry": f"{{{{ lookup('ansible.builtin.pipe', 'touch {trace}') }}}}",
        "company": "acme",
        "model": "acme-opus",
    }
    site = _playbook(tmp_path, _play([_task("databricks_oauth"), _task("agent_settings")]))
    play = control.run(site, {"host": host}, "--check", "--diff")
    assert _profiles(play) == ["acme-agents"]
    assert "acme-opus" in json.dumps(play.diffs())
    assert not trace.exists()


@pytest.mark.matrix
def test_a_vaulted_variable_works_and_is_masked_everywhere(
    control: ControlNode, workspace: Workspace, home: Path, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("a-vault-password")
    planted = 'planted "vaulted" wörd'
    vault = VaultLib([("default", VaultSecret(b"a-vault-password"))])

    class Vaulted(str):
        """What stands behind !vault."""

    yaml.SafeDumper.add_representer(Vaulted, lambda dumper, value: dumper.represent_scalar("!vault", value, style="|"))
    host = {
        "coding_agents_client_secret": Vaulted(vault.encrypt(workspace.client_secret.encode()).decode()),
        "coding_agents_extra_settings": {
            "claude_code": {"env": {"CORP": Vaulted(vault.encrypt(planted.encode()).decode())}}
        },
    }
    more = tmp_path / "vaulted.yml"
    more.write_text(yaml.safe_dump({"all": {"hosts": {"host": host}}}))
    variables = _asking(workspace, home)
    del variables["coding_agents_client_secret"]
    options = ("-i", str(more), "--vault-password-file", str(password), "-vvv", "--diff")
    play = control.run("rollout", {"host": variables}, *options, environment=ALL_SHOWN).ok()
    assert f"client_secret = {workspace.client_secret}" in (home / PROFILES).read_text()
    assert json.loads((home / SETTINGS).read_text())["env"]["CORP"] == planted
    _has_no(play, workspace.client_secret, planted, "planted", json.dumps(planted)[1:-1])


@pytest.mark.matrix
def test_a_variable_that_has_no_value_is_named_with_what_it_lacks(
    control: ControlNode, home: Path, tmp_path: Path
) -> None:
    hosts = {
        "text": _bare(home, profile="{{ nobody_set_this }}"),
        "within": _bare(home, oidc_token_command=["/bin/token", "{{ nobody_set_this }}"]),
        "wrong": _bare(home, profile="{{ 1 / 0 }}"),
    }
    play = control.run(_playbook(tmp_path, _play([_task("databricks_oauth")])), hosts, "--check")
    for name, variable, lacks in (
        ("text", "coding_agents_profile", "nobody_set_this"),
        ("within", "coding_agents_oidc_token_command", "nobody_set_this"),
        ("wrong", "coding_agents_profile", "division by zero"),
    ):
        said = play.message(name)
        assert f"{variable} has no value that can be read: " in said and lacks in said, (name, said)
    assert play.starts == dict.fromkeys(hosts, 0)


@pytest.mark.matrix
def test_what_is_no_variable_is_refused_with_the_one_that_was_meant(control: ControlNode, home: Path) -> None:
    table: dict[str, tuple[dict[str, Any], str]] = {
        "typo": (
            {"coding_agents_modles": {}},
            "coding_agents_modles: there is no such variable. Did you mean coding_agents_models?",
        ),
        "moved": (
            {"coding_agents_experimental_betas": True},
            "It is coding_agents_claude_code_experimental_betas now.",
        ),
        "models": ({"coding_agents_models": {"opus": "x"}}, "Write coding_agents_models: {claude_code: {opus: x}}."),
        "key": ({"coding_agents_host": URL}, "What it says is coding_agents_workspace_url here."),
        "state": ({"coding_agents_state": "absent"}, "coding_agents_state: there is no such variable."),
        "carried": ({"coding_agents_carried": {}}, "coding_agents_carried: there is no such variable."),
        "both": ({"coding_agents_modles": {}, "coding_agents_identity": "root"}, "coding_agents_identity is 'root'"),
    }
    hosts = {name: {**_bare(home), **wrong} for name, (wrong, _said) in table.items()}
    before = manifest(str(home))
    play = control.run("rollout", hosts)
    for name, (_wrong, said) in table.items():
        assert said in play.message(name), name
    assert "coding_agents_modles" in play.message("both"), "all mistakes are told at once"
    assert play.starts == dict.fromkeys(hosts, 0)
    assert differences(before, manifest(str(home)), times=True) == []


def test_an_earlier_name_without_the_prefix_is_refused_with_the_new_one(control: ControlNode, home: Path) -> None:
    earlier = {"doctor": "doctor_prompt", "sign_in": "sign_in_timeout"}
    for playbook, name in earlier.items():
        play = control.run(playbook, {"host": {**_bare(home), name: 60}})
        assert f"{name} is set, which is coding_agents_{name} now" in play.message("host"), playbook
        assert play.starts == {"host": 0}
    # In other plays, and beside the right one, such names are the operator's own.
    more = {"doctor_prompt": True, "coding_agents_doctor_prompt": "{{ doctor_prompt }}", "agents_home": "/nowhere"}
    play = control.run("doctor", {"host": {**_bare(home), **more}}, "--check")
    assert "doctor_prompt" not in play.message("host") and play.starts["host"] > 0


@pytest.mark.matrix
def test_the_way_back_needs_nothing_but_the_owner(control: ControlNode, home: Path) -> None:
    before = manifest(str(home))
    control.run(
        "rollout", {"host": _bare(home, npm_prefix=str(installed(home.parent / "prefix", *AGENTS.values())))}
    ).ok()
    assert differences(before, manifest(str(home)))
    broken = {
        "routing": "turbo",
        "client_secret": "{{ vault_of_somebody_who_left }}",
        "models": "x",
        "token_ttl_minutes": 900,
        "config": "gone.json",
    }
    play = control.run(
        "uninstall", {"host": {**_bare(home, **broken), "coding_agents_workspace_url": "{{ nobody_set_this }}"}}
    )
    assert play.ok().changed() == 1
    assert differences(before, manifest(str(home))) == []


def test_what_the_way_back_needs_is_judged(control: ControlNode, home: Path) -> None:
    for wrong, said in (
        ({"home": "/a", "users": ["ada"]}, "are both set"),
        ({"sign_out": "perhaps"}, "coding_agents_sign_out"),
    ):
        play = control.run("uninstall", {"host": {f"coding_agents_{name}": value for name, value in wrong.items()}})
        assert said in play.message("host") and play.starts == {"host": 0}


# -- what travels --------------------------------------------------------------------------------------------------------


@pytest.mark.matrix
def test_an_authority_of_the_control_node_is_brought_and_taken_away_again(
    control: ControlNode, workspace: Workspace, home: Path, tmp_path: Path
) -> None:
    authority = Path(workspace.ca_file).read_text()
    (tmp_path / "company-ca.pem").write_text(
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" + authority
    )
    # From where ansible-playbook is started, which is a directory of each run.
    hosts = {"host": _asking(workspace, home, ca_file="../company-ca.pem")}
    before = manifest(str(home))
    dry = control.run("rollout", hosts, "--check", "--diff").ok()
    assert "certificate authority (sha256" in dry.output
    assert differences(before, manifest(str(home)), times=True) == []
    control.run("rollout", hosts).ok()
    brought = home / ".local/share/fmapi-coding-agents/ca.pem"
    assert brought.read_text().split() == authority.split(), "certificates only"
    assert json.loads((home / CONFIG).read_text())["ca_file"] == str(brought)
    assert json.loads((home / SETTINGS).read_text())["env"]["NODE_EXTRA_CA_CERTS"] == str(brought)
    again = control.run("rollout", hosts).ok()
    assert (again.changed(), again.starts) == (0, {"host": 1})
    control.run("uninstall", {"host": {"coding_agents_home": str(home)}}).ok()
    assert differences(before, manifest(str(home))) == []


def test_an_authority_that_hosts_have_is_used_there(
    control: ControlNode, workspace: Workspace, home: Path, tmp_path: Path
) -> None:
    hosts = {
        "host": _asking(workspace, home),
        "nowhere": _asking(workspace, home, ca_file="company-ca.pem"),
        "nobody": _asking(workspace, home, ca_file="/nowhere.pem", preflight_ca_file=workspace.ca_file),
    }
    play = control.run("rollout", hosts)
    assert "coding_agents_ca_file company-ca.pem: is not on the control node" in play.message("nowhere")
    assert play.starts["nowhere"] == 0
    assert "coding_agents_ca_file /nowhere.pem: is not there" in play.message("nobody")
    assert json.loads((home / CONFIG).read_text())["ca_file"] == workspace.ca_file
    assert not (home / ".local/share/fmapi-coding-agents/ca.pem").exists()


ALL_SHOWN = {"ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "1", "ANSIBLE_INJECT_INVOCATION": "1", "ANSIBLE_PIPELINING": "0"}
"""What makes Ansible say most: arguments in the output, options in results, modules as files."""


def _has_no(play: Play, *secrets: str) -> None:
    """Neither the output, nor a callback, nor any file of the run holds one of these; the inventory does."""
    texts = {
        str(path): path.read_bytes()
        for path in play.directory.rglob("*")
        if path.is_file() and path.name != "inventory.json"
    }
    assert any(path.endswith("record.jsonl") for path in texts) and any(path.endswith("output") for path in texts)
    for secret in secrets:
        assert not [path for path, text in texts.items() if secret.encode() in text], secret
        assert json.dumps(secret)[1:-1] not in play.output


@pytest.mark.matrix
@pytest.mark.parametrize("playbook", ["rollout", "doctor"])
def test_a_secret_is_in_no_output_result_or_callback(
    control: ControlNode, workspace: Workspace, home: Path, playbook: str
) -> None:
    planted = "dose00planted00never00to00be00seen00"
    extra = {"claude_code": {"env": {"CORP_KEY": f"{planted}extra"}}}
    hosts = {
        "good": _asking(workspace, home, extra_settings=extra),
        "refused": _asking(workspace, homes.bare(home.parent / "2"), client_secret=f"{planted}secret"),
        "unasked": _asking(workspace, homes.bare(home.parent / "3"), client_secret=f"{planted}secret", preflight=False),
        "wrong": _asking(workspace, home, client_secret=[f"{planted}list"]),
        "pat": _asking(workspace, home, identity="pat", pat=f"{planted}pat"),
        "patlater": _asking(
            workspace, homes.bare(home.parent / "4"), identity="pat", pat=f"{planted}p", preflight=False
        ),
        "text": _asking(workspace, home, extra_settings=f"{planted}text"),
        "conflict": _asking(workspace, home, extra_settings={"claude_code": {"apiKeyHelper": planted}}),
        "specification": _asking(workspace, homes.bare(home.parent / "5"), extra_settings=extra)
        | {"coding_agents_home": "relative/home"},
    }
    secrets = [planted, workspace.client_secret]
    for options in (("--check", "--diff"), ("--diff",)):
        play = control.run(playbook, hosts, *options, "-vvvv", "--forks", "10", environment=ALL_SHOWN, watch=secrets)
        _has_no(play, *secrets)
        assert "msg" in json.dumps(play.results(host="wrong")) and "client_secret" in play.message("wrong")
        assert play.status != 0


@pytest.mark.matrix
def test_a_secret_that_a_task_gives_is_in_no_output(
    control: ControlNode, workspace: Workspace, home: Path, tmp_path: Path
) -> None:
    planted = "dose00planted00never00to00be00seen00"
    task = _task("databricks_oauth", identity="service_principal", client_id="x", client_secret="{{ planted }}")
    failing = _task("databricks_oauth", client_secret="{{ planted }}", identity="root")
    site = _playbook(tmp_path, _play([{**one, "ignore_errors": True} for one in (task, failing)]))
    hosts = {
        "host": {
            **_bare(home, ca_file=workspace.ca_file),
            "planted": planted,
            "coding_agents_workspace_url": workspace.url,
        }
    }
    play = control.run(site, hosts, "-vvvv", "--diff", environment=ALL_SHOWN, watch=[planted])
    assert len(play.results("databricks_oauth", status="failed")) == 2, play.output
    _has_no(play, planted)


# -- the preflight -------------------------------------------------------------------------------------------------------


def test_switched_off_it_asks_nobody_and_still_judges_variables(
    control: ControlNode, workspace: Workspace, home: Path
) -> None:
    off = _asking(workspace, home, preflight=False, identity="user")
    play = control.run("rollout", {"good": off, "wrong": {**off, "coding_agents_routing": "turbo"}}, "--check")
    assert play.message("good") == ""
    assert "coding_agents_routing is 'turbo'" in play.message("wrong")
    assert workspace.requests() == []


def test_routing_auto_is_decided_for_modules_that_do_not_ask_otherwise(
    control: ControlNode, workspace: Workspace, home: Path, tmp_path: Path
) -> None:
    workspace.control(gateway=False)
    hosts = {"host": _asking(workspace, home, routing="auto")}
    play = control.run(_playbook(tmp_path, _play([_task("agent_settings")])), hosts, "--check", "--diff").ok()
    assert f"{workspace.url}/serving-endpoints/anthropic" in json.dumps(play.diffs())


@pytest.mark.matrix
def test_a_role_or_modules_in_a_play_of_the_operator_s_own(
    control: ControlNode, workspace: Workspace, home: Path, tmp_path: Path
) -> None:
    """With tags of their own, and a warning that names its host."""
    role = {"role": f"{OURS}.coding_agents", "tags": ["workstation"]}
    site = _playbook(tmp_path, {"name": "Mine", "hosts": "all", "gather_facts": False, "roles": [role]})
    hosts = {"host": _asking(workspace, home, token_ttl_minutes=59)}
    play = control.run(site, hosts, "--tags", "workstation").ok()
    assert play.actions() == ["coding_agents_info", "coding_agents"]
    assert "host: coding_agents_token_ttl_minutes is 59" in " ".join(play.output.split())
    assert (home / SETTINGS).exists() and (home / PROFILES).exists()
    assert control.run(site, hosts, "--tags", "theirs").ok().actions() == [], "another's tag is none of our business"
    modules = _playbook(tmp_path, _play([_task(name) for name in ("databricks_oauth", "agent_cli", "agent_settings")]))
    assert control.run(modules, hosts).ok().changed() == 0
    assert control.run(modules, hosts, "--tags", "theirs").ok().actions() == []


def test_a_part_that_there_is_not_is_refused(control: ControlNode, home: Path, tmp_path: Path) -> None:
    site = _playbook(tmp_path, _play([_task("coding_agents", parts=["agent_setings"])]))
    play = control.run(site, {"host": _bare(home)}, "--check")
    assert "agent_setings" in play.message("host") and "agent_settings" in play.message("host"), play.output


# -- tags, lists, starting in the middle ---------------------------------------------------------------------------------


@pytest.mark.matrix
def test_a_tag_brings_its_part_alone(control: ControlNode, workspace: Workspace, home: Path) -> None:
    hosts = {"host": _asking(workspace, home)}
    control.run("rollout", hosts, "--tags", "agent_settings").ok()
    assert (home / SETTINGS).exists() and not (home / PROFILES).exists()
    control.run("rollout", hosts, "--tags", "databricks_oauth,login_item").ok()
    assert (home / PROFILES).exists()
    assert control.run("rollout", hosts, "--tags", "agent_settings").ok().starts == {"host": 1}
    control.run("uninstall", {"host": {"coding_agents_home": str(home)}}, "--tags", "agent_settings").ok()
    assert not (home / SETTINGS).exists() and (home / PROFILES).exists()


@pytest.mark.matrix
def test_a_part_can_be_left_out(control: ControlNode, workspace: Workspace, home: Path) -> None:
    hosts = {"host": _asking(workspace, home)}
    control.run("rollout", hosts, "--skip-tags", "agent_settings").ok()
    assert (home / PROFILES).exists() and not (home / SETTINGS).exists()
    control.run("rollout", hosts).ok()
    control.run("uninstall", {"host": {"coding_agents_home": str(home)}}, "--skip-tags", "databricks_oauth").ok()
    assert (home / PROFILES).exists() and not (home / SETTINGS).exists()


@pytest.mark.matrix
@pytest.mark.parametrize("option", ["--tags", "--skip-tags"])
@pytest.mark.parametrize("playbook", ["rollout", "uninstall", "doctor", "sign_in"])
def test_a_tag_that_there_is_not_is_an_error_and_the_known_ones_are_named(
    control: ControlNode, home: Path, playbook: str, option: str
) -> None:
    play = control.run(playbook, {"host": _bare(home)}, option, "agent_setings")
    assert play.status != 0, play.output
    said = play.message("host")
    assert "there is no such tag in this playbook: agent_setings" in said, play.output
    assert all(name in said for name in PARTS) or playbook in ("doctor", "sign_in")
    assert play.starts == {"host": 0}


@pytest.mark.matrix
def test_the_preflight_alone_asks_the_workspace_and_touches_no_host(
    control: ControlNode, workspace: Workspace, home: Path
) -> None:
    before = manifest(str(home))
    hosts = {"good": _asking(workspace, home), "wrong": _asking(workspace, home, client_secret="dose-wrong")}
    play = control.run("rollout", hosts, "--tags", "preflight")
    assert play.starts == {"good": 0, "wrong": 0}, play.output
    assert play.message("good") == "" and "coding_agents_client_secret" in play.message("wrong")
    assert [entry["path"] for entry in workspace.requests()].count("/oidc/v1/token") == 2
    assert differences(before, manifest(str(home)), times=True) == []


# Ansible lists no task of an "always".
LISTED: Mapping[str, tuple[set[str], list[str]]] = {
    "rollout": (
        {"preflight", *PARTS},
        [
            "Compare the host with the wanted state",
            "Leave hosts alone that are in order",
            "Bring the host to the wanted state",
        ],
    ),
    "uninstall": (set(PARTS), ["Give the host back as it was found"]),
    "doctor": (set(), ["Examine the host"]),
    "sign_in": (set(), ["Sign in here, and find out who has to sign in elsewhere"]),
}


@pytest.mark.matrix
@pytest.mark.parametrize("playbook", LISTED)
def test_tags_and_tasks_can_be_listed(control: ControlNode, home: Path, playbook: str) -> None:
    tags, tasks = LISTED[playbook]
    said = control.run(playbook, {"host": _bare(home)}, "--list-tags").ok().output
    listed = said.rpartition("TASK TAGS: [")[2].partition("]")[0]
    assert {one.strip() for one in listed.split(",") if one.strip()} - {"always"} == tags
    said = control.run(playbook, {"host": _bare(home)}, "--list-tasks").ok().output
    lines = [line.partition("TAGS:")[0].strip().rpartition(" : ")[2] for line in said.splitlines() if "TAGS: [" in line]
    assert lines[-len(tasks) :] == tasks


@pytest.mark.matrix
def test_a_run_can_start_in_the_middle(control: ControlNode, workspace: Workspace, home: Path) -> None:
    hosts = {"host": _asking(workspace, home)}
    name = f"{OURS}.coding_agents : Bring the host to the wanted state"
    play = control.run("rollout", hosts, "--start-at-task", name).ok()
    assert play.actions() == ["coding_agents"]
    # Without a look before, the host says first that it lacks the program.
    assert play.starts == {"host": 2} and (home / SETTINGS).exists()
