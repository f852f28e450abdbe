# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks run on: test hosts without a way out, a simulated workspace on their gateway, one ansible.cfg."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from plugins.module_utils.agents.claude_code import ClaudeCode
from tests.hosts import podman
from tests.workspace.client import Workspace

REPOSITORY = Path(__file__).resolve().parents[2]
PREFIX = "/opt/agents"
"""Where the hosts find the agents' programs, as an image of a company would have them."""

PING = """\
- name: The floor
  hosts: all
  gather_facts: false
  tasks:
    - name: Answer
      ansible.builtin.ping:
"""

MORE_OPTIONS = """

SPEC.update({{f"more_{{one}}": {{"type": "str"}} for one in range({number})}})
EXAMPLES.update({{f"more_{{one}}": "x" for one in range({number})}})
"""

MORE_PARTS = """

import os

from ..engine.ownership import Wanted


class _More(Part):
    def __init__(self, name):
        self.name = name

    def wanted(self, owner, options):
        path = os.path.join(owner.data, self.name)
        return [Wanted(path, "file", self.name, values={{(): options[self.name]}}, mode=0o600, summary=self.name)]


PARTS.update({{f"more_{{one}}": _More(f"more_{{one}}") for one in range({number})}})
"""


class RunFailed(RuntimeError):
    """A measured program failed, so that its time says nothing; the message holds what it said."""


class Sample(NamedTuple):
    """One measured run, in seconds: by the clock, and of processors.

    ``control_cpu`` is that of the control node's own processes, without ssh's masters; ``hosts_cpu`` that of all hosts
    together, nan where the kernel does not account for containers. Processor time tells more than the clock on a busy machine.
    ``wire`` are the bytes that went to and from all hosts, with what ssh and the network add.
    """

    wall: float
    control_cpu: float
    hosts_cpu: float
    wire: float


@dataclass
class Stage:
    """Hosts, workspace and the files of the runs."""

    folder: Path
    fleet: podman.Fleet
    workspace: Workspace
    accounts: list[Path]
    """The kernel's files with each host's processor time."""
    wires: list[Path]
    """The kernel's files that count what each host sent and received."""

    def play(self, playbook: str, hosts: int, *options: str, first: int = 0, collections: Path | None = None) -> Sample:
        """Run a playbook on so many hosts, from the ``first`` on, over connections of its own, and measure it.

        Cold, as a rollout is: every run makes its connections. They are closed after the measurement.

        :param collections: where another copy of the collection is.
        """
        sockets = Path(tempfile.mkdtemp(prefix="cp", dir=self.folder))
        environment = {
            # Without a cache of bytecode (which tests switch off or keep elsewhere) importing the SDK alone takes 2 s.
            **{name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))},
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(collections or os.environ["ANSIBLE_COLLECTIONS_PATH"]),
            "ANSIBLE_HOME": str(self.folder / "ansible-home"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(sockets),
            "ANSIBLE_FORKS": str(hosts),
        }
        names = ",".join(host.name for host in self.fleet.hosts[first : first + hosts])
        command = ["ansible-playbook", "-i", str(self.folder / "inventory"), "--limit", names, playbook, *options]
        try:
            return self.run(command, environment)
        finally:
            for socket in sockets.iterdir():
                subprocess.run(["ssh", "-S", str(socket), "-O", "exit", "-"], capture_output=True, check=False)
            shutil.rmtree(sockets, ignore_errors=True)

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> Sample:
        """Run a program that works on hosts, and measure it. Raises RunFailed."""
        with (self.folder / "output").open("w+b") as output:
            before, wire, begin = self._hosts_cpu(), self._wire(), time.perf_counter()
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
            )
            _pid, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - begin
            process.returncode = os.waitstatus_to_exitcode(status)
            hosts_cpu, wire = self._hosts_cpu() - before, self._wire() - wire
            if process.returncode != 0:
                output.seek(0)
                raise RunFailed(f"{' '.join(command)}\n{output.read().decode(errors='replace')[-3000:]}")
        return Sample(wall, usage.ru_utime + usage.ru_stime, hosts_cpu, wire)

    def _hosts_cpu(self) -> float:
        """Seconds of processors that all hosts have used so far."""
        used = 0.0
        for path in self.accounts:
            text = path.read_text(encoding="ascii")
            used += int(text.split()[1]) / 1e6 if path.name == "cpu.stat" else int(text) / 1e9
        return used if self.accounts else math.nan

    def _wire(self) -> int:
        """Bytes that all hosts have received and sent so far."""
        used = 0
        for path in self.wires:
            for line in path.read_text(encoding="ascii").splitlines()[2:]:
                device, _colon, counters = line.partition(":")
                if device.strip() != "lo":
                    numbers = counters.split()
                    used += int(numbers[0]) + int(numbers[8])
        return used

    def output(self) -> str:
        """What the last run printed."""
        return (self.folder / "output").read_text(encoding="utf-8", errors="replace")

    def empty_homes(self, hosts: int) -> None:
        """Take everything out of the homes that a rollout puts there, so that the next one is the first."""
        remove = "rm -rf .local .cache .claude .claude.json .databrickscfg"
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda host: self.fleet.run(host, ["sh", "-c", remove]), self.fleet.hosts[:hosts]))

    def on_host(self, script: str, number: int = 0) -> None:
        """Run a shell script on a host, past ssh and Ansible. Raises HostsFailed."""
        self.fleet.run(self.fleet.hosts[number], ["sh", "-c", script])

    def measure_on_host(self, script: str, arguments: Sequence[str]) -> str:
        """Run a Python program on the first host, past ssh and Ansible, and return what it prints."""
        done = self.fleet.run(self.fleet.hosts[0], ["python3", "-I", "-", *arguments], stdin=script.encode())
        return done.stdout.decode()


def programs() -> Path:
    """The npm tree with Claude Code, installed once into the cache with this machine's npm."""
    name = f"{ClaudeCode.name}-{ClaudeCode.pinned_version}"
    path = podman.cache_directory() / "npm" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            tree = Path(scratch) / name
            package = f"{ClaudeCode.source.package}@{ClaudeCode.pinned_version}"
            subprocess.run(
                ["npm", "install", "--global", "--prefix", str(tree), "--no-audit", "--no-fund", package],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
            )
            # The hosts' user is not the one who runs the benchmarks.
            subprocess.run(["chmod", "-R", "a+rX", str(tree)], check=True)
            tree.rename(path)
    return path


@contextmanager
def stage(hosts: int) -> Iterator[Stage]:
    """Start it all, and remove it all.

    :raises tests.hosts.podman.HostsUnavailable: this machine cannot make test hosts.
    """
    podman.require()
    folder = Path(tempfile.mkdtemp(prefix="fmapi-bench-"))
    trust = folder / "ca"
    trust.mkdir()
    folder.chmod(0o755)
    fleet = None
    try:
        # A rollout names one path for the CA, on the control node and on the hosts.
        mounts = [f"{programs()}:{PREFIX}:ro", f"{trust}:{trust}:ro"]
        fleet = podman.start_hosts(hosts, internal=True, mounts=mounts)
        with Workspace(folder / "workspace", host=fleet.gateway) as workspace:
            shutil.copy(workspace.ca_file, trust / "ca.pem")
            (trust / "ca.pem").chmod(0o644)
            _write_files(folder, fleet, _variables(workspace, trust / "ca.pem"))
            yield Stage(folder, fleet, workspace, _accounts(fleet), _wires(fleet))
    finally:
        if fleet is not None:
            podman.stop_hosts(fleet.id)
        shutil.rmtree(folder, ignore_errors=True)


def _told(fleet: podman.Fleet, what: str) -> list[str]:
    """What podman knows of each host."""
    names = [fleet.container(host) for host in fleet.hosts]
    command = ["podman", "inspect", "--format", f"{{{{.State.{what}}}}}", *names]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def _accounts(fleet: podman.Fleet) -> list[Path]:
    """Where the kernel keeps the hosts' processor time (cgroups of version 1 or 2); nothing if one is not found."""
    accounts = []
    for name in _told(fleet, "CgroupPath"):
        candidates = (Path(f"/sys/fs/cgroup{name}/cpu.stat"), Path(f"/sys/fs/cgroup/cpuacct{name}/cpuacct.usage"))
        accounts += [path for path in candidates if path.exists()][:1]
    return accounts if len(accounts) == len(fleet.hosts) else []


def _wires(fleet: podman.Fleet) -> list[Path]:
    """Where the kernel counts what went over each host's network."""
    return [Path(f"/proc/{pid}/net/dev") for pid in _told(fleet, "Pid")]


def grown(folder: Path, number: int) -> tuple[Path, list[str]]:
    """A copy of the collection with so many more options and parts, each part with a file of its own, and what sets the options."""
    copy = folder / "grown" / "ansible_collections" / "fmapi" / "coding_agents"
    for name in ("meta", "playbooks", "plugins", "roles"):
        shutil.copytree(REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "galaxy.yml", copy)
    for path, text in (("options/workspace.py", MORE_OPTIONS), ("parts/__init__.py", MORE_PARTS)):
        with open(copy / "plugins" / "module_utils" / path, "a", encoding="utf-8") as stream:
            stream.write(text.format(number=number))
    values = {f"coding_agents_more_{one}": "x" for one in range(number)}
    return folder / "grown", ["-e", json.dumps(values)]


def _variables(workspace: Workspace, ca_file: Path) -> dict[str, str]:
    return {
        "coding_agents_workspace_url": workspace.url,
        "coding_agents_ca_file": str(ca_file),
        "coding_agents_identity": "service_principal",
        "coding_agents_client_id": workspace.client_id,
        "coding_agents_client_secret": workspace.client_secret,
        "coding_agents_npm_prefix": PREFIX,
    }


def _write_files(folder: Path, fleet: podman.Fleet, variables: Mapping[str, str]) -> None:
    (folder / "inventory").write_text(json.dumps(fleet.inventory(variables)), encoding="utf-8")
    (folder / "inventory").chmod(0o600)
    (folder / "ping.yml").write_text(PING, encoding="utf-8")
    (folder / "ansible.cfg").write_text(
        "[defaults]\nhost_key_checking = False\nlocalhost_warning = False\n[connection]\npipelining = True\n",
        encoding="utf-8",
    )
