# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Throw-away homes for tests that write real files."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner, current_owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted

SETTINGS = b'{\n  "model": "opus",\n  "env": {"OLD": "1", "URL" : "mine"}\n}\n'
PROFILES = b"[DEFAULT]\nhost = https://other\n"
COMPONENTS = ("one", "two")


def owner_of(home: Path | str) -> Owner:
    """Us, with that home."""
    return current_owner(str(home))


def make_home(path: Path) -> Path:
    """A home with a user's own files, and a link of theirs that leads nowhere yet."""
    path.mkdir(mode=0o755)
    (path / ".agent").mkdir(mode=0o755)
    (path / ".agent" / "settings.json").write_bytes(SETTINGS)
    (path / ".databrickscfg").write_bytes(PROFILES)
    (path / ".databrickscfg").chmod(0o644)
    (path / ".agent" / "settings.json").chmod(0o640)
    (path / "agent").symlink_to("versions/theirs")
    return path


def wanted(home: Path, url: str = "https://w") -> list[Wanted]:
    """Four documents in writing order: a file that is there and private, two that are not, one that is there."""
    return [
        Wanted(
            str(home / ".databrickscfg"),
            "ini",
            "one",
            values={("fmapi", "host"): url, ("fmapi", "secret"): "s"},
            mode=0o600,
            private=True,
        ),
        Wanted(str(home / ".local/share/ours/helper"), "file", "one", values={(): f"#!/bin/sh\n# {url}\n"}, mode=0o700),
        Wanted(str(home / ".agent.json"), "json", "two", values={("done",): True}, mode=0o600),
        Wanted(
            str(home / ".agent" / "settings.json"),
            "json",
            "two",
            values={("helper",): "/h", ("env", "URL"): url},
            elements={("permissions", "deny"): ("WebSearch",)},
            superseded=(("env", "OLD"),),
        ),
    ]


def links(home: Path, url: str = "https://w") -> list[Wanted]:
    """Two links in writing order: one that is there, one that is not and needs a directory."""
    target = f"/opt/{url.split('/')[2]}"
    return [
        Wanted(str(home / "agent"), "link", "one", values={(): f"{target}/agent"}),
        Wanted(str(home / ".tools/bin/agent"), "link", "two", values={(): f"{target}/agent"}, summary="an agent"),
    ]


def everything(home: Path, url: str = "https://w") -> list[Wanted]:
    """All six documents."""
    return [*wanted(home, url), *links(home, url)]


def tree(home: Path) -> dict[str, tuple[str, int, bytes]]:
    """Everything below a home: type, permission bits, and content (or target)."""
    found = {}
    for directory, names, files in os.walk(home):
        for name in [*names, *files]:
            path = Path(directory) / name
            status = path.lstat()
            mode = stat.S_IMODE(status.st_mode)
            if path.is_symlink():
                entry = ("link", 0, os.fsencode(os.readlink(path)))
            elif path.is_dir():
                entry = ("directory", mode, b"")
            else:
                entry = ("file", mode, path.read_bytes())
            found[str(path.relative_to(home))] = entry
    return found


def temporaries(home: Path) -> list[str]:
    """What a write that was not finished would leave."""
    return [name for name in tree(home) if ".fmapi-tmp-" in name]


def as_nobody(work: Callable[[], Any], writable: Sequence[Path] = ()) -> str:
    """Run ``work`` in a child that is no root, so that modes count; returns what it raised, or an empty string.

    ``writable`` are given to that user with all that is in them.
    """
    if os.geteuid() != 0:
        return _raised(work)
    for top in writable:
        for path in [top, *top.rglob("*")]:
            os.chown(path, 65534, 65534, follow_symlinks=False)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.write(writer, _raised(work).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        said = stream.read().decode()
    os.waitpid(child, 0)
    return said


def _raised(work: Callable[[], Any]) -> str:
    try:
        work()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def shared_directory(name: str) -> Iterator[Path]:
    """A directory that other users can enter: pytest's own are closed to them."""
    path = Path("/tmp") / f"{name}-{os.getpid()}"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def imports() -> dict[str, str]:
    """Environment for a child Python that imports the collection as these tests do."""
    repository = Path(__file__).resolve().parents[2]
    return {
        **os.environ,
        "PYTHONPATH": f"{repository}:{repository / '.work' / 'collections'}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


PYTHON = sys.executable
