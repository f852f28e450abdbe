# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that their vendors publish as archives: fetched, proved, and unpacked without trust in a name.

The tools that agents need, where a host has none that will do. Nothing of an archive is unpacked before its SHA-256 is the one of our
lock, or, of an archive that the lock does not have, the one that the release tells; and nothing in it can lead out of the directory
that it is unpacked into.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import platform
import re
import ssl
import stat
import tarfile
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any, NamedTuple

from .. import careful, web
from ..errors import OperatorError
from ..platforms import machine_of
from .sources import (
    ANSWER_SECONDS,
    MIRROR,
    SYSTEM_CERTIFICATES,
    Registry,
    Settings,
    Source,
    below_mirror,
    scratch_directory,
)

_DOWNLOAD_SECONDS = 600
_LARGEST_SUMS = 1 << 20
_LARGEST_ARCHIVE = 1 << 28
_LARGEST_CONTENT = 1 << 30
_MOST_MEMBERS = 30_000
_PART = 1 << 20
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")
_CHECK_NETWORK = (
    "Check coding_agents_mirror, coding_agents_proxy and the network, "
    "or install it and set coding_agents_toolchain_sources to [already_present]"
)
_NOT_PUBLISHED = (
    "it is not what its maker published: <where> gives something else under this name",
    "Nothing of it was run. Check coding_agents_mirror, and who can write to it",
)


class Release(Source):
    """``place``, ``archive`` and ``sums`` take the version; ``archive`` the platform, too, by the vendor's ``machines``.

    A lock of it is the SHA-256 of each archive that is known, by the archive's name.
    """

    name = "archive"

    def __init__(
        self,
        title: str,
        command: str,
        place: str,
        archive: str,
        sums: str,
        machines: Mapping[str, str],
        program: str,
        top: bool = False,
        needs_glibc: bool = False,
    ) -> None:
        super().__init__(title)
        self.command = command
        self.place, self.name_of_archive, self.sums = place, archive, sums
        self.machines = machines
        self._program = program
        self._top = top
        """Whether all that is in an archive is below one directory of the archive's name."""
        self._needs_glibc = needs_glibc

    def command_path(self, directory: str, command: str = "") -> str:
        return os.path.join(directory, self._program)

    def installed_version(self, directory: str) -> str | None:
        """A directory has its version's name, and the ledger knows whether all of it is there."""
        return os.path.basename(directory) if os.access(self.command_path(directory), os.X_OK) else None

    def archive(self, version: str) -> str:
        """The name of the archive for this host. Raises OperatorError where its vendor has none."""
        system, machine = platform.system().lower(), machine_of(platform.machine())
        musl = self._needs_glibc and system == "linux" and bool(glob.glob("/lib/ld-musl-*"))
        if system not in ("linux", "darwin") or machine not in self.machines or musl:
            here = f"{platform.system()} on {machine}{' with musl' if musl else ''}"
            raise OperatorError(
                f"cannot be fetched: its vendor has no archive for {here}",
                f"{self.package} {version}",
                f"Install {self.package} on this host, then run again",
            )
        return self.archive_for(version, system, machine)

    def archive_for(self, version: str, system: str, machine: str) -> str:
        return self.name_of_archive.format(version=version, system=system, machine=self.machines[machine])

    def require(self, version: str, settings: Settings) -> None:
        self.archive(version)

    def fetch(self, version: str, directory: str, settings: Settings, lock: Any = None) -> None:
        what, name = f"{self.package} {version}", self.archive(version)
        server = Server(what, below_mirror(settings, self.place.format(version=version)), settings)
        with scratch_directory() as scratch:
            wanted = (lock or {}).get(name)
            if wanted is None:
                sums = os.path.join(scratch, "sums")
                server.download(self.sums.format(version=version), sums, _LARGEST_SUMS)
                wanted = sum_of(name, sums)
            if wanted is None:
                raise server.problem(f"<where> tells no SHA-256 for {name}", "Check coding_agents_mirror")
            archive = os.path.join(scratch, name)
            server.download(name, archive, _LARGEST_ARCHIVE)
            if _sha256(archive) != wanted:
                raise server.problem(*_NOT_PUBLISHED)
            try:
                _unpack(archive, directory, name[: -len(".tar.gz")] if self._top else "")
            except _Unfit as unfit:
                raise server.problem(f"its archive is not to be trusted: {unfit}", _NOT_PUBLISHED[1]) from None
            except OSError as error:
                raise server.problem(*_of_disk(error)) from None
        self._require(version, directory)


NODE = Release(
    "Node.js",
    "node",
    "nodejs.org/dist/v{version}/",
    "node-v{version}-{system}-{machine}.tar.gz",  # not .xz: not every Python reads that
    "SHASUMS256.txt",
    {"x86_64": "x64", "arm64": "arm64", "ppc64le": "ppc64le", "s390x": "s390x"},
    "bin/node",
    top=True,
    needs_glibc=True,
)
NODE_VERSION = "22.23.3"
"""What is fetched: new enough for each version of an agent that we know."""

DATABRICKS_CLI = Release(
    "Databricks CLI",
    "databricks",
    "github.com/databricks/cli/releases/download/v{version}/",
    "databricks_cli_{version}_{system}_{machine}.zip",
    "databricks_cli_{version}_SHA256SUMS",
    {"x86_64": "amd64", "arm64": "arm64"},
    "databricks",
)
DATABRICKS_CLI_VERSION = "1.13.0"
"""What is fetched: the one whose behaviour the sign-in was measured with."""


class Server:
    """Where one release stands: the vendor's own, or a mirror."""

    def __init__(
        self, what: str, url: str, settings: Settings, variable: str = MIRROR, check: str = _CHECK_NETWORK
    ) -> None:
        self.what = what
        self._registry = Registry("", url, variable)
        self._settings = settings
        self._check = check

    def problem(self, cause: str, way_out: str) -> OperatorError:
        cause = cause.replace("<where>", self._registry.url.rstrip("/"))
        return OperatorError(f"cannot be fetched: {cause}", self.what, way_out)

    def download(self, name: str, path: str, most: int) -> None:
        """Raises OperatorError that begins with the cause."""
        request = urllib.request.Request(f"{self._registry.url.rstrip('/')}/{name}")
        if self._registry.authorization:  # not for where an answer may lead to
            request.add_unredirected_header("Authorization", f"Basic {self._registry.authorization}")
        try:
            with open(path, "xb") as stream:
                reply = web.ask(
                    request,
                    _DOWNLOAD_SECONDS,
                    most,
                    self._tls(),
                    _HttpsOnly(),
                    into=stream,
                    silence=ANSWER_SECONDS,
                )
                size = stream.tell()
        except web.NoHttp:
            raise self.problem("<where> does not answer as a server of files does", self._check) from None
        except OSError as error:
            raise self.problem(*_of_network(error, self._check)) from None
        if reply.status in (401, 403, 407):
            raise self.problem("<where> refuses access", "Check its user name and password, and what it allows")
        if reply.status in (404, 410):
            raise self.problem(f"<where> does not have {name}", f"Check {self._registry.variable}")
        if reply.status != 200:
            raise self.problem(f"<where> answers with HTTP {reply.status}", "Try again later")
        if reply.body is None:
            raise self.problem(f"<where> ends before the end of {name}", self._check)
        if size > most:
            raise self.problem(f"{name} is larger than {most} bytes", _NOT_PUBLISHED[1])

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if not context.get_ca_certs():  # a Python that knows no place of the system's own
            for path in SYSTEM_CERTIFICATES:
                if os.access(path, os.R_OK):
                    context.load_verify_locations(cafile=path)
                    break
        if self._settings.certificates:
            try:
                context.load_verify_locations(cadata=self._settings.certificates)
            except (ssl.SSLError, ValueError):
                raise self.problem("coding_agents_ca_file holds no certificate", "Give a PEM file") from None
        return context


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """What a vendor's release leads to is asked as safely as the release itself."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not newurl.startswith("https://"):
            raise web.NoHttp("leads away from https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _of_network(error: OSError, check: str) -> tuple[str, str]:
    """The cause and the way out."""
    if error.errno in _DISK:
        return _of_disk(error)
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            f"the certificate of <where> is not trusted ({careful.line(reason.verify_message)})",
            "Set coding_agents_ca_file to the authority that signed it",
        )
    tunnel = re.match(r"Tunnel connection failed: ([0-9]{3})", str(reason))
    if tunnel:
        return (
            f"the proxy refuses the way to <where> (HTTP {tunnel[1]})",
            "Check coding_agents_proxy, and what it allows",
        )
    if isinstance(reason, TimeoutError) or "timed out" in str(reason):
        return f"<where> does not answer (nothing came for {ANSWER_SECONDS} s)", check
    why = getattr(reason, "strerror", None) or "no connection"
    return f"<where> is not reachable ({careful.line(why)})", check


_DISK = {
    errno.ENOSPC: ("no space is left on the disk", "Free some and run again"),
    errno.EDQUOT: ("no space is left on the disk", "Free some and run again"),
    errno.EACCES: ("a directory may not be written to", "Check its owner and mode"),
    errno.EROFS: ("a directory may not be written to", "Check its owner and mode"),
}


def _of_disk(error: OSError) -> tuple[str, str]:
    return _DISK.get(error.errno or 0, (f"it cannot be written ({error.strerror})", "Mend that and run again"))


def sum_of(name: str, sums: str) -> str | None:
    with open(sums, encoding="utf-8", errors="replace") as stream:
        lines = [_LINE.fullmatch(line.strip()) for line in stream]
    return next((line[1].lower() for line in lines if line and line[2] == name), None)


def _sha256(path: str) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as stream:
        for part in iter(lambda: stream.read(_PART), b""):
            found.update(part)
    return found.hexdigest()


# -- unpacking ---------------------------------------------------------------------------------------------------------


class _Unfit(Exception):
    """What an archive must not hold."""


class _Member(NamedTuple):
    name: str
    kind: int
    """As in a file's mode: a directory, a file, or a link; 0 for anything else."""
    is_program: bool = False
    target: str = ""
    content: IO[bytes] | None = None


def _unpack(archive: str, directory: str, top: str) -> None:
    """Raises _Unfit, and OSError for what this host does not let us write."""
    members = _of_zip(archive) if archive.endswith(".zip") else _of_tar(archive)
    links: list[tuple[str, str]] = []
    left = _LARGEST_CONTENT
    os.makedirs(directory, exist_ok=True)
    try:
        for number, member in enumerate(members):
            if number >= _MOST_MEMBERS:
                raise _Unfit(f"it holds more than {_MOST_MEMBERS} files")
            path = _place_of(member.name, directory, top)
            if stat.S_ISDIR(member.kind):
                os.makedirs(path, exist_ok=True)
            elif stat.S_ISLNK(member.kind):
                if os.path.isabs(member.target):
                    raise _Unfit(f"the link {careful.line(member.name)} leads out of it")
                links.append((member.target, path))
            elif stat.S_ISREG(member.kind) and member.content is not None:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                left -= _write(member.content, path, 0o755 if member.is_program else 0o644, left)
            else:
                raise _Unfit(f"{careful.line(member.name)} is neither a file nor a directory nor a link")
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
        raise _Unfit(f"it cannot be read ({type(error).__name__})") from None
    root = os.path.realpath(directory)
    for target, path in links:  # last: so nothing was written through one
        name = path[len(directory) + 1 :]
        if os.path.realpath(os.path.dirname(path)) != os.path.dirname(os.path.join(root, name)):
            raise _Unfit(f"{careful.line(name)} is below a link")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.lexists(path):
            raise _Unfit(f"{careful.line(name)} is there twice")
        os.symlink(target, path)
    for _target, path in links:  # by where they lead now that all stand: one may go on through another
        if not os.path.realpath(path).startswith(os.path.join(root, "")):
            raise _Unfit(f"the link {careful.line(path[len(directory) + 1 :])} leads out of it")


def _of_tar(archive: str) -> Iterator[_Member]:
    with tarfile.open(archive, "r:gz") as opened:
        for one in opened:
            kind = stat.S_IFDIR if one.isdir() else stat.S_IFLNK if one.issym() else stat.S_IFREG if one.isreg() else 0
            content = opened.extractfile(one) if one.isreg() else None
            yield _Member(one.name, kind, bool(one.mode & 0o100), one.linkname, content)


def _of_zip(archive: str) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as opened:
        for one in opened.infolist():
            mode = one.external_attr >> 16
            kind = stat.S_IFDIR if one.is_dir() else stat.S_IFMT(mode) or stat.S_IFREG
            if stat.S_ISREG(kind):
                with opened.open(one) as content:
                    yield _Member(one.filename, kind, bool(mode & 0o100), "", content)
            else:
                yield _Member(one.filename, kind if stat.S_ISDIR(kind) else 0)


def _place_of(name: str, directory: str, top: str) -> str:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise _Unfit(f"{careful.line(name)} leads out of it")
    if top:
        if parts[:1] != [top]:
            raise _Unfit(f"{careful.line(name)} is not below {top}")
        parts = parts[1:]
    return os.path.join(directory, *parts)


def _write(content: IO[bytes], path: str, mode: int, most: int) -> int:
    """Returns how much was written."""
    size = 0
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise _Unfit(f"{careful.line(os.path.basename(path))} is there twice") from None
    with os.fdopen(descriptor, "wb") as stream:
        for part in iter(lambda: content.read(_PART), b""):
            size += len(part)
            if size > most:
                raise _Unfit(f"it holds more than {_LARGEST_CONTENT} bytes")
            stream.write(part)
    return size
