# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run playbooks of the collection as an operator does: a real ``ansible-playbook`` in a process of its own.

Variables, secrets among them, go into an inventory file with mode 0600 and never onto the command line. A host is
reached by the connection ``local`` unless its variables say otherwise; it is the home that makes it another host.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.workspace.client import Workspace

REPOSITORY = Path(__file__).resolve().parents[1]
COLLECTIONS = REPOSITORY / ".work" / "collections"
COLLECTION = "fmapi.coding_agents"

# Nothing of the person who runs the tests reaches a play: neither their Ansible settings nor an agent that they use.
_NOT_INHERITED: tuple[str, ...] = ("ANSIBLE_", "ANTHROPIC_", "CLAUDE", "DATABRICKS_", "ARM_", "AI_AGENT", "XDG_")
_NOT_INHERITED += ("TEST_RECORD_FILE", "PYTHONDONTWRITEBYTECODE")  # without bytecode each run compiles all anew
_NOT_INHERITED += ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # whom a play trusts is what it is told
_LIMIT_SECONDS = 900


@dataclass(frozen=True)
class Play:
    """What one ``ansible-playbook`` did. ``directory`` holds everything it wrote on the control node."""

    status: int
    output: str
    events: list[dict[str, Any]]
    starts: dict[str, int]
    """Module round trips by host: how often the host's Python was started by Ansible."""
    directory: Path

    def results(self, action: str = "", host: str = "", status: str = "") -> list[dict[str, Any]]:
        """The recorded results, oldest first; ``action`` without the collection's name."""
        return [
            event["result"]
            for event in self.events
            if "result" in event
            and event["status"] != "diff"
            and (not action or event["action"] in (action, f"{COLLECTION}.{action}"))
            and (not host or event["host"] == host)
            and (not status or event["status"] == status)
        ]

    def actions(self, host: str = "") -> list[str]:
        """Names of the modules that ran, in order; Ansible's own control flow and the report at the end left out."""
        return [
            event["action"].removeprefix(f"{COLLECTION}.")
            for event in self.events
            if event["status"] in ("ok", "failed", "unreachable")
            and "include" not in event["action"]
            and "validate_argument_spec" not in event["action"]
            and event["action"] != f"{COLLECTION}.run_report"
            and (not host or event["host"] == host)
        ]

    @property
    def told(self) -> str:
        """The output as one line: displays and reports break lines where their width ends."""
        return " ".join(self.output.split())

    def report(self) -> list[str]:
        """The lines of the report at the end of each play of ours; of all of them where there were several."""
        lines: list[str] = []
        within = False
        for line in self.output.splitlines():
            if line.startswith("TASK [Report] *"):
                within = True
            elif within and line.startswith(("ok: [", "fatal: [", "PLAY RECAP *", "PLAY [", "TASK [")):
                within = False
            elif within:
                lines.append(line)
        return lines

    def shown(self, host: str = "") -> dict[str, str]:
        """What the report showed with ``--diff``, by file as the report names it (``~/...``): the lines that follow its name.

        :param host: only what this host has; where many have it, they are all named with ``-v`` only.
        """
        found: dict[str, str] = {}
        lines = iter([*self.report(), ""])
        title = next(lines)
        for line in lines:
            own = [line]
            if line.startswith("--- before: "):
                own += iter(lambda: next(lines), "")
            elif not line.startswith(("+", "-")):
                title = line
                continue
            path, _on, names = re.sub(r" \(\d+ hosts\)$", "", title).rpartition(" on ")
            assert not host or not re.search(r" and \d+ more$", names), f"not all hosts are named, run with -v: {names}"
            if not host or host in names.split(", "):
                found[path] = found.get(path, "") + "\n".join([*own, ""])
        return found

    def diffs(self, host: str = "") -> list[dict[str, str]]:
        """What ``--diff`` showed of each task, header and text before and after. Our own playbooks show it in their report."""
        found: list[dict[str, str]] = []
        for event in self.events:
            if event["status"] == "diff" and (not host or event["host"] == host):
                diff = event["result"].get("diff", [])
                found.extend(diff if isinstance(diff, list) else [diff])
        return found

    def stats(self, host: str) -> dict[str, int]:
        (event,) = (event for event in self.events if event["status"] == "stats")
        summary: dict[str, int] = event["stats"][host]
        return summary

    def changed(self, host: str = "host") -> int:
        """The ``changed=`` of the recap."""
        return self.stats(host)["changed"]

    def message(self, host: str = "") -> str:
        """The messages of what failed."""
        return "\n".join(str(one.get("msg", "")) for one in self.results(host=host, status="failed"))

    def ok(self) -> Play:
        """Itself, if the run ended well."""
        assert self.status == 0, self.output
        return self


class ControlNode:
    """Where ``ansible-playbook`` runs: its own home and its own Ansible state below ``directory``.

    :param programs: directory of ``ansible-playbook``; that of this Python when not given.
    """

    def __init__(self, directory: Path, programs: Path | None = None) -> None:
        self.directory = directory
        self.programs = programs or Path(sys.executable).parent
        self.collections = str(COLLECTIONS)
        self._numbers = itertools.count(1)
        self.home = directory / "control-home"
        self.home.mkdir(parents=True, exist_ok=True)

    def environment(self, own: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a play of this control node finds in its environment."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
        path = [part for part in kept.get("PATH", os.defpath).split(os.pathsep) if "/.pyenv/shims" not in part]
        return {
            **kept,
            "PATH": os.pathsep.join([str(self.programs), *path]),
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "PYTHONPYCACHEPREFIX": str(REPOSITORY / ".work" / "pycache"),
            "NO_COLOR": "1",
            "ANSIBLE_CONFIG": str(REPOSITORY / "tests" / "ci" / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.directory / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(self.directory / "ansible" / "tmp"),
            "ANSIBLE_COLLECTIONS_PATH": self.collections,
            "ANSIBLE_CALLBACK_PLUGINS": str(REPOSITORY / "tests" / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "record",
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_LOCALHOST_WARNING": "0",
            # Only ssh reads it; a path below a test's own directory is too long for a socket.
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(Path.home() / ".cache" / "fmapi-coding-agents-tests" / "cp"),
            **(own or {}),
        }

    def _interpreter(self, directory: Path, host: str) -> Path:
        """A Python for one host that writes a line for each start, so that round trips can be counted."""
        python = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
        path = directory / f"python-{host}"
        path.write_text(f'#!/bin/sh\necho start >>"{directory}/starts-{host}"\nexec {python} "$@"\n')
        path.chmod(0o755)
        return path

    def run(
        self,
        playbook: str | Path,
        hosts: Mapping[str, Mapping[str, Any]],
        *options: str,
        variables: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        watch: Sequence[str] = (),
        command: Iterable[str] = (),
    ) -> Play:
        """Run one playbook.

        :param playbook: name of one of the collection's, or the path of another.
        :param hosts: variables by host name.
        :param options: of ``ansible-playbook``.
        :param variables: of all hosts.
        :param environment: added to that of the process.
        :param watch: strings that no process may show; see :class:`tests.watch.Watch`.
        :param command: what to start ``ansible-playbook`` with, for example ``unshare``.
        """
        from tests.watch import Watch

        directory = self.directory / f"run-{next(self._numbers):03d}"
        directory.mkdir()
        inventory = directory / "inventory.json"
        local = {"ansible_connection": "local"}
        shown = {
            name: {**local, "ansible_python_interpreter": str(self._interpreter(directory, name)), **values}
            for name, values in hosts.items()
        }
        with open(os.open(inventory, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            json.dump({"all": {"hosts": shown, "vars": dict(variables or {})}}, stream, default=str)
        name = playbook if isinstance(playbook, Path) else f"{COLLECTION}.{playbook}"
        arguments = [*command, str(self.programs / "ansible-playbook"), "-i", str(inventory), str(name), *options]
        record = directory / "record.jsonl"
        record.touch()
        in_environment = set(watch) & set((environment or {}).values())
        kinds = ("cmdline",) if in_environment else ("cmdline", "environ")
        with open(directory / "output", "wb") as output, Watch(watch, kinds=kinds):
            done = subprocess.run(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment({"TEST_RECORD_FILE": str(record), **(environment or {})}),
                cwd=directory,
                check=False,
                timeout=_LIMIT_SECONDS,
            )
        starts = {}
        for host in hosts:
            counted = directory / f"starts-{host}"
            starts[host] = len(counted.read_text().splitlines()) if counted.exists() else 0
        text = (directory / "output").read_text(errors="replace")
        assert "[DEPRECATION WARNING]" not in text, f"we use what ansible-core will remove: {text}"
        return Play(
            status=done.returncode,
            output=text,
            events=[json.loads(line) for line in record.read_text().splitlines()],
            starts=starts,
            directory=directory,
        )


def workspace_variables(workspace: Workspace) -> dict[str, Any]:
    """What an operator sets for a workspace and its service principal."""
    return {
        "coding_agents_workspace_url": workspace.url,
        "coding_agents_ca_file": workspace.ca_file,
        "coding_agents_identity": "service_principal",
        "coding_agents_client_id": workspace.client_id,
        "coding_agents_client_secret": workspace.client_secret,
    }


class Operator:
    """Who sets the variables: the calls that tests make, with what one host needs filled in.

    :param prefix: where npm's programs stand (``coding_agents_npm_prefix``), to have hosts with the CLI present.
    :param own: variables of all its hosts, without the prefix ``coding_agents_``.
    """

    def __init__(self, control: ControlNode, workspace: Workspace, prefix: Path, **own: Any) -> None:
        self.control = control
        self.workspace = workspace
        self.prefix = prefix
        self._own = own

    def variables(self, home: Path, /, **own: Any) -> dict[str, Any]:
        """Variables of one host; ``own`` without the prefix ``coding_agents_``, None to leave one out."""
        values = {
            **workspace_variables(self.workspace),
            "coding_agents_home": str(home),
            "coding_agents_npm_prefix": str(self.prefix),
            "coding_agents_toolchain_sources": ["already_present"],  # no test asks a vendor
            **{f"coding_agents_{name}": value for name, value in {**self._own, **own}.items()},
        }
        return {name: value for name, value in values.items() if value is not None}

    def rollout(self, home: Path, /, *options: str, **own: Any) -> Play:
        """``rollout`` to one host, however it ends."""
        return self.control.run("rollout", {"host": self.variables(home, **own)}, *options)

    def doctor(self, home: Path, /, *options: str, prompt: bool = False, **own: Any) -> Play:
        """``doctor`` on one host, however it ends."""
        return self.control.run("doctor", {"host": self.variables(home, doctor_prompt=prompt, **own)}, *options)

    def uninstall(self, home: Path, *options: str) -> Play:
        """``uninstall`` on one host of which nothing but the home is known."""
        return self.control.run("uninstall", {"host": {"coding_agents_home": str(home)}}, *options)
