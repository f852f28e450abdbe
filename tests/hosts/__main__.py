# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start and stop test hosts from a shell or a playbook.

``python -m tests.hosts up 2 --inventory FILE [--internal] [--workspace DIRECTORY [--mirror DIRECTORY]] [--suite SUITE]...``
``python -m tests.hosts down --id ID [--workspace DIRECTORY]`` or ``down --inventory FILE`` or ``down --all``
``python -m tests.hosts image``

With ``--workspace`` the simulated one listens on the hosts' gateway until ``down``; its files are in that directory. With
``--mirror``, a mirror, a proxy and a name server do, too (``surroundings.py``); hosts of an ``--internal`` network then know the
workspace and the mirror by their names.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from . import podman


def _start_workspace(directory: Path, gateway: str, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """Start a simulated workspace that the hosts reach, and return what a rollout must be told about it."""
    # Not every user of the hosts has the web framework.
    from tests.workspace.client import Workspace

    workspace = Workspace(directory, host=gateway, names=names, detach=True).start()
    return {
        "test_workspace_directory": str(directory.resolve()),
        "test_workspace_ca_file": str(workspace.ca_file),
        "test_workspace_url": workspace.url,
        "coding_agents_workspace_url": workspace.url,
    }


def _with_surroundings(directory: Path, workspace: Path, fleet: podman.Fleet) -> dict[str, Any]:
    """Start both, and return what a rollout must be told."""
    from tests import releases

    from . import surroundings

    told = _start_workspace(workspace, fleet.gateway, (surroundings.WORKSPACE,))
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "authority").unlink(missing_ok=True)
    (directory / "authority").symlink_to(told["test_workspace_directory"])
    (directory / "asked.jsonl").write_text("")
    started = surroundings.start(directory, fleet.gateway)
    own = told["coding_agents_workspace_url"], f"https://{fleet.gateway}:{started['mirror_port']}"
    told.update(
        test_surroundings=str(directory.resolve()),
        test_mirror_directory=str(directory.resolve() / "mirror"),
        test_mirror_url=own[1],
        test_proxy=started["proxy"],
        test_npm_registry=releases.npm_registry(),
        test_pip_index=releases.pip_index(),
        test_known_names=[surroundings.WORKSPACE, surroundings.MIRROR],
    )
    names = (surroundings.WORKSPACE, surroundings.MIRROR) if fleet.internal else (fleet.gateway, fleet.gateway)
    urls = [f"https://{name}:{url.rpartition(':')[2]}" for name, url in zip(names, own, strict=True)]
    for host in fleet.hosts if fleet.internal else ():
        fleet.run(host, ["sh", "-c", f"echo nameserver {fleet.gateway} >/etc/resolv.conf"], user="root")
    return {**told, "coding_agents_workspace_url": urls[0], "coding_agents_mirror": urls[1]}


def _stop_workspace(directory: Path) -> None:
    from tests.workspace.client import Workspace, WorkspaceFailed

    try:
        Workspace.attach(directory).stop()
    except WorkspaceFailed:
        # It is gone already.
        return


def up(options: argparse.Namespace) -> None:
    """Start a fleet and write its inventory."""
    fleet = podman.start_hosts(
        options.count, internal=options.internal, fleet_id=options.id, suites=options.suite or (podman.SUITE,)
    )
    try:
        variables: dict[str, Any] = {}
        if options.mirror:
            variables = _with_surroundings(options.mirror, options.workspace, fleet)
        elif options.workspace:
            variables = _start_workspace(options.workspace, fleet.gateway)
        options.inventory.parent.mkdir(parents=True, exist_ok=True)
        options.inventory.write_text(json.dumps(fleet.inventory(variables), indent=2) + "\n", encoding="utf-8")
    except BaseException:
        podman.stop_hosts(fleet.id)
        raise
    print(f"{fleet.id}: {', '.join(f'{host.name} {host.address}' for host in fleet.hosts)}, gateway {fleet.gateway}")


def down(options: argparse.Namespace) -> None:
    """Stop the named fleet, the one of an inventory, or every one of this clone."""
    fleets, workspaces = [], [options.workspace] if options.workspace else []
    if options.all:
        fleets += podman.known_fleets()
    if options.id:
        fleets.append(options.id)
    if options.inventory and options.inventory.exists():
        variables = json.loads(options.inventory.read_text(encoding="utf-8"))["all"]["vars"]
        fleets.append(variables["test_fleet"])
        if "test_workspace_directory" in variables:
            workspaces.append(Path(variables["test_workspace_directory"]))
        if "test_surroundings" in variables:
            from . import surroundings

            surroundings.stop(Path(variables["test_surroundings"]))
    for directory in workspaces:
        _stop_workspace(directory)
    for fleet in fleets:
        podman.stop_hosts(fleet)
        print(f"{fleet}: removed")
    if options.inventory:
        options.inventory.unlink(missing_ok=True)


def main() -> int:
    """Run one command; a failure is one message and status 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.hosts")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("up")
    command.add_argument("count", type=int)
    command.add_argument("--inventory", type=Path, required=True)
    command.add_argument("--internal", action="store_true")
    command.add_argument("--workspace", type=Path)
    command.add_argument("--mirror", type=Path)
    command.add_argument("--suite", action="append", choices=(podman.SUITE, *podman.OTHER_SUITES))
    command.add_argument("--id")
    command.set_defaults(function=up)
    command = commands.add_parser("down")
    command.add_argument("--inventory", type=Path)
    command.add_argument("--workspace", type=Path)
    command.add_argument("--id")
    command.add_argument("--all", action="store_true")
    command.set_defaults(function=down)
    command = commands.add_parser("image")
    command.set_defaults(function=lambda _options: print(podman.ensure_image()))
    options = parser.parse_args()
    if getattr(options, "mirror", None) and not options.workspace:
        parser.error("--mirror needs --workspace")
    try:
        options.function(options)
    except (podman.HostsUnavailable, podman.HostsFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
