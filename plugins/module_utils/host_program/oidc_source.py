# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a workload's OIDC token comes from: a file, a variable of the calling process, or a command. We never write it anywhere."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .. import careful, processes
from .config import Config
from .token import TokenError, token_text

COMMAND_SECONDS = 20.0
_MOST_BYTES = 1 << 16


class Source(NamedTuple):
    """The one source of a configuration, as messages speak of it."""

    name: str
    holds: str
    way_out: str


def source_of(config: Config) -> Source:
    """Pure: nothing is read."""
    if config.oidc_token_file:
        way_out = "Check coding_agents_oidc_token_file, and what writes that file"
        return Source(f"the OIDC token file {config.oidc_token_file}", "holds", way_out)
    if config.oidc_token_env:
        way_out = "Start the agent where it is set, or use coding_agents_oidc_token_file"
        return Source(f"the environment variable {config.oidc_token_env}", "holds", way_out)
    way_out = "Run it in a terminal to see why, or correct coding_agents_oidc_token_command"
    return Source(f"the OIDC token command {_command_of(config)[0]}", "printed", way_out)


def read(config: Config, environment: Mapping[str, str]) -> str:
    """The OIDC token that the source has now. Raises TokenError where it has none; its text is in no message."""
    source = source_of(config)
    if config.oidc_token_file:
        text = _file(_in_home(config, config.oidc_token_file), source)
    elif config.oidc_token_env:
        if config.oidc_token_env not in environment:
            raise _problem(source, "is not set in this process")
        text = environment[config.oidc_token_env]
    else:
        text = _command(config, environment, source)
    lines = text.strip().splitlines()
    if len(lines) != 1:
        what = f"{len(lines)} lines where one must stand" if lines else "nothing"
        raise _problem(source, f"{source.holds} {what}")
    try:
        return token_text(lines[0])
    except ValueError:
        raise _problem(source, f"{source.holds} something that is no token") from None


def _in_home(config: Config, path: str) -> str:
    """Of a machine's configuration, the home is known only now."""
    return os.path.join(config.home, path[2:]) if path.startswith("~/") else path


def _file(path: str, source: Source) -> str:
    try:
        return careful.read(path, _MOST_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        raise _problem(source, "does not exist") from None
    except OSError as error:
        raise _problem(source, f"cannot be read ({error.strerror})") from None


def _command_of(config: Config) -> Sequence[str]:
    return config.oidc_token_command or ("",)


def _command(config: Config, environment: Mapping[str, str], source: Source) -> str:
    # An exported DATABRICKS_* is for another workspace or identity, as often as not.
    kept = {name: value for name, value in environment.items() if not name.startswith("DATABRICKS_")}
    try:
        done = processes.run(_command_of(config), {**kept, "HOME": config.home}, COMMAND_SECONDS)
    except TimeoutError:
        raise _problem(source, f"did not end within {COMMAND_SECONDS:.0f} s") from None
    except OSError as error:
        raise _problem(source, f"cannot be started ({error.strerror})") from None
    if done.status != 0:
        raise _problem(source, f"failed with exit status {done.status}")
    return done.stdout


def _problem(source: Source, what: str) -> TokenError:
    return TokenError(f"{source.name} {what}", hint=source.way_out)
