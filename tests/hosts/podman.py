# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real separate hosts for tests: Debian containers with sshd and a user ``dev`` who has a home and may use sudo.

Molecule, pytest and the benchmarks use the same functions: :func:`start_hosts` makes a network and hosts on it, and
:func:`stop_hosts` removes exactly those. A fleet is found again by its id alone, because podman keeps it as a label.

Nothing comes from an image registry. The file system is made by mmdebstrap from the distribution and kept as a tarball
in the cache; a second layer adds what belongs to this machine: an ssh key of the cache, npm, extra CAs.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import secrets
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]

SUITE = "trixie"
PACKAGES = ("python3", "sudo", "openssh-server", "ca-certificates", "iproute2", "procps")
MORE_PACKAGES = ("nodejs", "python3-venv", "zsh", "fish")
OTHER_SUITES = ("bullseye", "bookworm")
"""Further hosts, for their Python: without more packages. Node.js is too old there for the agents."""
# The distribution's npm pulls in four hundred packages; npm itself is one. 10 is the line that goes with Node 20.
NPM = "10.9.9"
# Documentation and translations are more than a third of the tarball.
OPTIONS = (
    '--aptopt=Acquire::Languages "none"',
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
)

PREFIX = "fmapi-test-"
USER = "dev"
HOME = f"/home/{USER}"
# A bare machine may be busy with other tests; waiting longer than this means that something is wrong.
SSH_LIMIT = 60.0


class HostsUnavailable(RuntimeError):
    """This machine cannot make test hosts; the message says what is missing and how to get it."""


class HostsFailed(RuntimeError):
    """A program that makes, reads or removes test hosts failed; the message holds what it said."""


@dataclass(frozen=True)
class Host:
    """One running test host."""

    name: str
    address: str


@dataclass(frozen=True)
class Fleet:
    """Hosts on one network. ``gateway`` is this machine's address on it: listen there to be reached from the hosts."""

    id: str
    network: str
    gateway: str
    internal: bool
    key: Path
    hosts: tuple[Host, ...]

    def inventory(self, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return an Ansible inventory (JSON is YAML): the group ``test_hosts``, reached over ssh as ``dev``.

        The interpreter is pinned because discovery is not what is tested, and no configuration of this machine's user
        takes part in the connections.
        """
        options = (
            "-F /dev/null -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes"
            " -o ConnectTimeout=10 -o LogLevel=ERROR"
        )
        return {
            "all": {
                "vars": {
                    "ansible_user": USER,
                    "ansible_ssh_private_key_file": str(self.key),
                    "ansible_ssh_common_args": options,
                    "ansible_python_interpreter": "/usr/bin/python3",
                    "test_fleet": self.id,
                    "test_gateway": self.gateway,
                    **(variables or {}),
                },
                "children": {
                    "test_hosts": {"hosts": {host.name: {"ansible_host": host.address} for host in self.hosts}}
                },
            }
        }

    def run(
        self, host: Host, arguments: Sequence[str], *, user: str = USER, stdin: bytes | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program on a host past ssh and Ansible: for what a test prepares or looks at, not what it tests."""
        home = "/root" if user == "root" else f"/home/{user}"
        command = ["exec", "--interactive", "--user", user, "--workdir", home, "--env", f"HOME={home}"]
        return _podman([*command, self.container(host), *arguments], stdin=stdin, check=check)

    def process(self, host: Host) -> int:
        """Return the number that a host's first process has on this machine: the way into it for ``nsenter``."""
        return int(_text(_podman(["inspect", "--format", "{{.State.Pid}}", self.container(host)])))

    def container(self, host: Host) -> str:
        """Return the name that podman knows the host by."""
        return f"{PREFIX}{self.id}-{host.name}"


def cache_directory() -> Path:
    """Return where downloads and images are kept between runs and clones."""
    chosen = os.environ.get("FMAPI_TEST_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fmapi-coding-agents-tests"


def _call(
    arguments: Sequence[str],
    *,
    stdin: bytes | None = None,
    check: bool = True,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        list(arguments),
        input=stdin if stdin is not None else b"",
        capture_output=True,
        env={**os.environ, **(environment or {})},
        cwd=cwd,
        check=False,
    )
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise HostsFailed(f"{' '.join(arguments[:3])} ... ended with status {done.returncode}:\n{said[-4000:]}")
    return done


def _podman(
    arguments: Sequence[str], *, stdin: bytes | None = None, check: bool = True
) -> subprocess.CompletedProcess[bytes]:
    # A configuration in the repository: the tests neither need nor change the machine's own.
    return _call(
        ["podman", *arguments], stdin=stdin, check=check, environment={"CONTAINERS_CONF": str(HERE / "containers.conf")}
    )


def _text(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stdout.decode().strip()


def require() -> None:
    """Raise :class:`HostsUnavailable` unless this machine can make test hosts."""
    if os.geteuid() != 0:
        raise HostsUnavailable(
            "test hosts need root (networks of their own): run the tests as root, or in a container as root"
        )
    missing = [
        name for name in ("podman", "mmdebstrap", "ssh", "ssh-keygen", "npm", "runc") if shutil.which(name) is None
    ]
    if missing:
        raise HostsUnavailable(f"test hosts need {', '.join(missing)}: run tests/ci/bootstrap.sh --system as root")


@contextlib.contextmanager
def _locked(name: str) -> Iterator[Path]:
    """Hold a lock of the cache while something is made in it, and give the cache's path."""
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / f"{name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield cache


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:12]


def _base_tarball(cache: Path, suite: str) -> Path:
    """Return the file system of a bare Debian, made on first use (20 to 60 s)."""
    packages = [*PACKAGES, *(MORE_PACKAGES if suite == SUITE else ())]
    recipe = json.dumps([suite, packages, OPTIONS]).encode()
    path = cache / "images" / f"{suite}-{_digest(recipe)}.tar"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"unfinished-{path.name}")
        unfinished.unlink(missing_ok=True)
        _call(["mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}", *OPTIONS, suite, str(unfinished)])
        unfinished.rename(path)
    return path


def _npm_package(cache: Path) -> Path:
    """Return npm's own package, fetched once with this machine's npm, registry and CAs."""
    path = cache / "npm" / f"npm-{NPM}.tgz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            _call(["npm", "pack", "--silent", f"npm@{NPM}"], cwd=Path(scratch))
            (Path(scratch) / path.name).rename(path)
    return path


def _key(cache: Path) -> Path:
    """Return the private half of the key pair that opens every test host of this cache."""
    path = cache / "ssh" / "id_ed25519"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _call(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test hosts", "-f", str(path)])
    return path


def _certificates() -> dict[str, bytes]:
    """Return the CAs that this machine's administrator added: a host reaches the registry through the same proxies."""
    return {path.name: path.read_bytes() for path in sorted(Path("/usr/local/share/ca-certificates").glob("**/*.crt"))}


def _npmrc() -> bytes:
    """The registry that this machine's npm is set to. An address that holds credentials is not taken along."""
    registry = _text(_call(["npm", "config", "get", "registry"]))
    if "@" in registry:
        return b""
    return f"registry={registry}\n".encode()


def ensure_image(suite: str = SUITE) -> str:
    """Return the image of a test host, made on first use.

    :raises HostsUnavailable: when this machine cannot make test hosts.
    :raises HostsFailed: with what the program said that failed.
    """
    require()
    with _locked("image") as cache:
        tarball = _base_tarball(cache, suite)
        key, npmrc, certificates = _key(cache), _npmrc(), _certificates()
        public = key.with_suffix(".pub").read_bytes()
        fixed = [(HERE / name).read_bytes() for name in ("Containerfile", "sshd.conf")]
        extra = [item for name, text in certificates.items() for item in (name.encode(), text)]
        image = f"localhost/{PREFIX}host:{_digest(tarball.name.encode(), NPM.encode(), public, npmrc, *fixed, *extra)}"
        if _podman(["image", "exists", image], check=False).returncode == 0:
            return image
        base = f"localhost/{PREFIX}base:{tarball.stem}"
        if _podman(["image", "exists", base], check=False).returncode != 0:
            _podman(["import", "--quiet", str(tarball), base])
        with tempfile.TemporaryDirectory() as directory:
            context = Path(directory)
            for name in ("Containerfile", "sshd.conf"):
                shutil.copy(HERE / name, context)
            (context / "key.pub").write_bytes(public)
            (context / "npmrc").write_bytes(npmrc)
            (context / "certificates").mkdir()
            for name, text in certificates.items():
                (context / "certificates" / name).write_bytes(text)
            with tarfile.open(_npm_package(cache)) as archive:
                archive.extractall(context, filter="data")
            (context / "package").rename(context / "npm")
            _podman(["build", "--quiet", "--pull=never", "--build-arg", f"BASE={base}", "--tag", image, str(context)])
        return image


def _owner() -> str:
    """Label value that tells the hosts of this clone from those of another on the same machine."""
    return _digest(str(REPOSITORY).encode())


def start_hosts(
    count: int,
    *,
    internal: bool = False,
    fleet_id: str | None = None,
    mounts: Iterable[str] = (),
    prefix: str = "host",
    suites: Sequence[str] = (SUITE,),
) -> Fleet:
    """Start hosts on a network of their own and wait until each answers on its ssh port.

    :param count: number of hosts; they are named ``host01`` and so on (``prefix`` and two digits).
    :param internal: no way out: a host reaches its own network and this machine's address on it, and nothing else.
    :param fleet_id: short name of letters, digits and ``-``; a random one when not given.
    :param mounts: further ``SOURCE:DESTINATION[:ro]`` of podman's ``--volume``.
    :param suites: releases of Debian, which the hosts have in turn.
    :raises HostsUnavailable: when this machine cannot make test hosts.
    :raises HostsFailed: when one does not start; what was started is removed first.
    """
    images = [ensure_image(suite) for suite in suites]
    identity = fleet_id or secrets.token_hex(3)
    network = f"{PREFIX}{identity}"
    labels = ["--label", f"{PREFIX}fleet={identity}", "--label", f"{PREFIX}owner={_owner()}"]
    names = [f"{prefix}{number:02d}" for number in range(1, count + 1)]
    try:
        # Without --disable-dns the hosts would ask a name server on the gateway first, which is not there. An internal
        # network needs no names, and together with this option it would get no gateway address either.
        _podman(["network", "create", "--internal" if internal else "--disable-dns", *labels, network])
        (facts,) = json.loads(_text(_podman(["network", "inspect", network])))
        gateway = str(facts["subnets"][0]["gateway"])
        volumes = [item for mount in mounts for item in ("--volume", mount)]
        for name, image in zip(names, itertools.cycle(images), strict=False):
            # Signal 9 because the process with number 1 ignores what it has no handler for, and podman would wait.
            options = ["--name", f"{network}-{name}", "--hostname", name, "--network", network, "--stop-signal", "9"]
            if internal:
                # A name server that refuses at once, instead of one that is waited for.
                options += ["--dns", "127.0.0.1"]
            _podman(["run", "--detach", *options, *labels, *volumes, image])
        found = json.loads(_text(_podman(["inspect", *(f"{network}-{name}" for name in names)]))) if names else []
        addresses = [str(item["NetworkSettings"]["Networks"][network]["IPAddress"]) for item in found]
        hosts = tuple(Host(name, address) for name, address in zip(names, addresses, strict=True))
        _wait_for_ssh(hosts)
    except BaseException:
        stop_hosts(identity)
        raise
    return Fleet(identity, network, gateway, internal, _key(cache_directory()), hosts)


def _wait_for_ssh(hosts: Iterable[Host]) -> None:
    """Wait for the banner of each; an open port alone is not yet a server that answers."""
    limit = time.monotonic() + SSH_LIMIT
    for host in hosts:
        while True:
            with contextlib.suppress(OSError), socket.create_connection((host.address, 22), timeout=5) as connection:
                if connection.recv(4) == b"SSH-":
                    break
            if time.monotonic() > limit:
                raise HostsFailed(f"{host.name} ({host.address}) does not answer on port 22")
            time.sleep(0.05)


def stop_hosts(fleet_id: str) -> None:
    """Remove the hosts and the network of one fleet. Removing a fleet that is gone already is no error."""
    label = f"label={PREFIX}fleet={fleet_id}"
    containers = _text(_podman(["ps", "--all", "--quiet", "--filter", label])).split()
    if containers:
        _podman(["rm", "--force", "--time", "0", *containers])
    networks = _text(_podman(["network", "ls", "--quiet", "--filter", label])).split()
    if networks:
        _podman(["network", "rm", "--force", *networks])


def known_fleets() -> list[str]:
    """Return the ids of the fleets that this clone started and nobody has stopped."""
    label = f"label={PREFIX}owner={_owner()}"
    names = _text(_podman(["network", "ls", "--filter", label, "--format", "{{.Name}}"])).split()
    return sorted(name.removeprefix(PREFIX) for name in names)
