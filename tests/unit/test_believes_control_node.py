# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the preflight believes of its own machine: a profile file in disorder counts only where it is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace import preflight

from tests.workspace.client import Workspace

SECRET = "dapi-PLANTED-in-a-profile"
BROKEN = {
    "a section twice": (f"[mine]\nhost = https://a\ntoken = {SECRET}\n[mine]\nhost = https://b\n", "line 4 begins the"),
    "a setting twice": (f"[mine]\ntoken = {SECRET}\ntoken = {SECRET}\n", "line 3 sets token of the section mine"),
    "no section": (f"token = {SECRET}\n", "line 1 stands before any section"),
    "a line that is nothing": (f"[mine]\n{SECRET}\n", "line 2 is neither a section nor a setting"),
    "another encoding": ("[mine]\nname = \udcff\n", "it is no UTF-8 text"),
}


@pytest.fixture(params=BROKEN, ids=str)
def said(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A control node whose own profiles are in disorder; returns what is said of them."""
    text, said = BROKEN[request.param]
    (tmp_path / ".databrickscfg").write_text(text, errors="surrogateescape")
    monkeypatch.setenv("HOME", str(tmp_path))
    return said


def check(workspace: Workspace, **more: Any) -> dict[str, Any]:
    return preflight.check({"workspace_url": workspace.url, "ca_file": workspace.ca_file, **more})


def test_own_profiles_in_disorder_do_not_concern_who_is_given_in_full(workspace: Workspace, said: str) -> None:
    as_principal = check(
        workspace,
        identity="service_principal",
        client_id=workspace.client_id,
        client_secret=workspace.client_secret,
    )
    with_token = check(workspace, identity="pat", pat=workspace.mint(kind="pat"))
    for answer in (as_principal, with_token):
        assert answer["checked"] and not [one for one in answer["warnings"] if "databrickscfg" in one]


@pytest.mark.parametrize("from_environment", [False, True])
def test_own_profiles_in_disorder_are_a_warning_where_the_own_sign_in_is_a_convenience(
    workspace: Workspace, said: str, from_environment: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if from_environment:
        monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "mine")
    answer = check(workspace, identity="user")
    (warning,) = [one for one in answer["warnings"] if "not checked" in one]
    assert not answer["checked"] and ".databrickscfg" in warning
    assert said in warning and "DATABRICKS_CONFIG_FILE" in warning
    assert SECRET not in warning


def test_a_profile_that_is_named_must_be_readable(workspace: Workspace, said: str) -> None:
    with pytest.raises(OperatorError) as caught:
        check(workspace, identity="user", auth_profile="mine")
    told = str(caught.value)
    assert said in told and "coding_agents_auth_profile" in told and ".databrickscfg" in told
    assert "DATABRICKS_CONFIG_FILE" in told and "config_file." not in told
    assert SECRET not in told
