# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes the relay, and how: bytes as they come, heads without what speaks of one connection, credentials replaced."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.bodies import Whole
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.refusals import Refusal
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.routes import route
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.upstreams import Upstreams

from tests.unit.relay.relay_host import TOKEN, Relay, relay, wait_until
from tests.unit.relay.upstream import Exchange, Upstream

MESSAGES = "/anthropic/v1/messages"


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with Upstream() as one:
        yield one


@pytest.fixture(scope="module")
def serving(server: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    upstreams = {name: f"{server.url}/gateway/{name}" for name in ("anthropic", "codex", "gemini", "mlflow")}
    with relay(tmp_path_factory.mktemp("forwarding") / "home", upstreams) as one:
        yield one
        assert TOKEN not in one.log()
        assert one.key not in one.log()


@pytest.fixture
def upstream(server: Upstream) -> Upstream:
    server.clear()
    return server


UPSTREAMS = {
    "anthropic": "https://w.example/ai-gateway/anthropic",
    "codex": "https://w.example/ai-gateway/codex/v1",
    "openai": "https://w.example:8443/ai-gateway/mlflow/v1/",
    "gemini": "https://w.example",
}


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        (b"/anthropic/v1/messages", b"beta=true", "https://w.example/ai-gateway/anthropic/v1/messages?beta=true"),
        (b"/codex/responses", b"", "https://w.example/ai-gateway/codex/v1/responses"),
        (b"/openai/v1/chat/completions", b"", "https://w.example:8443/ai-gateway/mlflow/v1/chat/completions"),
        (b"/openai/chat/completions", b"", "https://w.example:8443/ai-gateway/mlflow/v1/chat/completions"),
        (b"/openai/v1/responses/r1", b"", "https://w.example/ai-gateway/codex/v1/responses/r1"),
        (b"/openai/responses", b"a=1", "https://w.example/ai-gateway/codex/v1/responses?a=1"),
        (b"/openai/responsesque", b"", "https://w.example:8443/ai-gateway/mlflow/v1/responsesque"),
        (b"/gemini/v1beta/models/m:generateContent", b"", "https://w.example/v1beta/models/m:generateContent"),
        (b"/gemini", b"", "https://w.example/"),
        (b"/anthropic/a..b/.c/...;d", b"", "https://w.example/ai-gateway/anthropic/a..b/.c/...;d"),
        (b"/anthropic/v1", b"to=../..", "https://w.example/ai-gateway/anthropic/v1?to=../.."),
        (b"/anthropic/a%2Fb//c", b"x=%zz&y='", "https://w.example/ai-gateway/anthropic/a%2Fb//c?x=%zz&y='"),
    ],
)
def test_a_path_leads_to_the_upstream_of_its_prefix_byte_for_byte(path: bytes, query: bytes, expected: str) -> None:
    found = route(path, query, UPSTREAMS)
    assert found.origin.url + found.target.decode() == expected


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"/nowhere/v1",
        b"anthropic/v1",
        b"http://127.0.0.1/anthropic/v1",
        b"/anthropic/../api/2.0/secrets",
        b"/anthropic/%2e%2E/api",
        b"/anthropic/.%2e/api",
        b"/anthropic/..%2f..%2fapi",
        b"/anthropic/v1/..%2Fapi",
        b"/anthropic/..\\api",
        b"/anthropic/v1%5c..%5capi",
        b"/anthropic/..;x/api",
        b"/anthropic/%2e%2e%3bx=1/api",
        b"/anthropic/%252e%252e/api",
        b"/anthropic/v1/..",
        b"/anthropic/./api",
    ],
)
def test_a_path_that_leads_nowhere_is_refused_with_the_prefixes_there_are(path: bytes) -> None:
    with pytest.raises(Refusal, match="/anthropic, /codex") as refused:
        route(path, b"", UPSTREAMS)
    assert refused.value.status == 404


def test_the_query_passes_as_the_bytes_it_was(serving: Relay, upstream: Upstream) -> None:
    query = "alt=sse&key=%2f%2F&empty=&quote='&odd=%zz&pipe=|~"
    assert serving.ask("GET", f"/gemini/v1beta/models?{query}").status == 200
    assert upstream.asked[0].target == f"/gateway/gemini/v1beta/models?{query}"


def test_credentials_are_replaced_and_what_speaks_of_one_connection_stays_here(
    serving: Relay, upstream: Upstream
) -> None:
    own = {
        "Authorization": f"Bearer {serving.key}",
        "X-Api-Key": serving.key,
        "X-Goog-Api-Key": "another",
        "Api-Key": "another",
        "Connection": "keep-alive, X-Hop",
        "X-Hop": "1",
        "Keep-Alive": "timeout=5",
        "Proxy-Authorization": "Basic c2VjcmV0",
        "TE": "trailers",
        "X-Databricks-Use-Coding-Agent-Mode": "false",
        "Anthropic-Beta": "one,two",
        "User-Agent": "agent/1.0",
    }
    assert serving.ask("POST", MESSAGES, b'{"a": 1}', own).status == 200
    asked = upstream.asked[0]
    assert asked.values("authorization") == [f"Bearer {TOKEN}"]
    assert asked.values("x-databricks-use-coding-agent-mode") == ["true"]
    assert asked.values("anthropic-beta") == ["one,two"]
    assert asked.values("user-agent") == ["agent/1.0"]
    assert asked.values("host") == [upstream.url.removeprefix("http://")]
    gone = ("x-api-key", "x-goog-api-key", "api-key", "connection", "x-hop", "keep-alive", "proxy-authorization", "te")
    assert not [name for name in gone if asked.values(name)]
    assert serving.key not in str(asked)
    assert asked.body == b'{"a": 1}'


def test_an_answer_passes_with_its_status_its_head_and_its_very_bytes(serving: Relay, upstream: Upstream) -> None:
    packed = gzip.compress(b'{"type": "error"}')
    head = ("Retry-After: 7", "Content-Encoding: gzip", "X-Request-Id: r1", "Date: Thu, 01 Jan 1970 00:00:00 GMT")
    upstream.script = lambda exchange: exchange.whole(
        packed, "429 Too Many Requests", *head, "Connection: X-Own", "X-Own: 1"
    )
    answer = serving.ask("POST", MESSAGES, b"{}")
    assert (answer.status, answer.body) == (429, packed)
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["x-request-id"] == "r1"
    assert answer.headers["date"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert not {"connection", "x-own", "server"} & set(answer.headers)
    assert len(upstream.asked) == 1


def test_each_frame_arrives_before_the_next_one_is_sent(serving: Relay, upstream: Upstream) -> None:
    arrived = threading.Semaphore(0)
    in_time = []

    def frames(exchange: Exchange) -> None:
        exchange.head("200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked")
        for number in range(3):
            exchange.chunk(f"event: n{number}\n\n".encode())
            in_time.append(arrived.acquire(timeout=20))
        exchange.chunk(b"")

    upstream.script = frames
    with contextlib.closing(serving.connection()) as connection:
        connection.request("POST", MESSAGES, b"{}", {"x-api-key": serving.key})
        answer = connection.getresponse()
        for number in range(3):
            assert answer.read1(1000) == f"event: n{number}\n\n".encode()
            arrived.release()
        assert answer.read() == b""
    assert in_time == [True] * 3


def test_a_stream_that_is_cut_reaches_the_client_cut(serving: Relay, upstream: Upstream) -> None:
    def cut(exchange: Exchange) -> None:
        exchange.head("200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked")
        exchange.chunk(b"event: begin\n\n")
        exchange.close()

    upstream.script = cut
    with contextlib.closing(serving.connection()) as connection:
        connection.request("POST", MESSAGES, b"{}", {"x-api-key": serving.key})
        answer = connection.getresponse()
        with pytest.raises(http.client.IncompleteRead) as broken:
            answer.read()
    assert broken.value.partial == b"event: begin\n\n"
    assert len(upstream.asked) == 1
    assert serving.ask("GET", "/health").json["active"] == 0


def test_the_request_is_given_up_as_soon_as_its_client_is_gone(serving: Relay, upstream: Upstream) -> None:
    ended = threading.Event()

    def endless(exchange: Exchange) -> None:
        exchange.head("200 OK", "Transfer-Encoding: chunked")
        exchange.chunk(b"begin")
        exchange.source.read(1)  # until the other side closes
        ended.set()

    upstream.script = endless
    with contextlib.closing(serving.connection()) as connection:
        connection.request("POST", MESSAGES, b"{}", {"x-api-key": serving.key})
        assert connection.getresponse().read1(5) == b"begin"
    assert ended.wait(20)
    wait_until(lambda: serving.ask("GET", "/health").json["active"] == 0)


def test_a_client_that_goes_before_the_answer_begins_is_noticed_too(serving: Relay, upstream: Upstream) -> None:
    ended = threading.Event()

    def silent(exchange: Exchange) -> None:
        exchange.source.read(1)
        ended.set()

    upstream.script = silent
    with contextlib.closing(serving.connection()) as connection:
        connection.request("POST", MESSAGES, b"{}", {"x-api-key": serving.key})
        wait_until(lambda: upstream.asked)
    assert ended.wait(20)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_large_request_arrives_whole(serving: Relay, upstream: Upstream, chunked: bool) -> None:
    body = bytes(range(256)) * (8 << 12)  # 8 MiB
    parts = (body[at : at + 100_000] for at in range(0, len(body), 100_000))
    assert serving.ask("POST", MESSAGES, parts if chunked else body).status == 200
    asked = upstream.asked[0]
    assert asked.body == body
    assert asked.values("content-length") == ([] if chunked else [str(len(body))])


@pytest.mark.parametrize("prefix", ["anthropic", "codex", "gemini"])
def test_a_body_over_the_limit_is_refused_before_it_is_sent_on(serving: Relay, upstream: Upstream, prefix: str) -> None:
    with contextlib.closing(serving.socket()) as client:
        head = (
            f"POST /{prefix}/v1/x HTTP/1.1\r\nHost: 127.0.0.1:{serving.settings.port}\r\nx-api-key: {serving.key}\r\n"
        )
        client.sendall(f"{head}Content-Length: {(64 << 20) + 1}\r\n\r\n".encode())
        answer = http.client.HTTPResponse(client)
        answer.begin()
        told = answer.read().decode()
    assert answer.status == 413
    assert "larger than 64 MiB" in told
    assert {"anthropic": '"request_too_large"', "codex": '"type": "invalid', "gemini": '"code": 413'}[prefix] in told
    assert upstream.asked == []


def test_a_body_that_grows_over_the_limit_is_refused_and_never_cut(serving: Relay, upstream: Upstream) -> None:
    part = b"x" * (1 << 20)
    answer = serving.ask("POST", MESSAGES, (part for _number in range(65)))
    assert answer.status == 413
    assert answer.json["error"]["type"] == "request_too_large"
    assert upstream.asked == []  # what came of it had no end, and so was no request


def test_fifty_streams_run_at_once(serving: Relay, upstream: Upstream) -> None:
    all_there = threading.Barrier(50, timeout=30)

    def stream(exchange: Exchange) -> None:
        exchange.head("200 OK", "Transfer-Encoding: chunked")
        exchange.chunk(exchange.asked.body)
        all_there.wait()  # nobody ends before all have begun
        exchange.chunk(b" end")
        exchange.chunk(b"")

    upstream.script = stream
    said: list[bytes] = []

    def ask(number: int) -> None:
        said.append(serving.ask("POST", MESSAGES, b"%d" % number).body)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == sorted(b"%d end" % number for number in range(50))


def test_a_kept_connection_that_has_died_costs_no_request(serving: Relay, upstream: Upstream) -> None:
    """As after a sleep: the other side has forgotten it, and says so only when it is used."""
    seen: list[object] = []

    def forgetful(exchange: Exchange) -> None:
        if exchange.source in seen:
            exchange.close()  # without a word
        else:
            seen.append(exchange.source)
            exchange.whole(b"well")

    upstream.script = forgetful
    assert [serving.ask("POST", MESSAGES, b"{}").body for _number in range(3)] == [b"well"] * 3
    assert [one.body for one in upstream.asked] == [b"{}"] * len(upstream.asked)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_what_is_not_kept_is_never_sent_in_part(serving: Relay, upstream: Upstream, chunked: bool) -> None:
    seen: list[object] = []

    def forgetful(exchange: Exchange) -> None:
        if exchange.source in seen:
            exchange.close()
        else:
            seen.append(exchange.source)
            exchange.whole(b"well")

    upstream.script = forgetful
    assert serving.ask("POST", MESSAGES, b"{}").status == 200
    body = b"x" * (3 << 20)
    answer = serving.ask("POST", MESSAGES, iter([body[: 1 << 20], body[1 << 20 :]]) if chunked else body)
    assert answer.status == 502
    assert "cannot be reached" in answer.json["error"]["message"]
    assert [one.body for one in upstream.asked] == [b"{}", body]


def test_after_a_sleep_no_kept_connection_is_used(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = route(b"/codex/x", b"", {"codex": upstream.url})
    before = upstream.connections

    async def ask(upstreams: Upstreams) -> int:
        reply = await upstreams.send(wanted, b"GET", [(b"host", wanted.origin.netloc)], Whole(b""))
        assert [part async for part in reply.stream] == [b"{}"]
        await reply.stream.aclose()
        return upstream.connections - before

    async def sleep() -> list[int]:
        upstreams = Upstreams(None)
        awake = [await ask(upstreams), await ask(upstreams)]
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 3600)  # the other clock stands still in a sleep
        slept = [await ask(upstreams), await ask(upstreams)]
        await upstreams.close()
        return awake + slept

    assert asyncio.run(sleep()) == [1, 1, 2, 2]


def test_a_new_connection_that_ends_without_an_answer_is_an_error_and_not_tried_again(
    serving: Relay, upstream: Upstream
) -> None:
    upstream.script = lambda exchange: exchange.close()
    serving.ask("POST", MESSAGES, b"{}")  # has used up what was kept
    upstream.asked.clear()
    answer = serving.ask("POST", MESSAGES, b"{}")
    assert answer.status == 502
    assert answer.json["error"]["type"] == "api_error"
    assert "cannot be reached" in answer.json["error"]["message"]
    assert len(upstream.asked) == 1


def test_head_and_an_answer_without_a_body(serving: Relay, upstream: Upstream) -> None:
    upstream.script = lambda exchange: exchange.head("200 OK", "Content-Length: 17")
    assert serving.ask("HEAD", "/anthropic/").headers["content-length"] == "17"
    upstream.script = lambda exchange: exchange.head("204 No Content")
    assert (serving.ask("DELETE", "/codex/responses/r").status, upstream.asked[-1].method) == (204, "DELETE")


def test_an_upstream_where_nobody_listens_is_told_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with relay(tmp_path / "home", {"gemini": url}) as one:
            answer = one.ask("POST", "/gemini/v1beta/models/m:generateContent", b"{}")
    assert answer.status == 502
    told = answer.json["error"]
    assert (told["code"], told["status"]) == (502, "UNAVAILABLE")
    assert told["message"] == f"{url} cannot be reached (Connection refused). Check network, proxy and VPN."


@pytest.mark.soak
def test_a_long_answer_passes_in_constant_memory(serving: Relay, upstream: Upstream) -> None:
    part = b"x" * (1 << 20)

    def answer(exchange: Exchange) -> None:
        exchange.head("200 OK", f"Content-Length: {len(part) * int(exchange.asked.body)}")
        for _number in range(int(exchange.asked.body)):
            exchange.write(part)

    upstream.script = answer
    assert len(serving.ask("POST", MESSAGES, b"2").body) == 2 << 20
    before = serving.memory()
    assert len(serving.ask("POST", MESSAGES, b"200").body) == 200 << 20
    assert serving.memory() < before * 1.25


@pytest.mark.soak
def test_a_thousand_pieces_of_garbage_harm_nobody(serving: Relay, upstream: Upstream) -> None:
    garbage = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"POST /anthropic/v1/messages HTTP/1.1\r\nContent-Length: nine\r\n\r\n",
        b"POST /anthropic/v1/messages HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET /anthropic HTTP/1.1\r\nHost: \x00\r\n\r\n",
        b"A" * 100_000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /anthropic/ HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"\r\n" * 50,
        b"",
    ]
    for number in range(1000):
        with contextlib.suppress(OSError), contextlib.closing(serving.socket()) as client:
            client.sendall(garbage[number % len(garbage)])
            client.shutdown(socket.SHUT_WR)
            client.recv(1000)
    assert serving.ask("POST", MESSAGES, b"{}").body == b"{}"
    assert len(upstream.asked) == 1
    assert serving.ask("GET", "/health").json["active"] == 0


@pytest.mark.soak
def test_who_never_finishes_the_head_of_a_request_is_sent_away(serving: Relay, upstream: Upstream) -> None:
    begin = time.monotonic()
    with contextlib.closing(serving.socket()) as client:
        client.settimeout(60)
        client.sendall(b"POST /anthropic/v1/messages HTTP/1.1\r\nHost:")
        with contextlib.suppress(OSError):
            while client.recv(1) != b"":
                pass
    assert time.monotonic() - begin < 50
