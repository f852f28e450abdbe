# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network without a way out: one directory, filled beforehand and given by a plain server of files, is all that hosts fetch from.

The agents come from the real registries, Node.js as in :mod:`tests.agents.test_bare_host`.
"""

from __future__ import annotations

import os
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
    releases.publish_node(vendor, NODE_VERSION, releases.real_node(NODE_VERSION))
    prepared = {
        "coding_agents_agents": [name],
        "coding_agents_offline_directory": str(tmp_path / "mirror"),
        "coding_agents_offline_databricks_cli": False,
        "coding_agents_mirror": vendor.url,
        "coding_agents_npm_registry": releases.npm_registry(),
        "coding_agents_pip_index": releases.pip_index(),
        "coding_agents_ca_file": str(tmp_path / "vendor" / "ca.pem"),
    }
    assert control.run("prepare_offline", {"localhost": prepared}).ok().changed("localhost") == 1
    vendor.close()
    again = control.run("prepare_offline", {"localhost": prepared}).ok()
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
        control.run("rollout", {"host": variables}, command=[*within, "env", *unset]).ok()
        done = typed(home, PROMPTS[name], within)
        assert (done.returncode, reply(done)) == (0, "You said: hello"), done.stdout + done.stderr
        assert network.sent() == {Packet("tcp", ADDRESS, port), Packet("tcp", ADDRESS, workspace.port)}
