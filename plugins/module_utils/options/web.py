# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Web search and pages for agents, behind a gateway that refuses the vendor's."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

from ..places import MACHINE
from ..relay.settings import DEFAULT_WEB_FETCH_BYTES, WEB_SEARCHES, is_url
from .relay import OFF, life_of
from .values import PREFIX, Spec, as_boolean, as_list, by_kind, shown

DUCKDUCKGO, SEARXNG, BRAVE = WEB_SEARCHES[:3]

SPEC: Spec = {
    "web_search": {"type": "bool", "default": False},
    "web_search_backend": {"type": "str", "choices": list(WEB_SEARCHES), "default": DUCKDUCKGO},
    "web_search_url": {"type": "str"},
    "web_search_key": {"type": "str", "no_log": True},
    "web_fetch_bytes": {"type": "int", "default": DEFAULT_WEB_FETCH_BYTES},
    "web_allowed_addresses": {"type": "list", "elements": "str", "default": []},
}
EXAMPLES = {
    "web_search": "true",
    "web_search_backend": SEARXNG,
    "web_search_url": "https://search.example.com",
    "web_search_key": '"{{ vault_coding_agents_web_search_key }}"',
    "web_fetch_bytes": str(DEFAULT_WEB_FETCH_BYTES),
    "web_allowed_addresses": '["10.20.0.0/16"]',
}
USE: Mapping[str, str] = {}


def _url(value: Any, variable: str) -> list[str]:
    found = by_kind(variable, SPEC["web_search_url"], EXAMPLES["web_search_url"], value)
    if not found and not is_url(value):
        found = [f"{variable} is {shown(value)}, which is no URL. Give one, such as {EXAMPLES['web_search_url']}."]
    return found


def _key(value: Any, variable: str) -> list[str]:
    found = by_kind(variable, SPEC["web_search_key"], EXAMPLES["web_search_key"], value)
    if not found and not (str(value).isascii() and " " not in str(value)):
        found = [f"{variable} holds a character that no key has. Give the key as the search service shows it."]
    return found


def _bytes(value: Any, variable: str) -> list[str]:
    found = by_kind(variable, SPEC["web_fetch_bytes"], EXAMPLES["web_fetch_bytes"], value)
    if not found and not 1000 <= int(value) <= 10_000_000:
        found = [f"{variable} is {shown(value)}. Give a number of bytes from 1000 to 10000000, such as 102400."]
    return found


def _networks(value: Any, variable: str) -> list[str]:
    found = by_kind(variable, SPEC["web_allowed_addresses"], EXAMPLES["web_allowed_addresses"], value)
    if found:
        return found
    strange = [one for one in as_list(value) or () if not _is_network(one)]
    if strange:
        return [f"{variable} names {', '.join(strange)}, which is no network. Give networks such as 10.20.0.0/16."]
    return []


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


CHECKS: Mapping[str, Callable[[Any, str], list[str]]] = {
    "web_search_url": _url,
    "web_search_key": _key,
    "web_fetch_bytes": _bytes,
    "web_allowed_addresses": _networks,
}


def together(given: Mapping[str, Any]) -> list[str]:
    if not as_boolean(given.get("web_search")):
        return []
    found = []
    backend = given.get("web_search_backend") or DUCKDUCKGO
    if life_of(given.get("relay")) == OFF:
        found.append(
            f"{PREFIX}web_search is true, and {PREFIX}relay is off: the relay is what searches. Set {PREFIX}relay to auto."
        )
    if backend == SEARXNG and not given.get("web_search_url"):
        found.append(
            f"{PREFIX}web_search_backend is {SEARXNG}, and nothing says where it is. "
            f"Set {PREFIX}web_search_url, such as {EXAMPLES['web_search_url']}."
        )
    if backend == BRAVE and not given.get("web_search_key"):
        found.append(
            f"{PREFIX}web_search_backend is {BRAVE}, which wants a key. Set {PREFIX}web_search_key, in a vault."
        )
    if given.get("web_search_key") and given.get("scope") == MACHINE:
        found.append(
            f"{PREFIX}web_search_key is set, and {PREFIX}scope is machine: every user of the host could read it. "
            f"Use {PREFIX}scope user, or a search service that wants no key."
        )
    return found
