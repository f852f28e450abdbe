# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an uninstall would find of one owner: ours and older tools'."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from . import leavings, rollout
from .engine.owner import Owner
from .engine.ownership import Plan
from .engine.past import digest
from .engine.transaction import bring
from .parts import older_tokens, older_tools, older_tools_table
from .places import How

Options = Mapping[str, Any]

OURS = "fmapi.coding_agents"
"""Among the tools of a listing."""
_WAY_OF_OLDER_TOOLS = "coding_agents_uninstall_older_tools: true removes it"


def list_artifacts(owner: Owner, options: Options, how: How) -> dict[str, Any]:
    """All that an uninstall would find, ours and older tools', and what becomes of each, found by the planning code that does it.

    Writes nothing. The workspace is asked for tokens that older tools have made, where a token to ask with is at hand.
    """
    parts = [*rollout.chosen(options), rollout.WANTED_STATE]
    foretold = bring(owner, [*(part.name for part in parts), leavings.COMPONENT], [], True, rollout.known_traces)
    looked = How(True, how.diff, how.verbose)
    steps = [
        *(rollout.withdrawn(part.before_withdrawal, owner, options, looked) for part in parts),
        *(rollout.withdrawn(part.after_withdrawal, owner, options, looked) for part in parts),
    ]
    ours = [
        *((_told(one), _fate(one)) for one in foretold.plans if one.changed or one.notes),
        *((change, "") for one in steps for change in one.changes),
        *(
            (what, said)
            for what, said in (one.split(": ", 1) for step in steps for one in step.warnings if ": stays" in one)
        ),
        *((problem, "stays: cannot be given back now") for problem in foretold.left),
    ]
    theirs = older_tools.found(owner, leavings.what_will_stand(foretold), dict(os.environ))
    wanted = leavings.are_taken(options)
    artifacts = [{"tool": OURS, "what": what, "fate": fate} for what, fate in ours]
    for one in theirs:
        fate = f"stays: {one.problem}. To be rid of it, {one.way_out}" if one.problem else f"stays: {one.way_out}"
        if one.can_go:
            fate = f"removed: left by {one.artifact.tool}" if wanted else f"stays: {_WAY_OF_OLDER_TOOLS}"
        artifacts.append({"tool": one.artifact.tool, "what": f"{one.path}: {one.what}", "fate": fate})
    revokes = bool(options.get("revoke_legacy_pats"))
    tokens = older_tokens.listed(owner, dict(os.environ), renew=revokes and not how.check)
    for token in tokens.tokens:
        what = f'personal access token "{token.comment}"'
        stays = f"stays until {token.ends}: coding_agents_revoke_legacy_pats: true revokes it"
        fate = "revoked" if revokes else stays
        artifacts.append({"tool": older_tools_table.SCRIPT, "what": what, "fate": fate})
    about = {"user": owner.user, "home": owner.home}
    said = f"personal access tokens of {older_tools_table.SCRIPT} are not listed: {tokens.problem}"
    matters = revokes or any(one.artifact.tool == older_tools_table.SCRIPT for one in theirs)
    return {
        "artifacts": [{**about, **one} for one in artifacts],
        "warnings": [said] if tokens.problem and matters else [],
    }


def _told(one: Plan) -> str:
    """A document that is given back, and what in it is ours where that is not all."""
    keys = [change.removesuffix(" removed").removesuffix(" given back") for change in one.changes if " " in change]
    is_whole = any(change in ("removed", "back to what stood here") for change in one.changes)
    said = one.summaries[0] or ("" if is_whole else ", ".join(keys))
    return f"{one.path}: {said}" if said else one.path


def _fate(one: Plan) -> str:
    """What becomes of a document of ours."""
    edited = one.entry_before is not None and digest(one.before) != one.entry_before["after"]
    if not one.changed:
        return f"stays: yours, edited since ({'; '.join(one.notes)})"
    if one.after is None:
        return "removed: ours"
    if edited:
        return "ours is taken out; what was edited since stays"
    return "given back to what stood before"
