# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one can type after ``coding-agents``, its help, and its exit statuses."""

from __future__ import annotations

import argparse
import re
from typing import Any, NoReturn

from ..host_program import main as host_program

OK, FAILED, SIGN_IN_NEEDED, WRONG_USE = 0, 1, 2, 64

_EPILOG = """\
examples:
  coding-agents status              what is set up here, and whether it still is
  coding-agents doctor              what is wrong, and the way out
  coding-agents models --validate   whether the models that agents ask for are served
  coding-agents run claude -p hi    start an agent with what it needs
  coding-agents repair              bring back what was rolled out

exit statuses:
  0   done, or all is in order
  1   something failed, or differs from what was rolled out
  2   somebody has to sign in: coding-agents login
  64  this command was not understood
  run AGENT ends with the agent's own
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        message = re.sub(
            r"^argument VERB: invalid choice: ('.*?') \(choose from (.*)\)$", r"there is no \1: use \2", message
        )
        self.exit(WRONG_USE, f"{self.prog}: {message}. See {self.prog.partition(' ')[0]} --help\n")


def parser() -> argparse.ArgumentParser:
    found = _Parser(
        prog="coding-agents",
        description="Coding agents that use the models of a Databricks workspace: what is set up on this host.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--config", required=True, help=argparse.SUPPRESS)
    verbs = found.add_subparsers(dest="verb", metavar="VERB", required=True)
    status = verbs.add_parser("status", help="say what is set up, who is signed in, and what differs; asks nobody")
    _as_json(status)
    status.add_argument("-v", "--verbose", action="store_true", help="name each file that belongs to it, too")
    show = verbs.add_parser(
        "show", help="print the configuration in force: URLs, models, whether there is a token; asks nobody"
    )
    _as_json(show)
    doctor = verbs.add_parser("doctor", help="check each part, with the way out where something is wrong")
    _as_json(doctor)
    doctor.add_argument("--prompt", action="store_true", help="have each agent answer a short prompt, too")
    models = verbs.add_parser("models", help="list the models that the workspace serves, marking those in use")
    _as_json(models)
    models.add_argument("--validate", action="store_true", help="only those in use, and whether they are ready")
    host_program.add_verbs(verbs)
    verbs.add_parser("logout", help="end this person's sign-in, and forget their tokens")
    repair = verbs.add_parser("repair", help="bring back what was rolled out, where it was changed or is gone")
    repair.add_argument("--check", action="store_true", help="say what would be done, and change nothing")
    run = verbs.add_parser("run", help="start an agent with what it needs", prefix_chars="\0", add_help=False)
    run.add_argument("agent", metavar="AGENT", help="its command, such as claude")
    run.add_argument("arguments", metavar="ARGUMENTS", nargs=argparse.REMAINDER, help="all of them go to the agent")
    _add_relay(verbs)
    mcp = verbs.add_parser("mcp", help="what agents start to get more tools (Model Context Protocol)")
    mcp.add_subparsers(dest="action", metavar="SERVER", required=True).add_parser("web", help="web search, and pages")
    uninstall = verbs.add_parser("uninstall", help="give back this person's files as they were found")
    uninstall.add_argument("--user", action="store_true", required=True, help="of this person alone")
    uninstall.add_argument("--check", action="store_true", help="say what would be done, and change nothing")
    uninstall.add_argument("--yes", action="store_true", help="do not ask")
    verbs.add_parser("version", help="print which version is installed")
    completions = verbs.add_parser("completions", help="print what makes a shell complete this command")
    completions.add_argument("shell", choices=("bash", "zsh", "fish"))
    return found


def _as_json(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--json", action="store_true", help="as one JSON object")


def _add_relay(verbs: argparse._SubParsersAction[Any]) -> None:
    relay = verbs.add_parser("relay", help="the relay: what passes on to the workspace what agents ask")
    actions = relay.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("start", help="start it, unless it runs already")
    actions.add_parser(
        "run", help="start it, print PROXY_URL, and keep it until interrupted, or until nobody asks it anything"
    )
    status = actions.add_parser("status", help="say whether it runs, and for whom")
    _as_json(status)
    actions.add_parser("stop", help="have it end, once what runs through it has ended")
    actions.add_parser("key", help="print the key that it takes from agents, and start it where it does not run")
    actions.add_parser("session-start", help="what an agent calls as a session begins")
    actions.add_parser("session-end", help="what an agent calls as a session ends")
