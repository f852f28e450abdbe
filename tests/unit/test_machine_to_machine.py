# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""OAuth machine-to-machine: a token, or one sentence that says what failed and the way out. Never a secret."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.machine_to_machine import request_token
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.token import (
    RETRY_MAY_HELP,
    Token,
    TokenError,
)

from tests.unit.answering_server import Answer
from tests.workspace.client import Workspace

SECRET = "dose-wrong-secret-0123456789"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def refused(url: str, ca_file: str | None, client_id: str = "id", secret: str = SECRET, timeout: float = 10.0) -> str:
    with pytest.raises(TokenError) as error:
        request_token(url, client_id, secret, ca_file, timeout)
    message = str(error.value)
    assert secret not in message and "\n" not in message
    assert error.value.exit_status == RETRY_MAY_HELP
    return message


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answer]:
    answer = Answer(tmp_path_factory.mktemp("answer"))
    yield answer
    answer.server.shutdown()


def test_a_token_comes_with_its_expiry(workspace: Workspace) -> None:
    workspace.control(token_lifetime=1000)
    before = time.time()
    token = request_token(workspace.url, workspace.client_id, workspace.client_secret, workspace.ca_file)
    assert before + 998 <= token.expires_at <= time.time() + 1000
    log = workspace.requests()
    assert [(one["method"], one["path"], one["grant"], one["status"]) for one in log] == [
        ("POST", "/oidc/v1/token", "client_credentials", 200)
    ]
    assert token.value not in repr(token)


def test_wrong_credentials(workspace: Workspace) -> None:
    assert refused(workspace.url, workspace.ca_file, workspace.client_id) == (
        f"{workspace.url} refused the service principal's client id or secret (HTTP 401). "
        "Check coding_agents_client_id and coding_agents_client_secret, then run the rollout again"
    )


def test_too_many_requests_says_when_to_come_again(workspace: Workspace) -> None:
    workspace.control(fail_next={"path_prefix": "/oidc/v1/token", "status": 429, "retry_after": 3})
    message = refused(workspace.url, workspace.ca_file, workspace.client_id)
    assert re.fullmatch(
        re.escape(workspace.url) + r" answered the token request with HTTP 429( \(\w+\))?, retry after 3 s", message
    )


def test_a_server_error(workspace: Workspace) -> None:
    workspace.control(fail_next={"path_prefix": "/oidc/v1/token", "status": 500})
    assert f"{workspace.url} answered the token request with HTTP 500" in refused(workspace.url, workspace.ca_file)


def test_an_unknown_authority(workspace: Workspace, server: Answer) -> None:
    message = refused(workspace.url, None)
    assert message.startswith(f"the certificate of {workspace.url} is not trusted (")
    assert message.endswith("If your company has its own CA, set coding_agents_ca_file")
    assert workspace.requests() == []
    assert refused(workspace.url, server.ca_file).endswith(f"Check that {server.ca_file} holds its CA")


def test_a_certificate_for_another_name(server: Answer) -> None:
    url = server.url.replace("localhost", "127.0.0.1")
    assert refused(url, server.ca_file).startswith(f"the certificate of {url} is not trusted (")


def test_a_name_that_does_not_exist() -> None:
    url = "https://no-such-workspace.invalid"
    assert refused(url, None) == f"the name in {url} cannot be resolved. Check the URL and this host's DNS"


def test_nobody_listens() -> None:
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"https://127.0.0.1:{port}"
    assert refused(url, None) == f"{url} cannot be reached (Connection refused). Check network, proxy and VPN"


def test_a_proxy_that_says_nothing_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        proxy = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("https_proxy", f"http://ada:hunter2@{proxy}")
        message = refused("https://no-such-workspace.invalid", None, timeout=1.0)
    said = f"https://no-such-workspace.invalid did not answer through the proxy {proxy} within 1 s"
    assert message == f"{said}. Check {proxy}, coding_agents_proxy and NO_PROXY"


def test_no_answer(workspace: Workspace) -> None:
    workspace.control(hang="/oidc/v1/token")
    assert refused(workspace.url, workspace.ca_file, timeout=0.5) == (
        f"{workspace.url} did not answer within 0 s. Check network, proxy and VPN"
    )
    workspace.control(hang=None)


def test_nobody_speaks_tls() -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        assert refused(url, None, timeout=1) == f"{url} did not answer within 1 s. Check network, proxy and VPN"


def test_a_redirect_is_not_followed(workspace: Workspace) -> None:
    workspace.control(redirect_to="https://accounts.example.com/login?next=x")
    assert refused(workspace.url, workspace.ca_file, workspace.client_id, workspace.client_secret) == (
        f"{workspace.url} redirects to accounts.example.com: it is not the workspace's own URL. Use the URL it redirects to"
    )


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]
)
def test_no_kind_of_redirect_gets_the_credentials(server: Answer, status: str) -> None:
    server.say(b"", status, f"Location: {server.url}/elsewhere\r\n")
    assert "localhost" in refused(server.url, server.ca_file)


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Sign in</body></html>",
        b"",
        b"null",
        b"[]",
        b'"token"',
        b"{}",
        b'{"access_token": "t"}',
        b'{"access_token": null, "expires_in": 60}',
        b'{"access_token": "", "expires_in": 60}',
        b'{"access_token": "a\\nb", "expires_in": 60}',
        b'{"access_token": "a b", "expires_in": 60}',
        b'{"access_token": "\xc3\xa9", "expires_in": 60}',
        b'{"access_token": 7, "expires_in": 60}',
        b'{"access_token": "t", "expires_in": "soon"}',
        b'{"access_token": "t", "expires_in": null}',
        b'{"access_token": "t", "expires_in": NaN}',
        b'{"access_token": "t", "expires_in": Infinity}',
        b"\xff",
    ],
)
def test_an_answer_that_is_no_token(server: Answer, body: bytes) -> None:
    server.say(body)
    assert refused(server.url, server.ca_file) == (
        f"{server.url} answered the token request with something that is no token. "
        "Check that it is the URL of a Databricks workspace"
    )


@pytest.mark.parametrize(
    "raw", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", b"\0" * 50]
)
def test_an_answer_that_is_not_http(server: Answer, raw: bytes) -> None:
    server.raw = raw
    message = refused(server.url, server.ca_file)
    assert message.startswith(server.url)
    assert "Check" in message


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        ("403 Forbidden", b"<html>", "refused the service principal's client id or secret (HTTP 403)"),
        (
            "400 Bad Request",
            b'{"error": "invalid_client"}',
            "refused the service principal's client id or secret (HTTP 400)",
        ),
        (
            "400 Bad Request",
            b'{"error": "invalid_scope"}',
            "does not give the service principal the scope all-apis (HTTP 400, invalid_scope)",
        ),
        ("503 No", b"[]", "answered the token request with HTTP 503"),
        ("429 Slow", b"{}", "answered the token request with HTTP 429"),
    ],
)
def test_other_refusals(server: Answer, status: str, body: bytes, said: str) -> None:
    server.say(body, status, "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n")
    assert refused(server.url, server.ca_file).startswith(f"{server.url} {said}")


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_ca_file_that_cannot_be_used(workspace: Workspace, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    message = refused(workspace.url, str(path))
    assert message.startswith(f"the CA file {path} cannot be used (")
    assert message.endswith("Set coding_agents_ca_file to a PEM file")


def test_expiry_may_be_text(server: Answer) -> None:
    server.say(json.dumps({"access_token": "t", "expires_in": "60"}).encode())
    assert isinstance(request_token(server.url, "id", "s", server.ca_file), Token)
