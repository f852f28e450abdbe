# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a directory tree, and the difference of two: what proves that a run wrote nothing, or put all back.

``python3 tree.py DIRECTORY`` prints the manifest as JSON. ``python3 tree.py --compare BEFORE AFTER [--times]`` prints
one line per difference and ends with status 1 if there is any.

It stands alone, with the standard library of Python 3.9, because it also runs on the hosts: ``python3 -I - DIRECTORY``
with this file on standard input leaves no trace there, while a copied script would be a change of the tree.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import stat
import sys
from typing import Any

# Path below the directory ("." for itself) to the facts of that entry.
Manifest = dict[str, dict[str, Any]]

_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


def _entry(path: str) -> dict[str, Any]:
    """Return type, mode, owner, modification time (ns), and the SHA-256 of a file or the target of a link."""
    facts = os.lstat(path)
    kind = _KINDS.get(stat.S_IFMT(facts.st_mode), "other")
    entry: dict[str, Any] = {
        "type": kind,
        "mode": format(stat.S_IMODE(facts.st_mode), "04o"),
        "owner": f"{facts.st_uid}:{facts.st_gid}",
        "mtime_ns": facts.st_mtime_ns,
    }
    if kind == "link":
        entry["target"] = os.readlink(path)
    elif kind == "file":
        digest = hashlib.sha256()
        with open(path, "rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
        entry["size"] = facts.st_size
        entry["sha256"] = digest.hexdigest()
    return entry


def manifest(directory: str) -> Manifest:
    """Read a tree without following links. Raises OSError for what cannot be read: a gap would hide a change."""
    found: Manifest = {".": _entry(directory)}

    def give_up(error: OSError) -> None:
        raise error

    for parent, directories, files in os.walk(directory, onerror=give_up):
        for name in directories + files:
            path = os.path.join(parent, name)
            found[os.path.relpath(path, directory)] = _entry(path)
    return dict(sorted(found.items()))


def differences(before: Manifest, after: Manifest, times: bool = False) -> list[str]:
    """Return one line per added, missing or changed entry; modification times count only when asked for."""
    lines = []
    for path in sorted(set(before) | set(after)):
        if path not in after:
            lines.append(f"missing: {path} ({before[path]['type']})")
        elif path not in before:
            lines.append(f"added: {path} ({after[path]['type']})")
        else:
            old, new = before[path], after[path]
            for fact in sorted(set(old) | set(new)):
                if (times or fact != "mtime_ns") and old.get(fact) != new.get(fact):
                    lines.append(f"changed: {path}: {fact} {old.get(fact)} -> {new.get(fact)}")
    return lines


def _load(path: str) -> Manifest:
    with open(path, encoding="utf-8") as stream:
        loaded: Manifest = json.load(stream)
    return loaded


def main() -> int:
    """Print a manifest or the differences of two."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", nargs="?")
    parser.add_argument("--compare", nargs=2, metavar=("BEFORE", "AFTER"))
    parser.add_argument("--times", action="store_true")
    options = parser.parse_args()
    if options.compare:
        lines = differences(_load(options.compare[0]), _load(options.compare[1]), options.times)
        print("\n".join(lines) if lines else "no difference")
        return 1 if lines else 0
    if not options.directory:
        parser.error("a directory, or --compare and two manifests")
    json.dump(manifest(options.directory), sys.stdout, indent=1)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
