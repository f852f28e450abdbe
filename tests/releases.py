# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives in the layout in which vendors publish them, for a server of the tests to give.

``python -m tests.releases publish DIRECTORY`` puts those in a directory that a server of files gives; ``collections DIRECTORY`` makes
a collection there whose lock has them, and prints the path by which Ansible finds it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Protocol

from plugins.module_utils.agents.source_release import NODE_VERSION
from tests.control_node import COLLECTIONS, REPOSITORY
from tests.databricks_cli import install
from tests.hosts.podman import cache_directory

MACHINE = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine()]
SYSTEM = platform.system().lower()
_NPM = "10.9.9"
"""What comes with the Node.js that is fetched."""


class Server(Protocol):
    """What gives files: a registry of the tests, or a directory."""

    def add_file(self, path: str, content: bytes) -> None:
        """Serve this content at this path."""


class Folder:
    """Files of a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def add_file(self, path: str, content: bytes) -> None:
        place = self._directory / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def node_name(version: str) -> str:
    """Of the archive for this machine, without its ending."""
    return f"node-v{version}-{SYSTEM}-{MACHINE}"


def real_node(version: str) -> bytes:
    """The real Node.js and the real npm, from the npm packages of these names, packed as nodejs.org packs them. Kept in the cache."""
    place = cache_directory() / "agents" / f"{node_name(version)}.tar.gz"
    if not place.exists():
        scratch = place.with_suffix(".scratch")
        shutil.rmtree(scratch, ignore_errors=True)
        command = ["npm", "install", "--prefix", str(scratch), "--no-audit", "--no-fund", "--ignore-scripts"]
        packages = [f"node-{SYSTEM}-{MACHINE}@{version}", f"npm@{_NPM}"]
        subprocess.run([*command, *packages], check=True, capture_output=True)
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w:gz", compresslevel=1) as archive:
            modules = scratch / "node_modules"
            archive.add(modules / f"node-{SYSTEM}-{MACHINE}" / "bin" / "node", f"{node_name(version)}/bin/node")
            archive.add(modules / "npm", f"{node_name(version)}/lib/node_modules/npm")
            for name in ("npm", "npx"):
                link = tarfile.TarInfo(f"{node_name(version)}/bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, f"../lib/node_modules/npm/bin/{name}-cli.js"
                archive.addfile(link)
        whole = place.with_suffix(".new")
        whole.write_bytes(made.getvalue())
        whole.replace(place)
        shutil.rmtree(scratch)
    return place.read_bytes()


def npm_registry() -> str:
    """The one that this machine's npm is set to."""
    done = subprocess.run(["npm", "config", "get", "registry"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def pip_index() -> str:
    """The one that pip asks on this machine. Only the program itself knows its default."""
    asks = "from pip._internal.cli.cmdoptions import index_url; print(index_url().default)"
    ways = (["-m", "pip", "config", "get", "global.index-url"], ["-c", asks])
    told = (subprocess.run([sys.executable, *way], capture_output=True, text=True, check=False) for way in ways)
    return next(one.stdout.strip() for one in told if one.returncode == 0)


def publish(server: Server, directory: str, name: str, content: bytes, sums: str, told: str = "") -> None:
    """Put an archive and the release's sums at a path of the server. ``told``: another SHA-256 than the right one."""
    server.add_file(f"{directory}/{name}", content)
    digest = told or hashlib.sha256(content).hexdigest()
    server.add_file(f"{directory}/{sums}", f"{'0' * 64}  another.tar.gz\n{digest}  {name}\n".encode())


def publish_node(server: Server, version: str, content: bytes, told: str = "") -> str:
    """Returns the archive's path."""
    directory, name = f"/nodejs.org/dist/v{version}", f"{node_name(version)}.tar.gz"
    publish(server, directory, name, content, "SHASUMS256.txt", told)
    return f"{directory}/{name}"


def collections_that_know(directory: Path, package: str, **archives: bytes) -> dict[str, str]:
    """The environment of a run whose collection has these archives in its lock instead of the vendor's: ours are packed otherwise."""
    place = directory / "ansible_collections" / "fmapi" / "coding_agents"
    place.mkdir(parents=True)
    for name in ("galaxy.yml", "meta", "playbooks", "plugins", "roles"):
        here = REPOSITORY / name
        shutil.copytree(here, place / name) if here.is_dir() else shutil.copy(here, place / name)
    file = place / "plugins" / "plugin_utils" / "locks.json"
    locks = json.loads(file.read_text())
    locks[package] = {name: hashlib.sha256(content).hexdigest() for name, content in archives.items()}
    file.write_text(json.dumps(locks))
    return {"ANSIBLE_COLLECTIONS_PATH": os.pathsep.join((str(directory), str(COLLECTIONS)))}


def hidden(*programs: str) -> list[str]:
    """What to start a command with on a machine that does not have these programs: nothing of their names can be started."""
    places = [path for one in programs if (path := shutil.which(one))]
    script = "".join(f'mount --bind /dev/null "{Path(place).resolve()}" && ' for place in places)
    return ["unshare", "--mount", "sh", "-c", f'{script}exec "$@"', "sh"]


def publish_databricks_cli(server: Server, version: str, directory: Path) -> str:
    """The stand-in for the Databricks CLI, in a release as the vendor lays it out. Returns the archive's path."""
    place, machine = f"/github.com/databricks/cli/releases/download/v{version}", {"x64": "amd64"}.get(MACHINE, MACHINE)
    name, made = f"databricks_cli_{version}_{SYSTEM}_{machine}.zip", io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, mode in (("LICENSE", 0o644), ("databricks", 0o755)):
            member = zipfile.ZipInfo(file)
            member.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(member, Path(install(directory)).read_text() if file == "databricks" else "a licence\n")
    publish(server, place, name, made.getvalue(), f"databricks_cli_{version}_SHA256SUMS")
    return f"{place}/{name}"


def main(verb: str, directory: Path) -> None:
    content = real_node(NODE_VERSION)
    if verb == "publish":
        publish_node(Folder(directory), NODE_VERSION, content)
        return
    shutil.rmtree(directory, ignore_errors=True)
    known = collections_that_know(
        directory, f"Node.js@{NODE_VERSION}", **{f"{node_name(NODE_VERSION)}.tar.gz": content}
    )
    print(known["ANSIBLE_COLLECTIONS_PATH"])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
