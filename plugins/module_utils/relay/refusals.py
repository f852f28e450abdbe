# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of the relay's own, in the form that an agent's client reads: one sentence, and the way out."""

from __future__ import annotations

import json
from typing import NamedTuple

ANTHROPIC, OPENAI, GEMINI = "anthropic", "openai", "gemini"
"""Forms. What speaks none of these dialects gets that of OpenAI, which most clients can read."""

_FORMS = {"anthropic": ANTHROPIC, "gemini": GEMINI}

# What each dialect calls a status. Clients decide by the status, and show the message.
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
}
_GEMINI_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    413: "INVALID_ARGUMENT",
}


class Refusal(Exception):
    """Why the relay does not pass a request on."""

    def __init__(self, status: int, sentence: str, way_out: str = "") -> None:
        text = f"{sentence}. {way_out}" if way_out else sentence
        super().__init__(text if text.endswith((".", "!", "?")) else f"{text}.")
        self.status = status


class Answer(NamedTuple):
    """A whole answer of the relay's own."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def answer(refusal: Refusal, prefix: str) -> Answer:
    """The refusal, as the clients of this prefix read it."""
    return json_answer(refusal.status, _told(refusal, _FORMS.get(prefix, OPENAI)))


def json_answer(status: int, told: object) -> Answer:
    body = json.dumps(told).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    return Answer(status, headers, body)


def _told(refusal: Refusal, form: str) -> dict[str, object]:
    status, message = refusal.status, str(refusal)
    if form == ANTHROPIC:
        return {"type": "error", "error": {"type": _ANTHROPIC_TYPES.get(status, "api_error"), "message": message}}
    if form == GEMINI:
        return {"error": {"code": status, "message": message, "status": _GEMINI_STATUSES.get(status, "UNAVAILABLE")}}
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": _openai_code(status)}}


def _openai_code(status: int) -> str:
    return {401: "invalid_api_key", 404: "not_found"}.get(status, f"http_{status}")
