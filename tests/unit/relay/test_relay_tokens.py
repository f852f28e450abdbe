# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens behind the relay, from the simulated workspace over TLS: one refresh for all, one retry where a token is refused."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import routing
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.token import TokenError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.tokens import Tokens

from tests.proxy import Proxy
from tests.unit.relay.relay_host import TOKEN, Relay, relay, wait_until
from tests.unit.relay.upstream import Exchange, Upstream
from tests.workspace.client import Workspace

TOKENS = "/oidc/v1/token"
GATEWAY = "/ai-gateway/"
MODEL = "databricks-claude-sonnet-4-6"


def upstreams_of(workspace: Workspace) -> dict[str, str]:
    """As a rollout would fill them."""
    urls = {one: routing.base_url("gateway", workspace.url, one) for one in routing.DIALECTS}
    return {
        "anthropic": urls["anthropic"],
        "codex": urls["responses"],
        "openai": urls["chat"],
        "mlflow": urls["chat"],
        "gemini": urls["gemini"],
        "otel": f"{workspace.url}/api/2.0/otel",
    }


def config_of(workspace: Workspace, home: Path, **changes: Any) -> Config:
    """A service principal's, with its profile."""
    home.mkdir(parents=True, exist_ok=True)
    config = Config(
        str(home), workspace.url, "fmapi", "service_principal", 15, workspace.ca_file, client_id=workspace.client_id
    )._replace(**changes)
    secret = f"client_id = {workspace.client_id}\nclient_secret = {workspace.client_secret}\n"
    path = Path(config.databrickscfg)
    path.write_text(f"[fmapi]\nhost = {workspace.url}\n{secret}")
    path.chmod(0o600)
    return config


@pytest.fixture
def serving(workspace: Workspace, tmp_path: Path) -> Iterator[Relay]:
    """With no token at hand."""
    home = tmp_path / "home"
    with relay(home, upstreams_of(workspace), token="", config=config_of(workspace, home)) as one:
        yield one


def prompt(serving: Relay, text: str = "hello") -> Any:
    body = {"model": MODEL, "max_tokens": 50, "messages": [{"role": "user", "content": text}]}
    return serving.ask("POST", "/anthropic/v1/messages", json.dumps(body), {"content-type": "application/json"})


DIALECTS: dict[str, dict[str, Any]] = {
    "/anthropic/v1/messages": {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]},
    "/codex/responses": {"model": "databricks-gpt-5-2", "input": "hello"},
    "/openai/v1/responses": {"model": "databricks-gpt-5-2", "input": "hello"},
    "/openai/v1/chat/completions": {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]},
    "/mlflow/chat/completions": {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]},
    "/gemini/v1beta/models/databricks-gemini-3-5-flash:generateContent": {
        "contents": [{"role": "user", "parts": [{"text": "hello"}]}]
    },
}


def test_each_dialect_is_answered_by_the_workspace(serving: Relay, workspace: Workspace) -> None:
    for path, body in DIALECTS.items():
        answer = serving.ask("POST", path, json.dumps(body), {"content-type": "application/json"})
        assert (answer.status, "You said: hello" in answer.body.decode()) == (200, True), (path, answer.body)
    prompts = workspace.requests(GATEWAY)
    assert {one["token"] for one in prompts} == {"valid"}
    assert len(prompts) == len(DIALECTS)
    assert len(workspace.requests(TOKENS)) == 1
    assert prompts[0]["coding_agent_mode"]


def test_a_streamed_answer_of_the_workspace_passes(serving: Relay) -> None:
    body = {**DIALECTS["/anthropic/v1/messages"], "stream": True}
    answer = serving.ask("POST", "/anthropic/v1/messages", json.dumps(body), {"content-type": "application/json"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert b"event: message_stop" in answer.body


def test_clients_that_come_and_go_hold_nobody_up(serving: Relay) -> None:
    """Given up at every moment: while a connection is being made, before the answer begins, while it comes."""
    path, kind = "/anthropic/v1/messages", {"content-type": "application/json"}
    body = json.dumps({**DIALECTS[path], "stream": True})
    assert prompt(serving).status == 200
    statuses: list[int] = []
    ended: list[int] = []

    def client(number: int) -> None:
        chance = random.Random(number)
        for _request in range(60):
            if chance.random() < 0.6:
                statuses.append(serving.ask("POST", path, body, kind).status)
                continue
            with contextlib.closing(serving.connection()) as connection:
                connection.request("POST", path, body, {**kind, "x-api-key": serving.key})
        ended.append(number)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(ended) == [0, 1, 2, 3, 4, 5]
    assert set(statuses) == {200}
    assert prompt(serving).status == 200
    wait_until(lambda: serving.ask("GET", "/health").json["active"] == 0)


def test_many_requests_at_once_ask_for_one_token(serving: Relay, workspace: Workspace) -> None:
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(prompt(serving).status)) for _number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 10
    assert len(workspace.requests(TOKENS)) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_the_workspace_refuses_is_replaced_once_and_the_request_sent_again(
    serving: Relay, workspace: Workspace, status: int
) -> None:
    assert prompt(serving).status == 200
    workspace.control(refuse_with=status, revoke_tokens=True)
    workspace.clear()
    answer = prompt(serving, "and now")
    assert (answer.status, "You said: and now" in answer.body.decode()) == (200, True)
    assert [one["status"] for one in workspace.requests(GATEWAY)] == [status, 200]
    assert len(workspace.requests(TOKENS)) == 1


def test_many_refused_at_once_share_one_replacement(serving: Relay, workspace: Workspace) -> None:
    assert prompt(serving).status == 200
    workspace.control(revoke_tokens=True)
    workspace.clear()
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(prompt(serving).status)) for _number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 10
    assert len(workspace.requests(TOKENS)) == 1


def test_what_is_forbidden_with_any_token_is_not_asked_twice(serving: Relay, workspace: Workspace) -> None:
    assert prompt(serving).status == 200
    workspace.clear()
    workspace.control(fail_next={"path_prefix": GATEWAY, "status": 403})
    answer = prompt(serving)
    assert (answer.status, answer.json["error_code"]) == (403, "PERMISSION_DENIED")
    assert len(workspace.requests(GATEWAY)) == 1
    assert workspace.requests(TOKENS) == []


def test_a_workspace_that_refuses_every_token_is_asked_for_one_more_and_no_storm(
    tmp_path: Path, workspace: Workspace
) -> None:
    home = tmp_path / "home"
    with Upstream() as server:
        server.script = lambda exchange: exchange.whole(b'{"message": "no"}', "401 Unauthorized", "X-Own: theirs")
        with relay(home, {"codex": server.url}, token="", config=config_of(workspace, home)) as one:
            answers = [one.ask("POST", "/codex/responses", b"{}") for _number in range(5)]
    assert {(one.status, one.body, one.headers["x-own"]) for one in answers} == {(401, b'{"message": "no"}', "theirs")}
    assert len(server.asked) == 6
    assert len(workspace.requests(TOKENS)) == 2


def test_a_large_request_that_is_refused_is_not_kept_to_be_sent_again(tmp_path: Path) -> None:
    def refuse(exchange: Exchange) -> None:
        exchange.whole(b"{}", "401 Unauthorized")

    with Upstream() as server, relay(tmp_path / "home", {"codex": server.url}) as one:
        server.script = refuse
        answer = one.ask("POST", "/codex/responses", b"x" * (2 << 20))
    assert answer.status == 401
    assert len(server.asked) == 1


def test_a_token_that_another_program_got_is_used_at_once(tmp_path: Path) -> None:
    with Upstream() as server, relay(tmp_path / "home", {"codex": server.url}) as one:
        one.ask("POST", "/codex/responses", b"{}")
        other = TOKEN + "bmV3"
        one.keep(other)
        one.ask("POST", "/codex/responses", b"{}")
    assert [asked.values("authorization") for asked in server.asked] == [[f"Bearer {TOKEN}"], [f"Bearer {other}"]]


@pytest.mark.parametrize("prefix", ["anthropic", "codex", "gemini"])
def test_who_is_not_signed_in_is_told_the_command(tmp_path: Path, prefix: str) -> None:
    with Upstream() as server, relay(tmp_path / "home", {prefix: server.url}, token="") as one:
        answer = one.ask("POST", f"/{prefix}/v1/x", b"{}")
        wanted = one.config.sign_in_command()
    assert answer.status == 401
    error = answer.json["error"]
    assert wanted in error["message"]
    assert {"anthropic": "authentication_error", "codex": "invalid_api_key", "gemini": "UNAUTHENTICATED"}[prefix] in (
        error.get("type"),
        error.get("code"),
        error.get("status"),
    )
    assert server.asked == []


def test_a_python_that_is_gone_is_an_error_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python3")

    async def ask() -> None:
        await Tokens(Config(str(tmp_path), "https://w.example", "fmapi", "user", 15)).current()

    with pytest.raises(
        TokenError, match=r"^/nowhere/python3 cannot be started \(No such file.*\)\. Run the rollout again"
    ):
        asyncio.run(ask())


def test_a_home_that_cannot_be_written_to_has_a_relay_all_the_same(tmp_path: Path, workspace: Workspace) -> None:
    """The key is there already; neither the log nor the cache can be written."""
    home = tmp_path / "home"
    one = Relay(home, upstreams_of(workspace), config=config_of(workspace, home))
    for path in (one.places.log, one.places.running):
        os.mkdir(path)
        Path(path, "in the way").touch()
    Path(home, ".cache").write_text("in the way")
    try:
        one.start()
        assert [prompt(one).status for _number in range(2)] == [200, 200]
    finally:
        one.stop()
    assert len(workspace.requests(TOKENS)) == 1


def test_requests_and_tokens_go_through_the_operators_proxy(tmp_path: Path, workspace: Workspace) -> None:
    home = tmp_path / "home"
    proxy = Proxy()
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        config = config_of(workspace, home, proxy=proxy.url)
        with relay(home, upstreams_of(workspace), token="", config=config) as one:
            assert prompt(one).status == 200
        assert set(proxy.asked) == {f"127.0.0.1:{workspace.port}"}
        assert len(proxy.asked) == 2
    finally:
        proxy.shutdown()
        proxy.server_close()


def test_a_certificate_that_is_not_trusted_is_told_as_the_token_helper_tells_it(
    tmp_path: Path, workspace: Workspace
) -> None:
    with relay(tmp_path / "home", upstreams_of(workspace)) as one:
        answer = prompt(one)
    assert answer.status == 502
    message = answer.json["error"]["message"]
    assert message.startswith(f"the certificate of {workspace.url} is not trusted")
    assert "coding_agents_ca_file" in message


def test_a_workspace_that_says_wait_is_heard_by_the_client(serving: Relay, workspace: Workspace) -> None:
    assert prompt(serving).status == 200
    workspace.control(fail_next={"path_prefix": GATEWAY, "status": 429, "retry_after": 7})
    answer = prompt(serving)
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")
