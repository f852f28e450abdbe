# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""Where tokens are ("Where tokens are" in README.md): a file or a keyring, and nothing that keeps two writers apart.

A token is a dict of ``access_token``, ``token_type``, ``refresh_token``, ``expiry`` (RFC 3339, nanoseconds) and ``expires_in``
(the seconds it had when it was issued: nobody counts them down).
"""

from __future__ import annotations

import os
import time

from . import knobs, quick_json
from .config import ConfigFile
from .errors import CliError

SECURE, PLAINTEXT = "secure", "plaintext"
_NO_SERVICE = "dial unix /run/user/bus: connect: no such file or directory"


class Store:
    """Tokens by key: the profile's name, in the file also the host's URL."""

    def __init__(self, mode: str, source: str) -> None:
        self.mode = mode
        self.source = source  # what asked for the mode; empty when nothing did
        self._keyring = knobs.read().get("keyring", "")
        self.path = os.path.expanduser("~/.databricks/token-cache.json") if mode == PLAINTEXT else self._keyring

    @property
    def reachable(self) -> bool:
        return self.mode == PLAINTEXT or bool(self._keyring)

    def has(self, key: str) -> bool:
        return key in self._read()

    def lookup(self, key: str) -> dict[str, object]:
        """The token of ``key``. CliError when there is none or the keyring cannot be asked."""
        if not self.reachable:
            raise CliError(
                f"cache: OS keyring unreachable: {_NO_SERVICE} (set DATABRICKS_AUTH_STORAGE=plaintext or start a Secret"
                " Service provider, then run 'databricks auth login')"
            )
        found = self._read().get(key)
        if found is not None:
            return found
        hint = "no cached credentials; run 'databricks auth login' to sign in"
        if self.mode == SECURE and _tokens_in(os.path.expanduser("~/.databricks/token-cache.json")):
            hint = (
                "stored credentials from older CLI versions are no longer used; run 'databricks auth login' to sign in"
                " again, or set DATABRICKS_AUTH_STORAGE=plaintext to keep using the file cache"
            )
        raise CliError(f"cache: databricks OAuth is not configured for this host. {hint}")

    def keep(self, profile: str, host: str, token: dict[str, object]) -> None:
        """Read all, change one, write all: of two at once the last one wins."""
        tokens = self._read()
        for key in (profile, host if self.mode == PLAINTEXT or not profile else ""):
            if key:
                tokens[key] = token
        self._write(tokens)

    def begin(self) -> None:
        """An empty file where there is none."""
        if self.mode == PLAINTEXT and not os.path.exists(self.path):
            self._write({})

    def forget(self, *keys: str) -> None:
        tokens = self._read()
        self._write({key: token for key, token in tokens.items() if key not in keys})

    def _read(self) -> dict[str, dict[str, object]]:
        return _tokens_in(self.path)

    def _write(self, tokens: dict[str, dict[str, object]]) -> None:
        import json

        directory = os.path.dirname(self.path)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        scratch = f"{self.path}.{os.getpid()}"
        with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            json.dump({"version": 1, "tokens": tokens}, stream, indent=2)
        os.replace(scratch, self.path)


def _tokens_in(path: str) -> dict[str, dict[str, object]]:
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as stream:
        tokens: dict[str, dict[str, object]] = quick_json.loads(stream.read()).get("tokens") or {}
    return tokens


def resolve(config: ConfigFile) -> Store:
    """The store that is asked for, by environment, then by the file; secure when nothing is said."""
    named = os.environ.get("DATABRICKS_AUTH_STORAGE", "")
    source = "DATABRICKS_AUTH_STORAGE environment variable" if named else ""
    if not named:
        named = config.setting("auth_storage")
        source = f"auth_storage in [__settings__] section of {config.path}" if named else ""
    mode = named.strip().lower() or SECURE
    if mode not in (SECURE, PLAINTEXT):
        where = "DATABRICKS_AUTH_STORAGE" if source.startswith("DATABRICKS") else "auth_storage"
        raise CliError(f'{where}: unknown storage mode "{named}" (want secure or plaintext)')
    return Store(mode, source)


def resolve_for_reading(config: ConfigFile) -> Store:
    """As :func:`resolve`; where nobody asked for a store, no keyring means the file."""
    store = resolve(config)
    return store if store.reachable or store.source else Store(PLAINTEXT, "")


def resolve_for_login(config: ConfigFile) -> Store:
    """As :func:`resolve`; no keyring means the file, from now on, unless the keyring was asked for by name."""
    store = resolve(config)
    if store.reachable:
        return store
    if store.source:
        raise CliError(f"secure storage was requested but the OS keyring is not reachable: {_NO_SERVICE}")
    config.set_setting("auth_storage", PLAINTEXT)
    return Store(PLAINTEXT, f"auth_storage in [__settings__] section of {config.path}")


def stamp(answer: dict[str, object], now_ns: int | None = None) -> dict[str, object]:
    """A token as it is stored, from the answer of the token endpoint."""
    now = time.time_ns() if now_ns is None else now_ns
    lifetime = int(str(answer.get("expires_in") or 0))
    return {
        "access_token": answer["access_token"],
        "token_type": answer.get("token_type") or "Bearer",
        "refresh_token": answer.get("refresh_token") or "",
        "expiry": _rfc3339(now + lifetime * 1_000_000_000),
        "expires_in": lifetime,
    }


def _rfc3339(nanoseconds: int) -> str:
    """As Go writes it: local time, nine digits less trailing zeros, and Z where that is UTC."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    local = time.localtime(seconds)
    fraction = f".{rest:09d}".rstrip("0").rstrip(".")
    offset = local.tm_gmtoff // 60
    zone = "Z" if not offset else f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"
    return time.strftime("%Y-%m-%dT%H:%M:%S", local) + fraction + zone


def remaining(token: dict[str, object]) -> float:
    """Seconds until the token expires, by this machine's clock."""
    import datetime

    text = str(token["expiry"]).replace("Z", "+00:00")
    if text[19] == ".":
        digits = len(text[20:]) - len(text[20:].lstrip("0123456789"))
        text = text[:20] + text[20 : 20 + digits][:6].ljust(6, "0") + text[20 + digits :]
    return datetime.datetime.fromisoformat(text).timestamp() - time.time()
