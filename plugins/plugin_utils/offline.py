# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill a directory with what hosts fetch, laid out as ``coding_agents_mirror`` wants it: any server of files can give it.

Nothing gets its name there before it is proved: by our locks, and an archive that they do not have by the release's own sums.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from typing import Any, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from ..module_utils.agents import AGENTS, source_system
from ..module_utils.agents.source_npm import Npm, cpu_of, tarball
from ..module_utils.agents.source_pip import Pip
from ..module_utils.agents.source_release import (
    DATABRICKS_CLI,
    DATABRICKS_CLI_VERSION,
    NODE,
    NODE_VERSION,
    Release,
    Server,
    sum_of,
)
from ..module_utils.agents.sources import Settings, below_mirror
from ..module_utils.errors import OperatorError
from ..module_utils.lending import lent
from . import carrying

_LARGEST_FILE = 1 << 29
_LARGEST_PAGE = 1 << 25
_AT_ONCE = 4
_PART = 1 << 20

TOOLS: Mapping[str, tuple[Release, str]] = {
    source_system.NODE: (NODE, NODE_VERSION),
    source_system.DATABRICKS_CLI: (DATABRICKS_CLI, DATABRICKS_CLI_VERSION),
}


class Wanted(NamedTuple):
    """One file: where it belongs, where it is had, and by what it is proved."""

    place: str
    what: str
    base: str
    name: str
    variable: str
    algorithm: str
    digest: str


def settings_of(options: Mapping[str, Any]) -> Settings:
    """What this control node fetches with. Raises OperatorError for certificates that cannot be read."""
    return Settings(
        home=os.path.expanduser("~"),
        environment=os.environ,
        npm_registry=options.get("npm_registry"),
        pip_index=options.get("pip_index"),
        proxy=options.get("proxy"),
        no_proxy=options.get("no_proxy"),
        certificates=carrying.certificate_authority(options.get("ca_file")),
        mirror=options.get("mirror"),
    )


class Mirror:
    """The directory. With ``check`` nothing is asked and nothing is written."""

    def __init__(self, directory: str, settings: Settings, check: bool) -> None:
        self.directory = directory
        self.settings = settings
        self.check = check
        self.fetched: list[str] = []
        self.places: list[str] = []
        """All that belongs there, what stood there before included."""

    def fill(
        self,
        versions: Mapping[str, str],
        platforms: Sequence[str],
        locks: Mapping[str, Any],
        tools: Sequence[str],
        packages: Sequence[str] = (),
    ) -> None:
        """Packages of agents, tools by their names, and more Python packages, each with its sums as a lock has them.

        Raises OperatorError; what was put in place before stays as it is.
        """
        chosen = [(AGENTS[name].source, version, _lock_of(name, version, locks)) for name, version in versions.items()]
        wanted: list[Wanted] = []
        for source, version, lock in chosen:
            if isinstance(source, Npm):
                wanted += self._of_npm(source, version, lock, platforms)
        with lent(self.settings.way_out):  # the standard library takes it out of the environment
            self._get_all(wanted)
            for release, version in map(TOOLS.__getitem__, tools):
                self._release(release, version, platforms, locks.get(f"{release.package}@{version}", {}))
            for source, _version, lock in chosen:
                for line in lock if isinstance(source, Pip) else ():
                    self._wheels(line)
            for line in packages:
                self._wheels(line)

    def _of_npm(self, source: Npm, version: str, lock: Mapping[str, Any], platforms: Sequence[str]) -> Iterator[Wanted]:
        variable = "coding_agents_npm_registry"
        base = self._registry(self.settings.npm_registry, Npm.place, variable)
        for platform in platforms:
            own = [one for one in lock.values() if "os" in one and _fits(one, platform)]
            if lock[f"node_modules/{source.package}"].get("lacksPlatforms") and not own:
                raise OperatorError(
                    f"cannot be prepared for {platform}: our lock has no program of it for that platform",
                    f"{source.package}@{version}",
                    "Leave it out of coding_agents_agents, or let such hosts fetch it: take the platform out of"
                    " coding_agents_offline_platforms, or set coding_agents_download_on to host for them",
                )
        for place, entry in lock.items():
            if any(_fits(entry, platform) for platform in platforms):
                algorithm, _dash, told = entry["integrity"].partition("-")
                path = tarball(place, entry)
                digest = base64.b64decode(told).hex()
                yield Wanted(Npm.place + path, path.partition("/-/")[0], base, path, variable, algorithm, digest)

    def _registry(self, named: str | None, place: str, variable: str) -> str:
        """Where packages come from: what this control node's npm and pip are set to is for its own packages."""
        if not named and not self.settings.mirror:
            raise OperatorError(
                "is not set", variable, "Name what the control node fetches from, there or in coding_agents_mirror"
            )
        return named or below_mirror(self.settings, place)

    def _release(self, release: Release, version: str, platforms: Sequence[str], lock: Mapping[str, str]) -> None:
        place, sums = release.place.format(version=version), release.sums.format(version=version)
        base, what = below_mirror(self.settings, place), f"{release.package} {version}"
        names = [release.archive_for(version, *platform.split("_", 1)) for platform in platforms]
        path = os.path.join(self.directory, place, sums)
        told = {name: lock.get(name) or (sum_of(name, path) if os.path.isfile(path) else None) for name in names}
        if not set(names) <= set(lock):
            self.places.append(place + sums)
        if not all(told.values()):
            self.fetched.append(place + sums)
            if self.check:
                self.fetched += [place + name for name in names if not told[name]]
                names = [name for name in names if told[name]]
            else:
                server = self._server(what, base, "coding_agents_mirror")
                with _placed(path) as part:
                    server.download(sums, part, _LARGEST_PAGE)
                    told = {name: told[name] or sum_of(name, part) for name in names}
                    lacking = [name for name in names if not told[name]]
                    if lacking:
                        problem = f"<where> tells no SHA-256 for {lacking[0]}"
                        raise server.problem(problem, "Check coding_agents_mirror, and coding_agents_offline_platforms")
        self._get_all(
            [
                Wanted(place + name, what, base, name, "coding_agents_mirror", "sha256", str(told[name]))
                for name in names
            ]
        )

    def _wheels(self, line: str) -> None:
        """A package's wheels beside the page that names them: all that the lock knows, for every Python and platform of it."""
        name = line.partition("==")[0]
        hashes = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
        place = f"{Pip.place}{_normal(name)}/"
        directory, page = os.path.join(self.directory, place), os.path.join(self.directory, place, "index.html")
        known = _read(page)
        self.places.append(f"{place}index.html")
        whole = {digest: file for file, digest in _links(known) if _digest(directory + file, "sha256") == digest}
        if hashes <= set(whole):
            self.places += [place + whole[digest] for digest in sorted(hashes)]
            return
        variable = "coding_agents_pip_index"
        index = self._registry(self.settings.pip_index, Pip.place, variable).rstrip("/")
        self.fetched.append(f"{place}index.html")
        if self.check:
            return
        server = self._server(name, f"{index}/{_normal(name)}", variable)
        with _placed(page) as part:
            server.download("", part, _LARGEST_PAGE)
            offered = {digest: url for url, digest in _links(_read(part)) if digest in hashes}
            if set(offered) != hashes:
                way_out = "Check coding_agents_pip_index: it must tell the SHA-256 of each file"
                raise server.problem("<where> does not name every file of our lock", way_out)
            wanted = []
            for digest, link in sorted(offered.items()):
                url = urljoin(f"{index}/{_normal(name)}/", link)
                file = unquote(urlsplit(url).path.rpartition("/")[2])
                if not re.fullmatch(r"[\w.+!-]+\.whl", file):
                    raise server.problem("<where> names a file that is no wheel", "Check coding_agents_pip_index")
                base, _slash, last = url.rpartition("/")
                wanted.append(Wanted(place + file, name, _as(base, index), last, variable, "sha256", digest))
            self._get_all(wanted)
            rows = [(one.place[len(place) :], one.digest) for one in wanted]
            earlier = [(file, digest) for file, digest in _links(known) if digest not in hashes]
            with open(part, "w", encoding="utf-8") as stream:
                for file, digest in sorted({*rows, *earlier}):
                    stream.write(f'<a href="{html.escape(file)}#sha256={digest}">{html.escape(file)}</a><br>\n')

    def _get_all(self, wanted: Sequence[Wanted]) -> None:
        self.places += [one.place for one in wanted]
        lacking = {one.place: one for one in wanted if not self._has(one)}
        if self.check:
            self.fetched += lacking
            return
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            done = [pool.submit(self._get, one) for one in lacking.values()]
            try:
                for one in done:
                    one.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _has(self, wanted: Wanted) -> bool:
        return _digest(os.path.join(self.directory, wanted.place), wanted.algorithm) == wanted.digest

    def _get(self, wanted: Wanted) -> None:
        server = self._server(wanted.what, wanted.base, wanted.variable)
        with _placed(os.path.join(self.directory, wanted.place)) as part:
            server.download(wanted.name, part, _LARGEST_FILE)
            if _digest(part, wanted.algorithm) != wanted.digest:
                raise server.problem(
                    f"it is not what its maker published: <where> gives something else as {wanted.name}",
                    f"Nothing of it was kept. Check {wanted.variable}, and who can write to it",
                )
        self.fetched.append(wanted.place)

    def _server(self, what: str, base: str, variable: str) -> Server:
        if variable != "coding_agents_mirror" and self.settings.mirror and base.startswith(self.settings.mirror):
            variable = "coding_agents_mirror"
        check = f"Check {variable}, coding_agents_proxy and the network of the control node"
        return Server(what, base, self.settings, variable, check)


def versions_of(names: Sequence[str], named: Mapping[str, str]) -> dict[str, str]:
    return {name: str(named.get(name) or AGENTS[name].pinned_version) for name in names}


def _lock_of(name: str, version: str, locks: Mapping[str, Any]) -> Any:
    package = AGENTS[name].source.package
    if f"{package}@{version}" in locks:
        return locks[f"{package}@{version}"]
    known = [key.rpartition("@")[2] for key in locks if key.rpartition("@")[0] == package]
    way_out = f"Name {' or '.join(known)} in coding_agents_cli_versions.{name}, or let hosts fetch from a registry"
    raise OperatorError("cannot be prepared: we have no lock of this version", f"{package} {version}", way_out)


def _fits(entry: Mapping[str, Any], platform: str) -> bool:
    system, machine = platform.split("_", 1)
    cpu = cpu_of(machine)
    return system in entry.get("os", [system]) and cpu in entry.get("cpu", [cpu])


def _as(base: str, index: str) -> str:
    """With the user name and the password of the index, where a file is on the same server."""
    parts, own = urlsplit(base), urlsplit(index)
    same = (parts.scheme, parts.hostname, parts.port) == (own.scheme, own.hostname, own.port)
    return urlunsplit(parts._replace(netloc=own.netloc)) if same else base


@contextlib.contextmanager
def _placed(path: str) -> Iterator[str]:
    """Where to write what becomes ``path`` when all went well. Raises OperatorError where it cannot be written."""
    part = f"{path}.part"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        yield part
        os.replace(part, path)
    except OSError as error:
        raise OperatorError(f"cannot be written ({error.strerror})", path, "Mend that and run again") from None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(part)


def _digest(path: str, algorithm: str) -> str:
    """Of a file; empty where there is none that can be read."""
    found = hashlib.new(algorithm)
    try:
        with open(path, "rb") as stream:
            for part in iter(lambda: stream.read(_PART), b""):
                found.update(part)
    except OSError:
        return ""
    return found.hexdigest()


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read(_LARGEST_PAGE)
    except OSError:
        return ""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _links(text: str) -> list[tuple[str, str]]:
    """The files that a page names, each with its SHA-256."""
    page = _Page()
    page.feed(text)
    parts = [link.partition("#sha256=") for link in page.links]
    return [(url, digest.lower()) for url, _mark, digest in parts if digest]
