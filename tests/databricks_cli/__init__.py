# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""A stand-in for the Databricks CLI 1.13.0: what a caller of ``databricks auth`` meets, with all that is awkward about it.

The real program is in no package registry that a test can reach. Its behaviour was measured; this package repeats the
measurements and nothing else, README.md names them. Standard library only (databricks-sdk takes a second to import and the real
program starts in 20 ms, and hosts that tests make have no SDK), so the package can be copied to any host with a Python.
"""

from __future__ import annotations

import os
import sys

#: Faults a test may ask for, see knobs.py. Not named DATABRICKS_*: callers clear those, and the fault has to reach the program.
KNOBS_VARIABLE = "STANDIN_DATABRICKS_CLI"

_WRAPPER = """\
#!/bin/sh
# Stand-in for the Databricks CLI (tests/databricks_cli).
{variable}=${{{variable}-{knobs}}}
export {variable}
exec {python} -I -S -c {program} "$@"
"""


def install(
    directory: str | os.PathLike[str], python: str = sys.executable, *, knobs: str = "", root: str | None = None
) -> str:
    """Write an executable called ``databricks`` into ``directory`` and return its path.

    :param python: the interpreter that runs it, by its path on the host where it will run. Python 3.9 or newer.
    :param knobs: faults that this copy has always, as in ``STANDIN_DATABRICKS_CLI`` (which overrides it).
    :param root: directory that holds ``tests/databricks_cli``; this repository when not given.
    """
    import shlex

    root = root or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    program = f"import sys; sys.path.insert(0, {root!r}); from tests.databricks_cli.main import run; run()"
    path = os.path.join(os.fspath(directory), "databricks")
    text = _WRAPPER.format(
        variable=KNOBS_VARIABLE, knobs=shlex.quote(knobs), python=shlex.quote(python), program=shlex.quote(program)
    )
    os.makedirs(directory, exist_ok=True)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.chmod(path, 0o755)  # noqa: S103 - a program for everyone, like any in a bin directory
    return path
