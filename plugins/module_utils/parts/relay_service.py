# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What starts the relay of a service as the person's sessions begin: a systemd user unit, a launchd agent, a block in ``~/.profile``.

Each of them runs ``coding-agents relay start`` and no more. The relay is no child of theirs: so a new one can take over from an old
one that still has streams to finish, and whatever needs a relay that has died starts it again.
"""

from __future__ import annotations

import os
import shlex

from ..engine import traces
from ..engine.documents import FORMATS, MISSING, KeyPath, LinkDocument
from ..engine.ledger import Ledger
from ..engine.ownership import Wanted, whole_file
from ..errors import OperatorError
from ..host_program.config import Config
from ..platforms import LAUNCH_AGENT, Platform

LABEL = "io.github.fmapi.coding-agents.relay"
BLOCK: KeyPath = ("relay",)
SYSTEMD = "/run/systemd/system"
"""It is there where systemd runs: WSL may do without, and containers."""

_UNIT_NAME = "fmapi-coding-agents-relay.service"
_UNIT = """\
[Unit]
Description=Relay of coding agents to a Databricks workspace

[Service]
Type=oneshot
RemainAfterExit=yes
# The relay looks after itself: a new one takes over from an old one that finishes its streams.
KillMode=process
# A script of sh, named as an argument: as the program it could not have every name.
ExecStart=/bin/sh {command} relay start
ExecStop=/bin/sh {command} relay stop

[Install]
WantedBy=default.target
"""
_BLOCK = """\
case $- in
*i*) {command} relay start </dev/null >/dev/null 2>&1 & ;;
esac"""


def documents(config: Config, component: str, platform: Platform, has_systemd: bool) -> list[Wanted]:
    """Pure: the platform is an argument."""
    if platform.login_item == LAUNCH_AGENT:
        return [whole_file(_launch_agent(config.home), component, _property_list(config), "relay's launchd agent")]
    if has_systemd:
        unit = _UNIT.format(command=_unit_word(config.front)).encode()
        return [
            whole_file(_unit(config.home), component, unit, "relay's systemd unit"),
            Wanted(
                _wanted_by(config.home),
                LinkDocument.format,
                component,
                values={(): os.path.join("..", _UNIT_NAME)},
                summary="relay's systemd unit, enabled",
            ),
        ]
    block = _BLOCK.format(command=shlex.quote(config.front))
    return [Wanted(_profile(config.home), "block", component, values={BLOCK: block})]


def trace(ledger: Ledger, component: str) -> None:
    """What of it stands there, for a ledger that was lost."""
    home = ledger.owner.home
    traces.whole_file(ledger, component, _launch_agent(home))
    traces.whole_file(ledger, component, _unit(home))
    traces.whole_file(ledger, component, _wanted_by(home), LinkDocument.format)
    path = _profile(home)
    try:
        block = FORMATS["block"](traces.content(path) or b"").get(BLOCK)
    except OperatorError:
        return
    if block is not MISSING:
        traces.keys(ledger, component, path, "block", {BLOCK: block})


def _launch_agent(home: str) -> str:
    return os.path.join(home, "Library", "LaunchAgents", f"{LABEL}.plist")


def _units(home: str) -> str:
    """XDG_CONFIG_HOME is not asked: an ssh session may know another one than the user's systemd."""
    return os.path.join(home, ".config", "systemd", "user")


def _unit(home: str) -> str:
    return os.path.join(_units(home), _UNIT_NAME)


def _wanted_by(home: str) -> str:
    return os.path.join(_units(home), "default.target.wants", _UNIT_NAME)


def _profile(home: str) -> str:
    return os.path.join(home, ".profile")


def _property_list(config: Config) -> bytes:
    import plistlib  # an XML parser, which every look elsewhere would pay for

    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": [config.front, "relay", "start"],
            "RunAtLoad": True,
            "AbandonProcessGroup": True,
            "ProcessType": "Background",
        }
    )


def _unit_word(text: str) -> str:
    """A path as a unit has it: quoted, its specifiers and variables as plain characters."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
