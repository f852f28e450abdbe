# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would make a write fail, found before the first one: so a dry run refuses what a run cannot do, and a run has not begun.

A rename asks for more than a file that can be written to: its directory, marks of the file system, other owners, mounts.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys

from ..errors import OperatorError
from .files import is_mounted, place, temporary_name, unusable

_GET_FLAGS = 0x40006601 if os.uname().machine.startswith(("mips", "ppc", "sparc")) else 0x80006601
"""FS_IOC_GETFLAGS of Linux, but for the size of a long, which stands in it."""
_IMMUTABLE, _APPEND_ONLY = 0x10, 0x20
_APPEND_ONLY_TEXT = "it is marked append-only"


def check_replaceable(path: str, home: str) -> None:
    """Raise OperatorError for a file that is there and that we should not replace, although the system might let us.

    A rename needs no leave of the file itself, only of its directory: it would ignore that its owner made it read-only, and it
    would follow a symbolic link to another user's file.
    """
    try:
        status = os.stat(path)
    except OSError:
        return
    link = _by_link(path, home)
    if not status.st_mode & stat.S_IWUSR:
        way_out = "If it may be changed, give its owner leave to write (chmod u+w)"
        if not os.path.realpath(path).startswith(os.path.join(os.path.realpath(home), "")) and link:
            way_out = "Change it where it is made (a store keeps it), or put a file of its own there"
        raise OperatorError(f"is {link}, which is read-only" if link else "is read-only", path, way_out)
    if link and status.st_uid != os.geteuid():
        raise OperatorError(f"is {link}, which belongs to another user", path, "Replace the link")


def check_directory(path: str, link: bool = False) -> None:
    """Raise OperatorError where no file can be put at ``path``, so that a dry run says so, and a run before it has begun."""
    where = place(path, link)
    directory = os.path.dirname(where)
    while not os.path.lexists(directory):
        directory = os.path.dirname(directory)
    if not os.path.isdir(directory):
        raise OperatorError("is not a directory", directory, "Move it away")
    mark = _mark(directory)
    if mark != _APPEND_ONLY and os.access(directory, os.W_OK | os.X_OK):
        return
    status = os.stat(directory)
    # Where its owner may write by its mode, something else forbids it: mostly an immutable flag.
    allowed_by_mode = os.geteuid() in (0, status.st_uid) and status.st_mode & 0o300 == 0o300
    reason = errno.EPERM if allowed_by_mode else errno.EACCES
    if os.statvfs(directory).f_flag & os.ST_RDONLY:
        reason = errno.EROFS
    error = OSError(reason, _APPEND_ONLY_TEXT if mark == _APPEND_ONLY else os.strerror(reason))
    if path.startswith(os.path.join(directory, "")):
        raise unusable(error, directory, "written to")
    told = unusable(error, directory, "written to")
    raise OperatorError(f"is {where} by a symbolic link, and {directory} {told.what}", path, told.way_out)


def check_change(path: str, link: bool = False, removed: bool = False, mode_only: bool = False) -> None:
    """Raise OperatorError where what stands at ``path`` cannot be replaced (or ``removed``, or given another mode), or where nothing
    can be put: whatever can be known of it beforehand.
    """
    where = place(path, link)
    if not mode_only:
        check_directory(path, link)
        if not removed:
            _check_length(where)
    try:
        status = os.lstat(where)
    except FileNotFoundError:
        return
    except OSError as error:
        raise unusable(error, path, "written") from None
    mark = 0 if stat.S_ISLNK(status.st_mode) else _mark(where)
    if mark:
        raise unusable(
            OSError(errno.EPERM, _APPEND_ONLY_TEXT if mark == _APPEND_ONLY else os.strerror(errno.EPERM)),
            where,
            "removed" if removed else "written",
        )
    above = os.stat(os.path.dirname(where))
    privileged = os.geteuid() == 0
    if mode_only:
        if not privileged and status.st_uid != os.geteuid():
            raise _of_another(where, status, "only its owner can change its mode")
        if os.statvfs(where).f_flag & os.ST_RDONLY:
            raise unusable(OSError(errno.EROFS, os.strerror(errno.EROFS)), where, "given another mode")
        return
    if is_mounted(where):
        raise OperatorError(
            "is mounted there by itself, and cannot be replaced", where, "Unmount it, or mount its directory instead"
        )
    if above.st_mode & stat.S_ISVTX and not privileged and os.geteuid() not in (above.st_uid, status.st_uid):
        raise _of_another(where, status, "its directory lets only its owner replace it (sticky)")
    if removed or privileged or stat.S_ISLNK(status.st_mode):
        return
    if status.st_uid != os.geteuid():
        raise _of_another(where, status, "to replace it would make it ours")
    takes_group = above.st_mode & stat.S_ISGID or sys.platform == "darwin"
    groups = {os.getegid(), *os.getgroups(), *((above.st_gid,) if takes_group else ())}
    if status.st_gid not in groups:
        raise OperatorError(
            f"belongs to the group {_group_name(status.st_gid)}, which this user is not in: it cannot be replaced as it is",
            where,
            f"Give it a group of its owner's (chgrp {_group_name(os.getegid())})",
        )


def other_names(path: str) -> int:
    """How many more names (hard links) a regular file has, which would keep what it holds when it is replaced under this one."""
    try:
        status = os.stat(path)
    except OSError:
        return 0
    return status.st_nlink - 1 if stat.S_ISREG(status.st_mode) else 0


def _mark(path: str) -> int:
    """The flag that keeps a file or directory from being replaced although its mode allows it; 0 for none, or where none is known."""
    try:
        flags = getattr(os.stat(path), "st_flags", None)
        if flags is not None:  # macOS, the BSDs
            immutable, append_only = stat.UF_IMMUTABLE | stat.SF_IMMUTABLE, stat.UF_APPEND | stat.SF_APPEND
            return _IMMUTABLE if flags & immutable else _APPEND_ONLY if flags & append_only else 0
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        size = 8 if sys.maxsize > 1 << 32 else 4
        answer = fcntl.ioctl(descriptor, _GET_FLAGS | size << 16, bytes(8))
    except OSError:
        return 0
    finally:
        os.close(descriptor)
    flags = int.from_bytes(answer[:4], sys.byteorder)
    return flags & _IMMUTABLE or flags & _APPEND_ONLY


def _check_length(where: str) -> None:
    """Whether there is room for the name of the file that is written first: a little longer than that of the file itself."""
    directory = os.path.dirname(where)
    temporary = os.fsencode(temporary_name(where))
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    try:
        longest, longest_path = os.pathconf(directory, "PC_NAME_MAX"), os.pathconf(directory, "PC_PATH_MAX")
    except OSError:
        return
    names = (temporary, os.fsencode(where))
    if any(len(os.path.basename(one)) > longest or len(one) >= longest_path for one in names):
        raise unusable(OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG)), where, "written")


def _of_another(path: str, status: os.stat_result, why: str) -> OperatorError:
    import pwd

    def name(uid: int) -> str:
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return f"uid {uid}"

    mine = name(os.geteuid())
    return OperatorError(f"belongs to {name(status.st_uid)}: {why}", path, f"Give it to {mine} (chown)")


def _group_name(gid: int) -> str:
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _by_link(path: str, home: str) -> str:
    """What the file is by a symbolic link in the home, in words; nothing where none is on the way."""
    real, inside = os.path.realpath(path), os.path.join(home, "")
    straight = os.path.join(os.path.realpath(home), path[len(inside) :]) if path.startswith(inside) else path
    if real == os.path.normpath(straight):
        return ""
    return f"a symbolic link to {real}" if os.path.islink(path) else f"{real} by a symbolic link"
