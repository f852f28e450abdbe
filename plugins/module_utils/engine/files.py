# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of one owner: read with care, replaced atomically. Every write of this collection on a host goes through here.

A symbolic link on the way to a file is followed. Only a document that is a link itself (``link=True``) is read and written as one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
from collections.abc import Iterable
from typing import NamedTuple

from ..errors import OperatorError
from .owner import Owner

_AT_FDCWD = -100
_TEMPORARY = ".fmapi-tmp-"
_LARGEST = 1 << 28
"""What is read is kept in memory, several times: a file that somebody blows up must not take a host's."""
_LONGEST_BEGINNING = 100
"""So many bytes of a file's name are in that of its temporary: a name can be as long as the file system lets it."""
_ACL = "system.posix_acl_access"
_MOUNTS = "/proc/self/mountinfo"
_STORAGE_IS_AWAY = frozenset(
    getattr(errno, name, 0)  # not each system has all of them
    for name in (
        "EIO",
        "ESTALE",
        "ENOTCONN",
        "EHOSTDOWN",
        "EHOSTUNREACH",
        "ENETDOWN",
        "ENETUNREACH",
        "ETIMEDOUT",
        "EREMOTEIO",
        "ENOMEDIUM",
        "ENOKEY",
    )
)


class Found(NamedTuple):
    """A file as it stands: its bytes and permission bits, or None and None for no file. A link's are its target, and None."""

    content: bytes | None
    mode: int | None


class Away(OperatorError):
    """What stands at a path cannot be told now: a link on the way leads nowhere, or the storage behind it does not answer.

    That is never the same as a file that is gone.
    """


class SomethingElse(OperatorError):
    """Something else stands in the place of a file or of a link."""


class ChangedMeanwhile(Exception):
    """Another program wrote the file between our read and our write."""


def read(path: str) -> Found:
    """Read a file, through symbolic links. Raises OperatorError when it is there but cannot be read or is no regular file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        check_reachable(path)
        return Found(None, None)
    except NotADirectoryError:
        raise SomethingElse("cannot be: a part of its path is a file", path, "Move that file away") from None
    except OSError as error:
        raise _unreadable(error, path) from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise SomethingElse("is not a regular file", path, "Move it away")
    if status.st_size > _LARGEST:
        os.close(descriptor)
        raise OperatorError(f"is larger than {_LARGEST >> 20} MiB", path, "Move it away: no agent reads such a file")
    with os.fdopen(descriptor, "rb") as stream:
        try:
            return Found(stream.read(_LARGEST), stat.S_IMODE(status.st_mode))
        except OSError as error:
            raise _unreadable(error, path) from None


def read_link(path: str) -> Found:
    """Read a symbolic link itself, whether its target is there or not. Raises SomethingElse where none stands."""
    try:
        return Found(os.fsencode(os.readlink(path)), None)
    except FileNotFoundError:
        check_reachable(os.path.dirname(path), path)
        return Found(None, None)
    except NotADirectoryError:
        raise SomethingElse("cannot be: a part of its path is a file", path, "Move that file away") from None
    except OSError as error:
        if error.errno == errno.EINVAL:
            kind = "directory" if os.path.isdir(path) else "file"
            raise SomethingElse(
                f"is a {kind}, where a symbolic link is to stand", path, f"Move the {kind} away and run again"
            ) from None
        raise _unreadable(error, path) from None


def check_reachable(path: str, what: str = "") -> None:
    """Raise Away where nothing is found at ``path`` because a symbolic link on the way leads nowhere: its disk may be back tomorrow.

    ``what`` is the file that this is about, if it is another.
    """
    at, what = path, what or path
    while at != os.path.dirname(at):
        if os.path.islink(at) and not os.path.exists(at):
            said = f"is a symbolic link to {os.readlink(at)}, which does not exist"
            if at == what:
                raise Away(said, what, "Mend the link, or remove it")
            raise Away(f"cannot be reached: {at} {said}", what, "Bring back what it leads to, or remove the link")
        at = os.path.dirname(at)


def is_mounted(path: str) -> bool:
    """Whether a file system, or a part of one, is mounted at this very path (a real one)."""
    return path in mount_points() or os.path.ismount(path)


def mount_point(path: str, points: frozenset[str]) -> str:
    """The nearest place at or above a real path where something is mounted; ``points`` is what :func:`mount_points` has said."""
    while not (path in points or os.path.ismount(path) or path == os.path.dirname(path)):
        path = os.path.dirname(path)
    return path


def mount_points() -> frozenset[str]:
    """Where something is mounted, parts of the same file system, too; nothing where the system has no list of them."""
    try:
        with open(_MOUNTS, "rb") as stream:
            fields = [line.split(b" ") for line in stream]
    except OSError:
        return frozenset()
    found = (re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), one[4]) for one in fields)
    return frozenset(os.fsdecode(one) for one in found)


def place(path: str, link: bool = False) -> str:
    """Where a write to ``path`` takes place: behind all symbolic links, but for one that is the document itself."""
    if link:
        return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    return os.path.realpath(path)


def replace(path: str, content: bytes, mode: int, expected: Found | None = None) -> None:
    """Put ``content`` at ``path`` in one step: whoever looks sees the old file or the new one.

    A symbolic link stays one: its target is replaced. Owner, group and extended attributes (ACLs among them) of a file that was there
    stay; entries that only the directory's default ACL gives go. With ``expected``, the file must still be as it was read: raises
    ChangedMeanwhile otherwise. Where the system can exchange two files in one step, the old file is looked at after it was taken
    away, so that no rename of another program is lost; what remains is a program that had opened the old file and writes into it after
    that look. Elsewhere the file is compared right before the rename.
    """
    target = os.path.realpath(path)
    directory = os.path.dirname(target)
    temporary = temporary_name(target)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unusable(error, directory, "written to") from None
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            _copy_ownership(target, stream.fileno())
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        ours = _identity(temporary)
        if expected is not None and read(path) != expected:
            raise ChangedMeanwhile(path)
        if expected is not None and expected.content is not None and _exchange(temporary, target):
            if read(temporary) != expected:
                _give_back(temporary, target, ours)
                raise ChangedMeanwhile(path)
            os.unlink(temporary)
        else:
            os.replace(temporary, target)
        _sync_directory(directory)
    except OSError as error:
        discard(temporary)
        raise unusable(error, target, "written") from None
    except BaseException:
        discard(temporary)
        raise


def replace_link(path: str, target: str, expected: Found | None = None) -> None:
    """Put a symbolic link at ``path`` in one step. With ``expected``, what :func:`read_link` said must still hold: raises
    ChangedMeanwhile otherwise.
    """
    where = place(path, link=True)
    directory = os.path.dirname(where)
    is_there = os.path.lexists(where) if expected is None else expected.content is not None
    if not is_there:
        try:
            os.symlink(target, where)
            _sync_directory(directory)
        except FileExistsError:
            raise ChangedMeanwhile(path) from None
        except OSError as error:
            raise unusable(error, where, "written") from None
        return
    temporary = temporary_name(where)
    try:
        os.symlink(target, temporary)
        ours = _identity(temporary)
        if expected is not None and not _is_link_still(where, expected):
            raise ChangedMeanwhile(path)
        if expected is not None and _exchange(temporary, where):
            if not _is_link_still(temporary, expected):
                _give_back(temporary, where, ours)
                raise ChangedMeanwhile(path)
            os.unlink(temporary)
        else:
            os.replace(temporary, where)
        _sync_directory(directory)
    except OSError as error:
        discard(temporary)
        raise unusable(error, where, "written") from None
    except BaseException:
        discard(temporary)
        raise


def remove(path: str, expected: Found | None = None, link: bool = False) -> None:
    """Remove a file if it is there (and, with ``expected``, still as it was read)."""
    if expected is not None and not (_is_link_still(path, expected) if link else read(path) == expected):
        raise ChangedMeanwhile(path)
    try:
        os.unlink(path)
        _sync_directory(os.path.dirname(path))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise unusable(error, path, "removed") from None


def set_mode(path: str, mode: int) -> None:
    try:
        os.chmod(path, mode)
    except OSError as error:
        raise unusable(error, path, "given another mode") from None


def make_directories(directory: str, owner: Owner) -> list[str]:
    """Make a directory and what is missing above it, or nothing; those in the home are 0700.

    Returns what was made, outermost first.
    """
    missing = []
    while not os.path.isdir(directory):
        if os.path.lexists(directory):
            raise OperatorError("is not a directory", directory, "Move it away")
        missing.append(directory)
        directory = os.path.dirname(directory)
    home = os.path.join(os.path.realpath(owner.home), "")
    inside = os.path.join(os.path.realpath(directory), "").startswith(home)
    made: list[str] = []
    for path in reversed(missing):
        try:
            os.mkdir(path, 0o700 if inside else 0o755)
        except FileExistsError:
            continue
        except OSError as error:
            remove_empty_directories(made)
            raise unusable(error, path, "made") from None
        made.append(path)
        if inside:
            _drop_acl(path)
    return made


def remove_empty_directories(directories: Iterable[str]) -> None:
    """Remove those of ``directories`` that are empty, innermost first; whatever else is in one keeps it."""
    for path in sorted(directories, key=len, reverse=True):
        try:
            os.rmdir(path)
        except OSError:
            continue


def remove_leftovers(path: str, link: bool = False) -> None:
    """Remove what a run that was killed left beside ``path``."""
    for leftover in leftovers(path, link):
        discard(leftover)


def leftovers(path: str, link: bool = False) -> list[str]:
    """What a run that was killed left beside ``path``."""
    directory, name = os.path.split(place(path, link))
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    return [os.path.join(directory, one) for one in names if one.startswith(_beginning(name))]


def temporary_name(path: str) -> str:
    """A name beside ``path`` that nobody uses (``tempfile`` would do the same, and takes longer to import than a look to plan)."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f"{_beginning(name)}{os.urandom(8).hex()}")


def _beginning(name: str) -> str:
    """How the names of a file's temporaries begin."""
    whole = os.fsencode(name)
    short = name if len(whole) <= _LONGEST_BEGINNING else whole[:_LONGEST_BEGINNING].decode("utf-8", "ignore")
    return f".{short}{_TEMPORARY}"


def unusable(error: OSError, path: str, verb: str) -> OperatorError:
    """An OSError as a message with a way out."""
    way_out = {
        errno.EACCES: "Check its owner and mode, and those of the directories above it",
        errno.EPERM: "Check its owner, and that it is not marked immutable (lsattr, or ls -lO on macOS)",
        errno.ENOSPC: "Free some space and run again",
        errno.EDQUOT: "Free some of the owner's quota and run again",
        errno.EROFS: "The file system is read-only: mount it writable and run again",
        errno.ELOOP: "Its symbolic links lead in a circle: mend them",
        errno.EIO: "The disk, or the way to it, has a fault: see the system's log, mend it and run again",
    }.get(error.errno or 0, "Mend that and run again")
    return OperatorError(f"cannot be {verb} ({error.strerror or error})", path, way_out)


def _unreadable(error: OSError, path: str) -> OperatorError:
    told = unusable(error, path, "read")
    if error.errno not in _STORAGE_IS_AWAY:
        return told
    way_out = "The disk, or the way to it, has a fault: see the system's log, mend it and run again"
    return Away(told.what, told.where, way_out)


def _drop_acl(file: str | int) -> None:
    """Take away the entries that a directory with a default ACL gives to what is made in it: the mode is all that we want."""
    if hasattr(os, "removexattr"):
        with contextlib.suppress(OSError):
            os.removexattr(file, _ACL)


def _copy_ownership(source: str, descriptor: int) -> None:
    _drop_acl(descriptor)
    try:
        status = os.stat(source)
    except FileNotFoundError:
        return
    mine = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != (mine.st_uid, mine.st_gid):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    if hasattr(os, "listxattr"):
        for name in os.listxattr(source):
            try:
                os.setxattr(descriptor, name, os.getxattr(source, name))
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENODATA):
                    raise


def _is_link_still(path: str, expected: Found) -> bool:
    try:
        return read_link(path) == expected
    except SomethingElse:
        return False


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path, follow_symlinks=False)
    return status.st_dev, status.st_ino


def _give_back(temporary: str, target: str, ours: tuple[int, int]) -> None:
    """Put the file that an exchange took away back in its place; ``ours`` is what the exchange had put there.

    Another program may have replaced ours by then: what comes out is newer than what went in, and is put back in its turn.
    """
    put = ours
    while True:
        older = _identity(temporary)
        if not _exchange(temporary, target):
            os.replace(temporary, target)
            return
        if _identity(temporary) == put:
            return
        put = older


def _exchange(one: str, other: str) -> bool:
    """Exchange two files in one step; False where the system or the file system cannot.

    Linux: ``renameat2`` with ``RENAME_EXCHANGE`` (kernel 3.15, glibc 2.28). macOS: ``renamex_np`` with ``RENAME_SWAP`` (10.12).
    """
    import ctypes  # only who writes pays for it

    library = ctypes.CDLL(None, use_errno=True)
    paths = os.fsencode(one), os.fsencode(other)
    try:
        if sys.platform == "darwin":
            return bool(library.renamex_np(*paths, 2) == 0)
        return bool(library.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], 2) == 0)
    except AttributeError:
        return False


def _sync_directory(directory: str) -> None:
    """Make a rename last. Raises OSError only for what tells of a lost write: some file systems (NFS, FUSE) refuse to sync a
    directory, and one may write into a directory that one may not open.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in (errno.EIO, errno.ENOSPC, errno.EDQUOT):
            raise


def discard(path: str) -> None:
    """Remove a file that nobody misses, if that can be done."""
    with contextlib.suppress(OSError):
        os.unlink(path)
