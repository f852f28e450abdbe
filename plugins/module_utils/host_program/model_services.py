# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model services that a schema of Unity Catalog has, page by page: a listing of all schemas times out on the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from ..routing import MODEL_SERVICES

_MOST_PAGES = 50


def listed(get: Callable[[str], Mapping[str, Any] | None], schema: str) -> Iterator[str]:
    """The whole names (``catalog.schema.name``). ``get`` asks for a path, and has nothing where that did not work: then it ends."""
    page = ""
    for _number in range(_MOST_PAGES):
        body = get(f"{MODEL_SERVICES}?parent=schemas/{quote(schema)}&page_size=50{page}")
        if body is None:
            return
        services = body.get("model_services")
        for one in services if isinstance(services, list) else ():
            name = one.get("name") if isinstance(one, dict) else None
            if isinstance(name, str):
                yield name.removeprefix("model-services/")
        more = body.get("next_page_token")
        if not isinstance(more, str) or not more:
            return
        page = f"&page_token={quote(more, safe='')}"
