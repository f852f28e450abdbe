# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook configure: from questions or answers to a file of variables, and an inventory where there is none."""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..module_utils.errors import OperatorError
from ..module_utils.options import control_node, judge
from ..module_utils.options.values import PREFIX, as_boolean
from . import run_store, variables_file
from .questions import Interview, Person, Resolve, Survey, problems, summary, tidied, vaulted
from .variables_file import VAULT, Found

FILE = f"{PREFIX}configure_file"
ANSWERS = f"{PREFIX}answers"
_REPLACE = f"{PREFIX}configure_replace"

_USUAL_FILE = os.path.join("group_vars", "all", "coding_agents.yml")
_USUAL_INVENTORY = "inventory.yml"
_INVENTORIES = (
    _USUAL_INVENTORY,
    "inventory.yaml",
    "inventory.ini",
    "inventory",
    "hosts.yml",
    "hosts.yaml",
    "hosts.ini",
    "hosts",
)
_OF_YAML = ("", ".yml", ".yaml")
"""How an inventory may end that Ansible reads as YAML."""
_STUB = """\
# The hosts of fmapi.coding_agents, begun by its playbook configure. Add yours; this machine alone is the first.
---
all:
  hosts:
    localhost:
      ansible_connection: local
"""
ASKED = ("workspace_url", "identity", "client_id", "agents", "routing", "models", "models_auto", "scope", "users")
"""What is asked for, and can be known from elsewhere."""

OF_PLAYBOOKS = frozenset(
    ("answers", "configure_file", "configure_replace", "hosts", "report", "models_query", *control_node.CONFIG)
)
"""What is said to one run, and in no configuration."""


class Places(NamedTuple):
    """Where the variables are written, and where hosts stand or are to stand."""

    file: str
    inventory: str
    has_inventory: bool


def places(named: str | None, inventories: Sequence[str]) -> Places:
    """Beside the inventory that the command line names, else in this directory, unless the operator names a file.

    ``inventories`` are those of the command line, without lists of hosts. Raises OperatorError.
    """
    inventory = os.path.abspath(inventories[0]) if inventories else ""
    beside = inventory if os.path.isdir(inventory) else os.path.dirname(inventory) or os.getcwd()
    file = os.path.abspath(os.path.expanduser(named)) if named else os.path.join(beside, _USUAL_FILE)
    if inventory:
        there_already = os.path.exists(inventory)
        if not there_already and os.path.splitext(inventory)[1] not in _OF_YAML:
            raise OperatorError(
                "is not there, and the inventory that configure writes is YAML", f"-i {inventory}", "Name it .yml"
            )
        return Places(file, inventory, there_already)
    directory = _of_group_vars(file) or beside
    there = next((one for one in _INVENTORIES if os.path.exists(os.path.join(directory, one))), None)
    return Places(file, os.path.join(directory, there or _USUAL_INVENTORY), there is not None)


def _of_group_vars(file: str) -> str:
    """The directory whose ``group_vars`` a file is in; empty if it is in none."""
    before, found, _after = file.rpartition(f"{os.sep}group_vars{os.sep}")
    return before if found else ""


def read_answers(path: str) -> dict[str, Any]:
    """The answers of a file, by option. Raises OperatorError."""
    found = variables_file.read(os.path.abspath(os.path.expanduser(path)), ANSWERS)
    if found is None:
        raise OperatorError("is not there", f"{ANSWERS} {path}", "Name a YAML file of variables")
    answers = variables_file.options_of(found.values)
    strange = [name for name in found.values if not name.startswith(PREFIX)]
    wrong = [f"{name} is no variable of ours: they begin with {PREFIX}." for name in strange] + judge.unknown(answers)
    if wrong:
        raise OperatorError("\n".join([f"{ANSWERS} {path} cannot be used", *wrong]))
    return {name: value for name, value in answers.items() if name not in OF_PLAYBOOKS}


class Configuring:
    """One run.

    :param person: who answers; with ``answers``, who is told what is written.
    :param answers: what a file says, by option; None to ask.
    :param variables: what the play knows of each option, as it stands: defaults where the file says nothing.
    :param stated: what the command line says, over both.
    :param replace: whether a file that others have written may be replaced without a question.
    """

    def __init__(
        self,
        person: Person,
        answers: Mapping[str, Any] | None,
        variables: Mapping[str, Any],
        stated: Mapping[str, Any],
        resolve: Resolve,
        survey: Survey,
        replace: bool,
        check_mode: bool,
    ) -> None:
        self._person = person
        self._answers = answers
        self._variables = variables
        self._stated = stated
        self._resolve = resolve
        self._survey = survey
        self._replace = replace
        self._check_mode = check_mode

    def run(self, where: Places) -> dict[str, Any]:
        """The module's result. Raises OperatorError; a file was written only if that was said before."""
        before = variables_file.read(where.file, FILE)
        known = variables_file.options_of(before.values) if before else {}
        kept = self._answers is None and before is not None and self._is_kept(where.file, known)
        options = known if kept else self._wanted(known)
        others = {
            name: value for name, value in (before.values if before else {}).items() if not name.startswith(PREFIX)
        }
        values = {**{PREFIX + name: value for name, value in options.items()}, **others}
        text = before.text if before and kept else variables_file.rendered(values)
        changed = before is None or before.text != text
        if changed:
            self._write(where.file, text, values, before)
        elif not kept:
            self._person.say(f"{where.file} says so already.", "ok")
        if not where.has_inventory:
            self._write(where.inventory, _STUB, {}, None)
        self._say_what_is_next(where, options)
        return {
            "changed": changed or not where.has_inventory,
            "file": where.file,
            "inventory": where.inventory,
            "kept": kept,
        }

    def _is_kept(self, path: str, known: Mapping[str, Any]) -> bool:
        """Whether somebody wants what is there. What cannot be used, or is not what this run says, is not offered."""
        self._person.say(f"Existing configuration found in {path}:", "title")
        for line in summary(known, self._resolve):
            self._person.say(line)
        wrong = problems(known, self._resolve)
        for one in wrong:
            self._person.say(one, "error")
        other = [PREFIX + name for name, value in self._stated.items() if str(known.get(name)) != str(value)]
        if other:
            self._person.say(f"It is not what was said to this run of {', '.join(other)}.", "warning")
        return not wrong and not other and self._says_yes("Keep this configuration?", True)

    def _wanted(self, known: Mapping[str, Any]) -> dict[str, Any]:
        given = {**self._variables, **known, **self._stated}
        if self._answers is None:
            interview = Interview(self._person, given, self._resolve, self._survey)
            interview.ask_all()
            options = interview.values
        else:
            options = tidied({**given, **self._answers}, self._resolve, self._answers)
        wrong = problems(options, self._resolve)
        if wrong:
            raise OperatorError("\n".join(["What is wanted cannot be", *wrong]))
        return options

    def _write(self, path: str, text: str, values: Mapping[str, Any], before: Found | None) -> None:
        """Show what is to be written, ask where others have written there, and write it. Raises OperatorError."""
        would = "Would write" if self._check_mode else "To write"
        self._person.say("")
        self._person.say(f"{would} {path}:", "title")
        if before is None:
            for line in variables_file.masked(text, values).splitlines():
                self._person.say(f"  {line}", "added")
        else:
            old = variables_file.masked(before.text, before.values).splitlines()
            new = variables_file.masked(text, values).splitlines()
            tones = {"+": "added", "-": "removed", "@": "place"}
            for line in difflib.unified_diff(old, new, "before", "after", lineterm=""):
                self._person.say(line, tones.get(line[:1], ""))
        if self._check_mode:
            return
        foreign = before is not None and not before.is_ours
        if self._answers is None:
            question = f"{path} has what configure did not write. Replace it?" if foreign else f"Write {path}?"
            if not self._says_yes(question, not foreign):
                raise OperatorError("was not written: somebody said no", path, "Run it again to begin anew")
        elif foreign and not self._replace:
            raise OperatorError(
                "has what configure did not write, and nobody can be asked whether to replace it",
                path,
                f"Look at the difference above, then set {_REPLACE}: true, or name another file in {FILE}",
            )
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        except OSError as error:
            raise OperatorError(
                f"cannot be made ({error.strerror})", os.path.dirname(path), f"Name another {FILE}"
            ) from None
        run_store.write(path, lambda file: file.write(text), FILE)
        self._person.say(f"Written: {path}", "changed")

    def _says_yes(self, question: str, default: bool) -> bool:
        while True:
            given = self._person.ask(f"{question} [{'Y/n' if default else 'y/N'}]").strip()
            said = default if not given else as_boolean(given)
            if said is not None:
                return said
            self._person.say("Answer yes or no.", "error")

    def _say_what_is_next(self, where: Places, options: Mapping[str, Any]) -> None:
        lacking = [name for name, value in options.items() if value == vaulted(name) and not self._is_known(value)]
        vault = os.path.relpath(os.path.join(os.path.dirname(where.file), "coding_agents_vault.yml"))
        for name in lacking:
            self._person.say(
                f"The secret is in no file yet. Put it into a vault, as {VAULT}{PREFIX}{name}: ...", "warning"
            )
            self._person.say(f"  -> ansible-vault create {shlex.quote(vault)}")
        words = ["ansible-playbook", "fmapi.coding_agents.rollout", "-i", os.path.relpath(where.inventory)]
        is_found = _of_group_vars(where.file) == _directory(where.inventory)
        if not is_found:
            words += ["-e", f"@{os.path.relpath(where.file)}"]
        # A file right in group_vars is the only one of its group: what stands beside it would be of a group by that name.
        if lacking and not (is_found and os.path.basename(os.path.dirname(where.file)) != "group_vars"):
            words += ["-e", f"@{vault}"]
        self._person.say(
            f"Next: {shlex.join([*words, '--check', '--diff', *(['--ask-vault-pass'] if lacking else [])])}"
        )

    def _is_known(self, value: Any) -> bool:
        try:
            self._resolve(value)
        except OperatorError:
            return False
        return True


def _directory(inventory: str) -> str:
    return inventory if os.path.isdir(inventory) else os.path.dirname(inventory)


Say = Callable[[str, str], None]


class Answered:
    """Nobody to ask: what is told is told, and a question is a mistake."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def say(self, text: str, tone: str = "") -> None:
        self._say(text, tone)

    def ask(self, text: str) -> str:
        raise OperatorError(f"has no answer to: {text}", ANSWERS)
