# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where agents' programs come from: packages of the npm registry or of a Python index, each into a directory of its own.

What stands there is told from files; no program is started for it.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from .. import careful, processes
from ..errors import OperatorError
from ..platforms import PLATFORMS
from .programs import search_path

_PASSED_ON = re.compile(r"LANG|LC_\w+|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|(?i:(https?|no|all)_proxy)")
"""Of the environment, beside what npm and pip are set to by it. All of it may hold secrets that no package's script should see."""
_TIMEOUT_SECONDS = 600
ANSWER_SECONDS = 15
"""How long a registry may take to begin an answer. It is asked twice."""
_SILENCE_SECONDS = 40
"""How long nothing may come at all: npm has no limit of its own for a connection that is dropped, or never becomes encrypted."""
START_SECONDS = 30
_GLANCE_SECONDS = 0.2
_WEIGHING_SECONDS = 5
_LONGEST_OUTPUT = 1 << 16
_LARGEST_TEXT = 1 << 24
"""Of a list of a package's files, or of certificates."""
_QUOTED_LINES = 2
_LONGEST_QUOTE = 300
SYSTEM_CERTIFICATES = tuple(dict.fromkeys(one.certificates for one in PLATFORMS.values()))
"""Not by the host's platform: images without an ``/etc/os-release`` have one of them, too."""

_CAUSES = (
    (
        r"EINTEGRITY|DO NOT MATCH THE HASHES|In --require-hashes mode",
        "it is not what its maker published: {registry} gives something else under this name and version",
        "Nothing of it was run. Check {variable}, and who can write to it",
    ),
    (
        r"ENOSPC|EDQUOT|No space left on device|Disk quota exceeded",
        "no space is left on the disk",
        "Free some and run again",
    ),
    (
        r"EROFS|EACCES|\bEPERM|Permission denied|Read-only file system",
        "a directory may not be written to",
        "Check its owner and mode",
    ),
    (
        r"SELF_SIGNED_CERT|UNABLE_TO_(?:GET|VERIFY)|CERT_[A-Z]|ERR_TLS|CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        "the certificate of {registry} is not trusted",
        "Set coding_agents_ca_file to the authority that signed it",
    ),
    (
        r"\bE40[137]\b|ENEEDAUTH|\b40[137] (?:Client )?Error|User for [^:]{1,300}:",
        "{registry} refuses access",
        "Check its user name and password, and what it allows",
    ),
    (
        r"ECONN[A-Z]+|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPROTO|ERR_S[OS][A-Z_]+|\bE[A-Z]{1,20}TIMEOUT"
        r"|FETCH_ERROR|NewConnectionError|Connect(?:ion|Timeout)Error|Read(?:Timeout|timed out)|ProxyError"
        r"|Connection refused|Name or service not known|Network is unreachable",
        "{registry} is not reachable",
        "Check {variable}, coding_agents_proxy and the network",
    ),
    (r"\bE5\d\d\b|\b5\d\d Server Error", "{registry} has a fault of its own", "Try again later"),
    (
        r"\bE404\b|ETARGET|ENOVERSIONS|No matching distribution|Could not find a version",
        "{registry} does not have it",  # or does not show it to this user: pip says the same then
        "Check {variable}, its user name and password if it needs them, and the version",
    ),
)
"""By what npm and pip print: the cause, and the way out. The first that fits counts: what follows it is often only its consequence."""


class Settings(NamedTuple):
    """What fetching depends on beside the package."""

    home: str
    environment: Mapping[str, str]
    npm_registry: str | None = None
    pip_index: str | None = None
    proxy: str | None = None
    no_proxy: str | None = None
    certificates: str | None = None
    """Authorities, as PEM text, that are trusted beside the system's."""
    mirror: str | None = None
    """A URL below which each vendor's host has a directory by its name, laid out as that host is."""
    node: str = ""
    """The directory of a Node.js, with its npm, that comes before those that are found."""
    for_all_users: bool = False
    """What is fetched is started by every user of the host: nothing of root's own home will do for it."""

    @property
    def path(self) -> str:
        """Where programs are looked for."""
        found = search_path(self.home, self.environment)
        if self.for_all_users:
            own = os.path.join(os.path.realpath(self.home), "")
            given = [one for one in found.split(os.pathsep) if not os.path.realpath(one).startswith(own)]
            found = os.pathsep.join(given)
        return os.pathsep.join((self.node, found)) if self.node else found

    @property
    def way_out(self) -> dict[str, str]:
        """Through the proxy, as variables for programs that take it from there."""
        ways = {"https_proxy": self.proxy, "http_proxy": self.proxy, "no_proxy": self.no_proxy}
        given = {name: value for name, value in ways.items() if value}
        return {**given, **{name.upper(): value for name, value in given.items()}}


class Source:
    """A package, and how to get it."""

    name = ""
    trial = "--version"
    """What a program is started with once it was fetched, to see that it runs here."""

    def __init__(self, package: str) -> None:
        self.package = package

    def fetch(self, version: str, directory: str, settings: Settings, lock: Any = None) -> None:
        """Install exactly this version into ``directory``. Raises OperatorError; then what is in the directory is of no use.

        With a ``lock``, exactly the packages that are in it, each as its maker published it.
        """
        raise NotImplementedError

    def installed_version(self, directory: str) -> str | None:
        """The version that was fetched into ``directory``, or None."""
        raise NotImplementedError

    def version_of(self, program: str) -> str | None:
        """The version of a program that came in this package, wherever it was installed; None for any other program."""
        raise NotImplementedError

    def command_path(self, directory: str, command: str) -> str:
        """Where a command of the package is, once it was fetched into ``directory``."""
        return os.path.join(directory, "bin", command)

    def needed(self, version: str, settings: Settings) -> str:
        """What has to be installed on the host before anything can be fetched, as a sentence; empty where all is there."""
        return ""

    def require(self, version: str, settings: Settings) -> None:
        """Raises OperatorError where this cannot be fetched, or would not run, because something has to be installed first.

        Changes nothing, and starts no more than what has to tell its version.
        """

    def is_startable(self, program: str) -> bool:
        """Whether a program of ours is whole, as far as files tell."""
        return os.access(program, os.X_OK)

    def unfit(self, program: str, version: str, home: str, environment: Mapping[str, str]) -> str:
        """Why a program that stands cannot run with what this environment has, as a sentence; empty where nothing is known of it."""
        return ""

    def try_out(self, program: str, settings: Settings) -> None:
        """Start it once, for little: a package can be whole and its program of no use here. Raises OperatorError."""
        with scratch_directory() as scratch:
            # In a home of no account: a first start may leave files.
            environment = {**environment_for(settings, scratch), "HOME": scratch}
            try:
                done = processes.run([program, self.trial], environment, START_SECONDS, scratch)
            except TimeoutError:
                problem = f"did not answer {self.trial} within {START_SECONDS} s"
            except OSError as error:
                problem = f"cannot be started ({error.strerror})"
            else:
                said = quoted(done.stderr or done.stdout)
                problem = (
                    f"ends with status {done.status} when it is started with {self.trial}: {said}"
                    if done.status
                    else ""
                )
        if problem:
            raise OperatorError(problem, program, "Name another version, or install the agent yourself and run again")

    def _require(self, version: str, directory: str) -> None:
        found = self.installed_version(directory)
        if found != version:
            problem = f"{self.name} ended well, but {found or 'nothing'} stands there"
            raise OperatorError(problem, f"{self.package} {version}", "Check the registry: it gave something else")


class Registry:
    """Where packages come from, for messages: without the user name and the password that its URL may hold."""

    def __init__(self, title: str, url: str | None, variable: str) -> None:
        self.named = url
        parts = urlsplit(url or "")
        credentials, _at, host = parts.netloc.rpartition("@")
        self.url = urlunsplit(parts._replace(netloc=host))
        self.variable = variable
        self.title = f"{title} {self.url}".strip()
        user, _colon, password = credentials.partition(":")
        self.authorization = ""
        if credentials:
            self.authorization = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
        self._secrets = [one for one in (self.authorization, password, unquote(password)) if one]

    def masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "********")
        return re.sub(r"(?<=://)[^/@\s]+@", "", text)


MIRROR = "coding_agents_mirror"


def below_mirror(settings: Settings, place: str) -> str:
    """The URL of a vendor's place (host and path), in the mirror where one is named."""
    return f"{settings.mirror.rstrip('/')}/{place}" if settings.mirror else f"https://{place}"


def registry_of(title: str, named: str | None, variable: str, settings: Settings, place: str) -> Registry:
    """The one that the operator names, else that of the mirror, else what the program is set to."""
    if named or not settings.mirror:
        return Registry(title, named, variable)
    return Registry(title, below_mirror(settings, place), MIRROR)


def run(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    what: str,
    registry: Registry,
    places: Sequence[str],
) -> None:
    """Run npm or pip, which write into ``places``, to its end. Raises OperatorError that begins with the cause."""
    said, way_out = "", f"Check {registry.variable}, coding_agents_proxy and the network"
    try:
        status, output = _watched(command, environment, places)
        if status == 0:
            return
        cause, way_out = _cause(name, status, output, registry)
        said = f". {name} said: {quoted(registry.masked(output))}" if output.strip() else ""
    except _NothingComes:
        cause = f"{registry.title} does not answer (nothing came for {_SILENCE_SECONDS} s)"
    except TimeoutError:
        cause = f"{name} did not end within {_TIMEOUT_SECONDS} s"
    except OSError as error:
        cause, way_out = f"{command[0]} cannot be started ({error.strerror})", "Install it again"
    raise OperatorError(f"cannot be fetched: {cause}", what, way_out + said)


def _cause(name: str, status: int, output: str, registry: Registry) -> tuple[str, str]:
    """Why npm or pip gave up, and the way out."""
    for pattern, cause, way_out in _CAUSES:
        if re.search(pattern, output):
            return cause.format(registry=registry.title), way_out.format(variable=registry.variable)
    return f"{name} ended with status {status}", f"Check {registry.variable}, the proxy and the version"


class _NothingComes(Exception):
    """A program runs, but neither says nor writes anything."""


def _watched(command: Sequence[str], environment: Mapping[str, str], places: Sequence[str]) -> tuple[int, str]:
    """Run a program to its end; returns how it ended and what it said, on both its outputs.

    Raises TimeoutError, _NothingComes, and OSError when it cannot be started.
    """
    running = processes.start(command, environment, listen=True)
    begun = lively = weighed = time.monotonic()
    weight, output = _weight(places), ""
    try:
        while True:
            said = running.read(_GLANCE_SECONDS)
            output = (output + said)[-_LONGEST_OUTPUT:]
            status = running.poll()
            if status is not None and not said:
                return status, output
            now = time.monotonic()
            if now - begun > _TIMEOUT_SECONDS:
                raise TimeoutError
            if now - weighed > min(_WEIGHING_SECONDS, _SILENCE_SECONDS):
                before, weight, weighed = weight, _weight(places), now
                said = said or ("written" if weight != before else "")
            if said:
                lively = now
            elif now - lively > _SILENCE_SECONDS:
                raise _NothingComes
    finally:
        running.end()


def _weight(places: Sequence[str]) -> tuple[int, int]:
    """How many files are below these directories, and how large they are together."""
    count = size = 0
    for place in places:
        for directory, _directories, names in os.walk(place):
            for name in names:
                with contextlib.suppress(OSError):
                    size += os.lstat(os.path.join(directory, name)).st_size
                    count += 1
    return count, size


def quoted(output: str) -> str:
    """The first that a program said, on one line, without what helps nobody."""
    lines = [re.sub(r"^npm (error|ERR!) ?", "", line.strip()).strip() for line in output.splitlines()]
    noise = r"at .*|(code|errno|syscall|path)\b.*|A complete log of this run.*|\[notice\].*|\d*"
    told = dict.fromkeys(line for line in lines if not re.fullmatch(noise, line))
    return "; ".join([*told][:_QUOTED_LINES])[:_LONGEST_QUOTE]


def environment_for(settings: Settings, scratch: str) -> dict[str, str]:
    """The least that a program needs, with the way through the proxy."""
    environment = {name: value for name, value in settings.environment.items() if _PASSED_ON.fullmatch(name)}
    return {
        **environment,
        **settings.way_out,
        "PATH": settings.path,
        "HOME": settings.home,
        "TMPDIR": scratch,
    }


def certificates_file(settings: Settings, scratch: str, more: str = "") -> str:
    """The operator's certificates and the system's in one file: npm and pip trust what they are given instead of what they know."""
    path = os.path.join(scratch, "certificates.pem")
    system = next((text for text in map(text_of, SYSTEM_CERTIFICATES) if text), "")
    write(path, f"{settings.certificates}\n{more}\n{system}")
    return path


@contextlib.contextmanager
def scratch_directory() -> Iterator[str]:
    """A private directory, and nothing of it afterwards."""

    path = ""
    try:
        path = tempfile.mkdtemp(prefix="fmapi-fetch-")
        yield path
    except OSError as error:
        where = path or "the directory for temporary files"
        raise OperatorError(f"cannot be written to ({error.strerror})", where, "Mend that and run again") from None
    finally:
        shutil.rmtree(path, ignore_errors=True)


def write(path: str, text: str) -> None:
    with open(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", errors="surrogateescape"
    ) as stream:
        stream.write(text)


def text_of(path: str) -> str:
    """A file's text; empty where there is none that can be read."""
    try:
        return careful.read(path, _LARGEST_TEXT).decode("utf-8", "replace")
    except OSError:
        return ""


def names_in(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []
