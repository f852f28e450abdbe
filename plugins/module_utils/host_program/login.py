# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign a person in, once, in a browser; nothing is asked where a token can be had already.

The Databricks CLI does the OAuth and keeps the sign-in. We add what it lacks (measured with 1.13.0): it hangs on a host that does
not answer, waits without end for the person, and waits for the browser that it starts before it listens. So it is told to start
none, and says the link instead.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import re
import select
import signal
import socket
import stat
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import NamedTuple

from .. import careful, processes
from . import (
    browser,
    session,
    token_cache,
    user_sign_in,
    workspace,
)
from .config import Config
from .token import (
    PERSON_MUST_SIGN_IN,
    RETRY_MAY_HELP,
    Token,
    TokenError,
)

_LINK = re.compile(r"https?://[!-~]{1,4000}?[?&]redirect_uri=[!-~]+(?=\s)")
_LONGEST_OUTPUT = 1 << 14
_TICK_SECONDS = 0.1
_BETWEEN_TRIES_SECONDS = 3.0
_TOKEN_SECONDS = 60.0
"""How long we wait for a refresh that somebody has begun."""


class Options(NamedTuple):
    """``timeout`` bounds the wait for the person, ``wait`` that for a workspace that cannot be reached yet; both in seconds.

    ``tied``: the end of standard input ends the wait, too. ``again``: a token that can be had already does not count.
    ``store``: which of the Databricks CLI's stores is to keep the sign-in (one of ``user_sign_in.STORES``); empty for its own choice.
    """

    timeout: float
    use_browser: bool
    wait: float
    tied: bool = False
    again: bool = False
    store: str = ""


class SignedIn(NamedTuple):
    """``already``: nothing had to be done."""

    already: bool
    sentence: str


def run(config: Config, options: Options, place: browser.Place, quiet: bool) -> int:
    """The verb: the outcome on stdout, all that leads to it on stderr; returns the exit status."""
    try:
        with _interrupted_by_signals():
            done = login(config, options, place)
    except TokenError as error:
        sys.stderr.write(f"coding-agents: {error}\n")
        return error.exit_status
    except KeyboardInterrupt:
        sys.stderr.write("coding-agents: the sign-in was interrupted\n")
        return RETRY_MAY_HELP
    if not (quiet and done.already):
        sys.stdout.write(f"{done.sentence}\n")
    return 0


def login(config: Config, options: Options, place: browser.Place) -> SignedIn:
    """Make sure that a token can be had which the workspace takes. Raises TokenError, and KeyboardInterrupt."""
    environment = dict(place.environment)
    if config.identity != "user":
        user = _who(config, _patiently(lambda: session.token(config, environment)))
        if user is None:
            raise TokenError(
                f"{config.workspace_url} refuses the token of identity {config.identity}", PERSON_MUST_SIGN_IN
            )
        return SignedIn(
            True, f"nobody needs to sign in: identity {config.identity} is {user} at {config.workspace_url}"
        )
    _check_home(config)
    _check_host(config, options.wait)
    with _Turn(config, options, place) as turn, _storing(config, options.store or _exported_store(environment)):
        user = None if options.again else _signed_in_user(config, environment)
        if user is not None:
            return SignedIn(True, f"already signed in as {user} to {config.workspace_url}")
        _sign_in(user_sign_in.working_cli(config, environment), config, options, place, turn)
        with contextlib.suppress(OSError):
            os.unlink(config.cache_file)  # a token of the sign-in before this one
        try:
            user = _who(config, _new_token(config, environment))
        except TokenError as error:
            if error.exit_status != PERSON_MUST_SIGN_IN:
                raise
            raise TokenError(f"the sign-in worked, but gives no token: {error}", PERSON_MUST_SIGN_IN) from None
        if user is None:
            raise TokenError(
                f"the sign-in worked, but {config.workspace_url} refuses its token",
                PERSON_MUST_SIGN_IN,
                f"Sign in as a user of this workspace: {config.sign_in_command()}",
            )
        return SignedIn(False, f"signed in as {user} to {config.workspace_url}")


def _exported_store(environment: Mapping[str, str]) -> str:
    """A choice that this shell exports: agents that are started elsewhere do not have it."""
    wanted = environment.get(user_sign_in.STORAGE_VARIABLE, "").strip().lower()
    return next((name for name, store in user_sign_in.STORES.items() if store == wanted), "")


@contextlib.contextmanager
def _storing(config: Config, store: str) -> Iterator[None]:
    """Have this sign-in, and all tokens after it, go to a store; as before where it comes to nothing. Raises TokenError."""
    before = user_sign_in.storage(config)
    after = user_sign_in.STORES.get(store, before)
    try:
        if after != before:
            user_sign_in.remember_storage(config, after)
    except OSError as error:
        raise TokenError(f"{config.storage_note} cannot be written ({error.strerror})", PERSON_MUST_SIGN_IN) from None
    try:
        yield
    except BaseException:
        if after != before:
            user_sign_in.remember_storage(config, before)
        raise


def _check_home(config: Config) -> None:
    owner = os.stat(config.home).st_uid
    if owner != os.geteuid():
        raise TokenError(
            f"{config.home} belongs to another user (uid {owner}), who alone can sign in here", PERSON_MUST_SIGN_IN
        )


def _check_host(config: Config, wait: float) -> None:
    """See that one can sign in there: the CLI would wait for minutes for a host that does not answer."""
    until = time.monotonic() + wait
    while True:
        try:
            return workspace.expect_oauth(config.workspace_url, config.ca_file)
        except TokenError:
            if time.monotonic() >= until:
                raise
            time.sleep(_BETWEEN_TRIES_SECONDS)


def _signed_in_user(config: Config, environment: dict[str, str]) -> str | None:
    """Who a token can be had for that the workspace takes; None where a person has to sign in. Raises TokenError."""
    refused = None
    for _attempt in range(2):
        try:
            token = _new_token(config, environment, refused)
        except TokenError as error:
            if error.exit_status == PERSON_MUST_SIGN_IN:
                return None
            raise
        user = _who(config, token)
        if user is not None:
            return user
        refused = token
    return None


def _new_token(config: Config, environment: dict[str, str], refused: Token | None = None) -> Token:
    """What agents will get once the token at hand has come to its end."""
    return _patiently(lambda: session.new_token(config, environment, refused))


def _patiently(ask: Callable[[], Token]) -> Token:
    until = time.monotonic() + _TOKEN_SECONDS
    while True:
        try:
            return ask()
        except token_cache.StillWaiting:
            if time.monotonic() >= until:
                raise


def _who(config: Config, token: Token) -> str | None:
    """Whose token it is, as the workspace says; None when it refuses the token. Raises TokenError."""
    answer = workspace.ask(config.workspace_url, session.WHO_AM_I, f"Bearer {token.value}", config.ca_file)
    if session.is_refusal(answer):
        return None
    if answer.status not in (200, 403) or not answer.body:
        raise TokenError(f"{config.workspace_url} answered HTTP {answer.status}", hint="Try again in a minute")
    return careful.line(answer.body.get("userName") or config.client_id or "somebody", 100)


def _sign_in(cli: str, config: Config, options: Options, place: browser.Place, turn: _Turn) -> None:
    """Let the CLI sign the person in, within our own limit. Raises TokenError."""
    environment = {**user_sign_in.clean_environment(config, place.environment), "BROWSER": browser.NO_BROWSER}
    command = [cli, "auth", "login", "--host", config.workspace_url, "--profile", config.profile]
    until = time.monotonic() + options.timeout
    again = f"Run again: {config.sign_in_command()}"
    said, shown = "", False
    started = processes.start(command, environment, listen=True)
    try:
        while started.poll() is None:
            if time.monotonic() >= until:
                raise TokenError(f"nobody signed in within {options.timeout:.0f} s", RETRY_MAY_HELP, again)
            said = (said + started.read(_TICK_SECONDS))[-_LONGEST_OUTPUT:]
            link = _LINK.search(said)
            if link and not shown:
                shown = True
                turn.show(link[0])
            turn.go_on()
        said += started.read(0)
        status = started.poll()
    finally:
        started.end()
    if status == 0:
        return
    reason = _reason(said) or f"exit status {status}"
    if "access_denied" in reason:
        raise TokenError(f"the sign-in was denied ({reason})", PERSON_MUST_SIGN_IN, again)
    if "keyring" in reason:
        raise TokenError(
            f"the Databricks CLI cannot keep the sign-in ({reason})",
            PERSON_MUST_SIGN_IN,
            f"Unlock the keyring, or to keep it in a file run: {user_sign_in.into_a_file(config)}",
        )
    raise TokenError(f"the Databricks CLI could not sign in ({reason})", RETRY_MAY_HELP, again)


def _reason(said: str) -> str:
    return user_sign_in.reason(_LINK.sub("", said))


class _Turn:
    """One sign-in at a time for each user and workspace: who comes second shows the first one's link, and waits for its end.

    The lock's file holds the link (it is of no use without what the CLI keeps to itself). Refreshes have another lock: a sign-in,
    which takes minutes, holds up no agent.
    """

    def __init__(self, config: Config, options: Options, place: browser.Place) -> None:
        self._config = config
        self._options = options
        self._place = place
        self._opening: browser.Opening | None = None
        self._lock = -1

    def __enter__(self) -> _Turn:
        try:
            os.makedirs(self._config.cache_directory, mode=0o700, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(f"{self._config.cache_file}.login", flags, 0o600)
        except OSError:
            return self  # a home that cannot be written to: the CLI will say so
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        if not (is_file and careful.is_ours_alone(self._config.cache_directory)):
            os.close(descriptor)  # whose link would that be?
            return self
        self._lock = descriptor
        try:
            self._wait()
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._lock >= 0:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)

    def _wait(self) -> None:
        until = time.monotonic() + self._options.timeout
        shown = ""
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.ftruncate(self._lock, 0)
                return
            except BlockingIOError:
                found = _LINK.search(os.pread(self._lock, 1 << 12, 0).decode("utf-8", "replace") + "\n")
                link = found[0] if found else ""
            except OSError:
                return  # a file system without locks
            if time.monotonic() >= until:
                raise TokenError(
                    f"another sign-in of this user still waits after {self._options.timeout:.0f} s",
                    hint="Try again later",
                )
            if link and link != shown:
                _say("Another sign-in of this user waits already.")
                self._show(link)
                shown = link
            self.go_on()
            time.sleep(_TICK_SECONDS)

    def show(self, link: str) -> None:
        """Show the person the link, and send a browser there where there is one; does not wait for it."""
        if self._lock >= 0:
            os.pwrite(self._lock, link.encode(), 0)
        self._show(link)

    def _show(self, link: str) -> None:
        commands = browser.openers(self._place) if self._options.use_browser else []
        if commands:
            self._opening = browser.Opening(commands, link, self._place.environment)
            _say(f"Sign in to {self._config.workspace_url} in the browser. If none opens, open this link:\n  {link}")
        else:
            _say(f"To sign in to {self._config.workspace_url}, open this link in a browser:\n  {link}")
        forward = "" if commands and self._place.has_desktop else _forward(link)
        if forward:
            _say(f"If that browser is on another machine, run this there first:\n  {forward}")
        _say(f"Waiting up to {self._options.timeout:.0f} s.")

    def go_on(self) -> None:
        """See to what opens the link, and whether anybody still waits for us. Raises KeyboardInterrupt."""
        if self._options.tied and select.select([0], [], [], 0)[0] and not os.read(0, 1):
            raise KeyboardInterrupt
        if self._opening is not None and self._opening.has_failed():
            self._opening = None
            _say("No browser could be opened: open the link yourself.")


def _forward(link: str) -> str:
    """The command that brings the browser's way back to this host: the CLI listens on this host's loopback only.

    Empty where the link does not say how.
    """
    try:
        (redirect,) = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)["redirect_uri"]
        port = urllib.parse.urlsplit(redirect).port or 80
    except (ValueError, KeyError):
        return ""
    return f"ssh -L {port}:localhost:{port} {pwd.getpwuid(os.geteuid()).pw_name}@{socket.gethostname()}"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """The end of a session or connection ends the CLI, too: left alone it would wait for ever."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
