# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a relay lives, what it finishes before it ends, and who follows it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay import clients
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.lives import (
    AFTER_LAST_SECONDS,
    Seen,
    should_end,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.places import Places
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.settings import Settings

from tests.unit.relay.relay_host import Relay, relay, wait_until
from tests.unit.relay.upstream import Exchange, Upstream
from tests.workspace.client import lasting_port

RESPONSES = "/codex/responses"
MINUTES = 60.0
SESSION = Settings("/c", {})
SERVICE = SESSION._replace(life="service")


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as one:
        yield one


@pytest.fixture
def serving(upstream: Upstream, tmp_path: Path) -> Iterator[Relay]:
    with relay(tmp_path / "home", {"codex": upstream.url}) as one:
        yield one


class Slow:
    """Answers in two parts; the second when it is let go."""

    def __init__(self) -> None:
        self.began, self.go_on = threading.Event(), threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        if exchange.asked.body != b"slow":
            exchange.whole(b"quick")
            return
        exchange.head("200 OK", "Transfer-Encoding: chunked")
        exchange.chunk(b"begin ")
        self.began.set()
        self.go_on.wait(30)
        exchange.chunk(b"end")
        exchange.chunk(b"")


@contextlib.contextmanager
def asking(serving: Relay, slow: Slow) -> Iterator[list[bytes]]:
    """Somebody who waits for a slow answer, which is in the list at the end."""
    said: list[bytes] = []
    thread = threading.Thread(target=lambda: said.append(serving.ask("POST", RESPONSES, b"slow").body))
    thread.start()
    assert slow.began.wait(30)
    try:
        yield said
    finally:
        slow.go_on.set()
        thread.join(30)


def seen(quiet: float, active: int = 0, alive: int = 0, had: bool = False) -> Seen:
    return Seen(1000 * MINUTES, 1000 * MINUTES - quiet, active, alive, had)


@pytest.mark.parametrize(
    ("settings", "what", "expected"),
    [
        (SESSION, seen(AFTER_LAST_SECONDS, had=True), True),
        (SESSION, seen(AFTER_LAST_SECONDS - 1, had=True), False),
        (SESSION, seen(900 * MINUTES, had=True, active=1), False),
        (SESSION, seen(900 * MINUTES, had=True, alive=1), False),
        (SESSION, seen(29 * MINUTES), False),
        (SESSION, seen(30 * MINUTES), True),
        (SESSION._replace(idle_minutes=0), seen(900 * MINUTES), False),
        (SESSION._replace(idle_minutes=1), seen(1 * MINUTES), True),
        (SERVICE, seen(900 * MINUTES), False),
        (SERVICE, seen(900 * MINUTES, had=True), False),
    ],
)
def test_it_ends_when_nobody_needs_it_and_not_before(settings: Settings, what: Seen, expected: bool) -> None:
    assert should_end(settings, what) is expected


def test_a_client_that_was_killed_counts_no_more(tmp_path: Path) -> None:
    places = Places(str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        client = clients.of_process(process.pid)
        assert client is not None
        name = clients.add(places, client)
        session = clients.add(places, client, session="a/../b c")
        assert clients.living(places) == sorted([name, session])
        assert os.path.dirname(os.path.join(places.clients, session)) == places.clients
    finally:
        process.kill()
    wait_until(lambda: clients.living(places) == [])  # before anybody has waited for it
    process.wait()
    assert os.listdir(places.clients) == []


def test_a_later_process_of_the_same_number_is_another_client(tmp_path: Path) -> None:
    places = Places(str(tmp_path))
    own = clients.of_process(os.getpid())
    assert own is not None
    clients.add(places, own._replace(start="1"))
    assert clients.living(places) == []


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"pid": true, "start": "1"}', '{"pid": -1, "start": "1"}', "\0"])
def test_what_is_no_client_is_swept_away(tmp_path: Path, content: str) -> None:
    places = Places(str(tmp_path))
    os.makedirs(places.clients)
    Path(places.clients, "odd").write_text(content)
    assert clients.living(places) == []
    assert os.listdir(places.clients) == []


def test_it_counts_its_clients_and_says_which_process_it_is(serving: Relay) -> None:
    own = clients.of_process(os.getpid())
    assert own is not None
    clients.add(serving.places, own)
    wait_until(lambda: serving.ask("GET", "/health").json["clients"] == 1)
    told = json.loads(Path(serving.places.running).read_text())
    process = clients.of_process(serving.process_id)
    assert process is not None
    assert (told["pid"], told["start"], told["port"]) == (*process, serving.settings.port)
    assert stat.S_IMODE(os.stat(serving.places.running).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(serving.places.log).st_mode) == 0o600


@pytest.mark.parametrize("how", ["stop", "SIGTERM"])
def test_the_old_one_finishes_its_stream_while_the_new_one_serves(serving: Relay, upstream: Upstream, how: str) -> None:
    upstream.script = slow = Slow()
    old = serving.process
    assert old is not None
    with asking(serving, slow) as said:
        if how == "stop":
            assert serving.ask("POST", "/stop").json == {"drain": True, "active": 1}
        else:
            old.send_signal(signal.SIGTERM)
        wait_until(lambda: not serving.serves())
        serving.start()
        try:
            assert serving.process_id != old.pid
            assert serving.ask("POST", RESPONSES, b"{}").body == b"quick"
            assert old.poll() is None
            assert said == []
            slow.go_on.set()
            assert old.wait(30) == 0
            assert json.loads(Path(serving.places.running).read_text())["pid"] == serving.process_id
        finally:
            old.kill()
            old.communicate()
    assert said == [b"begin end"]


def test_a_changed_relay_takes_the_port_over_by_itself(serving: Relay, upstream: Upstream) -> None:
    upstream.script = slow = Slow()
    old = serving.process
    assert old is not None
    with asking(serving, slow) as said:
        serving.configure(idle_minutes=5)
        serving.start()
        assert serving.ask("POST", RESPONSES, b"{}").body == b"quick"
        slow.go_on.set()
        _out, complaint = old.communicate(timeout=30)
        assert (old.returncode, complaint) == (0, b"")
    assert said == [b"begin end"]


def test_of_many_that_are_started_one_serves(serving: Relay) -> None:
    later = [serving.spawn() for _number in range(4)]
    for process in later:
        _out, said = process.communicate(timeout=30)
        assert (process.returncode, said) == (
            0,
            f"coding-agents: the relay serves already on port {serving.settings.port}\n".encode(),
        )
    assert serving.serves() == serving.process_id


def test_one_that_is_to_replace_does(serving: Relay) -> None:
    old = serving.process
    assert old is not None
    process = serving.spawn("--replace")
    try:
        wait_until(lambda: serving.serves() == process.pid)
        assert old.wait(30) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_port_that_a_stranger_holds_is_told_and_the_stranger_lives(tmp_path: Path) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        one = Relay(tmp_path / "home", {"codex": "https://w.example"}, port=port)
        process = one.spawn()
        _out, said = process.communicate(timeout=60)
        assert process.returncode == 1
        assert said.decode().startswith(f"coding-agents: port {port} of this host is held by ")
        assert f"(process {os.getpid()}). End that program, or set coding_agents_relay_port" in said.decode()
        assert said.count(b"\n") == 1
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass


def test_a_killed_relay_leaves_nothing_that_holds_up_the_next(serving: Relay) -> None:
    serving.stop()
    assert Path(serving.places.running).exists()
    first = serving.process_id
    serving.start()
    assert serving.process_id != first
    assert serving.ask("POST", RESPONSES, b"{}").status == 200


def test_a_stream_of_a_killed_relay_breaks_off_and_the_next_request_works(serving: Relay, upstream: Upstream) -> None:
    upstream.script = slow = Slow()
    with contextlib.closing(serving.connection()) as connection:
        connection.request("POST", RESPONSES, b"slow", {"x-api-key": serving.key})
        answer = connection.getresponse()
        assert answer.read1(6) == b"begin "
        serving.stop()
        with pytest.raises((OSError, Exception)):
            answer.read()
    slow.go_on.set()
    serving.start()
    assert serving.ask("POST", RESPONSES, b"{}").body == b"quick"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "Expecting value"),
        ("[]", "holds no JSON object"),
        ('{"config": "/nowhere", "upstreams": {}}', "No such file"),
    ],
)
def test_settings_that_cannot_be_used_are_told_in_one_line(tmp_path: Path, content: str, why: str) -> None:
    one = Relay(tmp_path / "home", {})
    one.file.write_text(content)
    process = one.spawn()
    _out, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said.decode().startswith(f"coding-agents: {one.file}")
    assert why in said.decode()
    assert said.decode().endswith("Run the rollout again\n")
    assert said.count(b"\n") == 1


def test_with_a_certificate_it_speaks_tls_and_is_replaced_all_the_same(upstream: Upstream, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "relay.pem"))
    one = Relay(tmp_path / "home", {"codex": upstream.url})
    one.configure(tls_cert=str(tmp_path / "relay.pem"), tls_key=str(tmp_path / "relay.pem"))
    one.keep()
    tls = ssl.create_default_context()
    authority.configure_trust(tls)

    def ask(path: str) -> Any:
        request = urllib.request.Request(f"{one.settings.url}{path}", headers={"x-api-key": one.key})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
        with opener.open(request, timeout=30) as answer:
            return json.load(answer)

    def serves(process: subprocess.Popen[bytes]) -> bool:
        with contextlib.suppress(OSError):
            return bool(ask("/health")["pid"] == process.pid)
        return False

    first = one.spawn()
    try:
        wait_until(lambda: serves(first))
        assert ask(RESPONSES) == {}
        second = one.spawn("--replace")
        try:
            wait_until(lambda: serves(second))
            assert first.wait(30) == 0
        finally:
            second.kill()
            second.communicate()
    finally:
        first.kill()
        first.communicate()


GOOD: dict[str, Any] = {"config": "/c", "upstreams": {"codex": "https://w.example/v1"}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("config", "relative"),
        ("config", 1),
        ("upstreams", []),
        ("upstreams", {"unknown": "https://w.example"}),
        ("upstreams", {"codex": "http://w.example"}),
        ("upstreams", {"codex": "https://user@w.example"}),
        ("upstreams", {"codex": "https://w.example?a"}),
        ("upstreams", {"codex": "w.example"}),
        ("port", 0),
        ("port", "49153"),
        ("port", True),
        ("life", "auto"),
        ("idle_minutes", -1),
        ("tls_cert", "/only/one"),
        ("web_search", "google"),
        ("web_search_url", "ftp://w.example"),
        ("web_fetch_bytes", 0),
        ("web_allowed_addresses", ["10.0.0.1/8"]),
        ("unknown", 1),
    ],
)
def test_a_setting_of_another_kind_is_named(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "relay.json"
    path.write_text(json.dumps({**GOOD, name: value}))
    with pytest.raises((ValueError, TypeError), match=name):
        Settings.load(str(path))


def test_settings_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "relay.json"
    own = Settings("/c", {"otel": "http://127.0.0.1:1/a"}, lasting_port(), web_allowed_addresses=["10.0.0.0/8"])
    path.write_text(own.to_json())
    assert Settings.load(str(path)) == own
