# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host program is told at rollout: one JSON file beside it, without a secret."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .. import careful
from ..places import CACHE_DIRECTORY, DATA_DIRECTORY, MACHINE, PROGRAM_NAME, STATE_DIRECTORY, USER, machine_places

HELPER_NAME = "token-helper"
FRONT_NAME = "coding-agents"
CONFIG_NAME = "config.json"
LOG_NAME = "token-helper.log"
STORAGE_NAME = "sign-in-"
"""How the name of a file begins; see :attr:`Config.storage_note`."""
MACHINE_PROFILE_NAME = "databrickscfg"
"""In the machine's data directory: the profile that holds a service principal's secret."""

MARGIN_SECONDS = 15 * 60
"""A token handed out lives at least the agent's TTL plus this: Claude Code uses the old one once more while it asks anew, and at 403
a pause that outlasts it costs the user a prompt (docs/tokens.md has the figures). Two minutes would do without pauses.
"""


class Config(NamedTuple):
    """Where tokens come from for one owner. In the machine's configuration, the home is that of the user who runs the program.

    No dataclass: to import those is a quarter of the work of a token helper that waits for another's refresh.
    """

    home: str
    workspace_url: str
    profile: str
    identity: str
    token_ttl_minutes: int
    ca_file: str | None = None
    client_id: str | None = None
    """Application id of the service principal; None for another identity, and for account-wide token federation."""
    oidc_token_file: str | None = None
    oidc_token_env: str | None = None
    oidc_token_command: Sequence[str] | None = None
    """Where a workload's OIDC token comes from: one of the three, for identity workload_identity only."""
    token_audience: str | None = None
    """For the profile only: what databricks-sdk should ask an OIDC provider for."""
    owns_profile: bool = True
    """False where the profile is a person's own, with their personal access token: it is read and never written."""
    login_at_start: bool = False
    """Whether the person's session begins with ``login``."""
    log: bool = False
    proxy: str | None = None
    no_proxy: str | None = None
    """The way to the workspace; what the caller's environment says counts where these are not set."""
    scope: str = USER

    @property
    def is_machine(self) -> bool:
        return self.scope == MACHINE

    @property
    def data_directory(self) -> str:
        return machine_places().data if self.is_machine else os.path.join(self.home, *DATA_DIRECTORY)

    @property
    def helper(self) -> str:
        return os.path.join(self.data_directory, HELPER_NAME)

    @property
    def front(self) -> str:
        return os.path.join(self.data_directory, FRONT_NAME)

    @property
    def program(self) -> str:
        return os.path.join(self.data_directory, PROGRAM_NAME)

    @property
    def config_file(self) -> str:
        return os.path.join(self.data_directory, CONFIG_NAME)

    @property
    def databrickscfg(self) -> str:
        if self.is_machine and self.identity == "service_principal":
            return os.path.join(self.data_directory, MACHINE_PROFILE_NAME)
        return os.path.join(self.home, ".databrickscfg")

    @property
    def cache_directory(self) -> str:
        return os.path.join(self.home, *CACHE_DIRECTORY)

    @property
    def cache_file(self) -> str:
        """One cache for all that decides whose token it is, so that a change never serves another's token."""
        source = (self.client_id, self.oidc_token_file, self.oidc_token_env, *(self.oidc_token_command or ()))
        key = json.dumps([self.workspace_url, self.profile, self.identity, *source])
        return os.path.join(self.cache_directory, f"token-{hashlib.sha256(key.encode()).hexdigest()[:16]}")

    @property
    def log_file(self) -> str:
        return os.path.join(self.home, *STATE_DIRECTORY, LOG_NAME)

    @property
    def wanted_life_seconds(self) -> int:
        return self.token_ttl_minutes * 60 + MARGIN_SECONDS

    @property
    def storage_note(self) -> str:
        """Where it stands which store of the Databricks CLI this person's sign-in went into."""
        directory = os.path.join(self.home, *STATE_DIRECTORY) if self.is_machine else self.data_directory
        return os.path.join(directory, STORAGE_NAME + os.path.basename(self.cache_file))

    def sign_in_command(self, *arguments: str) -> str:
        """The command that signs this person in, as one types it."""
        return " ".join([shlex.quote(self.front), "login", *arguments])

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """An environment in which programs go through this proxy."""
        if not self.proxy:
            return dict(given)
        ours = {"https_proxy": self.proxy, "no_proxy": self.no_proxy or ""}
        kept = {name: value for name, value in given.items() if name.lower() not in ours}
        return {**kept, **{name: value for name, value in ours.items() if value}}

    def to_json(self) -> str:
        told = {**self._asdict(), **({"home": ""} if self.is_machine else {})}
        return json.dumps(told, indent=1, sort_keys=True) + "\n"

    @classmethod
    def load(cls, path: str) -> Config:
        """Raises OSError, ValueError, TypeError for a file that is not there or not ours."""
        try:
            found = cls._checked(json.loads(careful.read(path)))
            return found._replace(home=_own_home()) if found.is_machine else found
        except RecursionError:
            raise ValueError("is nested too deeply") from None

    @classmethod
    def _checked(cls, told: Any) -> Config:
        """Raises ValueError, TypeError unless each value is of its field's kind: others would be found out somewhere in the middle."""
        if not isinstance(told, dict):
            raise ValueError("holds no JSON object")
        found = cls(**told)
        texts = (found.home, found.workspace_url, found.profile, found.identity, found.scope)
        more = (found.ca_file, found.client_id, found.oidc_token_file, found.oidc_token_env, found.token_audience)
        command = found.oidc_token_command
        fits = (
            all(isinstance(one, str) for one in texts)
            and all(one is None or isinstance(one, str) for one in (*more, found.proxy, found.no_proxy))
            and isinstance(found.token_ttl_minutes, int)
            and not isinstance(found.token_ttl_minutes, bool)
            and all(isinstance(one, bool) for one in (found.owns_profile, found.login_at_start, found.log))
            and (command is None or (isinstance(command, list) and all(isinstance(one, str) for one in command)))
        )
        if not fits:
            raise ValueError("holds a value of another kind than it should")
        for one in (*texts, *more, found.proxy, found.no_proxy, *(command or ())):
            # Raises ValueError for what can be no name of a file, and no variable's value.
            if b"\0" in os.fsencode(one or ""):
                raise ValueError("holds a NUL")
        return found


def _own_home() -> str:
    """The home of whoever runs this: ``HOME``, as agents and their helpers have it, if it is theirs. Raises ValueError for none."""
    home = os.environ.get("HOME", "")
    try:
        if os.path.isabs(home) and os.stat(home).st_uid == os.geteuid():
            return home
    except OSError:
        pass
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        raise ValueError(f"uid {os.geteuid()} is no user of this host") from None
