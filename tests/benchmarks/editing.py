# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure editing, without Ansible or hosts: ``python -m tests.benchmarks.editing [--megabytes N] [--owners 1,20,200] [--repeat N]``.

The large file: a ``.claude.json`` of 50 MB edited, found to be right, and given back, each with its diff, against ``json.load``,
one assignment and ``json.dump`` of the same file: time and peak memory of a process of its own for each.

The owners: all of what a rollout writes for one user, in 1, 20 and 200 homes one after the other in one call, against the
same for one home; as root also through ``owners.each``, which works in a process of each owner. Time for each owner.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

URL = "https://dbc-00000000-0000.cloud.databricks.com"


def claude_json(path: Path, megabytes: int) -> None:
    """A ``.claude.json`` as years of use leave it: projects with their histories. The same for everybody."""
    chance, size = random.Random(4), 0
    projects: dict[str, Any] = {}
    while size < megabytes * 1_000_000:
        history = [
            {"display": "word " * chance.randrange(3, 40), "pastedContents": {}, "n": chance.random()}
            for _n in range(60)
        ]
        project = {"allowedTools": [], "history": history, "lastCost": chance.random()}
        projects[f"/src/project-{len(projects)}"] = project
        size += len(json.dumps(project, indent=2)) * 11 // 10
    data = {"numStartups": 12, "projects": projects, "theme": "dark"}
    path.write_text(json.dumps(data, indent=2), encoding="utf-8")


def measured(work: Callable[[], None]) -> tuple[float, float]:
    """CPU seconds and the peak of memory (MB) of ``work`` in a process of its own, which may not fail."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            begin = time.process_time()
            work()
            used = time.process_time() - begin
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10))
            os.write(writer, json.dumps([used, peak]).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        told = stream.read()
    if os.waitpid(child, 0)[1] != 0:
        raise SystemExit("what was measured failed")
    seconds, megabytes = json.loads(told)
    return seconds, megabytes


def large_file(folder: Path, megabytes: int, repeat: int) -> list[str]:
    """Lines of the table for the large file."""
    from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.diffs import diff_of
    from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import current_owner
    from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted
    from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import bring

    home = folder / "home"
    home.mkdir()
    path = home / ".claude.json"
    claude_json(path, megabytes)
    original = folder / "original"
    shutil.copy(path, original)
    owner = current_owner(str(home))
    wanted = [Wanted(str(path), "json", "agent_settings", values={("hasCompletedOnboarding",): True}, mode=0o600)]

    def plain() -> None:
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
        data["hasCompletedOnboarding"] = True
        with open(folder / "plain", "w", encoding="utf-8") as out:
            json.dump(data, out, indent=2, ensure_ascii=False)

    def ours(steps: list[Wanted], changed: bool) -> Callable[[], None]:
        def work() -> None:
            outcome = bring(owner, ["agent_settings"], steps, check=False)
            assert bool(diff_of(outcome.plans)) == outcome.changed == changed

        return work

    works = {
        "json.load and json.dump": plain,
        "edited": ours(wanted, True),
        "found to be right": ours(wanted, False),
        "given back": ours([], True),
    }
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _round in range(repeat):
        for name, work in works.items():
            samples[name].append(measured(work))
    assert path.read_bytes() == original.read_bytes()
    medians = {
        name: [statistics.median(column) for column in zip(*taken, strict=True)] for name, taken in samples.items()
    }
    floor = medians["json.load and json.dump"]
    return [
        f"| {path.stat().st_size / 1e6:.0f} MB `.claude.json`, {name} | {seconds:.2f} s | {seconds / floor[0]:.2f} | "
        f"{memory:.0f} MB | {memory / floor[1]:.2f} |"
        for name, (seconds, memory) in medians.items()
    ]


def _documents(owner: Any) -> list[Any]:
    """What a rollout writes for a service principal and Claude Code, whose program is there."""
    from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import PARTS

    from tests.unit.options_for import options_for

    credentials = {"identity": "service_principal", "client_id": "an-id", "client_secret": "a-secret"}
    options = options_for(workspace_url=URL, **credentials)
    return [one for name in PARTS if name != "agent_cli" for one in PARTS[name].wanted(owner, options)]


def owners(folder: Path, numbers: list[int], forked: bool, repeat: int) -> list[str]:
    """Lines of the table for one call over many owners; each has a home with some settings."""
    from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner
    from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owners import each
    from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import bring
    from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
    from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import PARTS

    samples: dict[tuple[str, int], list[float]] = {}
    for _round in range(repeat):
        for number in numbers:
            made = []
            for one in range(number):
                uid = 50_000 + one if forked else os.geteuid()
                home = folder / f"home-{one}"
                (home / ".claude").mkdir(parents=True)
                (home / ".claude" / "settings.json").write_text(
                    '{\n  "model": "opus",\n  "env": {"EDITOR": "vim"}\n}\n'
                )
                (home / ".databrickscfg").write_text("[DEFAULT]\nhost = https://other\n")
                if forked:
                    for path in (home, *home.rglob("*")):
                        os.chown(path, uid, uid)
                made.append(Owner(f"user{one}", uid, uid, str(home)))
            for name, steps in (("rollout", True), ("no change", True), ("uninstall", False)):

                def work(owner: Owner, steps: bool = steps) -> dict[str, Any]:
                    bring(owner, list(PARTS), _documents(owner) if steps else [], check=False)
                    return {}

                begin = time.perf_counter()
                done = each(made, work, (OperatorError,))
                samples.setdefault((name, number), []).append((time.perf_counter() - begin) / number)
                if any(one.error for one in done):
                    raise SystemExit(str(next(one.error for one in done if one.error)))
            for owner in made:
                shutil.rmtree(owner.home)
    lines = []
    for (name, number), taken in sorted(samples.items(), key=lambda item: (item[0][0], item[0][1])):
        middle = statistics.median(taken)
        ratio = middle / statistics.median(samples[name, numbers[0]])
        how = "in a process of each" if forked else "in one process"
        lines.append(f"| {name}, {number} owners, {how} | {1000 * middle:.1f} ms an owner | {ratio:.2f} | | |")
    return lines


def main() -> int:
    """Measure, print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.editing", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--owners", default="1,20,200")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    numbers = [int(number) for number in options.owners.split(",")]
    collections = Path(__file__).resolve().parents[2] / ".work" / "collections"
    sys.path.insert(0, str(collections))
    folder = Path(tempfile.mkdtemp(prefix="fmapi-bench-editing-"))
    folder.chmod(0o755)
    try:
        lines = large_file(folder, options.megabytes, options.repeat)
        lines += owners(folder, numbers, False, options.repeat)
        if os.geteuid() == 0:
            lines += owners(folder, numbers, True, options.repeat)
        else:
            print("not root: owners.each in processes of each owner was left out", file=sys.stderr)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("| what | time | ratio | peak memory | ratio |\n|---|---|---|---|---|")
    print("\n".join(lines))
    print(
        "\nRatios of the large file are against json.load and json.dump (aim: 3 at most), those of owners against one (aim: flat)."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
