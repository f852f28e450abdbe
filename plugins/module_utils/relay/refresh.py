# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask for a token, in a process of its own: what asks forks, and the relay has threads, with which that is not safe.

Reads one JSON object, ``{"config": PATH, "refused": [VALUE, EXPIRES_AT] or null}``, and writes one: ``{"token": ..., "expires_at":
...}`` or ``{"error": ..., "exit_status": ...}``. Both go through pipes, which nobody else can read.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from ..host_program import main as host_program
from ..host_program import session, token_cache
from ..host_program.config import Config
from ..host_program.token import Token, TokenError

PATIENCE_SECONDS = 30.0
"""An agent that waits for its answer waits longer than one that waits for its token helper."""


def main() -> int:
    order = json.loads(sys.stdin.read())
    json.dump(answer(order["config"], order["refused"]), sys.stdout)
    return 0


def answer(path: str, refused: list[Any] | None) -> dict[str, Any]:
    """What the identity's source says now."""
    try:
        config = Config.load(path)
    except (OSError, ValueError, TypeError) as error:
        return {"error": f"{path} cannot be used ({error}). Run the rollout again", "exit_status": 1}
    host_program.use_proxy(config)
    try:
        token = _token(config, Token(str(refused[0]), int(refused[1])) if refused else None)
    except TokenError as error:
        return {"error": str(error), "exit_status": error.exit_status}
    return {"token": token.value, "expires_at": token.expires_at}


def _token(config: Config, refused: Token | None) -> Token:
    """A token that can be used, or another than the refused one. Raises TokenError."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    environment = dict(os.environ)
    first = True
    while True:
        try:
            # A refresh that goes on after the first call is the one that was wanted: its result is in the cache then.
            if first and refused is not None:
                return session.new_token(config, environment, refused)
            return session.token(config, environment)
        except token_cache.StillWaiting:
            first = False
            if time.monotonic() > deadline:
                raise
