# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token that requests are sent with: the one in the token helper's cache, as long as it counts as fresh there."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any, NamedTuple, Optional

from ..host_program import token_cache
from ..host_program.config import Config
from ..host_program.token import PERSON_MUST_SIGN_IN, Token, TokenError

ONE_REPLACEMENT_SECONDS = 10.0
"""A token that is refused so soon after another was: the next one would be refused as well, and nobody is asked for it."""

_ANSWER_SECONDS = 60.0
"""Longer than what asks has patience (see refresh.py)."""

_START = "import sys; sys.path.insert(0, {root!r}); from {package}.refresh import main; sys.exit(main())"

_Stamp = Optional[tuple[int, int, int]]


class _Known(NamedTuple):
    """``stamp`` tells the cache's file apart from the next one; None for a token that came into no cache."""

    cached: token_cache.Cached
    stamp: _Stamp


class Tokens:
    """Of one user. Make it in the event loop that it is used in."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._known: _Known | None = None
        self._asking: asyncio.Task[Token] | None = None
        self._replacing: asyncio.Task[Token | None] | None = None
        self._replaced_at = -ONE_REPLACEMENT_SECONDS

    async def current(self) -> Token:
        """A token that can be used now; whoever comes while one is asked for shares the answer. Raises TokenError."""
        found = self._fresh()
        if found is not None:
            return found
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._ask(None))
        # A client that goes away must not take from the others what they wait for.
        return await asyncio.shield(self._asking)

    async def replacement(self, refused: Token) -> Token | None:
        """Another token than the one that the workspace has just refused; None where no other is to be had. Raises TokenError."""
        found = self._fresh()
        if found is not None and found.value != refused.value:
            return found
        if self._replacing is None or self._replacing.done():
            if time.monotonic() - self._replaced_at < ONE_REPLACEMENT_SECONDS:
                return None
            self._replacing = asyncio.ensure_future(self._replace(refused))
        return await asyncio.shield(self._replacing)

    def state(self) -> dict[str, Any]:
        """For whoever asks how it stands; no token."""
        cached = token_cache.load(self._config) or (self._known.cached if self._known else None)
        lives = cached is not None and cached.lives(time.time())
        return {
            "state": "active" if lives else "absent",
            "expires_at": cached.token.expires_at if cached is not None and lives else None,
            "last_failure": token_cache.last_failure(self._config),
        }

    async def _replace(self, refused: Token) -> Token | None:
        token = await self._ask(refused)
        self._replaced_at = time.monotonic()
        return None if token.value == refused.value else token

    def _fresh(self) -> Token | None:
        """The token at hand while it counts as fresh. The file is read again only when it is another."""
        stamp = _stamp(self._config.cache_file)
        if self._known is None or self._known.stamp != stamp:
            cached = token_cache.load(self._config)
            self._known = _Known(cached, stamp) if cached is not None else None
        if self._known is None or not self._known.cached.is_fresh(time.time()):
            return None
        return self._known.cached.token

    async def _ask(self, refused: Token | None) -> Token:
        """Raises TokenError."""
        told = await _told({"config": self._config.config_file, "refused": refused})
        if "error" in told:
            raise TokenError(str(told["error"]), int(told["exit_status"]))
        token = Token(str(told["token"]), int(told["expires_at"]))
        cached = token_cache.load(self._config)
        if cached is None or cached.token.value != token.value:  # a home that cannot be written to
            until = token_cache.served_until(self._config, token)
            self._known = _Known(token_cache.Cached(token, until), _stamp(self._config.cache_file))
        return token


def must_sign_in(error: TokenError) -> bool:
    """Whether only the person can mend it."""
    return error.exit_status == PERSON_MUST_SIGN_IN


def _stamp(path: str) -> _Stamp:
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


async def _told(order: dict[str, Any]) -> dict[str, Any]:
    """What the process says that asks (refresh.py). Raises TokenError where it says nothing."""
    package = str(__package__)
    root = os.path.abspath(__file__)
    for _part in (*package.split("."), "file"):
        root = os.path.dirname(root)
    command = [sys.executable, "-IS", "-c", _START.format(root=root, package=package)]
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError as error:
        raise TokenError(
            f"{sys.executable} cannot be started ({error.strerror})", hint="Run the rollout again"
        ) from None
    try:
        said, _errors = await asyncio.wait_for(process.communicate(json.dumps(order).encode()), _ANSWER_SECONDS)
        told = json.loads(said)
    except (ValueError, asyncio.TimeoutError):
        told = None
    finally:
        if process.returncode is None:
            process.kill()
    if not isinstance(told, dict):
        raise TokenError(
            "the token refresh ended without an answer", hint="Try again; if it stays so, run the doctor playbook"
        )
    return told
