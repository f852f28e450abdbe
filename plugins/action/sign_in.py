# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the host who has to sign in, print it, and sign the person in who sits at this machine.

A module's output comes only when it has ended, which is too late for a link that somebody has to open: so it is run from here.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import Any

from ansible import constants as C
from ansible.utils.display import Display

from ..module_utils import processes
from ..modules.sign_in import SPEC
from ..plugin_utils.filling import filled
from ..plugin_utils.host_action import REPORTED, HostAction

_PORT = 8020
"""Where the Databricks CLI listens for the browser's way back, unless the port is taken; then ``login`` says so."""

_SSH = ("ssh", "paramiko", "paramiko_ssh", "smart", "libssh")

_SAID = {
    "signed_in": ("is signed in", C.COLOR_OK),
    "sign_in_needed": ("has to sign in", C.COLOR_WARN),
    "no_person_needed": ("needs nobody to sign in", C.COLOR_OK),
    "not_set_up": ("cannot sign in yet", C.COLOR_SKIP),
    "unknown": ("may have to sign in", C.COLOR_WARN),
}


class ActionModule(HostAction):
    """One module call on the host; then the sign-in itself where it can be done from here."""

    OPTIONS = SPEC
    VERB = "sign_ins"

    def told(self, result: dict[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
        name = str(variables.get("inventory_hostname"))
        for entry in result.get("sign_ins", []):
            entry["host"] = name
            entry["owner"] = f"{entry['user']} on {name}"
            entry["command"] = self._command(entry)
            waiting = entry["state"] in ("sign_in_needed", "unknown")
            if waiting and self._is_mine(entry) and not self._task.check_mode:
                result.update(self._sign_in(entry, variables))
            elif not variables.get(REPORTED):
                _show(entry)
        return result

    def _command(self, entry: dict[str, Any]) -> str:
        """What the owner runs, wherever they sit."""
        if self._connection.transport.rpartition(".")[2] not in _SSH:
            return str(entry["login"])
        address = self._connection.get_option("host") or entry["host"]
        port = self._connection.get_option("port")
        options = f"-p {port} " if port and int(port) != 22 else ""
        return f"ssh -t {options}-L {_PORT}:localhost:{_PORT} {entry['user']}@{address} {shlex.quote(entry['login'])}"

    def _is_mine(self, entry: dict[str, Any]) -> bool:
        """Whether this is the machine, and the user, that the person who runs the playbook works with."""
        if self._connection.transport != "local" or self._connection.become is not None:
            return False
        return os.stat(entry["home"]).st_uid == os.geteuid()

    def _sign_in(self, entry: dict[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
        """Run ``login``, each of its lines as it comes. It bounds itself."""
        display = Display()
        options, _from_variables = filled(["sign_in_timeout"], self._task.args, variables, self._templar)
        timeout = str(options.get("sign_in_timeout", SPEC["sign_in_timeout"]["default"]))
        # A play that is interrupted ends its workers without a word to them.
        command = [entry["front"], "login", "--tied", "--timeout", timeout]
        started = processes.start(command, os.environ, listen=True, tied=True)
        said, status = "", None
        try:
            while status is None:
                status = started.poll()
                said += started.read(0.2)
                *lines, said = said.split("\n")
                for line in lines:
                    display.display(f"{entry['host']}: {line}")
                    entry["detail"] = line
        finally:
            started.end()
        if status == 0:
            entry["state"] = "signed_in"
            return {"changed": True}
        return {"failed": True, "msg": entry["detail"]}


def _show(entry: dict[str, Any]) -> None:
    words, colour = _SAID[entry["state"]]
    display = Display()
    display.display(f"{entry['owner']} {words} ({entry['detail']})", color=colour)
    if entry["state"] in ("sign_in_needed", "unknown"):
        display.display(f"  -> {entry['command']}")
