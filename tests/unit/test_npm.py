# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which version of an agent's program is brought about, and which is refused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS, FoundCli
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.npm import check_versions, describe, wanted_version

CLAUDE = AGENTS["claude_code"]


@pytest.mark.parametrize(
    ("named", "there", "wanted"),
    [
        (None, None, CLAUDE.pinned_version),
        (None, "2.1.90", None),
        (None, "2.1.265", CLAUDE.pinned_version),
        (None, "1.0.0", CLAUDE.pinned_version),
        (None, "", None),
        ("2.1.90", None, "2.1.90"),
        ("2.1.90", "2.1.90", None),
        ("2.1.90", "2.1.197", "2.1.90"),
        ("2.1.90", "", "2.1.90"),
    ],
)
def test_what_will_do_is_left_alone_and_a_named_version_is_brought_about(
    named: str | None, there: str | None, wanted: str | None
) -> None:
    found = None if there is None else FoundCli("/bin/claude", there, "npm")
    versions = {"claude_code": named} if named else {}
    assert wanted_version(CLAUDE, versions, found) == wanted
    assert describe(CLAUDE, found, wanted)["wanted_version"] == (wanted or there)


@pytest.mark.parametrize(
    "version", ["latest", "", "^2.1.0", "2.1.197 --global", "../x", 2.1, None, ["2.1.197"], "v2.1.197", "-1"]
)
def test_what_is_no_version_is_refused(version: Any) -> None:
    with pytest.raises(OperatorError, match=r"^coding_agents_cli_versions.claude_code: .* is no version. Give it like"):
        check_versions({"claude_code": version})


def test_a_version_that_does_not_work_is_refused_with_the_way_out() -> None:
    for version in ("2.1.82", *CLAUDE.denied_versions):
        with pytest.raises(
            OperatorError, match=rf"does not work with a workspace. Use {CLAUDE.pinned_version}, or another"
        ):
            check_versions({"claude_code": version})
    check_versions({"claude_code": CLAUDE.pinned_version})
    check_versions({})


def test_an_unknown_agent_is_refused() -> None:
    with pytest.raises(OperatorError, match=r"cobol_code is no agent. Known are: claude_code"):
        check_versions({"cobol_code": "1.0.0"})
