# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a request goes: the prefix in its path names the upstream, the rest is appended to it as it came."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from .refusals import Refusal

_BETWEEN = re.compile(rb"[/\\]")
_DOTS = (b".", b"..")
_VERSION = b"v1"


class Origin(NamedTuple):
    """A server: what connections can be kept to."""

    scheme: bytes
    host: bytes
    port: int

    @property
    def netloc(self) -> bytes:
        """As the header Host has it."""
        host = b"[%b]" % self.host if b":" in self.host else self.host
        usual = self.port == (443 if self.scheme == b"https" else 80)
        return host if usual else b"%b:%d" % (host, self.port)

    @property
    def url(self) -> str:
        return f"{self.scheme.decode()}://{self.netloc.decode()}"


class Route(NamedTuple):
    """Where one request goes; ``target`` is what stands in its first line."""

    prefix: str
    origin: Origin
    target: bytes


def origin_of(url: str) -> Origin:
    """The server of a base URL that the settings name."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return Origin(scheme.encode(), (parts.hostname or "").encode(), parts.port or (443 if scheme == "https" else 80))


def route(path: bytes, query: bytes, upstreams: Mapping[str, str]) -> Route:
    """The route of a path and a query as they came, byte for byte. Raises Refusal for a path that leads nowhere."""
    empty, _slash, rest = path.partition(b"/")
    name, slash, rest = rest.partition(b"/")
    prefix = name.decode("ascii", "replace")
    if empty or prefix not in upstreams or _climbs(rest):
        known = ", ".join(f"/{one}" for one in upstreams) or "none"
        raise Refusal(404, "The relay does not know this path", f"It serves what begins with one of: {known}")
    rest = slash + rest
    base = urlsplit(upstreams[prefix])
    if prefix == "openai":
        # Clients differ in whether they append a version, and one base URL is to do for both of OpenAI's dialects.
        if rest == b"/v1" or rest.startswith(b"/v1/"):
            rest = rest[1 + len(_VERSION) :]
        if (rest + b"/").startswith(b"/responses/") and "codex" in upstreams:
            base = urlsplit(upstreams["codex"])
    target = base.path.rstrip("/").encode() + rest or b"/"
    return Route(prefix, origin_of(base.geturl()), target + (b"?" + query if query else b""))


def _climbs(path: bytes) -> bool:
    """Whether a server may take it for a place outside of the prefix: some decode it, or drop what stands behind a semicolon."""
    decoded = path
    for _time in range(3):
        if any(one.partition(b";")[0].strip() in _DOTS for one in _BETWEEN.split(decoded)):
            return True
        decoded = unquote_to_bytes(decoded)
    return False


def prefix_of(path: bytes) -> str:
    """The first part of a path, for an error in the form that its client reads."""
    return path[1:].partition(b"/")[0].decode("ascii", "replace")
