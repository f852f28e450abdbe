# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What agents call, and the sign-in. Of ``token`` and ``headers`` stdout is one line, or nothing."""

from __future__ import annotations

import json
import os
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from . import session
from .config import Config
from .token import RETRY_MAY_HELP, TokenError

if TYPE_CHECKING:
    import argparse


def main(arguments: list[str] | None = None) -> int:
    open_missing_streams()
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    try:
        config = Config.load(options.config)
    except (OSError, ValueError, TypeError) as error:
        sys.stderr.write(f"coding-agents: {options.config} cannot be used ({error}). Run the rollout again\n")
        return RETRY_MAY_HELP
    use_proxy(config)
    if options.verb == "login":
        return _login(config, options)
    return _print_token(config, as_header=options.verb == "headers")


def use_proxy(config: Config) -> None:
    """What this process asks, and what it starts, goes through the operator's proxy."""
    if config.proxy:
        wanted = config.environment(os.environ)
        os.environ.clear()
        os.environ.update(wanted)


def _parse(words: list[str]) -> argparse.Namespace | SimpleNamespace:
    if len(words) == 3 and words[0] == "--config" and words[2] in ("token", "headers"):
        # As agents call it, a hundred at once: a parser would be a fifth of the work.
        return SimpleNamespace(config=words[1], verb=words[2])
    import argparse

    parser = argparse.ArgumentParser(
        prog="coding-agents", description="Tokens of a Databricks workspace for coding agents."
    )
    parser.add_argument("--config", required=True, help="the configuration that the rollout wrote")
    add_verbs(parser.add_subparsers(dest="verb", required=True))
    return parser.parse_args(words)


def add_verbs(verbs: argparse._SubParsersAction[Any]) -> None:
    verbs.add_parser("token", help="print an access token and a newline, nothing else")
    verbs.add_parser("headers", help="print a JSON object with the Authorization header, as telemetry wants it")
    _add_login(verbs.add_parser("login", help="sign this person in, in a browser, unless a token can be had already"))


def open_missing_streams() -> None:
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


def _add_login(login: argparse.ArgumentParser) -> None:
    login.add_argument(
        "--timeout", type=float, default=300.0, metavar="SECONDS", help="wait so long for the person (300)"
    )
    login.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="wait so long for the network (0)")
    login.add_argument("--no-browser", action="store_true", help="open no browser here: show the link only")
    login.add_argument("--again", action="store_true", help="sign in anew even so, as somebody else for example")
    login.add_argument(
        "--store",
        choices=("file", "keyring"),
        default="",
        help="keep the sign-in there; in a file it can be reached from each login, over ssh too",
    )
    login.add_argument("--quiet", action="store_true", help="say nothing when nobody has to sign in")
    login.add_argument("--tied", action="store_true", help="end when standard input does, as when its owner is gone")


def _login(config: Config, options: argparse.Namespace | SimpleNamespace) -> int:
    from . import browser, login

    limits = login.Options(
        options.timeout, not options.no_browser, options.wait, options.tied, options.again, options.store
    )
    return login.run(config, limits, browser.here(dict(os.environ)), options.quiet)


def _print_token(config: Config, as_header: bool) -> int:
    try:
        token = session.token(config, dict(os.environ))
    except TokenError as error:
        sys.stderr.write(f"coding-agents: {error}\n")
        return error.exit_status
    line = json.dumps({"Authorization": f"Bearer {token.value}"}) if as_header else token.value
    sys.stdout.write(line + "\n")
    return 0
