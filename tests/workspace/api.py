# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""The workspace REST API: who am I, serving endpoints, model services, personal access tokens."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .errors import ApiError, bad_parameter, not_found
from .gate import require_token
from .state import Credential, State

#: Model services on one page, at most and when nothing is asked for. An unbounded listing makes a real workspace give
#: up with HTTP 499, so clients have to page.
PAGE_LIMIT = 100
SYSTEM_SCHEMA = "system.ai"


def _json(request: Request, body: Any) -> Response:
    """An API answer. The workspace id travels in this header of every one (databricks-sdk: ``get_workspace_id``)."""
    state: State = request.app.state.workspace
    return JSONResponse(body, headers={"x-databricks-org-id": state.workspace_id})


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ApiError(400, "MALFORMED_REQUEST", "Could not parse request object: expected a JSON object.")
    return body


async def me(request: Request) -> Response:
    """``GET /api/2.0/preview/scim/v2/Me``; of a service principal the userName is its application (client) id."""
    identity = require_token(request).identity
    body: dict[str, Any] = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": identity.id,
        "userName": identity.user_name,
        "displayName": identity.display_name,
        "active": True,
        "groups": [{"display": "users", "type": "direct", "value": "1045821"}],
    }
    if identity.kind == "user":
        body["emails"] = [{"type": "work", "value": identity.user_name, "primary": True}]
    return _json(request, body)


async def spark_versions(request: Request) -> Response:
    """``GET /api/2.0/clusters/spark-versions``: asked only for its header with the workspace id."""
    require_token(request)
    return _json(request, {"versions": [{"key": "17.3.x-scala2.13", "name": "17.3 LTS (includes Apache Spark 4.0.0)"}]})


# -- what is served -------------------------------------------------------------------------------------------------


async def list_endpoints(request: Request) -> Response:
    state: State = request.app.state.workspace
    require_token(request)
    return _json(request, {"endpoints": [e.as_listed() for e in state.endpoints.values()]})


async def get_endpoint(request: Request) -> Response:
    state: State = request.app.state.workspace
    require_token(request)
    name = request.path_params["name"]
    if name not in state.endpoints:
        raise not_found(f"Endpoint with name '{name}' does not exist.")
    return _json(request, state.endpoints[name].as_detailed())


async def foundation_models(request: Request) -> Response:
    """``GET /api/2.0/serving-endpoints:foundation-models``: only what Databricks itself serves."""
    state: State = request.app.state.workspace
    require_token(request)
    return _json(request, {"endpoints": [e.as_foundation_model() for e in state.endpoints.values() if not e.external]})


async def model_services(request: Request) -> Response:
    """``GET /api/2.1/unity-catalog/model-services?parent=schemas/CATALOG.SCHEMA&page_size=N&page_token=T&view=V``."""
    state: State = request.app.state.workspace
    require_token(request)
    query = request.query_params
    parent = query.get("parent", "")
    if not parent.startswith("schemas/") or parent.count(".") != 1:
        raise bad_parameter("parent is required in the form schemas/{catalog}.{schema}")
    schema = parent.removeprefix("schemas/")
    found = {name: e for name, e in state.services.items() if name.rpartition(".")[0] == schema}
    if schema == SYSTEM_SCHEMA:
        found |= {e.system_name: e for e in state.endpoints.values() if e.system_name}
    if not found or not state.control.model_services:
        raise ApiError(404, "SCHEMA_DOES_NOT_EXIST", f"Schema '{schema}' does not exist.")
    try:
        size = int(query.get("page_size", PAGE_LIMIT))
        start = int(base64.urlsafe_b64decode(query["page_token"])) if query.get("page_token") else 0
    except (ValueError, binascii.Error):
        raise bad_parameter("page_size or page_token is not valid") from None
    if not 0 <= size <= PAGE_LIMIT:
        raise bad_parameter(f"page_size must be between 0 and {PAGE_LIMIT}")
    served = [(name, e) for name, e in found.items() if e.ready == "READY"]
    end = start + (size or PAGE_LIMIT)
    full = query.get("view") == "FULL"
    body: dict[str, Any] = {"model_services": [e.as_model_service(full, name) for name, e in served[start:end]]}
    if end < len(served):
        body["next_page_token"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return _json(request, body)


# -- personal access tokens -----------------------------------------------------------------------------------------


def _token_info(token: Credential) -> dict[str, Any]:
    return {
        "token_id": token.token_id,
        "comment": token.comment,
        "creation_time": int(token.created * 1000),
        "expiry_time": -1 if token.expires is None else int(token.expires * 1000),
    }


def _own_tokens(state: State, owner: Credential) -> list[Credential]:
    return [
        c for c in state.credentials.values() if c.kind == "pat" and c.identity == owner.identity and c.state == "valid"
    ]


async def create_token(request: Request) -> Response:
    state: State = request.app.state.workspace
    owner = require_token(request)
    body = await _body(request)
    lifetime = body.get("lifetime_seconds")
    if lifetime is not None and (not isinstance(lifetime, int) or lifetime <= 0):
        raise bad_parameter("lifetime_seconds must be a positive number of seconds")
    token = state.issue_personal_token(owner.identity, lifetime, str(body.get("comment", "")))
    return _json(request, {"token_value": token.secret, "token_info": _token_info(token)})


async def list_tokens(request: Request) -> Response:
    state: State = request.app.state.workspace
    owner = require_token(request)
    return _json(request, {"token_infos": [_token_info(t) for t in _own_tokens(state, owner)]})


async def delete_token(request: Request) -> Response:
    state: State = request.app.state.workspace
    owner = require_token(request)
    token_id = (await _body(request)).get("token_id")
    for token in _own_tokens(state, owner):
        if token.token_id == token_id:
            token.revoked = True
            return _json(request, {})
    raise not_found(f"Token with ID {token_id} does not exist.")


async def any_other(request: Request) -> Response:
    """Any other API path: the credential is looked at before the path is, as on a real workspace."""
    require_token(request)
    raise ApiError(404, "ENDPOINT_NOT_FOUND", f"No API found for '{request.method} {request.url.path}'")


routes = [
    Route("/api/2.0/preview/scim/v2/Me", me),
    Route("/api/2.0/clusters/spark-versions", spark_versions),
    Route("/api/2.0/serving-endpoints", list_endpoints),
    Route("/api/2.0/serving-endpoints:foundation-models", foundation_models),
    Route("/api/2.0/serving-endpoints/{name}", get_endpoint),
    Route("/api/2.1/unity-catalog/model-services", model_services),
    Route("/api/2.0/token/create", create_token, methods=["POST"]),
    Route("/api/2.0/token/list", list_tokens),
    Route("/api/2.0/token/delete", delete_token, methods=["POST"]),
    Route("/api/{rest:path}", any_other, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
]
