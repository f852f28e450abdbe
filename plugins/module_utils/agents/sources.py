# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where agents' programs come from: packages of the npm registry or of a Python index, each into a directory of its own.

What stands there is told from files; no program is started for it.
"""

from __future__ import annotations

import base64
import contextlib
import glob
import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from .. import careful, processes
from ..errors import OperatorError

_USUAL_DIRECTORIES = ("/usr/local/bin", "/opt/homebrew/bin", "/usr/bin", "/bin")
_MANAGERS = (
    # (a variable with the manager's directory, its usual places in a home, where programs are in it)
    ("NVM_DIR", (".nvm",), ("versions/node/*/bin",)),
    (
        "FNM_DIR",
        (".local/share/fnm", ".fnm", "Library/Application Support/fnm"),
        ("node-versions/*/installation/bin",),
    ),
    (
        "VOLTA_HOME",
        (".volta",),
        ("tools/image/node/*/bin", "tools/image/packages/*/bin", "tools/image/packages/@*/*/bin"),
    ),
    ("MISE_DATA_DIR", (".local/share/mise",), ("installs/node/*/bin", "installs/npm-*/*/bin", "installs/claude*/*")),
    ("ASDF_DATA_DIR", (".asdf",), ("installs/nodejs/*/bin",)),
    ("NODENV_ROOT", (".nodenv",), ("versions/*/bin",)),
    ("N_PREFIX", ("n",), ("bin",)),
    ("PNPM_HOME", (".local/share/pnpm", "Library/pnpm"), (".", "bin")),
    ("BUN_INSTALL", (".bun",), ("bin",)),
    ("", (".npm-global", ".npm-packages", ".nix-profile"), ("bin",)),
)
"""Managers of versions of Node.js put their directories on PATH in an interactive shell only, or put shims there: programs that decide
anew at each start, and may fetch what they start. Nothing of a manager is started: what it has installed stands in files.
"""
_WINDOWS = re.compile(r"/mnt/[a-z]/")
"""WSL puts the programs of Windows on PATH: they install for Windows."""

_PASSED_ON = re.compile(r"LANG|LC_\w+|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|(?i:(https?|no|all)_proxy)")
"""Of the environment, beside what npm and pip are set to by it. All of it may hold secrets that no package's script should see."""

_NODE = "Install Node.js 18 or newer with npm"
_LOOKED = "It was looked for on PATH, in the usual places and with nvm, fnm, volta, mise, asdf, nodenv, n, pnpm and bun"

_TIMEOUT_SECONDS = 600
_ANSWER_SECONDS = 15
"""How long a registry may take to begin an answer. It is asked twice."""
_SILENCE_SECONDS = 40
"""How long nothing may come at all: npm has no limit of its own for a connection that is dropped, or never becomes encrypted."""
_START_SECONDS = 30
_GLANCE_SECONDS = 0.2
_WEIGHING_SECONDS = 5
_LONGEST_OUTPUT = 1 << 16
_LARGEST_TEXT = 1 << 24
"""Of a list of a package's files, or of certificates."""
_PART = 1 << 20
_QUOTED_LINES = 2
_LONGEST_QUOTE = 300
_LONGEST_VERSION = 60

_CERTIFICATES_OF_THE_SYSTEM = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)

_CAUSES = (
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


class Source:
    """A package, and how to get it."""

    name = ""

    def __init__(self, package: str) -> None:
        self.package = package

    def fetch(self, version: str, directory: str, settings: Settings) -> None:
        """Install exactly this version into ``directory``. Raises OperatorError; then what is in the directory is of no use."""
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

    def needed(self, settings: Settings) -> str:
        """What has to be installed on the host before anything can be fetched, as a sentence; empty where all is there."""
        return ""

    def require(self, version: str, settings: Settings) -> None:
        """Raises OperatorError where nothing can be fetched because something has to be installed first. Reads files only."""

    def try_out(self, program: str, settings: Settings) -> None:
        """Start it once, to say its version: a package can be whole and its program of no use here. Raises OperatorError."""
        with _scratch() as scratch:
            # In a home of no account: a first start may leave files.
            environment = {**_environment(settings, scratch), "HOME": scratch}
            try:
                done = processes.run([program, "--version"], environment, _START_SECONDS, scratch)
            except TimeoutError:
                problem = f"did not tell its version within {_START_SECONDS} s"
            except OSError as error:
                problem = f"cannot be started ({error.strerror})"
            else:
                said = _quoted(done.stderr or done.stdout)
                problem = f"ends with status {done.status} as it is to tell its version: {said}" if done.status else ""
        if problem:
            raise OperatorError(problem, program, "Name another version, or install the agent yourself and run again")

    def _require(self, version: str, directory: str) -> None:
        found = self.installed_version(directory)
        if found != version:
            problem = f"{self.name} ended well, but {found or 'nothing'} stands there"
            raise OperatorError(problem, f"{self.package} {version}", "Check the registry: it gave something else")


class Npm(Source):
    """A package of the npm registry. Its scripts run only where it cannot do without (``needs_scripts``), and those of no other.

    ``integrity``: by version, what its maker published (``npm view PACKAGE@VERSION dist.integrity``), the package's own first, then
    that of each package which it may bring along. Where it is known, a registry that gives something else is found out before anything
    of it has run.
    """

    name = "npm"

    def __init__(
        self, package: str, needs_scripts: bool = False, integrity: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        super().__init__(package)
        self.needs_scripts = needs_scripts
        self.integrity = integrity or {}

    def fetch(self, version: str, directory: str, settings: Settings) -> None:
        self._npm("install", f"{self.package}@{version}", directory, settings)
        self._require(version, directory)
        if self.needs_scripts:
            self._npm("rebuild", self.package, directory, settings)

    def remove(self, directory: str, settings: Settings) -> None:
        """Take the package out of a prefix that it shares with others. Raises OperatorError."""
        self._npm("uninstall", self.package, directory, settings)

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
        return None

    def _version_in(self, directory: str) -> str | None:
        try:
            package = json.loads(careful.read(os.path.join(directory, "package.json")))
            return careful.line(package["version"], _LONGEST_VERSION) if package.get("name") == self.package else None
        except (OSError, ValueError, KeyError, AttributeError, RecursionError):
            return None

    def needed(self, settings: Settings) -> str:
        return "" if self._program(settings) else _NODE

    def require(self, version: str, settings: Settings) -> None:
        self._npm_program(f"{self.package}@{version}", settings)

    def _npm_program(self, package: str, settings: Settings) -> str:
        npm = self._program(settings)
        if npm is None:
            way_out = f"{_NODE}, install the agent yourself, or leave it out with --skip-tags agent_cli. {_LOOKED}"
            raise OperatorError("cannot be fetched: npm is not installed", package, way_out)
        return npm

    @staticmethod
    def _program(settings: Settings) -> str | None:
        return shutil.which("npm", path=_search_path(settings))

    def _npm(self, verb: str, package: str, directory: str, settings: Settings) -> None:
        npm = self._npm_program(package, settings)
        registry = _Registry("the npm registry", settings.npm_registry, "coding_agents_npm_registry")
        with _scratch() as scratch:
            cache = os.path.join(scratch, "cache")
            command = [npm, verb, package, "--global", "--prefix", directory, "--cache", cache, "--include=optional"]
            command += [f"--ignore-scripts={'false' if verb == 'rebuild' else 'true'}"]
            command += ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000"]
            command += [f"--fetch-timeout={_ANSWER_SECONDS * 1000}"]
            command += ["--no-audit", "--no-fund", "--no-update-notifier", "--no-progress", "--loglevel=error"]
            command += ["--registry", registry.url] if registry.url else []
            environment = self._npm_environment(settings, registry, scratch)
            # With the Node.js that it belongs to: another may be too old for it.
            environment["PATH"] = os.pathsep.join((os.path.dirname(npm), environment["PATH"]))
            registry = self._company_settings(npm, environment, settings, registry, scratch)
            _run(self.name, command, environment, package, registry, (cache, directory))
            published = self.integrity.get(package[len(self.package) + 1 :], ()) if verb == "install" else ()
            if published:
                _require_published(package, published, cache, directory, registry)

    @staticmethod
    def _npm_environment(settings: Settings, registry: _Registry, scratch: str) -> dict[str, str]:
        """With the person's own settings of npm, but for what the operator says."""
        given = settings.environment
        environment = _environment(settings, scratch)
        own = {name: value for name, value in given.items() if name.lower().startswith("npm_config_") and value}
        rest = {name: value for name, value in own.items() if name.lower() != "npm_config_userconfig"}
        userconfig = next((own[name] for name in own if name not in rest), os.path.join(settings.home, ".npmrc"))
        text = _text(userconfig)
        named = _variables_in(text)
        environment.update((name, value) for name, value in given.items() if name in named)
        environment.update(rest)
        if registry.authorization:
            # Not on the command line, which every user of the machine can read.
            place = registry.url.partition("//")[2].rstrip("/")
            userconfig = os.path.join(scratch, "npmrc")
            _write(userconfig, f"{text}\n//{place}/:_auth={registry.authorization}\n")
        environment["npm_config_userconfig"] = userconfig
        if settings.proxy:
            environment.update(npm_config_proxy=settings.proxy, npm_config_https_proxy=settings.proxy)
        return environment

    def _company_settings(
        self, npm: str, environment: dict[str, str], settings: Settings, registry: _Registry, scratch: str
    ) -> _Registry:
        """Keep npm's settings for all users in force, which ``--prefix`` would look for below our own directory; returns the registry.

        npm says where they are: beside the Node.js that it belongs to, below a prefix of the person's own, or elsewhere.
        """
        scope = self.package.partition("/")[0] if self.package.startswith("@") else ""
        names = ["globalconfig", "registry", "cafile", *([f"{scope}:registry"] if scope else [])]
        told: dict[str, str] = {}
        with contextlib.suppress(OSError):
            command = [npm, "config", "get", *names, "--cache", os.path.join(scratch, "cache"), "--no-update-notifier"]
            done = processes.run(command, environment, _START_SECONDS, scratch)
            told = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line and done.status == 0)
        told = {name: value.strip() for name, value in told.items() if value.strip() not in ("", "null", "undefined")}
        shared = told.get("globalconfig", "")
        if os.path.isabs(shared):
            environment["npm_config_globalconfig"] = shared
            named = _variables_in(_text(shared))
            environment.update((name, value) for name, value in settings.environment.items() if name in named)
        if settings.certificates:
            # Beside those that npm has been given by others: it trusts one file only.
            others = [told.get("cafile", ""), settings.environment.get("NODE_EXTRA_CA_CERTS", "")]
            bundle = _bundle(settings, scratch, "\n".join(_text(path) for path in others if os.path.isabs(path)))
            environment.update(NODE_EXTRA_CA_CERTS=bundle, npm_config_cafile=bundle)
        elif not environment.get("NODE_EXTRA_CA_CERTS"):
            # Node.js brings its own certificates. What the system trusts (an authority that inspects TLS, too) it does not look at.
            system = next((path for path in _CERTIFICATES_OF_THE_SYSTEM if _text(path)), "")
            environment.update({"NODE_EXTRA_CA_CERTS": system} if system else {})
        if registry.url:
            return registry
        url = told.get(f"{scope}:registry") or told.get("registry")
        return _Registry("the npm registry", url, "coding_agents_npm_registry")


def _variables_in(npmrc: str) -> set[str]:
    """An .npmrc may name variables, such as the one with its token."""
    return set(
        re.findall(r"\$\{([^}?{$]{1,200})\??\}", npmrc)
    )  # bounded: else a file of beginnings is looked at without end


class Pip(Source):
    """A package of a Python index, in a virtual environment. ``pythons`` are the versions that it runs on, the best one first."""

    name = "pip"
    _SETTINGS = re.compile(r"PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|CERT|CONFIG_FILE)")
    """Of pip's own variables, those that say where packages come from; others say where they go."""

    def __init__(self, package: str, extras: Sequence[str] = (), pythons: Sequence[str] = ()) -> None:
        super().__init__(package)
        self.extras = tuple(extras)
        self.pythons = tuple(pythons)

    def fetch(self, version: str, directory: str, settings: Settings) -> None:
        what = f"{self.package} {version}"
        registry = _Registry("the Python index", settings.pip_index, "coding_agents_pip_index")
        with _scratch() as scratch:
            # pip starts any rustc that it finds, and the first start of one that rustup manages leaves files in the home.
            environment = {**_environment(settings, scratch), "RUSTUP_HOME": os.path.join(scratch, "rustup")}
            python = self._python(what, environment, settings)
            _run(self.name, [python, "-I", "-m", "venv", directory], environment, what, registry, (directory,))
            environment.update(
                (name, value) for name, value in settings.environment.items() if self._SETTINGS.fullmatch(name)
            )
            if settings.certificates:
                environment["PIP_CERT"] = _bundle(settings, scratch)
            if settings.proxy:
                environment["PIP_PROXY"] = settings.proxy
            # Not on the command line, which every user of the machine can read: an index may be named with a password.
            requirements = os.path.join(scratch, "requirements.txt")
            extras = f"[{','.join(self.extras)}]" if self.extras else ""
            index = [f"--index-url {settings.pip_index}"] if settings.pip_index else []
            _write(requirements, "\n".join((*index, f"{self.package}{extras}=={version}", "")))
            command = [os.path.join(directory, "bin", "python"), "-I", "-m", "pip", "install", "--no-input", "--quiet"]
            command += ["--disable-pip-version-check", "--cache-dir", os.path.join(scratch, "cache")]
            command += ["--retries", "1", "--timeout", str(_ANSWER_SECONDS), "--requirement", requirements]
            _run(self.name, command, environment, what, registry, (scratch, directory))
        self._require(version, directory)

    def installed_version(self, directory: str) -> str | None:
        return next((version for version, _information in self._installed(directory)), None)

    def version_of(self, program: str) -> str | None:
        """Told by the package that lists the program among its files."""
        program = os.path.realpath(program)
        command = f"/bin/{os.path.basename(program)}"
        for version, information in self._installed(os.path.dirname(os.path.dirname(program))):
            listed = _text(os.path.join(information, "RECORD")).splitlines()
            if any(line.partition(",")[0].endswith(command) for line in listed):
                return version
        return None

    def _installed(self, root: str) -> Iterator[tuple[str, str]]:
        """Versions of the package below ``root``, for each Python there, and the directory with what pip noted about it."""
        library = os.path.join(root, "lib")
        for python in _names(library):
            for kind in ("site-packages", "dist-packages"):
                packages = os.path.join(library, python, kind)
                for name in _names(packages) if python.startswith("python3") else ():
                    title, _dash, version = name[: -len(".dist-info")].rpartition("-")
                    if name.endswith(".dist-info") and _normal(title) == _normal(self.package):
                        yield version, os.path.join(packages, name)

    def _python(self, what: str, environment: Mapping[str, str], settings: Settings) -> str:
        """A Python that makes virtual environments. Some that are found answer with an error only (a shim, a part of a package)."""
        path = _search_path(settings)
        named = [shutil.which(f"python{version}", path=path) for version in self.pythons]
        for python in (*named, sys.executable, shutil.which("python3", path=path)):
            version = _version_of_python(python, environment) if python else ""
            if python and version and version in (self.pythons or (version,)):
                return python
        wanted = f"Python {' or '.join(self.pythons)}" if self.pythons else "Python 3"
        way_out = f"Install {wanted} with its module venv"
        raise OperatorError(f"cannot be fetched: it needs {wanted}, which is not there", what, way_out)


class _Registry:
    """Where packages come from, for messages: without the user name and the password that its URL may hold."""

    def __init__(self, title: str, url: str | None, variable: str) -> None:
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


def _require_published(what: str, published: Sequence[str], cache: str, directory: str, registry: _Registry) -> None:
    """Raises OperatorError unless all that npm has installed came in packages which their maker published.

    What a registry says of a package decides what npm installs beside it, from where (a directory of this host, too), how it is
    packed, and whether it is kept. So each file that stands there is looked at: its content must be in one of those packages.
    """
    problem = f"is not what its maker published: {registry.title} gives something else under this name and version"
    way_out = f"Nothing of it was run. Check {registry.variable}, and who can write to it"
    packages = [path for path in (_kept(cache, one) for one in published) if path]
    if not packages or packages[0] != _kept(cache, published[0]):
        raise OperatorError(problem, what, way_out)
    genuine = {digest for path in packages for digest in _digests_in(path)}
    for above, directories, names in os.walk(directory):
        for name in (*directories, *names):
            path = os.path.join(above, name)
            if name == ".package-lock.json":
                continue  # npm's own list, which no package can be called
            if os.path.islink(path):
                fits = os.path.realpath(path).startswith(os.path.join(os.path.realpath(directory), ""))
            else:
                fits = os.path.isdir(path) or _digest_of(path) in genuine
            if not fits:
                raise OperatorError(problem, what, way_out)


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


def _version_of_python(python: str, environment: Mapping[str, str]) -> str:
    """``3.13``, or nothing where this Python makes no virtual environments."""
    question = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    with contextlib.suppress(OSError):
        done = processes.run([python, "-I", "-c", question], environment, _START_SECONDS)
        return done.stdout.strip() if done.status == 0 else ""
    return ""


def _run(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    what: str,
    registry: _Registry,
    places: Sequence[str],
) -> None:
    """Run npm or pip, which write into ``places``, to its end. Raises OperatorError that begins with the cause."""
    said, way_out = "", f"Check {registry.variable}, coding_agents_proxy and the network"
    try:
        status, output = _watched(command, environment, places)
        if status == 0:
            return
        cause, way_out = _cause(name, status, output, registry)
        said = f". {name} said: {_quoted(registry.masked(output))}" if output.strip() else ""
    except _NothingComes:
        cause = f"{registry.title} does not answer (nothing came for {_SILENCE_SECONDS} s)"
    except TimeoutError:
        cause = f"{name} did not end within {_TIMEOUT_SECONDS} s"
    except OSError as error:
        cause, way_out = f"{command[0]} cannot be started ({error.strerror})", "Install it again"
    raise OperatorError(f"cannot be fetched: {cause}", what, way_out + said)


def _cause(name: str, status: int, output: str, registry: _Registry) -> tuple[str, str]:
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


def _quoted(output: str) -> str:
    """The first that a program said, on one line, without what helps nobody."""
    lines = [re.sub(r"^npm (error|ERR!) ?", "", line.strip()).strip() for line in output.splitlines()]
    noise = r"at .*|(code|errno|syscall|path)\b.*|A complete log of this run.*|\[notice\].*|\d*"
    told = dict.fromkeys(line for line in lines if not re.fullmatch(noise, line))
    return "; ".join([*told][:_QUOTED_LINES])[:_LONGEST_QUOTE]


def _environment(settings: Settings, scratch: str) -> dict[str, str]:
    """The least that a program needs, with the way through the proxy."""
    environment = {name: value for name, value in settings.environment.items() if _PASSED_ON.fullmatch(name)}
    ways = {"https_proxy": settings.proxy, "http_proxy": settings.proxy, "no_proxy": settings.no_proxy}
    for name, value in ways.items():
        if value:
            environment.update({name: value, name.upper(): value})
    return {**environment, "PATH": _search_path(settings), "HOME": settings.home, "TMPDIR": scratch}


def _search_path(settings: Settings) -> str:
    managed = directories_of_managers(settings.home, settings.environment)
    own = os.path.join(settings.home, ".local", "bin")
    return os.pathsep.join([*given_directories(settings.environment), *_USUAL_DIRECTORIES, own, *managed])


def given_directories(environment: Mapping[str, str]) -> list[str]:
    """Of PATH, those in which programs of this system can be."""
    given = environment.get("PATH", "").split(os.pathsep)
    return [one for one in given if os.path.isabs(one) and not _WINDOWS.match(one)]


def directories_of_managers(home: str, environment: Mapping[str, str]) -> list[str]:
    """Where managers of versions of Node.js keep programs; of each manager the newest first."""
    found = []
    for variable, usual, below in _MANAGERS:
        named = environment.get(variable, "") if variable else ""
        for root in [named] if os.path.isabs(named) else [os.path.join(home, one) for one in usual]:
            for pattern in below if os.path.isdir(root) else ():
                matching = glob.glob(os.path.join(glob.escape(root), pattern))
                found.extend(sorted(map(os.path.normpath, matching), key=_numbers, reverse=True))
    return found


def _numbers(path: str) -> list[int]:
    return [int(one) for one in re.findall(r"\d+", path)]


def _bundle(settings: Settings, scratch: str, more: str = "") -> str:
    """The operator's certificates and the system's in one file: npm and pip trust what they are given instead of what they know."""
    path = os.path.join(scratch, "certificates.pem")
    system = next((text for text in map(_text, _CERTIFICATES_OF_THE_SYSTEM) if text), "")
    _write(path, f"{settings.certificates}\n{more}\n{system}")
    return path


@contextlib.contextmanager
def _scratch() -> Iterator[str]:
    """A private directory, and nothing of it afterwards."""
    import tempfile  # every look would pay for it

    path = ""
    try:
        path = tempfile.mkdtemp(prefix="fmapi-fetch-")
        yield path
    except OSError as error:
        where = path or "the directory for temporary files"
        raise OperatorError(f"cannot be written to ({error.strerror})", where, "Mend that and run again") from None
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _write(path: str, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)


def _text(path: str) -> str:
    """A file's text; empty where there is none that can be read."""
    try:
        return careful.read(path, _LARGEST_TEXT).decode("utf-8", "replace")
    except OSError:
        return ""


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _normal(name: str) -> str:
    """A Python package's name as its index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
