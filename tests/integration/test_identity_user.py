# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person as identity: the rollout says how to sign in and opens no browser; then tokens come from the Databricks CLI."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.agents.source_release import DATABRICKS_CLI_VERSION
from tests import homes, releases
from tests.control_node import Operator
from tests.databricks_cli.fixtures import place, sign_in
from tests.hosts.tree import differences, manifest
from tests.unit.package_registry import Registry

MIRROR_PASSWORD = "s3cret-of-the-mirror"
PROFILE = "fmapi-coding-agents"


def _profiles(home: Path) -> ConfigParser:
    found = ConfigParser()
    found.read(home / ".databrickscfg")
    return found


def _helper(home: Path) -> subprocess.CompletedProcess[str]:
    program = home / ".local" / "share" / "fmapi-coding-agents" / "token-helper"
    return subprocess.run(
        [str(program)],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def _home_with_cli(path: Path) -> Path:
    home = homes.lived_in(path)
    (home / ".local" / "bin").mkdir(parents=True, exist_ok=True)
    place(home / ".local" / "bin")
    return home


def test_a_host_without_the_cli_is_given_one_and_a_person_signs_in_with_it(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a lock, whatever ours has: the archive here is no vendor's.
    known = releases.collections_that_know(tmp_path / "collections", f"Databricks CLI@{DATABRICKS_CLI_VERSION}")
    monkeypatch.setattr(operator.control, "collections", known["ANSIBLE_COLLECTIONS_PATH"])
    home, mirror = homes.lived_in(tmp_path / "home"), Registry(tls=tmp_path, user=("ada", MIRROR_PASSWORD))
    releases.publish_databricks_cli(mirror, DATABRICKS_CLI_VERSION, tmp_path / "standin")
    both = tmp_path / "both.pem"
    both.write_text(Path(operator.workspace.ca_file).read_text() + (tmp_path / "ca.pem").read_text())
    own: dict[str, Any] = {
        "identity": "user",
        "mirror": mirror.url.replace("://", f"://ada:{MIRROR_PASSWORD}@"),
        "ca_file": str(both),
        "toolchain_sources": ["vendor"],
    }
    before = manifest(str(home))
    assert MIRROR_PASSWORD not in operator.rollout(home, "--check", "--diff", "-vvv", **own).ok().output
    assert (differences(before, manifest(str(home))), mirror.asked) == ([], [])
    refused = operator.rollout(home, "-vvv", **{**own, "mirror": own["mirror"] + "/nothing"})
    assert "does not have databricks_cli_" in refused.message() and MIRROR_PASSWORD not in refused.output
    assert differences(before, manifest(str(home))) == []
    first = operator.rollout(home, "-vvv", **own).ok()
    assert first.changed() == 1 and MIRROR_PASSWORD not in first.output
    mirror.close()
    sign_in(home / ".local" / "bin", home, operator.workspace, PROFILE)
    assert _helper(home).returncode == 0
    again = operator.rollout(home, **own).ok()
    assert (again.changed(), again.starts["host"]) == (0, 1)
    operator.uninstall(home).ok()
    assert not (home / ".local/bin/databricks").is_symlink() and not (home / ".local/lib/fmapi-coding-agents").exists()


def test_a_person_signs_in_once_and_the_rollout_never_does(operator: Operator, tmp_path: Path) -> None:
    home = _home_with_cli(tmp_path / "home")
    before = manifest(str(home))
    url = operator.workspace.url
    command = f"{home}/.local/share/fmapi-coding-agents/coding-agents login"

    rollout = operator.rollout(home, identity="user").ok()
    session = rollout.results("coding_agents")[0]["session"]
    assert session["state"] == "absent", "no keyring here, so the file is looked into"
    assert command in session["detail"]
    assert f"Next: sign in with {command}" in rollout.told
    assert dict(_profiles(home)[PROFILE]) | {"host": url} == dict(_profiles(home)[PROFILE])
    assert "client_secret" not in _profiles(home)[PROFILE]
    assert not operator.workspace.requests("/oidc/v1/authorize")
    assert operator.rollout(home, identity="user").ok().changed() == 0
    helped = _helper(home)
    assert (helped.returncode, helped.stdout) == (2, "")
    assert command in helped.stderr and helped.stderr.count("\n") == 1

    sign_in(home / ".local" / "bin", home, operator.workspace, PROFILE)
    helped = _helper(home)
    assert (helped.returncode, helped.stderr) == (0, "")
    assert helped.stdout.count("\n") == 1
    again = operator.rollout(home, identity="user").ok()
    assert again.changed() == 0
    assert again.results("coding_agents_info")[0]["session"]["state"] == "active"
    assert operator.doctor(home, identity="user").ok()

    operator.workspace.control(revoke_sign_ins=True, expire_tokens=True)
    shutil.rmtree(home / ".cache" / "fmapi-coding-agents")
    store = home / ".databricks" / "token-cache.json"
    store.write_text(re.sub(r'"expiry": *"\d{4}', '"expiry": "2020', store.read_text()))
    ended = operator.rollout(home, identity="user", token_ttl_minutes=20).ok().results("coding_agents")[0]["session"]
    assert ended["state"] == "expired", ended
    assert command in ended["detail"]

    operator.uninstall(home).ok()
    assert not _profiles(home).has_section(PROFILE), "the profile was ours, with what the CLI put into it"
    the_cli_s = (".databrickscfg", ".databricks", ".cache", ".local/bin/browser")
    assert [
        line for line in differences(before, manifest(str(home))) if not any(path in line for path in the_cli_s)
    ] == []
    assert not (home / ".cache" / "fmapi-coding-agents").exists()
