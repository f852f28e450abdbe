# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which program holds a port, as far as the system tells us."""

from __future__ import annotations

import glob
import os
import sys

from .. import careful, processes

_LISTENS = "0A"
_MOST_BYTES = 1 << 24
_SECONDS = 3.0


def holder(port: int) -> str:
    """Its name and process id; empty where nobody says (the process of another user, for example)."""
    return _by_proc(port) if sys.platform.startswith("linux") else _by_lsof(port)


def _by_proc(port: int) -> str:
    wanted = {f"socket:[{inode}]" for inode in _inodes(port)}
    for path in glob.iglob("/proc/[0-9]*/fd/*") if wanted else ():
        try:
            if os.readlink(path) in wanted:
                pid = path.split("/")[2]
                with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as stream:
                    return f"{careful.line(stream.read())} (process {pid})"
        except OSError:
            continue
    return ""


def _inodes(port: int) -> list[str]:
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii", errors="replace") as stream:
                rows = [line.split() for line in stream.read(_MOST_BYTES).splitlines()[1:]]
        except OSError:
            continue
        found += [row[9] for row in rows if len(row) > 9 and row[3] == _LISTENS and row[1].endswith(f":{port:04X}")]
    return found


def _by_lsof(port: int) -> str:
    command = ["/usr/sbin/lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]
    try:
        told = processes.run(command, processes.environment({}, "/"), _SECONDS).stdout.splitlines()
    except OSError:
        return ""
    pids = [line[1:] for line in told if line.startswith("p")]
    names = [line[1:] for line in told if line.startswith("c")]
    return f"{careful.line(names[0])} (process {careful.line(pids[0])})" if pids and names else ""
