# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What older tools have left, on the way back: their files and tokens go where the operator wants that."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from . import careful
from .engine import files
from .engine.ledger import Ledger
from .engine.owner import Owner
from .engine.ownership import Plan, plan
from .engine.transaction import Outcome, bring
from .errors import OperatorError
from .parts import PARTS, older_tokens, older_tools, older_tools_table
from .parts.base import NOTHING, Done
from .places import How

Options = Mapping[str, Any]

COMPONENT = older_tools.COMPONENT


def are_taken(options: Options) -> bool:
    """Where the operator wants that, and everything of ours goes."""
    return bool(options.get("uninstall_older_tools")) and not set(PARTS) - set(options.get("parts") or PARTS)


def revoke(owner: Owner, options: Options, how: How) -> list[str]:
    """End the tokens that older tools had made, as long as the person's session stands. Raises OperatorError."""
    if not options.get("revoke_legacy_pats"):
        return []
    if how.check:
        tokens = older_tokens.listed(owner, dict(os.environ), renew=False).tokens
        return [older_tokens.said(one) for one in tokens]
    return older_tokens.revoke(owner, dict(os.environ))


def remove(owner: Owner, options: Options, how: How, given_back: Outcome) -> tuple[list[Plan], Done]:
    """Take away what older tools have left, in a transaction of its own: what ours had replaced stands there again by now."""
    if not are_taken(options):
        return [], NOTHING
    view = what_will_stand(given_back)
    those = [one for one in older_tools.found(owner, view, dict(os.environ)) if one.can_go]
    clones = [f"{one.path}: {one.what}: removed" for one in those if not one.format]
    if how.check:
        ledger = Ledger(owner)
        older_tools.enter(ledger, those)
        records = ledger.documents.items()
        return [
            plan(path, view(path), files.read(path).mode, entry, None, ledger.salt) for path, entry in records
        ], Done(clones, [])
    ledger = Ledger.load(owner)
    try:
        if those and (ledger.documents or ledger.pending):
            raise OperatorError(f"what {older_tools_table.SCRIPT} has left stays until all of ours is given back")
        plans = bring(owner, [older_tools.COMPONENT], [], False, lambda new: older_tools.enter(new, those)).plans
    except OperatorError as error:
        return [], Done([], [], (error.told,))
    return plans, Done(clones, [], tuple(older_tools.remove_clones(those)))


def what_will_stand(outcome: Outcome) -> older_tools.View:
    """What stands at a path once ours is given back, which it may be already."""
    after = {files.place(one.path): one.after for one in outcome.plans if one.changed and not one.is_link}

    def view(path: str) -> bytes | None:
        place = files.place(path)
        return after[place] if place in after else _content(path)

    return view


def _content(path: str) -> bytes | None:
    try:
        return careful.read(path)
    except OSError:
        return None
