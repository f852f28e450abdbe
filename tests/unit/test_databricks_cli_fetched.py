# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Databricks CLI of a host that has none for a person's sign-in: fetched, proved, linked, and given back.

The program is the stand-in of tests/databricks_cli, in an archive as the vendor's releases have it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.source_release import DATABRICKS_CLI_VERSION
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import transaction
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner, current_owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import user_sign_in
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import fetched
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.context import bare_config, config_of
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests import releases
from tests.databricks_cli import install
from tests.unit.homes import tree
from tests.unit.options_for import options_for
from tests.unit.package_registry import Registry

LINK, DIRECTORY = ".local/bin/databricks", ".local/lib/fmapi-coding-agents/databricks_cli"
# The mirror's threads take no part in what a child does.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
CHECK, RUN = How(check=True), How()


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    directory = tmp_path_factory.mktemp("mirror")
    made = Registry(tls=directory)
    made.authority = str(directory / "ca.pem")  # type: ignore[attr-defined]
    yield made
    made.close()


class Host:
    def __init__(self, home: Path, mirror: Registry) -> None:
        self.home, self.mirror = home, mirror
        self.owner: Owner = current_owner(str(home))

    def options(self, **own: Any) -> dict[str, Any]:
        options = {"ca_file": self.mirror.authority, "mirror": self.mirror.url}  # type: ignore[attr-defined]
        return options_for(parts=["databricks_oauth"], **{**options, "toolchain_sources": ["vendor"], **own})

    def roll_out(self, how: How = RUN, **own: Any) -> dict[str, Any]:
        return rollout.apply(self.owner, self.options(**own), how)

    def look(self, **own: Any) -> dict[str, Any]:
        return rollout.look(self.owner, self.options(**own), CHECK)

    def uninstall(self, how: How = RUN) -> dict[str, Any]:
        return rollout.withdraw(self.owner, {**self.options(), "sign_out": False}, how)

    def versions(self) -> list[str]:
        return sorted(path.name for path in (self.home / DIRECTORY).glob("*"))

    def says(self) -> str:
        return subprocess.run([self.home / LINK, "--version"], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def host(tmp_path: Path, mirror: Registry, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host without the program."""
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(user_sign_in, "_USUAL_DIRECTORIES", ())
    monkeypatch.setattr(fetched, "locks", dict)  # the archive is ours
    mirror.cut.clear()
    releases.publish_databricks_cli(mirror, DATABRICKS_CLI_VERSION, tmp_path / "standin")
    mirror.asked.clear()
    return Host(home, mirror)


def test_it_is_brought_for_a_person_and_the_way_back_is_exact(host: Host) -> None:
    before = tree(host.home)
    foretold = host.roll_out(CHECK)
    assert any(f"Databricks CLI {DATABRICKS_CLI_VERSION}" in one for one in foretold["changes"]), foretold["changes"]
    assert tree(host.home) == before and host.mirror.asked == []
    host.roll_out()
    assert DATABRICKS_CLI_VERSION in host.says()
    assert user_sign_in.find_cli(bare_config(host.owner), dict(os.environ)) == str(host.home / LINK)
    host.mirror.asked.clear()
    assert not host.look()["drifted"] and not host.roll_out()["changed"] and host.mirror.asked == []
    assert not host.look(toolchain_sources=["already_present"])["drifted"], "what stands, stays"
    removed = f"Databricks CLI {DATABRICKS_CLI_VERSION}: removed"
    assert removed in host.uninstall(CHECK)["changes"] and DATABRICKS_CLI_VERSION in host.says()
    assert removed in host.uninstall()["changes"]
    assert tree(host.home) == before


def test_it_goes_when_no_person_signs_in_any_more(host: Host) -> None:
    host.roll_out()
    assert host.roll_out(identity="workload_identity", oidc_token_file="/nowhere")["changed"]
    assert host.versions() == [] and not (host.home / LINK).is_symlink()


@pytest.mark.parametrize(
    "own",
    [{"identity": "workload_identity", "oidc_token_file": "/nowhere"}, {"toolchain_sources": ["already_present"]}],
)
def test_none_is_fetched_where_nobody_needs_it_or_it_may_not_be(host: Host, own: dict[str, Any]) -> None:
    host.roll_out(**own)
    assert host.versions() == [] and host.mirror.asked == []


def test_one_that_stands_there_is_used_and_one_that_is_known_not_to_do_is_not(host: Host, tmp_path: Path) -> None:
    install(tmp_path / "bin")
    host.roll_out()
    assert host.versions() == [] and host.mirror.asked == []
    (tmp_path / "bin" / "databricks").write_text("#!/bin/sh\necho Version 0.18.0\n")
    config = config_of(host.owner, host.options())
    assert user_sign_in.examined(config, dict(os.environ))[-1].problem, "the older program of this name"
    host.roll_out()
    assert host.versions() == [DATABRICKS_CLI_VERSION]
    assert user_sign_in.working_cli(config, dict(os.environ)) == str(host.home / LINK)
    assert not host.look()["drifted"]


def test_a_damaged_one_is_fetched_again_and_a_lost_ledger_is_no_trouble(host: Host) -> None:
    host.roll_out()
    (host.home / DIRECTORY / DATABRICKS_CLI_VERSION / "databricks").unlink()
    assert f"Databricks CLI {DATABRICKS_CLI_VERSION} fetched again" in host.look()["changes"]
    host.roll_out()
    assert DATABRICKS_CLI_VERSION in host.says() and not host.look()["drifted"]
    shutil.rmtree(host.owner.state)
    assert not [one for one in host.look()["changes"] if "databricks_cli" in one or "Databricks CLI" in one]
    host.uninstall()
    assert host.versions() == [] and not (host.home / LINK).is_symlink()


def test_what_cannot_be_fetched_leaves_nothing(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(host.home)
    path = releases.publish_databricks_cli(host.mirror, DATABRICKS_CLI_VERSION, tmp_path / "standin")
    host.mirror.cut.add(path)
    with pytest.raises(
        OperatorError, match=r"^Databricks CLI \S+: cannot be fetched: https://\S+ ends before the end of"
    ):
        host.roll_out()
    assert tree(host.home) == before
    host.mirror.cut.clear()

    with monkeypatch.context() as patched:
        patched.setattr(rollout, "bring", _failing_when_it_writes(transaction.bring))
        with pytest.raises(OperatorError, match="cannot be written"):
            host.roll_out()
    assert tree(host.home) == before


def _failing_when_it_writes(bring: Any) -> Any:
    def failing(owner: Owner, names: list[str], wanted: Any, check: bool, *more: Any) -> Any:
        if not check:
            raise OperatorError("cannot be written", "something that comes later")
        return bring(owner, names, wanted, check, *more)

    return failing
