# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""End a person's sign-in, before the profile that names it goes."""

from __future__ import annotations

from . import processes
from .host_program import user_sign_in
from .host_program.config import Config

_TIMEOUT_SECONDS = 30.0


def sign_out(home: str, environment: dict[str, str], check: bool) -> tuple[list[str], list[str]]:
    """What was (or with ``check`` would be) done, and warnings. A failure holds nothing up: the rest can still be taken away."""
    try:
        config = Config.load(Config(home, "", "", "", 0).config_file)
    except (OSError, ValueError, TypeError):
        return [], []  # nothing is set up (any more), so no sign-in is known
    if config.identity != "user":
        return [], []
    reason = None if check else _log_out(config, environment)
    if reason:
        return [], [f"{home}: profile {config.profile} could not be signed out ({reason})"]
    return [f"profile {config.profile}: signed out"], []


def _log_out(config: Config, environment: dict[str, str]) -> str | None:
    """Why it did not work, if so."""
    cli = user_sign_in.find_cli(config.home, environment)
    if cli is None:
        return "the Databricks CLI is not installed"
    command = [cli, "auth", "logout", "-p", config.profile, "--auto-approve"]
    try:
        done = processes.run(command, user_sign_in.clean_environment(config, environment), _TIMEOUT_SECONDS)
    except TimeoutError:
        return f"no answer within {_TIMEOUT_SECONDS:.0f} s"
    except OSError as error:
        return f"{cli} cannot be started: {error.strerror}"
    if done.status == 0:
        return None
    return next((line.strip() for line in done.stderr.splitlines() if line.strip()), f"exit status {done.status}")
