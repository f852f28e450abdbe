# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's sign-in, held by the Databricks CLI: we ask it for tokens, one caller at a time, and never touch its store.

Behaviour of the CLI as measured with 1.13.0: ``auth token`` refreshes by itself only in a token's last five minutes, takes no lock
(a refresh at the same moment as another says that the sign-in has ended), retries for minutes without a word where a host does not
answer, and says "Try logging in again" where a moment's patience is all that is needed.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from .. import careful, processes
from . import profile, token_cache
from .config import Config
from .token import (
    LATEST,
    PERSON_MUST_SIGN_IN,
    Token,
    TokenError,
    token_text,
)

_USUAL_DIRECTORIES = ("/opt/homebrew/bin", "/usr/local/bin", "/usr/bin", "/bin", "/home/linuxbrew/.linuxbrew/bin")
"""A GUI starts agents with a short PATH; these are where installers put the CLI."""

_VARIABLES_OF_THE_CLI = (
    "DATABRICKS_AUTH_STORAGE",
    "DBUS_SESSION_BUS_ADDRESS",
    "XDG_RUNTIME_DIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)

OLDEST_CLI = "0.205"
"""The program of that name before it is another one, without ``auth login``."""

NOT_SIGNED_IN = "not signed in to Databricks"
SIGN_IN_EXPIRED = "the sign-in to Databricks has expired"

_LONGEST_SECONDS = 900.0
"""The CLI is ended only when it cannot be refreshing any more: its own retries end after five minutes. To end a refresh may lose the
new refresh token, and with it the sign-in. Callers wait for seconds only."""

_LONGEST_EMPTY_STORE = 100

_CONTENTION_SECONDS = 0.5
"""After a refresh by another tool at the same moment, the CLI has its result by then."""


def find_cli(home: str, environment: Mapping[str, str]) -> str | None:
    """The absolute path of ``databricks``, or None."""
    own = [os.path.join(home, *parts) for parts in ((".local", "bin"), ("bin",), (".databricks", "bin"))]
    # What a relative place leads to (an empty one is such) is decided by whoever made the directory that we happen to be in.
    given = [one for one in environment.get("PATH", "").split(os.pathsep) if os.path.isabs(one)]
    return shutil.which("databricks", path=os.pathsep.join([*given, *own, *_USUAL_DIRECTORIES]))


def request_token(config: Config, environment: Mapping[str, str], refused: Token | None) -> Token:
    """A token that lives long enough for the agent, if the CLI can give one, and another than ``refused``. Raises TokenError."""
    from . import workspace

    cli = find_cli(config.home, environment)
    if cli is None:
        raise TokenError(
            "the Databricks CLI is not installed",
            PERSON_MUST_SIGN_IN,
            "Install it, then run: " + config.sign_in_command(),
        )
    _check_profile(config)
    workspace.expect_oauth(config.workspace_url, config.ca_file)
    try:
        token = _ask(cli, config, environment)
    except _SignInEnded:
        time.sleep(_CONTENTION_SECONDS)
        token = _ask(cli, config, environment)
    unusable = token.expires_at <= time.time() or (refused is not None and token.value == refused.value)
    if not unusable and token.expires_at - time.time() >= config.wanted_life_seconds:
        return token
    failure = _too_old(config)
    if not cannot_refresh_early(config, cli):
        try:
            return _ask(cli, config, environment, "--force-refresh")
        except _NoSuchFlag:
            _remember_old(config, cli)
        except _SignInEnded as error:
            failure = error
            time.sleep(_CONTENTION_SECONDS)
            newer = _ask(cli, config, environment)
            unusable = unusable and newer.value == token.value
            token = newer
        except TokenError as error:
            failure = error
    if unusable:
        raise failure
    return token


class _SignInEnded(TokenError):
    """What the CLI says also when another refresh came first."""


class _NoSuchFlag(TokenError):
    """A CLI from before ``auth token --force-refresh``."""


def _too_old(config: Config) -> TokenError:
    return TokenError(
        "the workspace refuses the sign-in's token, and this Databricks CLI is too old to ask for another",
        PERSON_MUST_SIGN_IN,
        f"Update the Databricks CLI, or run: {config.sign_in_command()}",
    )


def _ask(cli: str, config: Config, environment: Mapping[str, str], *flags: str) -> Token:
    command = [cli, "auth", "token", "-p", config.profile, "-o", "json", *flags]
    cleaned, locks = clean_environment(config, environment), token_cache.held_locks
    try:
        with _nothing_left(config):
            done = processes.run(command, cleaned, _LONGEST_SECONDS, keep_open=locks)
    except TimeoutError:
        raise TokenError(
            f"the Databricks CLI did not answer within {_LONGEST_SECONDS:.0f} s", hint="Check network and VPN"
        ) from None
    except OSError as error:
        raise TokenError(
            f"{cli} cannot be started ({error.strerror})", hint="Install the Databricks CLI again"
        ) from None
    if done.status != 0:
        raise _failure(done, config)
    try:
        answer = json.loads(done.stdout)
        return Token(token_text(answer["access_token"]), _expiry(answer))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise TokenError(
            "the Databricks CLI answered with something that is no token", hint="Update the Databricks CLI"
        ) from None


@contextmanager
def _nothing_left(config: Config) -> Iterator[None]:
    """Asked for a token where nobody has signed in, the CLI leaves an empty store: what it has made for us goes again."""
    directory = os.path.join(config.home, ".databricks")
    store = os.path.join(directory, "token-cache.json")
    had_directory, had_store = os.path.lexists(directory), os.path.lexists(store)
    yield
    with suppress(OSError):
        if not had_store and b'token":' not in careful.read(store, _LONGEST_EMPTY_STORE, follow=False):
            os.unlink(store)
            if not had_directory:
                os.rmdir(directory)


def cannot_refresh_early(config: Config, cli: str) -> bool:
    """Whether this very program was found to lack ``--force-refresh``: its tokens may live shorter than an agent wants."""
    try:
        return careful.read(f"{config.cache_file}.old-cli", follow=False) == os.fsencode(_mark(cli))
    except OSError:
        return False


def _remember_old(config: Config, cli: str) -> None:
    with suppress(OSError):
        token_cache.write(config, "old-cli", os.fsencode(_mark(cli)))


def _mark(cli: str) -> str:
    """Tells a program from the one that an update puts in its place. Raises OSError."""
    status = os.stat(cli)
    return f"{cli}\n{status.st_mtime_ns} {status.st_size}\n"


def _check_profile(config: Config) -> None:
    """Raises TokenError where the CLI would sign in elsewhere, or could not give a person's token at all."""
    host, client_secret = profile.value(config, "host"), profile.value(config, "client_secret")
    if host and urlsplit(host if "://" in host else f"//{host}").netloc != urlsplit(config.workspace_url).netloc:
        raise TokenError(f"{profile.name_of(config)} names another workspace", hint="Run the rollout again")
    if client_secret:
        raise TokenError(
            f"{profile.name_of(config)} holds a service principal's secret, and no person's sign-in",
            PERSON_MUST_SIGN_IN,
            f"Set coding_agents_identity to service_principal, or run: {config.sign_in_command()}",
        )


def cli_cache(cache_directory: str) -> str:
    """Where the CLI keeps what it has asked of a host (never a token)."""
    return os.path.join(cache_directory, "databricks-cli")


def clean_environment(config: Config, environment: Mapping[str, str]) -> dict[str, str]:
    """What the CLI needs: where sign-ins are stored, and the way to the keyring that may hold them.

    No exported ``DATABRICKS_*`` sends us to another workspace.
    """
    kept = processes.environment(environment, config.home, _VARIABLES_OF_THE_CLI)
    kept["DATABRICKS_CACHE_DIR"] = cli_cache(config.cache_directory)  # what it keeps for our calls goes when we go
    if config.ca_file:
        kept["SSL_CERT_FILE"] = config.ca_file  # what the operator named for the workspace, whatever the login has
    return kept


def _failure(done: processes.Finished, config: Config) -> TokenError:
    said, sign_in = done.stderr, config.sign_in_command()
    if "unknown flag: --force-refresh" in said:
        return _NoSuchFlag("the Databricks CLI is too old", hint="Update it")
    if "refresh token is invalid" in said:
        return _SignInEnded(SIGN_IN_EXPIRED, PERSON_MUST_SIGN_IN, "Run: " + sign_in)
    if any(words in said for words in ("no cached credentials", "no longer used", "specify a host")):
        if profile.value(config, "token"):
            what = f"{NOT_SIGNED_IN}: {profile.name_of(config)} holds a personal access token, and no sign-in"
            return TokenError(what, PERSON_MUST_SIGN_IN, "Run: " + sign_in)
        return TokenError(NOT_SIGNED_IN, PERSON_MUST_SIGN_IN, "Run: " + sign_in)
    if "keyring" in said:
        return TokenError(
            "the OS keyring, where sign-ins are kept, cannot be reached from this login",
            PERSON_MUST_SIGN_IN,
            "Unlock it, or to keep the sign-in in a file run: " + sign_in,
        )
    first = next((line.strip() for line in said.splitlines() if line.strip()), "no message")
    first = re.sub(r"^Error: |\. Try logging in again .*", "", first)[:300]
    refresh = re.fullmatch(r"(?:forced )?token refresh: (?P<text>.*?) ?\(error code: (?P<code>.*?)\)", first)
    if refresh:
        # Of a busy or broken token endpoint the CLI tells nothing, and sends people to sign in again.
        why = ": ".join(filter(None, (refresh["code"], refresh["text"])))
        what = "the workspace did not refresh the sign-in's token" + (f" ({why})" if why else "")
        return TokenError(what, hint="Try again in a minute")
    if done.status != 1:
        what = f"the Databricks CLI crashed (exit status {done.status}): {first}"
        return TokenError(what, hint="Install the Databricks CLI again")
    return TokenError(f"the Databricks CLI gave no token: {first}")


def _expiry(answer: dict[str, object]) -> int:
    # Not expires_in: the CLI repeats what the token had when it was issued, however long ago that was.
    text = re.sub(r"\.\d+", "", str(answer["expiry"])).replace("Z", "+00:00")
    return min(int(datetime.datetime.fromisoformat(text).timestamp()), LATEST)
