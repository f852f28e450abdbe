# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what an agent waits for its token: ``python -m tests.benchmarks.tokens [--repeat N]``, on this machine, as a person.

The helper is measured in turn with the older set-up's (the Databricks CLI piped through jq, at every call) and with an empty Python.
Then a hundred callers ask both ways at the moment of expiry: requests and failures are counted. Nothing is asserted.

The CLI is the stand-in of the tests unless ``DATABRICKS_CLI`` names the real one, which was measured to need 20 ms: the ratio that
it would have is printed, too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests import databricks_cli
from tests.databricks_cli.fixtures import OTHER_PROGRAM
from tests.workspace.client import Workspace

REPOSITORY = Path(__file__).resolve().parents[2]
if str(REPOSITORY / ".work" / "collections") not in sys.path:
    sys.path.append(str(REPOSITORY / ".work" / "collections"))
if TYPE_CHECKING:
    from tests.unit.helper_host import Host

REAL_CLI_SECONDS = 0.020
CALLERS = 100


def _older_way(host: Host, *flags: str) -> list[str]:
    """What the older set-up's helper comes down to."""
    words = ["databricks", "auth", "token", "-p", host.config.profile, "-o", "json", *flags]
    return [
        "/bin/sh",
        "-c",
        f"PATH='{host.cli}':$PATH SSL_CERT_FILE='{host.config.ca_file}' {' '.join(words)} | jq -er .access_token",
    ]


@contextmanager
def _signed_in(lifetime: float) -> Iterator[Host]:
    from tests.unit.helper_host import Host

    with tempfile.TemporaryDirectory(prefix="fmapi-bench-") as name, Workspace(Path(name) / "workspace") as workspace:
        cli = Path(name) / "cli"
        if OTHER_PROGRAM:
            cli.mkdir()
            (cli / "databricks").symlink_to(Path(OTHER_PROGRAM).resolve(strict=True))
        else:
            databricks_cli.install(cli, "/usr/bin/python3")
        host = Host(Path(name) / "host", workspace, "user", cli)
        host.sign_in(lifetime)
        yield host


def warm(repeat: int) -> dict[str, list[float]]:
    """Seconds of each call with a good token at hand."""
    with _signed_in(3600) as host:
        host.token()
        commands = {
            "token helper": "warm:" + json.dumps([host.config.helper]),
            "the older way": json.dumps(_older_way(host)),
            "the CLI alone": json.dumps(_older_way(host)[:2] + [_older_way(host)[2].partition(" | ")[0]]),
            "python3 -I -c pass": json.dumps(["/usr/bin/python3", "-I", "-c", "pass"]),
        }
        script = [
            sys.executable,
            "-I",
            str(Path(__file__).parent / "helper.py"),
            str(repeat),
            host.config.cache_directory,
        ]
        done = subprocess.run(
            [*script, *commands.values()], env=host.environment, stdout=subprocess.PIPE, text=True, check=True
        )
        return dict(zip(commands, json.loads(done.stdout), strict=True))


def at_expiry(command_of: str) -> dict[str, object]:
    """So many callers at the moment of expiry: requests, callers without a token, whether the sign-in lives."""
    from tests.unit.helper_host import DEAD_ON_ARRIVAL

    with _signed_in(DEAD_ON_ARRIVAL) as host:
        command = [host.config.helper] if command_of == "token helper" else _older_way(host)

        started = [
            subprocess.Popen(
                command,
                env=host.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
            )
            for _caller in range(CALLERS)
        ]
        got = [one.communicate()[0] for one in started]
        requests = len(host.asked)
        time.sleep(1)
        alive = subprocess.run(
            _older_way(host, "--force-refresh"), env=host.environment, capture_output=True, check=False
        )
        return {
            "requests": requests,
            "without a token": sum(not one for one in got),
            "sign-in lives": "yes" if alive.stdout else "no",
        }


def main() -> int:
    """Measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.tokens", description=__doc__)
    parser.add_argument("--repeat", type=int, default=100, help="measured calls of each (default: 100)")
    options = parser.parse_args()
    samples = warm(options.repeat)
    middle = {name: statistics.median(values) for name, values in samples.items()}
    print("| a call with a good token at hand | ms: median (min-max) | token helper / this | aim |\n|---|---|---|---|")
    aims = {"the older way": "<= 0.2", "python3 -I -c pass": "<= 0.6"}
    for name, values in samples.items():
        low, high = 1000 * min(values), 1000 * max(values)
        ratio = "" if name == "token helper" else f"**{middle['token helper'] / middle[name]:.2f}**"
        print(f"| {name} | {1000 * middle[name]:.1f} ({low:.1f}-{high:.1f}) | {ratio} | {aims.get(name, '')} |")
    if not OTHER_PROGRAM:
        real = middle["token helper"] / (middle["the older way"] - middle["the CLI alone"] + REAL_CLI_SECONDS)
        print(
            f"\nThe CLI is the tests' stand-in, which needs {1000 * middle['the CLI alone']:.0f} ms here. With one that needs "
            f"{1000 * REAL_CLI_SECONDS:.0f} ms, as the real one was measured elsewhere, the older way's ratio would be {real:.2f}."
        )
    print(f"\n| {CALLERS} callers at expiry | requests | without a token | the sign-in lives |\n|---|---|---|---|")
    for name in ("token helper", "the older way"):
        found = at_expiry(name)
        print(f"| {name} | {' | '.join(str(value) for value in found.values())} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
