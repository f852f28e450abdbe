# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON config file: what it says becomes variables, and what is wrong with it is told with its place."""

from __future__ import annotations

import hashlib
import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options import judge
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import config_file

EXAMPLE: dict[str, Any] = {
    "version": 1,
    "host": "https://my-workspace.cloud.databricks.com",
    "profile": "fmapi-claudecode-profile",
    "model": "databricks-claude-opus-4-6",
    "opus": "databricks-claude-opus-4-6",
    "sonnet": "databricks-claude-sonnet-4-6",
    "haiku": "databricks-claude-haiku-4-5",
    "ttl": 30,
    "settings_location": "home",
    "ai_gateway": True,
    "workspace_id": 1234567890,
}


def read(given: Any) -> dict[str, Any]:
    content = given if isinstance(given, bytes) else json.dumps(given).encode()
    return config_file.variables(content, "config.json")


def test_every_key_of_the_script_s_file_becomes_its_variable() -> None:
    assert read(EXAMPLE) == {
        "workspace_url": EXAMPLE["host"],
        "profile": EXAMPLE["profile"],
        "models": {
            "claude_code": {
                "default": "databricks-claude-opus-4-6",
                "opus": "databricks-claude-opus-4-6",
                "sonnet": "databricks-claude-sonnet-4-6",
                "haiku": "databricks-claude-haiku-4-5",
            }
        },
        "token_ttl_minutes": 30,
        "claude_code_settings_location": "home",
        "routing": "gateway_host",
        "workspace_id": 1234567890,
    }
    assert judge.problems(read(EXAMPLE)) == []
    assert set(EXAMPLE) == {"version", *judge.CONFIG_KEYS}


def test_what_is_not_said_is_not_set() -> None:
    assert read({}) == {}
    assert read({"host": None, "model": ""}) == {}
    assert read({"ai_gateway": False}) == {"routing": "serving_endpoints"}
    assert read(b"\xef\xbb\xbf{}") == {}


WRONG: dict[str, tuple[Any, str]] = {
    "colon": (b'{\n  "host" "https://x"\n}', "is not JSON (line 2, column 10: Expecting ':' delimiter)"),
    "cut": (b'{"host": ', "is not JSON (line 1, column"),
    "list": (b"[]", "holds no JSON object"),
    "latin-1": (b'{\n"host": "\xe9"}', "is not UTF-8 (line 2)"),
    "twice": (b'{"ttl": 1, "ttl": 2}', "names ttl twice"),
    "deep": (b"[" * 30000 + b"]" * 30000, "nested too deeply"),
    "large": (b'{"host": "' + b"x" * 70000 + b'"}', "is larger than 64 KiB"),
    "unknown": (
        {"opsu": "x"},
        "opsu is no key of a config file (did you mean opus?). Use only: version, host, profile",
    ),
    "unknowns": ({"provider_id": "x", "colour": 1}, "provider_id is no key"),
    "version": ({"version": 2}, "has version 2. Version 1 is the one that there is"),
    "ttl": ({"ttl": 90}, "ttl: coding_agents_token_ttl_minutes is 90"),
    "host": ({"host": "http://x"}, "host: coding_agents_workspace_url begins with http://"),
    "model": ({"opus": 5}, "opus: coding_agents_models.claude_code.opus is 5, which is no model id"),
    "gateway": ({"ai_gateway": "yes"}, "ai_gateway is 'yes'. Use true or false"),
    "cwd": ({"settings_location": "cwd"}, "settings_location is cwd, which means nothing on a host"),
    "template": ({"settings_location": "{{ lookup('pipe', 'id') }}"}, "settings_location holds a template"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_with_the_file_and_the_place(name: str) -> None:
    given, said = WRONG[name]
    with pytest.raises(OperatorError) as caught:
        read(given)
    assert str(caught.value).startswith("config.json: ")
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=f"coding_agents_config {tmp_path}/absent.json: cannot be read"):
        config_file.from_file(str(tmp_path / "absent.json"))


Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


class Site:
    """An https server that answers by path."""

    def __init__(self, certificate: str, answers: dict[str, Answer]) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answers[self.path.partition("?")[0]](self)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def _says(content: bytes, status: int = 200, **headers: str) -> Answer:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


CONTENT = json.dumps({"host": "https://dbc-1.cloud.databricks.com"}).encode()
EXPECTED = {"workspace_url": "https://dbc-1.cloud.databricks.com"}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made = Site(
        str(tmp_path / "server.pem"),
        {
            "/config.json": _says(CONTENT),
            "/moved": _says(b"", 302, Location="/config.json"),
            "/away": _says(b"", 302, Location="https://localhost:1/config.json"),
            "/plain": _says(b"", 302, Location="http://127.0.0.1:1/config.json"),
            "/large": _says(b" " * 200_000),
            "/absent": _says(b"", 404),
        },
    )
    yield made
    made.server.shutdown()


def test_a_file_is_fetched_over_https_and_a_redirect_on_the_same_host_is_followed(site: Site) -> None:
    assert config_file.from_url(f"{site.url}/config.json") == EXPECTED
    assert config_file.from_url(f"{site.url}/moved", hashlib.sha256(CONTENT).hexdigest().upper()) == EXPECTED


@pytest.mark.parametrize(
    ("path", "sha256", "said"),
    [
        ("/away", None, "redirects to https://localhost"),
        ("/plain", None, "redirects to http://127.0.0.1"),
        ("/large", None, "is larger than 64 KiB"),
        ("/absent", None, "answers HTTP 404"),
        (
            "/config.json",
            "0" * 64,
            f"has the SHA-256 {hashlib.sha256(CONTENT).hexdigest()}, not coding_agents_config_sha256",
        ),
    ],
)
def test_what_is_fetched_is_refused(site: Site, path: str, sha256: str | None, said: str) -> None:
    with pytest.raises(OperatorError) as caught:
        config_file.from_url(f"{site.url}{path}?sig=s3cr3t", sha256)
    assert f"coding_agents_config_url {site.url}{path}: " in str(caught.value)
    assert said in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_an_authority_that_is_not_trusted_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(OperatorError, match=r"cannot be fetched .*certificate"):
        config_file.from_url(f"{site.url}/config.json")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:1/c.json", "is no https URL"),
        ("https://ada:s3cr3t@127.0.0.1:1/c.json", "holds a user name or a password"),
        ("https://127.0.0.1:1/c.json", "cannot be fetched"),
        ("https:///c.json", "is no https URL"),
        ("https://[::1/c.json", "coding_agents_config_url: is no URL"),
        ("https://127.0.0.1:port/c.json", "cannot be fetched"),
        ("file:///etc/passwd", "is no https URL"),
    ],
)
def test_a_url_that_cannot_be_fetched_is_refused(url: str, said: str) -> None:
    with pytest.raises(OperatorError) as caught:
        config_file.from_url(url)
    assert said in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_server_that_never_ends_its_answer_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_file, "_WHOLE_SECONDS", 0)
    with pytest.raises(OperatorError, match="not complete after 0 s"):
        config_file.from_url(f"{site.url}/config.json")
