# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""What every request passes through before it reaches its route: the log, and the misbehaviour a test asked for."""

from __future__ import annotations

import asyncio
import email.utils
import time
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import ApiError, credential_error
from .state import Credential, Failure, State

#: The admin interface of the simulation; a real workspace has no such paths, so they are neither logged nor disturbed.
ADMIN_PREFIX = "/_test/"

_ERROR_CODES: dict[int, str | int] = {
    400: "BAD_REQUEST",
    401: 401,
    403: "PERMISSION_DENIED",
    404: "ENDPOINT_NOT_FOUND",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def bearer(headers: Headers) -> str | None:
    """The token of an ``Authorization: Bearer`` header. Nothing else counts: not ``x-api-key``, not basic auth."""
    scheme, _space, value = headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None


def require_token(request: Request) -> Credential:
    """The credential of a request, or the refusal that a real workspace gives.

    :raises ApiError: with status 401, or 403 when the test says so.
    """
    state: State = request.app.state.workspace
    secret = bearer(request.headers)
    found = state.token_state(secret)
    if secret is None or found != "valid":
        raise credential_error(found, state.control.refuse_with)
    return state.credentials[secret]


def record_of(request: Request) -> dict[str, Any]:
    """The log entry of a request, for a route to add what only it knows."""
    record: dict[str, Any] = request.scope["workspace_record"]
    return record


class Gate:
    """ASGI middleware around the routes."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(ADMIN_PREFIX):
            await self.app(scope, receive, send)
            return
        record = self._record(scope)
        scope["workspace_record"] = record
        request_id = f"{record['n']:08x}"

        async def recording_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                record["status"] = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"server", b"databricks"),
                    (
                        b"date",
                        email.utils.formatdate(time.time() + self.state.control.clock_ahead, usegmt=True).encode(),
                    ),
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        answer = await self._disturbed(scope["method"], scope["path"])
        try:
            await (answer or self.app)(scope, receive, recording_send)
        except Exception:
            # A fault of the simulation; what answers it stands outside of this gate.
            record["status"] = 500
            raise

    def _record(self, scope: Scope) -> dict[str, Any]:
        headers = Headers(scope=scope)
        secret = bearer(headers)
        credential = self.state.credentials.get(secret or "")
        query = scope["query_string"].decode("latin-1")
        seen = {"path": scope["path"], "query": query, "user_agent": headers.get("user-agent", "")}
        # A secret in one of these would end in the access log of a real server: say so, and do not repeat the fault.
        leaks = [name for name, text in seen.items() if self.state.holds_secret(text)]
        return self.state.new_record(
            method=scope["method"],
            path=self.state.scrub(seen["path"]),
            query_keys=[]
            if "query" in leaks
            else sorted({k for k, _value in parse_qsl(query, keep_blank_values=True)}),
            token=self.state.token_state(secret),
            identity=credential.identity.kind if credential else None,
            status=None,
            host=headers.get("host", ""),
            user_agent=self.state.scrub(seen["user_agent"]),
            client=scope["client"][0] if scope.get("client") else None,
            secret_in=leaks,
        )

    async def _disturbed(self, method: str, path: str) -> Response | None:
        """The answer that a control puts in place of the route's own, after any wait it asks for."""
        control = self.state.control
        if control.redirect_to is not None:
            return RedirectResponse(control.redirect_to, 303)
        if control.hang is not None and path.startswith(control.hang):
            # Until the test lifts it; the request then goes on. The client is expected to give up long before.
            while self.state.control.hang is not None and path.startswith(self.state.control.hang):
                await asyncio.sleep(0.05)
        if control.delay is not None and path.startswith(control.delay.path_prefix):
            await asyncio.sleep(control.delay.seconds)
        failure = self._next_failure(method, path)
        if failure is not None:
            code = _ERROR_CODES.get(failure.status, "INTERNAL_ERROR")
            answer: Response = ApiError(failure.status, code, "The simulated workspace was told to fail.").response()
            if failure.retry_after is not None:
                answer.headers["retry-after"] = str(failure.retry_after)
            return answer
        if not control.gateway and (path == "/ai-gateway" or path.startswith("/ai-gateway/")):
            return ApiError(404, "ENDPOINT_NOT_FOUND", f"No API found for '{method} {path}'").response()
        return None

    def _next_failure(self, method: str, path: str) -> Failure | None:
        pending = self.state.control.fail_next
        for failure in pending:
            if path.startswith(failure.path_prefix) and failure.method in (None, method):
                failure.count -= 1
                if failure.count <= 0:
                    pending.remove(failure)
                return failure
        return None
