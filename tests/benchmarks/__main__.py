# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure: ``python -m tests.benchmarks [--hosts 1,10,40] [--repeat N] [--only noop,peers,first,helper,growth,agents]``.

Ratios of what is measured in turn in one run (A B A B), so that the machine's speed and load cancel out. Control node, all
hosts and the workspace share this machine's processors: with many hosts that overstates the wall time of a real fleet.
Nothing is asserted; the table says what was aimed at. The figures are kept as JSON in ``.work/bench/``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ansible.release

from plugins.module_utils.agents import AGENTS
from plugins.module_utils.places import LAUNCHERS
from tests.hosts import podman

from . import peers
from .stage import REPOSITORY, RunFailed, Sample, Stage, grown, stage

ROLLOUT = "fmapi.coding_agents.rollout"
DATA = f"{podman.HOME}/.local/share/fmapi-coding-agents"
CACHE = f"{podman.HOME}/.cache/fmapi-coding-agents"
LAUNCHED = "copilot"
"""An agent that has a command of ours in front of it."""


def _in_turn(repeat: int, *runs: Callable[[], Sample]) -> list[list[Sample]]:
    """The samples of each run, taken in turn after one round that does not count (caches, bytecode)."""
    samples: list[list[Sample]] = [[] for _run in runs]
    for number in range(repeat + 1):
        for position, run in enumerate(runs):
            sample = run()
            if number:
                samples[position].append(sample)
    return samples


def _row(what: str, aim: str, measured: Sequence[float], floor: Sequence[float], **more: Any) -> dict[str, Any]:
    """One line of the table; all times in seconds."""
    ratio = statistics.median(measured) / statistics.median(floor)
    return {"what": what, "aim": aim, "ratio": ratio, "measured": list(measured), "floor": list(floor), **more}


def _of_hosts(what: str, aim: str, hosts: int, measured: list[Sample], floor: list[Sample]) -> dict[str, Any]:
    row = _row(what, aim, [one.wall for one in measured], [one.wall for one in floor], hosts=hosts)
    for name, samples in (("cpu", measured), ("floor_cpu", floor)):
        row[name] = [statistics.median(getattr(one, part) for one in samples) for part in ("control_cpu", "hosts_cpu")]
    for name, samples in (("wire", measured), ("floor_wire", floor)):
        row[name] = statistics.median(one.wire for one in samples)
    row["cpu_ratio"] = sum(row["cpu"]) / sum(row["floor_cpu"])
    return row


def no_op(place: Stage, hosts: int, repeat: int) -> dict[str, Any]:
    """A rollout that finds nothing to do, against ping."""
    place.play(ROLLOUT, hosts)
    ping = str(place.folder / "ping.yml")
    floor, measured = _in_turn(repeat, lambda: place.play(ping, hosts), lambda: place.play(ROLLOUT, hosts))
    _expect_no_change(place)
    return _of_hosts(f"no-op rollout / ping, {hosts} hosts", "<= 1.9 at 1, <= 1.25 at 40", hosts, measured, floor)


def growth(place: Stage, hosts: int, repeat: int) -> dict[str, Any]:
    """A no-op rollout by a collection with ten more options and ten more parts, against one by ours, on other hosts."""
    collections, options = grown(place.folder, 10)

    def ours() -> Sample:
        return place.play(ROLLOUT, hosts)

    def theirs() -> Sample:
        return place.play(ROLLOUT, hosts, *options, first=hosts, collections=collections)

    ours()
    theirs()
    floor, measured = _in_turn(repeat, ours, theirs)
    _expect_no_change(place)
    return _of_hosts(
        f"no-op rollout with ten more options and parts / without, {hosts} hosts", "flat", hosts, measured, floor
    )


def agents(place: Stage, hosts: int, repeat: int) -> dict[str, Any]:
    """A no-op rollout of the settings of all agents, against that of one, on other hosts. Programs are left out: hosts have one."""
    everything = ("--skip-tags", "agent_cli", "-e", json.dumps({"coding_agents_agents": [*AGENTS]}))

    def one() -> Sample:
        return place.play(ROLLOUT, hosts, "--skip-tags", "agent_cli")

    def every() -> Sample:
        return place.play(ROLLOUT, hosts, *everything, first=hosts)

    one()
    every()
    floor, measured = _in_turn(repeat, one, every)
    _expect_no_change(place)
    return _of_hosts(f"no-op rollout of all agents / of one, {hosts} hosts", "<= 1.15", hosts, measured, floor)


def _expect_no_change(place: Stage) -> None:
    if not re.search(r" changed=0 ", place.output()) or re.search(r" changed=[1-9]", place.output()):
        raise RunFailed(f"a rollout that should have found nothing to do did something:\n{place.output()[-2000:]}")


def first(place: Stage, hosts: int, repeat: int) -> dict[str, Any]:
    """A first rollout with the programs there already, against ping."""
    ping = str(place.folder / "ping.yml")

    def rollout() -> Sample:
        place.empty_homes(hosts)
        return place.play(ROLLOUT, hosts)

    floor, measured = _in_turn(repeat, lambda: place.play(ping, hosts), rollout)
    return _of_hosts(f"first rollout, programs present / ping, {hosts} hosts", "<= 2.5 at 40", hosts, measured, floor)


def peers_no_op(place: Stage, hosts: int, repeat: int) -> list[dict[str, Any]]:
    """What six hand-written tasks and pyinfra take that find nothing to do, against ping."""
    ping, by_hand = str(place.folder / "ping.yml"), peers.by_hand(place)
    command = peers.pyinfra(place, hosts)
    environment = {"PATH": os.environ["PATH"], "HOME": str(place.folder), "LANG": "C.UTF-8"}
    floor, tasks, infra = _in_turn(
        repeat,
        lambda: place.play(ping, hosts),
        lambda: place.play(by_hand, hosts),
        lambda: place.run(command, environment),
    )
    return [
        _of_hosts(f"peer: six hand-written tasks / ping, {hosts} hosts", "", hosts, tasks, floor),
        _of_hosts(f"peer: pyinfra / ping, {hosts} hosts", "", hosts, infra, floor),
    ]


def helper(place: Stage, repeat: int) -> list[dict[str, Any]]:
    """The token helper, and a command in front of an agent, against an empty Python, on one host."""
    place.play(ROLLOUT, 1)
    script = (Path(__file__).parent / "helper.py").read_text(encoding="utf-8")
    empty = json.dumps(["/usr/bin/python3", "-I", "-c", "pass"])
    warm = json.dumps([f"{DATA}/token-helper"])

    def measure(repetitions: int, *commands: str) -> list[list[float]]:
        samples: list[list[float]] = json.loads(place.measure_on_host(script, [str(repetitions), CACHE, *commands]))
        return samples

    rows = []
    floor, measured = measure(40 * repeat, empty, f"warm:{warm}")
    rows.append(_row("token helper, token at hand / python3 -I -c pass", "<= 0.6", measured, floor))
    floor, measured = measure(4 * repeat, empty, f"cold:{warm}")
    rows.append(_row("token helper, asks for a token / python3 -I -c pass", "", measured, floor))
    place.play(ROLLOUT, 1, "--skip-tags", "agent_cli", "-e", json.dumps({"coding_agents_agents": [LAUNCHED]}))
    bare = f"{podman.HOME}/.local/bin/{AGENTS[LAUNCHED].command}"
    place.on_host(f"mkdir -p {os.path.dirname(bare)} && printf '#!/bin/sh\\n' >{bare} && chmod +x {bare}")
    ours = f"{DATA}/{LAUNCHERS}/{AGENTS[LAUNCHED].command}"
    floor, without, with_ours = measure(40 * repeat, empty, json.dumps([bare]), json.dumps([ours]))
    added = [more - less for more, less in zip(with_ours, without, strict=True)]
    rows.append(_row("what a command of ours adds to an agent's start / python3 -I -c pass", "< 1", added, floor))
    return rows


def _seconds(values: Sequence[float]) -> str:
    """Median, smallest and largest, in a unit that shows three digits."""
    unit, factor = ("s", 1.0) if statistics.median(values) >= 1 else ("ms", 1000.0)
    middle, low, high = (factor * value for value in (statistics.median(values), min(values), max(values)))
    return f"{middle:.3g} {unit} ({low:.3g}-{high:.3g})"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The figures as Markdown."""
    lines = [
        "| measured / floor | ratio | aim | measured: median (min-max) | floor: median (min-max) | CPU ratio "
        "| CPU, control node + hosts | control node's CPU for a host | on the wire for a host |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        costs = " | | | "
        if "cpu" in row:
            used = [f"{control:.1f} + {hosts:.1f} s" for control, hosts in (row["cpu"], row["floor_cpu"])]
            control = [f"{1000 * one[0] / row['hosts']:.0f} ms" for one in (row["cpu"], row["floor_cpu"])]
            wire = [f"{row[name] / row['hosts'] / 1000:.0f} kB" for name in ("wire", "floor_wire")]
            costs = f"{row['cpu_ratio']:.2f} | {' / '.join(used)} | {' / '.join(control)} | {' / '.join(wire)}"
        times = f"{_seconds(row['measured'])} | {_seconds(row['floor'])}"
        lines.append(f"| {row['what']} | **{row['ratio']:.2f}** | {row['aim']} | {times} | {costs} |")
    return "\n".join(lines)


def main() -> int:
    """Measure what was asked for, print the table, keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--hosts", default="1,10,40", help="numbers of hosts (default: 1,10,40)")
    parser.add_argument("--repeat", type=int, default=5, help="measured rounds of each play (default: 5)")
    parser.add_argument(
        "--only", default="noop,peers,first,helper,growth,agents", help="parts to measure (default: all)"
    )
    options = parser.parse_args()
    numbers, parts = [int(number) for number in options.hosts.split(",")], options.only.split(",")
    rows: list[dict[str, Any]] = []

    def add(*more: dict[str, Any]) -> None:
        rows.extend(more)
        for row in more:
            print(f"{row['what']}: {row['ratio']:.2f}", file=sys.stderr, flush=True)

    load = os.getloadavg()[0]
    try:
        with stage(max(*numbers, 2 if {"growth", "agents"} & {*parts} else 1)) as place:
            for hosts in numbers:
                if "noop" in parts:
                    add(no_op(place, hosts, options.repeat))
                if "peers" in parts:
                    add(*peers_no_op(place, hosts, max(options.repeat - 2, 1)))
                if "first" in parts:
                    add(first(place, hosts, max(options.repeat - 2, 1)))
            if "helper" in parts:
                add(*helper(place, options.repeat))
            half = max(len(place.fleet.hosts) // 2, 1)
            if "growth" in parts:
                add(growth(place, min(half, 10), options.repeat))
            if "agents" in parts:
                add(agents(place, half, options.repeat))
    except (podman.HostsUnavailable, podman.HostsFailed, RunFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    facts = {
        "ansible_core": ansible.release.__version__,
        "python": sys.version.split()[0],
        "processors": os.cpu_count(),
        "load_before": load,
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    print(f"\n{table(rows)}\n")
    print(
        f"ansible-core {facts['ansible_core']}, Python {facts['python']}, {facts['processors']} processors shared by control node, "
        f"hosts and workspace; load before: {load:.1f}. Cold connections, forks = hosts, pipelining on. "
        "CPU is without ssh's masters; on a busy machine its ratio tells more than the clock's."
    )
    folder = REPOSITORY / ".work" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / time.strftime("%Y%m%d-%H%M%S.json")
    path.write_text(json.dumps({"facts": facts, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    print(f"Figures: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
