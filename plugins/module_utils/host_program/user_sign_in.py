# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's sign-in, held by the Databricks CLI: we ask it for tokens, one caller at a time, and never touch its store.

Behaviour of the CLI as measured with 1.13.0: ``auth token`` refreshes by itself only in a token's last five minutes, takes no lock
(parallel refreshes revoke each other), and says "databricks auth login" when a person is needed.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import time
from collections.abc import Mapping

from .. import processes
from .config import Config
from .token import PERSON_MUST_SIGN_IN, RETRY_MAY_HELP, Token, TokenError, token_text

_USUAL_DIRECTORIES = ("/opt/homebrew/bin", "/usr/local/bin", "/usr/bin", "/bin", "/home/linuxbrew/.linuxbrew/bin")
"""A GUI starts agents with a short PATH; these are where installers put the CLI."""

NOT_SIGNED_IN = "not signed in to Databricks"
SIGN_IN_EXPIRED = "the sign-in to Databricks has expired"

_TIMEOUT_SECONDS = 30.0


def find_cli(home: str, environment: Mapping[str, str]) -> str | None:
    """The absolute path of ``databricks``, or None."""
    own = [os.path.join(home, *parts) for parts in ((".local", "bin"), ("bin",), (".databricks", "bin"))]
    path = os.pathsep.join([environment.get("PATH", ""), *own, *_USUAL_DIRECTORIES])
    return shutil.which("databricks", path=path)


def request_token(config: Config, environment: Mapping[str, str], force: bool) -> Token:
    """A token that lives long enough for the agent, if the CLI can give one; with ``force``, a new one. Raises TokenError."""
    cli = find_cli(config.home, environment)
    if cli is None:
        raise TokenError(
            "the Databricks CLI is not installed",
            PERSON_MUST_SIGN_IN,
            "Install it, then run: " + config.sign_in_command(),
        )
    token = _ask(cli, config, environment, [])
    if force or token.expires_at - time.time() < config.wanted_life_seconds:
        try:
            return _ask(cli, config, environment, ["--force-refresh"])
        except TokenError:
            if token.expires_at <= time.time():
                raise
    return token


def _ask(cli: str, config: Config, environment: Mapping[str, str], flags: list[str]) -> Token:
    command = [cli, "auth", "token", "-p", config.profile, "-o", "json", *flags]
    try:
        done = processes.run(command, clean_environment(config, environment), _TIMEOUT_SECONDS)
    except TimeoutError:
        raise TokenError(
            f"the Databricks CLI did not answer within {_TIMEOUT_SECONDS:.0f} s", hint="Check network and VPN"
        ) from None
    except OSError as error:
        raise TokenError(
            f"{cli} cannot be started ({error.strerror})", hint="Install the Databricks CLI again"
        ) from None
    if done.status != 0:
        raise _failure(done.stderr, config)
    try:
        answer = json.loads(done.stdout)
        return Token(token_text(answer["access_token"]), _expiry(answer))
    except (ValueError, KeyError, TypeError, OverflowError):
        raise TokenError(
            "the Databricks CLI answered with something that is no token", hint="Update the Databricks CLI"
        ) from None


def clean_environment(config: Config, environment: Mapping[str, str]) -> dict[str, str]:
    """No exported ``DATABRICKS_*`` sends us to another workspace, except where tokens are stored."""
    kept = {
        name: value
        for name, value in environment.items()
        if not name.startswith("DATABRICKS_") or name == "DATABRICKS_AUTH_STORAGE"
    }
    kept["HOME"] = config.home
    if config.ca_file:
        kept["SSL_CERT_FILE"] = config.ca_file  # what the operator named for the workspace, whatever the login has
    return kept


def _failure(stderr: str, config: Config) -> TokenError:
    first = next((line.strip() for line in stderr.splitlines() if line.strip()), "no message")
    first = re.sub(r"^Error: ", "", first)[:300]
    if "refresh token is invalid" in stderr:
        return TokenError(SIGN_IN_EXPIRED, PERSON_MUST_SIGN_IN, "Run: " + config.sign_in_command())
    signed_out = ("no cached credentials", "no longer used", "specify a host")
    if any(words in stderr for words in signed_out):
        return TokenError(NOT_SIGNED_IN, PERSON_MUST_SIGN_IN, "Run: " + config.sign_in_command())
    if "keyring" in stderr:
        return TokenError(
            "the OS keyring, where sign-ins are kept, cannot be reached from this login",
            PERSON_MUST_SIGN_IN,
            "Unlock it, or to keep the sign-in in a file run: " + config.sign_in_command(),
        )
    return TokenError(f"the Databricks CLI gave no token: {first}", RETRY_MAY_HELP)


def _expiry(answer: dict[str, object]) -> int:
    # Not expires_in: the CLI repeats what the token had when it was issued, however long ago that was.
    text = re.sub(r"\.\d+", "", str(answer["expiry"])).replace("Z", "+00:00")
    return int(datetime.datetime.fromisoformat(text).timestamp())
