# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report at the end of a play, with a real ``ansible-playbook``: hosts fail, are unreachable, come in batches, go their own ways.

What modules would do on hosts, a small action plugin pretends.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.control_node import ControlNode, Play

_PRETEND = """\
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import run_store


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        entry = dict(task_vars["becomes"])
        if entry["status"] != "silent":
            run_store.remember(task_vars["inventory_hostname"], {"module": "coding_agents", **entry})
        if entry["status"] in ("silent", "unreachable"):
            raise AnsibleConnectionFailure(entry["msg"])
        if entry["status"] == "failed":
            return {"failed": True, "msg": entry["msg"]}
        return {"changed": entry.get("changed", False)}
"""

FAILED = {"status": "failed", "msg": "the disk is full\nMake room"}
UNREACHABLE = {"status": "unreachable", "msg": "timed out"}
SILENT = {"status": "silent", "msg": "timed out"}
UNCHANGED = {"status": "ok"}
CHANGED = {"status": "ok", "changed": True, "changes": ["/home/ada/.claude/settings.json: model"]}

pytestmark = pytest.mark.matrix


class Reported:
    """Plays of hosts that become what their variable says."""

    def __init__(self, control: ControlNode, directory: Path) -> None:
        self._control = control
        self._directory = directory
        (directory / "action_plugins").mkdir()
        (directory / "action_plugins" / "pretend.py").write_text(_PRETEND)

    def run(self, hosts: dict[str, Any], *options: str, report: Any = None, **keywords: Any) -> Play:
        reporting = {
            "name": "Report",
            "fmapi.coding_agents.run_report": {} if report is None else {"report": report},
            "run_once": True,
        }
        block = [{"name": "Pretend", "pretend": {}}]
        tasks = [{"name": "All", "block": block, "always": [reporting]}]
        play = {"name": "Mine", "hosts": "all", "gather_facts": False, **keywords, "tasks": tasks}
        path = self._directory / "site.yml"
        path.write_text(yaml.safe_dump([play], sort_keys=False))
        variables = {name: {"becomes": becomes} for name, becomes in hosts.items()}
        return self._control.run(path, variables, *options)


@pytest.fixture
def reported(control: ControlNode, tmp_path: Path) -> Reported:
    directory = tmp_path / "plays"
    directory.mkdir()
    return Reported(control, directory)


def _block(play: Play) -> list[str]:
    """What the report printed: up to the result of its task."""
    _before, _banner, after = play.output.partition("TASK [Report]")
    said = after.splitlines()[1:]
    ends = [number for number, line in enumerate(said) if line.startswith(("ok: [", "fatal: ["))]
    return said[: ends[0]]


def _recap(play: Play, host: str) -> tuple[int, int, int]:
    stats = play.stats(host)
    return stats["ok"], stats["failures"], stats["unreachable"]


ALL_SORTS = {"one": FAILED, "two": UNREACHABLE, "three": UNCHANGED, "four": CHANGED, "five": FAILED}


def test_hosts_that_failed_do_not_keep_it_from_reporting_and_it_marks_no_other(reported: Reported) -> None:
    play = reported.run(ALL_SORTS)
    assert _block(play)[:-1] == [
        "Coding agents on 5 hosts: 2 failed, 1 unreachable, 1 changed, 1 unchanged",
        "Failed: the disk is full",
        "  one, five",
        "  -> Make room",
        "Unreachable: timed out",
        "  two",
        "Changed: settings.json",
        "  four",
    ]
    assert _block(play)[-1].startswith("Next: ansible-playbook fmapi.coding_agents.doctor -i ")
    assert play.status == 4, "as without a report"
    recaps = {name: _recap(play, name) for name in ALL_SORTS}
    assert recaps == {"one": (1, 1, 0), "two": (0, 0, 1), "three": (1, 0, 0), "four": (1, 0, 0), "five": (0, 1, 0)}


def test_when_all_hosts_fail_it_reports_and_the_run_fails(reported: Reported) -> None:
    play = reported.run({"one": FAILED, "two": FAILED})
    assert _block(play) == [
        "Coding agents on 2 hosts: 2 failed",
        "Failed: the disk is full",
        "  one, two",
        "  -> Make room",
    ]
    assert play.status == 2
    assert (_recap(play, "one"), _recap(play, "two")) == ((1, 1, 0), (0, 1, 0))


def test_it_changes_nothing_and_ends_well_where_all_went_well(reported: Reported) -> None:
    play = reported.run({"one": UNCHANGED, "two": UNCHANGED})
    assert _block(play) == ["Coding agents on 2 hosts: 2 unchanged"]
    assert (play.status, play.changed("one"), _recap(play, "one")) == (0, 0, (2, 0, 0))


def test_a_host_that_is_lost_before_it_says_anything_is_named(reported: Reported) -> None:
    found = _block(reported.run({"one": UNCHANGED, "two": SILENT}))
    assert found == [
        "Coding agents on 2 hosts: 1 unchanged, 1 not reached",
        "Unreachable, or stopped before anything was done there (see above):",
        "  two",
    ]


def test_under_the_free_strategy_nothing_breaks_and_no_host_is_told_twice(reported: Reported) -> None:
    play = reported.run(ALL_SORTS, strategy="free")
    assert play.status == 4
    for name in ("one", "three", "four", "five"):
        assert _recap(play, name)[1] == (1 if ALL_SORTS[name] is FAILED else 0)
    lines = [line.strip() for line in play.output.splitlines()]
    assert lines.count("Changed: settings.json") == 1
    told = [name for line in lines for name in line.split(", ") if name in ("one", "five")]
    assert sorted(told) == ["five", "one"]


def test_each_batch_reports_its_own_hosts_and_the_file_has_them_all(reported: Reported) -> None:
    hosts = {"one": UNCHANGED, "two": CHANGED, "three": CHANGED, "four": FAILED}
    play = reported.run(hosts, serial=2, report="all.json")
    assert "Coding agents on 2 hosts: 1 changed, 1 unchanged" in play.output
    assert "Coding agents on 2 hosts: 1 failed, 1 changed" in play.output
    assert play.output.count("Next: ") == 1, "what was said in the run is not said again"
    written = json.loads((play.directory / "all.json").read_text())
    statuses = {name: one["status"] for name, one in written["hosts"].items()}
    assert statuses == {"one": "ok", "two": "changed", "three": "changed", "four": "failed"}


def test_an_error_that_ends_the_play_for_all_is_reported_too(reported: Reported) -> None:
    assert "Coding agents on 2 hosts: 1 failed, 1 unchanged" in _block(
        reported.run({"one": UNCHANGED, "two": FAILED}, any_errors_fatal=True)
    )


def test_the_file_is_where_the_operator_stands_and_of_a_dry_run_too(reported: Reported) -> None:
    play = reported.run({"one": CHANGED}, "--check", "-e", "coding_agents_report={{ 'reports' | upper }}.json")
    path = play.directory / "REPORTS.json"
    assert json.loads(path.read_text())["hosts"]["one"]["changes"] == CHANGED["changes"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600


@pytest.mark.parametrize("given", ["", "{{ omit }}"])
def test_no_file_is_written_where_none_is_wanted(reported: Reported, given: str) -> None:
    play = reported.run({"one": CHANGED}, "-e", json.dumps({"coding_agents_report": given})).ok()
    assert play.results("run_report")[0]["report"] == ""


def test_a_report_that_cannot_be_written_is_a_failure_that_says_so_after_it_was_printed(reported: Reported) -> None:
    play = reported.run({"one": UNCHANGED, "two": UNCHANGED}, report="nowhere/x.json")
    assert _block(play)[0] == "Coding agents on 2 hosts: 2 unchanged"
    assert play.status == 2
    assert f"there is no directory {play.directory}/nowhere. Make it, or name another file" in play.message()


def test_diff_and_verbose_come_from_the_command_line(reported: Reported) -> None:
    diff = {"before_header": "/home/a/x (no file)", "after_header": "/home/a/x (0600)", "before": "", "after": "new\n"}
    becomes = {**CHANGED, "homes": ["/home/a"], "diff": [diff]}
    hosts = {f"host{number}": becomes for number in range(5)}
    play = reported.run(hosts, "--check", "--diff")
    assert _block(play)[:6] == [
        "~/x on host0, host1 and 3 more (5 hosts)",
        "--- before: ~/x (no file)",
        "+++ after: ~/x (0600)",
        "@@ -0,0 +1 @@",
        "+new",
        "",
    ]
    assert "  host0, host1, host2, host3, host4" in _block(reported.run(hosts, "-v"))
