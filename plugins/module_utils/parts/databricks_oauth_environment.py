# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor looks at of the host around us: the home, the space in it, the clock."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

from .. import careful
from .examination import FAIL, PASS, SKIP, WARN, Check, Examination

_CATEGORY = "Environment"
_LEAST_BYTES = 1 << 20
"""Less, and neither a token nor an agent's session can be written for long."""
_SECONDS_AHEAD = 120
"""Of a clock: the time that a request takes is in it, too."""


def home(examination: Examination) -> Check:
    """Whether there is room to write, and leave to: agents keep their sessions there, the helper its token. Nothing is written."""
    owner = examination.owner
    where = owner.home if examination.has_person else owner.data
    check = (_CATEGORY, "home")
    try:
        status, room = os.stat(where), os.statvfs(where)
    except FileNotFoundError:
        return Check(*check, SKIP, f"{where} is not there yet")
    except OSError as error:
        return Check(*check, FAIL, f"{where} cannot be looked at ({error.strerror})", "Check its owner and mode")
    if room.f_flag & os.ST_RDONLY:
        return Check(*check, FAIL, f"{where} is on a file system that is read-only", "Mount it for writing")
    if not os.access(where, os.W_OK | os.X_OK):
        said = f"{where} cannot be written to by {owner.user} (mode {status.st_mode & 0o7777:04o})"
        return Check(*check, FAIL, said, _way_in(where, status.st_uid))
    free = (room.f_bfree if os.geteuid() == 0 else room.f_bavail) * room.f_frsize
    if free < _LEAST_BYTES:
        return Check(*check, FAIL, f"the file system of {where} is full ({free >> 10} kB are left)", "Free some space")
    if room.f_files and not (room.f_ffree if os.geteuid() == 0 else room.f_favail):
        return Check(
            *check, FAIL, f"the file system of {where} takes no more files (no inode is left)", "Remove some files"
        )
    return Check(*check, PASS, f"{where} can be written to, {free >> 20} MB are free")


def clock(examination: Examination) -> Iterator[Check]:
    """Compared with the workspace's, if that has said what time it is."""
    ahead = examination.clock
    if ahead is None:
        return
    check = (_CATEGORY, "clock")
    if abs(ahead) < _SECONDS_AHEAD:
        yield Check(*check, PASS, "agrees with the workspace's")
        return
    said = f"is {abs(ahead) / 60:.0f} minutes {'ahead of' if ahead > 0 else 'behind'} the workspace's: tokens end earlier or later"
    yield Check(*check, WARN, f"{said} than this host takes them to", "Set it, and have it set by a time server")


def _way_in(where: str, uid: int) -> str:
    """``uid``: whose it is."""
    if uid == os.geteuid():
        return f"Run: chmod u+rwx {shlex.quote(where)}"
    return f"Run as root: chown {careful.user_name(os.geteuid())} {shlex.quote(where)}"
