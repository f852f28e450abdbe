# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Diffs of huge files: the changed region, masked, and never a secret that was cut off from its name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.diffs import diff_of
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted, plan

SECRET = "a-secret-of-no-known-shape"


def _shown(data: dict[str, Any], indent: int | None, **values: Any) -> tuple[str, str]:
    content = json.dumps(data, indent=indent).encode()
    wanted = Wanted("/h/f", "json", "x", values={(name,): value for name, value in values.items()})
    (diff,) = diff_of([plan("/h/f", content, 0o600, None, wanted, "salt")])
    return diff["before"], diff["after"]


def _large(**last: Any) -> dict[str, Any]:
    return {"history": [{"display": f"line {number} ünï", "n": number} for number in range(60_000)], **last}


def test_of_a_huge_file_the_changed_lines_are_shown_with_some_around() -> None:
    before, after = _shown(_large(theme="dark", verbose=True), 2, done=True)
    assert before == '    }\n  ],\n  "theme": "dark",\n  "verbose": true\n}'
    assert after == '    }\n  ],\n  "theme": "dark",\n  "verbose": true,\n  "done": true\n}'


@pytest.mark.parametrize("where", range(12))
def test_a_change_is_found_wherever_it_is(where: int) -> None:
    data = {f"item{number:06}": number for number in range(80_000)}
    name = f"item{[0, 1, 2, 3, 4000, 4096, 40_000, 65_535, 79_996, 79_997, 79_998, 79_999][where]:06}"
    before, after = _shown(data, 1, **{name: -data[name]} if data[name] else {name: 7})
    assert f'"{name}": {data[name]}' in before and f'"{name}": {data[name]}' not in after
    assert len(before.splitlines()) <= 9 and len(after.splitlines()) <= 9
    lines = [line for line in before.splitlines() if name not in line]
    assert lines == [line for line in after.splitlines() if name not in line]


def test_a_region_never_begins_between_a_key_and_the_secrets_in_its_list() -> None:
    before, after = _shown(_large(apiKeys=[SECRET + str(number) for number in range(20)], theme="dark"), 2, done=True)
    assert SECRET not in before + after
    assert '"theme": "dark"' in before and '"done": true' in after


@pytest.mark.parametrize("key", ["token", "theme"])
def test_of_a_file_in_one_huge_line_nothing_is_cut_out(key: str) -> None:
    before, after = _shown({**_large(), key: SECRET}, None, done=True)
    assert SECRET not in before + after
    assert "too long to be shown" in before and "too long to be shown" in after and before != after


def test_a_huge_file_that_appears_or_goes_is_not_shown_whole() -> None:
    made = plan("/h/f", None, None, None, Wanted("/h/f", "file", "x", values={(): "x" * (3 << 20)}), "salt")
    (diff,) = diff_of([made])
    assert len(diff["before"]) + len(diff["after"]) < 300
