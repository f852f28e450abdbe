# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host was brought to, in the operator's own options: the host remembers it, so that it can be repaired, examined and upgraded
without an inventory.

It is written with every other part and goes with any way back, also of some parts alone: what is left is not what was asked for. The
modules of single parts have only some of the options, and leave it as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import careful
from ..agents import AGENTS
from ..engine import traces
from ..engine.documents.whole_file import WHOLE
from ..engine.ledger import Ledger
from ..engine.owner import Owner
from ..engine.ownership import PRIVATE, Wanted, whole_file
from ..engine.past import digest
from ..errors import OperatorError
from ..host_program import profile
from ..host_program.token import TokenError
from ..version import VERSION
from . import relaying
from .base import Options, Part
from .context import CA_NAME, agent_options, bare_config, config_of
from .examination import ROLL_OUT

FILE_NAME = "wanted.json"
PRIVATE_NAME = "wanted-private.json"
"""What may hold something that is the owner's alone: agents' extra settings, and URLs, which may name a user and a password."""

_PRIVATE_OPTIONS = ("extra_settings", "mirror", "npm_registry", "pip_index")
SECRETS = ("client_secret", "pat", "web_search_key")
"""Options that stand in the profile, or in a file of their own, and nowhere else."""


class Remembered(NamedTuple):
    """What an earlier rollout has left."""

    version: str
    """Of the collection that wrote it."""
    program_sha256: str
    parts: list[str]
    """Those that were brought."""
    options: dict[str, Any]
    """By name, without the owner's own and without a secret."""
    relay_sha256: str = ""
    """Of the relay that was brought; empty where there was none."""


class WantedState(Part):
    name = "wanted_state"

    def wanted(self, owner: Owner, options: Options) -> list[Wanted]:
        forgotten = (options.get("carried") or {}).get("forgotten")
        if forgotten is None:
            return []
        mode = 0o644 if owner.is_machine else PRIVATE
        found = [
            whole_file(
                os.path.join(owner.data, FILE_NAME),
                self.name,
                _text(owner, options, forgotten, {}),
                "wanted state",
                mode,
                as_good=_text(owner, options, forgotten, _kept(owner)),
            )
        ]
        own = {name: options[name] for name in _PRIVATE_OPTIONS if options.get(name)}
        if own:
            path = os.path.join(owner.data, PRIVATE_NAME)
            private = whole_file(path, self.name, _json(own), "wanted state, private", PRIVATE)
            found.append(private.replaced(masked=frozenset({WHOLE})))
        return found

    def traces(self, ledger: Ledger) -> None:
        for name in (FILE_NAME, PRIVATE_NAME):
            traces.whole_file(ledger, self.name, os.path.join(ledger.owner.data, name))


def remembered(owner: Owner) -> Remembered:
    """What the last rollout has left. Raises OperatorError where it is not there, or not as that has left it."""
    found, content = _read(owner)
    if not owner.is_machine:  # what is the machine's, root alone can have changed
        path = os.path.join(owner.data, FILE_NAME)
        entry = Ledger.load(owner).record(path)
        if entry is not None and entry["after"] != digest(content):
            raise OperatorError("was changed since the rollout", path, ROLL_OUT)
    return found


def _read(owner: Owner) -> tuple[Remembered, bytes]:
    """The same as it stands, and the file's bytes."""
    path = os.path.join(owner.data, FILE_NAME)
    try:
        content = careful.read(path)
        told = json.loads(content)
    except FileNotFoundError:
        raise OperatorError("nothing is remembered of a rollout on this host", path, ROLL_OUT) from None
    except (OSError, ValueError, RecursionError) as error:
        raise OperatorError(f"cannot be used ({error})", path, ROLL_OUT) from None
    try:
        found = Remembered(**told)
    except TypeError:
        found = Remembered("", "", [], {})
    kinds = (
        (found.version, str),
        (found.program_sha256, str),
        (found.parts, list),
        (found.options, dict),
        (found.relay_sha256, str),
    )
    if not found.version or not all(isinstance(value, kind) for value, kind in kinds):
        raise OperatorError("is not what a rollout writes", path, ROLL_OUT)
    return found, content


def options_of(
    owner: Owner, known: Remembered, carried: Mapping[str, Any], more: Options, may_change: bool = True
) -> dict[str, Any]:
    """The options that a rollout would have. ``more``: those that it does not remember, by their defaults.

    A secret is the one that stands in the profile: raises OperatorError where it does not stand there any more, for who
    ``may_change`` what was rolled out. One of all users of a host need not be able to read it.
    """
    options: dict[str, Any] = {
        **more,
        **dict.fromkeys((*SECRETS, *_PRIVATE_OPTIONS)),
        **known.options,
        **(_private(owner) if may_change else {}),
        "routing_reason": "as rolled out",
        "parts": known.parts,
        "carried": {"relay_sha256": known.relay_sha256, **_authority(owner), **carried},
    }
    if not may_change:
        return options
    config = config_of(owner, options)
    options["web_search_key"] = relaying.search_key(config)
    try:
        if config.identity == "service_principal":
            options["client_secret"] = profile.client_secret(config)
        elif config.identity == "pat" and config.owns_profile:
            options["pat"] = profile.personal_access_token(config)
    except TokenError as error:
        raise OperatorError(f"{error}: only a rollout can bring it back") from None
    return options


def refuse_newer(known: Remembered) -> None:
    """Raises OperatorError where a newer version than this has set the host up: an older control node does not set it back."""
    if number(known.version) > number(VERSION):
        raise OperatorError(
            f"was set up by fmapi.coding_agents {known.version}, and this is {VERSION}",
            "this host",
            "Install that version or a newer one on the control node",
        )


def number(version: str) -> tuple[int, ...]:
    """A version to compare. What comes before a release counts as the release."""
    return tuple(int(one) for one in re.findall(r"\d+", version.partition("-")[0]))


def program_here(owner: Owner) -> str:
    """SHA-256 of the host program that stands here, hexadecimal; empty where none does."""
    try:
        return hashlib.sha256(careful.read(bare_config(owner).program)).hexdigest()
    except OSError:
        return ""


def _private(owner: Owner) -> dict[str, Any]:
    """Raises OperatorError for a file that is there and cannot be used."""
    path = os.path.join(owner.data, PRIVATE_NAME)
    try:
        told = json.loads(careful.read(path))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise OperatorError(f"cannot be used ({error})", path, ROLL_OUT) from None
    return {name: told[name] for name in _PRIVATE_OPTIONS if name in told} if isinstance(told, dict) else {}


def _authority(owner: Owner) -> dict[str, str]:
    """The control node's certificate authority, where a rollout has brought it."""
    try:
        return {"ca": careful.read(os.path.join(owner.data, CA_NAME)).decode("utf-8")}
    except (OSError, ValueError):
        return {}


def _text(owner: Owner, options: Options, forgotten: list[str], kept: Mapping[str, Any]) -> bytes:
    left_out = {*forgotten, *_PRIVATE_OPTIONS, "carried", "routing_reason", "parts"}
    told = {name: value for name, value in options.items() if name not in left_out}
    models = kept.get("models")
    by_agent = models if isinstance(models, dict) else {}
    told["models"] = {name: _models(owner, options, name, by_agent.get(name)) for name in options["agents"]}
    told["workspace_id"] = options["workspace_id"] or kept.get("workspace_id")
    return _json(
        {
            "version": VERSION,
            "program_sha256": options["carried"].get("program_sha256", ""),
            "relay_sha256": options["carried"].get("relay_sha256", ""),
            "parts": _parts(owner, options),
            "options": told,
        }
    )


def _models(owner: Owner, options: Options, name: str, kept: Any) -> dict[str, str]:
    """The models in force. Of what is left open, the name that is ``kept`` stays if it is one of the model's two."""
    chosen = agent_options(owner, options, name)
    models = {**AGENTS[name].model_defaults, **chosen.models}
    for slot, other in chosen.other_names.items():
        if isinstance(kept, dict) and kept.get(slot) in (other, AGENTS[name].model_defaults[slot]):
            models[slot] = kept[slot]
    return models


def _kept(owner: Owner) -> dict[str, Any]:
    """What stands there: some of it was found by a run that asked the workspace, and not every run does."""
    try:
        return _read(owner)[0].options
    except OperatorError:
        return {}


def _parts(owner: Owner, options: Options) -> list[str]:
    """Those that this run brings, and those that an earlier one has. Raises OperatorError where that was a newer version's."""
    try:
        before, _content = _read(owner)
        if number(before.version) > number(VERSION):
            remembered(owner)  # what the owner has written there themselves holds nobody up
    except OperatorError:
        return sorted(options["parts"])
    refuse_newer(before)
    known = {one for one in before.parts if isinstance(one, str)}
    return sorted({*known, *options["parts"]})


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()
