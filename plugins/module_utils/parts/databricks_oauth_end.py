# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a sign-in ends: the Databricks CLI's, the tokens at hand, files that no ledger knows, copies of secrets that stay."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from .. import careful, processes
from ..engine import files
from ..engine.documents import IniDocument
from ..engine.ledger import Ledger
from ..engine.owner import Owner
from ..engine.past import value_digest
from ..errors import OperatorError
from ..host_program import user_sign_in
from ..host_program.config import LOG_NAME, STORAGE_NAME, Config
from ..host_program.token import TokenError
from ..places import COMPILED, LIBRARIES, PYTHON_RECORDS
from .base import NOTHING, Done
from .context import bare_config

_SECRETS = ("client_secret", "token")

_LARGEST_PROFILE = 1 << 20

_SIGN_OUT_SECONDS = 30.0

_CACHED = "token-"


def forget_tokens(owner: Owner, keep: str) -> None:
    """Remove cached tokens, but for ``keep`` and what stands beside it: that of a profile or identity that is not
    wanted any more would live on for up to an hour.
    """
    for path in _beginning(owner.cache, _CACHED):
        if not path.startswith(keep):
            files.remove(path)


def no_documents(owner: Owner) -> list[str]:
    """Files of ours that the ledger does not know one by one."""
    found = [
        *_beginning(owner.cache, _CACHED),
        *_beginning(owner.cache, COMPILED),
        *_beginning(owner.cache, LIBRARIES),
        *_beginning(owner.data, PYTHON_RECORDS),
    ]
    return [*found, *_beginning(owner.data, STORAGE_NAME), *logs_of(owner)]


def _beginning(directory: str, name: str) -> list[str]:
    """The files in a directory whose names begin so; none of one that cannot be looked into."""
    return [os.path.join(directory, one) for one in _names(directory) if one.startswith(name)]


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def copies_of_secrets(owner: Owner, component: str, traces: Callable[[Ledger], None]) -> list[str]:
    """What is said of files beside the profile that hold a secret of ours: the Databricks CLI keeps a copy before it writes, editors
    do. They are not ours to change. ``traces`` fills a ledger that was lost.
    """
    ledger = Ledger.load(owner)
    if not (ledger.documents or ledger.former):
        traces(ledger)
    found = []
    for path, entry in {**ledger.former, **ledger.documents}.items():
        if entry["component"] != component or entry["format"] != IniDocument.format:
            continue
        secrets = {
            digest
            for record in (*entry["values"], *(entry.get("former") or {}).get("values", ()))
            if record["path"][-1] in _SECRETS
            for digest in (record["digest"], *record.get("former", ()))
        }
        directory, name = os.path.split(path)
        for beside in _beginning(directory, name) if secrets else ():
            if os.path.basename(beside) != name and _holds_one_of(beside, secrets, ledger.salt):
                found.append(f"{beside}: holds a copy of the secret that was rolled out, which stays there: remove it")
    return found


def _holds_one_of(path: str, secrets: set[str], salt: str) -> bool:
    try:
        content = b"" if os.path.getsize(path) > _LARGEST_PROFILE else files.read(path).content or b""
    except (OSError, OperatorError):
        return False
    values = (line.partition("=")[2].strip() for line in content.decode("utf-8", "replace").splitlines())
    return any(value_digest(value, salt) in secrets for value in values if value)


def logs_of(owner: Owner) -> list[str]:
    path = os.path.join(owner.state, LOG_NAME)
    return [one for one in (path, path + ".1") if os.path.lexists(one)]


def signed_out(owner: Owner, check: bool) -> Done:
    """End the person's sign-in, before the profile that names it goes. A failure holds nothing up."""
    try:
        config = Config.load(bare_config(owner).config_file)
    except (OSError, ValueError, TypeError):
        return NOTHING  # nothing is set up (any more), so no sign-in is known
    if config.identity != "user" or owner.is_machine:
        return NOTHING
    reason = None if check else log_out(config, dict(os.environ))
    if reason:
        return Done([], [f"{owner.home}: profile {config.profile} could not be signed out ({reason})"])
    return Done([f"profile {config.profile}: signed out"], [])


def sign_out(owner: Owner, config: Config, environment: Mapping[str, str]) -> str | None:
    """End a person's sign-in, and forget the tokens that are at hand. Why it did not work, if so."""
    reason = log_out(config, environment)
    for path in _beginning(config.cache_directory, _CACHED):
        files.remove(path)
    return reason


def log_out(config: Config, environment: Mapping[str, str]) -> str | None:
    """Why it did not work, if so."""
    try:
        cli = user_sign_in.working_cli(config, environment)
    except TokenError as error:
        return error.told.partition("\n")[0]
    command = [cli, "auth", "logout", "-p", config.profile, "--auto-approve"]
    try:
        done = processes.run(command, user_sign_in.clean_environment(config, environment), _SIGN_OUT_SECONDS)
    except TimeoutError:
        return f"no answer within {_SIGN_OUT_SECONDS:.0f} s"
    except OSError as error:
        return f"{cli} cannot be started: {error.strerror}"
    if done.status == 0:
        return None
    said = next((line for line in done.stderr.splitlines() if line.strip()), f"exit status {done.status}")
    return careful.line(said)
