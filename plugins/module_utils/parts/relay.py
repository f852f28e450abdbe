# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay: its program, what it is told, and the command by which agents get its key. It is started when an agent needs it."""

from __future__ import annotations

import base64
import hashlib
import os
import shlex
import shutil
import stat
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from .. import careful
from ..engine import files, traces
from ..engine.documents.whole_file import WHOLE
from ..engine.ledger import Ledger
from ..engine.owner import Owner
from ..engine.ownership import PRIVATE, Wanted, whole_file
from ..errors import OperatorError
from ..host_program.browser import here
from ..host_program.config import Config
from ..relay import control, running
from ..relay.places import Places, read_key
from ..relay.settings import HOST, SERVICE, Settings
from ..version import VERSION
from . import relay_service, relaying
from .base import NOTHING, Done, Options, Part
from .context import bare_config, config_of
from .examination import FAIL, PASS, ROLL_OUT, WARN, Check, Examination
from .relay_scripts import command_script

_CATEGORY = "Runtime files"
_FOR_EVERYBODY = 0o644
_GRACE_SECONDS = 5.0
"""For what still runs through a relay that goes: it ends by itself then, and writes nothing any more."""
_READ_BY_IT = 2
"""Of its files, how many are."""


class _Prepared(NamedTuple):
    changed: bool
    """Whether what the relay itself reads changes: one that runs has to give way to a new one."""
    former: Settings | None
    """What it was told before."""


class Relay(Part):
    name = "relay"

    def wanted(self, owner: Owner, options: Options) -> list[Wanted]:
        found = [
            whole_file(path, self.name, content, summary, mode)
            for path, content, summary, mode in _files(owner, options)
        ]
        found += _search_key(self.name, owner, options)
        if relaying.life(options) != SERVICE:
            return found
        if owner.is_machine:
            raise OperatorError(
                "is service, which is one person's, and coding_agents_scope is machine",
                "coding_agents_relay",
                "Use session, with which each person has their own relay",
            )
        has_systemd = os.path.isdir(relay_service.SYSTEMD)
        starts = relay_service.documents(config_of(owner, options), self.name, here(os.environ).platform, has_systemd)
        return [*found, *starts]

    def require_carried(self, owner: Owner, options: Options) -> None:
        if relaying.life(options) != relaying.OFF:
            config = bare_config(owner)
            if not _has_program(config, options) and "relay" not in (options.get("carried") or {}):
                raise relaying.RelayNeeded

    def missing(self, owner: Owner, options: Options) -> list[str]:
        """The relay of a service, where it does not run; what is left of one that is not wanted any more."""
        life = relaying.life(options)
        if life == SERVICE and running.find(Places(owner.home)) is None:
            return ["the relay is started"]
        if life != relaying.OFF or owner.is_machine:
            return []
        directory = Places(owner.home).directory
        return [f"{directory}: the relay's key, log and what it noted are removed"] if _is_there(directory) else []

    def prepare(self, owner: Owner, options: Options) -> _Prepared:
        changed = any(
            files.read(path).content != content for path, content, *_how in _files(owner, options)[:_READ_BY_IT]
        )
        return _Prepared(changed, _told(bare_config(owner)))

    def after(self, owner: Owner, options: Options, prepared: _Prepared) -> None:
        if owner.is_machine:
            return  # each person has their own, and the next one that starts is the new one
        places = Places(owner.home)
        if relaying.life(options) == relaying.OFF:
            _forget(places, prepared.former)
            return
        runs, config = running.find(places) is not None, config_of(owner, options)
        if (runs and prepared.changed) or (not runs and relaying.life(options) == SERVICE):
            control.start(config, control.load(config), again=runs)

    def facts(self, owner: Owner, options: Options, asking: bool) -> dict[str, Any]:
        wanted = relaying.life(options) != relaying.OFF
        return {"lacks_relay": True} if wanted and not _has_program(bare_config(owner), options) else {}

    def before_withdrawal(self, owner: Owner, options: Options, check: bool) -> Done:
        places = Places(owner.home)
        if owner.is_machine or not _is_there(places.directory):
            return NOTHING
        if not check:
            _forget(places, _told(bare_config(owner)))
        return Done([f"{places.directory}: the relay's key, log and what it noted removed"], [])

    def checks(self, examination: Examination) -> Iterator[Check]:
        if relaying.life(examination.options) == relaying.OFF or not examination.has_person:
            return
        config = examination.config
        try:
            settings = control.load(config)
        except OperatorError:
            return  # shows as a document that is not as wanted
        places = Places(config.home)
        yield _key(places)
        yield _listening(config, settings, places)

    def traces(self, ledger: Ledger) -> None:
        config = bare_config(ledger.owner)
        for path in (control.program(config), control.settings_file(config), _command(config)):
            traces.whole_file(ledger, self.name, path)
        if not ledger.owner.is_machine:
            relay_service.trace(ledger, self.name)
        traces.whole_file(ledger, self.name, relaying.search_key_file(config))


def _search_key(part: str, owner: Owner, options: Options) -> list[Wanted]:
    """The search service's key, where one is used: for the person alone."""
    key = options.get("web_search_key")
    if relaying.life(options) == relaying.OFF or not options.get("web_search") or not key:
        return []
    path = relaying.search_key_file(bare_config(owner))
    wanted = whole_file(path, part, f"{key}\n".encode(), "key of the search service", PRIVATE)
    return [wanted.replaced(masked=frozenset({WHOLE}))]


def _command(config: Config) -> str:
    return os.path.join(config.data_directory, relaying.COMMAND_NAME)


def _files(owner: Owner, options: Options) -> list[tuple[str, bytes, str, int]]:
    """Path, content, title and mode of each, what the relay itself reads first."""
    if relaying.life(options) == relaying.OFF:
        return []
    config = config_of(owner, options)
    started = 0o755 if owner.is_machine else 0o700
    told = relaying.settings_of(config, options).to_json().encode()
    return [
        (control.program(config), _program(config, options), f"relay {VERSION}", started),
        (control.settings_file(config), told, "relay's settings", _FOR_EVERYBODY),
        (_command(config), command_script(config), "command for the relay's key", started),
    ]


def _has_program(config: Config, options: Options) -> bool:
    """Whether the wanted relay stands here; where nobody says which that is, any will do."""
    content = files.read(control.program(config)).content
    wanted = (options.get("carried") or {}).get("relay_sha256")
    return content is not None and wanted in (None, "", hashlib.sha256(content).hexdigest())


def _program(config: Config, options: Options) -> bytes:
    """The relay's bytes: those that stand here where they are the wanted ones, else what the call has brought along.

    A call that only compares brings a digest: what stands for the bytes then differs from all that a host can have.
    """
    if _has_program(config, options):
        return files.read(control.program(config)).content or b""
    carried = options.get("carried") or {}
    if "relay" in carried:
        return zlib.decompress(base64.b64decode(carried["relay"]))
    return f"relay {carried.get('relay_sha256')}".encode()


def _is_there(directory: str) -> bool:
    return os.path.lexists(directory)


def _told(config: Config) -> Settings | None:
    """What the relay was told that stands here."""
    try:
        return control.load(config)
    except OperatorError:
        return None


def _forget(places: Places, settings: Settings | None) -> None:
    """End the relay that is ours, and remove what it has left. Who merely holds its port is left alone. Raises OperatorError."""
    found = running.find(places)
    if control.stop(settings or Settings(config="/", upstreams={}), places) and found is not None:
        control.wait_for_end(found.pid, _GRACE_SECONDS)
    if not _is_there(places.directory):
        return
    try:
        shutil.rmtree(places.directory)
    except OSError as error:
        raise files.unusable(error, places.directory, "removed") from None


def _key(places: Places) -> Check:
    check = (_CATEGORY, "relay's key")
    if not os.path.lexists(places.key):
        return Check(*check, PASS, "is made when the relay is first started")
    if read_key(places) is not None:
        return Check(*check, PASS, "private")
    try:
        mode = stat.S_IMODE(os.lstat(places.key).st_mode)
    except OSError as error:
        return Check(*check, FAIL, f"{places.key} cannot be looked at ({error.strerror})", "Check its owner and mode")
    said = f"{places.key} is no key that only its owner can read (mode {mode:04o})"
    return Check(*check, FAIL, f"{said}: the relay does not start with it", f"Run: rm -f {places.key}")


def _listening(config: Config, settings: Settings, places: Places) -> Check:
    """Whether the relay that runs answers; where none runs, whether one could."""
    check, command = (_CATEGORY, "relay"), f"{shlex.quote(config.front)} relay"
    found = running.find(places)
    if found is None:
        who = control.holder(settings)
        if not who and settings.life == SERVICE:
            return Check(*check, FAIL, "does not run, as it should", f"Run: {command} start")
        if not who:
            return Check(*check, PASS, "starts when an agent needs it")
        said = f"port {settings.port} of {HOST} is in use by {control.called(who)}"
        return Check(*check, FAIL, said, control.FREE_THE_PORT)
    try:
        answer = control.ask(settings, places, "GET", "/health")
    except (OSError, ValueError) as error:
        fix = f"Run: kill {found.pid}; {command} start"
        return Check(*check, FAIL, f"process {found.pid} runs and does not answer ({careful.line(error)})", fix)
    if answer.status != 200:
        return Check(*check, WARN, f"process {found.pid} answers with HTTP {answer.status}", ROLL_OUT)
    return Check(*check, PASS, f"process {found.pid} answers at {settings.url}")
