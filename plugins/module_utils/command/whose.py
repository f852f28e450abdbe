# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose command this is: imported before anything that is compiled for long."""

from __future__ import annotations

import os
from typing import NamedTuple

from ..engine.owner import Owner, check_home, current_owner, machine_owner
from ..errors import OperatorError
from ..host_program.config import Config
from ..places import MACHINE

NOTHING = "nothing is rolled out here for this user: IT does that with the Ansible collection fmapi.coding_agents"


class Here(NamedTuple):
    """The configuration, who it is for, and the person's own cache directory."""

    config: Config
    owner: Owner

    @property
    def is_everybodys(self) -> bool:
        """Whether the person is one of all users of this host, who may change nothing of it."""
        return self.owner.is_machine and os.geteuid() != 0

    @property
    def cache(self) -> str:
        return self.owner.cache if not self.is_everybodys else self.config.cache_directory


def find(config_file: str) -> Here:
    """Raises OperatorError where nothing is rolled out, or what is cannot be used."""
    try:
        config = Config.load(config_file)
    except FileNotFoundError:
        raise OperatorError(NOTHING) from None
    except (OSError, ValueError, TypeError) as error:
        raise OperatorError(f"cannot be used ({error})", config_file, "Ask for a rollout") from None
    return Here(config, _owner(config))


def _owner(config: Config) -> Owner:
    if not config.is_machine:
        return check_home(current_owner(config.home))
    if os.geteuid() == 0:
        return machine_owner()
    # The files are root's; the home, and what is asked from there, is the person's.
    return current_owner(config.home)._replace(uid=0, gid=0, scope=MACHINE)
