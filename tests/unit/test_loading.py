# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a module's code comes from: the call, the program that stands there, what was compiled before. Never from somebody else."""

from __future__ import annotations

import hashlib
import io
import json
import marshal
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ansible
import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import loading
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.context import bare_config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests.unit.homes import imports, shared_directory, tree
from tests.unit.options_for import carried, options_for, owner_of, packed

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become other users and to give files away")
NOBODY = 65534

SMALL = """
import os
from .word import WORD
IMPORTED_AS = os.geteuid()
def say(owner, options, how):
    return {"word": WORD, "imported_as": IMPORTED_AS, "changed": not how.check}
"""


def zipapp(word: str) -> bytes:
    """A host program that knows one word, packed as the real one is."""
    files = {
        "__main__.py": "raise SystemExit('a module runs no main')",
        "coding_agents/__init__.py": "",
        "coding_agents/rollout.py": SMALL,
        "coding_agents/word.py": f"WORD = {word!r}\n",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, source in files.items():
            archive.writestr(name, source)
    return b"#!/usr/bin/env python3\n" + buffer.getvalue()


PROGRAM = zipapp("ours")
DIGEST = hashlib.sha256(PROGRAM).hexdigest()
BROUGHT = {"program_sha256": DIGEST, "program": packed(PROGRAM)}
NAMED = {"program_sha256": DIGEST}


@pytest.fixture(autouse=True)
def fresh_process() -> Iterator[None]:
    """What a module's process, which loads one program, leaves in this one."""
    yield
    forget()


def forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == loading.PACKAGE]:
        del sys.modules[name]
    if loading._Finder in sys.meta_path:
        sys.meta_path.remove(loading._Finder)
    loading._Finder.kept = ""


def word(owner: Owner, given: dict[str, Any]) -> str | None:
    """What the program says that is loaded; None where there is none."""
    forget()
    program = loading.load(owner, given)
    return None if program is None else program.say(owner, {}, How())["word"]


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    return owner_of(home)


def stand(owner: Owner, content: bytes = PROGRAM) -> Path:
    """The program where a rollout puts it, and the directory in which compiled code may be kept."""
    path = Path(bare_config(owner).program)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    Path(owner.cache).mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def kept(owner: Owner) -> list[Path]:
    return sorted(Path(owner.cache).glob("program-*"))


def plant(path: Path, of_word: str) -> bytes:
    """Compiled code of another program as it is kept, in the place of ours."""
    program = zipapp(of_word)
    code = {
        module: (is_package, marshal.dumps(loading._compile(program, module, is_package)))
        for module, (is_package, _code) in loading._modules(program).items()
    }
    body = marshal.dumps(code)
    path.write_bytes(hashlib.sha256(body).digest() + body)
    path.chmod(0o600)
    return path.read_bytes()


@pytest.fixture
def kept_file(owner: Owner) -> Path:
    """Where this program's compiled code is kept: planted code of another tells whether it is believed."""
    stand(owner)
    word(owner, NAMED)
    loading.keep(owner, {"program_sha256": DIGEST})
    (path,) = kept(owner)
    plant(path, "planted")
    assert word(owner, NAMED) == "planted", "else no test here proves anything"
    return path


# -- where it comes from ----------------------------------------------------------------------------------------------


def test_a_bare_host_runs_what_travelled_and_without_it_says_so(owner: Owner) -> None:
    assert word(owner, NAMED) is None
    assert not loading.is_at_hand(owner, NAMED)
    assert loading.is_at_hand(owner, BROUGHT)
    assert word(owner, BROUGHT) == "ours"
    loading.keep(owner, {"program_sha256": DIGEST})
    assert tree(Path(owner.home)) == {}, "nothing is kept where nothing was rolled out to"


def test_a_host_that_was_rolled_out_to_runs_what_stands_there(owner: Owner) -> None:
    path = stand(owner)
    assert loading.is_at_hand(owner, NAMED)
    assert word(owner, NAMED) == "ours"
    path.unlink()
    path.symlink_to("elsewhere.pyz")
    path.with_name("elsewhere.pyz").write_bytes(PROGRAM)
    assert word(owner, NAMED) == "ours", "wherever it is: its digest says that it is the wanted one"


@pytest.mark.parametrize("content", [zipapp("another"), PROGRAM[:-1], PROGRAM + b"\n", b""])
def test_another_program_than_the_wanted_one_is_not_run(owner: Owner, content: bytes) -> None:
    stand(owner, content)
    assert word(owner, NAMED) is None
    assert word(owner, BROUGHT) == "ours"
    loading.keep(owner, {"program_sha256": DIGEST})
    assert kept(owner) == [], "what is not the wanted one is not compiled for later either"


@pytest.mark.parametrize("kind", ["pipe", "directory", "link to itself"])
def test_what_is_no_file_holds_nobody_up(owner: Owner, kind: str) -> None:
    path = stand(owner)
    word(owner, NAMED)
    loading.keep(owner, {"program_sha256": DIGEST})
    for one in (path, *kept(owner)):
        one.unlink()
        if kind == "pipe":
            os.mkfifo(one)
        elif kind == "directory":
            one.mkdir()
        else:
            one.symlink_to(one)
    assert word(owner, NAMED) is None
    assert word(owner, BROUGHT) == "ours"


def test_what_was_compiled_is_kept_for_the_owner_alone_and_run_the_next_time(owner: Owner) -> None:
    stand(owner)
    assert word(owner, NAMED) == "ours"
    loading.keep(owner, {"program_sha256": DIGEST})
    (path,) = kept(owner)
    status = path.stat()
    assert (status.st_mode & 0o777, status.st_uid) == (0o600, os.geteuid())
    assert word(owner, NAMED) == "ours"
    loading.keep(owner, {"program_sha256": DIGEST})
    assert path.stat() == status, "it is not written again"
    plant(path, "planted")
    assert word(owner, NAMED) == "planted", "that is what is run"


def test_one_program_s_code_is_kept_at_a_time(owner: Owner) -> None:
    stand(owner)
    word(owner, NAMED)
    loading.keep(owner, {"program_sha256": DIGEST})
    (old,) = kept(owner)
    old.with_name("program-left-by-a-run-that-was-killed.4711").write_bytes(b"")
    old.with_name("token-of-somebody").write_bytes(b"")
    newer = zipapp("newer")
    stand(owner, newer)
    given = {"program_sha256": hashlib.sha256(newer).hexdigest()}
    assert word(owner, given) == "newer"
    loading.keep(owner, given)
    (new,) = kept(owner)
    assert new != old and new.with_name("token-of-somebody").exists()
    assert word(owner, given) == "newer"


def test_kept_code_alone_is_no_program(owner: Owner, kept_file: Path) -> None:
    """Else nobody would bring the program that agents need, since a host that has one is not sent it."""
    Path(bare_config(owner).program).unlink()
    assert word(owner, NAMED) is None
    assert not loading.is_at_hand(owner, NAMED)


# -- whom it believes -------------------------------------------------------------------------------------------------


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _flip(path: Path) -> None:
    content = path.read_bytes()
    assert b"planted" in content
    path.write_bytes(content.replace(b"planted", b"blanked"))


OTHER_DATA = marshal.dumps(["other", "data"])
DOUBTS: dict[str, Callable[[Path], object]] = {
    "group may write": lambda path: path.chmod(0o620),
    "others may write": lambda path: path.chmod(0o602),
    "group may read": lambda path: path.chmod(0o640),
    "others may read": lambda path: path.chmod(0o604),
    "a link": _link,
    "cut off": _cut,
    "all of it cut off": lambda path: os.truncate(path, 0),
    "only its digest": lambda path: os.truncate(path, 32),
    "another word": _flip,
    "no code": lambda path: path.write_bytes(hashlib.sha256(b"no code").digest() + b"no code"),
    "other data": lambda path: path.write_bytes(hashlib.sha256(OTHER_DATA).digest() + OTHER_DATA),
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_kept_code_that_may_not_be_ours_is_not_believed_and_replaced(owner: Owner, kept_file: Path, doubt: str) -> None:
    DOUBTS[doubt](kept_file)
    assert word(owner, NAMED) == "ours"
    loading.keep(owner, {"program_sha256": DIGEST})
    assert kept(owner) == [kept_file] and not kept_file.is_symlink()
    assert kept_file.stat().st_mode & 0o777 == 0o600
    assert word(owner, NAMED) == "ours" and loading._Finder.kept == str(kept_file), "from now on it is fast again"


@root
def test_kept_code_of_another_user_is_not_believed(owner: Owner, kept_file: Path) -> None:
    os.chown(kept_file, NOBODY, NOBODY)
    assert word(owner, NAMED) == "ours"


@pytest.mark.parametrize("name", ["cache_tag", "hexversion"])
def test_kept_code_of_another_python_is_not_believed(
    owner: Owner, kept_file: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "cache_tag":
        monkeypatch.setattr(sys.implementation, "cache_tag", "cpython-38")
    else:
        monkeypatch.setattr(sys, "hexversion", sys.hexversion + 1)
    assert word(owner, NAMED) == "ours"
    loading.keep(owner, {"program_sha256": DIGEST})
    (of_this,) = set(kept(owner)) - {kept_file}
    assert kept_file.exists(), "that of another host which has the same home"
    plant(of_this, "this one's")
    assert word(owner, NAMED) == "this one's"


def test_a_directory_that_cannot_be_written_to_is_no_failure(
    owner: Owner, kept_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    kept_file.unlink()
    word(owner, NAMED)
    monkeypatch.setattr(os, "replace", full)
    loading.keep(owner, {"program_sha256": DIGEST})
    assert kept(owner) == []


# -- as modules run ---------------------------------------------------------------------------------------------------

# One that every user may read, where there is one: this one's may be in somebody's home.
PYTHON = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
ANSIBLE = str(Path(ansible.__file__).parents[1])
START = """
import json, sys
from ansible.module_utils import basic
from ansible_collections.fmapi.coding_agents.plugins.module_utils import module
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import owners
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner
given = json.load(sys.stdin)
# ansible-core 2.19 and later name the encoding of the arguments beside them; older ones take no notice.
basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": given["arguments"]}).encode()
basic._ANSIBLE_PROFILE = "legacy"
if given["owners"]:
    of_the_host = owners.owner_named
    owners.owner_named = lambda name: Owner(*given["owners"][name]) if name in given["owners"] else of_the_host(name)
module.run()
"""


def call(
    arguments: dict[str, Any],
    verb: str = "bring_or_withdraw",
    owners: dict[str, Owner] | None = None,
    check: bool = False,
) -> dict[str, Any]:
    """The module host_call in a process of its own, which does a verb of a program."""
    options = {
        "scope": "user",
        "home": None,
        "users": [],
        **{name: value for name, value in arguments.items() if name != "carried"},
    }
    carried = {
        **arguments["carried"],
        "verb": verb,
        "options": options,
        "paths": [],
        "finds_failures": False,
        "silent_homes": [],
    }
    given = {
        "arguments": {"carried": json.dumps(carried), "_ansible_check_mode": check},
        "owners": owners or {},
    }
    environment = imports()
    done = subprocess.run(
        [PYTHON, "-c", START],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "PYTHONPATH": os.pathsep.join([environment["PYTHONPATH"], ANSIBLE])},
        cwd="/",
    )
    assert done.returncode in (0, 1) and done.stdout.strip().startswith("{"), done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_in_check_mode_nothing_is_kept(owner: Owner) -> None:
    stand(owner)
    before = tree(Path(owner.home))
    told = call({"home": owner.home, "carried": NAMED}, "say", check=True)
    assert (told["word"], told["changed"]) == ("ours", False)
    assert tree(Path(owner.home)) == before
    call({"home": owner.home, "carried": NAMED}, "say")
    assert len(kept(owner)) == 1
    assert call({"home": owner.home, "carried": NAMED}, "say", check=True)["word"] == "ours"


def test_what_is_carried_does_not_come_back_with_the_result(owner: Owner) -> None:
    told = call({"home": owner.home, "carried": BROUGHT}, "say")
    told.pop("_ansible_new_secrets", None)  # since ansible-core 2.22: what the control node, too, must mask
    assert "carried" not in told and BROUGHT["program"] not in json.dumps(told)


@pytest.fixture
def shared() -> Iterator[Path]:
    yield from shared_directory("fmapi-test-loading")


def _owned(place: Path, uid: int) -> Owner:
    """An owner who needs no entry in the host's list of users, with a home."""
    home = place / f"home-{uid}"
    home.mkdir(mode=0o700)
    return Owner(f"user{uid}", uid, uid, str(home))


def _give(owner: Owner) -> None:
    for path in (Path(owner.home), *Path(owner.home).rglob("*")):
        os.chown(path, owner.uid, owner.gid)


def _keep_planted(owner: Owner) -> None:
    """Compiled code of another program is kept in the place of ours, by the Python that modules run on here."""
    other = zipapp("planted")
    digest = hashlib.sha256(other).hexdigest()
    stand(owner, other)
    _give(owner)
    call({"users": ["one"], "carried": {"program_sha256": digest}}, "say", {"one": owner})
    (path,) = kept(owner)
    path.rename(path.with_name(path.name.replace(digest[:16], DIGEST[:16])))
    stand(owner)
    _give(owner)


@root
@pytest.mark.parametrize("source", ["carried", "installed", "kept"])
def test_code_in_another_s_home_is_loaded_with_their_rights_only(shared: Path, source: str) -> None:
    ada = _owned(shared, 40001)
    if source == "kept":
        _keep_planted(ada)
        assert kept(ada)[0].stat().st_uid == ada.uid
    elif source == "installed":
        stand(ada)
    _give(ada)
    given = BROUGHT if source == "carried" else NAMED
    told = call({"users": ["ada"], "carried": given}, "say", {"ada": ada})
    assert (told["word"], told["imported_as"]) == ("planted" if source == "kept" else "ours", ada.uid)


@root
def test_root_runs_nothing_from_a_home_of_somebody_else(shared: Path) -> None:
    ada = _owned(shared, 40001)
    stand(ada)
    _give(ada)
    told = call({"home": ada.home, "carried": NAMED}, "say")
    assert told["failed"] and "belongs to" in told["msg"] and "word" not in told
    assert kept(ada) == []


@root
def test_two_owners_run_their_own(shared: Path) -> None:
    """Whoever of them has written other code into their own cache runs it alone."""
    ada, grace = _owned(shared, 40001), _owned(shared, 40002)
    owners = {"ada": ada, "grace": grace}
    stand(grace)
    _give(grace)
    _keep_planted(ada)
    told = call({"users": list(owners), "carried": NAMED}, "say", owners)["owners"]
    assert {name: (one["word"], one["imported_as"]) for name, one in told.items()} == {
        ada.user: ("planted", ada.uid),
        grace.user: ("ours", grace.uid),
    }


@root
def test_nobody_s_work_begins_while_one_of_them_lacks_the_program(shared: Path) -> None:
    """The call that brings it could not tell any more what the one before had changed."""
    ada, grace = _owned(shared, 40001), _owned(shared, 40002)
    owners = {"ada": ada, "grace": grace}
    stand(ada)
    for one in owners.values():
        _give(one)
    told = call({"users": list(owners), "carried": NAMED}, "say", owners)
    assert told["needs_program"] and not told["changed"] and "ours" not in json.dumps(told)
    told = call({"users": list(owners), "carried": BROUGHT}, "say", owners)
    assert told["changed"] and {one["word"] for one in told["owners"].values()} == {"ours"}


# -- the real program -------------------------------------------------------------------------------------------------


def arguments(owner: Owner, with_program: bool = False, **own: Any) -> dict[str, Any]:
    chosen = {"parts": ["databricks_oauth", "agent_settings"], "home": owner.home, "state": "present", **own}
    return {**options_for(**chosen), "carried": carried(with_program)}


def test_the_real_program_rolls_out_from_a_digest_and_uninstalling_leaves_nothing(owner: Owner) -> None:
    home = Path(owner.home)
    (home / ".profile").write_text("# mine\n")
    before = tree(home)
    lacking = call(arguments(owner))
    assert lacking["needs_program"] and not lacking["changed"] and tree(home) == before
    first = call(arguments(owner, with_program=True))
    assert first["changed"] and len(kept(owner)) == 1, first
    second = call(arguments(owner))
    assert (second["changed"], second["changes"]) == (False, []) and "needs_program" not in second
    foretold = call(arguments(owner, state="absent"), check=True)
    assert len(kept(owner)) == 1
    gone = call(arguments(owner, state="absent"))
    assert gone["changed"] and gone["changes"] == foretold["changes"]
    assert tree(home) == before
