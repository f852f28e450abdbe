# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""HTTP as databricks-sdk-go does it: silent retries for minutes on what may pass, ``SSL_CERT_FILE`` and ``HTTPS_PROXY`` heeded."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request

from . import knobs

VERSION = "1.13.0"
#: The last line of the CLI before ``--force-refresh``, for the knob ``old``.
OLD_VERSION = "0.229.0"
_GIVE_UP_AFTER = 300.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Unreachable(Exception):
    """No HTTP answer; the text is what Go says."""


def version() -> str:
    return OLD_VERSION if "old" in knobs.read() else VERSION


def user_agent(command: str) -> str:
    """``command``: the words of the command, joined with ``_``."""
    return f"cli/{version()} databricks-sdk-go/0.171.0 go/1.26.8 os/linux cmd/{command} auth/databricks-cli"


class Client:
    """Makes the requests of one command."""

    def __init__(self, command: str) -> None:
        self._agent = user_agent(command)

    def once(
        self, method: str, url: str, *, token: str = "", form: dict[str, str] | None = None, body: object = None
    ) -> tuple[int, bytes]:
        """Status and body of one attempt, within 30 s. Raises Unreachable."""
        data, headers = None, {"User-Agent": self._agent}
        if form is not None:
            data, headers["Content-Type"] = urllib.parse.urlencode(form).encode(), "application/x-www-form-urlencoded"
        elif body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        if token:
            headers["Authorization"] = f"Bearer {token}"
        handlers: list[urllib.request.BaseHandler] = [
            urllib.request.HTTPSHandler(
                context=ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or None)
            )
        ]
        if urllib.parse.urlsplit(url).hostname in _LOOPBACK:
            handlers.append(urllib.request.ProxyHandler({}))  # Go asks no proxy for these
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, ssl.SSLCertVerificationError):
                reason = "tls: failed to verify certificate: x509: certificate signed by unknown authority"
            raise Unreachable(f'{method.title()} "{url}": {reason}') from None

    def patiently(self, url: str) -> tuple[int, bytes]:
        """GET, again and again without a word while the host does not answer or is busy. Raises Unreachable at the end."""
        limit, pause = time.monotonic() + _GIVE_UP_AFTER, 1.0
        while True:
            try:
                status, body = self.once("GET", url)
                if status not in (429, 502, 503, 504) or time.monotonic() > limit:
                    return status, body
            except Unreachable as error:
                if "x509" in str(error) or time.monotonic() > limit:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, 10.0)
