# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""The test's own door into the simulated workspace, under ``/_test/`` and behind a token of its own."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .catalogue import default_endpoints
from .federation import Policy
from .state import Delay, Failure, State


def _state(request: Request) -> State:
    state: State = request.app.state.workspace
    given = request.headers.get("x-test-admin", "")
    if not hmac.compare_digest(given.encode(), state.admin_token.encode()):
        raise PermissionError("the X-Test-Admin header is missing or wrong")
    return state


async def refuse(_request: Request, exc: Exception) -> Response:
    """Exception handler for this interface: wrong admin token, or a control that makes no sense."""
    return JSONResponse({"error": str(exc)}, 403 if isinstance(exc, PermissionError) else 400)


async def requests_log(request: Request) -> Response:
    state = _state(request)
    if request.method == "DELETE":
        state.log.clear()
    return JSONResponse({"requests": list(state.log)})


async def mint(request: Request) -> Response:
    """``POST /_test/token`` ``{"identity": "user"|"service_principal", "kind": "oauth"|"pat", "lifetime": seconds}``.

    A token without the requests, and without the log entries, that getting one takes.
    """
    state = _state(request)
    body = await request.json()
    identity = {"user": state.user, "service_principal": state.service_principal}[body.get("identity", "user")]
    lifetime = body.get("lifetime")
    if body.get("kind", "oauth") == "pat":
        return JSONResponse({"token": state.issue_personal_token(identity, lifetime, "minted by a test").secret})
    return JSONResponse({"token": state.issue_access_token(identity, lifetime=lifetime)[0]})


async def mint_oidc(request: Request) -> Response:
    """``POST /_test/oidc-token`` with the claims: a token of the identity provider whose key the workspace knows."""
    state = _state(request)
    return JSONResponse({"token": state.issue_oidc_token(dict(await request.json()))})


async def control(request: Request) -> Response:
    """``POST /_test/control``: any number of settings and actions; answers with all settings as they now stand.

    An unknown name or a wrong value is an error (400) and nothing of the request is done: a test with a typing mistake
    must not pass.
    """
    state = _state(request)
    body = await request.json()
    if not isinstance(body, dict):
        raise ValueError("expected a JSON object")
    unknown = sorted(set(body) - set(_PARSERS))
    if unknown:
        raise ValueError(f"unknown control(s): {', '.join(unknown)}; known: {', '.join(_PARSERS)}")
    # In the order of the table, so that a reset comes before what is set along with it. All are parsed before any acts.
    for act in [parser(state, body[name]) for name, parser in _PARSERS.items() if name in body]:
        act()
    return JSONResponse(asdict(state.control))


# Each parser checks its value and returns the action; raising here leaves everything as it was.
Action = Callable[[], None]
Parser = Callable[[State, Any], Action]


def _setting(name: str, check: Callable[[Any], Any]) -> Parser:
    def parse(state: State, value: Any) -> Action:
        checked = check(value)

        def act() -> None:
            setattr(state.control, name, checked)

        return act

    return parse


def _trigger(action: Callable[[State], None]) -> Parser:
    def parse(state: State, value: Any) -> Action:
        if value is not True:
            raise ValueError("this control is an action: its value must be true")
        return lambda: action(state)

    return parse


def _offset(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("expected a number of seconds")
    return float(value)


def _seconds(value: Any) -> float:
    if _offset(value) < 0:
        raise ValueError("expected a number of seconds, not negative")
    return float(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


def _refusal(value: Any) -> int:
    if value not in (401, 403):
        raise ValueError("refuse_with must be 401 or 403")
    return int(value)


def _prefix(value: Any) -> str | None:
    if value is not None and not (isinstance(value, str) and value.startswith("/")):
        raise ValueError("expected a path that starts with /, or null")
    return value


def _url(value: Any) -> str | None:
    if value is not None and not (isinstance(value, str) and urlsplit(value).scheme == "https"):
        raise ValueError("expected an https URL, or null")
    return value


def _delay(value: Any) -> Delay | None:
    return None if value is None else Delay(_prefix(value["path_prefix"]) or "/", _seconds(value["seconds"]))


def _failures(value: Any) -> list[Failure]:
    if value is None:
        return []
    found = [Failure(**item) for item in (value if isinstance(value, list) else [value])]
    for failure in found:
        if not _prefix(failure.path_prefix) or not 400 <= failure.status <= 599 or failure.count < 1:
            raise ValueError("fail_next needs path_prefix, a status from 400 to 599 and a count of at least 1")
    return found


def _policies(value: Any) -> tuple[Policy, ...]:
    return tuple(Policy(**{**one, "audiences": tuple(one["audiences"])}) for one in value or ())


def _words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise ValueError("expected a list of texts, none of them empty")
    return tuple(value)


def _endpoint_states(state: State, value: Any) -> Action:
    wanted = value if isinstance(value, list) else [value]
    for item in wanted:
        # Checked against the catalogue of a fresh workspace too: a reset in the same request brings endpoints back.
        if item["ready"] not in ("READY", "NOT_READY", "ABSENT"):
            raise ValueError("endpoint_state: ready must be READY, NOT_READY or ABSENT")
        if item["name"] not in state.endpoints:
            raise ValueError(f"endpoint_state: there is no endpoint {item['name']!r}")

    def act() -> None:
        for item in wanted:
            if item["ready"] == "ABSENT":
                del state.endpoints[item["name"]]
            else:
                state.endpoints[item["name"]].ready = item["ready"]

    return act


def _new_endpoints(state: State, value: Any) -> Action:
    wanted = value if isinstance(value, list) else [value]
    fresh = {one.name: one for one in default_endpoints()}
    added = [replace(fresh[item["like"]], name=item["name"]) for item in wanted]

    def act() -> None:
        state.endpoints.update({one.name: one for one in added})

    return act


def _new_services(state: State, value: Any) -> Action:
    wanted = value if isinstance(value, list) else [value]
    fresh = {one.name: one for one in default_endpoints()}
    if not all(str(item["name"]).count(".") == 2 for item in wanted):
        raise ValueError("new_service needs a name with a catalog and a schema, such as main.agents.claude-opus-4-10")
    added = {item["name"]: fresh[item["like"]] for item in wanted}
    return lambda: state.services.update(added)


def _expire_tokens(state: State) -> None:
    for credential in state.credentials.values():
        credential.expires = min(credential.expires or float("inf"), time.time() - 1)


def _revoke_tokens(state: State) -> None:
    for credential in state.credentials.values():
        credential.revoked = True


def _revoke_sign_ins(state: State) -> None:
    # Access tokens already given out live on until they expire, as they do on a real workspace.
    for sign_in in state.sign_ins.values():
        sign_in.revoked = True


_PARSERS: dict[str, Parser] = {
    "reset": _trigger(State.reset),
    "token_lifetime": _setting("token_lifetime", _seconds),
    "expire_tokens": _trigger(_expire_tokens),
    "revoke_tokens": _trigger(_revoke_tokens),
    "revoke_sign_ins": _trigger(_revoke_sign_ins),
    "refuse_with": _setting("refuse_with", _refusal),
    "clock_ahead": _setting("clock_ahead", _offset),
    "deny_sign_in": _setting("deny_sign_in", _flag),
    "reuse_revokes": _setting("reuse_revokes", _flag),
    "gateway": _setting("gateway", _flag),
    "strict": _setting("strict", _flag),
    "model_services": _setting("model_services", _flag),
    "codex_models": _setting("codex_models", _flag),
    "enforces_gateway": _setting("enforces_gateway", _flag),
    "redirect_to": _setting("redirect_to", _url),
    "hang": _setting("hang", _prefix),
    "delay": _setting("delay", _delay),
    "fail_next": _setting("fail_next", _failures),
    "federation_policies": _setting("federation_policies", _policies),
    "look_for": _setting("look_for", _words),
    "new_endpoint": _new_endpoints,
    "new_service": _new_services,
    "endpoint_state": _endpoint_states,
}


def build(state: State) -> Starlette:
    """The application behind ``/_test``. It turns a bad order into an answer; a fault in the workspace itself is none
    of its business, so the handlers stand here and not on the whole.
    """
    app = Starlette(
        routes=[
            Route("/requests", requests_log, methods=["GET", "DELETE"]),
            Route("/token", mint, methods=["POST"]),
            Route("/oidc-token", mint_oidc, methods=["POST"]),
            Route("/control", control, methods=["POST"]),
        ],
        exception_handlers=dict.fromkeys((PermissionError, ValueError, KeyError, TypeError), refuse),
    )
    app.state.workspace = state
    return app
