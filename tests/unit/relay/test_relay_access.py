# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may use the relay: whoever brings the key, from this host. No other user, and no web page."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.places import Places, own_key, read_key

from tests.unit.relay.relay_host import TOKEN, Relay, relay
from tests.unit.relay.upstream import Upstream

MESSAGES = "/anthropic/v1/messages"
NOBODY = 65534


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with Upstream() as one:
        yield one


@pytest.fixture(scope="module")
def serving(server: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    upstreams = dict.fromkeys(("anthropic", "openai", "gemini"), server.url)
    with relay(tmp_path_factory.mktemp("access") / "home", upstreams) as one:
        yield one


@pytest.fixture(autouse=True)
def _clear(server: Upstream) -> None:
    server.clear()


@pytest.mark.parametrize(
    "header",
    ["Authorization: Bearer {}", "authorization: bearer {}", "x-api-key: {}", "x-goog-api-key: {}", "api-key: {}"],
)
def test_the_key_is_taken_wherever_an_agent_sends_one(serving: Relay, server: Upstream, header: str) -> None:
    name, _colon, value = header.format(serving.key).partition(": ")
    assert serving.ask("POST", MESSAGES, b"{}", {name: value}, key="").status == 200
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": "0" * 64},
        {"Authorization": "Bearer " + TOKEN},
        {"Authorization": "Basic {key}"},
        {"x-api-key": "{key}0"},
        {"x-api-key": ""},
        {"cookie": "key={key}"},
    ],
    ids=["none", "wrong", "a token", "basic", "longer", "empty", "cookie"],
)
@pytest.mark.parametrize(("method", "path"), [("POST", MESSAGES), ("GET", "/nowhere"), ("POST", "/stop")])
def test_without_the_key_nothing_is_done_and_nothing_told(
    serving: Relay, server: Upstream, headers: dict[str, str], method: str, path: str
) -> None:
    given = {name: value.replace("{key}", serving.key) for name, value in headers.items()}
    answer = serving.ask(method, path, b"{}", given, key="")
    assert answer.status == 401
    assert serving.key not in answer.body.decode()
    assert "relay key" in answer.json["error"]["message"]
    assert server.asked == []
    assert serving.serves() == serving.process_id


@pytest.mark.parametrize(
    ("path", "where"),
    [
        (MESSAGES, lambda told: told["type"] == "error" and told["error"]["type"] == "authentication_error"),
        ("/openai/chat/completions", lambda told: told["error"]["code"] == "invalid_api_key"),
        ("/gemini/v1beta/models/m", lambda told: told["error"]["status"] == "UNAUTHENTICATED"),
    ],
)
def test_the_refusal_has_the_form_that_the_client_reads(serving: Relay, path: str, where: object) -> None:
    assert callable(where)
    assert where(serving.ask("POST", path, b"{}", key="").json)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Host": "127.0.0.1.evil.example:{port}"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", [MESSAGES, "/health", "/stop"])
def test_a_web_page_is_refused_even_with_the_key(
    serving: Relay, server: Upstream, headers: dict[str, str], path: str
) -> None:
    given = {name: value.format(port=serving.settings.port) for name, value in headers.items()}
    assert serving.ask("POST", path, b"{}", given).status == 403
    assert server.asked == []


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_this_host_may_be_called_by_each_of_its_names(serving: Relay, name: str) -> None:
    here = f"{name}:{serving.settings.port}"
    headers = {"Host": here, "Origin": f"http://{here}", "Sec-Fetch-Site": "same-origin"}
    assert serving.ask("POST", MESSAGES, b"{}", headers).status == 200


def test_liveness_is_told_to_all_and_no_more(serving: Relay) -> None:
    assert serving.ask("GET", "/health", key="").json == {"tool": "fmapi.coding_agents relay", "status": "ok"}
    told = serving.ask("GET", "/health").json
    assert (told["pid"], told["life"], told["token"]["state"]) == (serving.process_id, "session", "active")
    assert TOKEN not in json.dumps(told)
    assert serving.key not in json.dumps(told)


def test_it_listens_on_loopback_only(serving: Relay) -> None:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    port = f"{serving.settings.port:04X}"
    assert [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{port}")] == [f"0100007F:{port}"]
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("::1", serving.settings.port), timeout=5)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_can_neither_read_the_key_nor_use_the_relay(serving: Relay, server: Upstream) -> None:
    code = (
        "import sys, urllib.request, urllib.error\n"
        "try:\n    key = open(sys.argv[2]).read()\nexcept OSError as error:\n    key = type(error).__name__\n"
        "request = urllib.request.Request(sys.argv[1], b'{}', {'x-api-key': key})\n"
        "try:\n    status = urllib.request.urlopen(request).status\n"
        "except urllib.error.HTTPError as error:\n    status = error.code\n"
        "print(key, status)\n"
    )
    url = f"{serving.settings.url}{MESSAGES}"
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-c", code, url, serving.places.key],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd="/",
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("PermissionError 401\n", "")
    assert server.asked == []


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    places = Places(str(tmp_path))
    key = own_key(places)
    assert len(bytes.fromhex(key)) == 32
    assert own_key(places) == key
    assert stat.S_IMODE(os.stat(places.key).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(places.directory).st_mode) == 0o700
    assert os.listdir(places.directory) == ["key"]


@pytest.mark.parametrize("what", ["readable", "link", "short", "empty"])
def test_what_is_no_secret_is_no_key(tmp_path: Path, what: str) -> None:
    places = Places(str(tmp_path))
    own_key(places)
    path = Path(places.key)
    if what == "readable":
        path.chmod(0o644)
    elif what == "link":
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.write_text("abc" if what == "short" else "")
    assert read_key(places) is None
    with pytest.raises(OSError, match="Remove it"):
        own_key(places)
