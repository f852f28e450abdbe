# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``relay.pyz --settings FILE serve``: the relay of whoever starts it. ``mcp-web``: its web tools alone, for one agent."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys

from .. import careful
from ..host_program import main as host_program
from ..host_program.config import Config
from ..host_program.token import TokenError
from .places import Places, own_key
from .running import Running
from .settings import Settings
from .taking import PortTaken, take

_MOST_BYTES = 1 << 26


def main(arguments: list[str] | None = None) -> int:
    host_program.open_missing_streams()
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    os.umask(0o077)
    try:
        settings = Settings.load(options.settings)
        config = Config.load(settings.config)
    except (OSError, ValueError, TypeError) as error:
        return _fail(
            f"{options.settings}, or the configuration that it names, cannot be used ({error}). Run the rollout again"
        )
    host_program.use_proxy(config)
    if options.verb == "mcp-web":
        from .web import mcp

        return mcp.serve(settings, config)
    return _serve(settings, config, options.replace)


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="relay.pyz", description="A relay to a Databricks workspace for coding agents."
    )
    parser.add_argument("--settings", required=True, help="the settings that the rollout wrote")
    verbs = parser.add_subparsers(dest="verb", required=True)
    serve = verbs.add_parser("serve", help="serve until it is told to end, or nobody needs it any more")
    serve.add_argument("--replace", action="store_true", help="even where such a relay serves already")
    verbs.add_parser(
        "mcp-web", help="answer an agent that asks for web search and pages, by the Model Context Protocol"
    )
    return parser.parse_args(words)


def _serve(settings: Settings, config: Config, replace: bool) -> int:
    places = Places(config.home)
    told = settings.to_json() + config.to_json()
    digests = {"settings": digest(told.encode()), "program": _program_digest()}
    try:
        key = own_key(places)
        # It takes the longest, and whoever is replaced serves meanwhile.
        from . import server

        listener = take(settings, places, key, digests, replace)
        if listener is None:
            sys.stderr.write(f"coding-agents: the relay serves already on port {settings.port}\n")
            return 0
        server.run(settings, config, places, key, listener, Running(settings, places, digests))
    except (OSError, TokenError, PortTaken) as error:
        return _fail(str(error))
    return 0


def digest(content: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _program_digest() -> str:
    """Of the file that this runs from; empty where it is none."""
    try:
        return digest(careful.read(sys.argv[0], _MOST_BYTES))
    except OSError:
        return ""


def _fail(sentence: str) -> int:
    sys.stderr.write(f"coding-agents: {careful.line(sentence, 2000)}\n")
    return 1
