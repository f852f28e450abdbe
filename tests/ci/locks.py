# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write ``plugins/plugin_utils/locks.json``: every package of each agent's known versions, and what its registry has published of it;
of Node.js and of the Databricks CLI, the SHA-256 of each archive, by the release's own file of sums.

It asks the registries and the vendors (``make locks``), after a new version was pinned. What is in the file already stays as it is. A
vendor who is not reachable is named, and its archives stay without a lock: hosts then believe the sums beside them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plugins.module_utils.agents import AGENTS
from plugins.module_utils.agents.source_pip import Pip
from plugins.module_utils.agents.source_release import (
    DATABRICKS_CLI,
    DATABRICKS_CLI_VERSION,
    NODE,
    NODE_VERSION,
    Release,
    sum_of,
)
from plugins.module_utils.agents.sources import Source

FILE = Path(__file__).parents[2] / "plugins" / "plugin_utils" / "locks.json"
BEFORE = {"claude_code": ("2.1.197",)}
"""Versions that were pinned before, which people name."""
_KEPT = (
    *(
        "name",
        "version",
        "integrity",
        "dependencies",
        "optionalDependencies",
        "peerDependencies",
        "peerDependenciesMeta",
    ),
    *("optional", "peer", "os", "cpu", "libc"),
)
"""Of an entry of npm's own lock. Where it comes from is not: a mirror will do."""
_PLATFORMS = {
    ("linux", "x86_64"): ("manylinux2014_x86_64", "manylinux_2_28_x86_64"),
    ("linux", "aarch64"): ("manylinux2014_aarch64", "manylinux_2_28_aarch64"),
    ("linux", "x86_64", "musl"): ("musllinux_1_2_x86_64", "musllinux_1_1_x86_64"),
    ("linux", "aarch64", "musl"): ("musllinux_1_2_aarch64", "musllinux_1_1_aarch64"),
    ("darwin", "arm64"): tuple(f"macosx_{version}_arm64" for version in ("11_0", "12_0", "13_0", "14_0")),
    ("darwin", "x86_64"): tuple(f"macosx_{version}_x86_64" for version in ("10_9", "10_12", "10_13", "11_0", "13_0")),
}


def _npm(package: str, version: str) -> dict[str, Any]:
    """The packages of npm's lock, by place."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "package.json").write_text("{}")
        command = [
            "npm",
            "install",
            "--package-lock-only",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--save-exact",
        ]
        subprocess.run([*command, f"{package}@{version}"], cwd=directory, check=True, stdout=subprocess.DEVNULL)
        packages = json.loads(Path(directory, "package-lock.json").read_text())["packages"]
    ours = f"node_modules/{package}"
    found = {}
    for place, entry in packages.items():
        if place:
            assert entry["integrity"].startswith("sha512-"), f"{place} has no good digest"
            kept = (*_KEPT, "bin") if place == ours else _KEPT
            found[place] = {name: entry[name] for name in kept if name in entry}
    for place, entry in found.items():
        named = entry.get("optionalDependencies", {})
        lacking = [
            name
            for name in named
            if f"{place}/node_modules/{name}" not in found and f"node_modules/{name}" not in found
        ]
        for name in lacking:  # this registry does not have them; npm would miss them
            del named[name]
        if lacking and place == ours:
            entry["lacksPlatforms"] = True  # a key of our own, which npm passes over
    return {ours: found.pop(ours), **found}


def _pip(source: Pip, version: str) -> list[str]:
    """Lines of a requirements file: for each environment that the agent runs in, by what pip would choose there."""
    chosen: dict[str, str] = {}
    hashes: dict[str, set[str]] = {}
    seen: dict[str, set[tuple[str, str, str]]] = {}
    environments = set()
    for python in sorted(source.pythons, reverse=True):
        for (system, machine, *_libc), tags in _PLATFORMS.items():
            environments.add((python, system, machine))
            for name, number, digest in _resolved(f"{source.package}=={version}", python, tags, chosen):
                assert chosen.setdefault(name, number) == number, f"{name}: two versions"
                hashes.setdefault(name, set()).add(digest)
                seen.setdefault(name, set()).add((python, system, machine))
    lines = []
    for name in sorted(chosen):
        where = "" if seen[name] == environments else f" ; {_marker(seen[name])}"
        lines.append(
            f"{name}=={chosen[name]}{where} " + " ".join(f"--hash=sha256:{one}" for one in sorted(hashes[name]))
        )
    return lines


def _resolved(
    requirement: str, python: str, tags: tuple[str, ...], chosen: dict[str, str]
) -> Iterator[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as directory:
        constraints = Path(directory, "constraints.txt")
        constraints.write_text("".join(f"{name}=={number}\n" for name, number in chosen.items()))
        report = Path(directory, "report.json")
        command = [
            sys.executable,
            "-I",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--dry-run",
            "--ignore-installed",
            "--no-cache-dir",
        ]
        command += ["--report", str(report), "--python-version", python, "--only-binary=:all:", "--target", directory]
        command += [word for tag in tags for word in ("--platform", tag)] + [
            "--constraint",
            str(constraints),
            requirement,
        ]
        subprocess.run(
            command, check=True, env={name: value for name, value in os.environ.items() if name != "PIP_FIND_LINKS"}
        )
        for one in json.loads(report.read_text())["install"]:
            digest = one["download_info"]["archive_info"]["hashes"]["sha256"]
            yield one["metadata"]["name"].lower(), one["metadata"]["version"], digest


def _marker(environments: set[tuple[str, str, str]]) -> str:
    return " or ".join(
        f"(python_version == '{python}' and sys_platform == '{system}' and platform_machine == '{machine}')"
        for python, system, machine in sorted(environments)
    )


def _made(source: Source, version: str) -> dict[str, Any] | list[str]:
    return _pip(source, version) if isinstance(source, Pip) else _npm(source.package, version)


_SYSTEMS = ("linux", "darwin")


def _archives(release: Release, version: str, known: dict[str, str]) -> dict[str, str]:
    """The SHA-256 of each archive for a platform that hosts may have, by the archive's name."""
    names = {release.archive_for(version, system, one) for system in _SYSTEMS for one in release.machines}
    if set(known) >= names:
        return known
    url = f"https://{(release.place + release.sums).format(version=version)}"
    with tempfile.TemporaryDirectory() as directory:
        sums = Path(directory, "sums")
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                sums.write_bytes(answer.read())
        except urllib.error.URLError as error:
            print(f"{url} is not reachable ({error.reason}): {len(known)} of {len(names)} archives have a lock")
            return known
        told = {name: sum_of(name, str(sums)) for name in sorted(names)}
    for name, digest in known.items():
        assert digest == told[name], f"{name}: the release tells another SHA-256 than the lock"
    return {name: digest for name, digest in told.items() if digest}  # not each machine has each system


def main() -> None:
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    locks = {}
    for name, agent in AGENTS.items():
        for version in (agent.pinned_version, *BEFORE.get(name, ())):
            key = f"{agent.source.package}@{version}"
            locks[key] = known.get(key) or _made(agent.source, version)
            print(f"{key}: {len(locks[key])} packages", flush=True)
    for release, version in ((NODE, NODE_VERSION), (DATABRICKS_CLI, DATABRICKS_CLI_VERSION)):
        key = f"{release.package}@{version}"
        archives = _archives(release, version, known.get(key, {}))
        if archives:
            locks[key] = archives
    FILE.write_text(json.dumps(locks, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
