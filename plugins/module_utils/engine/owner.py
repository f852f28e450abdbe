# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose files are managed. A call for others than who it runs as has :mod:`.owners`, too."""

from __future__ import annotations

import contextlib
import os
import pwd
from typing import Any, Callable, NamedTuple

from .. import careful
from ..errors import OperatorError
from ..places import (
    CACHE_DIRECTORY,
    DATA_DIRECTORY,
    LAUNCHERS,
    LEDGER_NAME,
    MACHINE,
    STATE_DIRECTORY,
    USER,
    machine_places,
)


class Owner(NamedTuple):
    """Whose files are managed: one user, whose files are below one home, or the machine, whose files root alone can change.

    The home of the machine is root's: programs that are started for it find it in their environment, and nothing is written there.
    """

    user: str
    uid: int
    gid: int
    home: str
    scope: str = USER

    @property
    def is_machine(self) -> bool:
        return self.scope == MACHINE

    @property
    def data(self) -> str:
        """What the rollout puts there for agents and people to start: the token helper and the host program."""
        return machine_places().data if self.is_machine else os.path.join(self.home, *DATA_DIRECTORY)

    @property
    def launchers(self) -> str:
        """What comes first on PATH: commands of ours that start agents with what they need."""
        return os.path.join(self.data, LAUNCHERS)

    @property
    def state(self) -> str:
        """The ledger, and the token helper's log."""
        return machine_places().state if self.is_machine else os.path.join(self.home, *STATE_DIRECTORY)

    @property
    def cache(self) -> str:
        """Access tokens; for the machine only what modules keep there: each user's tokens are in their home."""
        return machine_places().cache if self.is_machine else os.path.join(self.home, *CACHE_DIRECTORY)

    @property
    def prefix(self) -> str:
        """Below which agents' programs are installed where no other place is named."""
        return machine_places().prefix if self.is_machine else os.path.join(self.home, ".local")


THE_MACHINE = Owner(MACHINE, 0, 0, "/", MACHINE)
"""For whoever asks where its files are: without a home, as it needs no root."""


class NoHome(OperatorError):
    """There is no directory of the owner's own where the home should be."""


class Done(NamedTuple):
    """What became of one owner: a result, and an error in one sentence if there was one."""

    owner: Owner
    result: dict[str, Any]
    error: str | None


def current_owner(home: str | None) -> Owner:
    """The user that we are, with another home if one is named. Raises OperatorError where this host has no name for it."""
    try:
        entry = pwd.getpwuid(os.geteuid())
    except KeyError:
        raise OperatorError("is no user of this host", f"uid {os.geteuid()}", "Make the user first") from None
    return Owner(entry.pw_name, entry.pw_uid, entry.pw_gid, home or entry.pw_dir)


def machine_owner() -> Owner:
    """The machine. Raises OperatorError for whoever is not root: what every user starts must be root's."""
    if os.geteuid() != 0:
        raise OperatorError(
            "needs root", "coding_agents_scope machine", "Use become: true, or coding_agents_scope: user"
        )
    return THE_MACHINE._replace(home=pwd.getpwuid(0).pw_dir)


def machine_of_other_scope(owners: list[Owner]) -> list[Owner]:
    """The machine, if it has something of ours by its ledger that these users' scope replaces.

    Raises OperatorError where only root could give it back.
    """
    if not owners or not has_ledger(THE_MACHINE):
        return []
    if os.geteuid() != 0:
        raise OperatorError(
            "the agents of this host are set for all its users",
            THE_MACHINE.state,
            "Use coding_agents_scope: machine, or become: true with coding_agents_users to give that back",
        )
    return [machine_owner()]


def has_ledger(owner: Owner) -> bool:
    """Whether something of ours is recorded there. Several users may have one home: it is about the one whose ledger stands there."""
    try:
        return os.lstat(os.path.join(owner.state, LEDGER_NAME)).st_uid == owner.uid
    except OSError:
        return False


def check_home(owner: Owner) -> Owner:
    """The owner with the one name of the home, if the files in it may be managed as this user. Raises OperatorError,
    :class:`NoHome` where there is none of the owner's own.
    """
    if owner.is_machine:
        return owner
    where = f"home {owner.home}"
    if not os.path.isabs(owner.home):
        raise NoHome("is not an absolute path", where, "Set coding_agents_home to an absolute path, or leave it out")
    try:
        status = os.stat(owner.home)
    except FileNotFoundError:
        way_out = "Mount it or make it first, or correct coding_agents_home (or coding_agents_users)"
        raise NoHome("does not exist", where, way_out) from None
    except OSError as error:
        raise OperatorError(f"cannot be entered ({error.strerror})", where, "Check its owner and mode") from None
    if not os.path.isdir(owner.home):
        raise NoHome("is not a directory", where, "Correct coding_agents_home")
    if status.st_uid != owner.uid:
        theirs = careful.user_name(status.st_uid)
        raise NoHome(
            f"belongs to {theirs}, the work is done as {owner.user}",
            where,
            f"Use coding_agents_users, or become_user: {theirs}",
        )
    return owner._replace(home=_one_name(owner))


def _one_name(owner: Owner) -> str:
    """A home behind a symbolic link has several names, and files say where others are: else each name's rollout would change them.

    The name in the host's list of users, which is the person's own ``$HOME`` (a real path may be one of an automounter, another
    on each host); for a home that is not listed, its real path.
    """
    with contextlib.suppress(KeyError, OSError):
        listed = pwd.getpwnam(owner.user).pw_dir
        if os.path.isabs(listed) and os.path.samefile(listed, owner.home):
            return os.path.normpath(listed)
    return os.path.realpath(owner.home)


def alone(owner: Owner, work: Callable[[Owner], dict[str, Any]], expected: tuple[type[Exception], ...]) -> Done:
    """Do the work of an owner who we are: see :func:`.owners.each`."""
    try:
        return done(owner, work(owner))
    except expected as problem:
        return Done(owner, {}, getattr(problem, "told", str(problem)))


def done(owner: Owner, result: dict[str, Any]) -> Done:
    """A result may carry an ``error`` of its own, and then still counts."""
    error = result.pop("error", None)
    return Done(owner, result, error)
