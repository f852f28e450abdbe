# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""The OAuth side of the simulated workspace refuses what a real one refuses."""

from __future__ import annotations

import base64
import secrets

import pytest

from tests.unit.workspace.caller import Caller, redirected
from tests.workspace.client import Workspace

VERIFIER = "v" * 43


def test_discovery_speaks_of_the_address_it_was_asked_at(call: Caller) -> None:
    answer = call("GET", "/.well-known/databricks-config", headers={"Host": "other.example:444"})
    assert answer.json["oidc_endpoint"] == "https://other.example:444/oidc"


@pytest.mark.parametrize("by", ["basic", "form"])
def test_client_credentials(workspace: Workspace, call: Caller, by: str) -> None:
    form = {"grant_type": "client_credentials", "scope": "all-apis"}
    headers = {}
    if by == "basic":
        pair = f"{workspace.client_id}:{workspace.client_secret}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    else:
        form |= {"client_id": workspace.client_id, "client_secret": workspace.client_secret}
    answer = call("POST", "/oidc/v1/token", form=form, headers=headers)
    assert answer.status == 200
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] == 3600
    assert "refresh_token" not in answer.json
    assert call.me(answer.json["access_token"]).json["userName"] == workspace.client_id


@pytest.mark.parametrize("header", ["Basic !!!", "Basic " + base64.b64encode(b"a:b").decode(), None])
def test_wrong_client_is_refused(workspace: Workspace, call: Caller, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    answer = call("POST", "/oidc/v1/token", form={"grant_type": "client_credentials"}, headers=headers)
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")
    (entry,) = workspace.requests("/oidc/v1/token")
    assert (entry["status"], entry["grant"], entry["error"]) == (401, "client_credentials", "invalid_client")


def test_unknown_grant(call: Caller) -> None:
    answer = call.token(grant_type="password", username="u", password="p")
    assert (answer.status, answer.json["error"]) == (400, "unsupported_grant_type")


def test_token_lifetime_is_honoured(workspace: Workspace, call: Caller) -> None:
    workspace.control(token_lifetime=0)
    tokens = call.sign_in()
    assert tokens["expires_in"] == 0
    assert call.me(tokens["access_token"]).status == 401
    workspace.control(token_lifetime=60)
    renewed = call.refresh(tokens["refresh_token"]).json
    assert renewed["expires_in"] == 60
    assert call.me(renewed["access_token"]).status == 200


def test_sign_in_returns_state_and_code(call: Caller) -> None:
    query = redirected(call.authorize(state="a b&c"))
    assert query["state"] == "a b&c"
    assert set(query) == {"state", "code"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
    ],
)
def test_authorize_requires_pkce(call: Caller, changes: dict[str, str], error: str) -> None:
    query = redirected(call.authorize(**changes))
    assert (query["error"], query["state"]) == (error, "s1")
    assert "code" not in query


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "someone-else"},
        {"redirect_uri": "https://attacker.example/cb"},
        {"redirect_uri": "http://attacker.example:8020"},
        {"redirect_uri": ""},
    ],
)
def test_authorize_never_redirects_to_a_stranger(call: Caller, changes: dict[str, str]) -> None:
    answer = call.authorize(**changes)
    assert answer.status == 400
    assert answer.headers["location"] is None


def test_sign_in_can_be_denied(workspace: Workspace, call: Caller) -> None:
    workspace.control(deny_sign_in=True)
    query = redirected(call.authorize())
    assert (query["error"], query["error_description"]) == ("access_denied", "The user denied the request")


def test_wrong_verifier_is_refused_and_spends_the_code(call: Caller) -> None:
    code = call.code(VERIFIER)
    answer = call.exchange(code, "w" * 43)
    assert (answer.status, answer.json["error"]) == (400, "invalid_grant")
    assert call.exchange(code, VERIFIER).json["error"] == "invalid_grant"


@pytest.mark.parametrize("changes", [{"redirect_uri": "http://localhost:9"}, {"client_id": "x"}, {"code": "none"}])
def test_code_is_bound_to_its_request(call: Caller, changes: dict[str, str]) -> None:
    answer = call.exchange(call.code(VERIFIER), VERIFIER, **changes)
    assert (answer.status, answer.json["error"]) == (400, "invalid_grant")


def test_code_is_good_once(call: Caller) -> None:
    code = call.code(VERIFIER)
    assert call.exchange(code, VERIFIER).status == 200
    assert call.exchange(code, VERIFIER).json["error"] == "invalid_grant"


def test_no_refresh_token_without_offline_access(call: Caller) -> None:
    assert "refresh_token" not in call.sign_in(scope="all-apis")


def test_refresh_rotates(call: Caller) -> None:
    tokens = call.sign_in()
    seen = {tokens["refresh_token"]}
    for _time in range(3):
        answer = call.refresh(tokens["refresh_token"])
        assert answer.status == 200
        tokens = answer.json
        assert tokens["refresh_token"] not in seen
        seen.add(tokens["refresh_token"])
        assert call.me(tokens["access_token"]).status == 200


def test_reuse_ends_the_sign_in(workspace: Workspace, call: Caller) -> None:
    first = call.sign_in()
    other = call.sign_in()
    second = call.refresh(first["refresh_token"]).json
    reused = call.refresh(first["refresh_token"])
    assert (reused.status, reused.json["error"], reused.json["error_description"]) == (
        400,
        "invalid_request",
        "Refresh token is invalid",
    )
    assert call.refresh(second["refresh_token"]).status == 400
    assert call.me(second["access_token"]).status == 401
    assert workspace.requests("/api/")[-1]["token"] == "revoked"
    assert call.refresh(other["refresh_token"]).status == 200


def test_reuse_can_be_refused_only(workspace: Workspace, call: Caller) -> None:
    workspace.control(reuse_revokes=False)
    first = call.sign_in()
    second = call.refresh(first["refresh_token"]).json
    assert call.refresh(first["refresh_token"]).status == 400
    assert call.refresh(second["refresh_token"]).status == 200


def test_unknown_refresh_token(call: Caller) -> None:
    assert call.refresh(secrets.token_urlsafe()).json["error_description"] == "Refresh token is invalid"


def test_revoked_sign_in_lives_until_its_access_token_ends(workspace: Workspace, call: Caller) -> None:
    tokens = call.sign_in()
    workspace.control(revoke_sign_ins=True)
    assert call.me(tokens["access_token"]).status == 200
    assert call.refresh(tokens["refresh_token"]).status == 400
    workspace.control(expire_tokens=True)
    assert call.me(tokens["access_token"]).status == 401
    # A new sign-in is not touched by either.
    assert call.me(call.sign_in()["access_token"]).status == 200
