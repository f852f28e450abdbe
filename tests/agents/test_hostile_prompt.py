# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's prompt with the real agent: what stands in directories above starts nothing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests import homes
from tests.control_node import Operator
from tests.written_reports import REPORT, checks

pytestmark = pytest.mark.agents


def test_nothing_that_others_put_above_it_is_started(operator: Operator, tmp_path: Path) -> None:
    home = homes.lived_in(tmp_path / "home")
    (home / ".profile").write_text(f'PATH="{operator.prefix}/bin:$PATH"\n')
    operator.rollout(home).ok()
    command = {"type": "stdio", "command": "/bin/sh", "args": ["-c", f"echo server >>{tmp_path}/started"]}
    hook = {"hooks": [{"type": "command", "command": f"echo hook >>{tmp_path}/started"}]}
    cache = home / ".cache" / "fmapi-coding-agents"
    for directory in (tmp_path, home / ".cache", cache):
        (directory / ".mcp.json").write_text(json.dumps({"mcpServers": {"planted": command}}))
        (directory / ".claude").mkdir(exist_ok=True)
        settings = {"hooks": {"SessionStart": [hook], "UserPromptSubmit": [hook]}, "enableAllProjectMcpServers": True}
        (directory / ".claude" / "settings.json").write_text(json.dumps(settings))
    operator.workspace.clear()
    play = operator.doctor(home, report=REPORT, prompt=True)
    passed = {(one["category"], one["check"]): one["detail"] for one in checks(play, "PASS")}
    assert passed["Prompt", "Claude Code"].startswith("replied: You said: Reply with one short sentence"), play.output
    assert not (tmp_path / "started").exists()
    # The counter-proof, without which the above would say nothing: who starts it in such a directory starts the server, too.
    environment = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "dumb"}
    program = f"{operator.prefix}/bin/claude"
    subprocess.run(
        [program, "-p", "hello", "--max-turns", "1"], cwd=cache, env=environment, check=True, capture_output=True
    )
    assert "server" in (tmp_path / "started").read_text()
