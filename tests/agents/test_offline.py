# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network without a way out: one directory, filled beforehand and given by a plain server of files, is all that hosts fetch from.

The agents come from the real registries, Node.js as in :mod:`tests.agents.test_bare_host`.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
from pathlib import Path

import pytest
import trustme

from plugins.module_utils.agents.source_release import NODE_VERSION
from tests import homes, releases
from tests.agents.conftest import missing, watched_network
from tests.agents.network import ADDRESS, Packet
from tests.agents.prompts import PROMPTS, reply
from tests.agents.terminal import typed
from tests.control_node import ControlNode, workspace_variables
from tests.hosts.surroundings import served
from tests.unit.package_registry import Registry
from tests.workspace.client import Workspace

pytestmark = pytest.mark.agents


@pytest.mark.parametrize("name", ["pi", pytest.param("hermes", marks=pytest.mark.soak)])
def test_a_host_that_reaches_only_the_mirror_and_the_workspace_gets_an_agent_that_answers(
    control: ControlNode, tmp_path: Path, name: str
) -> None:
    if os.geteuid() != 0:
        missing("to hide this machine's Node.js needs root: run the tests of the agents as root")
    (tmp_path / "vendor").mkdir()
    vendor = Registry(tls=tmp_path / "vendor")
    archive = releases.real_node(NODE_VERSION)
    releases.publish_node(vendor, NODE_VERSION, archive)
    key, archives = f"Node.js@{NODE_VERSION}", {f"{releases.node_name(NODE_VERSION)}.tar.gz": archive}
    known = releases.collections_that_know(tmp_path / "collections", key, **archives)
    prepared = {
        "coding_agents_agents": [name],
        "coding_agents_offline_directory": str(tmp_path / "mirror"),
        "coding_agents_offline_databricks_cli": False,
        "coding_agents_mirror": vendor.url,
        "coding_agents_npm_registry": releases.npm_registry(),
        "coding_agents_pip_index": releases.pip_index(),
        "coding_agents_ca_file": str(tmp_path / "vendor" / "ca.pem"),
    }
    assert control.run("prepare_offline", {"localhost": prepared}, environment=known).ok().changed("localhost") == 1
    vendor.close()
    again = control.run("prepare_offline", {"localhost": prepared}, environment=known).ok()
    assert again.changed("localhost") == 0, "what is whole is not fetched again: nobody is there to ask"

    home, authority = homes.bare(tmp_path / "home"), trustme.CA()
    (home / ".profile").write_text('PATH="$HOME/.local/bin:$PATH"\n')
    with (
        watched_network() as network,
        Workspace(tmp_path / "workspace", host=ADDRESS) as workspace,
        served(tmp_path / "mirror", ADDRESS, authority) as port,
    ):
        both = tmp_path / "both.pem"
        both.write_text(Path(workspace.ca_file).read_text() + authority.cert_pem.bytes().decode())
        variables = {
            **workspace_variables(workspace),
            "coding_agents_home": str(home),
            "coding_agents_agents": [name],
            "coding_agents_ca_file": str(both),
            "coding_agents_mirror": f"https://{ADDRESS}:{port}",
        }
        names = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
        unset = [option for one in names for option in ("-u", one, "-u", one.lower())]
        # What this machine's npm and pip are set to counts for no host of ours.
        unset += [option for one in os.environ if one.lower().startswith(("npm_", "pip_")) for option in ("-u", one)]
        within = [*network.command, *releases.hidden("node", "npm")]
        control.run("rollout", {"host": variables}, command=[*within, "env", *unset], environment=known).ok()
        done = typed(home, PROMPTS[name], within)
        assert (done.returncode, reply(done)) == (0, "You said: hello"), done.stdout + done.stderr
        assert network.sent() == {Packet("tcp", ADDRESS, port), Packet("tcp", ADDRESS, workspace.port)}


def test_a_host_without_any_way_out_gets_its_agent_over_the_connection(control: ControlNode, tmp_path: Path) -> None:
    """``coding_agents_download_on: controller``. The play runs here; what it starts on the host runs in the closed network."""
    if os.geteuid() != 0:
        missing("to hide this machine's Node.js needs root: run the tests of the agents as root")
    (tmp_path / "vendor").mkdir()
    vendor, archive = Registry(tls=tmp_path / "vendor"), releases.real_node(NODE_VERSION)
    path = releases.publish_node(vendor, NODE_VERSION, archive)
    key, archives = f"Node.js@{NODE_VERSION}", {f"{releases.node_name(NODE_VERSION)}.tar.gz": archive}
    known = releases.collections_that_know(tmp_path / "collections", key, **archives)
    home, both = homes.bare(tmp_path / "home"), tmp_path / "both.pem"
    (home / ".profile").write_text('PATH="$HOME/.local/bin:$PATH"\n')
    with (
        contextlib.closing(vendor),
        watched_network() as network,
        Workspace(tmp_path / "workspace", host=ADDRESS) as workspace,
    ):
        both.write_text(Path(workspace.ca_file).read_text() + (tmp_path / "vendor" / "ca.pem").read_text())
        within = [*network.command, *releases.hidden("node", "npm")]
        python = tmp_path / "python"
        python.write_text(f'#!/bin/sh\nexec {shlex.join(within)} /usr/bin/python3 "$@"\n')
        python.chmod(0o755)
        variables = {
            **workspace_variables(workspace),
            "ansible_python_interpreter": str(python),
            "coding_agents_home": str(home),
            "coding_agents_agents": ["pi"],
            "coding_agents_ca_file": str(both),
            "coding_agents_download_on": "controller",
            "coding_agents_mirror": vendor.url,
            "coding_agents_npm_registry": releases.npm_registry(),
        }
        control.run("rollout", {"host": variables}, "--check", environment=known).ok()
        assert vendor.asked == [], "a dry run fetches nothing"
        control.run("rollout", {"host": variables}, environment=known).ok()
        assert vendor.asked == [path], "the control node has fetched it, once"
        assert network.sent() <= {Packet("tcp", ADDRESS, workspace.port)}
        done = typed(home, PROMPTS["pi"], within)
        assert (done.returncode, reply(done)) == (0, "You said: hello"), done.stdout + done.stderr
        again = control.run("rollout", {"host": variables}, environment=known).ok()
        assert (again.changed(), vendor.asked) == (0, [path])

        # A repair goes by what the host remembers, and asks where the operator says.
        shutil.rmtree(home / ".local" / "lib" / "fmapi-coding-agents" / "pi")
        alone = typed(home, "coding-agents repair", within)
        assert alone.returncode == 1 and "Ask for the playbook repair" in alone.stderr, alone.stdout + alone.stderr
        ways = ("ansible_python_interpreter", "coding_agents_home", "coding_agents_ca_file", "coding_agents_mirror")
        said = {name: variables[name] for name in (*ways, "coding_agents_npm_registry")}
        assert control.run("repair", {"host": said}, environment=known).ok().changed() == 1
        done = typed(home, PROMPTS["pi"], within)
        assert (done.returncode, reply(done)) == (0, "You said: hello"), done.stdout + done.stderr
        assert network.sent() <= {Packet("tcp", ADDRESS, workspace.port)}
