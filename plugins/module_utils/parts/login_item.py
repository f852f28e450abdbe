# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What asks a person to sign in as their session begins, on every platform.

A launchd agent on macOS, an XDG autostart entry on Linux, a block in ``~/.profile`` on WSL, which has no session of its own.
All of them run ``coding-agents login``, which asks nothing of who is signed in, and waits for the network that may come later.
"""

from __future__ import annotations

import os
import shlex

from ..engine import traces
from ..engine.documents import FORMATS, MISSING, KeyPath
from ..engine.ledger import Ledger
from ..engine.owner import Owner
from ..engine.ownership import Wanted, whole_file
from ..errors import OperatorError
from ..host_program.browser import here
from ..host_program.config import Config
from ..platforms import LAUNCH_AGENT, SHELL_PROFILE, Platform
from .base import Options, Part
from .context import config_of

LABEL = "io.github.fmapi.coding-agents.login"
BLOCK: KeyPath = ("login",)

_ARGUMENTS = ("login", "--quiet", "--wait", "120")

_DESKTOP_ENTRY = """\
[Desktop Entry]
Type=Application
Name=Sign in to Databricks
Comment=Opens a browser when the coding agents' sign-in has ended
Exec={command}
Terminal=false
NoDisplay=true
"""

_BLOCK = """\
case $- in
*i*)
    # Once after each start of WSL, in the background; who is signed in is not asked.
    (
        boot= asked=
        read -r boot </proc/sys/kernel/random/boot_id
        read -r asked <{marker}
        if [ "$boot" != "$asked" ] && mkdir -p -m 700 {directory} && echo "$boot" >{marker}; then
            {command} &
        fi
    ) </dev/null >/dev/null 2>&1
    ;;
esac"""


class LoginItem(Part):
    name = "login_item"

    def wanted(self, owner: Owner, options: Options) -> list[Wanted]:
        return [] if owner.is_machine else documents(config_of(owner, options), here(os.environ).platform)

    def traces(self, ledger: Ledger) -> None:
        if ledger.owner.is_machine:
            return
        home = ledger.owner.home
        for path in (launch_agent(home), desktop_entry(home)):
            traces.whole_file(ledger, self.name, path)
        path = shell_profile(home)
        try:
            block = FORMATS["block"](traces.content(path) or b"").get(BLOCK)
        except OperatorError:
            return
        if block is not MISSING:
            traces.keys(ledger, self.name, path, "block", {BLOCK: block})


def launch_agent(home: str) -> str:
    return os.path.join(home, "Library", "LaunchAgents", f"{LABEL}.plist")


def desktop_entry(home: str) -> str:
    """XDG_CONFIG_HOME is not asked: an ssh session may know another one than the desktop."""
    return os.path.join(home, ".config", "autostart", "fmapi-coding-agents-login.desktop")


def shell_profile(home: str) -> str:
    return os.path.join(home, ".profile")


def documents(config: Config, platform: Platform) -> list[Wanted]:
    """The login item; none where it is not wanted, or no person signs in. Pure: the platform is an argument."""
    if not config.login_at_start or config.identity != "user":
        return []
    command = [config.front, *_ARGUMENTS]
    if platform.login_item == LAUNCH_AGENT:
        return [_file(launch_agent(config.home), _launch_agent(command))]
    if platform.login_item == SHELL_PROFILE:
        block = _block(config, command)
        return [Wanted(shell_profile(config.home), "block", LoginItem.name, values={BLOCK: block})]
    entry = _DESKTOP_ENTRY.format(command=" ".join(map(_exec_argument, command)))
    return [_file(desktop_entry(config.home), entry.encode())]


def _file(path: str, content: bytes) -> Wanted:
    return whole_file(path, LoginItem.name, content, "login item")


def _launch_agent(command: list[str]) -> bytes:
    import plistlib  # an XML parser, which every look elsewhere would pay for

    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": command,
            "RunAtLoad": True,
            "LimitLoadToSessionType": "Aqua",  # not for ssh sessions, which have no browser
            "ProcessType": "Background",
        }
    )


def _block(config: Config, command: list[str]) -> str:
    # Beside the token cache, which uninstalling empties.
    marker = f"{config.cache_file}.asked"
    return _BLOCK.format(
        marker=shlex.quote(marker), directory=shlex.quote(config.cache_directory), command=shlex.join(command)
    )


def _exec_argument(argument: str) -> str:
    """One argument of a desktop entry's Exec: quoted as the specification says, then escaped as every string there.

    So a backslash becomes four, a dollar sign ``\\\\$``; a percent sign would begin a field code.
    """
    quoted = "".join(f"\\{one}" if one in '"`$\\' else one for one in argument)
    return '"{}"'.format(quoted.replace("\\", "\\\\").replace("%", "%%"))
