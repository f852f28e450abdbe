# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others have made: files that they may have replaced, directories that they can write to, texts that they have chosen."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat

MOST_BYTES = 1 << 20
"""Far more than any file has that we look into, beside the documents themselves."""

_MOST_LINKS = 40
_LONGEST_TEXT = 300


def read(path: str, most: int = MOST_BYTES, follow: bool = True) -> bytes:
    """A regular file's bytes. Raises OSError: also for what is no regular file (which is not even opened), or is larger.

    A pipe would hold us up, a device would never end. With ``follow`` False a symbolic link is an error, too.
    """
    with os.fdopen(open_regular(path, follow), "rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"is larger than {most} bytes", path)
    return content


def open_regular(path: str, follow: bool = True) -> int:
    """A descriptor to read from. Raises OSError, also for what is no regular file."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    _require_regular(os.stat(path, follow_symlinks=follow), path)  # to open a device may do something
    descriptor = os.open(path, flags if follow else flags | os.O_NOFOLLOW)
    try:
        _require_regular(os.fstat(descriptor), path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _require_regular(status: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "is no regular file", path)


def line(text: object, most: int = _LONGEST_TEXT) -> str:
    """A text that somebody else has chosen, for a message: one line of characters that are seen, and not too many.

    What a terminal would act upon (escape sequences), what turns a line around, and line ends are left out.
    """
    words = " ".join(str(text)[: 4 * most].split())
    shown = "".join(one for one in words if one.isprintable())
    return shown if len(shown) <= most else shown[: most - 3] + "..."


def visible(text: str) -> str:
    """A text without what a terminal would act upon, but for line ends."""
    return text if text.isprintable() else "".join(one for one in text if one.isprintable() or one == "\n")


def is_ours_alone(directory: str) -> bool:
    """Whether a directory is ours, and nobody else can write to it."""
    try:
        status = os.stat(directory)
    except OSError:
        return False
    return status.st_uid == os.geteuid() and stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o022


def weak_spot(path: str, uid: int) -> str | None:
    """The first of the directories and links from ``/`` down to ``path`` that another user than ``uid`` and root can change.

    Whoever can do that decides what stands at ``path``. None where there is none; what does not exist yet is not looked at. In a
    directory like ``/tmp``, where everybody may make files and only their owner may remove them, what belongs to ``uid`` is safe.
    Raises OSError.
    """
    here, ahead, links = "/", path.split("/")[::-1], 0
    if _is_of_others(os.lstat(here), uid) or _is_writable_by_others(os.lstat(here), uid):
        return here
    while ahead:
        name = ahead.pop()
        if name in ("", "."):
            continue
        if name == "..":
            here = os.path.dirname(here)
            continue
        there = os.path.join(here, name)
        try:
            status = os.lstat(there)
        except FileNotFoundError:
            return None
        if _is_of_others(status, uid):
            return there
        if stat.S_ISLNK(status.st_mode):
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            target = os.readlink(there)
            here = "/" if target.startswith("/") else here
            ahead += target.split("/")[::-1]
            continue
        is_last = not any(part not in ("", ".") for part in ahead)
        shared = status.st_mode & stat.S_ISVTX and not is_last
        if stat.S_ISDIR(status.st_mode) and not shared and _is_writable_by_others(status, uid):
            return there
        here = there
    return None


def is_of_others(path: str, uid: int) -> bool:
    """Whether a file or directory of ours is another user's now, or can be written to by one. Raises OSError."""
    status = os.stat(path)
    return _is_of_others(status, uid) or _is_writable_by_others(status, uid)


def told(path: str, uid: int) -> str:
    """What is wrong with a weak spot, in words."""
    status = _as_seen(path, uid)
    if _is_of_others(status, uid):
        return f"{path} belongs to {user_name(status.st_uid)}"
    return f"{path} can be written to by others (mode {stat.S_IMODE(status.st_mode):04o})"


def way_out(path: str, uid: int) -> str:
    """How its weakness is mended."""
    if _is_of_others(_as_seen(path, uid), uid):
        return f"chown {user_name(uid)} {path}"
    return f"chmod go-w {path}"


def _as_seen(path: str, uid: int) -> os.stat_result:
    """Of a link that is not somebody else's, what it leads to."""
    status = os.lstat(path)
    return os.stat(path) if stat.S_ISLNK(status.st_mode) and not _is_of_others(status, uid) else status


def user_name(uid: int) -> str:
    """A user's name, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _is_of_others(status: os.stat_result, uid: int) -> bool:
    return status.st_uid not in (0, uid)


def _is_writable_by_others(status: os.stat_result, uid: int) -> bool:
    """By its mode. A group of the user's own, which many systems make with the user, is nobody else."""
    if status.st_mode & 0o002:
        return True
    if not status.st_mode & 0o020:
        return False
    try:
        group, user = grp.getgrgid(status.st_gid), pwd.getpwuid(uid).pw_name
    except KeyError:
        return True
    return group.gr_name not in (user, "root", "wheel") or bool(set(group.gr_mem) - {user, "root"})
