# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs of the host program. ``token`` is what agents call: stdout is the token and a newline, or nothing."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys

from . import session
from .config import Config
from .token import RETRY_MAY_HELP, TokenError


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="coding-agents", description="Tokens of a Databricks workspace for coding agents."
    )
    parser.add_argument("--config", required=True, help="the configuration that the rollout wrote")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("token", help="print an access token and a newline, nothing else")
    status = verbs.add_parser("status", help="print state, expiry, identity and paths; never a token")
    status.add_argument("--json", action="store_true", help="as one JSON object")
    _open_missing_streams()
    options = parser.parse_args(arguments)
    try:
        config = Config.load(options.config)
    except (OSError, ValueError, TypeError) as error:
        sys.stderr.write(f"coding-agents: {options.config} cannot be used ({error}). Run the rollout again\n")
        return RETRY_MAY_HELP
    return _token(config) if options.verb == "token" else _status(config, options.json)


def _open_missing_streams() -> None:
    """An agent may start us with closed streams: the next file we open would become one of them, the refresh's lock for example.

    And what is printed to a stderr that is not there goes to stdout, where only a token may stand.
    """
    while True:
        descriptor = os.open(os.devnull, os.O_RDWR)
        if descriptor > 2:
            os.close(descriptor)
            break
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def _token(config: Config) -> int:
    environment = dict(os.environ)
    try:
        token = session.token(config, environment)
    except TokenError as error:
        sys.stderr.write(f"coding-agents: {error}\n")
        return error.exit_status
    sys.stdout.write(f"{token.value}\n")
    return 0


def _status(config: Config, as_json: bool) -> int:
    found = session.look(config, dict(os.environ))
    expires_at = found["expires_at"]
    report = {
        "state": found["state"],
        "detail": found["detail"],
        "expires": expires_at and datetime.datetime.fromtimestamp(expires_at, datetime.timezone.utc).isoformat(),
        "identity": config.identity,
        "user": found["user"],
        "workspace_url": config.workspace_url,
        "profile": config.profile,
        "token_helper": config.helper,
    }
    if as_json:
        sys.stdout.write(json.dumps(report, indent=1) + "\n")
    else:
        for name, value in report.items():
            sys.stdout.write(f"{name.replace('_', ' '):14} {'-' if value is None else value}\n")
    return 0
