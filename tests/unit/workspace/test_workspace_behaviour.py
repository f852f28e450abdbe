# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""How the simulated workspace refuses and misbehaves on demand, what it writes down, and how it is started."""

from __future__ import annotations

import json
import ssl
import stat
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.unit.workspace.caller import Answer, Caller
from tests.workspace.client import Workspace, WorkspaceFailed

ME = "/api/2.0/preview/scim/v2/Me"
MESSAGES = "/ai-gateway/anthropic/v1/messages"
GUARDED = [
    ("GET", ME),
    ("GET", "/api/2.0/clusters/spark-versions"),
    ("GET", "/api/2.0/serving-endpoints"),
    ("GET", "/api/2.0/serving-endpoints/x"),
    ("GET", "/api/2.0/serving-endpoints:foundation-models"),
    ("GET", "/api/2.1/unity-catalog/model-services?parent=schemas/system.ai"),
    ("POST", "/api/2.0/token/create"),
    ("GET", "/api/2.0/token/list"),
    ("POST", "/api/2.0/token/delete"),
    ("GET", "/api/2.0/nothing-of-that-name"),
    ("GET", "/ai-gateway/anthropic/v1/models"),
    ("POST", MESSAGES),
    ("POST", "/serving-endpoints/anthropic/v1/messages"),
    ("POST", "/anthropic/v1/messages"),
    ("POST", "/ai-gateway/anthropic/v1/messages/count_tokens"),
    ("POST", "/ai-gateway/codex/v1/responses"),
    ("POST", "/serving-endpoints/openai/v1/responses"),
    ("POST", "/serving-endpoints/responses"),
    ("POST", "/openai/v1/responses"),
    ("GET", "/ai-gateway/codex/v1/models"),
    ("POST", "/ai-gateway/mlflow/v1/chat/completions"),
    ("POST", "/serving-endpoints/chat/completions"),
    ("POST", "/mlflow/v1/chat/completions"),
    ("POST", "/ai-gateway/gemini/v1beta/models/databricks-gemini-3-pro:generateContent"),
    ("POST", "/serving-endpoints/google/v1beta/models/databricks-gemini-3-pro:streamGenerateContent?alt=sse"),
    ("POST", "/gemini/v1beta/models/databricks-gemini-3-pro:streamGenerateContent?alt=sse"),
    ("GET", "/ai-gateway"),
    ("GET", "/openai/v1/nothing-of-that-name"),
]


def bad_tokens(workspace: Workspace) -> dict[str, str | None]:
    """One token of each kind that is to be refused."""
    revoked = workspace.mint()
    workspace.control(revoke_tokens=True)
    # Afterwards, because a token that is both expired and revoked counts as revoked.
    expired = workspace.mint(lifetime=0)
    return {"none": None, "unknown": "dapi0123", "expired": expired, "revoked": revoked}


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_every_path_wants_a_good_token(workspace: Workspace, call: Caller, method: str, path: str, status: int) -> None:
    workspace.control(refuse_with=status)
    for state, token in bad_tokens(workspace).items():
        answer = call(method, path, token=token, body={} if method == "POST" else None)
        assert answer.status == status, (state, answer.text)
        assert set(answer.json) == {"error_code", "message"}
        # A number, as the front end of a real workspace has it.
        assert answer.json["error_code"] == status
        assert (answer.headers["www-authenticate"] is not None) == (status == 401)
        entry = workspace.requests()[-1]
        assert (entry["token"], entry["status"]) == (state, status)


def test_a_key_elsewhere_is_no_token(workspace: Workspace, call: Caller) -> None:
    good = workspace.mint()
    assert call("GET", ME, headers={"x-api-key": good}).status == 401
    assert call("GET", ME, headers={"Authorization": f"Basic {good}"}).status == 401
    assert call("GET", ME, headers={"Authorization": good}).status == 401


def test_expire_and_revoke_all(workspace: Workspace, call: Caller) -> None:
    oauth, personal = workspace.mint(), workspace.mint(kind="pat")
    assert [call.me(t).status for t in (oauth, personal)] == [200, 200]
    workspace.control(expire_tokens=True)
    assert [call.me(t).json["message"].split(" [")[0] for t in (oauth, personal)] == ["Token is expired."] * 2
    workspace.control(revoke_tokens=True)
    assert "Invalid access token." in call.me(oauth).json["message"]
    assert call.me(workspace.mint()).status == 200


def test_workspace_id_is_in_a_header(workspace: Workspace, call: Caller) -> None:
    for path in (ME, "/api/2.0/clusters/spark-versions", "/api/2.0/serving-endpoints"):
        answer = call("GET", path, token=workspace.mint())
        assert answer.headers["x-databricks-org-id"] == workspace.workspace_id
    assert workspace.workspace_id.isdigit()


def test_unknown_paths(workspace: Workspace, call: Caller) -> None:
    answer = call("GET", "/api/2.0/none", token=workspace.mint())
    assert (answer.status, answer.json["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
    assert call("GET", "/nowhere").status == 404
    # One slash too many is not forgiven, so that a wrongly joined URL shows.
    assert call("GET", "/api/2.0/serving-endpoints/", token=workspace.mint()).status == 404
    assert call("POST", "//ai-gateway/anthropic/v1/messages", token=workspace.mint(), body={}).status == 404


@pytest.mark.parametrize("query", ["", "parent=system.ai", "parent=schemas/system.ai&page_size=101"])
def test_model_services_want_bounds(workspace: Workspace, call: Caller, query: str) -> None:
    answer = call("GET", f"/api/2.1/unity-catalog/model-services?{query}", token=workspace.mint())
    assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_failures_are_counted(workspace: Workspace, call: Caller) -> None:
    workspace.control(fail_next={"path_prefix": ME, "status": 429, "retry_after": 3, "count": 2})
    token = workspace.mint()
    answers = [call.me(token) for _time in range(3)]
    assert [a.status for a in answers] == [429, 429, 200]
    assert [a.headers["retry-after"] for a in answers] == ["3", "3", None]
    assert answers[0].json["error_code"] == "REQUEST_LIMIT_EXCEEDED"


def test_failures_are_for_one_path_and_method(workspace: Workspace, call: Caller) -> None:
    workspace.control(
        fail_next=[
            {"path_prefix": "/oidc/v1/token", "status": 500},
            {"path_prefix": ME, "status": 503, "method": "POST"},
        ]
    )
    assert call.me(workspace.mint()).status == 200
    assert call.token(grant_type="client_credentials").status == 500
    assert call.token(grant_type="client_credentials").status == 401
    workspace.control(fail_next={"path_prefix": "/", "status": 500, "count": 9})
    workspace.control(fail_next=None)
    assert call.me(workspace.mint()).status == 200


def test_gateway_can_be_missing(workspace: Workspace, call: Caller) -> None:
    workspace.control(gateway=False)
    body = {"model": "databricks-claude-opus-4-6", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}
    token = workspace.mint()
    assert call("POST", MESSAGES, token=token, body=body).status == 404
    assert call("HEAD", "/ai-gateway/anthropic", token=token).status == 404
    assert call("GET", "/ai-gateway", token=token).status == 404
    assert call("POST", "/serving-endpoints/anthropic/v1/messages", token=token, body=body).status == 200


def test_account_url_redirects(workspace: Workspace, call: Caller) -> None:
    workspace.control(redirect_to="https://accounts.example/login")
    for path in (ME, "/.well-known/databricks-config", "/oidc/v1/authorize"):
        answer = call("GET", path)
        assert (answer.status, answer.headers["location"]) == (303, "https://accounts.example/login")


@pytest.mark.parametrize("setting", [{"hang": ME}, {"delay": {"path_prefix": ME, "seconds": 600}}])
def test_silence_is_for_one_path(workspace: Workspace, call: Caller, setting: dict[str, Any]) -> None:
    workspace.control(**setting)
    token = workspace.mint()
    with pytest.raises(TimeoutError):
        call("GET", ME, token=token, timeout=3)
    assert call("GET", "/api/2.0/serving-endpoints", token=token).status == 200
    assert [e["status"] for e in workspace.requests("/api/")] == [None, 200]


def test_held_requests_go_on_when_let_go(workspace: Workspace, call: Caller) -> None:
    workspace.control(hang="/api/")
    answers: list[Answer] = []
    token = workspace.mint()
    waiting = threading.Thread(target=lambda: answers.append(call.me(token)))
    waiting.start()
    while not workspace.requests(ME):
        pass
    assert answers == []
    workspace.control(hang=None)
    waiting.join()
    assert answers[0].status == 200


@pytest.mark.parametrize(
    "settings",
    [
        {"token_lifetme": 1},
        {"token_lifetime": -1},
        {"refuse_with": 500},
        {"gateway": "no"},
        {"codex_models": None},
        {"expire_tokens": False},
        {"fail_next": {"status": 500}},
        {"fail_next": {"path_prefix": "/", "status": 200}},
        {"endpoint_state": {"name": "nothing", "ready": "READY"}},
        {"endpoint_state": {"name": "databricks-claude-opus-4-6", "ready": "MAYBE"}},
        {"redirect_to": "http://plain.example"},
    ],
)
def test_mistaken_orders_are_errors_and_change_nothing(workspace: Workspace, settings: dict[str, Any]) -> None:
    before = workspace.control()
    with pytest.raises(WorkspaceFailed):
        workspace.control(strict=True, **settings)
    assert workspace.control() == before


def test_admin_interface_is_closed_to_others(workspace: Workspace, call: Caller) -> None:
    for headers in ({}, {"X-Test-Admin": "guess"}):
        assert call("GET", "/_test/requests", headers=headers).status == 403
        assert call("POST", "/_test/control", headers=headers, body={"reset": True}).status == 403
        assert call("POST", "/_test/token", headers=headers, body={}, token=workspace.mint()).status == 403


def test_log_holds_no_secret(workspace: Workspace, call: Caller) -> None:
    """Every way a secret travels: bearer, basic, form, query, path and user agent; then the whole log is searched."""
    tokens = call.sign_in()
    renewed = call.refresh(tokens["refresh_token"]).json
    call.token(grant_type="client_credentials", client_id=workspace.client_id, client_secret=workspace.client_secret)
    personal = call("POST", "/api/2.0/token/create", token=renewed["access_token"], body={}).json["token_value"]
    call.me(personal)
    call("GET", f"{ME}?token={personal}&{personal}=1")
    call("GET", f"/api/2.0/serving-endpoints/{personal}", headers={"User-Agent": f"curl {workspace.client_secret}"})
    body = {"model": personal, "messages": [1]}
    call("POST", MESSAGES, token=personal, body=body, headers={"anthropic-beta": personal, "x-api-key": personal})
    log = json.dumps(workspace.requests())
    secrets = [personal, workspace.client_secret]
    for answer in (tokens, renewed):
        secrets += [answer["access_token"], answer["refresh_token"]]
    for secret in secrets:
        assert secret not in log
    leaks = [entry["secret_in"] for entry in workspace.requests()]
    assert leaks[-3:] == [["query"], ["path", "user_agent"], []]
    assert not any(leaks[:-3])


def test_log_is_in_order_and_can_be_cleared(workspace: Workspace, call: Caller) -> None:
    call.me(None)
    call.me(workspace.mint("service_principal"))
    first, second = workspace.requests()
    assert second["n"] == first["n"] + 1
    assert second["time"] >= first["time"]
    assert (second["method"], second["identity"], second["client"]) == ("GET", "service_principal", "127.0.0.1")
    assert second["host"] == workspace.url.removeprefix("https://")
    workspace.clear()
    assert workspace.requests() == []
    call.me(None)
    assert workspace.requests()[0]["n"] > second["n"]


def test_reset_forgets_everything(workspace: Workspace, call: Caller) -> None:
    tokens = call.sign_in()
    fresh = workspace.control(reset=True)
    workspace.control(token_lifetime=5, strict=True, endpoint_state={"name": "databricks-gpt-5-2", "ready": "ABSENT"})
    assert workspace.control(reset=True) == fresh
    assert workspace.requests() == []
    assert call.me(tokens["access_token"]).status == 401
    assert call.refresh(tokens["refresh_token"]).status == 400
    assert call("GET", "/api/2.0/serving-endpoints/databricks-gpt-5-2", token=workspace.mint()).status == 200


def test_only_https_with_our_authority(workspace: Workspace) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(OSError, match="certificate verify failed"):
        opener.open(workspace.url, timeout=20)
    with pytest.raises(OSError):
        opener.open(workspace.url.replace("https", "http"), timeout=20)


def test_files_with_secrets_are_private(workspace: Workspace) -> None:
    directory = workspace.state_dir
    for name in ("credentials.json", "admin-token", "ca.key", "server.pem", "ready.json"):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600, name


def test_detached_with_further_names(tmp_path: Path) -> None:
    started = Workspace(tmp_path / "w", host="0.0.0.0", names=["workspace.example", "127.0.0.2"], detach=True).start()
    try:
        assert started.url == f"https://workspace.example:{started.port}"
        found = Workspace.attach(tmp_path / "w")
        assert (found.url, found.pid) == (started.url, started.pid)
        found.control(strict=True)
        context = ssl.create_default_context(cafile=found.ca_file)
        for name in ("localhost", "127.0.0.1", "127.0.0.2"):
            address = f"https://{name}:{found.port}/.well-known/databricks-config"
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
            )
            assert json.load(opener.open(address, timeout=20))["oidc_endpoint"] == f"https://{name}:{found.port}/oidc"
        authority, known = Path(found.ca_file).read_bytes(), found.client_secret
        found.stop()
        assert not (tmp_path / "w" / "ready.json").exists()
        with pytest.raises(WorkspaceFailed):
            Workspace.attach(tmp_path / "w")
    finally:
        started.stop()
    # A restart on the same directory is the same workspace to whoever trusted it before.
    with Workspace(tmp_path / "w") as again:
        assert Path(again.ca_file).read_bytes() == authority
        assert again.client_secret == known


def test_failed_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceFailed, match="not-an-address"):
        Workspace(tmp_path, host="not-an-address").start()
