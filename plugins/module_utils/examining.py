# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor: all parts of one owner examined. The modules do it for operators and the command ``coding-agents`` for a person."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from typing import Any

from . import rollout
from .engine.ledger import Ledger
from .engine.owner import Owner
from .engine.transaction import bring
from .errors import OperatorError
from .host_program.config import Config
from .parts.base import Part
from .parts.context import config_of
from .parts.examination import CATEGORIES, FAIL, PASS, ROLL_OUT, SKIP, WARN, Check, Examination
from .places import How

Options = Mapping[str, Any]


def examine(owner: Owner, options: Options, how: How) -> dict[str, Any]:
    """The doctor's checks, in the order of :data:`CATEGORIES`. In check mode only what files show is checked."""
    parts = rollout.chosen(options)
    config = config_of(owner, options)
    examination = Examination(owner, options, config, dict(os.environ), offline=how.check)
    ledger = _ledger(owner, config)
    checks = [
        Check("Dependencies", "Python", PASS, platform.python_version()),
        ledger,
        # What says more of a file comes before that it differs.
        *(check for part in parts for check in _checks(part, examination, ledger)),
        *(_configuration(part, owner, options, ledger) for part in parts),
        Check("Configuration", "routing", PASS, f"{options['routing']} ({options['routing_reason']})"),
    ]
    checks.sort(key=lambda check: CATEGORIES.index(check.category))
    result: dict[str, Any] = {
        "checks": [{"user": owner.user, "home": owner.home, **check._asdict()} for check in checks if check.detail]
    }
    failed = [check for check in checks if check.status == FAIL]
    if failed:
        first = failed[0]
        more = f" ({len(failed)} checks failed)" if len(failed) > 1 else ""
        result["error"] = f"{first.category}, {first.check}: {first.detail}{more}. {first.fix}".rstrip(". ")
    return result


def _ledger(owner: Owner, config: Config) -> Check:
    """Whether what we know of this owner's files is there, and whole."""
    what = ("Runtime files", "ledger")
    if owner.is_machine and os.geteuid() != 0:
        return Check(*what, SKIP, "root alone can read it")
    try:
        ledger = Ledger.load(owner)
        interrupted = bool(ledger.settle()) or bool(ledger.leftovers)
    except OperatorError as error:
        return Check(*what, FAIL, f"{error.where}: {error.what}", error.way_out)
    if interrupted:
        return Check(
            *what, FAIL, f"{ledger.path}: a run was stopped in its middle", f"{ROLL_OUT}: it brings that to its end"
        )
    if ledger.is_new and os.path.lexists(config.config_file):
        said = f"{ledger.path} is gone: what stood here before the rollout is not known any more"
        return Check(
            *what, WARN, said, f"Put it back from a backup, or: {ROLL_OUT}, which notes what can still be known"
        )
    return Check(*what, PASS, "nothing is rolled out yet" if ledger.is_new else f"{len(ledger.documents)} files")


def _checks(part: Part, examination: Examination, ledger: Check) -> Iterator[Check]:
    """What a part looks at. What cannot be looked at any further is a finding, not the end of the examination."""
    try:
        yield from part.checks(examination)
    except (OperatorError, ValueError) as error:
        if ledger.status != FAIL:
            yield Check("Configuration", part.name, FAIL, *_told(error))


def _configuration(part: Part, owner: Owner, options: Options, ledger: Check) -> Check:
    """Whether a part's documents are as wanted."""
    what = ("Configuration", part.name)
    if ledger.status in (FAIL, SKIP):
        return Check(*what, SKIP, "not compared: see the ledger")
    try:
        outcome = bring(owner, [part.name], part.wanted(owner, options), True, rollout.known_traces)
        missing = part.missing(owner, options)
    except (OperatorError, ValueError) as error:
        return Check(*what, FAIL, *_told(error))
    if outcome.changed or missing:
        differing = [*(one.path for one in outcome.plans if one.changed), *missing]
        said = f"not as wanted: {', '.join(differing)}"
        return Check(*what, FAIL, said, f"{ROLL_OUT} (--check --diff shows the lines)")
    return Check(*what, PASS, "as wanted")


def _told(error: OperatorError | ValueError) -> tuple[str, str]:
    """What is wrong, and the way out, after which the rollout goes on."""
    then = "then run the rollout"
    if not isinstance(error, OperatorError):
        return str(error), f"Mend that, {then}"
    what = f"{error.where}: {error.what}" if error.where else error.what
    way_out = error.way_out.removeprefix("Nothing was changed. ").replace(" and run again", "").rstrip(".")
    return what, way_out if "rollout" in way_out else f"{way_out or 'Mend that'}, {then}"
