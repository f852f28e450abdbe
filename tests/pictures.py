# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator sees, from real runs: ``python -m tests.pictures`` writes the texts that ``make generate`` makes pictures of.

Ten hosts of its own making: a dry run, the rollout, then three faults and a host that is away, and the doctor. The workspace is the
simulated one; its address, its authority's file and the service principal's id are written as a real one's would look.
Nothing else is changed. ``--whole`` prints the runs instead, with the tasks before the report.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.stage import PREFIX, Stage, stage

HOSTS = 10
OUT = Path(__file__).parent / "ci" / "pictures"
URL = "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com"
CA_FILE = "/etc/ssl/company-ca.pem"
PRINCIPAL = "c0ffee00-0000-4000-8000-000000000000"
SETTINGS = {"theme": "dark", "permissions": {"allow": ["Bash(ls:*)"]}, "env": {"GITHUB_TOKEN": "ghp_secret"}}


def shown(place: Stage, playbook: str, *options: str) -> str:
    """What a terminal shows of a run; it may find faults."""
    command = ["ansible-playbook", f"fmapi.coding_agents.{playbook}", "-i", "inventory.yml", *options]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_CONFIG": str(place.folder / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
        "ANSIBLE_HOME": str(place.folder / "ansible-home"),
        "ANSIBLE_FORKS": str(HOSTS),
        "ANSIBLE_FORCE_COLOR": "1",
        "ANSIBLE_TIMEOUT": "3",
    }
    (place.folder / "inventory.yml").write_bytes((place.folder / "inventory").read_bytes())
    done = subprocess.run(
        command,
        cwd=place.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    text = re.sub(re.escape(place.workspace.url), URL, done.stdout + done.stderr)
    for mine, usual in ((place.workspace.client_id, PRINCIPAL), (str(place.folder / "ca" / "ca.pem"), CA_FILE)):
        text = text.replace(mine, usual)
    return f"$ {' '.join(command)}\n{text}"


def report_of(text: str) -> str:
    """The command and what the report says: without the tasks before it, and the recap after it."""
    command, _newline, rest = text.partition("\n")
    begin = rest.index("TASK [Report]")
    said = re.split(r"\n\S*(?:ok|changed): \[|\nPLAY RECAP", rest[begin:].partition("\n")[2])[0]
    return f"{command}\n\n{said.strip(chr(10))}\n"


def main(arguments: Sequence[str]) -> int:
    whole = "--whole" in arguments
    with stage(HOSTS) as place:
        settings = json.dumps(SETTINGS, indent=2)
        for number in range(HOSTS):
            place.on_host(f"echo 'PATH={PREFIX}/bin:$PATH' >> .profile", number)
            place.on_host(f"mkdir -p .claude && cat > .claude/settings.json <<'EOF'\n{settings}\nEOF", number)
        texts = {"dry_run": shown(place, "rollout", "--check", "--diff"), "rollout": shown(place, "rollout")}
        place.on_host("echo 'export CLAUDE_CONFIG_DIR=$HOME/claude' >> .profile", 1)
        place.on_host("rm -rf .local/share/fmapi-coding-agents/token-helper", 3)
        place.on_host("rm -rf .local/share/fmapi-coding-agents/token-helper", 6)
        old = "s/^client_secret.*/client_secret = dose-of-an-older-time/"
        place.on_host(f"sed -i '{old}' .databrickscfg; rm -rf .cache", 4)
        subprocess.run(
            ["podman", "stop", "--time", "1", place.fleet.container(place.fleet.hosts[8])],
            check=True,
            capture_output=True,
        )
        texts["doctor"] = shown(place, "doctor")
    for name, text in texts.items():
        if whole:
            print(text)
        elif name != "rollout":
            (OUT / f"{name}.txt").write_text(report_of(text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
