# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""WebSocket through the relay: both ways, whatever is said, and refused where a request would be."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import Server, ServerConnection, serve

from tests.unit.relay.relay_host import TOKEN, Relay, relay, wait_until

REFUSED = TOKEN + "b2xk"


class Upstream:
    """Says back what it hears, and closes when it is told to go."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self._refused = ""
        self.status = 0
        logging.getLogger("websockets").setLevel(logging.CRITICAL)
        self.server: Server = serve(self._talk, "127.0.0.1", 0, process_request=self._request, max_size=None)
        self.url = f"http://127.0.0.1:{self.server.socket.getsockname()[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def refuse(self, token: str, meanwhile: Callable[[], None]) -> None:
        """Answer 401 to this token."""
        self._refused, self._meanwhile = token, meanwhile

    def _request(self, connection: ServerConnection, request: Any) -> Any:
        self.requests.append(request)
        if self.status:
            return connection.respond(self.status, "not here\n")
        if self._refused and request.headers["authorization"] == f"Bearer {self._refused}":
            self._meanwhile()
            return connection.respond(401, "{}")
        return None

    def _talk(self, connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            for said in connection:
                if said == "go":
                    connection.close(1001)
                if said == "talk":
                    for number in range(6):
                        connection.send(str(number))
                        time.sleep(0.5)
                connection.send(said)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    one = Upstream()
    yield one
    one.server.shutdown()


@pytest.fixture
def serving(upstream: Upstream, tmp_path: Path) -> Iterator[Relay]:
    with relay(tmp_path / "home", {"codex": f"{upstream.url}/v1"}) as one:
        yield one
        assert TOKEN not in one.log()


def talk(serving: Relay, key: str | None = None, **headers: str) -> ClientConnection:
    given = {"authorization": f"Bearer {serving.key if key is None else key}", **headers}
    url = f"ws://127.0.0.1:{serving.settings.port}/codex/responses?a=%2f"
    return connect(url, additional_headers=given, max_size=None, proxy=None)


def test_what_is_said_passes_both_ways(serving: Relay, upstream: Upstream) -> None:
    with talk(serving, **{"OpenAI-Beta": "responses_websockets"}) as client:
        for said in ("hello", "", b"\x00\xff", "ä" * 100_000, b"x" * (3 << 20)):
            client.send(said)
            assert client.recv(timeout=30) == said
        client.ping().wait(30)
    request = upstream.requests[0]
    assert request.path == "/v1/responses?a=%2f"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["openai-beta"] == "responses_websockets"
    assert request.headers["x-databricks-use-coding-agent-mode"] == "true"
    wait_until(lambda: "WebSocket /codex 101" in serving.log())


def test_many_messages_on_their_way_at_once_keep_their_order(serving: Relay) -> None:
    with talk(serving) as client:
        for number in range(500):
            client.send(str(number))
        assert [client.recv(timeout=30) for _number in range(500)] == [str(number) for number in range(500)]


@pytest.mark.parametrize(
    ("key", "headers", "status"),
    [("", {}, 401), ("0" * 64, {}, 401), (None, {"Origin": "https://evil.example"}, 403)],
    ids=["no key", "wrong key", "web page"],
)
def test_who_may_not_ask_may_not_talk(
    serving: Relay, upstream: Upstream, key: str | None, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused, talk(serving, key, **headers):
        pass
    assert refused.value.response.status_code == status
    assert serving.key not in (refused.value.response.body or b"").decode()
    assert upstream.requests == []


def test_a_workspace_that_does_not_speak_it_is_heard(serving: Relay, upstream: Upstream) -> None:
    upstream.status = 426
    with pytest.raises(InvalidStatus) as refused, talk(serving):
        pass
    assert refused.value.response.status_code == 426
    assert refused.value.response.body == b"not here\n"


def test_a_refused_token_is_replaced_before_the_conversation_begins(upstream: Upstream, tmp_path: Path) -> None:
    with relay(tmp_path / "home", {"codex": f"{upstream.url}/v1"}, token=REFUSED) as one:
        # Another program gets a new token at the same moment.
        upstream.refuse(REFUSED, lambda: one.keep(TOKEN))
        with talk(one) as client:
            client.send("hello")
            assert client.recv(timeout=30) == "hello"
    assert [one.headers["authorization"] for one in upstream.requests] == [f"Bearer {REFUSED}", f"Bearer {TOKEN}"]


def test_how_the_workspace_ends_it_is_what_the_client_hears(serving: Relay) -> None:
    with talk(serving) as client:
        client.send("go")
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


def test_a_relay_that_ends_says_so_to_who_is_silent(serving: Relay) -> None:
    with talk(serving) as client:
        client.send("hello")
        assert client.recv(timeout=30) == "hello"
        assert serving.ask("POST", "/stop").status == 200
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert serving.process is not None
    assert serving.process.wait(30) == 0


def test_a_relay_that_ends_does_not_cut_what_is_being_said(serving: Relay) -> None:
    with talk(serving) as client:
        client.send("talk")
        said = [client.recv(timeout=30)]
        assert serving.ask("POST", "/stop").status == 200
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                said.append(client.recv(timeout=30))
    assert said == ["0", "1", "2", "3", "4", "5", "talk"]
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
