# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program's code as a rollout, or this command before, has compiled it: without, to start takes three times as long."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .. import loading
from ..errors import OperatorError
from . import whose


@contextlib.contextmanager
def code(config_file: str) -> Iterator[None]:
    """While this lasts, modules come from there; what had to be compiled is kept for the next one."""
    try:
        here = whose.find(config_file)
        with open(here.config.program, "rb") as stream:
            carried = {"program_sha256": loading.digest(stream.read())}
        loading.load(here.owner, carried, here.cache, "command")
    except (OSError, OperatorError):  # is told by the verb that needs it
        yield
        return
    try:
        yield
    finally:
        loading.keep(here.owner, carried, here.cache)
