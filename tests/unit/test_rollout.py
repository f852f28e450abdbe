# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All parts of an owner together: all of them or none, whatever fails, and not a byte before it is certain what can be refused."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import examining, rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS, base
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.source_npm import Npm
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import transaction
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.token import TokenError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import PARTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.context import config_of
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests import homes
from tests.hosts.tree import differences, manifest
from tests.unit.homes import tree
from tests.unit.options_for import carried, options_for, owner_of
from tests.unit.signing_in import recorder
from tests.workspace.client import Workspace

CLAUDE = AGENTS["claude_code"]
OLDER, NEWER = "2.1.100", "2.1.300"
CHECK, RUN = How(check=True, diff=True), How()
LINK = ".local/bin/claude"
SETTINGS = ".claude/settings.json"
LEDGER = ".local/state/fmapi-coding-agents/ledger.json"
AUTHORITY = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


class Host:
    """A home that its owner has lived in, and what a registry is asked for on its behalf."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.owner = owner_of(home)
        self.fetched: list[str] = []
        self.chosen: dict[str, Any] = {"login_at_start": True}

    def options(self, **own: Any) -> dict[str, Any]:
        return options_for(**{**self.chosen, **own})

    def look(self, **own: Any) -> dict[str, Any]:
        return rollout.look(self.owner, self.options(**own), CHECK)

    def roll_out(self, how: How = RUN, **own: Any) -> dict[str, Any]:
        return rollout.apply(self.owner, self.options(**own), how)

    def uninstall(self, how: How = RUN, **own: Any) -> dict[str, Any]:
        """With no option that only a rollout has."""
        return rollout.withdraw(self.owner, options_for(workspace_url=None, **own), how)

    def json(self, path: str) -> Any:
        return json.loads((self.home / path).read_text())

    def documents(self) -> dict[str, Any]:
        """All but the ledger, and what asking for a token leaves."""
        found = tree(self.home)
        return {path: one for path, one in found.items() if not path.startswith((".local/state", ".cache"))}

    def everything(self) -> dict[str, Any]:
        """But for when the ledger was written."""
        found: dict[str, Any] = dict(tree(self.home))
        if LEDGER in found:
            found[LEDGER] = {name: one for name, one in self.json(LEDGER).items() if name != "written_at"}
        return found

    def fetch(self, version: str, directory: str, settings: object, lock: object) -> None:
        """In the place of npm's: leaves what npm leaves."""
        self.fetched.append(version)
        package = Path(directory, "lib/node_modules/@anthropic-ai/claude-code")
        package.mkdir(parents=True)
        (package / "package.json").write_text(json.dumps({"name": CLAUDE.source.package, "version": version}))
        (package / "cli").write_text(f"#!/bin/sh\necho {version}\n")
        (package / "cli").chmod(0o755)
        Path(directory, "bin").mkdir()
        Path(directory, "bin/claude").symlink_to("../lib/node_modules/@anthropic-ai/claude-code/cli")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host whose registry has every version, with neither an agent nor a Databricks CLI."""
    made = Host(homes.lived_in(tmp_path / "home"))
    monkeypatch.setattr(Npm, "needed", lambda source, version, settings: "")
    monkeypatch.setattr(Npm, "fetch", made.fetch)
    monkeypatch.setattr(base, "USUAL_DIRECTORIES", ())
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return made


@contextlib.contextmanager
def untouched(home: Path) -> Iterator[None]:
    """Not a byte, a mode or a time changes."""
    before = manifest(str(home))
    yield
    assert differences(before, manifest(str(home)), times=True) == []


def service_principal(workspace: Workspace) -> dict[str, Any]:
    """Whose session is active, unlike that of a person who has not signed in yet."""
    return {
        "workspace_url": workspace.url,
        "ca_file": workspace.ca_file,
        "identity": "service_principal",
        "client_id": workspace.client_id,
        "client_secret": workspace.client_secret,
    }


def fail(*_arguments: Any) -> Any:
    raise OperatorError("has no space", "/the/disk", "Free some")


# -- there, again, and back -------------------------------------------------------------------------------------------


def test_all_parts_stand_or_none(host: Host) -> None:
    before = tree(host.home)
    first = host.roll_out()
    assert first["changed"] and host.fetched == [CLAUDE.pinned_version]
    for path in (LINK, SETTINGS, ".databrickscfg", ".local/share/fmapi-coding-agents/token-helper"):
        assert str(host.home / path) in first["documents"]
    assert any("autostart" in path or path.endswith(".profile") for path in first["documents"]), "the login item"
    assert host.uninstall()["changed"]
    assert tree(host.home) == before


def test_a_second_run_is_silent_and_writes_nothing(host: Host, workspace: Workspace) -> None:
    host.chosen |= service_principal(workspace)
    host.roll_out()
    with untouched(host.home):
        looked = host.look()
    assert (looked["drifted"], looked["drifted_parts"], looked["changes"]) == (False, [], [])
    before = {path: path.lstat().st_mtime_ns for path in host.home.rglob("*") if ".cache" not in path.parts}
    again = host.roll_out()
    assert (again["changed"], again["changes"], again["warnings"]) == (False, [], [])
    assert {path: path.lstat().st_mtime_ns for path in host.home.rglob("*") if ".cache" not in path.parts} == before
    assert len(host.fetched) == 1


@pytest.mark.parametrize("stands", [False, True], ids=["bare", "rolled out to"])
def test_check_mode_shows_what_will_be_done_and_touches_nothing(host: Host, workspace: Workspace, stands: bool) -> None:
    host.chosen |= service_principal(workspace)
    if stands:
        host.roll_out(cli_versions={"claude_code": OLDER})
    host.fetched.clear()
    workspace.clear()
    own = {"cli_versions": {"claude_code": NEWER}, "token_ttl_minutes": 20}
    with untouched(host.home):
        looked, dry, way_back = host.look(**own), host.roll_out(CHECK, **own), host.uninstall(CHECK)
        examined = examining.examine(host.owner, host.options(**own), CHECK)
    assert host.fetched == [] and workspace.requests() == []
    assert workspace.client_secret not in json.dumps([looked, dry, way_back, examined])
    assert looked["drifted"] and looked["changes"] == dry["changes"]
    done = host.roll_out(How(diff=True), **own)
    assert (done["changed"], done["changes"], done["diff"]) == (True, dry["changes"], dry["diff"])
    assert host.fetched == [NEWER]
    if stands:
        assert host.uninstall()["changes"] != [] and way_back["changes"] != []


def test_a_digest_says_what_differs_and_cannot_be_written(host: Host) -> None:
    with untouched(host.home):
        looked = host.look(carried=carried(with_program=False))
        # Claude Code needs no command of ours in front of it, and nobody has chosen the relay.
        assert looked["drifted"] and looked["drifted_parts"] == [
            one for one in PARTS if one not in ("launcher", "relay")
        ]
        with pytest.raises(OperatorError, match="was there when this run began, and is not any more"):
            host.roll_out(carried=carried(with_program=False))
    host.roll_out()
    with untouched(host.home):
        assert not host.look(carried=carried(with_program=False))["drifted"]


def test_a_part_alone_comes_and_goes_alone(host: Host) -> None:
    host.roll_out()
    full = host.documents()
    assert host.uninstall(parts=["agent_settings"])["changed"]
    assert "apiKeyHelper" not in host.json(SETTINGS)
    changed = {path for path, one in full.items() if host.documents().get(path) != one}
    assert changed == {"dotfiles/claude-settings.json", ".claude.json"}
    assert rollout.bring_or_withdraw(host.owner, host.options(parts=["agent_settings"], state="present"), RUN)[
        "changed"
    ]
    assert host.documents() == full
    rollout.bring_or_withdraw(host.owner, host.options(parts=["agent_settings"], state="absent"), RUN)
    assert "apiKeyHelper" not in host.json(SETTINGS)


# -- all or nothing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [OperatorError("does not go"), RuntimeError("a defect"), KeyboardInterrupt()])
@pytest.mark.parametrize("stands", [False, True], ids=["bare", "rolled out to"])
def test_when_a_later_part_cannot_prepare_what_was_prepared_is_taken_back(
    host: Host, error: BaseException, stands: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = tree(host.home)
    if stands:
        host.roll_out(cli_versions={"claude_code": OLDER})
    before = host.everything()

    def refuse(*_arguments: Any) -> None:
        assert host.fetched[-1] == NEWER, "an earlier part has prepared"
        raise error

    monkeypatch.setattr(PARTS["agent_settings"], "prepare", refuse)
    with pytest.raises(type(error)):
        host.roll_out(cli_versions={"claude_code": NEWER}, token_ttl_minutes=20)
    assert host.everything() == before
    monkeypatch.undo()
    host.uninstall()
    assert tree(host.home) == start


@pytest.mark.parametrize("when", ["before it", "after it"])
@pytest.mark.parametrize("stands", [False, True], ids=["bare", "rolled out to"])
def test_whichever_write_fails_all_is_put_back(
    host: Host, when: str, stands: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = tree(host.home)
    if stands:
        host.roll_out(cli_versions={"claude_code": OLDER})
    before, write = host.documents(), transaction._write
    own: dict[str, Any] = {
        "cli_versions": {"claude_code": NEWER},
        "token_ttl_minutes": 20,
        "profile": "another",
        "carried": carried(ca=AUTHORITY),
        "ca_file": "/not/here.pem",
        "login_at_start": not stands,
    }
    for number in itertools.count(1):
        count = itertools.count(1)

        def failing(*arguments: Any, number: int = number, count: Iterator[int] = count) -> None:
            last = next(count) == number
            if last and when == "before it":
                fail()
            write(*arguments)
            if last:
                fail()

        with monkeypatch.context() as patched:
            patched.setattr(transaction, "_write", failing)
            try:
                host.roll_out(**own)
                break
            except OperatorError as error:
                assert error.what == "has no space"
        assert host.documents() == before, number
        assert stands or tree(host.home) == start, "nor is a ledger left"
    assert number > 7, "one document after the other"
    assert host.fetched[-number:] == [NEWER] * number, "fetched each time, and taken away each time"
    assert not host.look(**own)["drifted"]
    host.uninstall()
    assert tree(host.home) == start


def test_what_cannot_be_taken_back_hides_nothing_of_why(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    abandoned = []
    monkeypatch.setattr(PARTS["agent_settings"], "prepare", fail)
    monkeypatch.setattr(PARTS["databricks_oauth"], "abandon", lambda *arguments: abandoned.append(arguments[-1]))

    def stuck(*_arguments: Any) -> None:
        raise OperatorError("cannot be removed", "/somewhere")

    monkeypatch.setattr(PARTS["agent_cli"], "abandon", stuck)
    with pytest.raises(OperatorError, match="has no space"):
        host.roll_out()
    assert len(abandoned) == 1, "the others take back what they can"


# -- what can be refused is refused first -----------------------------------------------------------------------------


def _broken_settings(home: Path) -> dict[str, Any]:
    (home / "dotfiles/claude-settings.json").write_text('{"model": ')
    return {}


def _broken_state(home: Path) -> dict[str, Any]:
    (home / ".claude.json").write_text("{]")
    return {}


def _foreign_profile(home: Path) -> dict[str, Any]:
    return {"profile": "other"}


def _file_for_link(home: Path) -> dict[str, Any]:
    (home / ".local/bin").mkdir(parents=True)
    (home / LINK).write_text("#!/bin/sh\n")
    return {}


def _file_for_directory(home: Path) -> dict[str, Any]:
    (home / ".config").write_text("a file")
    return {}


def _file_for_cache(home: Path) -> dict[str, Any]:
    (home / ".cache").write_text("a file")
    return {}


def _link_for_cache(home: Path) -> dict[str, Any]:
    (home / ".cache").symlink_to("a volume that is not mounted")
    return {}


def _file_for_log(home: Path) -> dict[str, Any]:
    (home / ".local").mkdir()
    (home / ".local/state").write_text("a file")
    return {"helper_log": True}


REFUSED: dict[str, tuple[Callable[[Path], dict[str, Any]], str]] = {
    "settings that do not parse": (_broken_settings, "settings.json"),
    "a state that does not parse": (_broken_state, r"\.claude\.json"),
    "a profile of another workspace": (_foreign_profile, "profile other is already there"),
    "a file where the program's link is to stand": (_file_for_link, "is a file, where a symbolic link is to stand"),
    "a file where the login item's directory is to stand": (_file_for_directory, "a part of its path is a file"),
    "a file where tokens are to be kept": (_file_for_cache, r"\.cache: is not a directory"),
    "a link to nowhere in that place": (_link_for_cache, r"\.cache is a symbolic link to a volume that is not mounted"),
    "a file where the log is to stand": (_file_for_log, r"\.local/state"),
    "a place for settings that is not there": (
        lambda home: {"claude_code_settings_location": "/not/here"},
        "is no directory on this host",
    ),
    "certificates that are nowhere": (lambda home: {"ca_file": "/not/here.pem"}, "is not there, or cannot be read"),
    "a version that does not work": (
        lambda home: {"cli_versions": {"claude_code": CLAUDE.denied_versions[0]}},
        "does not work with a workspace",
    ),
    "nobody's own token": (lambda home: {"identity": "pat", "profile": "mine"}, "holds no personal access token"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_be_refused_is_refused_by_each_before_anything_is_fetched(host: Host, what: str) -> None:
    arrange, said = REFUSED[what]
    own = arrange(host.home)
    with untouched(host.home):
        for attempt in (host.look, lambda **own: host.roll_out(CHECK, **own), host.roll_out):
            with pytest.raises(OperatorError, match=said):
                attempt(**own)
    assert host.fetched == []


def test_a_token_that_is_refused_is_refused_before_anything_is_fetched(host: Host, workspace: Workspace) -> None:
    own = {**service_principal(workspace), "client_secret": "dose-of-last-year"}
    with untouched(host.home), pytest.raises(TokenError, match="refused the service principal's client id or secret"):
        host.roll_out(**own)
    assert host.fetched == []


def test_an_uninstall_that_cannot_be_has_signed_nobody_out(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    log = host.home.parent / "signed-out"
    cli = recorder(host.home.parent / "cli" / "databricks", log)
    cli.write_text(cli.read_text() + "echo Databricks CLI v1.13.0\n")
    host.roll_out()
    cached = Path(config_of(host.owner, host.options()).cache_file)
    cached.write_text("a token")
    good = (host.home / "dotfiles/claude-settings.json").read_text()
    _broken_settings(host.home)
    monkeypatch.setenv("PATH", f"{cli.parent}:/usr/bin:/bin")
    for how in (CHECK, RUN):
        with untouched(host.home), pytest.raises(OperatorError, match=r"settings\.json"):
            host.uninstall(how, sign_out=True)
    assert not log.exists()
    (host.home / "dotfiles/claude-settings.json").write_text(good)
    host.uninstall(sign_out=True)
    assert "logout" in log.read_text() and not cached.exists()


# -- the way to the workspace -----------------------------------------------------------------------------------------


def test_a_proxy_and_certificates_that_were_brought_reach_all_who_need_them(host: Host) -> None:
    before = tree(host.home)
    way: dict[str, Any] = {"proxy": "http://proxy.example.com:3128", "no_proxy": "localhost,.example.com"}
    host.roll_out(**way, ca_file="files/ca.pem", carried=carried(ca=AUTHORITY))
    authority = Path(host.owner.data, "ca.pem")
    assert authority.read_text() == AUTHORITY
    config = host.json(".local/share/fmapi-coding-agents/config.json")
    assert (config["proxy"], config["no_proxy"], config["ca_file"]) == (*way.values(), str(authority))
    environment = host.json(SETTINGS)["env"]
    assert (environment["HTTPS_PROXY"], environment["NO_PROXY"]) == tuple(way.values())
    assert environment["NODE_EXTRA_CA_CERTS"] == str(authority)

    there = host.home.parent / "company.pem"
    there.write_text(AUTHORITY)
    host.roll_out(ca_file=str(there), carried=carried(ca="another\n"))
    assert not authority.exists(), "the host's own counts where it has that file"
    config = host.json(".local/share/fmapi-coding-agents/config.json")
    assert (config["proxy"], config["no_proxy"], config["ca_file"]) == (None, None, str(there))
    environment = host.json(SETTINGS)["env"]
    assert environment["NODE_EXTRA_CA_CERTS"] == str(there)
    assert "HTTPS_PROXY" not in environment and "NO_PROXY" not in environment
    host.uninstall()
    assert tree(host.home) == before


def test_certificates_that_this_user_cannot_read_are_brought(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    there, access = host.home.parent / "company.pem", os.access
    there.write_text(AUTHORITY)
    monkeypatch.setattr(os, "access", lambda path, mode: path != str(there) and access(path, mode))
    host.roll_out(ca_file=str(there), carried=carried(ca=AUTHORITY))
    assert host.json(".local/share/fmapi-coding-agents/config.json")["ca_file"] == f"{host.owner.data}/ca.pem"


# -- who has to sign in -----------------------------------------------------------------------------------------------


def test_who_has_to_sign_in_is_told_with_the_command(host: Host) -> None:
    (told,) = rollout.sign_ins(host.owner, host.options(), RUN)["sign_ins"]
    assert told["state"] == "not_set_up"
    host.roll_out(parts=["databricks_oauth"])
    with untouched(host.home):
        (told,) = rollout.sign_ins(host.owner, host.options(), CHECK)["sign_ins"]
    assert told["state"] == "unknown", "in check mode nobody is asked"
    (told,) = rollout.sign_ins(host.owner, host.options(), RUN)["sign_ins"]
    assert told["state"] == "sign_in_needed"
    assert told["login"] == f"{host.owner.data}/coding-agents login"
    own: dict[str, Any] = {"identity": "service_principal", "client_id": "an-id", "client_secret": "a-secret"}
    with pytest.raises(TokenError):
        host.roll_out(parts=["databricks_oauth"], workspace_url="https://no-such-workspace.invalid", **own)
    (told,) = rollout.sign_ins(host.owner, host.options(), CHECK)["sign_ins"]
    assert told["identity"] == "user", "what was refused changed nothing"
