# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start another program, with a limit on its time."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Finished(NamedTuple):
    """How a program ended, and what it said."""

    status: int
    stdout: str
    stderr: str


def run(
    command: Sequence[str], environment: Mapping[str, str], seconds: float, directory: str | None = None
) -> Finished:
    """Run a program to its end, with nothing on its standard input.

    Raises OSError when it cannot be started, and :class:`TimeoutError` (an OSError, too) when it took longer than ``seconds``; it
    is killed then.
    """
    # run_command has no time limit, and the host program has no AnsibleModule.
    with subprocess.Popen(  # pylint: disable=ansible-bad-function
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        cwd=directory,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise TimeoutError from None
    return Finished(process.returncode, stdout, stderr)
