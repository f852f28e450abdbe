# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor looks at of the files that stand beside the settings: our directories and commands, the interpreter, the token
cache with its lock, the log. Reads files only, and before the token helper is run, which replaces some of them.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator

from .. import careful
from ..engine.owner import Owner
from ..host_program import token_cache
from ..host_program.config import Config
from .examination import FAIL, PASS, ROLL_OUT, WARN, Check, Examination

_CATEGORY = "Runtime files"


def checks(examination: Examination, python_record: str) -> Iterator[Check]:
    """``python_record``: the file that names the interpreter for this host."""
    owner, config = examination.owner, examination.config
    yield _directories(examination)
    yield _commands(owner, config)
    yield _interpreter(config, python_record)
    if not examination.has_person:
        return
    yield _cache(config)
    yield _lock(config)
    if config.log:
        yield _log(config)


def _directories(examination: Examination) -> Check:
    """Whether anybody else can put something in the place of what is ours, and whether the owner can."""
    check, owner = (_CATEGORY, "our directories"), examination.owner
    whose = dict.fromkeys((owner.data, owner.state, owner.cache), owner.uid)
    if examination.has_person:
        whose[examination.config.cache_directory] = os.geteuid()
    for directory, uid in whose.items():
        try:
            weak = careful.weak_spot(directory, uid)
            status = os.stat(directory) if os.path.lexists(directory) else None
        except OSError as error:
            return Check(
                *check, FAIL, f"{directory} cannot be looked at ({error.strerror})", "Check its owner and mode"
            )
        if weak is not None:
            fix = f"Run: {careful.way_out(weak, uid)}, then the rollout"
            return Check(*check, FAIL, f"what is in them is not to be trusted: {careful.told(weak, uid)}", fix)
        if status is not None and status.st_uid != uid:
            user = careful.user_name(uid)
            said = f"{directory} belongs to {careful.user_name(status.st_uid)}, and {user} cannot write there"
            return Check(*check, FAIL, said, f"Run as root: chown -R {user} {shlex.quote(directory)}")
    return Check(*check, PASS, "nobody else can write to them")


def _commands(owner: Owner, config: Config) -> Check:
    """Whether what agents and people start can be started, by its mode, and changed by nobody else. What is in it is compared with
    the rollout elsewhere.
    """
    check = (_CATEGORY, "our commands")
    for path, is_started in ((config.helper, True), (config.front, True), (config.program, False)):
        try:
            mode = os.stat(path).st_mode
            is_of_others = careful.is_of_others(path, owner.uid)
        except OSError:
            continue  # that it is missing shows as a document that is not as wanted
        if is_of_others:
            fix = f"Run: {careful.way_out(path, owner.uid)}, then the rollout"
            return Check(*check, FAIL, f"{careful.told(path, owner.uid)}: agents start it", fix)
        if is_started and not mode & stat.S_IXUSR:
            return Check(*check, FAIL, f"{path} cannot be started (mode {stat.S_IMODE(mode):04o})", ROLL_OUT)
    return Check(*check, PASS, "agents can start them, and nobody else can change them")


def _interpreter(config: Config, record: str) -> Check:
    """The Python that the rollout noted for this host: package managers remove old ones."""
    check = (_CATEGORY, "interpreter")
    if not os.path.lexists(config.front):
        return Check(*check, PASS, "nothing needs one yet")
    try:
        python = careful.read(record, 4096).decode("utf-8", "replace").strip()
    except OSError as error:
        said = f"{record} cannot be read ({error.strerror}): the token helper looks for another Python at each call"
        return Check(*check, FAIL, said, ROLL_OUT)
    if not os.access(python, os.X_OK):
        said = f"{careful.line(python)} is not there any more: the token helper looks for another Python at each call"
        return Check(*check, FAIL, said, ROLL_OUT)
    return Check(*check, PASS, python)


def _cache(config: Config) -> Check:
    check, path = (_CATEGORY, "token cache"), config.cache_file
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return Check(*check, PASS, "holds no token yet")
    except OSError as error:
        return Check(*check, WARN, f"{path} cannot be looked at ({error.strerror})", "Check its owner and mode")
    said = ""
    if not stat.S_ISREG(status.st_mode):
        said = f"{path} is no file"
    elif status.st_uid != os.geteuid():
        said = f"{path} belongs to {careful.user_name(status.st_uid)}"
    elif status.st_mode & 0o077:
        said = f"{path} can be read by others (mode {stat.S_IMODE(status.st_mode):04o})"
    elif token_cache.load(config) is None:
        said = f"{path} holds no token that can be read"
    if said:
        return Check(
            *check, WARN, f"{said}: it is not used, each call asks for a token", f"Run: rm -rf {shlex.quote(path)}"
        )
    return Check(*check, PASS, "private")


def _lock(config: Config) -> Check:
    check, path = (_CATEGORY, "refresh lock"), f"{config.cache_file}.lock"
    try:
        status = os.lstat(path)
    except OSError:
        return Check(*check, PASS, "nobody has needed it yet")
    if not stat.S_ISREG(status.st_mode) or not os.access(path, os.R_OK | os.W_OK):
        said = f"{path} cannot be used as a lock: agents that ask at once refresh the token at once, and may end the sign-in"
        return Check(*check, WARN, said, f"Run: rm -rf {shlex.quote(path)}")
    return Check(*check, PASS, "can be taken")


def _log(config: Config) -> Check:
    check, path = (_CATEGORY, "token helper's log"), config.log_file
    try:
        usable = stat.S_ISREG(os.lstat(path).st_mode) and os.access(path, os.W_OK)
    except OSError:
        usable = not os.path.lexists(path)
    if not usable:
        return Check(*check, WARN, f"{path} cannot be written to: nothing is noted", f"Run: rm -rf {shlex.quote(path)}")
    return Check(*check, PASS, path)
