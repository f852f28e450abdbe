# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets each Python of a host say that it runs on another system: what ``/etc/emulated-system.json`` holds.

It answers ``os.uname``, and with it :mod:`platform`, and ``sys.platform``. All else stays Linux: the file system, the programs, the
calls of the kernel.
"""

import json
import os
import sys

with open("/etc/emulated-system.json", encoding="utf-8") as stream:
    _SAID = json.load(stream)

_REAL = os.uname


def _uname() -> os.uname_result:
    real = _REAL()
    said = {name: _SAID.get(name, getattr(real, name)) for name in ("sysname", "release", "version", "machine")}
    return os.uname_result((said["sysname"], real.nodename, said["release"], said["version"], said["machine"]))


os.uname = _uname
sys.platform = _SAID.get("platform", sys.platform)
