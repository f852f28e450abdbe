# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between the platforms of hosts, in one table, and which of them a host is. Pure: what tells is an argument."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

LAUNCH_AGENT, DESKTOP_ENTRY, SHELL_PROFILE = "launch_agent", "desktop_entry", "shell_profile"
"""What starts something with a person's session."""

TESTED, EMULATED, UNPROVEN = "tested", "emulated", "unproven"


class Platform(NamedTuple):
    """One row of the table."""

    title: str
    proof: str
    """How it is known that what is said of it here is so."""
    is_wsl: bool
    login_item: str
    browsers: Sequence[Sequence[str]]
    """Commands that open a link, best first."""
    browser_directory: str
    """Where they are, too: a GUI or a login item may start us with a short PATH."""
    certificates: str
    """The file with the authorities that the system trusts."""
    people: tuple[int, int]
    """The first and the last number of a person's account, where ``/etc/login.defs`` says nothing."""


_DEBIAN = Platform(
    title="Debian, Ubuntu",
    proof=TESTED,
    is_wsl=False,
    login_item=DESKTOP_ENTRY,
    browsers=(("xdg-open",), ("x-www-browser",), ("www-browser",)),
    browser_directory="/usr/bin",
    certificates="/etc/ssl/certs/ca-certificates.crt",
    people=(1000, 60000),
)
_WSL = _DEBIAN._replace(
    proof=EMULATED,
    is_wsl=True,
    login_item=SHELL_PROFILE,
    # explorer.exe opens a folder for a link with a query, and a shell (cmd.exe, PowerShell) would take its & for a command.
    browsers=(("wslview",), ("rundll32.exe", "url.dll,FileProtocolHandler")),
    # A PATH without Windows' directories is usual there.
    browser_directory="/mnt/c/Windows/System32",
)

PLATFORMS: Mapping[str, Platform] = {
    "debian": _DEBIAN,
    "redhat": _DEBIAN._replace(
        title="RHEL, Fedora, Rocky, Alma", proof=UNPROVEN, certificates="/etc/pki/tls/certs/ca-bundle.crt"
    ),
    "suse": _DEBIAN._replace(title="SUSE", proof=UNPROVEN, certificates="/etc/ssl/ca-bundle.pem"),
    "alpine": _DEBIAN._replace(title="Alpine", proof=UNPROVEN, certificates="/etc/ssl/cert.pem"),
    "linux": _DEBIAN._replace(title="Other Linux", proof=UNPROVEN),
    "wsl1": _WSL._replace(title="WSL 1"),
    "wsl2": _WSL._replace(title="WSL 2"),
    "macos": Platform(
        title="macOS, Intel and Apple silicon",
        proof=EMULATED,
        is_wsl=False,
        login_item=LAUNCH_AGENT,
        browsers=(("open",),),
        browser_directory="/usr/bin",
        certificates="/etc/ssl/cert.pem",
        people=(501, (1 << 31) - 1),
    ),
}

_MACHINES = {"amd64": "x86_64", "aarch64": "arm64"}
"""Other names of the same."""

_FAMILIES = (
    ("debian", ("debian", "ubuntu")),
    ("redhat", ("rhel", "fedora", "centos")),
    ("suse", ("suse", "opensuse", "sles")),
    ("alpine", ("alpine",)),
)
"""By the words of ``ID`` and ``ID_LIKE`` in ``/etc/os-release``."""

OS_RELEASE = "/etc/os-release"

WSL_VARIABLE = "WSL_DISTRO_NAME"
"""WSL sets it in every terminal; of a kernel that somebody has built for it, nothing else may tell."""

_OF_WINDOWS = re.compile(r"(.*/)[a-z]/windows(/|$)", re.IGNORECASE)
_USUAL_MOUNTS = "/mnt/"


def machine_of(told: str) -> str:
    """What kind of machine it is, by the name that its system tells."""
    machine = told.lower()
    return _MACHINES.get(machine, machine)


def platform_of(system: str, kernel_release: str, environment: Mapping[str, str], os_release: str = "") -> str:
    """Which row a host has: by ``platform.system()``, ``platform.release()``, the environment and the text of ``/etc/os-release``."""
    if system == "Darwin":
        return "macos"
    kernel = kernel_release.lower()
    if "microsoft" in kernel or environment.get(WSL_VARIABLE):
        # Such as 4.4.0-19041-Microsoft, and 5.15.167.4-microsoft-standard-WSL2.
        return "wsl1" if kernel.endswith("-microsoft") else "wsl2"
    return _family(os_release)


def _family(os_release: str) -> str:
    said = re.findall(r"(?m)^(?:ID|ID_LIKE)=(.*)$", os_release)
    words = {word.partition("-")[0] for line in said for word in line.strip("\"' ").split()}
    return next((name for name, known in _FAMILIES if words.intersection(known)), "linux")


def without_windows(directories: Sequence[str]) -> list[str]:
    """Of directories on PATH, those that are not on a drive of Windows, which WSL puts there: its programs install for Windows.

    Where drives are mounted (``/mnt``, or what ``/etc/wsl.conf`` says), the directory of Windows itself tells.
    """
    mounts = {_USUAL_MOUNTS} | {found[1] for found in map(_OF_WINDOWS.match, directories) if found}
    drives = re.compile("(?:{})[a-z](?:/|$)".format("|".join(map(re.escape, sorted(mounts)))))
    return [one for one in directories if not drives.match(os.path.normpath(one))]
