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
from typing import NamedTuple
from urllib.parse import urlsplit

from .. import careful, processes
from ..platforms import without_windows
from . import profile, token_cache
from .config import Config
from .token import (
    LATEST,
    PERSON_MUST_SIGN_IN,
    RETRY_MAY_HELP,
    Token,
    TokenError,
    token_text,
)

_USUAL_DIRECTORIES = ("/opt/homebrew/bin", "/usr/local/bin", "/usr/bin", "/bin", "/home/linuxbrew/.linuxbrew/bin")
"""A GUI starts agents with a short PATH; these are where installers put the CLI."""

STORAGE_VARIABLE = "DATABRICKS_AUTH_STORAGE"
STORES = {"file": "plaintext", "keyring": "secure"}
"""Where the Databricks CLI can keep sign-ins, in our words and in its own."""

_VARIABLES_OF_THE_CLI = (
    STORAGE_VARIABLE,
    "DBUS_SESSION_BUS_ADDRESS",
    "XDG_RUNTIME_DIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)

OLDEST_CLI = "0.205"
"""The program of that name before it is another one, without ``auth login``."""

INSTALL_CLI = f"Install the Databricks CLI, {OLDEST_CLI} or newer"

NOT_SIGNED_IN = "not signed in to Databricks"
SIGN_IN_EXPIRED = "the sign-in to Databricks has expired"
KEYRING_AWAY = "the OS keyring, where sign-ins are kept, cannot be reached from this login"

_VERSION_SECONDS = 10.0

_LONGEST_SECONDS = 900.0
"""The CLI is ended only when it cannot be refreshing any more: its own retries end after five minutes. To end a refresh may lose the
new refresh token, and with it the sign-in. Callers wait for seconds only."""

_LONGEST_EMPTY_STORE = 100

_CONTENTION_SECONDS = 0.5
"""After a refresh by another tool at the same moment, the CLI has its result by then."""


class Cli(NamedTuple):
    """A program called ``databricks``. ``problem``: why it will not do, in words that come after its path; empty if it will."""

    path: str
    version: str
    problem: str = ""
    may_pass: bool = False
    """Whether it may do the next time."""


def clis(home: str, environment: Mapping[str, str]) -> list[str]:
    """The programs called ``databricks``, each once, in the order in which they are tried."""
    own = [os.path.join(home, *parts) for parts in ((".local", "bin"), ("bin",), (".databricks", "bin"))]
    # What a relative place leads to (an empty one is such) is decided by whoever made the directory that we happen to be in.
    given = without_windows([one for one in environment.get("PATH", "").split(os.pathsep) if os.path.isabs(one)])
    found: dict[str, str] = {}
    for directory in [*given, *own, *_USUAL_DIRECTORIES]:
        path = shutil.which("databricks", path=directory)
        if path is not None:
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def find_cli(config: Config, environment: Mapping[str, str]) -> str | None:
    """The path of the one that will do, as far as that is known without a program being started; else of the first one."""
    found, known = clis(config.home, environment), _known(config)
    return next((path for path in found if path in known and not known[path].problem), next(iter(found), None))


def may_do(config: Config, environment: Mapping[str, str]) -> bool:
    """Whether there is one of which it is not known that it will not do. Starts nothing."""
    known = _known(config)
    return any(path not in known or not known[path].problem for path in clis(config.home, environment))


def examined(config: Config, environment: Mapping[str, str]) -> list[Cli]:
    """Those that will not do, and, as the last one, the first that will: another program of that name may come first on PATH."""
    known, found = _known(config), []
    for path in clis(config.home, environment):
        cli = known.get(path) or _examined(path, config, environment)
        found.append(cli)
        if not cli.problem:
            break
    if any(one.path not in known for one in found):
        _remember(config, found)
    return found


def working_cli(config: Config, environment: Mapping[str, str]) -> str:
    """The path of a Databricks CLI that can sign in. Raises TokenError that says what is wrong with those that are there."""
    found = examined(config, environment)
    if found and not found[-1].problem:
        return found[-1].path
    raise _none_will_do(config, found)


def _none_will_do(config: Config, found: list[Cli]) -> TokenError:
    said = "; ".join(f"{one.path} {one.problem}" for one in found) or "the Databricks CLI is not installed"
    status = RETRY_MAY_HELP if any(one.may_pass for one in found) else PERSON_MUST_SIGN_IN
    return TokenError(said, status, f"{INSTALL_CLI}, then run: {config.sign_in_command()}")


def _examined(path: str, config: Config, environment: Mapping[str, str]) -> Cli:
    """Ask a program for its version."""
    try:
        done = processes.run([path, "--version"], clean_environment(config, environment), _VERSION_SECONDS)
    except TimeoutError:
        return Cli(path, "", f"did not answer within {_VERSION_SECONDS:.0f} s", may_pass=True)
    except OSError as error:
        return Cli(path, "", f"cannot be started ({error.strerror})")
    version = re.search(r"\bv?(\d{1,9})\.(\d{1,9})(\.\d{1,9})?\b", done.stdout + done.stderr)
    if done.status != 0 or version is None:
        said = reason(done.stderr) or (f"exit status {done.status}" if done.status else "it does not say its version")
        return Cli(path, "", f"does not work: {said}", may_pass=True)
    number = version[0].lstrip("v")
    if (int(version[1]), int(version[2])) < tuple(map(int, OLDEST_CLI.split("."))):
        return Cli(path, number, f"is {number}, which is too old to sign in")
    return Cli(path, number)


def reason(said: str) -> str:
    """What a program gives as its reason: the line with the error, or else the first one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("Error: ", "panic: "))]
    return re.sub(r"^Error: ", "", (errors or lines or [""])[0])[:300].rstrip(". ")


def _known(config: Config) -> dict[str, Cli]:
    """What was found out before about programs that are still the same, by their paths."""
    try:
        lines = careful.read(f"{config.cache_file}.clis", follow=False).decode("utf-8", "surrogateescape").splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        mark, _tab, rest = line.partition("\t")
        path, _tab, verdict = rest.partition("\t")
        version, _tab, problem = verdict.partition("\t")
        with suppress(OSError):
            if version and mark == _stamp(path):
                found[path] = Cli(path, version, problem)
    return found


def _remember(config: Config, found: list[Cli]) -> None:
    """Note what a program will be as long as it is the same: one with a version, which costs a start to ask for."""
    lines = []
    for one in found:
        with suppress(OSError):
            if one.version and not set("\t\n") & set(one.path):
                lines.append(f"{_stamp(one.path)}\t{one.path}\t{one.version}\t{one.problem}\n")
    token_cache.write(config, "clis", "".join(lines).encode("utf-8", "surrogateescape"))


def request_token(config: Config, environment: Mapping[str, str], refused: Token | None) -> Token:
    """A token that lives long enough for the agent, if the CLI can give one, and another than ``refused``.

    Raises TokenError; with the CLI's token that lives still ``at_hand``, where only a longer-lived one cannot be had.
    """
    from . import workspace

    if not clis(config.home, environment):
        raise _none_will_do(config, [])
    _check_profile(config)
    workspace.expect_oauth(config.workspace_url, config.ca_file)
    cli = working_cli(config, environment)  # started for a workspace only
    try:
        token = _ask(cli, config, environment)
    except _SignInEnded:
        time.sleep(_CONTENTION_SECONDS)
        token = _ask(cli, config, environment)
    unusable = token.expires_at <= time.time() or (refused is not None and token.value == refused.value)
    if not unusable and token.expires_at - time.time() >= config.wanted_life_seconds:
        return token
    if cannot_refresh_early(config, cli):
        return _unless(unusable, token, _too_old(config))
    try:
        return _ask(cli, config, environment, "--force-refresh")
    except _NoSuchFlag:
        _remember_old(config, cli)
        return _unless(unusable, token, _too_old(config))
    except _SignInEnded as error:
        failure: TokenError = error
        time.sleep(_CONTENTION_SECONDS)
        newer = _ask(cli, config, environment)
        if newer.value != token.value:
            return newer
    except TokenError as error:
        failure = error
    if not unusable:
        failure.at_hand = token
    raise failure


def _unless(unusable: bool, token: Token, failure: TokenError) -> Token:
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
            f"{cli} did not answer within {_LONGEST_SECONDS:.0f} s", hint="Check network and VPN"
        ) from None
    except OSError as error:
        raise TokenError(
            f"{cli} cannot be started ({error.strerror})", hint="Install the Databricks CLI again"
        ) from None
    if done.status != 0:
        raise _failure(cli, done, config)
    try:
        answer = json.loads(done.stdout)
        return Token(token_text(answer["access_token"]), _expiry(answer))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise TokenError(f"{cli} answered with something that is no token", hint="Update the Databricks CLI") from None


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
    """Tells a program at its place from the one that an update puts there. Raises OSError."""
    return f"{cli}\n{_stamp(cli)}\n"


def _stamp(cli: str) -> str:
    """Tells a program from another. Raises OSError."""
    status = os.stat(cli)
    return f"{status.st_mtime_ns} {status.st_size}"


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
    store = storage(config)
    if store:
        kept[STORAGE_VARIABLE] = store
    kept["DATABRICKS_CACHE_DIR"] = cli_cache(config.cache_directory)  # what it keeps for our calls goes when we go
    if config.ca_file:
        kept["SSL_CERT_FILE"] = config.ca_file  # what the operator named for the workspace, whatever the login has
    return kept


def storage(config: Config) -> str:
    """The store that this person's sign-in went into, where they chose one at ``login``: agents do not know of that choice."""
    try:
        found = careful.read(config.storage_note, 100, follow=False).decode("utf-8", "replace").strip()
    except OSError:
        return ""
    return found if found in STORES.values() else ""


def remember_storage(config: Config, store: str) -> None:
    """Note which store it is; an empty one is for the Databricks CLI to choose. Raises OSError."""
    if not store:
        with suppress(FileNotFoundError):
            os.unlink(config.storage_note)
        return
    os.makedirs(os.path.dirname(config.storage_note), mode=0o700, exist_ok=True)
    temporary = f"{config.storage_note}.{os.getpid()}"
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as stream:
        stream.write(f"{store}\n")
    os.replace(temporary, config.storage_note)


def into_a_file(config: Config) -> str:
    """The command that signs this person in where no keyring can be reached."""
    return config.sign_in_command("--store", "file")


def way_in(why: str, config: Config) -> str:
    """What a person types who has no tokens, by what the helper says: without the keyring a mere sign-in would lead nowhere."""
    return into_a_file(config) if why.startswith(KEYRING_AWAY) else config.sign_in_command()


def _failure(cli: str, done: processes.Finished, config: Config) -> TokenError:
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
        hint = f"Unlock it, or to keep the sign-in in a file run: {into_a_file(config)}"
        return TokenError(KEYRING_AWAY, PERSON_MUST_SIGN_IN, hint)
    first = next((line.strip() for line in said.splitlines() if line.strip()), "no message")
    first = re.sub(r"^Error: |\. Try logging in again .*", "", first)[:300]
    refresh = re.fullmatch(r"(?:forced )?token refresh: (?P<text>.*?) ?\(error code: (?P<code>.*?)\)", first)
    if refresh:
        # Of a busy or broken token endpoint the CLI tells nothing, and sends people to sign in again.
        why = ": ".join(filter(None, (refresh["code"], refresh["text"])))
        what = "the workspace did not refresh the sign-in's token" + (f" ({why})" if why else "")
        return TokenError(what, hint="Try again in a minute")
    if done.status != 1:
        return TokenError(
            f"{cli} crashed (exit status {done.status}): {first}", hint="Install the Databricks CLI again"
        )
    return TokenError(f"the Databricks CLI ({cli}) gave no token: {first}")


def _expiry(answer: dict[str, object]) -> int:
    # Not expires_in: the CLI repeats what the token had when it was issued, however long ago that was.
    text = re.sub(r"\.\d+", "", str(answer["expiry"])).replace("Z", "+00:00")
    return min(int(datetime.datetime.fromisoformat(text).timestamp()), LATEST)
