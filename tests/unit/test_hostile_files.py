# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pipe, a device, a huge file or a link where we look for a file of ours: nobody waits, and nobody's memory fills."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import (
    by_memory,
    careful,
    examining,
    listing,
    loading,
    rollout,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS, claude_code_managed, sources
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import (
    login,
    oidc_source,
    profile,
    status,
    token_cache,
    user_sign_in,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.browser import Place
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.token import Token, TokenError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import config_file
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.helper_host import install
from tests.unit.options_for import options_for, owner_of

HUGE = 1 << 30
SECONDS = 20
"""Far more than anything here takes, on a busy machine too; a pipe would be waited for without end."""


def _pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def _huge(path: Path) -> None:
    path.touch(0o600)
    os.truncate(path, HUGE)


PLANTED: dict[str, Callable[[Path], None]] = {
    "pipe": _pipe,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "terminal": lambda path: path.symlink_to("/dev/tty"),
    "directory": lambda path: path.mkdir(),
    "huge file": _huge,
    "link in a circle": lambda path: path.symlink_to(path.name),
    "link to nothing": lambda path: path.symlink_to("nothing"),
}


@contextlib.contextmanager
def bounded(megabytes: int = 200) -> Iterator[None]:
    """Fails for what takes too long, or too much memory at a time."""

    def late(number: int, frame: FrameType | None) -> None:
        raise AssertionError("somebody waits")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    handler = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < megabytes << 10


def plant(path: Path, kind: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    PLANTED[kind](path)


def config(home: Path, identity: str = "service_principal", **more: Any) -> Config:
    return Config(str(home), "https://dbc-1.cloud.databricks.com", "fmapi", identity, 15, client_id="app", **more)


# -- the reader --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PLANTED)
@pytest.mark.parametrize("follow", [True, False])
def test_what_is_no_file_of_a_sensible_size_is_an_error(tmp_path: Path, kind: str, follow: bool) -> None:
    plant(tmp_path / "f", kind)
    with bounded(), pytest.raises(OSError) as caught:
        careful.read(str(tmp_path / "f"), follow=follow)
    assert caught.value.strerror


def test_a_file_is_read_through_a_link_only_where_links_are_wanted(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"text")
    (tmp_path / "link").symlink_to("f")
    assert careful.read(str(tmp_path / "link")) == b"text"
    assert careful.read(str(tmp_path / "f"), 4, follow=False) == b"text"
    with pytest.raises(OSError):
        careful.read(str(tmp_path / "link"), follow=False)
    with pytest.raises(OSError, match="larger than 3 bytes"):
        careful.read(str(tmp_path / "f"), 3)


def test_what_becomes_a_pipe_between_two_looks_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(b"text")
    (tmp_path / "other").write_bytes(b"text")
    plant(tmp_path / "f", "pipe")
    regular = os.stat(tmp_path / "other")
    monkeypatch.setattr(os, "stat", lambda *arguments, **more: regular)
    with bounded(), pytest.raises(OSError, match="no regular file"):
        careful.open_regular(str(tmp_path / "f"))


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    plant(tmp_path / "f", "pipe")
    before = len(os.listdir("/proc/self/fd"))
    for _again in range(30):
        with pytest.raises(OSError):
            careful.read(str(tmp_path / "f"))
    assert len(os.listdir("/proc/self/fd")) <= before


# -- who reads ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PLANTED)
def test_a_configuration_that_is_none(tmp_path: Path, kind: str) -> None:
    own = config(tmp_path)
    plant(Path(own.config_file), kind)
    with bounded(), pytest.raises((OSError, ValueError, TypeError)):
        Config.load(own.config_file)


@pytest.mark.parametrize("kind", PLANTED)
@pytest.mark.parametrize("identity", ["service_principal", "pat", "user"])
def test_a_profile_that_is_none(tmp_path: Path, kind: str, identity: str) -> None:
    own = config(tmp_path, identity)
    plant(Path(own.databrickscfg), kind)
    with bounded():
        assert profile.value(own, "host") == ""
        with pytest.raises(TokenError):
            profile.client_secret(own)
        with pytest.raises(TokenError):
            profile.personal_access_token(own)
        assert "state" in status.report(own, {})


@pytest.mark.parametrize("kind", PLANTED)
@pytest.mark.parametrize("name", ["", ".served", ".good", ".failed", ".old-cli", ".lock", ".login"])
def test_a_token_cache_that_is_none_gives_a_token_all_the_same(tmp_path: Path, kind: str, name: str) -> None:
    own = config(tmp_path)
    os.makedirs(own.cache_directory, 0o700)
    token_cache.store(own, Token("old", int(time.time()) - 1))
    plant(Path(own.cache_file + name), kind)
    with bounded():
        token = token_cache.get(own, lambda refused: Token("new", int(time.time()) + 9999), lambda found: False)
        assert token.value == "new"
        user_sign_in.cannot_refresh_early(own, "/bin/sh")
        user_sign_in._remember_old(own, "/bin/sh")
        token_cache._failure_since(own, 0)
        with login._Turn(own, login.Options(1, False, 0), Place("Linux", "6", {})) as turn:
            turn.show("https://x/?a=1&redirect_uri=http%3A%2F%2Flocalhost%3A8020")
    assert not (kind == "huge file" and name == ".served" and os.path.getsize(own.cache_file + name) == HUGE)


@pytest.mark.parametrize(
    "kind", [kind for kind in PLANTED if kind != "huge file"]
)  # which only its owner can put there
@pytest.mark.parametrize("name", ["", ".served"])
def test_the_helper_itself_waits_for_nothing(tmp_path: Path, kind: str, name: str) -> None:
    own = config(tmp_path)
    install(own)
    os.makedirs(own.cache_directory, 0o700)
    token_cache.store(own, Token("kept", int(time.time()) + 36_000))
    plant(Path(own.cache_file + name), kind)
    begin = time.monotonic()
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "https_proxy": "http://127.0.0.1:1"}
    done = subprocess.run([own.helper], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert time.monotonic() - begin < SECONDS
    assert (done.returncode, done.stdout) == ((0, "kept\n") if name else (1, "")), done.stderr


@pytest.mark.parametrize("kind", PLANTED)
def test_an_oidc_token_file_that_is_none(tmp_path: Path, kind: str) -> None:
    own = config(tmp_path, "workload_identity", oidc_token_file=str(tmp_path / "oidc"))
    plant(tmp_path / "oidc", kind)
    with bounded(), pytest.raises(TokenError):
        oidc_source.read(own, {})


@pytest.mark.parametrize("kind", PLANTED)
def test_a_package_file_above_a_program_that_is_none(tmp_path: Path, kind: str) -> None:
    for above in ("bin", "lib", "."):
        program = tmp_path / "a" / "lib" / "bin" / "claude"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch(0o755)
        plant(tmp_path / "a" / "lib" / above / "package.json", kind)
        with bounded():
            assert AGENTS["claude_code"].source.version_of(str(program)) is None


@pytest.mark.parametrize("kind", PLANTED)
def test_npm_s_settings_that_are_none(tmp_path: Path, kind: str) -> None:
    plant(tmp_path / ".npmrc", kind)
    with bounded():
        assert sources.text_of(str(tmp_path / ".npmrc")) == ""


@pytest.mark.parametrize("kind", PLANTED)
def test_managed_settings_that_are_none(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claude_code_managed, "DIRECTORIES", (str(tmp_path),))
    plant(tmp_path / "managed-settings.json", kind)
    with bounded():
        assert claude_code_managed.Managed().values == {}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_program_that_is_none(tmp_path: Path, kind: str) -> None:
    owner = owner_of(tmp_path)
    plant(Path(owner.data) / "coding-agents.pyz", kind)
    with bounded():
        assert loading.load(owner, {"program_sha256": "0" * 64}) is None
        plant(Path(loading._compiled_file(owner.cache, "0" * 64)), kind)
        assert loading.load(owner, {"program_sha256": "0" * 64}) is None


@pytest.mark.parametrize("kind", PLANTED)
def test_a_config_file_of_the_operator_that_is_none(tmp_path: Path, kind: str) -> None:
    plant(tmp_path / "c.json", kind)
    with bounded(), pytest.raises(OperatorError):
        config_file.from_file(str(tmp_path / "c.json"))


# -- whole runs --------------------------------------------------------------------------------------------------------


_ROOMS = {"examine": examining, "list_artifacts": listing, "status": by_memory}


def _run(owner: Owner, options: dict[str, Any]) -> None:
    """All that a host is asked, each time to its end: what cannot be done says so."""
    for verb in ("look", "apply", "examine", "sign_ins", "status", "list_artifacts", "withdraw"):
        with contextlib.suppress(OperatorError, ValueError, TokenError):
            getattr(_ROOMS.get(verb, rollout), verb)(owner, options, How(check=True, diff=True))


@pytest.mark.parametrize("kind", ["pipe", "endless device", "directory", "huge file"])
def test_a_home_in_which_any_file_became_something_else_holds_nobody_up(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / ".claude").mkdir(parents=True)
    (home / ".claude" / "settings.json").write_text('{"theme": "dark"}')
    owner = owner_of(home)
    monkeypatch.setattr(claude_code_managed, "DIRECTORIES", ())
    monkeypatch.setattr(AGENTS["claude_code"], "minimum_version", "1")
    program = home / "bin" / "claude"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(home))
    options = options_for(
        parts=["databricks_oauth", "login_item", "agent_settings"], login_at_start=True, preflight=False
    )
    rollout.apply(owner, options, How())
    files = [path for path in home.rglob("*") if path.is_file() and path != program]
    assert len(files) >= 7, files
    for path in files:
        content, mode = path.read_bytes(), path.stat().st_mode
        plant(path, kind)
        with bounded():
            _run(owner, options)
        (path.rmdir if kind == "directory" else path.unlink)()
        path.write_bytes(content)
        path.chmod(mode)
    assert not rollout.look(owner, options, How(check=True))["drifted"]


# -- anything ----------------------------------------------------------------------------------------------------------


def _read_all(directory: Path, content: bytes) -> None:
    """Everybody's file that is read here has this content."""
    directory.mkdir(exist_ok=True)
    for name in ("package.json", "managed-settings.json", ".databrickscfg", "claude"):
        (directory / name).write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claude_code_managed, "DIRECTORIES", (str(directory),))
        claude_code_managed.Managed()
    AGENTS["claude_code"].source.version_of(str(directory / "claude"))
    own = config(directory)
    assert isinstance(profile.value(own, "host"), str)
    with pytest.raises(TokenError):
        profile.client_secret(own)


_ANY_JSON = st.recursive(
    st.text(max_size=5) | st.none() | st.booleans() | st.floats() | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "version", "env", "apiKeyHelper"]), inner)
    ),
    max_leaves=6,
)


@given(st.binary(max_size=400) | _ANY_JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_package_a_managed_file_and_a_profile_or_none(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    _read_all(tmp_path_factory.getbasetemp() / "fuzzed-files", content)
