# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agents' programs from the npm registry: which version stands, whether it will do, how to get the wanted one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from typing import Any

from .engine import files
from . import processes
from .agents import AGENTS, Agent, FoundCli
from .errors import OperatorError
from .engine.ledger import Ledger, locked

_USUAL_DIRECTORIES = ("/usr/local/bin", "/opt/homebrew/bin", "/usr/bin", "/bin")
_TIMEOUT_SECONDS = 600


def wanted_version(agent: Agent, versions: Mapping[str, Any], found: FoundCli | None) -> str | None:
    """The version to install, or None when what is there will do. A version that the operator names is always brought about."""
    named = versions.get(agent.name)
    if named:
        return None if found and found.version == str(named) else str(named)
    return None if found and agent.accepts(found.version) else agent.pinned_version


def describe(agent: Agent, found: FoundCli | None, wanted: str | None) -> dict[str, Any]:
    """The result that modules return for one agent's program."""
    return {
        "path": found.path if found else None,
        "version": found.version if found else None,
        "source": found.source if found else None,
        "wanted_version": wanted or (found.version if found else None),
    }


def check_versions(versions: Mapping[str, Any]) -> None:
    """Raises OperatorError for an agent that we do not know, or a version that must not be installed."""
    for name, version in versions.items():
        if name not in AGENTS:
            raise OperatorError(
                f"{name} is no agent", "coding_agents_cli_versions", f"Known are: {', '.join(sorted(AGENTS))}"
            )
        if (
            not isinstance(version, str)
            or not version
            or not version[0].isdigit()
            or not version.replace(".", "").replace("-", "").isalnum()
        ):
            raise OperatorError(
                f"{version!r} is no version", f"coding_agents_cli_versions.{name}", "Give it like '2.1.197', in quotes"
            )
        agent = AGENTS[name]
        if not agent.accepts(version):
            raise OperatorError(
                f"{agent.title} {version} does not work with a workspace",
                f"coding_agents_cli_versions.{name}",
                f"Use {agent.pinned_version}, or another from {agent.minimum_version} but not {', '.join(agent.denied_versions)}",
            )


def install(
    home: str, agent: Agent, version: str, prefix: str, registry: str | None, environment: Mapping[str, str]
) -> None:
    """Install into ``prefix`` and remember in the ledger what stood there. Raises OperatorError."""
    with locked(home):
        ledger = Ledger.load(home)
        before = agent.installed_by_npm(prefix)
        record = ledger.packages.get(agent.name) or {"prefix": prefix, "previous": before}
        ledger.packages[agent.name] = {**record, "version": version}
        scope = os.path.dirname(agent.npm_package)  # npm leaves an empty one behind when it uninstalls
        _remember_directories(ledger, [os.path.join(prefix, "bin"), os.path.join(prefix, "lib", "node_modules", scope)])
        ledger.save()  # before npm starts: a run that is killed leaves nothing that nobody knows of
        _npm(["install", f"{agent.npm_package}@{version}"], prefix, registry, home, environment)
        if agent.installed_by_npm(prefix) != version:
            raise OperatorError(
                f"npm ended well, but {agent.title} {version} is not there", prefix, "Run it again with -vvv"
            )


def uninstall(home: str, registry: str | None, environment: Mapping[str, str], check: bool) -> dict[str, str]:
    """Take away what we installed (or bring back the version that stood there). Returns what was done for each agent."""
    done = {}
    if check:
        return {name: _fate(AGENTS[name], record)[1] for name, record in Ledger.load(home).packages.items()}
    with locked(home):
        ledger = Ledger.load(home)
        for name, record in sorted(ledger.packages.items()):
            arguments, done[name] = _fate(AGENTS[name], record)
            if arguments:
                _npm(arguments, record["prefix"], registry, home, environment)
            del ledger.packages[name]
        if done:
            files.remove_empty_directories(ledger.directories)
            ledger.directories = [path for path in ledger.directories if os.path.isdir(path)]
            ledger.save()
    return done


def _fate(agent: Agent, record: Mapping[str, Any]) -> tuple[list[str], str]:
    now = agent.installed_by_npm(record["prefix"])
    if now is None:
        return [], "was already gone"
    if now != record["version"]:
        return [], f"left as it is: {now} is not the {record['version']} that we installed"
    if record.get("previous"):
        return ["install", f"{agent.npm_package}@{record['previous']}"], f"back to {record['previous']}"
    return ["uninstall", agent.npm_package], f"{now} removed"


def _remember_directories(ledger: Ledger, directories: list[str]) -> None:
    for directory in directories:
        for made in files.make_directories(directory, ledger.home):
            ledger.directories.append(made)


def _npm(arguments: list[str], prefix: str, registry: str | None, home: str, environment: Mapping[str, str]) -> None:
    path = os.pathsep.join([environment.get("PATH", ""), *_USUAL_DIRECTORIES, os.path.join(home, ".local", "bin")])
    npm = shutil.which("npm", path=path)
    if npm is None:
        raise OperatorError(
            "npm is not installed",
            "toolchain",
            "Install Node.js 18 or newer with npm, or install the agent yourself and run again",
        )
    with tempfile.TemporaryDirectory(prefix="fmapi-npm-") as cache:
        command = [
            npm,
            *arguments,
            "--global",
            "--prefix",
            prefix,
            "--cache",
            cache,
            "--ignore-scripts=false",
            "--include=optional",
        ]
        command += ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
        command += ["--registry", registry] if registry else []
        try:
            done = processes.run(command, {**environment, "HOME": home, "PATH": path}, _TIMEOUT_SECONDS, cache)
        except TimeoutError:
            raise OperatorError(
                f"npm did not end within {_TIMEOUT_SECONDS} s", arguments[1], "Check the registry and the proxy"
            ) from None
        except OSError as error:
            raise OperatorError(f"cannot be started ({error.strerror})", npm, "Install Node.js again") from None
    if done.status != 0:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        said = "; ".join(line for line in lines if "A complete log" not in line)[:600]
        raise OperatorError(
            f"npm {arguments[0]} failed: {said}", arguments[1], "Check coding_agents_npm_registry, proxy and version"
        )
