# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator reads of hosts' status, and of an upgrade."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils.reports import status as report_status
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils.reports import upgrade as report_upgrade
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils.reports.words import Run
from hypothesis import given
from hypothesis import strategies as st

WIDE = Run(width=140)


def status(host: str, **own: Any) -> dict[str, Any]:
    one = {
        "user": "ada",
        "home": "/home/ada",
        "scope": "user",
        "state": "in order",
        "detail": "As it was rolled out",
        "workspace_url": "https://w.example.com",
        "routing": "gateway",
        "identity": "user",
        "version": "0.1.0",
        "session": {"state": "active", "expires_at": 1795262400},
        "agents": [{"title": "Codex", "version": "1.2.3", "wanted_version": "1.2.3", "models": {"default": "m"}}],
        "drift": [],
        **own,
    }
    return {"host": host, "module": "status_info", "statuses": [one]}


def shown(entries: list[dict[str, Any]], run: Run = WIDE) -> list[str]:
    return [line.text for line in report_status.lines(entries, run)]


def test_hosts_of_one_workspace_are_one_table_with_a_line_for_each_agent() -> None:
    two = [
        *status("one")["statuses"][0]["agents"],
        {"title": "Pi", "version": None, "wanted_version": "2", "models": {"haiku": "h", "default": "d"}},
    ]
    lines = shown(
        [status("one", agents=two), status("two", state="drifted", drift=["/home/ada/.x: a", "/home/ada/.x: b"])]
    )
    assert lines[0] == "Status of 2: 1 drifted, 1 in order"
    assert lines[2] == "https://w.example.com: routing gateway, identity user, set up by fmapi.coding_agents 0.1.0"
    assert [line.split()[0] for line in lines[3:7]] == ["HOST", "ada@one", "Pi", "ada@two"]
    assert "not installed" in lines[5] and lines[5].endswith("d") and "active until" in lines[4]
    assert "Differs on ada@two:" in lines and "  ~/.x: a, b" in lines
    assert lines[-1] == f"Next: {WIDE.repair}"


def test_an_agent_at_another_version_shows_both() -> None:
    agent = {"title": "Codex", "version": "1", "wanted_version": "2", "models": {}}
    assert any("1 (wanted 2)" in line for line in shown([status("one", agents=[agent])]))


def test_hosts_without_a_rollout_are_named() -> None:
    lines = shown(
        [status("new", state="not set up", detail="Nothing is rolled out here", agents=[], workspace_url=None)]
    )
    assert lines == ["", "Nothing is rolled out on:", "  ada@new"]


def test_a_narrow_terminal_cuts_models_and_nothing_else() -> None:
    agent = {"title": "Codex", "version": "1.2.3", "wanted_version": "1.2.3", "models": {"default": "m" * 80}}
    lines = shown([status("one", agents=[agent])], Run(width=79))
    row = next(line for line in lines if line.startswith("ada@one"))
    assert len(row) <= 79 and "mm~" in row and row.endswith("in order")
    assert any("m" * 80 in line for line in shown([status("one", agents=[agent])], Run(width=79, verbose=True)))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(key=st.sampled_from(sorted(status("one")["statuses"][0])), value=anything)
def test_a_host_that_sends_anything_keeps_no_other_from_being_told(key: str, value: Any) -> None:
    lines = shown([status("odd", **{key: value}), status("two")])
    assert any("@two" in line for line in lines)


@given(versions=anything, owners=anything)
def test_nor_of_an_upgrade(versions: Any, owners: Any) -> None:
    sound = {"host": "two", "module": "repair", "versions": {"codex": {"before": "1", "after": "2"}}}
    odd = {"host": "odd", "module": "repair", "versions": versions, "owners": owners}
    assert "Codex 1 -> 2: two" in [line.text for line in report_upgrade.lines([odd, sound], WIDE)]


def test_news_are_those_since_the_version_that_stood_there() -> None:
    changelog = {
        "releases": {
            "0.1.0": {"changes": {"minor_changes": ["old"]}},
            "0.2.0": {"changes": {"bugfixes": ["mended"], "minor_changes": ["added"]}},
            "0.10.0": {"changes": {"minor_changes": ["newest"]}},
        }
    }
    assert report_upgrade.news("0.1.0", changelog) == ["0.10.0: newest", "0.2.0: added", "0.2.0: mended"]
    assert report_upgrade.news("0.10.0", changelog) == []


@pytest.mark.parametrize("given_owners", [{}, {"ada": {"versions": {"codex": {"before": "1", "after": "1"}}}}])
def test_what_has_not_changed_is_not_told(given_owners: dict[str, Any]) -> None:
    assert report_upgrade.lines([{"host": "one", "module": "repair", "owners": given_owners}], WIDE) == []
