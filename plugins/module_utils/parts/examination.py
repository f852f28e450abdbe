# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor's checks share: the host as its owner sees it, one token, one way to ask the workspace."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import careful, processes
from ..engine.owner import Owner
from ..host_program import user_sign_in, workspace
from ..host_program.config import Config
from ..host_program.token import PERSON_MUST_SIGN_IN, TokenError
from . import person

PASS, FAIL, WARN, SKIP = "PASS", "FAIL", "WARN", "SKIP"

CATEGORIES = (
    "Environment",
    "Dependencies",
    "Runtime files",
    "Configuration",
    "Conflicts",
    "Connectivity",
    "Auth",
    "Models",
    "Prompt",
)
"""In the order in which people mend things: what comes first is often why the later ones fail, too."""

ROLL_OUT = "Run the rollout"
NETWORK = "Check network, proxy, VPN and coding_agents_ca_file"
AGAIN = "Try again in a minute"
HELPER_SECONDS = 20
_LONGEST_REASON = 1000


class Check(NamedTuple):
    category: str
    check: str
    status: str
    detail: str
    fix: str = ""


def unanswered(check: tuple[str, str], told: str, way_out: str = "") -> Check:
    """Of a request that nobody answered, as :meth:`Examination.get` tells it. ``way_out`` takes the place of the usual one."""
    what, _line_end, hint = told.partition("\n")
    return Check(*check, FAIL, what, way_out or hint or NETWORK)


class Examination:
    """One owner under examination. A token is used, and never part of a check.

    With ``offline`` (check mode) no token is asked for, nothing is sent and no agent is started.
    """

    def __init__(
        self,
        owner: Owner,
        options: Mapping[str, Any],
        config: Config,
        environment: Mapping[str, str],
        offline: bool = False,
    ) -> None:
        self.owner = owner
        self.options = options
        self.config = config
        self.environment = environment
        self.offline = offline
        self._token: tuple[str | None, Check] | None = None
        self._shell: Mapping[str, str] | None = None
        self.answers: bool | None = None
        """Whether the workspace answers with this token; None while nobody has asked."""
        self.clock: float | None = None
        """By how many seconds this host's clock is ahead of the workspace's; None while that is not known."""

    @property
    def has_person(self) -> bool:
        """Whether somebody's own home and tokens are looked at: those of a user, also of one whose agents are set by a machine's
        files, which are root's. A machine that root looks at has nobody's.
        """
        return not self.owner.is_machine or os.geteuid() != 0

    def shell(self) -> Mapping[str, str]:
        """What the person's own shell has in its environment, asked once; empty in check mode and where it does not tell."""
        if self._shell is None:
            self._shell = {} if self.offline else person.environment(self.owner)
        return self._shell

    def token(self) -> tuple[str | None, Check]:
        """Run the helper once as agents do: through sh, with the short PATH of a GUI."""
        if self._token is None:
            self._token = self._ask_for_token()
        return self._token

    def unasked(self) -> str:
        """Why nothing can be asked of the workspace with a token; empty when it can."""
        if self.offline:
            return "not tried in check mode"
        if self.token()[0] is None:
            return "no token"
        return "the workspace does not answer" if self.answers is False else ""

    def get(self, path: str, token: str = "", root: str = "") -> tuple[int | str, dict[str, Any]]:
        """HTTP status and JSON body, or why there was no answer: see :func:`unanswered`.

        ``root`` is another URL than the workspace's.
        """
        try:
            bearer = f"Bearer {token}" if token else None
            answer = workspace.ask(root or self.config.workspace_url, path, bearer, self.config.ca_file)
        except TokenError as error:
            return error.told, {}
        if self.clock is None and not root and answer.date is not None:
            self.clock = time.time() - answer.date
        return answer.status, answer.body or {}

    def _ask_for_token(self) -> tuple[str | None, Check]:
        check = ("Auth", "token helper")
        if not self.has_person and self.config.identity == "user":
            front = self.config.front
            return None, Check(*check, SKIP, f"each user has their own sign-in: {front} login, then {front} status")
        environment = {"PATH": "/usr/bin:/bin", "HOME": self.owner.home, **self._passed_on()}
        variable = self.config.oidc_token_env
        if variable and variable not in environment:
            return None, Check(*check, SKIP, f"{variable} is not set for this login, as it is for the agents'")
        helper = self.config.helper
        try:
            done = processes.run([helper], environment, HELPER_SECONDS)
        except TimeoutError:
            return None, Check(*check, FAIL, f"did not end within {HELPER_SECONDS} s", ROLL_OUT)
        except OSError as error:
            return None, Check(*check, FAIL, f"{helper} cannot be started ({error.strerror})", ROLL_OUT)
        if done.status != 0:
            return None, self._no_token(done)
        lines = done.stdout.splitlines()
        if len(lines) != 1 or not lines[0].strip():
            return None, Check(*check, FAIL, f"printed {len(lines)} lines where one must stand", ROLL_OUT)
        return lines[0], Check(*check, PASS, "token issued")

    def _no_token(self, done: processes.Finished) -> Check:
        """What the helper says, which ends with the way out."""
        said = careful.line(next(iter(done.stderr.strip().splitlines()), ""), _LONGEST_REASON)
        what, _full_stop, hint = said.removeprefix("coding-agents: ").partition(". ")
        if done.status == PERSON_MUST_SIGN_IN and self.config.identity == "user" and not hint.startswith("Install"):
            hint = f"Run: {user_sign_in.way_in(what, self.config)}"
        return Check("Auth", "token helper", FAIL, what or f"exit status {done.status}", hint or AGAIN)

    def _passed_on(self) -> dict[str, str]:
        """What the helper needs of this login's environment: the way through the proxy, and a workload's token."""
        names = ("https_proxy", "no_proxy", (self.config.oidc_token_env or "").lower())
        return {name: value for name, value in self.environment.items() if name.lower() in names}
