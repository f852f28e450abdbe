# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``coding-agents`` as a person types it: on PATH, completed by the shells that are there, with a page for ``man``.

All of it is below the prefix in which agents' programs stand, where PATH leads anyway.
"""

from __future__ import annotations

import os
from typing import Any

from ..engine import traces
from ..engine.documents import KeyPath, LinkDocument
from ..engine.ledger import Ledger
from ..engine.owner import Owner
from ..engine.ownership import Wanted, whole_file
from ..host_program.config import FRONT_NAME
from . import person
from .base import Options, Part
from .command_texts import COMPLETIONS, MANUAL
from .context import bare_config

_MANUAL = ("share", "man", "man1", f"{FRONT_NAME}.1")
_COMPLETIONS = {
    "bash": ("share", "bash-completion", "completions", FRONT_NAME),
    "zsh": ("share", "zsh", "site-functions", f"_{FRONT_NAME}"),
    "fish": ("share", "fish", "vendor_completions.d", f"{FRONT_NAME}.fish"),
}
_SHELLS_FILES = {"zsh": (".zshrc", ".zprofile"), "fish": (os.path.join(".config", "fish"),)}
"""What shows that a person uses a shell that is not their login shell. bash is everywhere; all users of a host use all of them."""


class Command(Part):
    name = "command"

    def wanted(self, owner: Owner, options: Options) -> list[Wanted]:
        link = self._link(owner)
        if not link:
            return []
        texts = [(_place(owner, _MANUAL), MANUAL, f"manual page of {FRONT_NAME}")]
        texts += [
            (_place(owner, path), COMPLETIONS[shell], f"completion of {FRONT_NAME} for {shell}")
            for shell, path in _COMPLETIONS.items()
            if _is_used(owner, shell)
        ]
        files = [
            whole_file(path, self.name, text.encode(), summary) for path, text, summary in texts if _may_be_put(path)
        ]
        return [*link, *files]

    def _link(self, owner: Owner) -> list[Wanted]:
        """Nothing where something else has the name, or where nothing may be put."""
        link, target = _link_path(owner), bare_config(owner).front
        if os.path.lexists(link):
            if not _is_ours(owner):
                return []
            target = os.readlink(link)  # as it is, if it leads there by another name: a home may have several
        elif not _may_be_put(link):
            return []
        values: dict[KeyPath, Any] = {(): target}
        return [Wanted(link, LinkDocument.format, self.name, values=values, summary=f"command {FRONT_NAME}")]

    def warnings(self, owner: Owner, options: Options) -> list[str]:
        if self._link(owner):
            return []
        link, front = _link_path(owner), bare_config(owner).front
        said = "is something else" if os.path.lexists(link) else "cannot be written"
        return [f"{link} {said}: people type {front} in its place"]

    def traces(self, ledger: Ledger) -> None:
        owner = ledger.owner
        if _is_ours(owner):
            traces.whole_file(ledger, self.name, _link_path(owner), LinkDocument.format)
        texts = {_MANUAL: MANUAL, **{path: COMPLETIONS[shell] for shell, path in _COMPLETIONS.items()}}
        for path, text in texts.items():
            if traces.content(_place(owner, path)) == text.encode():
                traces.whole_file(ledger, self.name, _place(owner, path))


def _place(owner: Owner, below: tuple[str, ...]) -> str:
    return os.path.join(owner.prefix, *below)


def _link_path(owner: Owner) -> str:
    return _place(owner, ("bin", FRONT_NAME))


def _is_ours(owner: Owner) -> bool:
    link = _link_path(owner)
    return os.path.islink(link) and os.path.realpath(link) == os.path.realpath(bare_config(owner).front)


def _is_used(owner: Owner, shell: str) -> bool:
    if owner.is_machine or shell not in _SHELLS_FILES or shell == person.login_shell(owner):
        return True
    return any(os.path.lexists(os.path.join(owner.home, name)) for name in _SHELLS_FILES[shell])


def _may_be_put(path: str) -> bool:
    directory = os.path.dirname(path)
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    return os.access(directory, os.W_OK | os.X_OK)
