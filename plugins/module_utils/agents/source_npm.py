# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that come from the npm registry: fetched without running anything of theirs, and believed by what their maker published."""

from __future__ import annotations

import base64
import contextlib
import glob
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from .. import careful, processes
from ..errors import OperatorError
from ..platforms import machine_of
from .sources import (
    ANSWER_SECONDS,
    MIRROR,
    START_SECONDS,
    SYSTEM_CERTIFICATES,
    Registry,
    Settings,
    Source,
    below_mirror,
    certificates_file,
    environment_for,
    names_in,
    registry_of,
    run,
    scratch_directory,
    text_of,
    write,
)

OLDEST_NODE = "18"
"""With which what npm fetches was tried, where its maker names none."""
_LOOKED = "It was looked for on PATH, in the usual places and with nvm, fnm, volta, mise, asdf, nodenv, n, pnpm and bun"
_LONGEST_VERSION = 60
_LONGEST_FIRST_LINE = 1 << 10
_PART = 1 << 20
_LONGEST_START = 1 << 14

_START_MARK = "#!/bin/sh\n# Written by fmapi.coding_agents: this is started with a Node.js that need not be on PATH.\n"
_START = _START_MARK + 'exec {node} {script} "$@"\n'


class Npm(Source):
    """A package of the npm registry. Its scripts run only where it cannot do without (``needs_scripts``), and those of no other.

    A lock of it is the ``packages`` of npm's own, with what their makers published (``integrity``). Where there is one, a registry
    that gives something else is found out before anything of it has run.

    ``node``: the oldest Node.js that it works with, by the first version of it for which that holds, as its maker says (``npm view
    PACKAGE@VERSION engines``). npm only warns of an older one, and the program does not start then.
    """

    name = "npm"
    place = "npm/"
    """In a mirror."""
    """Of the vendor's own registry: so it is called in a mirror."""

    def __init__(self, package: str, needs_scripts: bool = False, node: Mapping[str, str] | None = None) -> None:
        super().__init__(package)
        self.needs_scripts = needs_scripts
        self.node = node or {"0": OLDEST_NODE}

    def fetch(self, version: str, directory: str, settings: Settings, lock: Any = None) -> None:
        if lock and self._covers_this_host(lock):
            self._fetch_locked(version, directory, settings, lock)
            return
        where = ("--global", "--prefix", directory)
        self._npm(("install", f"{self.package}@{version}", *where), version, directory, settings)
        self._require(version, directory)
        if self.needs_scripts:
            self._npm(("rebuild", self.package, *where), version, directory, settings)

    def _covers_this_host(self, lock: Mapping[str, Any]) -> bool:
        """Whether the program for this host is in the lock: the registry that it was made from may not have it for every platform."""
        if not lock[f"node_modules/{self.package}"].get("lacksPlatforms"):
            return True
        fitting = [entry for entry in lock.values() if "os" in entry and _is_for_this_platform(entry)]
        return bool(fitting) and not glob.glob("/lib/ld-musl-*")

    def _fetch_locked(self, version: str, directory: str, settings: Settings, lock: Mapping[str, Any]) -> None:
        """As a project that depends on the package alone; its commands are linked as npm does it for a global one."""
        project = os.path.join(directory, "lib")
        os.makedirs(os.path.join(directory, "bin"))
        os.makedirs(project)
        needs = {"dependencies": {self.package: version}}
        if settings.mirror and not settings.npm_registry:
            # A directory of files need not have what a registry tells of a package beside it.
            url = Registry("", below_mirror(settings, self.place), MIRROR).url
            lock = {place: {**entry, "resolved": url + tarball(place, entry)} for place, entry in lock.items()}
        described = {
            "package.json": needs,
            "package-lock.json": {"lockfileVersion": 3, "packages": {"": needs, **lock}},
        }
        for name, content in described.items():
            write(os.path.join(project, name), json.dumps(content))
        self._npm(("ci", "--omit=dev", "--prefix", project), version, directory, settings, lock)
        self._require(version, directory)
        if self.needs_scripts:
            self._npm(("rebuild", self.package, "--global", "--prefix", directory), version, directory, settings)
        for name in described:
            os.unlink(os.path.join(project, name))
        for command, file in lock[f"node_modules/{self.package}"].get("bin", {}).items():
            target, link = (
                os.path.join("..", "lib", "node_modules", self.package, file),
                os.path.join(directory, "bin", command),
            )
            if not os.path.lexists(link):  # a rebuild may have made it
                os.symlink(os.path.normpath(target), link)

    def remove(self, directory: str, settings: Settings) -> None:
        """Take the package out of a prefix that it shares with others. Raises OperatorError."""
        self._npm(("uninstall", self.package, "--global", "--prefix", directory), "", directory, settings)

    def installed_version(self, directory: str) -> str | None:
        return self._version_in(os.path.join(directory, "lib", "node_modules", *self.package.split("/")))

    def version_of(self, program: str) -> str | None:
        """Told by the package.json above it."""
        directory = os.path.dirname(os.path.realpath(program))
        for _level in range(4):
            version = self._version_in(directory)
            if version:
                return version
            directory = os.path.dirname(directory)
        _node, script = started_by(program)
        return self.version_of(script) if script else None

    def is_startable(self, program: str) -> bool:
        return super().is_startable(program) and os.access(started_by(program)[0] or program, os.X_OK)

    def start_with(self, node: str, directory: str) -> None:
        """Let the commands that were fetched start with this Node.js, whatever PATH says as they are typed."""
        programs = os.path.join(directory, "bin")
        for name in names_in(programs):
            path = os.path.join(programs, name)
            if _runs_on_node(path):
                script = os.path.realpath(path)
                os.unlink(path)
                write(path, _START.format(node=shlex.quote(node), script=shlex.quote(script)))
                os.chmod(path, 0o755)  # noqa: S103 # a command

    def _version_in(self, directory: str) -> str | None:
        try:
            package = json.loads(careful.read(os.path.join(directory, "package.json")))
            return careful.line(package["version"], _LONGEST_VERSION) if package.get("name") == self.package else None
        except (OSError, ValueError, KeyError, AttributeError, RecursionError):
            return None

    def oldest_node(self, version: str) -> str:
        """Of Node.js, for this version of the package."""
        known = sorted(self.node, key=_numbers)
        return self.node[[one for one in known if _numbers(one) <= _numbers(version)][-1]]

    def needed(self, version: str, settings: Settings) -> str:
        npm = self._program(settings)
        return "" if npm and not self._older_node(npm, version, settings) else self._way_out(version)

    def require(self, version: str, settings: Settings) -> None:
        package = f"{self.package}@{version}"
        older = self._older_node(self._npm_program(package, settings), version, settings)
        if older:
            way_out = (
                f"{self._way_out(version)}, name an older version in coding_agents_cli_versions, or leave the agent out"
            )
            raise OperatorError(f"cannot be fetched: {older}", package, way_out)

    def runs_on(self, node: str, version: str) -> bool:
        """Whether a version of Node.js will do for this version of the package."""
        return _numbers(node) >= _numbers(self.oldest_node(version))

    def node_for(self, version: str, settings: Settings) -> str | None:
        """The directory of a Node.js that will do and has npm: empty for the one that is found first, None where there is none.

        Another than the first must tell its version: what stands first is what the person has chosen.
        """
        for number, directory in enumerate(dict.fromkeys(settings.path.split(os.pathsep))):
            npm = shutil.which("npm", path=directory)
            if npm == self._program(settings) and npm is not None and not self._older_node(npm, version, settings):
                return ""
            node = shutil.which("node", path=directory)
            if npm and node and number:
                found = _version_of_node(node, {"PATH": directory, "HOME": settings.home})
                if found and self.runs_on(found, version):
                    return directory
        return None

    def unfit(self, program: str, version: str, home: str, environment: Mapping[str, str]) -> str:
        node = shutil.which("node", path=environment.get("PATH", "")) if _runs_on_node(program) else None
        return self._judged(node, version, {"PATH": environment.get("PATH", ""), "HOME": home})

    def _older_node(self, npm: str, version: str, settings: Settings) -> str:
        """That the Node.js which npm belongs to is too old, as a sentence; empty where it is not, or does not tell."""
        path = os.pathsep.join((os.path.dirname(npm), settings.path))
        with scratch_directory() as scratch:
            environment = {**environment_for(settings, scratch), "PATH": path, "HOME": scratch}
            return self._judged(shutil.which("node", path=path), version, environment)

    def _judged(self, node: str | None, version: str, environment: Mapping[str, str]) -> str:
        found, oldest = _version_of_node(node, environment) if node else "", self.oldest_node(version)
        if not found or _numbers(found) >= _numbers(oldest):
            return ""
        return f"it needs Node.js {oldest} or newer, and {node} is {found}"

    def _way_out(self, version: str) -> str:
        return f"Install Node.js {self.oldest_node(version)} or newer with npm"

    def _npm_program(self, package: str, settings: Settings) -> str:
        npm = self._program(settings)
        if npm is None:
            version = package[len(self.package) + 1 :]
            way_out = f"{self._way_out(version)}, install the agent yourself, or leave it out with --skip-tags agent_cli. {_LOOKED}"
            raise OperatorError("cannot be fetched: npm is not installed", package, way_out)
        return npm

    @staticmethod
    def _program(settings: Settings) -> str | None:
        return shutil.which("npm", path=settings.path)

    def _npm(
        self,
        does: Sequence[str],
        version: str,
        directory: str,
        settings: Settings,
        lock: Mapping[str, Any] | None = None,
    ) -> None:
        package = f"{self.package}@{version}" if version else self.package
        npm = self._npm_program(package, settings)
        registry = registry_of(
            "the npm registry", settings.npm_registry, "coding_agents_npm_registry", settings, self.place
        )
        with scratch_directory() as scratch:
            cache = os.path.join(scratch, "cache")
            command = [npm, *does, "--cache", cache, "--include=optional"]
            command += [f"--ignore-scripts={'false' if does[0] == 'rebuild' else 'true'}"]
            command += ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000"]
            command += [f"--fetch-timeout={ANSWER_SECONDS * 1000}"]
            command += ["--no-audit", "--no-fund", "--no-update-notifier", "--no-progress", "--loglevel=error"]
            command += ["--registry", registry.url] if registry.url else []
            environment = self._npm_environment(settings, registry, scratch)
            # With the Node.js that it belongs to: another may be too old for it.
            environment["PATH"] = os.pathsep.join((os.path.dirname(npm), environment["PATH"]))
            registry = self._company_settings(npm, environment, settings, registry, scratch)
            run(self.name, command, environment, package, registry, (cache, directory))
            if lock:
                _require_published(package, lock, cache, directory, registry)

    @staticmethod
    def _npm_environment(settings: Settings, registry: Registry, scratch: str) -> dict[str, str]:
        """With the person's own settings of npm, but for what the operator says."""
        given = settings.environment
        environment = environment_for(settings, scratch)
        own = {name: value for name, value in given.items() if name.lower().startswith("npm_config_") and value}
        rest = {name: value for name, value in own.items() if name.lower() != "npm_config_userconfig"}
        userconfig = next((own[name] for name in own if name not in rest), os.path.join(settings.home, ".npmrc"))
        text = text_of(userconfig)
        named = _variables_in(text)
        environment.update((name, value) for name, value in given.items() if name in named)
        environment.update(rest)
        if registry.authorization:
            # Not on the command line, which every user of the machine can read.
            place = registry.url.partition("//")[2].rstrip("/")
            userconfig = os.path.join(scratch, "npmrc")
            write(userconfig, f"{text}\n//{place}/:_auth={registry.authorization}\n")
        environment["npm_config_userconfig"] = userconfig
        if settings.proxy:
            environment.update(npm_config_proxy=settings.proxy, npm_config_https_proxy=settings.proxy)
        return environment

    def _company_settings(
        self, npm: str, environment: dict[str, str], settings: Settings, registry: Registry, scratch: str
    ) -> Registry:
        """Keep npm's settings for all users in force, which ``--prefix`` would look for below our own directory; returns the registry.

        npm says where they are: beside the Node.js that it belongs to, below a prefix of the person's own, or elsewhere.
        """
        scope = self.package.partition("/")[0] if self.package.startswith("@") else ""
        names = ["globalconfig", "registry", "cafile", *([f"{scope}:registry"] if scope else [])]
        told: dict[str, str] = {}
        with contextlib.suppress(OSError):
            command = [npm, "config", "get", *names, "--cache", os.path.join(scratch, "cache"), "--no-update-notifier"]
            done = processes.run(command, environment, START_SECONDS, scratch)
            told = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line and done.status == 0)
        told = {name: value.strip() for name, value in told.items() if value.strip() not in ("", "null", "undefined")}
        shared = told.get("globalconfig", "")
        if os.path.isabs(shared):
            environment["npm_config_globalconfig"] = shared
            named = _variables_in(text_of(shared))
            environment.update((name, value) for name, value in settings.environment.items() if name in named)
        if settings.certificates:
            # Beside those that npm has been given by others: it trusts one file only.
            others = [told.get("cafile", ""), settings.environment.get("NODE_EXTRA_CA_CERTS", "")]
            bundle = certificates_file(
                settings, scratch, "\n".join(text_of(path) for path in others if os.path.isabs(path))
            )
            environment.update(NODE_EXTRA_CA_CERTS=bundle, npm_config_cafile=bundle)
        elif not environment.get("NODE_EXTRA_CA_CERTS"):
            # Node.js brings its own certificates. What the system trusts (an authority that inspects TLS, too) it does not look at.
            system = next((path for path in SYSTEM_CERTIFICATES if text_of(path)), "")
            environment.update({"NODE_EXTRA_CA_CERTS": system} if system else {})
        if registry.url:
            return registry
        url = told.get(f"{scope}:registry") or told.get("registry")
        return Registry("the npm registry", url, "coding_agents_npm_registry")


def tarball(place: str, entry: Mapping[str, Any]) -> str:
    """The path, in a registry, of the package that a lock has at ``place``."""
    name = str(entry.get("name") or place.rpartition("node_modules/")[2])
    return f"{name}/-/{name.rpartition('/')[2]}-{entry['version']}.tgz"


def _version_of_node(node: str, environment: Mapping[str, str]) -> str:
    """What a Node.js says of itself, without its ``v``; nothing where it does not, and of a shim, which might fetch what it starts."""
    if "shims" in node.split(os.sep) or not os.path.basename(os.path.realpath(node)).startswith("node"):
        return ""
    with contextlib.suppress(OSError):
        done = processes.run([node, "--version"], environment, START_SECONDS)
        told = re.match(r"v([0-9]{1,9}(?:\.[0-9]{1,9}){0,2})\s*$", done.stdout) if done.status == 0 else None
        return told.group(1) if told else ""
    return ""


def _runs_on_node(program: str) -> bool:
    """Whether it is a script for Node.js. Many a package's program is none: the Node.js that is there does not matter to it."""
    try:
        with os.fdopen(careful.open_regular(program, follow=True), "rb") as stream:
            return re.match(rb"#![^\n]*\bnode\b", stream.readline(_LONGEST_FIRST_LINE)) is not None
    except OSError:
        return False


def started_by(program: str) -> tuple[str, str]:
    """The Node.js and the script that a command of ours starts; both empty for any other program."""
    if os.path.islink(program):
        program = os.path.realpath(program)
    text = _beginning(program)
    if not text.startswith(_START_MARK):
        return "", ""
    with contextlib.suppress(ValueError):
        words = shlex.split(text[len(_START_MARK) :])
        if len(words) == 4 and words[0] == "exec":
            return words[1], words[2]
    return "", ""


def _beginning(path: str) -> str:
    try:
        with os.fdopen(careful.open_regular(path, follow=True), "rb") as stream:
            return stream.read(_LONGEST_START).decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(one) if one.isascii() and one.isdigit() else 0 for one in version[:_LONGEST_VERSION].split("."))


def _variables_in(npmrc: str) -> set[str]:
    """An .npmrc may name variables, such as the one with its token."""
    return set(
        re.findall(r"\$\{([^}?{$]{1,200})\??\}", npmrc)
    )  # bounded: else a file of beginnings is looked at without end


def _require_published(what: str, lock: Mapping[str, Any], cache: str, directory: str, registry: Registry) -> None:
    """Raises OperatorError unless all that npm has installed came in packages which their maker published.

    What a registry says of a package decides what npm installs beside it, from where (a directory of this host, too), how it is
    packed, and whether it is kept. So each file that stands there is looked at: its content must be in one of those packages.
    """
    problem = f"is not what its maker published: {registry.title} gives something else under this name and version"
    way_out = f"Nothing of it was run. Check {registry.variable}, and who can write to it"
    modules = os.path.join(directory, "lib")
    for place, entry in lock.items():
        # npm leaves out what it may leave out where it does not come as it should.
        if _is_for_this_platform(entry) and not os.path.isdir(os.path.join(modules, place)):
            raise OperatorError(problem, what, way_out)
    packages = [path for path in (_kept(cache, entry["integrity"]) for entry in lock.values()) if path]
    genuine = {digest for path in packages for digest in _digests_in(path)}
    for above, directories, names in os.walk(directory):
        for name in (*directories, *names):
            path = os.path.join(above, name)
            if name == ".package-lock.json" or (above == modules and name in ("package.json", "package-lock.json")):
                continue  # npm's own list, which no package can be called, and ours
            if os.path.islink(path):
                fits = os.path.realpath(path).startswith(os.path.join(os.path.realpath(directory), ""))
            else:
                fits = os.path.isdir(path) or _digest_of(path) in genuine
            if not fits:
                raise OperatorError(problem, what, way_out)


def cpu_of(machine: str) -> str:
    """A kind of machine as npm calls it."""
    return {"x86_64": "x64"}.get(machine, machine)


def _is_for_this_platform(entry: Mapping[str, Any]) -> bool:
    """As far as that can be told: for another C library, and where two will do, npm chooses."""
    machine = cpu_of(machine_of(platform.machine()))
    here = sys.platform in entry.get("os", [sys.platform]) and machine in entry.get("cpu", [machine])
    return here and "libc" not in entry and not entry.get("peer")


def _kept(cache: str, integrity: str) -> str:
    """Where npm's cache has the package of this integrity; empty where it has none."""
    told = base64.b64decode(integrity.partition("-")[2])
    name = told.hex()
    path = os.path.join(cache, "_cacache", "content-v2", "sha512", name[:2], name[2:4], name[4:])
    return path if _digest_of(path) == told else ""


def _digests_in(package: str) -> Iterator[bytes]:
    """Of the files that are in a package."""
    import tarfile  # who only looks need not pay for it

    with tarfile.open(package) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None:
                yield _digest(stream)


def _digest_of(path: str) -> bytes:
    try:
        with os.fdopen(careful.open_regular(path, follow=False), "rb") as stream:
            return _digest(stream)
    except OSError:
        return b""


def _digest(stream: IO[bytes]) -> bytes:
    found = hashlib.sha512()
    for part in iter(lambda: stream.read(_PART), b""):
        found.update(part)
    return found.digest()
