# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A workspace asked through databricks-sdk: identities, errors, limits, and what the environment may not do."""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace import (
    certificates,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace import (
    client as databricks,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace import (
    errors as workspace_errors,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace import (
    identity as who_asks,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace.errors import WorkspaceError, explain
from databricks.sdk import errors as sdk_errors
from databricks.sdk.config import Config

from tests.workspace.client import Workspace

URL = "https://dbc.cloud.databricks.com"

Ask = Callable[..., databricks.Workspace]


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing of the person who runs the tests takes part. Returns the home."""
    for name in list(os.environ):
        if name.startswith(("DATABRICKS_", "ARM_", "GOOGLE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def ask(workspace: Workspace) -> Iterator[Ask]:
    """Make the product's client for the simulated workspace with more options."""
    made: list[databricks.Workspace] = []

    def make(**options: Any) -> databricks.Workspace:
        made.append(databricks.Workspace({"workspace_url": workspace.url, "ca_file": workspace.ca_file, **options}))
        return made[-1]

    yield make
    for one in made:
        one.__exit__(None, None, None)


def principal(workspace: Workspace) -> dict[str, str]:
    return {"client_id": workspace.client_id, "client_secret": workspace.client_secret}


# -- identities ---------------------------------------------------------------------------------------------------------


def test_a_service_principal(workspace: Workspace, ask: Ask) -> None:
    client = ask(**principal(workspace))
    assert client.probe()["workspace_id"] == workspace.workspace_id
    assert client.connect() == "oauth-m2m"
    assert client.me() == (workspace.client_id, workspace.workspace_id)
    assert "databricks-claude-opus-4-6" in {endpoint["name"] for endpoint in client.serving_endpoints()}
    assert all(entry["user_agent"].startswith("fmapi-coding-agents/") for entry in workspace.requests("/api"))
    assert {entry["method"] for entry in workspace.requests("/api")} == {"GET"}


def test_a_token(workspace: Workspace, ask: Ask) -> None:
    client = ask(token=workspace.mint(kind="pat"))
    assert client.connect() == "pat"
    assert client.me()[0] == workspace.user_name


def test_a_profile(workspace: Workspace, own_environment: Path) -> None:
    (own_environment / ".databrickscfg").write_text(
        f"[other]\nhost = https://other.example\ntoken = dapi1\n"
        f"[mine]\nhost = {workspace.url}/?o=1\nclient_id = {workspace.client_id}\nclient_secret = {workspace.client_secret}\n"
    )
    with databricks.Workspace({"profile": "mine", "ca_file": workspace.ca_file}) as client:
        assert client.url == workspace.url
        assert client.connect() == "oauth-m2m"
        assert client.me()[0] == workspace.client_id


def test_the_default_profile_and_a_file_elsewhere(workspace: Workspace, own_environment: Path) -> None:
    config_file = own_environment / "profiles"
    config_file.write_text(
        f"[__settings__]\ndefault_profile = p\n[p]\nhost = {workspace.url}\ntoken = {workspace.mint()}\n"
    )
    with databricks.Workspace({"config_file": str(config_file), "ca_file": workspace.ca_file}) as client:
        assert client.connect() == "pat"
        assert client.me()[0] == workspace.user_name


def test_the_environment_alone(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", workspace.url)
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", workspace.client_id)
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", workspace.client_secret)
    with databricks.Workspace({"ca_file": workspace.ca_file}) as client:
        assert client.connect() == "oauth-m2m"
        assert client.me()[0] == workspace.client_id


def test_no_credentials_at_all(ask: Ask) -> None:
    with pytest.raises(WorkspaceError, match="coding_agents_auth_profile") as caught:
        ask().connect()
    assert caught.value.kind == "no_credentials"


@pytest.mark.parametrize(
    ("options", "auth_type"),
    [
        ({"token": "t"}, "pat"),
        ({"username": "u", "password": "p"}, "basic"),
        ({"azure_client_id": "i", "azure_client_secret": "s", "azure_tenant_id": "t"}, "azure-client-secret"),
        ({"google_service_account": "a"}, "google-id"),
        ({"google_credentials": "{}"}, "google-credentials"),
        ({"client_id": "c", "oidc_token_filepath": "/f"}, "file-oidc"),
        ({"client_id": "c", "oidc_token_env": "VARIABLE"}, "env-oidc"),
        ({"metadata_service_url": "http://127.0.0.1:1"}, "metadata-service"),
        ({"token": "t", "client_id": "c", "client_secret": "s", "auth_type": "oauth-m2m"}, "oauth-m2m"),
        ({"profile": "p"}, None),
        ({}, None),
    ],
)
def test_the_way_of_signing_in_is_pinned(options: dict[str, str], auth_type: str | None) -> None:
    assert who_asks.pinned_auth_type(options) == auth_type


# -- what the environment may not do -------------------------------------------------------------------------------------


def test_the_environment_does_not_replace_a_given_identity(
    workspace: Workspace, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", "https://elsewhere.invalid")
    monkeypatch.setenv("DATABRICKS_TOKEN", workspace.mint())
    monkeypatch.setenv("DATABRICKS_AUTH_TYPE", "pat")
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "no-such-profile")
    before = dict(os.environ)
    client = ask(**principal(workspace))
    assert client.connect() == "oauth-m2m"
    assert client.me()[0] == workspace.client_id
    assert dict(os.environ) == before


def test_a_token_for_another_workspace_is_not_sent_to_this_one(
    workspace: Workspace, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", "https://elsewhere.example")
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi0123456789")
    with pytest.raises(WorkspaceError) as caught:
        ask().connect()
    assert caught.value.kind == "no_credentials"
    assert {entry["token"] for entry in workspace.requests()} <= {"none"}


def test_a_profile_variable_for_another_workspace_has_no_say(
    workspace: Workspace, ask: Ask, own_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_environment / ".databrickscfg").write_text("[other]\nhost = other.example\ntoken = dapi1\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "other")
    with pytest.raises(WorkspaceError) as caught:
        ask().connect()
    assert caught.value.kind == "no_credentials"


def test_a_given_profile_beats_the_host_of_the_environment(
    workspace: Workspace, own_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_environment / ".databrickscfg").write_text(f"[mine]\nhost = {workspace.url}\ntoken = {workspace.mint()}\n")
    monkeypatch.setenv("DATABRICKS_HOST", "https://elsewhere.example")
    with databricks.Workspace({"profile": "mine", "ca_file": workspace.ca_file}) as client:
        client.connect()
        assert client.url == workspace.url


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"profile": "absent"}, 'no profile "absent"'),
        ({"profile": "other"}, "is for https://other.example"),
        ({"token": "t", "client_id": "c", "client_secret": "s"}, "more than one identity is given (pat, oauth-m2m)"),
        ({"auth_type": "external-browser"}, "needs a person at a browser"),
        ({"profile": "browser"}, "needs a person at a browser"),
        ({"workspace_url": "http://dbc.example"}, "https only"),
        ({"profile": "plain", "workspace_url": None}, "https only"),
        ({"ca_file": "/nowhere/ca.pem"}, "coding_agents_ca_file (/nowhere/ca.pem): cannot be read: No such file"),
    ],
)
def test_options_that_cannot_be_used_are_refused_before_anything_is_sent(
    workspace: Workspace, ask: Ask, own_environment: Path, options: dict[str, Any], why: str
) -> None:
    (own_environment / ".databrickscfg").write_text(
        f"[other]\nhost = other.example\ntoken = dapi1\n"
        f"[browser]\nhost = {workspace.url}\nauth_type = external-browser\n"
        "[plain]\nhost = http://plain.example\ntoken = dapi1\n"
    )
    with pytest.raises(OperatorError, match=re.escape(why)):
        ask(**options)
    assert workspace.requests() == []


def test_an_option_that_an_old_sdk_does_not_know_is_refused(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    known = [one for one in Config.attributes() if one.name != "group_id"]
    monkeypatch.setattr(Config, "attributes", lambda: known)
    with pytest.raises(WorkspaceError, match="does not know group_id"):
        ask(token="dapi1", group_id="1").connect()


# -- private authority ---------------------------------------------------------------------------------------------------


def test_a_private_authority_is_trusted_besides_the_usual_ones(workspace: Workspace, ask: Ask) -> None:
    client = ask(**principal(workspace))
    client.connect()
    assert client._bundle is not None
    bundle = Path(client._bundle.name)
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    text = bundle.read_text("utf-8")
    assert Path(workspace.ca_file).read_text("utf-8").strip() in text
    assert text.count("BEGIN CERTIFICATE") > 50
    client.__exit__(None, None, None)
    assert not bundle.exists()
    assert "REQUESTS_CA_BUNDLE" not in os.environ


def test_only_certificates_are_taken_from_the_file(workspace: Workspace, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    certificate = Path(workspace.ca_file).read_text("utf-8")
    both.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" + certificate)
    assert "PRIVATE" not in certificates.read_certificates(str(both))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "holds no certificate"),
        (b"\xff\xfe", "it is not text"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds a certificate that cannot be read"),
    ],
)
def test_a_file_that_is_no_authority_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(content)
    with pytest.raises(OperatorError, match=f"coding_agents_ca_file.*{why}"):
        certificates.read_certificates(str(path))


def test_without_the_authority_nothing_is_sent(workspace: Workspace, ask: Ask) -> None:
    with pytest.raises(WorkspaceError, match="coding_agents_ca_file") as caught:
        ask(ca_file=None).probe()
    assert caught.value.kind == "tls"
    assert workspace.requests() == []


# -- what can go wrong ---------------------------------------------------------------------------------------------------


def test_a_wrong_client_secret(workspace: Workspace, ask: Ask) -> None:
    client = ask(client_id=workspace.client_id, client_secret="dose-wrong-secret")
    client.connect()
    with pytest.raises(WorkspaceError, match="coding_agents_client_secret") as caught:
        client.me()
    assert caught.value.kind == "wrong_secret"
    assert "dose-wrong-secret" not in str(caught.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_not_valid(workspace: Workspace, ask: Ask, status: int) -> None:
    workspace.control(refuse_with=status)
    client = ask(token="dapi-not-a-token")
    client.connect()
    with pytest.raises(WorkspaceError) as caught:
        client.me()
    assert caught.value.kind == "unauthorized"
    assert "dapi-not-a-token" not in str(caught.value)


def test_a_workspace_that_throttles_is_asked_again(workspace: Workspace, ask: Ask) -> None:
    client = ask(**principal(workspace))
    client.connect()
    workspace.control(fail_next={"path_prefix": "/api/2.0/preview", "status": 429, "retry_after": 1, "count": 1})
    assert client.me()[0] == workspace.client_id


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize("path", ["/api/2.0/preview", "/oidc/v1/token"])
def test_a_workspace_in_trouble_is_asked_again_and_then_believed(
    workspace: Workspace, ask: Ask, monkeypatch: pytest.MonkeyPatch, path: str, status: int
) -> None:
    monkeypatch.setattr(databricks, "RETRY_PAUSES", (0.01, 0.01))
    monkeypatch.setattr(databricks, "RETRY_SECONDS", 2)  # for so long the SDK repeats a 503 by itself
    client = ask(**principal(workspace))
    client.connect()
    workspace.control(fail_next={"path_prefix": path, "status": status, "count": 2})
    assert client.me()[0] == workspace.client_id
    workspace.control(expire_tokens=True, fail_next={"path_prefix": path, "status": status, "count": 99})
    again = ask(**principal(workspace))
    with pytest.raises(WorkspaceError) as caught:
        again.connect()
        again.me()
    assert caught.value.kind == "server_error"


@pytest.mark.parametrize(("retry_after", "answered"), [(1, True), (None, True), (60, False)])
def test_a_throttled_public_page_is_asked_again_when_it_says_so(
    workspace: Workspace, ask: Ask, retry_after: int | None, answered: bool
) -> None:
    order = {"path_prefix": "/.well-known", "status": 429, "count": 1}
    workspace.control(fail_next=order if retry_after is None else {**order, "retry_after": retry_after})
    client = ask(**principal(workspace))
    if answered:
        assert client.probe()["workspace_id"]
        return
    with pytest.raises(WorkspaceError, match=r"answers HTTP 429 for /\.well-known.*Try again in 60 s\."):
        client.probe()


def test_a_token_endpoint_that_never_answers_is_given_up(workspace: Workspace, ask: Ask) -> None:
    """The SDK asks it without any limit of its own."""
    client = ask(**principal(workspace))
    client.connect()
    workspace.control(delay={"path_prefix": "/oidc/v1/token", "seconds": 20})
    with pytest.raises(WorkspaceError) as caught:
        client.get("/api/2.0/preview/scim/v2/Me", seconds=3.0)
    assert caught.value.kind == "timeout"
    assert workspace.requests("/oidc/v1/token"), "it is this request that hangs"


def test_the_limits_keep_a_dead_workspace_under_fifteen_seconds() -> None:
    probe = workspace_errors.HTTP_TIMEOUT_SECONDS + 1
    assert probe + databricks.CALL_SECONDS <= 15


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_host_that_never_answers(silent_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace_errors, "HTTP_TIMEOUT_SECONDS", 1.0)
    with databricks.Workspace({"workspace_url": f"https://127.0.0.1:{silent_port}"}) as client:
        with pytest.raises(WorkspaceError, match=r"did not answer within 1 s") as caught:
            client.probe()
        assert caught.value.kind == "timeout"


@pytest.mark.parametrize(("host", "why"), [("127.0.0.1", "refused"), ("workspace.invalid", "host name is not known")])
def test_a_host_that_cannot_be_reached(silent_port: int, host: str, why: str) -> None:
    with socket.socket() as nobody:  # who holds it keeps others from listening there meanwhile
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        with databricks.Workspace({"workspace_url": f"https://{host}:{port}"}) as client:
            with pytest.raises(WorkspaceError, match=why) as caught:
                client.probe()
            assert caught.value.kind == "unreachable"


def _response(status: int, body: str = "", **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = body.encode()
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([_response(303, Location="https://accounts.cloud.databricks.com/login")], "wrong_host"),
        ([_response(200, '{"oidc_endpoint": "https://x/oidc/accounts/1", "account_id": "1"}')], "wrong_host"),
        ([_response(503)] * 3, "server_error"),
        ([_response(200, "<html>"), _response(200, "<html>")], "not_databricks"),
        ([_response(404), _response(404)], "not_databricks"),
        ([_response(303, Location="/login.html"), _response(200, "[]")], "not_databricks"),
    ],
)
def test_other_things_than_a_workspace(
    answers: list[requests.Response], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = iter(answers)
    monkeypatch.setattr(requests, "get", lambda *_args, **_options: next(replies))
    with databricks.Workspace({"workspace_url": URL}) as client:
        with pytest.raises(WorkspaceError) as caught:
            client.probe()
        assert caught.value.kind == kind


def test_an_older_workspace_has_no_configuration_page(monkeypatch: pytest.MonkeyPatch) -> None:
    replies = iter([_response(404), _response(200, '{"token_endpoint": "https://x/oidc/v1/token"}')])
    monkeypatch.setattr(requests, "get", lambda *_args, **_options: next(replies))
    with databricks.Workspace({"workspace_url": URL}) as client:
        assert client.probe() == {}


def _timed_out(cause: Exception) -> Exception:
    try:
        raise TimeoutError("Timed out after 0:00:05") from cause
    except TimeoutError as error:
        return error


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (sdk_errors.Unauthenticated("no"), "unauthorized", "HTTP 401"),
        (sdk_errors.PermissionDenied("User lacks EXECUTE"), "forbidden", "USE CATALOG on system"),
        (sdk_errors.PermissionDenied("Invalid access token."), "unauthorized", "not valid for this workspace"),
        (sdk_errors.BadRequest("Invalid Token"), "unauthorized", "not valid for this workspace"),
        (sdk_errors.PermissionDenied("OAuth token does not have required scopes: x"), "forbidden", "all-apis"),
        (
            sdk_errors.PermissionDenied("Source IP address: 1.2.3.4 is blocked by Databricks IP ACL"),
            "forbidden",
            "IP access",
        ),
        (sdk_errors.NotFound("gone"), "not_found", "HTTP 404"),
        (sdk_errors.TooManyRequests("slow down"), "throttled", "minute"),
        (_timed_out(sdk_errors.TooManyRequests("slow down")), "throttled", "minute"),
        (sdk_errors.TemporarilyUnavailable("later"), "server_error", "later"),
        (_timed_out(requests.exceptions.ReadTimeout("x")), "timeout", "did not answer"),
        (requests.exceptions.ProxyError("x"), "unreachable", "HTTPS_PROXY"),
        (requests.exceptions.SSLError("Hostname mismatch, certificate is not valid"), "tls", "another host name"),
        (requests.exceptions.SSLError("certificate has expired"), "tls", "expired"),
        (requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED: self-signed"), "tls", "coding_agents_ca_file"),
        (requests.exceptions.SSLError("wrong version number"), "tls", "speaks https"),
        (requests.exceptions.JSONDecodeError("x", "<html>", 0), "not_databricks", "coding_agents_workspace_url"),
        (sdk_errors.InternalError("<html><title>sign in</title>"), "not_databricks", "web page"),
        (ValueError("invalid_client: Client authentication failed"), "wrong_secret", "coding_agents_client_secret"),
        (ValueError("default auth: cannot configure default credentials, please"), "no_credentials", "auth_profile"),
        (
            ValueError("databricks-cli: refresh token is invalid, run databricks auth login"),
            "unauthorized",
            "auth login",
        ),
        (ValueError("resolve: ~/.databrickscfg has no x profile configured"), "configuration", "no x profile"),
        (RuntimeError("strange"), "other", "RuntimeError: strange"),
    ],
)
def test_every_failure_has_one_explanation(error: Exception, kind: str, said: str) -> None:
    explained = explain(error, URL)
    assert explained.kind == kind
    assert URL in str(explained) or kind == "configuration"
    assert said in str(explained)


def test_messages_hold_no_secret_no_configuration_and_no_control_characters() -> None:
    text = workspace_errors.clean_message(
        "refused\x1b[31m s3cret\nsecond line. Config: host=https://h, token=***. Env: DATABRICKS_TOKEN", ("s3cret",)
    )
    assert text == "refused[31m ******** second line"
    assert len(workspace_errors.clean_message("x" * 1000)) == 300


# -- model services ------------------------------------------------------------------------------------------------------


def test_model_services_are_listed_page_by_page(
    workspace: Workspace, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = ask(**principal(workspace))
    client.connect()
    assert "system.ai.claude-opus-4-6" in client.model_services("system.ai", workspace.workspace_id)
    assert client.model_services("main.absent") == {}
    pages: list[dict[str, Any]] = [
        {"model_services": [{"name": "model-services/a.b.one"}], "next_page_token": "2"},
        {"model_services": None, "next_page_token": "3"},
        {"model_services": [{"name": "model-services/a.b.two"}], "next_page_token": "3"},
    ]
    monkeypatch.setattr(client, "get", lambda *_args, **_options: pages.pop(0))
    assert list(client.model_services("a.b")) == ["a.b.one", "a.b.two"]
    assert pages == []
