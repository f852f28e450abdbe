# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""A plain way to talk to the simulated workspace, with the steps of a browser sign-in."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any

from tests.workspace.client import Workspace

REDIRECT = "http://localhost:8020"


@dataclass
class Answer:
    """An HTTP answer. ``json`` raises ValueError when the body is none."""

    status: int
    headers: Message
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


class Caller:
    """An HTTP client with no opinion: it sends what it is told, and returns refusals and redirects like any answer."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        context = ssl.create_default_context(cafile=workspace.ca_file)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _NoRedirect()
        )

    def __call__(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: object = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30,
    ) -> Answer:
        data = json.dumps(body).encode() if body is not None else None
        if form is not None:
            data = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(self.workspace.url + path, data, dict(headers or {}), method=method)
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                return Answer(answer.status, answer.headers, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read().decode())

    def token(self, **form: str) -> Answer:
        """A call of the token endpoint."""
        return self("POST", "/oidc/v1/token", form=form)

    def authorize(self, **changes: str) -> Answer:
        """The authorize request of the Databricks CLI, with ``changes``; an empty one takes its key out."""
        query = {
            "client_id": "databricks-cli",
            "redirect_uri": REDIRECT,
            "response_type": "code",
            "scope": "offline_access all-apis",
            "state": "s1",
            "code_challenge": "x",
            "code_challenge_method": "S256",
        } | changes
        return self("GET", "/oidc/v1/authorize?" + urllib.parse.urlencode({k: v for k, v in query.items() if v}))

    def code(self, verifier: str, **changes: str) -> str:
        """An authorization code that ``verifier`` opens."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        return redirected(self.authorize(code_challenge=challenge, **changes))["code"]

    def exchange(self, issued_code: str, verifier: str, **changes: str) -> Answer:
        form = {
            "grant_type": "authorization_code",
            "client_id": "databricks-cli",
            "redirect_uri": REDIRECT,
            "code": issued_code,
            "code_verifier": verifier,
        }
        return self.token(**(form | changes))

    def sign_in(self, **changes: str) -> dict[str, Any]:
        """The token answer of a whole browser sign-in."""
        verifier = secrets.token_urlsafe(32)
        answer = self.exchange(self.code(verifier, **changes), verifier)
        assert answer.status == 200, answer.text
        tokens: dict[str, Any] = answer.json
        return tokens

    def refresh(self, refresh_token: str) -> Answer:
        return self.token(grant_type="refresh_token", client_id="databricks-cli", refresh_token=refresh_token)

    def me(self, token: str | None) -> Answer:
        return self("GET", "/api/2.0/preview/scim/v2/Me", token=token)


def redirected(answer: Answer) -> dict[str, str]:
    """The query of the address that an authorize answer leads to."""
    assert answer.status == 302, answer.text
    location = answer.headers["location"]
    assert location.startswith(REDIRECT + "?"), location
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))


def named_events(text: str) -> list[tuple[str, dict[str, Any]]]:
    """A server-sent event stream, read strictly: one ``event:`` and one ``data:`` line each, blank line after each."""
    assert text.endswith("\n\n")
    found = []
    for block in text[:-2].split("\n\n"):
        name, data = block.split("\n")
        assert name.startswith("event: ")
        assert data.startswith("data: ")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def data_events(text: str, end: str = "\n\n") -> list[str]:
    """The data of a server-sent event stream that has nothing but ``data:`` lines, read strictly."""
    assert text.endswith(end)
    blocks = text.removesuffix(end).split(end)
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
    return [block.removeprefix("data: ") for block in blocks]
