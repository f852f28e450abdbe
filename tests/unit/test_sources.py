# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs from npm and from a Python index, with real npm and pip: what was asked for, or an error that begins with the cause."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import (
    programs,
    source_npm,
    source_pip,
    sources,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.source_npm import Npm
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.source_pip import Pip
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.sources import Settings, Source
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError

from tests.unit.homes import tree
from tests.unit.package_registry import Registry

NAME, COMMAND = "@test/agent", "test-agent"
NPM = Npm(NAME)
PIP = Pip("test-agent", extras=("more",), pythons=(f"{sys.version_info[0]}.{sys.version_info[1]}",))
SOURCES = pytest.mark.parametrize("source", [NPM, PIP], ids=["npm", "pip"])
CLOSED_PORT = "127.0.0.1:9"

pytestmark = pytest.mark.skipif(not shutil.which("npm"), reason="needs npm: apt-get install -y npm")


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    made = Registry()
    fill(made)
    yield made
    made.close()


def fill(registry: Registry) -> None:
    for version in ("1.0.0", "1.2.3"):
        registry.add_npm(NAME, version, COMMAND)
        registry.add_wheel("test-agent", version, COMMAND)
    registry.add_npm(NAME, "3.0.0", COMMAND, holds="3.0.1")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return home


@pytest.fixture
def settings(home: Path, registry: Registry) -> Callable[..., Settings]:
    def made(url: str = registry.url, **more: Any) -> Settings:
        environment = {**more.pop("environment", {"PATH": os.environ["PATH"]})}
        return Settings(str(home), environment, f"{url}/", f"{url}/simple/", **more)

    return made


@SOURCES
def test_exactly_the_version_that_was_asked_for_is_there_afterwards(
    source: Source, settings: Callable[..., Settings], home: Path, tmp_path: Path
) -> None:
    directory = str(tmp_path / "tree" / "1.2.3")
    assert source.installed_version(directory) is None
    source.fetch("1.2.3", directory, settings())
    program = source.command_path(directory, COMMAND)
    assert source.installed_version(directory) == source.version_of(program) == "1.2.3"
    (tmp_path / "link").symlink_to(program)
    assert source.version_of(str(tmp_path / "link")) == "1.2.3"
    source.try_out(program, settings())
    assert not tree(home), "nothing is left in the home"


@SOURCES
def test_a_mirror_gives_it_and_a_registry_that_is_named_ranks_over_it(
    source: Source, settings: Callable[..., Settings], registry: Registry, tmp_path: Path
) -> None:
    registry.asked.clear()
    mirror = settings()._replace(npm_registry=None, pip_index=None, mirror=f"{registry.url}/")
    source.fetch("1.2.3", str(tmp_path / "x"), mirror)
    assert source.installed_version(str(tmp_path / "x")) == "1.2.3"
    (first, *_more) = registry.asked
    assert first.startswith(f"/{source.place}"), "what stands at a vendor's host is below the host's name"  # type: ignore[attr-defined]
    source.fetch("1.0.0", str(tmp_path / "y"), settings()._replace(mirror=f"http://{CLOSED_PORT}"))
    assert source.installed_version(str(tmp_path / "y")) == "1.0.0"
    with pytest.raises(OperatorError, match=rf"http://{CLOSED_PORT}/\S* is not reachable\. Check coding_agents_mirror"):
        source.fetch("1.0.0", str(tmp_path / "z"), mirror._replace(mirror=f"http://ada:s3cret@{CLOSED_PORT}"))


@SOURCES
def test_a_program_of_another_package_has_no_version_here(source: Source, tmp_path: Path) -> None:
    program = tmp_path / "bin" / COMMAND
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    assert source.version_of(str(program)) is None
    assert source.version_of(str(tmp_path / "nowhere")) is None


def test_a_registry_that_gives_another_version_than_it_says_is_found_out(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    with pytest.raises(OperatorError, match=r"^@test/agent 3\.0\.0: npm ended well, but 3\.0\.1 stands there"):
        NPM.fetch("3.0.0", str(tmp_path / "x"), settings())


@pytest.mark.parametrize("needed", [True, False])
def test_scripts_of_npm_packages_run_only_where_they_are_needed(
    settings: Callable[..., Settings], home: Path, tmp_path: Path, registry: Registry, needed: bool
) -> None:
    registry.add_npm("scripted", "1.0.0", COMMAND, scripts={"postinstall": "echo ran >ran"})
    (home / ".npmrc").write_text(f"ignore-scripts={str(needed).lower()}\n")
    Npm("scripted", needs_scripts=needed).fetch("1.0.0", str(tmp_path / "x"), settings())
    assert (tmp_path / "x/lib/node_modules/scripted/ran").exists() is needed


# -- what can go wrong -------------------------------------------------------------------------------------------------


@SOURCES
def test_a_registry_that_is_not_there_is_told_within_seconds(
    source: Source, settings: Callable[..., Settings], tmp_path: Path
) -> None:
    begun = time.monotonic()
    with pytest.raises(OperatorError, match=rf"cannot be fetched: the .* http://{CLOSED_PORT}/\S* is not reachable\. "):
        source.fetch("1.2.3", str(tmp_path / "x"), settings(f"http://{CLOSED_PORT}"))
    assert (
        time.monotonic() - begun < 20
    )  # 1.3 s of npm, 6 s of pip with its environment; the rest is for a busy machine


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_registry_that_never_answers_is_given_up(
    scheme: str, settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """npm's own limits say nothing about a connection that does not become encrypted: it would wait without end."""
    monkeypatch.setattr(source_npm, "ANSWER_SECONDS", 1)
    monkeypatch.setattr(sources, "_SILENCE_SECONDS", 6)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(
            OperatorError, match=rf"^@test/agent@1.2.3: cannot be fetched: the npm registry {url}/ (is not|does not)"
        ):
            NPM.fetch("1.2.3", str(tmp_path / "x"), settings(url))
        assert time.monotonic() - begun < 30


def test_silence_is_no_trouble_while_something_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_SILENCE_SECONDS", 2)
    script = f"for i in 1 2 3 4 5 6 7 8; do sleep 0.4; echo x >>{tmp_path}/growing; done"
    assert sources._watched(["/bin/sh", "-c", script], {"PATH": "/usr/bin:/bin"}, [str(tmp_path)]) == (0, "")
    with pytest.raises(sources._NothingComes):
        sources._watched(["/bin/sh", "-c", "sleep 60"], {"PATH": "/usr/bin:/bin"}, [str(tmp_path)])
    monkeypatch.setattr(sources, "_TIMEOUT_SECONDS", 1)
    with pytest.raises(TimeoutError):
        sources._watched(["/bin/sh", "-c", "while :; do echo; sleep 0.1; done"], {"PATH": "/usr/bin:/bin"}, [])


@SOURCES
@pytest.mark.parametrize("version", ["9.9.9"])
def test_a_version_that_the_registry_does_not_have_is_said(
    source: Source, version: str, settings: Callable[..., Settings], tmp_path: Path
) -> None:
    with pytest.raises(
        OperatorError, match=r"cannot be fetched: the .* http://localhost:\d+/\S* does not have it\. Check"
    ):
        source.fetch(version, str(tmp_path / "x"), settings())


def test_a_package_that_the_registry_does_not_have_is_said(settings: Callable[..., Settings], tmp_path: Path) -> None:
    with pytest.raises(
        OperatorError, match=r"^@test/none@1.0.0: cannot be fetched: the npm registry .* does not have it"
    ):
        Npm("@test/none").fetch("1.0.0", str(tmp_path / "x"), settings())


@SOURCES
def test_certificates_of_the_operator_are_trusted_beside_the_system_s(
    source: Source, settings: Callable[..., Settings], tmp_path: Path
) -> None:
    registry = Registry(tls=tmp_path)
    fill(registry)
    with pytest.raises(
        OperatorError, match=r"cannot be fetched: the certificate of the .* is not trusted\. Set coding_agents_ca_file"
    ):
        source.fetch("1.2.3", str(tmp_path / "x"), settings(registry.url))
    certificates = (tmp_path / "ca.pem").read_text()
    source.fetch("1.2.3", str(tmp_path / "y"), settings(registry.url, certificates=certificates))
    assert source.installed_version(str(tmp_path / "y")) == "1.2.3"
    registry.close()


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("npm error code ENOSPC\nnpm error nospc ENOSPC: no space left on device, write", "no space is left on the disk"),
        ("npm ERR! code EACCES\nnpm ERR! syscall mkdir", "a directory may not be written to"),
        ("npm error code E403\nnpm error 403 Forbidden - GET https://r/x", "the npm registry refuses access"),
        ("npm error code E503", "the npm registry has a fault of its own"),
        ("npm error code EAI_AGAIN", "the npm registry is not reachable"),
        ("npm error code CERT_HAS_EXPIRED", "the certificate of the npm registry is not trusted"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "no space is left on the disk"),
        ("WARNING: Retrying after connection broken by 'NewConnectionError('<pip'\nERROR: No matching distribution found for x",
         "the npm registry is not reachable"),
        ("npm error code 1\nnpm error path /x", "npm ended with status 7"),
        ("", "npm ended with status 7"),
    ],
)  # fmt: skip
def test_the_first_words_are_the_cause(said: str, cause: str, tmp_path: Path) -> None:
    registry = sources.Registry("the npm registry", None, "coding_agents_npm_registry")
    command = ["/bin/sh", "-c", 'printf %s "$1"; exit 7', "sh", said]
    with pytest.raises(OperatorError) as caught:
        sources.run("npm", command, {"PATH": "/usr/bin:/bin"}, "x@1", registry, [])
    assert str(caught.value).startswith(f"x@1: cannot be fetched: {cause}. ")


def test_without_npm_the_way_out_is_named(settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "USUAL_DIRECTORIES", ())
    with pytest.raises(OperatorError, match=r"npm is not installed\. Install Node.js"):
        NPM.fetch("1.0.0", "/nowhere", settings(environment={}))


def test_without_a_python_that_fits_the_way_out_is_named(settings: Callable[..., Settings], tmp_path: Path) -> None:
    with pytest.raises(
        OperatorError, match=r"^x 1: cannot be fetched: it needs Python 3\.98 or 3\.97, which is not there\. Install"
    ):
        Pip("x", pythons=("3.98", "3.97")).fetch("1", str(tmp_path / "x"), settings())


def test_a_python_that_is_only_a_name_is_passed_over(
    settings: Callable[..., Settings], tmp_path: Path, registry: Registry
) -> None:
    shim = tmp_path / "shims" / f"python{PIP.pythons[0]}"
    shim.parent.mkdir()
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    PIP.fetch("1.0.0", str(tmp_path / "x"), settings(environment={"PATH": str(shim.parent)}))
    assert PIP.installed_version(str(tmp_path / "x")) == "1.0.0"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo no such symbol >&2; exit 3", r"ends with status 3 when it is started with --version: no such symbol"),
        ("sleep 60", r"did not answer --version within 1 s"),
        (None, r"cannot be started \(Exec format error\)"),
    ],
)
def test_a_program_that_does_not_start_is_told(
    script: str | None, said: str, settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if script == "sleep 60":
        monkeypatch.setattr(sources, "START_SECONDS", 1)
    program = tmp_path / COMMAND
    program.write_bytes(b"\x7fELF nonsense" if script is None else f"#!/bin/sh\n{script}\n".encode())
    program.chmod(0o755)
    with pytest.raises(OperatorError, match=rf"^{program}: {said}"):
        NPM.try_out(str(program), settings())


def test_what_is_for_all_users_runs_with_nothing_of_a_home(home: Path) -> None:
    managed = home / ".nvm" / "versions" / "node" / "v22.1.0" / "bin"
    managed.mkdir(parents=True)
    environment = {"PATH": f"{home}/bin:/opt/node/bin:/usr/bin"}
    own = Settings(str(home), environment).path.split(os.pathsep)
    everybody = Settings(str(home), environment, for_all_users=True).path.split(os.pathsep)
    assert {str(managed), f"{home}/bin", f"{home}/.local/bin"} == set(own) - set(everybody)
    assert everybody[:2] == ["/opt/node/bin", "/usr/bin"]


def test_a_program_is_tried_in_a_home_of_no_account(
    settings: Callable[..., Settings], home: Path, tmp_path: Path
) -> None:
    program = tmp_path / COMMAND
    program.write_text(f'#!/bin/sh\nmkdir ~/.agent; touch ~/.agent/state "$TMPDIR/x" here; env >{tmp_path}/env\n')
    program.chmod(0o755)
    NPM.try_out(str(program), settings(environment={"PATH": "/usr/bin", "SECRET": "s3cr3t"}))
    assert not tree(home)
    assert "s3cr3t" not in (tmp_path / "env").read_text()


# -- secrets -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def recorder(tmp_path: Path) -> Callable[[], dict[str, Any]]:
    """An npm that only writes down what it was started with, in a directory for PATH."""
    npm = tmp_path / "recorder" / "npm"
    npm.parent.mkdir()
    npm.write_text(
        f"""#!{sys.executable}
import json, os, sys
config = os.environ.get("npm_config_userconfig", "")
held = open(config).read() if os.path.exists(config) else ""
mode = os.stat(config).st_mode & 0o777 if held else 0
told = {{"argv": sys.argv, "environment": dict(os.environ), "npmrc": held, "mode": mode}}
json.dump(told, open({str(tmp_path / "told")!r}, "w"))
print("npm error code E404 GET https://ada:s3cr3t%21@npm.example.com/x s3cr3t! YWRhOnMzY3IzdCE=")
sys.exit(1)
"""
    )
    npm.chmod(0o755)
    return lambda: dict(json.loads((tmp_path / "told").read_text()))


def test_a_password_in_the_registry_s_url_is_on_no_command_line_and_in_no_message(
    recorder: Callable[[], dict[str, Any]], settings: Callable[..., Settings], home: Path, tmp_path: Path
) -> None:
    (home / ".npmrc").write_text("fund=true\n//other.example.com/:_authToken=${OTHER_TOKEN}")
    environment = {"PATH": str(tmp_path / "recorder"), "OTHER_TOKEN": "t", "ANOTHER": "n0t", "npm_config_audit": "1"}
    with pytest.raises(OperatorError) as caught:
        NPM.fetch(
            "1.2.3", str(tmp_path / "x"), settings("https://ada:s3cr3t%21@npm.example.com", environment=environment)
        )
    told = recorder()
    said = str(caught.value)
    assert "the npm registry https://npm.example.com/ does not have it" in said
    for secret in ("s3cr3t", "YWRhOnMzY3IzdCE="):
        assert secret not in said and secret not in json.dumps([told["argv"], told["environment"]])
    assert told["npmrc"].startswith("fund=true\n//other.example.com/:_authToken=${OTHER_TOKEN}\n")
    assert told["npmrc"].endswith("\n//npm.example.com/:_auth=YWRhOnMzY3IzdCE=\n")
    assert told["mode"] == 0o600
    assert "n0t" not in json.dumps(told)
    assert (told["environment"]["OTHER_TOKEN"], told["environment"]["npm_config_audit"]) == ("t", "1")
    assert not os.path.exists(told["environment"]["npm_config_userconfig"])


def test_the_way_through_the_proxy_and_nothing_of_root_s_environment_is_passed_on(
    recorder: Callable[[], dict[str, Any]], settings: Callable[..., Settings], home: Path, tmp_path: Path
) -> None:
    environment = {"PATH": str(tmp_path / "recorder"), "AWS_SECRET_ACCESS_KEY": "s3cr3t", "https_proxy": "http://old:1"}
    with pytest.raises(OperatorError):
        NPM.fetch(
            "1", str(tmp_path / "x"), settings(environment=environment, proxy="http://new:2", no_proxy="a.example")
        )
    given = recorder()["environment"]
    assert "AWS_SECRET_ACCESS_KEY" not in given
    assert {given[name] for name in ("https_proxy", "HTTPS_PROXY", "npm_config_https_proxy")} == {"http://new:2"}
    assert {given[name] for name in ("no_proxy", "NO_PROXY")} == {"a.example"}
    assert given["HOME"] == str(home) and given["npm_config_userconfig"] == str(home / ".npmrc")


@SOURCES
def test_a_registry_with_a_password_gets_it(source: Source, settings: Callable[..., Settings], tmp_path: Path) -> None:
    registry = Registry(user=("ada", "s3cr3t!"))
    fill(registry)
    with pytest.raises(
        OperatorError, match=r"cannot be fetched: the .* http://localhost:\d+/\S* (refuses access|does not have it)"
    ):
        source.fetch("1.2.3", str(tmp_path / "x"), settings(registry.url))
    url = registry.url.replace("//", "//ada:s3cr3t%21@")
    source.fetch("1.2.3", str(tmp_path / "y"), settings(url))
    assert source.installed_version(str(tmp_path / "y")) == "1.2.3"
    kept = [path for path, (_kind, _mode, content) in tree(tmp_path / "y").items() if b"s3cr3t" in content]
    assert not kept
    registry.close()


def test_a_password_for_the_python_index_is_on_no_command_line(
    settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    def recorded(name: str, command: Any, environment: Any, *rest: Any) -> None:
        started.append((list(command), dict(environment)))

    monkeypatch.setattr(source_pip, "run", recorded)
    monkeypatch.setattr(PIP, "installed_version", lambda directory: "1.2.3")
    PIP.fetch("1.2.3", str(tmp_path / "x"), settings("http://ada:s3cr3t@pypi.example.com"))
    assert len(started) == 2 and "s3cr3t" not in json.dumps(started)
