# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a workspace serves: the shape we return, filters, and the verdict on a list of names.

Pure: dictionaries in, dictionaries out. An endpoint comes in as the Databricks API writes it (``GET
/api/2.0/serving-endpoints``, the ``as_dict()`` of databricks-sdk).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from ..routing import base_model_name

READY = "READY"
NOT_READY = "NOT_READY"
NOT_FOUND = "NOT_FOUND"

# First match wins, so a name that holds two of them ("deepseek-r1-distill-llama") is sorted by the earlier one.
_FAMILIES = (
    "claude",
    "gemini",
    "gemma",
    "deepseek",
    "llama",
    "mixtral",
    "mistral",
    "qwen",
    "grok",
    "dbrx",
    "gpt",
    "gte",
    "bge",
)
FAMILIES = (*_FAMILIES, "other")
_CLAUDE_TIERS = ("opus", "sonnet", "haiku", "fable")
CLOSE_MATCHES = 3


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _rows(value: object) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _words(value: object) -> list[str]:
    return [word for word in value if isinstance(word, str) and word] if isinstance(value, list) else []


def model_family(*names: str | None) -> tuple[str, str | None]:
    """Return ``(family, tier)`` by the first of the names that tells; ``("other", None)`` if none does.

    The tier is given for Claude models only.
    """
    for name in names:
        lowered = (name or "").lower()
        for family in _FAMILIES:
            if family in lowered:
                tier = next((tier for tier in _CLAUDE_TIERS if tier in lowered), None) if family == "claude" else None
                return family, tier
    return "other", None


def _served_models(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    served = []
    # served_models is the older name of the same list; an endpoint that has both repeats itself.
    for entity in _rows(config.get("served_entities")) or _rows(config.get("served_models")):
        foundation = _table(entity.get("foundation_model"))
        external = _table(entity.get("external_model"))
        model = _text(foundation.get("name")) or _text(external.get("name")) or _text(entity.get("model_name"))
        served.append(
            {
                "name": _text(entity.get("name")),
                "model": model or _text(entity.get("entity_name")),
                "version": _text(entity.get("entity_version")) or _text(entity.get("model_version")),
                "display_name": _text(foundation.get("display_name")),
                "provider": _text(external.get("provider")) or ("databricks" if foundation else None),
            }
        )
    return served


def _api_types(config: Mapping[str, Any]) -> list[str]:
    """The dialects of everything behind an endpoint, each once."""
    foundations = [_table(entity.get("foundation_model")) for entity in _rows(config.get("served_entities"))]
    return list(dict.fromkeys(word for foundation in foundations for word in _words(foundation.get("api_types"))))


def api_types_of_service(service: Mapping[str, Any]) -> list[str]:
    """Return the dialects that a Unity Catalog model service speaks, as its listing names them."""
    return _words(service.get("supported_api_types"))


def _gateway(block: Mapping[str, Any]) -> dict[str, Any]:
    inference_table = _table(block.get("inference_table_config"))
    guardrails = _table(block.get("guardrails"))
    return {
        "usage_tracking": bool(_table(block.get("usage_tracking_config")).get("enabled")),
        "inference_table": bool(inference_table.get("enabled")),
        "rate_limits": [
            {
                "calls": limit.get("calls"),
                "tokens": limit.get("tokens"),
                "key": _text(limit.get("key")) or "endpoint",
                "principal": _text(limit.get("principal")),
                "renewal_period": _text(limit.get("renewal_period")),
            }
            for limit in _rows(block.get("rate_limits"))
        ],
        "guardrails": {"input": bool(guardrails.get("input")), "output": bool(guardrails.get("output"))},
        "fallback": bool(_table(block.get("fallback_config")).get("enabled")),
    }


def shape_endpoint(endpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result we document for one serving endpoint.

    ``state`` is READY, NOT_READY or UNKNOWN (a workspace that tells neither); ``config_update`` is the state of its
    last change; ``created`` is in milliseconds since 1970, UTC, as the API gives it. ``api_types`` is empty where the
    listing does not tell them, as of external models.
    """
    name = _text(endpoint.get("name")) or ""
    state = _table(endpoint.get("state"))
    config = _table(endpoint.get("config"))
    served = _served_models(config)
    family, tier = model_family(name, *(model["model"] for model in served), *(model["name"] for model in served))
    ready = _text(state.get("ready")) or "UNKNOWN"
    return {
        "name": name,
        "state": ready,
        "ready": ready == READY,
        "config_update": _text(state.get("config_update")),
        "task": _text(endpoint.get("task")),
        "family": family,
        "tier": tier,
        "api_types": _api_types(config),
        "served_models": served,
        "gateway": _gateway(_table(endpoint.get("ai_gateway"))),
        "creator": _text(endpoint.get("creator")),
        "created": endpoint.get("creation_timestamp"),
        "description": _text(endpoint.get("description")),
    }


def filter_endpoints(
    endpoints: Iterable[Mapping[str, Any]], pattern: str | None = None, family: str | None = None
) -> list[dict[str, Any]]:
    """Return the shaped endpoints whose name matches a shell pattern and whose family is the given one, by name."""
    chosen = [
        dict(endpoint)
        for endpoint in endpoints
        if (pattern is None or fnmatchcase(endpoint["name"], pattern))
        and (family is None or endpoint["family"] == family)
    ]
    return sorted(chosen, key=lambda endpoint: str(endpoint["name"]))


def close_matches(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three known names that look like the one asked for, best first."""
    return difflib.get_close_matches(name, sorted(set(known)), n=CLOSE_MATCHES, cutoff=0.6)


def validate_names(
    names: Iterable[str], states: Mapping[str, str], api_types: Mapping[str, list[str]]
) -> list[dict[str, Any]]:
    """Say of each name whether the workspace serves it.

    :param names: model ids as the operator wrote them; an agent's suffix such as ``[1m]`` is not part of the id.
    :param states: ``{name: state}`` of everything the workspace serves.
    :param api_types: ``{name: dialects}`` of what tells them.
    :return: one ``{"name", "status", "api_types", "close_matches"}`` for each distinct name, in the order given. ``status`` is
        READY, NOT_READY or NOT_FOUND; ``api_types`` is empty if they are not known; ``close_matches`` unless NOT_FOUND.
    """
    verdicts = []
    for name in dict.fromkeys(names):
        model = base_model_name(name)
        state = states.get(model)
        status = NOT_FOUND if state is None else READY if state == READY else NOT_READY
        matches = close_matches(model, states) if status == NOT_FOUND else []
        spoken = list(api_types.get(model, ()))
        verdicts.append({"name": name, "status": status, "api_types": spoken, "close_matches": matches})
    return verdicts
