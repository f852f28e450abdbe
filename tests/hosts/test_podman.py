# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the other tests rely on: hosts are separate, an internal network has no way out, and stopping leaves nothing."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from . import podman

pytestmark = pytest.mark.hosts

# Connect and say what happened in one word; 3 s are plenty inside one machine.
_PROBE = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3).close()
    print("open")
except OSError:
    print("closed")
"""


@pytest.fixture(scope="module")
def fleet(start_fleet: Callable[..., podman.Fleet]) -> podman.Fleet:
    return start_fleet(2, internal=True)


def _probe(fleet: podman.Fleet, address: str, port: int) -> str:
    done = fleet.run(fleet.hosts[0], ["python3", "-I", "-c", _PROBE, address, str(port)])
    return done.stdout.decode().strip()


def test_a_host_has_its_own_user_home_and_programs(fleet: podman.Fleet) -> None:
    script = "id -un; echo $HOME; hostname; npm --version; node --version | cut -c1-3; sudo -n id -un; ls -A ~"
    done = fleet.run(fleet.hosts[1], ["sh", "-c", script])
    user, home, name, npm, node, root, *files = done.stdout.decode().split()
    assert (user, home, name, npm, node, root) == ("dev", "/home/dev", "host02", podman.NPM, "v20", "root")
    assert files == [".bash_logout", ".bashrc", ".profile", ".ssh"]


def test_an_internal_network_reaches_this_machine_and_nothing_else(fleet: podman.Fleet) -> None:
    with http.server.HTTPServer((fleet.gateway, 0), http.server.BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert _probe(fleet, fleet.gateway, server.server_port) == "open"
        server.shutdown()
    # An address of a documentation range is never "open"; what matters is that no route leads anywhere.
    routes = fleet.run(fleet.hosts[0], ["ip", "route"]).stdout.decode()
    assert "default" not in routes
    assert _probe(fleet, fleet.hosts[1].address, 22) == "open"


def test_the_inventory_opens_the_hosts(fleet: podman.Fleet, tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps(fleet.inventory({"coding_agents_profile": "x"})))
    done = subprocess.run(
        ["ansible", "test_hosts", "-i", str(inventory), "-m", "ansible.builtin.raw", "-a", "hostname", "-o"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "host01" in done.stdout and "host02" in done.stdout


def test_stopping_removes_the_fleet_and_only_it(fleet: podman.Fleet, start_fleet: Callable[..., podman.Fleet]) -> None:
    other = start_fleet(1)
    assert {fleet.id, other.id} <= set(podman.known_fleets())
    podman.stop_hosts(other.id)
    podman.stop_hosts(other.id)
    assert other.id not in podman.known_fleets()
    assert fleet.run(fleet.hosts[0], ["true"]).returncode == 0


def test_a_fleet_that_does_not_start_leaves_nothing(
    start_fleet: Callable[..., podman.Fleet], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(podman, "SSH_LIMIT", -1.0)
    monkeypatch.setattr("socket.create_connection", refuse)
    with pytest.raises(podman.HostsFailed, match="does not answer on port 22"):
        start_fleet(1, fleet_id="broken-start")
    assert "broken-start" not in podman.known_fleets()


def test_without_root_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(podman.HostsUnavailable, match="need root"):
        podman.require()
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda name: None if name == "podman" else name)
    with pytest.raises(podman.HostsUnavailable, match=r"need podman: run tests/ci/bootstrap.sh --system"):
        podman.require()
