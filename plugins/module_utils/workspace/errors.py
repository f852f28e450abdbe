# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever databricks-sdk, requests or TLS raise, as one :class:`WorkspaceError`: what, where, the way out, never a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from ..careful import line
from ..errors import OperatorError
from .sdk import DatabricksError, requests, sdk_errors

HTTP_TIMEOUT_SECONDS = 5.0
"""Longest silence in one request."""

_LONGEST_PART = 4000

GRANTS = (
    "USE CATALOG on system, USE SCHEMA and EXECUTE on system.ai, CAN QUERY on the serving endpoints, "
    "and the entitlement Workspace access or Consumer access"
)


class WorkspaceError(OperatorError):
    """What a workspace, or the way to it, refused.

    ``kind`` is one of: no_credentials, wrong_secret, unauthorized, forbidden, not_found, unreachable, timeout, tls,
    wrong_host, not_databricks, throttled, server_error, configuration, other. ``retry_after`` is what the workspace said, in seconds.
    """

    def __init__(
        self, kind: str, what: str, where: str = "", way_out: str = "", retry_after: int | None = None
    ) -> None:
        # It may quote what a workspace said, and is printed on a terminal.
        super().__init__(*(line(one, _LONGEST_PART) for one in (what, where, way_out)))
        self.kind = kind
        self.retry_after = retry_after


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Walk from an exception to what caused it: the SDK wraps the interesting one two or three times."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def clean_message(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return one short line of an SDK message, without the configuration it appends and without any of the secrets."""
    said = line(re.split(r"\.? *(?:Config|Env): ", text, maxsplit=1)[0], _LONGEST_PART)
    for secret in secrets:
        said = said.replace(secret, "********")
    return line(said)


def _explain_tls(text: str, url: str, ca_file: str | None) -> WorkspaceError:
    if "mismatch" in text or "doesn't match" in text:
        return WorkspaceError(
            "tls",
            "the certificate that answers was issued for another host name",
            url,
            "Use the name that the certificate has as coding_agents_workspace_url, or let the workspace's "
            "administrator mend the certificate.",
        )
    if "expired" in text:
        return WorkspaceError(
            "tls", "its certificate has expired", url, "Renew it, and check the control node's clock."
        )
    if "CERTIFICATE_VERIFY_FAILED" in text:
        way_out = (
            f"coding_agents_ca_file ({ca_file}) does not hold the authority that issued it: put that one in."
            if ca_file
            else "If your network uses a private authority, name its PEM file in coding_agents_ca_file."
        )
        return WorkspaceError("tls", "its certificate was issued by an authority that is not trusted", url, way_out)
    return WorkspaceError(
        "tls", "no encrypted connection could be made", url, "Check that this port speaks https, and what is between."
    )


def _explain_connection(error: BaseException, url: str, ca_file: str | None) -> WorkspaceError:
    text = " ".join(str(link) for link in _chain(error))
    if isinstance(error, requests.exceptions.SSLError):
        return _explain_tls(text, url, ca_file)
    if isinstance(error, requests.exceptions.ProxyError):
        return WorkspaceError(
            "unreachable",
            "the proxy did not let us through",
            url,
            "Check HTTPS_PROXY and NO_PROXY on the control node.",
        )
    if isinstance(error, requests.exceptions.Timeout):
        return late(url, HTTP_TIMEOUT_SECONDS)
    if any(type(link).__name__ == "NameResolutionError" for link in _chain(error)) or "resolve" in text:
        what = "the host name is not known"
    elif "refused" in text:
        what = "the connection was refused"
    else:
        what = "no connection could be made"
    return WorkspaceError(
        "unreachable",
        f"cannot be reached from the control node: {what}",
        url,
        "Check coding_agents_workspace_url, and that the control node reaches it (proxy, VPN, private link).",
    )


def late(url: str, seconds: float) -> WorkspaceError:
    return WorkspaceError(
        "timeout",
        f"did not answer within {seconds:.0f} s",
        url,
        "Check coding_agents_workspace_url, and that the control node reaches it (proxy, VPN, private link).",
    )


def _explain_refusal(error: Exception, text: str, url: str) -> WorkspaceError:
    """Map an answer of the API that is an error. ``text`` is the cleaned message."""
    lowered = text.lower()
    told = f' ("{text}")' if text else ""
    if "invalid token" in lowered or "invalid access token" in lowered:
        # A token of another workspace is answered with 400 or 403, not with 401.
        return WorkspaceError(
            "unauthorized", f"the credentials are not valid for this workspace{told}", url, _SIGN_IN_AGAIN
        )
    if isinstance(error, sdk_errors.Unauthenticated):
        return WorkspaceError("unauthorized", f"rejects the credentials (HTTP 401){told}", url, _SIGN_IN_AGAIN)
    if isinstance(error, sdk_errors.PermissionDenied):
        if "ip acl" in lowered or "ip access list" in lowered or "private link" in lowered or "privatelink" in lowered:
            return WorkspaceError(
                "forbidden",
                f"does not let this network in (HTTP 403){told}",
                url,
                "Run from an address that the workspace's IP access list or private link admits.",
            )
        if "required scopes" in lowered:
            return WorkspaceError(
                "forbidden",
                f"the credentials lack a scope (HTTP 403){told}",
                url,
                "Sign in again, or give the service principal the scope all-apis.",
            )
        return WorkspaceError("forbidden", f"the identity lacks a grant (HTTP 403){told}", url, f"It needs: {GRANTS}.")
    if isinstance(error, sdk_errors.NotFound):
        return WorkspaceError("not_found", f"does not know what was asked for (HTTP 404){told}", url)
    if isinstance(error, (sdk_errors.TooManyRequests, sdk_errors.ResourceExhausted)):
        return WorkspaceError("throttled", f"answers too many requests (HTTP 429){told}", url, "Try again in a minute.")
    if isinstance(error, (sdk_errors.InternalError, sdk_errors.TemporarilyUnavailable, sdk_errors.DeadlineExceeded)):
        return WorkspaceError("server_error", f"has trouble of its own{told}", url, "Try again later.")
    return WorkspaceError("other", f"refuses the request{told}", url)


_SIGN_IN_AGAIN = (
    "Check that coding_agents_client_id and coding_agents_client_secret (or coding_agents_pat, or the control node's own sign-in) "
    "belong to this workspace; renew them if they expired."
)


def explain(
    error: BaseException, url: str, ca_file: str | None = None, secrets: tuple[str, ...] = ()
) -> WorkspaceError:
    """Return the one error to show for whatever the SDK or requests raised.

    :param url: the workspace, named as the place.
    :param ca_file: the operator's private CA file, if any; the message on an unknown authority depends on it.
    :param secrets: values that must not appear even if a server repeats them.
    """
    links = list(_chain(error))
    for link in links:
        if isinstance(link, WorkspaceError):
            return link
    for link in links:
        if isinstance(link, (requests.exceptions.InvalidJSONError, json.JSONDecodeError)):
            return not_databricks(url, "answers with something that is not JSON")
        if isinstance(link, (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)):
            return not_databricks(url, "answers with something that breaks off, or cannot be unpacked")
        if isinstance(link, RecursionError):
            return not_databricks(url, "answers with something that is nested too deeply")
        if isinstance(link, (requests.exceptions.ConnectionError, requests.exceptions.Timeout)):
            return _explain_connection(link, url, ca_file)
    text = clean_message(str(error), secrets)
    for link in links:
        if isinstance(link, DatabricksError):
            message = clean_message(str(link), secrets)
            if "<html" in message.lower() or "bug in the databricks sdk" in message.lower():
                return not_databricks(url, "answers with a web page or another format that is not Databricks'")
            return _explain_refusal(link, message, url)
    if "invalid_client" in text or "unauthorized_client" in text:
        return WorkspaceError(
            "wrong_secret",
            "rejects the client id or the client secret of the service principal",
            url,
            "Check coding_agents_client_id and coding_agents_client_secret: the secret is shown once, when it is made, "
            "expires, and belongs to a service principal that must be added to this workspace.",
        )
    if "cannot configure default credentials" in text or "not configured" in text:
        return WorkspaceError(
            "no_credentials", "the control node has no credentials for it", url, NO_CREDENTIALS_WAY_OUT
        )
    if "auth login" in text or "refresh token is invalid" in text:
        return WorkspaceError(
            "unauthorized",
            "the control node's sign-in has ended",
            url,
            f"Sign in again: databricks auth login --host {url}",
        )
    if text == "unknown: unknown":
        # What the SDK makes of a refusal by the token endpoint that is not OAuth's: mostly 429 and 500.
        return WorkspaceError("server_error", "did not give a token and did not say why", url, "Try again in a minute.")
    if "profile configured" in text or "more than one authorization method" in text or "reserved section" in text:
        return WorkspaceError("configuration", text, "databricks-sdk", "Name one profile, or one identity.")
    if isinstance(error, NotImplementedError):
        return not_databricks(url, "answers the token request with something that is no token")
    if isinstance(error, (LookupError, TypeError, AttributeError, ArithmeticError)):
        return not_databricks(url, f"answers with something that databricks-sdk cannot take ({type(error).__name__})")
    return WorkspaceError("other", f"cannot be asked ({type(error).__name__}: {text})", url)


NO_CREDENTIALS_WAY_OUT = (
    "Set coding_agents_client_id and coding_agents_client_secret, name a profile of the control node's "
    "~/.databrickscfg in coding_agents_auth_profile, or sign in there with the Databricks CLI."
)


def not_databricks(url: str, what: str) -> WorkspaceError:
    return WorkspaceError(
        "not_databricks",
        what,
        url,
        "Check that coding_agents_workspace_url is the workspace itself (not the account console, not a page behind a "
        "proxy that wants a sign-in).",
    )
