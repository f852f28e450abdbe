# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell functions that an older set-up script has left in start files: which are its own, and which their owner has made their own.

A function comes before every program of its name, and these ones put a token into the agent's settings. The script wrote each between
two marker lines, by the name that the person chose; no two are alike (there is a profile in it, and the place of the settings), and it
wrote several kinds over the years. So it is known by what all kinds do: every line is one of the script's few statements.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .. import careful
from ..agents import Agent
from ..engine.documents import MISSING
from ..engine.documents.block_document import WRAPPER, BlockDocument
from ..engine.owner import Owner
from ..errors import OperatorError

START_FILES = (".bashrc", ".zshrc")
"""Below the home: the script wrote into no others."""

_VARIABLES = "token|host|expiry|lifetime|now|oauth_tok|new_token|pat_json|new_expiry|tmpfile"
_STATEMENT = r"""\s*(?:
        | \#.*
        | local\ (?:sf="[^"$`]+"|[a-z_\ ]+(?:=""|\ profile="[^"$`]+"|profile="[^"$`]+")?)
        | \[\[\ !\ -f\ "\$sf"\ \]\]\ &&\ {\ command\ claude\ "\$@";\ return;\ }
        | (?:VARIABLES)=.*
        | if\ \[\[\ -[nz]\ "\$(?:VARIABLES)"\ \]\].*
        | \[\[\ "\$\(curl\ .*
        | \[\[\ -n\ "\$tid"\ \]\]\ &&\ databricks\ tokens\ delete\ .*
        | echo\ "\[NAME\]\ [^"]*(?:\$\(date\ -r\ "\$new_expiry"[^")]*\)[^"]*)?"(?:\ >&2)?
        | databricks\ (?:auth\ login|tokens\ list)\ .*
        | jq\ --arg.*
        | \|\ (?:jq\ -r|while\ IFS=\ read\ -r\ tid;\ do).*
        | --(?:lifetime-seconds|comment|profile|output)\ .*
        | '\.env\.ANTHROPIC_AUTH_TOKEN\ =.*
        | "\$sf"\ >\ "\$tmpfile"\ &&.*
        | else | fi | done | return\ 1 | command\ claude\ "\$@"
    )\s*""".replace("VARIABLES", _VARIABLES)
"""Compiled where a function is found: most hosts have none, and every look would pay for it."""
_LAST = 'command claude "$@"'
_LONGEST_LINE = 2000


class OlderFunction(NamedTuple):
    """One that stands in a start file. ``problem``: why it stays there, as a clause; empty where it can be taken over."""

    name: str
    path: str
    line: int
    problem: str = ""


def found(owner: Owner, agent: Agent, read: Callable[[str], bytes] = careful.read) -> Iterator[OlderFunction]:
    """The functions by an agent's older commands, and by its own, in the files that the script wrote into. Reads files only.

    ``read`` gives a file's bytes, or raises OSError.
    """
    if not agent.other_commands:
        return
    for file in START_FILES:
        path = os.path.join(owner.home, file)
        try:
            document = BlockDocument(read(path))
        except (OSError, OperatorError):
            continue  # planning says why, with the place
        for name in (*agent.other_commands, agent.command):
            yield from _found_in(document, path, name, is_own=name == agent.command)


def _found_in(document: BlockDocument, path: str, name: str, is_own: bool) -> Iterator[OlderFunction]:
    if name not in document.text:
        return  # before an expression is compiled for it: every look asks
    marker = re.compile(rf"^# (?:>>>|<<<) {re.escape(name)} {WRAPPER} (?:>>>|<<<)", re.MULTILINE)
    marked = marker.search(document.text)
    # By the agent's own name many have a function of their own: of those, only the script's is ours to judge.
    first = marked or (None if is_own else _definition(name).search(document.text))
    if first is None:
        return
    line = document.text.count("\n", 0, first.start()) + 1
    block = document.get((WRAPPER, name))
    if marked is None:
        yield OlderFunction(name, path, line, "has no marker lines around it: the older script did not write it")
    elif block is MISSING:
        yield OlderFunction(name, path, line, "is not whole, or stands twice: its marker lines are no pair")
    else:
        yield OlderFunction(name, path, line, _problem(name, block.splitlines()[1:-1]))


def _definition(name: str) -> re.Pattern[str]:
    ways = (r"function[ \t]+{0}\b", r"{0}[ \t]*\(\)", "alias {0}=")
    named = "|".join(way.format(re.escape(name)) for way in ways)
    return re.compile(rf"^[ \t]*(?:{named})", re.MULTILINE)


def _problem(name: str, lines: list[str]) -> str:
    """Why the lines between two markers are not as the script has written them."""
    if not lines or lines[0].rstrip() != f"{name}() {{":
        return "was changed since the older script wrote it"
    if "}" not in [line.rstrip() for line in lines]:
        return "is not whole: it has no closing brace"
    inner = lines[1:-1]
    known = lines[-1].rstrip() == "}" and inner and inner[-1].strip() == _LAST
    for line in inner if known else ():
        plain = line.replace(f"[{name}]", "[NAME]")
        if len(line) > _LONGEST_LINE or not re.fullmatch(_STATEMENT, plain, re.VERBOSE):
            known = False
    return "" if known else "was changed since the older script wrote it"
