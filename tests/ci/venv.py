# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a virtual environment once per set of pinned requirements and print its path.

Usage: ``python venv.py CACHE NAME REQUIREMENT-FILE...``

The directory's name carries a hash of the Python that made it and of the files' text, so a change of one pin makes a
new environment and an old clone keeps using the old one. A lock keeps two runs from building the same one at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys


def wanted(cache: pathlib.Path, name: str, files: list[pathlib.Path]) -> pathlib.Path:
    """Return the path of the environment for these files and this Python."""
    digest = hashlib.sha256(repr((sys.version_info[:3], os.path.realpath(sys.executable))).encode())
    for file in files:
        digest.update(file.read_bytes())
    major, minor = sys.version_info[:2]
    return cache / "venvs" / f"{name}-py{major}.{minor}-{digest.hexdigest()[:12]}"


def build(path: pathlib.Path, files: list[pathlib.Path]) -> None:
    """Make the environment; a marker written last tells a complete one from one whose build was interrupted."""
    shutil.rmtree(path, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(path)], check=True, stdout=sys.stderr)
    pip = [str(path / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input"]
    # Who gives the sums of some to pip has to give those of all: what has them is complete, and comes first.
    proved = [file for file in files if "--hash=" in file.read_text()]
    for chosen, how in ((proved, ["--no-deps"]), ([file for file in files if file not in proved], [])):
        named = [word for file in chosen for word in ("--requirement", str(file))]
        if named:
            subprocess.run([*pip, *how, *named], check=True, stdout=sys.stderr)
    (path / ".complete").touch()


def main(arguments: list[str]) -> int:
    """Print the path on standard output; everything else goes to standard error."""
    cache, name, files = pathlib.Path(arguments[0]), arguments[1], [pathlib.Path(item) for item in arguments[2:]]
    path = wanted(cache, name, files)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.parent / f"{path.name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (path / ".complete").exists():
            print(f"making the environment {path.name} (once per set of pins)", file=sys.stderr)
            build(path, files)
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
