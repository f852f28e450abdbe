# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a request to the workspace travels: through a proxy, to a certificate that is trusted, and to nowhere else.

Apart from :mod:`.workspace` because all that HTTP needs takes longer to import than the rest of the host program, and most calls of it
ask nobody.
"""

from __future__ import annotations

import json
import socket
import ssl
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any, NoReturn

from .. import careful, web
from .token import TokenError

_MOST_BYTES = 1 << 20
LONGEST_NAME = 100

_CLOCK = (9, 10)
"""OpenSSL's codes for a certificate that is not yet valid, or not any more."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A workspace does not redirect what we ask; credentials are not sent to wherever an answer points."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        asked = urllib.parse.urlsplit(req.full_url)
        fp.close()
        host = careful.line(urllib.parse.urlsplit(newurl).netloc, LONGEST_NAME) or "elsewhere"
        raise TokenError(
            f"{asked.scheme}://{asked.netloc} redirects to {host}: it is not the workspace's own URL",
            hint="Use the URL it redirects to",
        )


def send(
    workspace_url: str,
    path: str,
    headers: Mapping[str, str],
    form: Mapping[str, str] | None,
    ca_file: str | None,
    timeout: float,
    order: Mapping[str, Any] | None = None,
) -> web.Reply:
    """GET; POST with a ``form``, or with an ``order``, which travels as JSON.

    Raises TokenError, and web.NoHttp for an answer that is none.
    """
    data = None if form is None else urllib.parse.urlencode(form).encode()
    data = data if order is None else json.dumps(order).encode()
    request = urllib.request.Request(workspace_url + path, data=data, headers=dict(headers))
    try:
        return web.ask(request, timeout, _MOST_BYTES, tls(ca_file), _NoRedirect())
    except OSError as error:
        unreachable(workspace_url, error, ca_file, timeout)


def tls(ca_file: str | None) -> ssl.SSLContext:
    """Whom we believe: the authorities of this host, and the operator's. Raises TokenError."""
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:
            raise TokenError(
                f"the CA file {ca_file} cannot be used ({error})", hint="Set coding_agents_ca_file to a PEM file"
            ) from None
    return context


def unreachable(workspace_url: str, error: OSError, ca_file: str | None, timeout: float) -> NoReturn:
    """Say why nothing could be asked there. Raises TokenError."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        if reason.verify_code in _CLOCK:
            hint = "Check this host's clock"
        elif ca_file:
            hint = f"Check that {ca_file} holds its CA"
        else:
            hint = "If your company has its own CA, set coding_agents_ca_file"
        raise TokenError(
            f"the certificate of {workspace_url} is not trusted ({reason.verify_message})", hint=hint
        ) from None
    proxy = proxy_for(workspace_url)
    if isinstance(reason, socket.gaierror):
        name = f"the name of the proxy {proxy}" if proxy else f"the name in {workspace_url}"
        hint = (
            "Check coding_agents_proxy, NO_PROXY and this host's DNS" if proxy else "Check the URL and this host's DNS"
        )
        raise TokenError(f"{name} cannot be resolved", hint=hint) from None
    through = f" through the proxy {proxy}" if proxy else ""
    hint = f"Check {proxy}, coding_agents_proxy and NO_PROXY" if proxy else "Check network, proxy and VPN"
    if isinstance(reason, (socket.timeout, TimeoutError)):
        raise TokenError(f"{workspace_url} did not answer{through} within {timeout:.0f} s", hint=hint) from None
    why = getattr(reason, "strerror", None) or reason  # without the number, which is another on each system
    raise TokenError(f"{workspace_url} cannot be reached{through} ({why})", hint=hint) from None


def proxy_for(url: str) -> str:
    """The proxy that requests to this URL go through, without what its URL may hold of a secret; empty for none."""
    try:
        found = urllib.parse.urlsplit(proxy_url(url))
        return careful.line(f"{found.hostname}:{found.port}" if found.port else found.hostname or "", LONGEST_NAME)
    except ValueError:
        return ""


def proxy_url(url: str) -> str:
    """The proxy's URL, with the name and the password that may be in it; empty for none. What is not https goes through none."""
    try:
        asked = urllib.parse.urlsplit(url)
        given = urllib.request.getproxies().get("https", "")
        if asked.scheme != "https" or not given or urllib.request.proxy_bypass(asked.netloc):
            return ""
    except ValueError:
        return ""
    return given if "://" in given else f"http://{given}"
