# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which platform a host is, told from arguments; and that programs of Windows are never taken for a host's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.base import Launch
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.programs import given_directories
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import launcher
from ansible_collections.fmapi.coding_agents.plugins.module_utils.platforms import (
    PLATFORMS,
    platform_of,
    without_windows,
)

from tests.unit.options_for import owner_of
from tests.unit.signing_in import script

LINUX = "6.12.43+deb13-amd64"
WSL = {"WSL_DISTRO_NAME": "Debian"}


@pytest.mark.parametrize(
    ("system", "kernel", "environment", "os_release", "name"),
    [
        ("Darwin", "24.6.0", {}, "", "macos"),
        ("Darwin", "24.6.0", WSL, "ID=debian", "macos"),
        ("Linux", "4.4.0-19041-Microsoft", {}, "ID=debian", "wsl1"),
        ("Linux", "5.15.167.4-microsoft-standard-WSL2", {}, "ID=debian", "wsl2"),
        ("Linux", "6.6.0-of-my-own", WSL, "ID=debian", "wsl2"),
        ("Linux", LINUX, {"WSL_DISTRO_NAME": ""}, "ID=debian\n", "debian"),
        ("Linux", LINUX, {}, 'NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\n', "debian"),
        ("Linux", LINUX, {}, 'ID="rocky"\nID_LIKE="rhel centos fedora"\n', "redhat"),
        ("Linux", LINUX, {}, 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "suse"),
        ("Linux", LINUX, {}, "ID=alpine\nVERSION_ID=3.22.0\n", "alpine"),
        ("Linux", LINUX, {}, "BUILD_ID=debian\nVARIANT_ID=rhel\n", "linux"),
        ("Linux", LINUX, {}, "", "linux"),
    ],
)
def test_a_host_is_one_row_of_the_table(
    system: str, kernel: str, environment: dict[str, str], os_release: str, name: str
) -> None:
    assert platform_of(system, kernel, environment, os_release) == name
    assert name in PLATFORMS


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (["/usr/bin", "/mnt/c/Program Files/nodejs", "/mnt/d", "/mnt/data/bin"], ["/usr/bin", "/mnt/data/bin"]),
        (["/c/Windows/System32", "/c/nodejs", "/cc/bin", "/usr/bin"], ["/cc/bin", "/usr/bin"]),
        (["/win/c/WINDOWS", "/win/../win/d/npm", "/mnt/c/npm", "/c/bin"], ["/c/bin"]),
        (["/home/ada/windows/bin", "/c/bin"], ["/home/ada/windows/bin", "/c/bin"]),
    ],
    ids=["usual", "at the root", "elsewhere", "none"],
)
def test_directories_of_windows_are_left_out_wherever_its_drives_are(given: list[str], left: list[str]) -> None:
    assert without_windows(given) == left
    assert given_directories({"PATH": ":".join([*given, "relative"])}) == left


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_a_launcher_passes_over_what_npm_has_left_on_windows(name: str, tmp_path: Path) -> None:
    """Its script without an ending runs on Linux, too, and starts a Node.js that may be either."""
    agent = AGENTS[name]
    # The drive of this test, for it makes nothing outside its own directory.
    text = launcher.script(owner_of(tmp_path), agent, Launch(), "/helper", []).decode()
    assert "/mnt/[a-z]/*" in text
    entry = script(tmp_path / "entry", text.removeprefix("#!/bin/sh\n").replace("/mnt/", f"{tmp_path}/mnt/"))
    for directory, says in (("mnt/c/npm", "windows"), ("bin", "linux")):
        (tmp_path / directory).mkdir(parents=True)
        script(tmp_path / directory / agent.command, f"echo {says}")
    path = f"{tmp_path}/mnt/c/npm:{tmp_path}/mnt/c:{tmp_path}/bin:/usr/bin:/bin"
    done = subprocess.run([entry], env={"PATH": path}, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("linux\n", "")
