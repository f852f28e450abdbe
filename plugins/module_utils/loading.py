# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the code of the host program inside a module.

A module of this collection is small: it has its options, its owners and this file. What it does with them is the host program's, which
stands on every host that was rolled out to, so that a second run carries a digest instead of 600 KB, and compiles nothing: what an
earlier run had compiled is kept beside the access tokens, for the owner alone. Where the program is missing or another, the module
says so, and its action plugin calls again with the program's bytes. A file of it is compiled when it is first imported: no host needs
all of them.

A parser that the host lacks travels in the same way, with the call that has to read a document with it. Modules do not use it again:
it is kept for the command on the host, which nobody brings one.

Code is loaded after the module has become the owner: whoever can change these files can only change what is done with their own
rights.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import marshal
import os
import sys
import zlib
from base64 import b64decode
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, Dict, Mapping, Tuple  # noqa: UP035

from . import careful
from .engine.owner import Owner
from .places import CARRIED_LIBRARY, COMPILED, LIBRARIES, PROGRAM_NAME

if TYPE_CHECKING:
    from zipfile import ZipFile

PACKAGE = "coding_agents"
_MOST_BYTES = 1 << 26
"""Of a program, compiled or not. One that is larger is not ours."""

Code = Dict[str, Tuple[bool, bytes]]  # noqa: UP006
"""By module: whether it is a package, and its code as :mod:`marshal` has it; empty where nothing has imported it on this host."""


def load(owner: Owner, carried: Mapping[str, Any], cache: str = "", module: str = "rollout") -> ModuleType | None:
    """A module of the host program; None where the program is neither here as it is wanted nor carried.

    ``cache``: another directory than the owner's in which compiled code is kept.
    """
    wanted = carried["program_sha256"]
    content = _installed(owner, wanted)
    if content is None and "program" in carried:
        content = zlib.decompress(b64decode(carried["program"]))
    if content is None:
        return None  # even where its code is kept: what comes next is to find a program that stands
    if "libraries" in carried:
        offer_libraries(carried["libraries"])
    kept = _compiled_file(cache or owner.cache, wanted)
    code = _compiled(kept)
    _Finder.offer(content, _modules(content) if code is None else code, "" if code is None else kept)
    from importlib import import_module

    return import_module(f"{PACKAGE}.{module}")


def digest(content: bytes) -> str:
    """How a program is named everywhere: SHA-256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def offer_libraries(packed: str) -> None:
    """Let the libraries that a call has brought be imported, from memory. One is compiled when it is."""
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(b64decode(packed))) as archive:
        _Libraries.sources = {f"{CARRIED_LIBRARY}{name}": archive.read(name) for name in archive.namelist()}
    if _Libraries not in sys.meta_path:
        sys.meta_path.insert(0, _Libraries)


def is_at_hand(owner: Owner, carried: Mapping[str, Any]) -> bool:
    """Whether :func:`load` finds the program."""
    return "program" in carried or _installed(owner, carried["program_sha256"]) is not None


def offer_kept_libraries(*directories: str) -> None:
    """Let the libraries be imported that a rollout has left in the first of these directories that has them: ours, or root's."""
    for directory in directories:
        try:
            with os.fdopen(careful.open_regular(os.path.join(directory, LIBRARIES), follow=False), "rb") as stream:
                trusted = (_is_trusted(one) for one in (os.stat(directory), os.fstat(stream.fileno())))
                if all(trusted):
                    return offer_libraries(stream.read(_MOST_BYTES).decode("ascii", "replace"))
        except OSError:
            continue
    return None


def _is_trusted(status: os.stat_result) -> bool:
    return status.st_uid in (0, os.geteuid()) and not status.st_mode & 0o022


def keep(owner: Owner, carried: Mapping[str, Any], cache: str = "") -> None:
    """Keep what was compiled for the next run, and what parsers have come for the command on this host, where the program stands and
    its cache directory is there.

    In place of what is kept there and was not believed, too.
    """
    cache = cache or owner.cache
    wanted = carried["program_sha256"]
    path = _compiled_file(cache, wanted)
    compiled, parsers = _Finder.kept != path, "libraries" in carried
    if not (compiled or parsers) or not careful.is_ours_alone(cache) or _installed(owner, wanted) is None:
        return
    with contextlib.suppress(OSError):  # without them the next run is slower, no more
        if parsers:
            # Of a machine, they are for the command of each of its users.
            _write(os.path.join(cache, LIBRARIES), carried["libraries"].encode(), 0o644 if owner.is_machine else 0o600)
        if compiled:
            body = marshal.dumps(_Finder.code)
            _write(path, hashlib.sha256(body).digest() + body)
            for name in os.listdir(cache):
                older = name.startswith(COMPILED) and name != os.path.basename(path)
                if older and not _is_of_another_python(name, wanted):
                    os.unlink(os.path.join(cache, name))


def _write(path: str, content: bytes, mode: int = 0o600) -> None:
    """Raises OSError."""
    temporary = f"{path}.{os.getpid()}"
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
            stream.write(content)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _compiled_file(cache: str, wanted: str) -> str:
    """Its name says for which program and which Python it is."""
    return os.path.join(cache, f"{COMPILED}{wanted[:16]}-{sys.implementation.cache_tag}-{sys.hexversion:x}")


def _is_of_another_python(name: str, wanted: str) -> bool:
    """Whether it is the same program's code for another Python: of another host that has the same home."""
    return name.startswith(f"{COMPILED}{wanted[:16]}-") and "." not in name


def _compiled(path: str) -> Code | None:
    kept = _read(path, ours_alone=True)
    if kept is None or hashlib.sha256(kept[32:]).digest() != kept[:32]:
        return None
    try:
        found = marshal.loads(kept[32:])  # noqa: S302 # a file that only the owner, who we are, can have written
    except (EOFError, TypeError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _installed(owner: Owner, wanted: str) -> bytes | None:
    """The bytes of the program that stands here, if it is the wanted one."""
    content = _read(os.path.join(owner.data, PROGRAM_NAME), ours_alone=False)
    return content if content is not None and digest(content) == wanted else None


def _read(path: str, ours_alone: bool) -> bytes | None:
    """What a regular file holds; with ``ours_alone`` no link, and nobody else may read or write it, or put another in its place."""
    if ours_alone and not careful.is_ours_alone(os.path.dirname(path)):
        return None
    try:
        with os.fdopen(careful.open_regular(path, follow=not ours_alone), "rb") as stream:
            status = os.fstat(stream.fileno())
            if ours_alone and (status.st_uid != os.geteuid() or status.st_mode & 0o077):
                return None
            return stream.read(_MOST_BYTES)
    except OSError:
        return None


def _modules(content: bytes) -> Code:
    """The program's modules, none of them compiled."""
    code: Code = {}
    for name in _archive(content).namelist():
        if name.startswith(f"{PACKAGE}/"):
            module, is_package = name[: -len(".py")].replace("/", "."), name.endswith("/__init__.py")
            code[module[: -len(".__init__")] if is_package else module] = (is_package, b"")
    return code


def _compile(content: bytes, module: str, is_package: bool) -> CodeType:
    name = module.replace(".", "/") + ("/__init__.py" if is_package else ".py")
    return compile(_archive(content).read(name), f"{PROGRAM_NAME}/{name}", "exec", dont_inherit=True)


@functools.lru_cache(maxsize=1)
def _archive(content: bytes) -> ZipFile:
    import io
    import zipfile  # only where something is not compiled yet

    return zipfile.ZipFile(io.BytesIO(content))


class _Finder:
    """Finds the program's modules in memory."""

    program = b""
    code: Code = {}
    kept = ""
    """The file that holds all of the code; none once something had to be compiled."""

    @classmethod
    def offer(cls, program: bytes, code: Code, kept: str) -> None:
        cls.program, cls.code, cls.kept = program, code, kept
        if cls not in sys.meta_path:
            sys.meta_path.insert(0, cls)

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in cls.code:
            return None
        return ModuleSpec(name, cls, is_package=cls.code[name][0])  # type: ignore[arg-type]

    @classmethod
    def create_module(cls, spec: ModuleSpec) -> None:
        return None

    @classmethod
    def exec_module(cls, module: ModuleType) -> None:
        is_package, marshalled = cls.code[module.__name__]
        if marshalled:
            code = marshal.loads(marshalled)  # noqa: S302 # see _compiled
        else:
            code = _compile(cls.program, module.__name__, is_package)
            cls.code[module.__name__], cls.kept = (is_package, marshal.dumps(code)), ""
        exec(code, module.__dict__)  # noqa: S102


class _Libraries:
    """Finds carried libraries in memory, each module by the name of its file."""

    sources: Dict[str, bytes] = {}  # noqa: UP006

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if not name.startswith(CARRIED_LIBRARY):
            return None
        file = name.replace(".", "/")
        for candidate, is_package in ((f"{file}/__init__.py", True), (f"{file}.py", False)):
            if candidate in cls.sources:
                return ModuleSpec(name, cls, origin=candidate, is_package=is_package)  # type: ignore[arg-type]
        return None

    @classmethod
    def create_module(cls, spec: ModuleSpec) -> None:
        return None

    @classmethod
    def exec_module(cls, module: ModuleType) -> None:
        file = str(module.__spec__.origin if module.__spec__ else "")
        exec(compile(cls.sources[file], file, "exec", dont_inherit=True), module.__dict__)  # noqa: S102
