# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the relay is told at rollout: one JSON file beside the host program's configuration, without a secret."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .. import careful

FILE_NAME = "relay.json"
"""In the data directory of the host program's configuration, as the next one."""
PROGRAM_NAME = "relay.pyz"

TOOL = "fmapi.coding_agents relay"
"""How a relay calls itself in its answer to /health."""
HOST = "127.0.0.1"
"""The only address that it listens at."""

DEFAULT_PORT = 49153
DEFAULT_IDLE_MINUTES = 30
DEFAULT_WEB_FETCH_BYTES = 102400

WEB_KEY_NAME = "web-search-key"
"""The secret of a search service, beside them, where one is used."""

PREFIXES = ("anthropic", "codex", "openai", "gemini", "mlflow", "otel")
"""First part of a request's path. Each has one upstream, where it is known."""

SESSION, SERVICE = "session", "service"
LIVES = (SESSION, SERVICE)
"""How it lives: as long as its clients, or until it is told to stop."""

WEB_SEARCHES = ("duckduckgo", "searxng", "brave", "none")
"""Who searches. None of them in place of such a word is another thing: then nothing is rewritten at all."""


class Settings(NamedTuple):
    """How one user's relay serves. No dataclass: to import those costs a hook a fifth of its time."""

    config: str
    """Path of the host program's configuration: where tokens come from."""
    upstreams: Mapping[str, str]
    """Base URL by prefix: a request to ``/PREFIX/REST?QUERY`` goes to ``URL/REST?QUERY``."""
    port: int = DEFAULT_PORT
    life: str = SESSION
    idle_minutes: int = DEFAULT_IDLE_MINUTES
    """0: it never ends by itself."""
    tls_cert: str | None = None
    tls_key: str | None = None
    web_search: str | None = None
    web_search_url: str | None = None
    web_fetch_bytes: int = DEFAULT_WEB_FETCH_BYTES
    web_allowed_addresses: Sequence[str] = ()
    """Networks that the address guard lets through."""

    @property
    def url(self) -> str:
        """The root of what it serves."""
        return f"{'https' if self.tls_cert else 'http'}://{HOST}:{self.port}"

    def base_url(self, prefix: str) -> str:
        """What an agent is given in place of that upstream."""
        return f"{self.url}/{prefix}"

    def to_json(self) -> str:
        told = {**self._asdict(), "web_allowed_addresses": list(self.web_allowed_addresses)}
        return json.dumps(told, indent=1, sort_keys=True) + "\n"

    @classmethod
    def load(cls, path: str) -> Settings:
        """Raises OSError, ValueError, TypeError for a file that is not there or not ours."""
        try:
            return cls._checked(json.loads(careful.read(path)))
        except RecursionError:
            raise ValueError("is nested too deeply") from None

    @classmethod
    def _checked(cls, told: Any) -> Settings:
        """Raises ValueError, TypeError unless each value is of its field's kind: others would be found out in a request."""
        if not isinstance(told, dict):
            raise ValueError("holds no JSON object")
        found = cls(**told)
        for name, fits in _judged(found).items():
            if not fits:
                raise ValueError(f"holds a value of another kind than it should: {name}")
        return found


def _judged(found: Settings) -> dict[str, bool]:
    """Whether each field's value is one that it may have."""
    both = (found.tls_cert is None) == (found.tls_key is None)
    return {
        "config": _is_path(found.config),
        "upstreams": _are_upstreams(found.upstreams),
        "port": _is_number(found.port, 1, 65535),
        "life": found.life in LIVES,
        "idle_minutes": _is_number(found.idle_minutes, 0, 1 << 31),
        "tls_cert": both and (found.tls_cert is None or _is_path(found.tls_cert)),
        "tls_key": both and (found.tls_key is None or _is_path(found.tls_key)),
        "web_search": found.web_search is None or found.web_search in WEB_SEARCHES,
        "web_search_url": found.web_search_url is None or is_url(found.web_search_url),
        "web_fetch_bytes": _is_number(found.web_fetch_bytes, 1, 1 << 31),
        "web_allowed_addresses": _are_networks(found.web_allowed_addresses),
    }


def _is_number(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_path(value: object) -> bool:
    return isinstance(value, str) and os.path.isabs(value) and "\0" not in value


def is_url(value: object) -> bool:
    """Whether it is one of a server, that can be asked for as it is."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _are_upstreams(value: object) -> bool:
    return isinstance(value, dict) and all(name in PREFIXES and _is_upstream(url) for name, url in value.items())


def _is_upstream(value: object) -> bool:
    """A token goes there with every request: only what is on the host itself gets it without TLS."""
    if not isinstance(value, str) or not is_url(value) or "?" in value or "#" in value or "@" in value:
        return False
    parts = urlsplit(value)
    return parts.scheme == "https" or parts.hostname in ("localhost", "::1") or str(parts.hostname).startswith("127.")


def _are_networks(value: object) -> bool:
    if not isinstance(value, (list, tuple)):
        return False
    try:
        return all(isinstance(one, str) and ipaddress.ip_network(one) is not None for one in value)
    except ValueError:
        return False
