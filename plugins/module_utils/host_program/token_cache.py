# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token cache that the sh front reads, and one refresh at a time.

Three lines: until when the token may be handed out without asking anew, the token, its expiry (both times in seconds since the
epoch). 0600 in a directory 0700; a file that is not ours, that others can read, or that is a link, is ignored.

Beside it, ``.served`` says when a token was last handed out, ``.good`` when the workspace was last seen to take it, ``.failed`` when
and how a refresh failed since the last token, ``.lock`` is the lock. Agents run the helper again after a 401 and cannot say why they
do: so a call soon after another one has the token tried.

A token is replaced long before it ends. Where that does not work for the moment, or takes longer than a caller waits, the one at hand
is handed out while it lives, unless the workspace refuses it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import stat
import sys
import time
from typing import Callable, NamedTuple, NoReturn, Optional

from .. import careful
from . import log
from .config import Config
from .token import LATEST, RETRY_MAY_HELP, Token, TokenError, TokenRefused, token_text

CALLER_WAITS_SECONDS = 4.0
"""An agent kills a helper that is slow (Codex after 5 s); the refresh itself goes on in its own session."""

ASKED_AGAIN_SECONDS = 30
"""A call within so many seconds of the last one may come from an agent whose token was refused."""

KNOWN_GOOD_SECONDS = 5
"""For so long the answer of one trial counts, for all callers."""

LAST_SECONDS = 10
"""A token this close to its end counts as expired, as it does for the Databricks CLI."""

RETRY_SECONDS = 30
"""A token whose refresh has failed is handed out for so long, while it lives, before the refresh is tried again."""

_REFUSED = 0
"""Stands for the expiry of a token that the workspace refused: it is handed out no more, and the next one is to be another."""

_MOST_BYTES = 1 << 16

held_locks: list[int] = []
"""Files that a program which refreshes for us must inherit: should we be killed, it still has the lock until it ends."""

Request = Callable[[Optional[Token]], Token]
"""Asks the identity's source for a token: another than the one given, which the workspace refused. Raises TokenError."""

IsRefused = Callable[[Token], bool]
"""Tries a token at the workspace."""


Work = Callable[[], Token]
"""What the one does who has the lock. Raises TokenError."""


class NoAnswer(TokenError):
    """A refresh of which nobody knows how it ends."""


class StillWaiting(NoAnswer):
    """A refresh that goes on: whoever has more time than an agent asks again."""


class Cached(NamedTuple):
    token: Token
    serve_until: int

    def is_fresh(self, now: float) -> bool:
        return now < self.serve_until

    def lives(self, now: float) -> bool:
        return self.token.expires_at - now > LAST_SECONDS


def load(config: Config) -> Cached | None:
    """What the cache holds, fresh or not; None for no cache, or for one that cannot be trusted."""
    if not careful.is_ours_alone(config.cache_directory):
        return None  # others could put something there; the next token takes that from them
    try:
        with os.fdopen(careful.open_regular(config.cache_file, follow=False), encoding="ascii") as stream:
            status = os.fstat(stream.fileno())
            if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
                return None
            serve_until, value, expires_at = stream.read(_MOST_BYTES).splitlines()
        return Cached(Token(token_text(value), _moment(expires_at)), _moment(serve_until))
    except (OSError, ValueError):
        return None


def _moment(text: str) -> int:
    """Seconds since the epoch. Raises ValueError for what no clock could show."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LATEST)) and int(text) <= LATEST):
        raise ValueError("no time")
    return int(text)


def store(config: Config, token: Token) -> None:
    """Write a new token to the cache. A home that cannot be written to has no cache, and still gets its token."""
    _store(config, token, served_until(config, token))
    with contextlib.suppress(OSError):
        os.unlink(f"{config.cache_file}.failed")


def served_until(config: Config, token: Token) -> int:
    """Until when a new token may be handed out without asking anew."""
    # One that lives shorter than the agent wants is used for a quarter of its life rather than asked for at every call.
    margin = min(config.wanted_life_seconds, max(token.expires_at - int(time.time()), 0) * 3 // 4)
    return token.expires_at - margin


def _store(config: Config, token: Token, serve_until: int) -> None:
    """Write the cache atomically."""
    lines = f"{serve_until}\n{token.value}\n{token.expires_at}\n"
    temporary = f"{config.cache_file}.{os.getpid()}"
    try:
        _make_private_directory(config)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(lines)
        os.replace(temporary, config.cache_file)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def get(config: Config, request: Request, is_refused: IsRefused) -> Token:
    """A token from the cache, or one asked for anew; whoever comes while it is being asked for shares the answer.

    Raises TokenError. A refresh runs in a session of its own and holds the lock: an agent that kills its helper never cuts off
    a refresh (a lost rotated refresh token would sign the person out). We give up waiting after CALLER_WAITS_SECONDS.
    """
    begin = time.time()
    asked_again = 0 <= begin - _read_time(config, "served") < ASKED_AGAIN_SECONDS
    log.write(config, "asked for a token" + (", soon after another call" if asked_again else ""))

    def at_hand() -> Token | None:
        return _servable(config, asked_again)

    def work() -> Token:
        return _tried_or_new(config, request, is_refused, asked_again)

    try:
        token = at_hand() or _ask_alone(config, work, at_hand)
    except NoAnswer as error:
        token = _living(config, begin if asked_again else None) or _no_token(error)
    _write_time(config, "served")
    return token


def ask(config: Config, request: Work) -> Token:
    """A token asked for anew, under the same lock, whatever is at hand. Raises TokenError.

    A token that lives still does where the failure is one that may pass.
    """

    def work() -> Token:
        try:
            return _kept(config, request())
        except TokenError as error:
            if error.at_hand is None or error.exit_status != RETRY_MAY_HELP:
                raise
            log.write(config, f"the refresh failed: {error}")
            return error.at_hand

    log.write(config, "asked for a new token")
    return _ask_alone(config, work)


def _no_token(error: TokenError) -> NoReturn:
    raise error


def _living(config: Config, tried_since: float | None) -> Token | None:
    """The token at hand while it lives; where an agent may have had it refused, only if it was tried since then, or just before."""
    cached, now = load(config), time.time()
    if cached is None or not cached.lives(now):
        return None
    if (
        tried_since is not None
        and not int(min(tried_since, now - KNOWN_GOOD_SECONDS)) <= _read_time(config, "good") <= now
    ):
        return None
    log.write(config, f"handed out the token at hand, which lives until {log.moment(cached.token.expires_at)}")
    return cached.token


def _is_known_good(config: Config, now: float) -> bool:
    return 0 <= now - _read_time(config, "good") <= KNOWN_GOOD_SECONDS


def _servable(config: Config, asked_again: bool) -> Token | None:
    """The cached token, if it may be handed out without asking anybody."""
    cached = load(config)
    now = time.time()
    if cached is None or not cached.is_fresh(now):
        return None
    return cached.token if not asked_again or _is_known_good(config, now) else None


def _ask_alone(config: Config, work: Work, at_hand: Callable[[], Token | None] | None = None) -> Token:
    """Do the ``work`` under the lock, in a child of its own. Raises TokenError.

    Whoever waited for the lock looks first what the other found: a token ``at_hand``, or a failure. Without ``at_hand``, a token that
    is there already does not count.
    """
    begin, deadline = time.time(), time.monotonic() + CALLER_WAITS_SECONDS
    lock, waited = _open_lock(config), False
    while lock is not None and not _try_lock(lock):
        if time.monotonic() > deadline:
            raise _still_waiting(config)
        waited = True
        time.sleep(0.05)  # a hundred may be waiting, and what they wait for needs the processor
    if waited:
        log.write(config, f"waited {time.time() - begin:.1f} s for another call's refresh")
    token = at_hand() if at_hand else None
    if token is not None:
        return token
    if waited:
        failure = _failure_since(config, begin)
        if failure is not None and not (at_hand and _has_living(config)):
            raise failure
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        held_locks.extend([] if lock is None else [lock])
        _do(config, work, reader, writer)
    os.close(writer)
    if lock is not None:
        os.close(lock)  # the child's copy holds it
    return _answer(config, reader, deadline)


def _has_living(config: Config) -> bool:
    cached = load(config)
    return cached is not None and cached.lives(time.time())


def _do(config: Config, work: Work, reader: int, writer: int) -> None:
    """The child: do the work, tell the parent if it still listens, end."""
    status = 1
    try:
        os.setsid()
        os.close(reader)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):  # an agent waits until nobody holds its pipe any more
            os.dup2(null, descriptor)
        try:
            token = work()
            answer = f"0\n{token.value}\n{token.expires_at}"
        except TokenError as error:
            log.write(config, f"no token: {error}")
            _write_failure(config, error)
            answer = f"{error.exit_status}\n{error}\n0"
        os.write(writer, answer.encode("utf-8", "replace"))
        status = 0
    except BrokenPipeError:
        status = 0
    finally:
        os._exit(status)


def _tried_or_new(config: Config, request: Request, is_refused: IsRefused, asked_again: bool) -> Token:
    """The token at hand, if it was only to be tried; else a new one, or the one at hand where none comes. Raises TokenError."""
    cached, now = load(config), time.time()
    refused = cached.token if cached is not None and cached.token.expires_at == _REFUSED else None
    is_fresh = cached is not None and cached.is_fresh(now)
    lives = cached is not None and cached.lives(now)
    if cached is not None and (is_fresh or (lives and asked_again)):
        if is_refused(cached.token):
            log.write(config, "the workspace refuses the token at hand")
            _forget(config, cached.token)
            refused, lives = cached.token, False
        else:
            log.write(config, "the workspace still takes the token at hand")
            _write_time(config, "good")
            if is_fresh:
                return cached.token
    try:
        return _kept(config, request(refused))
    except TokenRefused:
        if cached is not None:
            _forget(config, cached.token)
        raise
    except TokenError as error:
        alive = [
            one for one in (cached.token if cached is not None and lives else None, error.at_hand) if one is not None
        ]
        if not alive:
            raise
        log.write(config, f"the refresh failed: {error}")
        token = max(alive, key=lambda one: one.expires_at)
        _store(config, token, min(int(now) + RETRY_SECONDS, token.expires_at - LAST_SECONDS))
        _write_failure(config, error)
        log.write(config, f"handed out the token at hand, which lives until {log.moment(token.expires_at)}")
        return token


def _kept(config: Config, token: Token) -> Token:
    store(config, token)
    _write_time(config, "good")  # a new token is taken for good: who refuses this one will refuse the next as well
    log.write(config, f"got a token that lives until {log.moment(token.expires_at)}")
    return token


def _forget(config: Config, token: Token) -> None:
    """See that a token is handed out no more."""
    if config.identity == "user":  # whom the Databricks CLI would give the same one again, untold
        _store(config, token._replace(expires_at=_REFUSED), 0)
        return
    with contextlib.suppress(OSError):
        os.unlink(config.cache_file)


def _answer(config: Config, reader: int, deadline: float) -> Token:
    text = b""
    with os.fdopen(reader, "rb", buffering=0) as stream:
        while True:
            ready, _writable, _failed = select.select([stream], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                raise _still_waiting(config)
            chunk = stream.read(1 << 16)
            if not chunk:
                break
            text += chunk
    status, _newline, rest = text.decode("utf-8").partition("\n")
    if not status.isdigit():
        raise NoAnswer(
            "the token refresh ended without an answer", hint="Try again; if it stays so, run the doctor playbook"
        )
    value, _newline, expires_at = rest.rpartition("\n")
    if status != "0":
        raise TokenError(value, int(status))
    return Token(value, int(expires_at))


def _still_waiting(config: Config) -> StillWaiting:
    log.write(config, f"gave up waiting after {CALLER_WAITS_SECONDS:.0f} s; the refresh goes on")
    return StillWaiting(
        f"no answer from Databricks within {CALLER_WAITS_SECONDS:.0f} s",
        RETRY_MAY_HELP,
        "The refresh goes on: try again",
    )


def _read_time(config: Config, name: str) -> int:
    try:
        return _moment(careful.read(f"{config.cache_file}.{name}", 20, follow=False).decode("ascii").strip())
    except (OSError, ValueError):
        return 0


def last_failure(config: Config) -> str | None:
    """Why no new token came, where none has come since."""
    failure = _failure_since(config, 0)
    return None if failure is None else str(failure)


def _failure_since(config: Config, begin: float) -> TokenError | None:
    """How a refresh failed that ended after ``begin`` (seconds since the epoch): asking again would only fail once more."""
    try:
        content = careful.read(f"{config.cache_file}.failed", _MOST_BYTES, follow=False).decode("utf-8", "replace")
        when, status, message = content.rstrip("\n").split("\n")
        known = begin <= float(when) <= time.time() and status in ("1", "2")
        return TokenError(message, int(status)) if known else None
    except (OSError, ValueError):
        return None


def _write_failure(config: Config, error: TokenError) -> None:
    write(config, "failed", f"{time.time()}\n{error.exit_status}\n{error}\n".encode("utf-8", "replace"))


def _write_time(config: Config, name: str) -> None:
    write(config, name, f"{int(time.time())}\n".encode())


def write(config: Config, name: str, content: bytes) -> None:
    """A note beside the cache; one that cannot be written changes nothing. Not blocking: a pipe may stand there."""
    with contextlib.suppress(OSError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(f"{config.cache_file}.{name}", flags, 0o600), "wb") as stream:
            stream.write(content)


def _make_private_directory(config: Config) -> None:
    """Make the cache's directory, or take from others what they can do in it, with what they may have put there. Raises OSError."""
    os.makedirs(config.cache_directory, mode=0o700, exist_ok=True)
    status = os.stat(config.cache_directory)
    if status.st_uid != os.geteuid() or not stat.S_IMODE(status.st_mode) & 0o077:
        return
    os.chmod(config.cache_directory, 0o700)
    if stat.S_IMODE(status.st_mode) & 0o022:
        for name in os.listdir(config.cache_directory):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(config.cache_directory, name))


def _open_lock(config: Config) -> int | None:
    """The lock file, or None where none can be made (a read-only home refreshes without one)."""
    try:
        _make_private_directory(config)
        return os.open(config.cache_file + ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return None


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError as error:
        # Any other error is a file system without locks: refresh without one.
        return error.errno not in (errno.EWOULDBLOCK, errno.EINTR)
