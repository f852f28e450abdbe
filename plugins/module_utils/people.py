# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a host's accounts are people. Pure: the host's files are arguments."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pwd import struct_passwd

LOGIN_DEFS = ("/etc/login.defs", "/usr/etc/login.defs")
"""Which numbers people have on Linux; the second is the vendor's, of systems that keep ``/etc`` for the administrator."""

_NO_LOGIN = frozenset(("nologin", "false", "true", "sync", "halt", "shutdown", "git-shell"))
"""Shells, by the names of their files, in which nobody starts an agent."""


def people(
    accounts: Iterable[struct_passwd], login_defs: str, usual: tuple[int, int], whatever_shell: bool = False
) -> list[struct_passwd]:
    """Those with a person's number and a login shell, by name. Of two names for one number and home, the first.

    ``usual`` is the range of their numbers where the host does not say. With ``whatever_shell``, the shell is not asked: somebody
    who may not log in any more still has what was written.
    """
    first, last = _numbers(login_defs, usual)
    found: dict[tuple[int, str], struct_passwd] = {}
    for one in accounts:
        if first <= one.pw_uid <= last and (whatever_shell or os.path.basename(one.pw_shell) not in _NO_LOGIN):
            found.setdefault((one.pw_uid, one.pw_dir), one)
    return sorted(found.values(), key=lambda one: one.pw_name)


def _numbers(login_defs: str, usual: tuple[int, int]) -> tuple[int, int]:
    """The first and the last number of people."""
    said = {name: int(number) for name, number in re.findall(r"(?m)^\s*(UID_M(?:IN|AX))\s+([0-9]+)\b", login_defs)}
    return said.get("UID_MIN", usual[0]), said.get("UID_MAX", usual[1])
