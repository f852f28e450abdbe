# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""The answers a Databricks workspace gives when it refuses a request.

Two shapes exist. REST paths, and the model paths too, answer ``{"error_code": ..., "message": ...}``, where
``error_code`` is a name for errors of the API itself and the bare HTTP status *as a number* for errors of the
authenticating front end (databricks-sdk-go issue 1158: 401 "Credential was not sent ..."; issue 1046: 403 "Invalid
access token."). The OAuth token endpoint answers ``{"error": ..., "error_description": ...}`` (RFC 6749, section 5.2).
"""

from __future__ import annotations

import uuid

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class ApiError(Exception):
    """A refusal in Databricks' REST shape."""

    def __init__(self, status: int, error_code: str | int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.message = message

    def response(self) -> JSONResponse:
        headers = {}
        if isinstance(self.error_code, int):
            headers["x-databricks-reason-phrase"] = self.message
        if self.status == 401:
            headers["www-authenticate"] = 'Bearer realm="DatabricksRealm"'
        return JSONResponse({"error_code": self.error_code, "message": self.message}, self.status, headers)


class OAuthError(Exception):
    """A refusal of the OAuth token endpoint."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description

    def response(self) -> JSONResponse:
        headers = {"cache-control": "no-store"}
        if self.status == 401:
            headers["www-authenticate"] = "Basic"
        return JSONResponse({"error": self.error, "error_description": self.description}, self.status, headers)


def not_found(message: str) -> ApiError:
    """404 with the code that databricks-sdk turns into ``ResourceDoesNotExist``."""
    return ApiError(404, "RESOURCE_DOES_NOT_EXIST", message)


def bad_parameter(message: str) -> ApiError:
    return ApiError(400, "INVALID_PARAMETER_VALUE", message)


def credential_error(token_state: str, status: int) -> ApiError:
    """The refusal of a request whose credential is ``none``, ``unknown``, ``expired`` or ``revoked``.

    ``status`` is 401 or 403: real workspaces are known to use both for an expired token, and agents treat them very
    differently, so a test chooses.
    """
    text = {
        "none": "Credential was not sent or was of an unsupported type for this API.",
        "expired": "Token is expired.",
    }.get(token_state, "Invalid access token.")
    return ApiError(status, status, f"{text} [ReqId: {uuid.uuid4()}]")


async def api_error_handler(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, ApiError | OAuthError)
    return exc.response()


async def no_such_path(request: Request, _exc: Exception) -> Response:
    """What the API front end says about a path that it does not know."""
    return ApiError(404, "ENDPOINT_NOT_FOUND", f"No API found for '{request.method} {request.url.path}'").response()
