# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever stands in other people's files, or comes as an answer: who reads it has a value or a sentence, and has it soon.

``make soak`` tries many thousands; CI some hundred of each, always the same.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import (
    careful,
    command,
    loading,
    processes,
    rollout,
    web,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import (
    AGENTS,
    claude_code_managed,
    source_npm,
    source_pip,
    sources,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.base import version_key
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import diffs, files, transaction
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import (
    FORMATS,
    MISSING,
    DocumentError,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import (
    login,
    machine_to_machine,
    profile,
    session,
    status,
    token_cache,
    token_exchange,
    user_sign_in,
    workspace,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.token import LATEST, Token, TokenError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options.judge import CONFIG_KEYS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import (
    agent_settings,
    context,
    databricks_oauth_checks,
    databricks_oauth_end,
    databricks_oauth_scripts,
    person,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.examination import Examination
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace import (
    answers,
    client,
    endpoints,
    identity,
    preflight,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace.errors import WorkspaceError
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import config_file
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import PROFILE
from tests.unit.generated import ini_texts, json_texts
from tests.unit.homes import COMPONENTS, everything, make_home, owner_of, wanted
from tests.unit.options_for import options_for

URL = "https://dbc-1.cloud.databricks.com"
SECONDS = 20
"""Far more than any of these reads takes."""

SOAK = PROFILE == "soak"
often = settings(max_examples=5000 if SOAK else 150)
slow = settings(max_examples=1000 if SOAK else 40)
"""For what reads and writes many files for each of them."""


@contextlib.contextmanager
def soon(seconds: int = SECONDS) -> Iterator[None]:
    def late(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"takes more than {seconds} s")

    handler = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)


# -- what stands there -------------------------------------------------------------------------------------------------

_NAMES = (
    "access_token", "expires_in", "expiry", "error", "error_description", "message", "token_endpoint", "state", "ready", "name",
    "version", "env", "config", "served_entities", "foundation_model", "ai_gateway", "rate_limits", "endpoints", "model_services",
    "next_page_token", "data", "userName", "apiKeyHelper", "availableModels", "deniedModels", "allowedProviders", "permissions",
    "forceLoginMethod", "requiredMinimumVersion", "requiredMaximumVersion", "policyHelper", "cleanupPeriodDays", "hooks", "sandbox",
    "statusLine", "model", "mcpServers", "host", "id", "tags", "creation_timestamp", "workspace_id", "oidc_endpoint", "exp", "iss",
    "sub", "aud", "ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "agents", "models", "", "\ud800", "a\x00b", "\x1b[31m",
)  # fmt: skip
_TEXTS = (
    "", "a.b.c", "READY", "3600", "1e308", "9" * 5000, "\u00b2", "\u0664", "\ud800", "\x1b]0;x\x07", "a\nb", "\0", "https://[", "https://x/",
    "2.1.331", "2.\u00b2.1", "1." + "9" * 5000, "9999-12-31T23:59:59Z", "0001-01-01T00:00:00", "2026-01-01T00:00:00.123456789+23:59",
    "2026-01-01T00:00:00Z", "{{ x }}", "system.ai.claude", "model-services/system.ai.x", "a" * 3000, "[" * 300, "~/x",
    "/x", "${", "\ufeff",
)  # fmt: skip
_NUMBERS = (0, -1, 1, 30, 2**53, 2**63, -(2**64), 10**400, 0.5, -0.0, 1e308, float("inf"), float("nan"))


def _any(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(9)
    if kind == 0:
        return chance.choice((None, True, False))
    if kind == 1:
        return chance.choice(_NUMBERS)
    if kind in (2, 3) or depth > 4:
        return chance.choice(_TEXTS)
    if kind == 4:
        return [_any(chance, depth + 1) for _one in range(chance.randrange(4))]
    if kind == 5 and chance.random() < 0.05:
        nested: Any = 1
        for _level in range(chance.choice((90, 110, 900))):
            nested = {"a": nested} if chance.random() < 0.5 else [nested]
        return nested
    return {chance.choice(_NAMES): _any(chance, depth + 1) for _one in range(chance.randrange(7))}


def seeded(make: Callable[[random.Random], Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 2**48).map(lambda seed: make(random.Random(seed)))


any_json = seeded(_any)
any_object = seeded(lambda chance: {chance.choice(_NAMES): _any(chance, 1) for _one in range(chance.randrange(8))})

_PIECES = (
    b'"', b"'", b"`", b"\\", b"\\\"", b"{", b"}", b"[", b"]", b":", b",", b"=", b"#", b";", b"\n", b"\r", b"\r\n", b"\t", b" ", b"\0",
    b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc2\xa0", b"\xe2\x80\xa8", b"null", b"NaN", b"-Infinity", b"1e400", b"9" * 4400,
    b"export ",
    b"[fmapi]", b"[DEFAULT]", b"host", b"client_secret = x", b"# >>> fmapi.coding_agents a >>>\n",
    b"# <<< fmapi.coding_agents a <<<\n", b"setenv ANTHROPIC_AUTH_TOKEN x", b"ANTHROPIC_AUTH_TOKEN=x",
    b"${A}", b"{\"a\":" * 300, b"[" * 300, b"a" * 200, b" " * 200,
)  # fmt: skip


def _bytes(chance: random.Random) -> bytes:
    """Pieces that mean something to a reader, or what one of them has written, cut and spliced."""
    pieces = [chance.choice(_PIECES) for _one in range(chance.randrange(12))]
    if chance.random() < 0.5:
        text = json.dumps(_any(chance)).encode()
        at = chance.randrange(len(text) + 1)
        pieces.insert(chance.randrange(len(pieces) + 1), text[:at] if chance.random() < 0.3 else text)
    if chance.random() < 0.3:
        pieces.append(chance.randbytes(chance.randrange(30)))
    return b"".join(pieces)


any_bytes = seeded(_bytes) | json_texts() | ini_texts


# -- documents ---------------------------------------------------------------------------------------------------------

_KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "json": (("env", "ANTHROPIC_BASE_URL"), ("model",), ("permissions", "deny")),
    "ini": (("fmapi", "host"), ("DEFAULT", "token")),
    "dotenv": (("ANTHROPIC_AUTH_TOKEN",), ("a",)),
    "block": (("a",), ("b",)),
    "file": ((),),
}


@pytest.mark.parametrize("kind", _KEYS)
@often
@given(content=any_bytes)
def test_any_bytes_are_a_document_or_a_sentence(kind: str, content: bytes) -> None:
    with soon():
        try:
            document = FORMATS[kind](content)
            assert document.content == content
            document.is_blank()
            for key in _KEYS[kind]:
                with contextlib.suppress(DocumentError):
                    value = document.get(key)
                    document.set(key, "ours")
                    assert document.get(key) == "ours"
                    document.set(key, value) if value is not MISSING and kind != "json" else document.remove(key)
            assert FORMATS[kind].reverted(document.content, document.undo) == content
        except DocumentError as error:
            assert str(error).isprintable()


@slow
@given(content=any_bytes, what=st.sampled_from((".agent/settings.json", ".databrickscfg", ".agent.json", "broken.env")))
def test_any_bytes_are_merged_shown_and_given_back_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, what: str
) -> None:
    home = make_home(tmp_path_factory.mktemp("any") / "home")
    (home / what).write_bytes(content)
    owner = owner_of(home)
    with soon(), contextlib.suppress(OperatorError):
        planned = transaction.bring(owner, COMPONENTS, wanted(home), check=True)
        diffs.diff_of(planned.plans)
        transaction.bring(owner, COMPONENTS, wanted(home), check=False)
        assert not transaction.bring(owner, COMPONENTS, wanted(home), check=True).changed
        transaction.bring(owner, COMPONENTS, [], check=False)
    assert (home / what).read_bytes() == content


# -- our own records, which somebody may have edited -------------------------------------------------------------------


def _damaged(chance: random.Random, value: Any, depth: int = 0) -> Any:
    """A value in which something is another."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        name = chance.choice(list(value))
        kind = chance.random()
        if kind < 0.1:
            return {key: one for key, one in value.items() if key != name}
        if kind < 0.2:
            return {**{key: one for key, one in value.items() if key != name}, chance.choice(_TEXTS): value[name]}
        return {**value, name: _damaged(chance, value[name], depth + 1)}
    if isinstance(value, list) and value and chance.random() < 0.9:
        at = chance.randrange(len(value))
        return [*value[:at], _damaged(chance, value[at], depth + 1), *value[at + chance.randrange(2) :]]
    return _any(chance, 3)


_LEDGERS: dict[str, bytes] = {}


def _ledger(directory: Path) -> bytes:
    """That of a home with everything in it, and of a run in between."""
    if not _LEDGERS:
        home = make_home(directory / "for-its-ledger")
        transaction.bring(owner_of(home), COMPONENTS, everything(home), check=False)
        ledger = Ledger.load(owner_of(home))
        ledger.pending = {str(home / ".agent.json"): {"before": None, "after": None, "entry": None}}
        ledger.packages = {"claude_code/1": {"version": "1", "directory": str(home / "x"), "complete": True}}
        ledger.save()
        _LEDGERS["ledger"] = Path(ledger.path).read_bytes()
    return _LEDGERS["ledger"]


@slow
@given(seed=st.integers(0, 2**48), content=any_bytes, times=st.integers(0, 3))
def test_any_ledger_is_believed_or_refused(
    tmp_path_factory: pytest.TempPathFactory, seed: int, content: bytes, times: int
) -> None:
    """Whoever believes it acts upon it: to the end, or with a sentence."""
    chance = random.Random(seed)
    told = json.loads(_ledger(tmp_path_factory.getbasetemp()))
    for _one in range(times):
        told = _damaged(chance, told)
    home = make_home(tmp_path_factory.mktemp("any") / "home")
    owner = owner_of(home)
    transaction.bring(owner, COMPONENTS, everything(home), check=False)
    text = json.dumps(told).encode() if times else content
    Path(Ledger(owner).path).write_bytes(text)
    options = options_for(workspace_url=None)
    with soon():
        for check in (True, False):
            with contextlib.suppress(OperatorError):
                transaction.bring(owner, COMPONENTS, everything(home, "https://other"), check)
            with contextlib.suppress(OperatorError):
                rollout.withdraw(owner, options, How(check=check, diff=True))
            with contextlib.suppress(OperatorError):
                transaction.bring(owner, COMPONENTS, [], check)


def _config(home: Path | str, **more: Any) -> Config:
    return Config(str(home), URL, "fmapi", more.pop("identity", "user"), 15, client_id="app", **more)


@given(told=any_object, content=any_bytes, verb=st.sampled_from(("token", "headers", "status")))
@often
def test_any_configuration_makes_the_program_do_its_work_or_say_why_not(
    tmp_path_factory: pytest.TempPathFactory, told: dict[str, Any], content: bytes, verb: str
) -> None:
    directory = tmp_path_factory.getbasetemp() / "any-configuration"
    directory.mkdir(exist_ok=True)
    chance = random.Random(repr(told))
    given_values = {**_config(directory)._asdict(), **told}
    for name in chance.sample(Config._fields, 2):
        if chance.random() < 0.7:
            given_values[name] = chance.choice(
                (*_TEXTS, *_NUMBERS, None, True, [], ["x"], "user", "pat", "service_principal")
            )
    given_values = {
        name: value for name, value in given_values.items() if name in Config._fields or chance.random() < 0.2
    }
    text = json.dumps(given_values).encode() if chance.random() < 0.8 else content
    (directory / "config.json").write_bytes(text)

    def no_answer(*arguments: Any, **more: Any) -> Any:
        raise ConnectionError("nobody is asked here")

    # The program sets its proxy's variables.
    with pytest.MonkeyPatch.context() as patch, mock.patch.dict(os.environ), soon():
        patch.setattr(web, "ask", no_answer)
        patch.setattr(token_cache, "get", lambda config, request, is_refused: request(None))
        patch.setattr(processes, "run", lambda *arguments, **more: processes.Finished(1, "", "no"))
        patch.setattr(os, "makedirs", lambda *arguments, **more: None)
        patch.setattr("sys.stdout", io.StringIO())
        patch.setattr("sys.stderr", io.StringIO())
        assert command.main(["--config", str(directory / "config.json"), verb]) in (0, 1, 2)


@given(served=any_bytes, cache=any_bytes)
@slow
def test_any_bytes_beside_the_helper_keep_it_from_no_token(
    tmp_path_factory: pytest.TempPathFactory, served: bytes, cache: bytes
) -> None:
    """It is a script of sh, to which some digits are no number."""
    directory = tmp_path_factory.getbasetemp() / "any-helper"
    config = _config(directory)
    if not directory.exists():
        os.makedirs(config.cache_directory, 0o700)
        os.makedirs(config.data_directory)
        Path(config.helper).write_bytes(databricks_oauth_scripts.helper_script(config))
        Path(config.front).write_text("#!/bin/sh\necho from-the-program\n")
        os.chmod(config.front, 0o700)
    chance = random.Random(served + cache)
    digits = "".join(chance.choices("0123456789", k=chance.choice((1, 3, 10, 12, 19, 30)))).encode()
    Path(f"{config.cache_file}.served").write_bytes(digits + b"\n" if chance.random() < 0.7 else served)
    Path(config.cache_file).write_bytes(b"%b\na.b.c\n%b\n" % (digits, digits) if chance.random() < 0.5 else cache)
    os.chmod(config.cache_file, 0o600)
    for shell in ("sh", "bash"):
        done = subprocess.run([shell, config.helper], capture_output=True, check=False, timeout=SECONDS)
        assert done.returncode == 0 and done.stdout.count(b"\n") == 1, done


@often
@given(content=any_bytes)
def test_any_bytes_in_the_cache_and_the_profile_can_be_told(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    home = tmp_path_factory.getbasetemp() / "any-cache"
    for name in ("user", "pat", "service_principal", "workload_identity"):
        own = _config(home, identity=name, oidc_token_file=str(home / "oidc"))
        os.makedirs(own.cache_directory, 0o700, exist_ok=True)
        for path in (
            own.databrickscfg,
            own.cache_file,
            f"{own.cache_file}.served",
            f"{own.cache_file}.failed",
            str(home / "oidc"),
        ):
            Path(path).write_bytes(content)
            os.chmod(path, 0o600)
        with soon():
            assert "state" in status.report(own, {"PATH": ""})
            assert isinstance(profile.value(own, "host"), str)
            token_cache._failure_since(own, 0.0)
            with contextlib.suppress(TokenError):
                user_sign_in._check_profile(own)
            assert databricks_oauth_end._holds_one_of(own.databrickscfg, {"x"}, "salt") is False


@often
@given(content=any_bytes)
def test_any_bytes_are_no_compiled_code(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any-code"
    path.write_bytes(content)
    path.chmod(0o600)
    assert loading._compiled(str(path)) is None


# -- files of others ---------------------------------------------------------------------------------------------------


@given(told=any_object, content=any_bytes)
@often
def test_any_package_tells_a_version_or_none(
    tmp_path_factory: pytest.TempPathFactory, told: dict[str, Any], content: bytes
) -> None:
    directory = tmp_path_factory.getbasetemp() / "any-package"
    directory.mkdir(exist_ok=True)
    for agent in AGENTS.values():
        named = json.dumps({**told, "name": getattr(agent.source, "package", "x")}).encode()
        (directory / "package.json").write_bytes(named if told else content)
        (directory / "program").write_bytes(content)
        with soon():
            found = agent.found_at(str(directory / "program"))
            agent.accepts(found.version)
            assert found.version.isprintable() and len(found.version) <= 60
    package = source_pip.Pip("x")
    information = directory / "lib/python3.1/site-packages/x-1.dist-info"
    information.mkdir(parents=True, exist_ok=True)
    (directory / "bin").mkdir(exist_ok=True)
    (information / "RECORD").write_bytes(content)
    assert package.version_of(str(directory / "bin/program")) in (None, "1")


@often
@given(version=st.text(max_size=30) | st.sampled_from([one for one in _TEXTS if "\0" not in one]))
def test_any_text_can_be_compared_as_a_version(version: str) -> None:
    assert all(number >= 0 for number in version_key(version))
    assert version_key("2.1.331-beta") == (2, 1, 331)


@often
@given(told=any_object, content=any_bytes, version=st.sampled_from(_TEXTS))
def test_any_managed_settings_are_judged(
    tmp_path_factory: pytest.TempPathFactory, told: dict[str, Any], content: bytes, version: str
) -> None:
    directory = tmp_path_factory.getbasetemp() / "any-managed"
    directory.mkdir(exist_ok=True)
    (directory / "managed-settings.json").write_bytes(json.dumps(told).encode() if told else content)
    ours = {"ANTHROPIC_BASE_URL": URL, "ANTHROPIC_MODEL": "m"}
    with pytest.MonkeyPatch.context() as patch, soon():
        patch.setattr(claude_code_managed, "DIRECTORIES", (str(directory),))
        for one in claude_code_managed.problems(
            ours, "/helper", ["system.ai.claude-opus-4-1[1m]"], ["X"], version[:60]
        ):
            assert one.severity in ("FAIL", "WARN") and len(one.what) < 5000


@often
@given(told=any_object)
def test_any_settings_of_a_person_are_judged(told: dict[str, Any]) -> None:
    chance = random.Random(repr(told))
    options = context.agent_options(Owner("u", 1, 1, "/nowhere"), options_for(), "claude_code")
    for agent in AGENTS.values():
        named = {key: _any(chance, 2) for key in chance.sample(list(agent.shape), min(4, len(agent.shape)))}
        with soon():
            for one in agent.troubles(options, json.loads(json.dumps({**told, **named}))):
                assert len(one.what) < 5000 and one.severity in ("FAIL", "WARN")
            agent.outranking({**told, **named})


@often
@given(content=any_bytes)
def test_any_start_file_is_looked_through(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    home = tmp_path_factory.getbasetemp() / "any-shell"
    home.mkdir(exist_ok=True)
    (home / ".profile").write_bytes(content)
    with pytest.MonkeyPatch.context() as patch, soon():
        patch.setattr(person, "START_FILES", ("~/.profile",))
        for places in person.settings_of(owner_of(home), ["ANTHROPIC_AUTH_TOKEN"]).values():
            assert all(re.fullmatch(rf"{re.escape(str(home))}/\.profile:\d+", one) for one in places)


@often
@given(text=any_bytes.map(lambda one: one.decode("utf-8", "replace")), said=any_bytes)
def test_any_settings_of_npm_are_taken_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, text: str, said: bytes
) -> None:
    scratch = tmp_path_factory.getbasetemp() / "any-npm"
    scratch.mkdir(exist_ok=True)
    (scratch / ".npmrc").write_bytes(said)
    told = f"globalconfig={scratch}/.npmrc\nregistry={text}\n@anthropic-ai:registry={text}\ncafile={text}\n"
    with pytest.MonkeyPatch.context() as patch, soon():
        patch.setattr(processes, "run", lambda *arguments, **more: processes.Finished(0, told, ""))
        own = sources.Settings(str(scratch), {"PATH": "/usr/bin"}, certificates="x")
        source, none = source_npm.Npm("@anthropic-ai/x"), sources.Registry("the npm registry", None, "variable")
        environment = source._npm_environment(own, none, str(scratch))
        registry = source._company_settings("npm", environment, own, none, str(scratch))
        assert registry.masked(text) is not None
        for cause in (text, text * 20):
            assert sources._cause("npm", 1, cause, registry) and len(sources.quoted(cause)) <= 300


@often
@given(content=any_bytes, told=any_object)
def test_any_profiles_of_the_control_node_are_read_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, told: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-profiles"
    path.write_bytes(content)
    chance = random.Random(content)
    environ = {"DATABRICKS_CONFIG_FILE": str(path), "DATABRICKS_HOST": chance.choice(_TEXTS)}
    for options in ({}, {"workspace_url": URL}, {"profile": "fmapi"}, {"profile": "fmapi", "workspace_url": URL}):
        with soon(), contextlib.suppress(WorkspaceError):
            identity.decide(options, environ, ("DATABRICKS_HOST",))
    path.write_text(f"[fmapi]\nhost = {careful.line(chance.choice(_TEXTS))}\n", "utf-8", "replace")
    with soon(), contextlib.suppress(WorkspaceError):
        identity.decide({"profile": "fmapi", "workspace_url": URL}, environ, ())


@often
@given(content=any_bytes, told=any_object)
def test_any_config_file_is_variables_or_a_sentence(content: bytes, told: dict[str, Any]) -> None:
    chance = random.Random(content)
    keys = [*CONFIG_KEYS, "version"]
    named = {key: _any(chance) for key in chance.sample(keys, 3)}
    for one in (content, json.dumps({**named, **(told if chance.random() < 0.2 else {})}).encode()):
        with soon():
            try:
                assert isinstance(config_file.variables(one, "file"), dict)
            except OperatorError as error:
                assert str(error).isprintable()


@often
@given(content=any_bytes)
def test_any_list_of_mounts_is_read(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any-mounts"
    lines = [b" ".join((b"1", b"2", b"3", b"/", one, b"rw")) for one in content.split(b"\n")]
    path.write_bytes(b"\n".join(lines))
    with pytest.MonkeyPatch.context() as patch, soon():
        patch.setattr(files, "_MOUNTS", str(path))
        assert isinstance(files.mount_points(), frozenset)
        assert files.is_mounted("/")


# -- answers -----------------------------------------------------------------------------------------------------------


@often
@given(told=any_object, status_code=st.sampled_from((200, 400, 401, 403, 404, 429, 500, 501)), wait=any_json)
def test_any_answer_to_a_token_request_is_a_token_or_a_sentence(
    told: dict[str, Any], status_code: int, wait: Any
) -> None:
    told = json.loads(json.dumps(told))
    answer = workspace.Answer(status_code, told, 3)
    own = _config("/nowhere", identity="workload_identity", oidc_token_env="X")
    claims = careful.line(json.dumps(told)).encode()
    oidc = f"a.{base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip('=')}.c"
    with pytest.MonkeyPatch.context() as patch, soon():
        patch.setattr(workspace, "ask", lambda *arguments, **more: answer)
        calls: list[Callable[[], Any]] = [
            lambda: machine_to_machine.request_token(URL, "app", "secret"),
            lambda: token_exchange.request_token(own, oidc),
            lambda: token_exchange.request_token(own, claims.decode()),
            lambda: workspace.expect_oauth(URL),
            lambda: login._who(own, Token("a", 1)),
            lambda: session.is_refused(own, Token("a", 1)),
            lambda: session._tried(own, "dapi"),
        ]
        for call in calls:
            try:
                found = call()
                if isinstance(found, Token) and found.value != "dapi":
                    assert found.value.isprintable() and 0 <= found.expires_at <= LATEST
            except TokenError as error:
                assert str(error).isprintable() and len(str(error)) < 5000


@often
@given(text=st.text(max_size=40) | st.sampled_from(_TEXTS) | st.integers().map(str))
def test_any_time_to_wait_is_seconds_or_nothing(text: str) -> None:
    found = web.seconds_to_wait(text)
    assert found is None or 0 <= found <= 100_000
    assert web.same_origin(text, URL) in (True, False) and isinstance(client._host_of(text), str)


@often
@given(told=any_json, said=any_bytes, exit_status=st.sampled_from((0, 0, 0, 1, -9)))
def test_anything_that_the_databricks_cli_says_is_a_token_or_a_sentence(
    told: Any, said: bytes, exit_status: int
) -> None:
    text = said.decode("utf-8", "replace")
    chance = random.Random(said)
    named = {
        "access_token": "a.b.c",
        "expiry": chance.choice((*_TEXTS, *_NUMBERS)),
        **(told if isinstance(told, dict) else {}),
    }
    for stdout in (json.dumps(told), json.dumps(named), text):
        done = processes.Finished(exit_status, stdout, text)
        with pytest.MonkeyPatch.context() as patch, soon():
            patch.setattr(processes, "run", lambda *arguments, done=done, **more: done)
            try:
                token = user_sign_in._ask("databricks", _config("/nowhere"), {})
                assert token.expires_at <= LATEST and token.value.isprintable()
            except TokenError as error:
                assert str(error).isprintable() and len(str(error)) < 5000
            assert user_sign_in._examined("/x/databricks", _config("/nowhere"), {}).path == "/x/databricks"
    link = login._LINK.search(f"https://x/?redirect_uri={text[:50]} \n")
    if link:
        assert link[0].isprintable() and isinstance(login._forward(link[0]), str)


@often
@given(told=any_object, status_code=st.sampled_from((200, 200, 404, 501, "one sentence")), said=any_bytes)
def test_any_answer_is_something_that_the_doctor_tells(
    tmp_path_factory: pytest.TempPathFactory, told: dict[str, Any], status_code: int | str, said: bytes
) -> None:
    told = json.loads(json.dumps(told))
    examination = Examination(Owner("u", 1, 1, "/nowhere"), options_for(), _config("/nowhere"), {})
    examination._token = ("a.b.c", None)  # type: ignore[assignment]
    with pytest.MonkeyPatch.context() as patch, soon():
        patch.setattr(examination, "get", lambda *arguments: (status_code, told))
        checks = [
            databricks_oauth_checks._reached(examination),
            databricks_oauth_checks._known(examination),
            agent_settings._model(examination, "databricks-x"),
            agent_settings._model(examination, "system.ai.x"),
            agent_settings._route(examination, URL, "/v1/models", "a.b.c"),
        ]
    text = said.decode("utf-8", "replace")
    for agent in AGENTS.values():
        assert careful.line(agent.reason(text, text)).isprintable()
    for one in checks:
        assert one.status in ("PASS", "FAIL", "WARN", "SKIP") and one.detail.isprintable() and len(one.detail) < 2000


@often
@given(value=any_json)
def test_any_listing_of_endpoints_is_shaped(value: Any) -> None:
    told = json.loads(json.dumps(value))
    with soon():
        try:
            cleaned = answers.printable({"endpoints": told})
        except RecursionError:  # which whoever asks tells
            return
        for one in (cleaned, {"endpoints": [cleaned["endpoints"], {"name": cleaned["endpoints"]}]}):
            asked = client.Workspace({"workspace_url": URL, "token": "x"}, {})
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(
                    asked, "get", lambda *arguments, one=one, **more: {**one, "model_services": one["endpoints"]}
                )
                shaped, states, api_types = asked.served(["databricks-x", "system.ai.x"], "1")
                endpoints.filter_endpoints(shaped, "*a*", "claude")
                assert [one["name"] for one in endpoints.validate_names(["databricks-x"], states, api_types)] == [
                    "databricks-x"
                ]
                json.dumps(shaped)
                signed = (None, "1")
                patch.setattr(client.Workspace, "get", lambda *arguments, one=one, **more: one)
                patch.setattr(client.Workspace, "probe", lambda *arguments, one=one: one)
                patch.setattr(preflight, "_sign_in", lambda *arguments, signed=signed: signed)
                with contextlib.suppress(OperatorError):
                    preflight.check({"workspace_url": URL, "identity": "pat", "pat": "x", "routing": "auto"})


# -- time --------------------------------------------------------------------------------------------------------------

_LONG = 200_000
ENDLESS: dict[str, Callable[[Path], object]] = {
    "a profile's line of blanks": lambda _home: _parse("ini", b"[a]\nb" + b" " * _LONG + b"x"),
    "a profile's value of blanks": lambda _home: _parse("ini", b"[a]\nb =" + b" " * _LONG + b"x\rx"),
    "a profile's value with blanks": lambda _home: _parse("ini", b"[a]\nb =" + b"x " * _LONG),
    "a profile of sections": lambda _home: _parse("ini", b"[a]\n" * _LONG),
    "a text without end behind a deep document": lambda _home: _parse("json", b'{"a":' * 90_000 + b'"' + b'\\"' * _LONG),
    "quotes in a variable": lambda _home: _parse("dotenv", b"a='" + b"\\'" * _LONG),
    "a variable of blanks": lambda _home: _parse("dotenv", b"a" * _LONG + b" " * _LONG),
    "beginnings of blocks": lambda _home: _parse("block", b"# >>> fmapi.coding_agents a" * _LONG),
    "beginnings of variables in npm's settings": lambda _home: source_npm._variables_in("${" * _LONG),
    "what npm said": lambda _home: sources._cause("npm", 1, "E" * 65536, sources.Registry("r", None, "v")),
    "what npm said of users": lambda _home: sources._cause("npm", 1, "User for " * 7000, sources.Registry("r", None, "v")),
    "a line of a start file": lambda home: _start_file(home, "set " * _LONG),
    "a diff of a profile": lambda home: _shown(home, b"[a]\n" + (b"b" + b" " * 4000 + b"x = 1\n") * 200),
    "what a CLI shows": lambda _home: login._LINK.search("https://" * 2000),
    "a text for a message": lambda _home: careful.line(" " * 10_000_000),
}  # fmt: skip


def _parse(kind: str, content: bytes) -> None:
    with contextlib.suppress(DocumentError):
        FORMATS[kind](content).get(_KEYS[kind][0])


def _start_file(home: Path, line: str) -> None:
    (home / ".profile").write_text(line)
    person.settings_of(owner_of(home), ["ANTHROPIC_AUTH_TOKEN"])


def _shown(home: Path, content: bytes) -> None:
    (home / ".databrickscfg").write_bytes(content)
    diffs.diff_of(transaction.bring(owner_of(home), COMPONENTS, wanted(home), check=True).plans)


@pytest.mark.parametrize("what", ENDLESS)
def test_no_text_takes_time_without_end(tmp_path: Path, what: str) -> None:
    home = make_home(tmp_path / "home")
    begin = time.monotonic()
    with soon():
        ENDLESS[what](home)
    assert time.monotonic() - begin < SECONDS
