# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one capability has to answer when a host is looked at, rolled out, examined and given back.

``options`` are the options of :mod:`..options` by name, as a module has them: every method takes what it needs from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..engine.ledger import Ledger
from ..engine.owner import Owner
from ..engine.ownership import Wanted
from .examination import Check, Examination

Options = Mapping[str, Any]


class Done(NamedTuple):
    """What was done (or with check mode would be) beyond documents, in words, and what the owner should know."""

    changes: list[str]
    warnings: list[str]
    errors: tuple[str, ...] = ()
    """What is left, and why: the next run finishes it."""

    def and_then(self, other: Done) -> Done:
        return Done(self.changes + other.changes, self.warnings + other.warnings, self.errors + other.errors)


NOTHING = Done([], [])


class Part:
    """One capability. Its ``name`` is its module's and its tag's, and marks its documents in the ledger."""

    name = ""

    def wanted(self, owner: Owner, options: Options) -> list[Wanted]:
        """The documents, in writing order: every prefix of them must work. Reads files only.

        Raises OperatorError and ValueError for what must be mended first.
        """
        raise NotImplementedError

    def missing(self, owner: Owner, options: Options) -> list[str]:
        """What is to be brought about beyond documents, in words; nothing where all is there. Reads files only."""
        return []

    def downloads(self, owner: Owner, options: Options) -> tuple[dict[str, str], list[str]]:
        """What :meth:`prepare` would fetch: versions by agent, and tools by name. Writes nothing."""
        return {}, []

    def require_carried(self, owner: Owner, options: Options) -> None:
        """Raises what has the control node call again, where this host lacks what a call brings on demand. Never in check mode."""

    def prepare(self, owner: Owner, options: Options) -> Any:
        """Do what may refuse, before any document is written: ask for a token, fetch a program. Not called in check mode.

        What it returns is handed to :meth:`after` or to :meth:`abandon`. It leaves nothing behind when it raises.
        """
        return None

    def abandon(self, owner: Owner, options: Options, prepared: Any) -> None:
        """Something that came later has failed: take back what :meth:`prepare` had done."""

    def after(self, owner: Owner, options: Options, prepared: Any) -> None:
        """The documents are written: do what follows from it."""

    def facts(self, owner: Owner, options: Options, asking: bool) -> dict[str, Any]:
        """Keys of the module's result. Reads files only, unless ``asking``: then other programs may be asked, too."""
        return {}

    def warnings(self, owner: Owner, options: Options) -> list[str]:
        """What of the owner's own keeps this from being of use, and is theirs to mend. Reads files only."""
        return []

    def before_withdrawal(self, owner: Owner, options: Options, check: bool) -> Done:
        """The documents are about to be given back."""
        return NOTHING

    def after_withdrawal(self, owner: Owner, options: Options, check: bool) -> Done:
        """The documents have been given back."""
        return NOTHING

    def checks(self, examination: Examination) -> Iterator[Check]:
        """What the doctor looks at beyond the documents."""
        return iter(())

    def traces(self, ledger: Ledger) -> None:
        """Fill a ledger that was lost with what can still be known to be ours from the files themselves. Reads files only."""
