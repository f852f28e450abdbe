# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A workspace that was taken over, or what answers in its place: no secret goes elsewhere, every answer ends, each with a sentence."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import careful, web
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import (
    log,
    machine_to_machine,
    session,
    status,
    token_cache,
    token_exchange,
    user_sign_in,
    workspace,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.token import (
    LATEST,
    Token,
    TokenError,
    expiry_in,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace import answers, client, preflight
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace.errors import WorkspaceError
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import config_file
from databricks.sdk.core import Config as SdkConfig
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.generated import json_values
from tests.unit.hostile_server import CONFIG, METADATA, TOKENS, Hostile, flood, response, trickle

SECRET = "dose0123456789abcdef0123456789abcdef"
SOON = 30.0
"""Seconds, on a busy machine too. Each limit of ours is shortened to a few; without it none of these would end by itself."""
ESCAPES = "\x1b]0;owned\x07\x1b[31mred\u202e\r\nFAKE: all is well"

pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Hostile]:
    made = Hostile(tmp_path)
    yield made
    made.close()


@pytest.fixture
def thief(tmp_path: Path, server: Hostile) -> Iterator[Hostile]:
    """Another origin, which every client trusts as much as the workspace."""
    made = Hostile(tmp_path, server.authority)
    made.as_workspace()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("DATABRICKS_", "ARM_", "GOOGLE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def config(server: Hostile, home: Path, identity: str = "service_principal", **more: Any) -> Config:
    return Config(str(home), server.url, "fmapi", identity, 15, server.ca_file, client_id="app", **more)


def ask_for_token(server: Hostile, seconds: float = 10) -> Token:
    return machine_to_machine.request_token(server.url, "app", SECRET, server.ca_file, timeout=seconds)


def refusal(server: Hostile, seconds: float = 10) -> str:
    with pytest.raises(TokenError) as caught:
        ask_for_token(server, seconds)
    return str(caught.value)


def principal(server: Hostile, **more: Any) -> dict[str, Any]:
    own = {"workspace_url": server.url, "ca_file": server.ca_file, "client_id": "app", "client_secret": SECRET}
    return {**own, **more}


def preflight_says(server: Hostile, **more: Any) -> str:
    with pytest.raises(OperatorError) as caught:
        preflight.check({"identity": "service_principal", "routing": "gateway", **principal(server, **more)})
    return str(caught.value)


# -- where secrets go --------------------------------------------------------------------------------------------------

ELSEWHERE = ["https://localhost:1/oidc", "http://localhost/oidc", "{thief}/oidc", "ftp://x", "//x/y", "", 7, None, [], "https://[",
             "https://localhost@evil.example/", "{url}.evil.example/oidc", "{url}@evil.example/oidc"]  # fmt: skip


@pytest.mark.parametrize("name", ["token_endpoint", "authorization_endpoint"])
@pytest.mark.parametrize("given_url", ELSEWHERE)
def test_metadata_that_lead_elsewhere_are_refused_before_the_cli_reads_them(
    server: Hostile, thief: Hostile, name: str, given_url: Any
) -> None:
    told = given_url.format(thief=thief.url, url=server.url) if isinstance(given_url, str) else given_url
    server.says[METADATA] = response(server.metadata(**{name: told}))
    with pytest.raises(TokenError) as caught:
        workspace.expect_oauth(server.url, server.ca_file)
    assert f"as its {name.replace('_', ' ')}, which is not its own" in str(caught.value)
    server.says[METADATA] = response(server.metadata())
    workspace.expect_oauth(server.url, server.ca_file)


def test_the_cli_is_not_even_started_for_such_a_workspace(server: Hostile, thief: Hostile, tmp_path: Path) -> None:
    server.says[METADATA] = response(server.metadata(token_endpoint=f"{thief.url}{TOKENS}"))
    (tmp_path / "bin").mkdir()
    cli = tmp_path / "bin" / "databricks"
    cli.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    cli.chmod(0o755)
    with pytest.raises(TokenError, match="not its own"):
        user_sign_in.request_token(config(server, tmp_path, "user"), {"PATH": str(tmp_path / "bin")}, None)
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(
    "code", ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]
)
def test_the_helper_asks_the_workspace_itself_whatever_it_names(
    server: Hostile, thief: Hostile, tmp_path: Path, code: str
) -> None:
    server.as_workspace()
    server.says[METADATA] = response(server.metadata(token_endpoint=f"{thief.url}{TOKENS}"))
    assert ask_for_token(server).value == "a.b.c"
    federated = config(server, tmp_path, "workload_identity", oidc_token_env="X")
    assert token_exchange.request_token(federated, "id.to.ken").value == "a.b.c"
    assert server.paths() == [TOKENS, TOKENS]
    server.says[TOKENS] = response(b"", code, f"Location: {thief.url}{TOKENS}\r\n")
    with pytest.raises(TokenError):
        ask_for_token(server)
    with pytest.raises(TokenError):
        token_exchange.request_token(federated, "id.to.ken")
    assert not thief.got


@pytest.mark.parametrize("where", ["oidc_endpoint", "token_endpoint", "both"])
def test_the_preflight_sends_no_secret_to_an_endpoint_that_is_not_the_workspace_s(
    server: Hostile, thief: Hostile, where: str
) -> None:
    server.as_workspace()
    if where in ("oidc_endpoint", "both"):
        server.says[CONFIG] = response({"oidc_endpoint": f"{thief.url}/oidc", "workspace_id": "11"})
    if where in ("token_endpoint", "both"):
        server.says[METADATA] = response(server.metadata(token_endpoint=f"{thief.url}{TOKENS}"))
    said = preflight_says(server)
    assert f"names {thief.url}/oidc" in said and "which is not its own" in said and "Nothing was sent there" in said
    assert not thief.got
    # An SDK from before such metadata does not read them, and asks the workspace itself, which knows nobody here.
    match = "not its own" if where != "oidc_endpoint" else "not its own|HTTP 404"
    with client.Workspace(principal(server)) as asked, pytest.raises(WorkspaceError, match=match):
        asked.connect()  # as the module that lists endpoints does, which asks for no metadata first
        asked.me()
    assert TOKENS not in thief.paths() and not [one for one in thief.got if SECRET.encode() in one]


def test_the_preflight_looks_at_the_metadata_that_the_sdk_gets_and_not_at_others(
    server: Hostile, thief: Hostile
) -> None:
    """A workspace may say something else the second time."""
    server.as_workspace()
    said = [response(server.metadata()), response(server.metadata(token_endpoint=f"{thief.url}{TOKENS}"))]
    server.says[METADATA] = lambda connection: connection.sendall(said.pop(0) if len(said) > 1 else said[0])
    server.says["/api/2.0/preview/scim/v2/Me"] = response({"userName": "ada"})
    with client.Workspace(principal(server)) as asked:
        asked.probe()
        asked.connect()
        assert asked.me() == ("ada", None)
        with pytest.raises(WorkspaceError, match="not its own"):
            asked.connect()
            asked.me()
    assert not thief.got


@pytest.mark.parametrize("code", ["307 Temporary Redirect", "308 Permanent Redirect"])
def test_the_preflight_follows_no_redirect_with_a_secret(
    server: Hostile, thief: Hostile, tmp_path: Path, code: str
) -> None:
    server.as_workspace()
    server.says[TOKENS] = response(b"", code, f"Location: {thief.url}{TOKENS}\r\n")
    said = preflight_says(server)
    assert f"sends a request that holds a secret on to {thief.url}{TOKENS}" in said
    (tmp_path / "oidc").write_text("id.to.ken")
    options = {"workspace_url": server.url, "ca_file": server.ca_file, "oidc_token_filepath": str(tmp_path / "oidc")}
    with (
        client.Workspace({**options, "auth_type": "file-oidc", "client_id": "app"}) as asked,
        pytest.raises(WorkspaceError),
    ):
        asked.connect()
        asked.me()
    assert not thief.got


def _in_another_encoding(server: Hostile, thief: Hostile) -> None:
    """Which the answer itself names: bytes that are no UTF-8 are no JSON to who does not listen."""
    metadata = json.dumps(server.metadata(token_endpoint=f"{thief.url}{TOKENS}")).encode()
    body = metadata[:-1] + b', "x": "\xff"}'
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=latin-1\r\nContent-Length: {len(body)}\r\n\r\n"
    server.says[METADATA] = head.encode() + body


def _from_another_path(server: Hostile, thief: Hostile) -> None:
    server.says[METADATA] = response(b"", "302 Found", "Location: /elsewhere\r\n")
    server.says["/elsewhere"] = response(server.metadata(token_endpoint=f"{thief.url}{TOKENS}"))


def _from_another_origin(server: Hostile, thief: Hostile) -> None:
    server.says[METADATA] = response(b"", "302 Found", f"Location: {thief.url}{METADATA}\r\n")


def _from_another_origin_the_second_time(server: Hostile, thief: Hostile) -> None:
    """Once it says what is expected. Who is sent on finds a workspace, whose every word is about itself."""
    said = [server.says[CONFIG]]
    on = response(b"", "302 Found", f"Location: {thief.url}/elsewhere\r\n")
    server.says[CONFIG] = lambda connection: connection.sendall(said.pop() if said else on)  # type: ignore[arg-type]
    thief.says["/elsewhere"] = response({"oidc_endpoint": f"{thief.url}/oidc", "workspace_id": "11"})


def _behind_a_question_mark(server: Hostile, thief: Hostile) -> None:
    server.says[CONFIG] = response({"oidc_endpoint": f"{server.url}/oidc?x=", "workspace_id": "11"})
    server.says["/oidc"] = response(server.metadata(token_endpoint=f"{thief.url}{TOKENS}"))


WAYS_AROUND = [
    _in_another_encoding,
    _from_another_path,
    _from_another_origin,
    _from_another_origin_the_second_time,
    _behind_a_question_mark,
]


@pytest.mark.parametrize("identity", ["service principal", "workload"])
@pytest.mark.parametrize("arrange", WAYS_AROUND)
def test_no_way_around_leads_a_secret_elsewhere(
    server: Hostile, thief: Hostile, tmp_path: Path, arrange: Callable[[Hostile, Hostile], None], identity: str
) -> None:
    """However a workspace brings the SDK to another token endpoint: what counts is where a secret would go."""
    server.as_workspace()
    arrange(server, thief)
    options = principal(server)
    if identity == "workload":
        (tmp_path / "oidc").write_text("id.to.ken")
        del options["client_secret"]
        options.update(oidc_token_filepath=str(tmp_path / "oidc"), auth_type="file-oidc")
    match = "not its own|HTTP 404"  # an SDK from before such metadata asks the workspace itself
    with client.Workspace(options) as asked, pytest.raises(WorkspaceError, match=match):
        asked.probe()
        asked.connect()
        asked.me()
    assert TOKENS not in thief.paths()
    assert not [one for one in thief.got if b"\r\nauthorization:" in one.lower() or b"subject_token" in one]


@pytest.mark.parametrize("arrange", [*WAYS_AROUND[:3], None])
def test_the_control_node_s_own_sign_in_is_not_asked_for_such_a_workspace(
    server: Hostile, thief: Hostile, tmp_path: Path, arrange: Callable[[Hostile, Hostile], None] | None
) -> None:
    """The Databricks CLI has a refresh token, and looks for the endpoint itself."""
    server.as_workspace()
    (tmp_path / ".databrickscfg").write_text(f"[p]\nhost = {server.url}\nauth_type = databricks-cli\n")
    (tmp_path / "bin").mkdir()
    cli = tmp_path / "bin" / "databricks"
    cli.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\nexit 1\n" + "#" * (1 << 20))
    cli.chmod(0o755)
    options = {"workspace_url": server.url, "ca_file": server.ca_file, "profile": "p", "databricks_cli_path": str(cli)}
    if arrange is not None:
        arrange(server, thief)
    with client.Workspace(options) as asked, pytest.raises(WorkspaceError) as caught:
        asked.connect()
    assert (tmp_path / "started").exists() == (arrange is None), caught.value
    assert arrange is None or "not its own" in str(caught.value) or "sends us on" in str(caught.value)
    assert not thief.got


def test_what_the_operator_names_as_its_discovery_is_asked(server: Hostile, thief: Hostile) -> None:
    """As for a workspace that signs in at its account: that is no way around."""
    server.as_workspace()
    server.says["/api/2.0/preview/scim/v2/Me"] = response({"userName": "ada"})
    named = client.Workspace(principal(server, discovery_url=f"{thief.url}{METADATA}"))
    if "discovery_url" not in {attribute.name for attribute in SdkConfig.attributes()}:  # an older databricks-sdk
        with named as asked, pytest.raises(WorkspaceError, match="does not know discovery_url"):
            asked.connect()
        return
    with named as asked:
        thief.says[METADATA] = response(thief.metadata())
        asked.connect()
        assert asked.me() == ("ada", None)


@pytest.mark.parametrize("one", ["https://a", "https://a:443", "https://A/x?y", "https://a:443/"])
def test_one_origin_has_several_names(one: str) -> None:
    assert web.same_origin(one, "https://a")


# -- answers that are none ---------------------------------------------------------------------------------------------

DEEP = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
LIFETIMES: list[Any] = [
    1e18,
    1e308,
    float("nan"),
    float("inf"),
    -1,
    0,
    "-5",
    "soon",
    "1e400",
    True,
    [],
    {},
    None,
    "9" * 5000,
    10**400,
]


@pytest.mark.parametrize("lifetime", LIFETIMES, ids=lambda one: str(one)[:12])
def test_a_lifetime_that_no_token_has(server: Hostile, tmp_path: Path, lifetime: Any) -> None:
    server.as_workspace(expires_in=lifetime)
    assert refusal(server).startswith(f"{server.url} answered the token request with something that is no token")
    with pytest.raises(ValueError):
        expiry_in(lifetime, time.time())
    assert expiry_in("3600", 100.0) == expiry_in(3600, 100.0) == expiry_in(3600.5, 100.0) == 3700


@pytest.mark.parametrize("lifetime", [1e18, float("nan"), "soon", None, []], ids=str)
def test_a_lifetime_that_no_token_has_for_the_preflight(server: Hostile, lifetime: Any) -> None:
    server.as_workspace(expires_in=lifetime)
    assert "answers the token request with something that is no token" in preflight_says(server)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
BROKEN: dict[str, bytes] = {
    "nested without end": response(DEEP),
    "a chunk without its end": CHUNKED + b'40\r\n{"access_token": "a.b.c"',
    "a chunk of no size": CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    "a chunk of a negative size": CHUNKED + b"-5\r\n{}\r\n0\r\n\r\n",
    "a chunk of an immense size": CHUNKED + b"7fffffffffffffff\r\n{}",
    "a refusal whose chunks break off": b"HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{",
    "fewer bytes than announced": b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{}",
    "a negative length": b'HTTP/1.1 200 OK\r\nContent-Length: -9\r\n\r\n{"x": 1}',
    "no HTTP": b"SSH-2.0-OpenSSH_9.9\r\n",
    "a status that is none": b"HTTP/1.1 9999999 OK\r\n\r\n",
    "a header without end": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,
    "more headers than anybody reads": b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 500 + b"\r\n{}",
    "redirected to nothing": response(b"", "302 Found", "Location: https://[\r\n"),
    "redirected to bytes": b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\x00\r\nContent-Length: 0\r\n\r\n",
    "redirected to another scheme": response(b"", "302 Found", "Location: ftp://x/y\r\n"),
    "packed": response(gzip.compress(b'{"access_token": "a.b.c", "expires_in": 60}'), headers="Content-Encoding: gzip\r\n"),
    "said to be packed": response(b"{}", headers="Content-Encoding: gzip\r\n"),
    "a number of thousands of digits": response(b'{"expires_in": ' + b"9" * 100_000 + b', "access_token": "a"}'),
    "not UTF-8": response(b'{"access_token": "\xff"}'),
    "a list": response(b"[]"),
    "nothing": b"",
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_an_answer_that_is_broken_is_one_sentence_of_the_helper(server: Hostile, case: str) -> None:
    server.otherwise = BROKEN[case]
    begin = time.monotonic()
    said = refusal(server, 3)
    assert time.monotonic() - begin < SOON
    assert said.startswith(server.url) and "\n" not in said and said.isprintable() and len(said) < 400


ASKED_AGAIN = ("no HTTP", "a status that is none", "a header without end", "more headers than anybody reads")
"""Like "nothing", which CI has, no answer at all for the SDK: it asks again for seconds."""


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.soak) if case in ASKED_AGAIN else case for case in BROKEN]
)
def test_an_answer_that_is_broken_is_one_sentence_of_the_preflight(
    server: Hostile, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "RETRY_SECONDS", 1)
    monkeypatch.setattr(client, "RETRY_PAUSES", (0.1,))
    for broken in (CONFIG, METADATA, TOKENS, "otherwise"):
        server.as_workspace()
        server.otherwise = BROKEN[case]
        if broken != "otherwise":
            server.says[broken] = BROKEN[case]
        try:
            preflight.check({"identity": "service_principal", "routing": "gateway", **principal(server)})
        except OperatorError as error:
            said = str(error)
            assert "localhost" in said and "\n" not in said and len(said) < 1000, (broken, said)
            assert SECRET not in said


@pytest.mark.parametrize(("value", "seconds"), [
    ("7", 7), (" 7 ", 7), ("0", 0), ("-1", None), ("1.5", None), ("soon", None), ("²", None), ("\u0667", None), ("9" * 5000, None),
    ("999999999", 100_000), ("Fri, 31 Dec 9999 23:59:59 GMT", None), ("", None), (None, None), ("+3", None), ("1_0", None),
])  # fmt: skip
def test_how_long_to_wait_is_a_number_of_seconds_or_nothing(value: str | None, seconds: int | None) -> None:
    assert web.seconds_to_wait(value) == seconds


@pytest.mark.parametrize("wait", ["9" * 5000, "-1", "\xb2", "soon", "999999999999"])
def test_an_odd_time_to_wait_is_no_trouble(server: Hostile, wait: str) -> None:
    head = f"HTTP/1.1 429 Slow\r\nContent-Length: 2\r\nRetry-After: {wait}\r\n\r\n{{}}"
    server.otherwise = head.encode("latin-1")
    assert "HTTP 429" in refusal(server) and len(refusal(server)) < 200
    begin = time.monotonic()
    assert "429" in preflight_says(server)
    assert time.monotonic() - begin < SOON


# -- answers without end -----------------------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SLOW = {
    "body": trickle(HEAD + b"Content-Length: 100000\r\n\r\n{"),
    "body until the end": trickle(HEAD + b'\r\n{"a": '),
    "chunks": trickle(HEAD + b"Transfer-Encoding: chunked\r\n\r\n00000"),
    "headers": trickle(HEAD + b"X: "),
    "status": trickle(b"HTTP/1.1 2"),
    "only more to come": flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a refusal": trickle(b"HTTP/1.1 401 No\r\nContent-Length: 100000\r\n\r\n{"),
}  # fmt: skip


@pytest.mark.parametrize("case", SLOW)
def test_bytes_that_trickle_end_after_the_whole_time(server: Hostile, case: str) -> None:
    server.otherwise = SLOW[case]
    begin = time.monotonic()
    assert refusal(server, 1.5) == f"{server.url} did not answer within 2 s. Check network, proxy and VPN"
    assert time.monotonic() - begin < SOON


def test_a_handshake_that_trickles_ends_after_the_whole_time(server: Hostile) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk() -> None:
            connection, _address = listener.accept()
            try:
                connection.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB, of which the rest comes byte by byte
                while True:
                    time.sleep(0.2)
                    connection.sendall(b"\x02")
            except OSError:
                connection.close()

        threading.Thread(target=talk, daemon=True).start()
        url = f"https://localhost:{listener.getsockname()[1]}"
        begin = time.monotonic()
        with pytest.raises(TokenError, match="did not answer within 2 s"):
            workspace.ask(url, "/", None, server.ca_file, timeout=1.5)
        assert time.monotonic() - begin < SOON


def test_no_thread_and_no_descriptor_is_left_of_a_request(server: Hostile) -> None:
    server.as_workspace()
    ask_for_token(server)
    threads, descriptors = set(threading.enumerate()), len(os.listdir("/proc/self/fd"))
    for _again in range(20):
        ask_for_token(server)
    limit = time.monotonic() + SOON

    def left() -> bool:
        mine = {one for one in set(threading.enumerate()) - threads if isinstance(one, threading.Timer)}
        return bool(mine) or len(os.listdir("/proc/self/fd")) > descriptors + 5

    while left():
        assert time.monotonic() < limit, "something is left"
        time.sleep(0.05)


ENDLESS = {
    "a body": flood(HEAD + b"\r\n", b" " * (1 << 16)),
    "chunks": flood(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * (1 << 16) + b"\r\n"),
    "a chunk of a negative size": flood(HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", b" " * (1 << 16)),
}


@pytest.mark.parametrize("case", ENDLESS)
def test_bytes_without_end_are_not_kept(server: Hostile, case: str) -> None:
    server.otherwise = ENDLESS[case]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.monotonic()
    assert "something that is no token" in refusal(server, 20)
    assert time.monotonic() - begin < SOON
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_what_unpacks_to_a_gigabyte_is_not_unpacked(server: Hostile) -> None:
    server.as_workspace()
    packed = gzip.compress(b" " * (1 << 20), 9)
    bomb = gzip.compress(b"".join([b"{"] + [b" " * (1 << 20)] * 256), 9)
    assert len(bomb) < 1 << 20 and len(packed) < 1 << 12
    server.otherwise = response(bomb, headers="Content-Encoding: gzip\r\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "answers with more than 32 MiB" in preflight_says(server)
    server.says[METADATA] = server.says[CONFIG] = server.otherwise
    assert "answers with more than 32 MiB" in preflight_says(server)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10


def test_only_our_own_threads_are_bounded(server: Hostile) -> None:
    import requests

    server.otherwise = response(b"x" * 100)
    answers._install()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "MOST_BYTES", 10)
        assert len(requests.get(server.url, verify=server.ca_file, timeout=10).content) == 100
        with pytest.raises(WorkspaceError):
            answers.bound(lambda: requests.get(server.url, verify=server.ca_file, timeout=10))()
        assert len(requests.get(server.url, verify=server.ca_file, timeout=10).content) == 100


@pytest.mark.parametrize("case", ["body", "headers", "chunks"])
def test_a_config_file_that_trickles_is_given_up(server: Hostile, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_file, "_WHOLE_SECONDS", 1.5)
    monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)
    server.otherwise = SLOW[case]
    begin = time.monotonic()
    with pytest.raises(OperatorError, match="not complete after"):
        config_file.from_url(f"{server.url}/c.json")
    assert time.monotonic() - begin < SOON


@pytest.mark.parametrize("case", BROKEN)
def test_a_config_file_that_is_broken_is_one_sentence(
    server: Hostile, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_file, "_WHOLE_SECONDS", 3)
    monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)
    server.otherwise = BROKEN[case]
    try:
        assert config_file.from_url(f"{server.url}/c.json") == {}, "nobody asked for it packed"
    except OperatorError as error:
        assert str(error).isprintable() and case != "said to be packed"


# -- names and sentences -----------------------------------------------------------------------------------------------


def _is_plain(text: str) -> bool:
    return text.isprintable() and "\x1b" not in text and "\n" not in text


@pytest.mark.parametrize("where", ["error", "redirect", "reason", "cli"])
def test_what_a_workspace_says_does_nothing_to_a_terminal(server: Hostile, tmp_path: Path, where: str) -> None:
    escapes = ESCAPES.replace("\r\n", " ")
    if where == "error":
        server.otherwise = response({"error": ESCAPES}, "418 Teapot")
    elif where == "redirect":
        server.otherwise = b"HTTP/1.1 302 Found\r\nLocation: https://\x1b[31mx/\r\nContent-Length: 0\r\n\r\n"
    elif where == "reason":
        server.otherwise = f"HTTP/1.1 500 {escapes}\r\nContent-Length: 0\r\n\r\n".encode()
    else:
        server.says[METADATA] = response(server.metadata())
        (tmp_path / "bin").mkdir()
        cli = tmp_path / "bin" / "databricks"
        cli.write_text("#!/bin/sh\nprintf 'Error: \\033[31mred\\007 \\033]0;x\\007\\n' >&2\nexit 1\n")
        cli.chmod(0o755)
        with pytest.raises(TokenError) as caught:
            user_sign_in.request_token(
                config(server, tmp_path, "user"), {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}, None
            )
        assert "[31mred" in str(caught.value) and _is_plain(str(caught.value))
        return
    assert _is_plain(refusal(server))


def test_names_from_the_workspace_do_nothing_to_the_operator_s_terminal(server: Hostile) -> None:
    server.as_workspace()
    endpoint = {"name": f"databricks-claude{ESCAPES}", "state": {"ready": ESCAPES}, "description": f"one\ntwo{ESCAPES}"}
    server.says["/api/2.0/preview/scim/v2/Me"] = response(
        {"userName": f"ada{ESCAPES}"}, headers="X-Databricks-Org-Id: 7\r\n"
    )
    server.says["/api/2.0/serving-endpoints"] = response({"endpoints": [endpoint]})
    model = {"foundation_model": {"api_types": [f"anthropic{ESCAPES}", {}, 7]}}
    server.says["/api/2.0/serving-endpoints:foundation-models"] = response(
        {"endpoints": [{**endpoint, "config": {"served_entities": [model]}}, "odd"]}
    )
    with client.Workspace(principal(server)) as asked:
        asked.probe()
        asked.connect()
        name, number = asked.me()
        assert name is not None and _is_plain(name) and name.startswith("ada") and number == "7"
        shaped, states, api_types = asked.served(["x"], every=True)
        assert all(map(_is_plain, [*states, *api_types, *(one for some in api_types.values() for one in some)]))
        assert "\x1b" not in json.dumps(shaped, ensure_ascii=False) and "\u202e" not in json.dumps(
            shaped, ensure_ascii=False
        )
        assert shaped[0]["description"].startswith("one\ntwo")
    said = preflight_says(server, models={"claude_code": {"default": "databricks-claude"}})
    assert _is_plain(said)


@pytest.mark.parametrize("listed", [5, {"a": 1}, "x", True, None, [5, None, "x", [], {}, {"name": 5}]], ids=str)
def test_a_listing_of_something_else_is_an_empty_one(server: Hostile, listed: Any) -> None:
    server.as_workspace()
    server.says["/api/2.0/preview/scim/v2/Me"] = response({"userName": listed})
    server.says["/api/2.0/serving-endpoints"] = response({"endpoints": listed})
    services = {"model_services": listed, "next_page_token": listed}
    server.says["/api/2.1/unity-catalog/model-services"] = response(services)
    server.says[preflight.GATEWAY_MODELS] = response({"data": listed})
    assert "does not serve" in preflight_says(server)
    assert "does not serve" in preflight_says(server, models={"claude_code": {"default": "system.ai.other"}})


@given(st.text(max_size=200), st.integers(4, 50))
def test_a_line_is_one_short_line_that_is_seen(text: str, most: int) -> None:
    shown = careful.line(text, most)
    assert shown.isprintable() and len(shown) <= most
    assert careful.line(shown, most) == " ".join(shown.split())[:most] or len(shown) == most


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_no_message_of_a_failure_does_anything_to_a_terminal(what: str, where: str, way_out: str) -> None:
    for error in (
        OperatorError(what, where, way_out),
        WorkspaceError("other", what, where, way_out),
        TokenError(what, hint=way_out),
    ):
        for said in (str(error), error.told):
            assert said.replace("\n", "").isprintable()
    assert OperatorError("a\nb", "/f\x1b[1m", "c").told == "/f[1m: a\nb\nc"


def test_a_line_is_made_of_anything_in_no_time() -> None:
    for one in ("\x1b" * 10_000_000, " " * 10_000_000, {"a": [1]}, None, 7, b"\xff", "\ud800"):
        assert careful.line(one).isprintable()


# -- what is kept ------------------------------------------------------------------------------------------------------

ODD_CACHES = [
    "1\na.b.c\n" + "9" * 5000 + "\n", f"1\na.b.c\n{10**18}\n", f"{10**300}\na.b.c\n99\n", "-1\na.b.c\n-5\n",
    "1\na.b.c\nnan\n", "1\na.b.c\n1e18\n", "\u00b2\na.b.c\n\u00b3\n", "1\n\x1b[31m\n99\n", "1\na b\n99\n", "\n\n\n", "1\n", "",
    "\0" * 100, "1\na.b.c\n 99\n",
]  # fmt: skip


@pytest.mark.parametrize("content", ODD_CACHES, ids=lambda one: repr(one)[:24])
@pytest.mark.parametrize("identity", ["user", "service_principal", "pat"])
def test_status_tells_something_whatever_the_cache_holds(
    server: Hostile, tmp_path: Path, content: str, identity: str
) -> None:
    own = config(server, tmp_path, identity)
    os.makedirs(own.cache_directory, 0o700)
    Path(own.cache_file).write_text(content, encoding="utf-8")
    os.chmod(own.cache_file, 0o600)
    assert token_cache.load(own) is None
    assert "state" in status.report(own, {})


def test_a_token_of_the_last_possible_second_can_be_told(server: Hostile, tmp_path: Path) -> None:
    own = config(server, tmp_path, "user")
    token_cache.store(own, Token("a.b.c", LATEST))
    cached = token_cache.load(own)
    assert cached is not None and cached.token.expires_at == LATEST
    assert status.report(own, {})["expires"] == log.moment(LATEST) == "9999-12-31T23:59:59Z"


@given(st.binary(max_size=200) | st.text(max_size=60).map(str.encode))
def test_any_bytes_in_the_cache_are_a_token_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    home = tmp_path_factory.getbasetemp() / "fuzzed-cache"
    own = Config(str(home), "https://w", "fmapi", "user", 15)
    os.makedirs(own.cache_directory, 0o700, exist_ok=True)
    for name in ("", ".served", ".good", ".failed", ".old-cli"):
        Path(f"{own.cache_file}{name}").write_bytes(content)
        os.chmod(f"{own.cache_file}{name}", 0o600)
    token_cache.load(own)
    status.report(own, {})
    assert token_cache._failure_since(own, 0.0) is None or b"\n" in content
    assert 0 <= token_cache._read_time(own, "served") <= LATEST
    user_sign_in.cannot_refresh_early(own, "/bin/sh")


# -- anything ----------------------------------------------------------------------------------------------------------


@given(json_values)
def test_any_json_as_an_answer_is_a_token_or_a_sentence(value: Any) -> None:
    told = value if isinstance(value, dict) else {"access_token": value, "expires_in": value, "error": value}
    for answer in (workspace.Answer(200, told, None), workspace.Answer(401, told, 3)):
        try:
            token = machine_to_machine.token_in("https://w", answer)
            assert token.value.isprintable() and 0 <= token.expires_at <= LATEST
        except TokenError as error:
            assert _is_plain(str(error))
        with pytest.raises(TokenError) as caught:
            machine_to_machine._refused("https://w", answer)
        assert _is_plain(str(caught.value))
    session.is_refusal(workspace.Answer(403, told, None))
    workspace.foreign_endpoint("https://w", told)
    client.workspace_id_in(value)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_config_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed-config.json"
    path.write_bytes(content)
    with pytest.raises((OSError, ValueError, TypeError)):
        Config.load(str(path))


@given(st.dictionaries(st.sampled_from(Config._fields), json_values))
def test_any_values_are_a_config_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, told: dict[str, Any]) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed-values.json"
    path.write_text(json.dumps(told))
    with pytest.raises((ValueError, TypeError)):
        Config.load(str(path))
    path.write_text(json.dumps({**Config("/h", "https://w", "p", "user", 15)._asdict(), **told}))
    with contextlib.suppress(ValueError, TypeError):
        assert Config.load(str(path)).home is not None


@given(st.lists(st.binary(max_size=40), max_size=12), st.booleans())
def test_any_bytes_of_a_server_are_an_answer_or_a_sentence(parts: list[bytes], begins_well: bool) -> None:
    import io
    from http.client import HTTPException, HTTPResponse

    class Socket:
        def makefile(self, mode: str) -> io.BytesIO:
            return io.BytesIO(
                (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" if begins_well else b"") + b"".join(parts)
            )

    answer = HTTPResponse(Socket())  # type: ignore[arg-type]
    try:
        answer.begin()
    except (HTTPException, ValueError, OSError):
        return
    body = web._body(answer, 1000)
    assert body is None or len(body) <= 1001
