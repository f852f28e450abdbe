# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay's log: no token of any shape, for its owner alone, of a bounded size."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.log import MOST_BYTES, Handler, Log, redacted
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.places import Places

BODY = "a1B2c3D4e5F6a1B2c3D4e5F6a1B2c3D4"
SECRETS = {
    "bearer": (f"Authorization: Bearer {BODY}", BODY),
    "bearer alone": ("bearer abc.def-ghi", "abc.def-ghi"),
    "basic": ("Proxy-Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    "personal access token": ("token dapi0123456789abcdef0123456789abcdef-2 was refused", "dapi0123456789abcdef"),
    "client secret": ("dose0123456789abcdef0123456789abcdef", "dose0123456789abcdef"),
    "web token": (f"got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.{BODY}!", "eyJhbGciOiJSUzI1NiJ9"),
    "key header": ("x-api-key: short1", "short1"),
    "google's key header": ("X-Goog-Api-Key=short1", "short1"),
    "databricks' header": ("x-databricks-token: short1", "short1"),
    "json": ('{"access_token": "short1-secret", "a": 1}', "short1-secret"),
    "json, refresh": ("'refresh_token':'short1-secret'", "short1-secret"),
    "form": ("grant_type=x&client_secret=short1&b=1", "short1"),
    "environment": ("DATABRICKS_TOKEN=short1", "short1"),
    "query": ("GET /v1?key=short1 HTTP/1.1", "short1"),
    "url": ("proxy http://user:passw0rd@proxy.example:8080 said no", "passw0rd"),
    "another vendor's": ("sk-ant-api03-abcdefghij", "abcdefghij"),
    "the relay's own key": ("0123456789abcdef" * 4, "0123456789abcdef"),
    "cookie": ("Cookie: session=short1; b=short2", "short2"),
}


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_of_any_shape_is_left(name: str) -> None:
    text, secret = SECRETS[name]
    assert secret in text
    assert secret not in redacted(text)


@pytest.mark.parametrize(
    "line",
    [
        "POST /anthropic 200 4711 bytes 12 ms",
        "serves on port 49153",
        "https://w.example cannot be reached (Connection refused). Check network, proxy and VPN",
        "the name in https://w.example cannot be resolved",
    ],
)
def test_what_is_no_secret_stays(line: str) -> None:
    assert redacted(line) == line


def test_the_log_is_private_and_bounded_and_has_one_line_for_each_event(tmp_path: Path) -> None:
    places = Places(str(tmp_path))
    places.make()
    log = Log(places)
    log.write("one\nevent")
    path = Path(places.log)
    assert path.read_text().endswith(" one event\n")
    assert path.read_text().count("\n") == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"x" * MOST_BYTES)
    path.chmod(0o644)
    log.write("next")
    assert Path(f"{path}.1").stat().st_size == MOST_BYTES
    assert path.read_text().endswith(" next\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(os.listdir(path.parent)) == ["relay.log", "relay.log.1"]


def test_a_log_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    places = Places(str(tmp_path))
    places.make()
    Path(places.log).symlink_to(tmp_path / "elsewhere")
    Log(places).write("event")
    assert not (tmp_path / "elsewhere").exists()


def test_what_a_library_says_is_redacted_and_has_no_traceback(tmp_path: Path) -> None:
    places = Places(str(tmp_path))
    places.make()
    handler = Handler(Log(places))
    told = (ValueError, ValueError(BODY), None)
    record = logging.LogRecord("uvicorn.error", logging.ERROR, "f", 1, "Bearer %s", (BODY,), told)
    handler.handle(record)
    said = Path(places.log).read_text()
    assert said.endswith("Bearer ... (ValueError)\n")
    assert BODY not in said


def test_what_was_taken_away_is_not_made_again(tmp_path: Path) -> None:
    """An uninstall does not wait for the last stream."""
    Log(Places(str(tmp_path))).write("event")
    assert os.listdir(tmp_path) == []
