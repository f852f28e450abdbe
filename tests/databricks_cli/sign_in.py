# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""``databricks auth login`` ("Sign-in" in README.md): a browser, and a wait for its callback that nothing bounds."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import json
import os
import secrets
import shlex
import shutil
import socketserver
import subprocess
import sys
import time
import urllib.parse

from . import store
from .config import ConfigFile, canonical_host
from .errors import CliError
from .main import Call
from .net import VERSION, Client, Unreachable
from .tokens import _ASK_FOR_HOST, endpoints, named, oauth_error

_PORTS = range(8020, 8041)
_OPENERS = ("xdg-open", "x-www-browser", "www-browser", "open")
_METADATA_LIVES = 3600.0


class _Callback(http.server.BaseHTTPRequestHandler):
    server: _Listener

    def do_GET(self) -> None:
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        wanted = "code" in query or "error" in query
        self.send_response(200 if wanted else 404)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        if wanted:
            self.wfile.write(b"<h1>You can close this tab</h1>" if "code" in query else b"<h1>Sign-in failed</h1>")
            self.server.answer = query

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: stderr is what the caller reads."""


class _Listener(socketserver.TCPServer):
    allow_reuse_address = True
    answer: dict[str, str] | None = None


def _listen() -> _Listener:
    for port in _PORTS:
        with contextlib.suppress(OSError):
            return _Listener(("127.0.0.1", port), _Callback)
    raise CliError("no port available to listen on")


def open_browser(url: str) -> None:
    """Send the person to ``url`` and wait for what was started to end."""
    browser = os.environ.get("BROWSER", "")
    if browser == "none":
        sys.stderr.write(f"Please complete authentication by opening this link in your browser:\n{url}\n")
        return
    if browser:
        opened = subprocess.call(["/bin/bash", "-c", f"{shlex.quote(browser)} {shlex.quote(url)}"]) == 0
    else:
        found = [path for path in map(shutil.which, _OPENERS) if path]
        quiet = subprocess.DEVNULL
        opened = bool(found) and subprocess.call([found[0], url], stdout=quiet, stderr=quiet) == 0
    if not opened:
        sys.stdout.write(f"Please continue the authentication process in your browser:\n{url}\n")
        sys.stdout.flush()


def host_metadata(client: Client, host: str, patiently: bool = True) -> dict[str, str]:
    """``/.well-known/databricks-config``, from a cache that lives an hour."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    beginning = os.environ.get("DATABRICKS_CACHE_DIR") or os.path.join(cache, "databricks")
    directory = os.path.join(beginning, VERSION, "host-metadata")
    path = os.path.join(directory, hashlib.sha256(host.encode()).hexdigest() + ".json")
    with contextlib.suppress(OSError, ValueError):
        if time.time() - os.stat(path).st_mtime < _METADATA_LIVES:
            with open(path, encoding="utf-8") as stream:
                cached: dict[str, str] = json.load(stream)
                return cached
    url = f"{host}/.well-known/databricks-config"
    status, body = client.patiently(url) if patiently else client.once("GET", url)
    found: dict[str, str] = {}
    if status == 200:
        with contextlib.suppress(ValueError):
            found = json.loads(body)
        with contextlib.suppress(OSError):
            os.makedirs(directory, mode=0o700, exist_ok=True)
            with open(path, "w", encoding="utf-8") as stream:
                json.dump(found, stream)
    return found


def _code(listener: _Listener, state: str) -> str:
    """The code of the callback, whenever it comes: the wait has no end of its own."""
    while listener.answer is None:
        listener.handle_request()
    answer = listener.answer
    if answer.get("state") != state:
        raise CliError("authorize: state mismatch")
    if "error" in answer:
        raise CliError(f"authorize: {answer['error']}: {answer.get('error_description', '')}")
    return answer["code"]


def _authorize(client: Client, host: str) -> dict[str, object]:
    """The whole authorization code flow with PKCE; returns the token as it is stored."""
    authorization_endpoint, token_endpoint = endpoints(client, host)
    state, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(48)
    with _listen() as listener:
        redirect = f"http://localhost:{listener.server_address[1]}"
        query = {
            "client_id": "databricks-cli",
            "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("="),
            "code_challenge_method": "S256",
            "redirect_uri": redirect,
            "response_type": "code",
            "scope": "offline_access all-apis",
            "state": state,
        }
        open_browser(f"{authorization_endpoint}?{urllib.parse.urlencode(query)}")
        code = _code(listener, state)
    form = {"grant_type": "authorization_code", "client_id": "databricks-cli", "code": code}
    status, body = client.once(
        "POST", token_endpoint, form={**form, "code_verifier": verifier, "redirect_uri": redirect}
    )
    if status != 200:
        error, description = oauth_error(body)
        raise CliError(f'authorize: oauth2: "{error}" "{description}"')
    return store.stamp(json.loads(body))


def auth_login(call: Call) -> None:
    config = ConfigFile()
    profile, host = named(call, config)
    section = config.profiles().get(profile)
    host = host or (canonical_host(section.get("host")) if section else "")
    host = host or canonical_host(os.environ.get("DATABRICKS_HOST", ""))
    if not host:
        raise CliError(_ASK_FOR_HOST)
    tokens = store.resolve_for_login(config)
    client = Client(call.command)
    try:
        metadata = host_metadata(client, host)
        token = _authorize(client, host)
    except Unreachable as error:
        raise CliError(str(error)) from None
    tokens.keep(profile, host, token)
    if not profile:
        return  # there is nobody to ask for a name, so nothing is said and no profile written
    values = {key: str(metadata.get(key) or "") for key in ("account_id", "workspace_id")}
    config.save_profile(profile, {"host": host, **values, "auth_type": "databricks-cli"})
    if tokens.mode == store.SECURE and not tokens.source:
        config.set_setting("auth_storage", store.SECURE)
    config.save()
    sys.stderr.write(f"Profile {profile} was successfully saved\n")
