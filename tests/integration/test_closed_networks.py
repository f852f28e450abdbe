# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Control nodes in closed networks: proxies, private authorities, workspaces that are slow, in trouble or dead."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS

from tests import homes, proxy
from tests.control_node import Operator, Play
from tests.hosts.tree import differences, manifest
from tests.workspace.client import Workspace

NAME = "dbc-00000000-0000.private.test"
"""Nothing on this machine resolves it: only the proxy does."""
DEAD = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def private_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with Workspace(tmp_path_factory.mktemp("private-workspace"), names=[NAME]) as running:
        yield running


@pytest.fixture
def private(private_process: Workspace) -> Workspace:
    """A workspace whose certificate names a host of a private network."""
    private_process.reset()
    return private_process


def _private_url(workspace: Workspace) -> str:
    return f"https://{NAME}:{workspace.url.rpartition(':')[2]}"


def _rollout(operator: Operator, home: Path, proxies: dict[str, str], **own: Any) -> Play:
    """``rollout`` with these variables of a proxy and none that this machine may have."""
    names = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
    unset = [option for name in names for option in ("-u", name, "-u", name.lower())]
    command = ["env", *unset, *(f"{name}={value}" for name, value in proxies.items())]
    return operator.control.run("rollout", {"host": operator.variables(home, **own)}, command=command)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
def test_a_workspace_behind_an_https_proxy_is_reached_through_it_alone(
    operator: Operator, private: Workspace, variable: str, tmp_path: Path
) -> None:
    home = homes.bare(tmp_path / "home")
    url = _private_url(private)
    own = {
        "workspace_url": url,
        "ca_file": private.ca_file,
        "client_id": private.client_id,
        "client_secret": private.client_secret,
    }
    with proxy.running({NAME: "127.0.0.1"}) as between:
        play = _rollout(operator, home, {variable: between.url}, **own).ok()
    assert set(between.asked) == {url.removeprefix("https://")}
    assert f"{url}: routing gateway (the default), 3 models served, asked as {private.client_id}" in play.told
    settings = json.loads((home / ".claude" / "settings.json").read_text())
    assert settings["env"]["ANTHROPIC_BASE_URL"] == f"{url}/ai-gateway/anthropic"


@pytest.mark.parametrize("pattern", ["127.0.0.1", "127.0.0.1,other.test", "*"])
def test_what_no_proxy_names_is_asked_directly(operator: Operator, pattern: str, tmp_path: Path) -> None:
    home = homes.bare(tmp_path / "home")
    _rollout(operator, home, {"HTTPS_PROXY": DEAD, "NO_PROXY": pattern}).ok()
    assert (home / ".claude" / "settings.json").exists()


@pytest.mark.parametrize(
    ("refuse", "told"),
    [("407 Proxy Authentication Required", "the proxy did not let us through"), ("", "")],
    ids=["refused", "dead"],
)
def test_a_proxy_that_does_not_let_us_through_is_named_and_nothing_is_touched(
    operator: Operator, refuse: str, told: str, tmp_path: Path
) -> None:
    home = homes.bare(tmp_path / "home")
    before = manifest(str(home))
    with proxy.running(refuse=refuse) as between:
        play = _rollout(operator, home, {"HTTPS_PROXY": between.url if refuse else DEAD})
    assert play.status == 2
    assert (told or "the proxy did not let us through") in play.message()
    assert "Check HTTPS_PROXY and NO_PROXY on the control node" in play.message()
    assert differences(before, manifest(str(home))) == []


def test_without_its_private_authority_a_workspace_gets_nothing_of_us(operator: Operator, tmp_path: Path) -> None:
    home = homes.bare(tmp_path / "home")
    play = operator.rollout(home, ca_file=None)
    assert play.status == 2
    assert "an authority that is not trusted" in play.message()
    assert "name its PEM file in coding_agents_ca_file" in play.message()
    assert operator.workspace.requests() == []


def test_the_control_node_s_copy_of_the_authority_may_stand_elsewhere(operator: Operator, tmp_path: Path) -> None:
    """On hosts it is one path, on the control node another."""
    home = homes.bare(tmp_path / "home")
    on_hosts = tmp_path / "ca of hosts.pem"
    on_hosts.write_bytes(Path(operator.workspace.ca_file).read_bytes())
    operator.rollout(home, ca_file=str(on_hosts), preflight_ca_file=operator.workspace.ca_file).ok()
    assert str(on_hosts) in (home / ".claude" / "settings.json").read_text()


def test_a_slow_workspace_is_waited_for(operator: Operator, tmp_path: Path) -> None:
    home = homes.bare(tmp_path / "home")
    operator.workspace.control(delay={"path_prefix": "/.well-known", "seconds": 2})
    operator.rollout(home).ok()


def _let_go(workspace: Workspace) -> None:
    """Wait until what hung is answered: it would take what the next test has in store for its own requests."""
    limit = time.monotonic() + 10
    while any(one["status"] is None for one in workspace.requests()) and time.monotonic() < limit:
        time.sleep(0.1)


@pytest.mark.parametrize("path", ["/.well-known", "/oidc/v1/token", "/api/2.0/preview/scim"])
def test_a_workspace_that_hangs_ends_the_run_with_a_clear_error_before_any_host(
    operator: Operator, path: str, tmp_path: Path
) -> None:
    home = homes.bare(tmp_path / "home")
    before = manifest(str(home))
    operator.workspace.control(hang=path)
    play = operator.rollout(home)
    operator.workspace.control(hang=None)
    _let_go(operator.workspace)
    assert play.status == 2
    assert f"{operator.workspace.url}: did not answer within" in play.message()
    assert "Check coding_agents_workspace_url, and that the control node reaches it" in play.message()
    assert play.starts["host"] == 0
    assert differences(before, manifest(str(home))) == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_throttling_and_trouble_that_pass_are_not_seen(operator: Operator, status: int, tmp_path: Path) -> None:
    home = homes.bare(tmp_path / "home")
    trouble = {"status": status, "count": 1, **({"retry_after": 1} if status == 429 else {})}
    pages = ("/.well-known", "/api/2.0/preview/scim", "/ai-gateway/anthropic/v1/models")
    operator.workspace.control(fail_next=[{"path_prefix": page, **trouble} for page in pages])
    operator.rollout(home).ok()
    for page in pages:
        statuses = [one["status"] for one in operator.workspace.requests(page)]
        # None: given up on a busy machine. What an earlier test had asked for may still be answered in between.
        assert {status, None} & set(statuses), "the first request was refused"
        assert statuses[-1] == 200, "and it was asked again"


def test_trouble_that_stays_ends_the_run_after_a_limited_number_of_tries(operator: Operator, tmp_path: Path) -> None:
    home = homes.bare(tmp_path / "home")
    operator.workspace.control(fail_next={"path_prefix": "/", "status": 500, "count": 999})
    play = operator.rollout(home)
    operator.workspace.control(fail_next=None)
    assert play.status == 2
    assert "answers HTTP 500 for /.well-known/databricks-config\nTry again later" in play.message()
    assert 2 <= len(operator.workspace.requests()) <= 4
    assert play.starts["host"] == 0


def test_with_the_preflight_off_the_control_node_asks_nobody_and_hosts_are_right(
    operator: Operator, tmp_path: Path
) -> None:
    """For control nodes that cannot reach the workspace at all: what the preflight would find out is said by the operator."""
    with_preflight, without = homes.bare(tmp_path / "with"), homes.bare(tmp_path / "without")
    models = {"claude_code": dict(AGENTS["claude_code"].model_defaults)}
    operator.rollout(with_preflight, models=models).ok()
    operator.workspace.clear()
    play = operator.rollout(without, preflight=False, models=models).ok()
    assert {one["user_agent"] for one in operator.workspace.requests()} == {"fmapi-coding-agents"}, (
        "only the host asked"
    )
    assert play.changed() == 1
    for name in (".claude/settings.json", ".databrickscfg"):
        texts = [(home / name).read_text().replace(str(home), "~") for home in (with_preflight, without)]
        assert texts[0] == texts[1]
    assert operator.rollout(without, preflight=False, models=models).ok().changed() == 0


@pytest.mark.parametrize(
    ("routing", "told"), [("auto", "coding_agents_routing"), ("gateway_host", "coding_agents_workspace_id")]
)
def test_without_a_preflight_what_only_it_can_tell_has_to_be_said(
    operator: Operator, routing: str, told: str, tmp_path: Path
) -> None:
    home = homes.bare(tmp_path / "home")
    before = manifest(str(home))
    play = operator.rollout(home, preflight=False, routing=routing)
    assert play.status == 2
    assert told in play.message()
    assert differences(before, manifest(str(home))) == []
