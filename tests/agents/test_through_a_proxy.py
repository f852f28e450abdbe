# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every agent in a closed network: the only way out is a proxy, which alone knows the workspace's name; a private CA."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from plugins.module_utils.agents import AGENTS
from tests import homes, proxy
from tests.agents.conftest import watched_network
from tests.agents.network import ADDRESS, Network, Packet
from tests.agents.prompts import asked, prompted, reply
from tests.control_node import ControlNode, Operator
from tests.workspace.client import Workspace

pytestmark = pytest.mark.agents

NAME = "dbc-00000000-0000.private.test"
"""Nothing on this machine resolves it: only the proxy does."""


class Closed(NamedTuple):
    """A home that was rolled out there, and what it takes to watch it."""

    home: Path
    prefix: Path
    network: Network
    between: proxy.Proxy
    workspace: Workspace


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, every_agent: Path) -> Iterator[Closed]:
    place = tmp_path_factory.mktemp("closed-network")
    with (
        watched_network() as network,
        Workspace(place / "workspace", names=[NAME]) as workspace,
        proxy.running({NAME: "127.0.0.1"}, host=ADDRESS) as between,
    ):
        operator = Operator(ControlNode(place), workspace, every_agent, agents=[*AGENTS])
        home = homes.bare(place / "home")
        url = workspace.url.replace("127.0.0.1", NAME)
        variables = operator.variables(home, workspace_url=url, proxy=between.url)
        names = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
        unset = [option for name in names for option in ("-u", name, "-u", name.lower())]
        command = [*network.command, "env", *unset, f"HTTPS_PROXY={between.url}"]
        operator.control.run("rollout", {"host": variables}, command=command).ok()
        yield Closed(home, every_agent, network, between, workspace)


@pytest.mark.parametrize("name", AGENTS)
def test_the_workspace_is_reached_through_the_proxy_and_nobody_else_is_asked(closed: Closed, name: str) -> None:
    closed.network.clear()
    closed.between.asked.clear()
    closed.workspace.clear()
    done = prompted(closed.home, closed.prefix, name, within=closed.network.command)
    assert (done.returncode, reply(done)) == (0, "You said: hello"), done.stdout + done.stderr
    assert {one["status"] for one in closed.workspace.requests(asked(name))} == {200}
    assert set(closed.between.asked) == {f"{NAME}:{closed.workspace.port}"}
    assert closed.network.sent() == {Packet("tcp", ADDRESS, closed.between.server_address[1])}
