# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mixed traffic for a long time, while tokens expire and are revoked: every prompt is answered, and nothing grows.

An hour in ``make soak``; a minute when it is run alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.relay.relay_host import Relay, relay
from tests.unit.relay.test_relay_tokens import DIALECTS, config_of, upstreams_of
from tests.workspace.client import Workspace

SECONDS = 3600 if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else 60
CLIENTS = 6
MESSAGES = "/anthropic/v1/messages"
JSON = {"content-type": "application/json"}


def _whole(serving: Relay) -> int:
    path = random.choice([*DIALECTS])
    return serving.ask("POST", path, json.dumps(DIALECTS[path]), JSON).status


def _stream(serving: Relay) -> int:
    answer = serving.ask("POST", MESSAGES, json.dumps({**DIALECTS[MESSAGES], "stream": True}), JSON)
    assert b"event: message_stop" in answer.body
    return answer.status


def _gives_up(serving: Relay) -> int:
    with contextlib.closing(serving.connection()) as connection:
        body = json.dumps({**DIALECTS[MESSAGES], "stream": True})
        connection.request("POST", MESSAGES, body, {**JSON, "x-api-key": serving.key})
        return 200


def _files(serving: Relay) -> int:
    return len(os.listdir(f"/proc/{serving.process_id}/fd"))


@pytest.mark.soak
def test_nothing_fails_and_nothing_grows(workspace: Workspace, tmp_path: Path) -> None:
    home = tmp_path / "home"
    failures: list[object] = []
    end = time.monotonic() + SECONDS

    def client(what: list[Callable[[Relay], int]]) -> None:
        while time.monotonic() < end:
            try:
                status = random.choice(what)(one)
            except Exception as error:
                failures.append(error)
            else:
                failures.extend([status] if status != 200 else [])

    workspace.control(token_lifetime=20)
    with relay(home, upstreams_of(workspace), token="", config=config_of(workspace, home)) as one:
        for _number in range(50):
            _whole(one)
            _stream(one)
        memory, files = one.memory(), _files(one)
        threads = [threading.Thread(target=client, args=([_whole, _stream, _gives_up],)) for _number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        while time.monotonic() < end:
            time.sleep(min(15, max(end - time.monotonic(), 0)))
            # Further apart than two tokens may be: one that is refused at once is not asked for again.
            workspace.control(revoke_tokens=True)
            workspace.clear()
        for thread in threads:
            thread.join(60)
        assert failures == []
        assert one.ask("GET", "/health").json["active"] == 0
        assert _files(one) <= files + 40  # connections that are kept
        assert one.memory() < memory * 1.3
