# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links of both kinds, odd numbers, odd line ends, odd names, and what a run that was killed leaves: small things on the way back."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import grp
import json
import multiprocessing
import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import ledger_lock
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.diffs import diff_of
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import IniDocument, JsonDocument
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import EARLY_NAME, Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger_lock import LOCK_NAME, locked
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import bring
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import user_sign_in, workspace
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.token import TokenError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.context import bare_config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.generated import ini_texts, json_texts
from tests.unit.homes import COMPONENTS, as_nobody, everything, make_home, owner_of, shared_directory, temporaries, tree
from tests.unit.homes import wanted as documents
from tests.unit.options_for import carried, options_for
from tests.unit.test_loading import call

IMPORTED = (ctypes, grp, pwd)
SETTINGS = ".agent/settings.json"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "home")


@pytest.fixture
def shared() -> Iterator[Path]:
    yield from shared_directory("fmapi-test-edges")


def roll_out(home: Path, *wanted: Wanted, check: bool = False) -> Any:
    return bring(owner_of(home), COMPONENTS, wanted or documents(home), check)


def uninstall(home: Path) -> Any:
    return bring(owner_of(home), COMPONENTS, [], check=False)


# -- hard links ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [SETTINGS, ".databrickscfg"])
@pytest.mark.parametrize("others", [1, 2])
def test_a_hard_link_is_cut_and_said_so_in_the_dry_run_too(home: Path, name: str, others: int) -> None:
    content = (home / name).read_bytes()
    for number in range(others):
        (home / f"other {number}").hardlink_to(home / name)
    note = f"{home / name}: had {others + 1} names (hard links): the others keep what it held"
    assert roll_out(home, check=True).notes == [note]
    assert roll_out(home).notes == [note]
    assert [(home / f"other {number}").read_bytes() for number in range(others)] == [content] * others
    assert roll_out(home).notes == [] and uninstall(home).notes == []
    assert (home / name).read_bytes() == content


# -- links into what cannot be written ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_link_into_a_read_only_store_names_what_it_leads_to(home: Path, kind: str) -> None:
    """As home-manager of Nix leaves settings."""
    store = home.parent / "store/abc-settings"
    store.mkdir(parents=True)
    shutil.move(str(home / SETTINGS), store / "settings.json")
    (store / "settings.json").chmod(0o444)
    if kind == "file":
        (home / SETTINGS).symlink_to(store / "settings.json")
        said = f"is a symbolic link to {store}/settings.json, which is read-only"
    else:
        (home / ".agent").rmdir()
        (home / ".agent").symlink_to(store)
        said = f"is {store}/settings.json by a symbolic link, which is read-only"
    for check in (True, False):
        with pytest.raises(OperatorError) as told:
            roll_out(home, check=check)
        assert told.value.where == str(home / SETTINGS) and told.value.what == said
        assert "chmod" not in told.value.way_out and "where it is made" in told.value.way_out


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to have another user's directory")
def test_a_link_into_a_directory_of_another_s_names_both(shared: Path) -> None:
    home = make_home(shared / "home")
    store = shared / "store"
    (home / ".agent").rename(store)
    (home / ".agent").symlink_to(store)
    os.chown(store / "settings.json", 65534, 65534)
    for check in (True, False):
        told = as_nobody(lambda check=check: roll_out(home, check=check), [home])  # type: ignore[misc]
        assert (
            f"{home / SETTINGS}: is {store}/settings.json by a symbolic link, and {store} cannot be written to" in told
        )


# -- values as they were spelled ----------------------------------------------------------------------------------------

SPELLED = [
    "1e400",
    "-1E+999",
    "1.10",
    "1E5",
    "12345678901234567890.5",
    '"\\u00e9\\/x"',
    "[1.0,\n\n  2e400 ]",
    '{"b" :1e400}',
]


@pytest.mark.parametrize("text", SPELLED)
def test_a_prior_value_comes_back_as_it_was_spelled_after_edits_too(home: Path, text: str) -> None:
    """A number that no Python holds stood in the way of the uninstall."""
    path = home / "odd.json"
    path.write_text(_odd(1, text))
    one = Wanted(str(path), "json", "one", values={("odd",): "ours"}, superseded=(("gone",),))
    roll_out(home, one)
    json.loads(Path(Ledger(owner_of(home)).path).read_text(), parse_constant=pytest.fail)
    path.write_text(path.read_text().replace('"theirs": 1', '"theirs": 2'))
    roll_out(home, one.replaced(values={("odd",): "ours too"}))
    uninstall(home)
    assert path.read_text() == _odd(2, text)


def _odd(theirs: int, text: str) -> str:
    return f'{{"theirs": {theirs}, "odd": {text}, "gone": {text}}}'


@given(json_texts(), st.data())
def test_any_value_is_told_and_set_as_it_is_spelled(content: bytes, data: st.DataObject) -> None:
    document = JsonDocument(content)
    members = list(json.loads(content.decode("utf-8-sig")))
    if not members:
        return
    key = (data.draw(st.sampled_from(members)),)
    text = document.spelled(key)
    if text is None:
        again = JsonDocument(content)
        value = again.get(key)
        again.set(key, "ours")
        again.set(key, value)
    else:
        again = JsonDocument(content)
        again.set(key, "ours")
        again.set_spelled(key, text)
    assert again.content == content


# -- line ends ----------------------------------------------------------------------------------------------------------


@given(ini_texts)
def test_a_lone_carriage_return_at_the_end_of_a_profile_file_is_read_edited_and_given_back(content: bytes) -> None:
    content = content.rstrip(b"\r\n") + b"\r"
    document = IniDocument(content)
    known = {name: document.get((name,)) for name in ("DEFAULT", "prod", "my profile")}
    document.set(("ours", "host"), "https://w")
    again = IniDocument(document.content)
    assert again.get(("ours", "host")) == "https://w"
    assert {name: again.get((name,)) for name in known} == known
    assert IniDocument.reverted(document.content, document.undo) == content


def test_a_value_before_a_lone_carriage_return_is_the_value() -> None:
    assert IniDocument(b"[a]\nhost = x\r").get(("a", "host")) == "x"


# -- what a killed run leaves -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", ["the same", "another part", "uninstall", "dry run"])
def test_old_values_that_a_killed_run_left_beside_any_file_go_with_the_next_that_writes(home: Path, run: str) -> None:
    roll_out(home, *everything(home))
    before = tree(home)
    left = [
        home / ".agent/.settings.json.fmapi-tmp-0123456789abcdef",
        home / ".tools/bin/.agent.fmapi-tmp-0123456789abcdef",
        home / ".local/state/fmapi-coding-agents/.ledger.json.fmapi-tmp-0123456789abcdef",
    ]
    for path in left:
        path.write_text("an old value")
    told = roll_out(home, *everything(home), check=True)
    assert told.changes == ["a run that was interrupted is brought to its end"], "old values of the ledger are drift"
    if run == "dry run":
        assert all(path.exists() for path in left)
        return
    if run == "the same":
        assert roll_out(home, *everything(home)).changes == told.changes
    elif run == "another part":
        bring(owner_of(home), ["three"], [Wanted(str(home / "x"), "file", "three", values={(): "x"})], check=False)
        bring(owner_of(home), ["three"], [], check=False)
    else:
        uninstall(home)
    assert temporaries(home) == []
    if run != "uninstall":
        now = tree(home)
        for one in (now, before):
            one.pop(".local/state/fmapi-coding-agents/ledger.json")
        assert now == before


def test_old_values_beside_a_file_that_was_put_aside_go_too(home: Path) -> None:
    (home / "broken.json").write_text("{broken")
    roll_out(home, Wanted(str(home / "broken.json"), "json", "one", values={("a",): 1}, replace_unreadable=True))
    (aside,) = home.glob("broken.json.unreadable-*")
    (home / f".{aside.name}.fmapi-tmp-0123456789abcdef").write_text("an old value")
    uninstall(home)
    assert temporaries(home) == []


@pytest.mark.parametrize("place", ["", ".local", ".local/state"])
def test_a_ledger_from_before_its_directory_stood_leads_back(home: Path, place: str) -> None:
    before = tree(home)
    roll_out(home)
    state = Path(owner_of(home).state)
    (state / "ledger.json").rename(home / place / EARLY_NAME)
    state.rmdir()
    if place == "":
        (home / ".local/state").rmdir()
    assert not roll_out(home, check=True).changed
    uninstall(home)
    assert tree(home) == before


def test_an_early_ledger_beside_the_real_one_is_litter(home: Path) -> None:
    roll_out(home)
    (home / EARLY_NAME).write_text("old values")
    assert roll_out(home, check=True).changed and roll_out(home).changed
    assert not (home / EARLY_NAME).exists() and not roll_out(home).changed


def test_directories_go_after_the_cache_was_emptied_and_the_helper_had_made_it_anew(home: Path) -> None:
    before = tree(home)
    options = options_for(parts=["databricks_oauth", "agent_settings"])
    rollout.apply(owner_of(home), options, How())
    shutil.rmtree(home / ".cache")
    rollout.apply(owner_of(home), {**options, "models": {"claude_code": {"default": "another"}}}, How())
    shutil.rmtree(home / ".cache")
    (home / ".cache/fmapi-coding-agents").mkdir(parents=True)
    (home / ".cache/fmapi-coding-agents/token-x").write_text("a token")
    rollout.withdraw(owner_of(home), options_for(workspace_url=None), How())
    assert tree(home) == before


CLI = """\
#!/bin/sh
# As the real one, where nobody has signed in.
[ "$1" != --version ] || { echo "Databricks CLI v1.13.0"; exit 0; }
umask 077
mkdir -p "${DATABRICKS_CACHE_DIR:-$HOME/.cache/databricks}/1.13.0/host-metadata" "$HOME/.databricks"
echo '{}' >"${DATABRICKS_CACHE_DIR:-$HOME/.cache/databricks}/1.13.0/host-metadata/x.json"
[ -e "$HOME/.databricks/token-cache.json" ] || echo '{"version":1,"tokens":{%s}}' >"$HOME/.databricks/token-cache.json"
echo "Error: cache: databricks OAuth is not configured for this host. no cached credentials" >&2
exit 1
"""


def _asked(home: Path, monkeypatch: pytest.MonkeyPatch, tokens: str = "") -> None:
    """A rollout for a person, and what an agent's call does."""
    tools = home.parent / "tools"
    tools.mkdir()
    (tools / "databricks").write_text(CLI % tokens)
    (tools / "databricks").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setattr(workspace, "expect_oauth", lambda *_arguments: None)
    done = rollout.apply(owner_of(home), options_for(parts=["databricks_oauth", "agent_settings"]), How())
    assert done["session"]["state"] == "absent"
    own = Config.load(bare_config(owner_of(home)).config_file)
    with pytest.raises(TokenError, match="not signed in"):
        user_sign_in.request_token(own, dict(os.environ), None)
    assert (Path(owner_of(home).cache) / "databricks-cli").is_dir(), "the CLI was asked"


def test_what_our_own_calls_of_the_cli_leave_in_an_empty_home_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    _asked(home, monkeypatch)
    assert not (home / ".databricks").exists() and not (home / ".cache/databricks").exists()
    rollout.withdraw(owner_of(home), options_for(workspace_url=None), How())
    assert tree(home) == {}


@pytest.mark.parametrize("theirs", ["an empty store", "a directory", "a sign-in that comes meanwhile"])
def test_what_a_person_has_there_stays(tmp_path: Path, theirs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / ".databricks").mkdir(parents=True, mode=0o700)
    if theirs == "an empty store":
        (home / ".databricks/token-cache.json").write_text('{"version":1,"tokens":{}}')
    before = tree(home)
    tokens = '"p":{"access_token":"a"}' if theirs == "a sign-in that comes meanwhile" else ""
    _asked(home, monkeypatch, tokens)
    rollout.withdraw(owner_of(home), options_for(workspace_url=None), How())
    after = tree(home)
    if tokens:
        assert b"access_token" in after.pop(".databricks/token-cache.json")[2]
    assert after == before


# -- two documents that are one file ------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b'{"theirs": 1}', b'{ "theirs" :1,\n\n"a":{ "x": 0.0 } ,"b": 0\n}\n', b"{ }"])
@pytest.mark.parametrize("edited", [False, True])
def test_of_two_documents_that_are_one_file_the_dry_run_shows_what_is_done(
    home: Path, content: bytes, edited: bool
) -> None:
    (home / "one.json").write_bytes(content)
    (home / "two.json").symlink_to("one.json")
    before = tree(home)
    for value in (1, 2):
        both = [
            Wanted(str(home / f"{name}.json"), "json", "one", values={(key,): value})
            for name, key in (("one", "a"), ("two", "b"))
        ]
        told, done = roll_out(home, *both, check=True), roll_out(home, *both)
        assert told.changes == done.changes
        assert [(one.before, one.after) for one in told.plans] == [(one.before, one.after) for one in done.plans]
        assert diff_of(told.plans) == diff_of(done.plans)
        assert done.plans[1].before == done.plans[0].after
        assert (home / "one.json").read_bytes() == done.plans[1].after
        assert not roll_out(home, *both).changed
        if value == 1 and not edited:
            break
    uninstall(home)
    if edited:
        assert json.loads((home / "one.json").read_text()) == json.loads(content)
    else:
        assert tree(home) == before


# -- names of homes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["$HOME", "${USER}", "~", "a $x"])
def test_a_home_s_name_is_taken_as_it_is_written(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    home.mkdir()
    chosen = options_for(parts=["databricks_oauth", "agent_settings"], home=str(home), state="present")
    told = call({**chosen, "carried": carried()})
    assert told["homes"] == [str(home)] and (home / ".claude/settings.json").exists()
    call({**chosen, "state": "absent", "carried": carried()})
    assert list(home.iterdir()) == []


# -- homes on NFS -------------------------------------------------------------------------------------------------------


def _hold(home: str, held: Any, release: Any) -> None:
    with locked(owner_of(home)):
        held.set()
        release.wait(30)


def test_a_home_that_cannot_be_locked_itself_is_locked_by_a_file_which_goes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS locks files only, and of those only what is open for writing. Two hosts may share such a home."""
    real = fcntl.flock

    def files_only(descriptor: int, operation: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EBADF, "Bad file descriptor")
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", files_only)
    before = tree(home)
    context = multiprocessing.get_context("fork")
    held, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(str(home), held, release))
    holder.start()
    assert held.wait(30) and (home / LOCK_NAME).exists()
    monkeypatch.setattr(ledger_lock, "LOCK_WAIT_SECONDS", 0.2)
    with pytest.raises(OperatorError, match="another run has been changing this home's files"):
        roll_out(home)
    release.set()
    holder.join()
    assert tree(home) == before
    monkeypatch.setattr(ledger_lock, "LOCK_WAIT_SECONDS", 30)
    runs = [context.Process(target=roll_out, args=(home, *everything(home, f"https://{n}"))) for n in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(60)
    assert [run.exitcode for run in runs] == [0] * 4 and not (home / LOCK_NAME).exists()
    assert not Ledger.load(owner_of(home)).pending
    uninstall(home)
    assert tree(home) == before
