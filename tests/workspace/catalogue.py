# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""The models the simulated workspace serves, in the shapes of the serving-endpoint and model-service APIs.

Field names follow databricks-sdk (``service/serving.py``: ServingEndpoint, ServedEntityOutput, FoundationModel,
AiGatewayConfig; ``service/catalog.py``: ModelService). ``ai_gateway_v2_supported`` and ``api_types`` are fields of the
served entity that only the ``:foundation-models`` listing carries, and that other tools rely on.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

#: The wire dialects, as ``api_types`` and ``supported_api_types`` name them.
ANTHROPIC = "anthropic/v1/messages"
RESPONSES = "openai/v1/responses"
CHAT = "mlflow/v1/chat/completions"
GEMINI = "gemini/v1/generateContent"
_CREATED_MS = 1_770_000_000_000


@dataclass
class Endpoint:
    """One serving endpoint with one served entity. ``foundation_model`` is None for an external (customer) model."""

    name: str
    display_name: str
    api_types: list[str]
    task: str = "llm/v1/chat"
    ready: str = "READY"
    external: dict[str, str] | None = None
    ai_gateway: dict[str, Any] = field(default_factory=dict)

    @property
    def system_name(self) -> str | None:
        """The Unity Catalog name (``system.ai.claude-...``) of a model that Databricks itself serves."""
        return None if self.external else "system.ai." + self.name.removeprefix("databricks-")

    def _entity(self) -> dict[str, Any]:
        if self.external:
            model = {"name": self.external["model"], "provider": self.external["provider"], "task": self.task}
            return {"name": self.external["model"], "external_model": model}
        return {
            "name": self.name,
            "entity_name": self.system_name,
            "entity_version": "1",
            "foundation_model": {
                "name": self.system_name,
                "display_name": self.display_name,
                "description": f"{self.display_name}, served by Databricks.",
                "docs": "https://docs.databricks.com/machine-learning/foundation-models/supported-models.html",
            },
        }

    def as_listed(self) -> dict[str, Any]:
        """As in ``GET /api/2.0/serving-endpoints``."""
        updating = "NOT_UPDATING" if self.ready == "READY" else "IN_PROGRESS"
        listed: dict[str, Any] = {
            "name": self.name,
            "id": uuid.uuid5(uuid.NAMESPACE_DNS, self.name).hex,
            "creator": "developer@example.com" if self.external else "System-User",
            "creation_timestamp": _CREATED_MS,
            "last_updated_timestamp": _CREATED_MS,
            "state": {"ready": self.ready, "config_update": updating},
            "config": {"served_entities": [self._entity()]},
            "task": self.task,
            "tags": [],
        }
        if self.ai_gateway:
            listed["ai_gateway"] = self.ai_gateway
        return listed

    def as_foundation_model(self) -> dict[str, Any]:
        """As in ``GET /api/2.0/serving-endpoints:foundation-models``."""
        listed = self.as_listed()
        model = listed["config"]["served_entities"][0]["foundation_model"]
        model |= {"ai_gateway_v2_supported": True, "api_types": self.api_types}
        return listed

    def as_detailed(self) -> dict[str, Any]:
        """As in ``GET /api/2.0/serving-endpoints/{name}``."""
        detailed = self.as_listed()
        entity = detailed["config"]["served_entities"][0]
        deployed = self.ready == "READY"
        entity["creator"] = detailed["creator"]
        entity["creation_timestamp"] = _CREATED_MS
        entity["state"] = {
            "deployment": "DEPLOYMENT_READY" if deployed else "DEPLOYMENT_CREATING",
            "deployment_state_message": "" if deployed else "Creating resources for served entity.",
        }
        routes = [{"served_model_name": entity["name"], "traffic_percentage": 100}]
        detailed["config"] |= {"config_version": 1, "traffic_config": {"routes": routes}}
        detailed |= {"permission_level": "CAN_QUERY", "route_optimized": False}
        return detailed

    def as_model_service(self, full: bool, name: str = "") -> dict[str, Any]:
        """As in ``GET /api/2.1/unity-catalog/model-services``, under another name if one is given; destinations are shown only in
        the FULL view.
        """
        service: dict[str, Any] = {
            "name": f"model-services/{name or self.system_name}",
            "comment": self.display_name,
            "created_by": "System-User",
            "effective_owner": "System-User",
            "create_time": "2026-02-02T02:40:00Z",
            "update_time": "2026-02-02T02:40:00Z",
            "supported_api_types": self.api_types,
            "config": {"rate_limits": []},
        }
        if full:
            destination = {
                "name": self.name,
                "destination_type": "DESTINATION_TYPE_PAY_PER_TOKEN_FOUNDATION_MODEL",
                "pay_per_token_config": {"model": self.system_name},
                "traffic_percentage": 100,
            }
            service["config"]["routing"] = {"destinations": [destination]}
        return service


def _gateway(calls: int | None = None) -> dict[str, Any]:
    block: dict[str, Any] = {
        "usage_tracking_config": {"enabled": True},
        "inference_table_config": {"enabled": False},
    }
    if calls is not None:
        block["rate_limits"] = [{"calls": calls, "key": "user", "renewal_period": "minute"}]
    return block


def default_endpoints() -> list[Endpoint]:
    """What a fresh workspace serves: Claude models, others in their own dialects, one not ready, one customer model.

    All speak chat completions, which is named first, as real workspaces name it.
    """
    claude, gpt, gemini = [CHAT, ANTHROPIC], [CHAT, RESPONSES], [CHAT, GEMINI]
    return [
        Endpoint("databricks-claude-opus-4-6", "Claude Opus 4.6", claude, ai_gateway=_gateway()),
        Endpoint("databricks-claude-sonnet-4-6", "Claude Sonnet 4.6", claude, ai_gateway=_gateway(600)),
        Endpoint("databricks-claude-haiku-4-5", "Claude Haiku 4.5", claude, ai_gateway=_gateway()),
        Endpoint("databricks-claude-opus-4-5", "Claude Opus 4.5", claude, ready="NOT_READY", ai_gateway=_gateway()),
        Endpoint("databricks-gpt-5-5", "GPT-5.5", gpt, ai_gateway=_gateway()),
        Endpoint("databricks-gpt-5-2", "GPT-5.2", gpt, ai_gateway=_gateway()),
        Endpoint("databricks-gemini-3-5-flash", "Gemini 3.5 Flash", gemini, ai_gateway=_gateway()),
        Endpoint("databricks-gemini-3-pro", "Gemini 3 Pro", gemini, ai_gateway=_gateway()),
        Endpoint("databricks-gpt-oss-120b", "GPT OSS 120B", [CHAT], ai_gateway=_gateway()),
        Endpoint("databricks-gte-large-en", "GTE Large (En)", ["openai/v1/embeddings"], task="llm/v1/embeddings"),
        Endpoint(
            "team-claude-external",
            "External Claude",
            claude,
            external={"model": "claude-sonnet-4-6", "provider": "anthropic"},
        ),
    ]
