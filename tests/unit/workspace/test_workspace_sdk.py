# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""databricks-sdk, as it is published, takes the simulated workspace for a real one."""

from __future__ import annotations

import socket
import threading
import time
import urllib.error
import urllib.request
import webbrowser
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, PermissionDenied, ResourceDoesNotExist, Unauthenticated
from databricks.sdk.oauth import Consent, OAuthClient, get_host_metadata, get_workspace_endpoints
from databricks.sdk.service.catalog import ListModelServicesRequestView
from databricks.sdk.service.serving import EndpointStateReady

from tests.unit.workspace.caller import Caller
from tests.workspace.client import Workspace

CHAT = "mlflow/v1/chat/completions"

pytestmark = pytest.mark.usefixtures("sdk_environment")


@pytest.fixture
def m2m(workspace: Workspace) -> WorkspaceClient:
    return WorkspaceClient(
        host=workspace.url, client_id=workspace.client_id, client_secret=workspace.client_secret, auth_type="oauth-m2m"
    )


def test_host_metadata_names_the_workspace(workspace: Workspace) -> None:
    metadata = get_host_metadata(workspace.url)
    assert metadata.workspace_id == workspace.workspace_id
    assert metadata.oidc_endpoint == f"{workspace.url}/oidc"
    endpoints = get_workspace_endpoints(workspace.url)
    assert endpoints.token_endpoint == f"{workspace.url}/oidc/v1/token"


def test_service_principal_signs_in(workspace: Workspace, m2m: WorkspaceClient) -> None:
    assert m2m.current_user.me().user_name == workspace.client_id
    assert str(m2m.get_workspace_id()) == workspace.workspace_id
    # Discovery comes first, as was measured of the real SDK; it names the workspace, so its id costs no further call.
    assert [entry["path"] for entry in workspace.requests()] == [
        "/.well-known/databricks-config",
        "/oidc/.well-known/oauth-authorization-server",
        "/oidc/v1/token",
        "/api/2.0/preview/scim/v2/Me",
    ]


def test_wrong_client_secret(workspace: Workspace) -> None:
    client = WorkspaceClient(
        host=workspace.url, client_id=workspace.client_id, client_secret="wrong", auth_type="oauth-m2m"
    )
    with pytest.raises(ValueError, match="invalid_client"):
        client.current_user.me()


def test_personal_access_token_lives_and_dies(workspace: Workspace, m2m: WorkspaceClient) -> None:
    created = m2m.tokens.create(comment="of a test", lifetime_seconds=600)
    assert created.token_value is not None
    assert created.token_info is not None
    assert created.token_info.token_id is not None
    with_token = WorkspaceClient(host=workspace.url, token=created.token_value, auth_type="pat")
    assert with_token.current_user.me().user_name == workspace.client_id
    assert [t.comment for t in m2m.tokens.list()] == ["of a test"]

    m2m.tokens.delete(created.token_info.token_id)
    assert list(m2m.tokens.list()) == []
    with pytest.raises(ResourceDoesNotExist):
        m2m.tokens.delete(created.token_info.token_id)
    with pytest.raises(Unauthenticated):
        with_token.current_user.me()
    workspace.control(refuse_with=403)
    with pytest.raises(PermissionDenied):
        with_token.current_user.me()


def test_tokens_of_others_are_not_listed_or_deleted(workspace: Workspace, m2m: WorkspaceClient) -> None:
    user = WorkspaceClient(host=workspace.url, token=workspace.mint("user"), auth_type="pat")
    created = user.tokens.create(comment="the user's")
    assert created.token_info is not None
    assert list(m2m.tokens.list()) == []
    with pytest.raises(ResourceDoesNotExist):
        m2m.tokens.delete(created.token_info.token_id or "")


def test_serving_endpoints(m2m: WorkspaceClient) -> None:
    endpoints = {e.name: e for e in m2m.serving_endpoints.list()}
    assert len(endpoints) == 11
    ready = {name for name, e in endpoints.items() if e.state and e.state.ready == EndpointStateReady.READY}
    assert set(endpoints) - ready == {"databricks-claude-opus-4-5"}

    opus = endpoints["databricks-claude-opus-4-6"]
    assert opus.task == "llm/v1/chat"
    assert opus.ai_gateway is not None
    assert opus.ai_gateway.usage_tracking_config is not None
    assert opus.ai_gateway.usage_tracking_config.enabled is True
    assert opus.config is not None
    assert opus.config.served_entities is not None
    model = opus.config.served_entities[0].foundation_model
    assert model is not None
    assert (model.name, model.display_name) == ("system.ai.claude-opus-4-6", "Claude Opus 4.6")

    detailed = m2m.serving_endpoints.get("databricks-claude-opus-4-6")
    assert detailed.state == opus.state
    assert detailed.id == opus.id
    with pytest.raises(ResourceDoesNotExist, match="no-such-model"):
        m2m.serving_endpoints.get("no-such-model")


def test_state_of_an_endpoint_can_be_changed(workspace: Workspace, m2m: WorkspaceClient) -> None:
    name = "databricks-claude-opus-4-6"
    workspace.control(endpoint_state={"name": name, "ready": "NOT_READY"})
    state = m2m.serving_endpoints.get(name).state
    assert state is not None
    assert state.ready == EndpointStateReady.NOT_READY
    workspace.control(endpoint_state={"name": name, "ready": "ABSENT"})
    with pytest.raises(ResourceDoesNotExist):
        m2m.serving_endpoints.get(name)


def test_model_services_come_in_pages(workspace: Workspace, m2m: WorkspaceClient) -> None:
    services = list(m2m.ai_gateway.list_model_services(parent="schemas/system.ai", page_size=2))
    assert [s.name for s in services] == [
        f"model-services/system.ai.{model}"
        for model in (
            "claude-opus-4-6",
            "claude-sonnet-4-6",
            "claude-haiku-4-5",
            "gpt-5-5",
            "gpt-5-2",
            "gemini-3-5-flash",
            "gemini-3-pro",
            "gpt-oss-120b",
            "gte-large-en",
        )
    ]
    assert len(workspace.requests("/api/2.1/unity-catalog/model-services")) == 5
    api_types = {s.name: s.supported_api_types for s in services}
    assert api_types["model-services/system.ai.claude-opus-4-6"] == [CHAT, "anthropic/v1/messages"]
    assert api_types["model-services/system.ai.gpt-5-5"] == [CHAT, "openai/v1/responses"]
    assert api_types["model-services/system.ai.gemini-3-5-flash"] == [CHAT, "gemini/v1/generateContent"]
    assert api_types["model-services/system.ai.gpt-oss-120b"] == [CHAT]
    full = next(
        iter(m2m.ai_gateway.list_model_services(parent="schemas/system.ai", view=ListModelServicesRequestView.FULL))
    )
    assert full.config is not None
    assert full.config.routing is not None
    assert [d.name for d in full.config.routing.destinations or []] == ["databricks-claude-opus-4-6"]
    with pytest.raises(NotFound):
        list(m2m.ai_gateway.list_model_services(parent="schemas/main.none"))


def test_foundation_models_leave_out_external_ones(m2m: WorkspaceClient) -> None:
    answer: Any = m2m.api_client.do("GET", "/api/2.0/serving-endpoints:foundation-models")
    names = [e["name"] for e in answer["endpoints"]]
    assert "databricks-gpt-5-2" in names
    assert "team-claude-external" not in names
    models = {e["name"]: e["config"]["served_entities"][0]["foundation_model"] for e in answer["endpoints"]}
    assert models["databricks-claude-opus-4-6"]["ai_gateway_v2_supported"] is True
    assert models["databricks-claude-opus-4-6"]["api_types"] == [CHAT, "anthropic/v1/messages"]
    assert models["databricks-gpt-5-2"]["api_types"] == [CHAT, "openai/v1/responses"]
    # The plain listing knows neither: databricks-sdk has no such fields.
    plain: Any = m2m.api_client.do("GET", "/api/2.0/serving-endpoints")
    assert "api_types" not in str(plain) and "ai_gateway_v2_supported" not in str(plain)


def test_sdk_waits_out_429(workspace: Workspace, m2m: WorkspaceClient) -> None:
    path = "/api/2.0/preview/scim/v2/Me"
    workspace.control(fail_next={"path_prefix": path, "status": 429, "retry_after": 1, "count": 1})
    assert m2m.current_user.me().user_name == workspace.client_id
    assert [entry["status"] for entry in workspace.requests(path)] == [429, 200]


def _browse(call: Caller, url: str) -> None:
    """A browser with someone in it who is signed in: asks the workspace, then follows the redirect to the program.

    The SDK opens the browser before it listens, so the second step is tried until someone is there.
    """
    answer = call("GET", url.removeprefix(call.workspace.url))
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _time in range(500):
        try:
            direct.open(answer.headers["location"], timeout=20).close()
            return
        except urllib.error.HTTPError:
            return  # the program answers 400 to a denied sign-in
        except urllib.error.URLError:
            time.sleep(0.02)


@pytest.fixture
def consent(workspace: Workspace, call: Caller, monkeypatch: pytest.MonkeyPatch) -> Consent:
    """A sign-in about to open the browser; the browser is :func:`_browse`."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        redirect = f"http://localhost:{probe.getsockname()[1]}"

    def open_new(url: str) -> bool:
        threading.Thread(target=_browse, args=(call, url), daemon=True).start()
        return True

    monkeypatch.setattr(webbrowser, "open_new", open_new)
    client = OAuthClient(get_workspace_endpoints(workspace.url), redirect, "databricks-cli")
    return client.initiate_consent()


def test_user_signs_in_with_a_browser(workspace: Workspace, consent: Consent) -> None:
    session = consent.launch_external_browser()
    first = session.token()
    client = WorkspaceClient(host=workspace.url, token=first.access_token, auth_type="pat")
    assert client.current_user.me().user_name == workspace.user_name
    assert first.jwt_claims()["sub"] == workspace.user_name

    second = session.refresh()
    assert second.access_token != first.access_token
    assert second.refresh_token not in (None, first.refresh_token)


def test_user_denies(workspace: Workspace, consent: Consent) -> None:
    workspace.control(deny_sign_in=True)
    with pytest.raises(ValueError, match="access_denied: The user denied the request"):
        consent.launch_external_browser()
