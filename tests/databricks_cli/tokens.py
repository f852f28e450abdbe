# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""``databricks auth token`` ("Token" in README.md): no lock, and a refresh only in a token's last five minutes."""

from __future__ import annotations

import os
import sys

from . import quick_json, store
from .config import ConfigFile, Section, canonical_host
from .errors import CliError
from .main import Call

_REFRESH_BELOW = 300.0
#: A token this close to its end counts as expired (Go's oauth2 package).
_EXPIRED_BELOW = 10.0
_ASK_FOR_HOST = "the command is being run in a non-interactive environment, please specify a host using --host"


class Target:
    """Whose token is meant: a profile, or a host without one (``profile`` is then empty)."""

    def __init__(self, profile: str, host: str, section: Section) -> None:
        self.profile = profile
        self.host = host
        self.section = section

    @property
    def key(self) -> str:
        return self.profile or self.host

    @property
    def login_command(self) -> str:
        return f"databricks auth login {f'--profile {self.profile}' if self.profile else f'--host {self.host}'}"


def named(call: Call, config: ConfigFile) -> tuple[str, str]:
    """Profile and host as the command line has them; a word is a profile if there is one of that name, else a host."""
    if not call.words:
        return call.profile, canonical_host(call.host)
    word = call.words[0]
    if call.profile or call.host:
        raise CliError(
            f'argument "{word}" cannot be combined with --host or --profile. Use the --host and --profile flags instead'
        )
    if word in config.profiles():
        return word, ""
    if "." in word or "://" in word or ":" in word:
        return "", canonical_host(word)
    raise CliError(f'no matching profile found: "{word}"')


def target_of(call: Call, config: ConfigFile) -> Target:
    """What to get a token for. A profile that is named wins over every ``DATABRICKS_*`` variable."""
    profile, host = named(call, config)
    if not profile:
        profile = os.environ.get("DATABRICKS_CONFIG_PROFILE", "")
    if not profile and not host:
        host = canonical_host(os.environ.get("DATABRICKS_HOST", ""))
        profile = "" if host else config.default_profile()
        if not profile and not host:
            if config.profiles():
                raise CliError("no profile specified. Use --profile <name> to specify which profile to use")
            raise CliError("no profiles configured. Run 'databricks auth login' to create a profile")
    if not profile:
        matching = config.with_host(host)
        if len(matching) > 1:
            raise CliError(
                f"{' and '.join(matching)} match {host} in {config.path}. Use --profile to specify which profile to use"
            )
        profile = matching[0] if matching else ""
    section = config.profiles().get(profile) or Section()
    host = host or canonical_host(section.get("host"))
    if not host:
        raise CliError(_ASK_FOR_HOST)
    return Target(profile, host, section)


def refreshed(
    target: Target, tokens: store.Store, token: dict[str, object], command: str, prefix: str
) -> dict[str, object]:
    """A new token for ``token``, stored. Nothing keeps another process from doing the same at this moment.

    :param prefix: begins the message when it fails.
    """
    from .net import Client, Unreachable

    client = Client(command)
    try:
        _authorize, url = endpoints(client, target.host)
        form = {
            "grant_type": "refresh_token",
            "refresh_token": str(token["refresh_token"]),
            "client_id": "databricks-cli",
        }
        status, body = client.once("POST", url, form=form)
    except Unreachable as error:
        raise CliError(f"{prefix}: {error}. {_try_again(target)}") from None
    if status == 200:
        try:
            answer = store.stamp({"refresh_token": token["refresh_token"], **quick_json.loads(body.decode())})
            tokens.keep(target.profile, target.host, answer)
        except (ValueError, KeyError, TypeError):
            raise CliError(f"{prefix}: oauth2: cannot parse json. {_try_again(target)}") from None
        except OSError as error:
            raise CliError(f"{prefix}: cache update: {error}. {_try_again(target)}") from None
        return answer
    code, description = oauth_error(body)
    if description == "Refresh token is invalid":
        raise CliError(
            "A new access token could not be retrieved because the refresh token is invalid."
            f" To reauthenticate, run the following command:\n  $ {target.login_command}"
        )
    raise CliError(f"{prefix}: {description} (error code: {code}). {_try_again(target)}")


def _try_again(target: Target) -> str:
    return (
        f"Try logging in again with '{target.login_command}' before retrying. If this fails, please report this issue"
        " to the Databricks CLI maintainers at https://github.com/databricks/cli/issues/new"
    )


def endpoints(client: object, host: str) -> tuple[str, str]:
    """Authorization and token endpoint of a workspace. Raises CliError, and Unreachable after minutes."""
    from .net import Client

    assert isinstance(client, Client)
    status, body = client.patiently(f"{host}/oidc/.well-known/oauth-authorization-server")
    try:
        document = quick_json.loads(body.decode()) if status == 200 else {}
        return document["authorization_endpoint"], document["token_endpoint"]
    except (ValueError, KeyError, TypeError):
        raise CliError(f"databricks OAuth is not supported for host {host}") from None


def oauth_error(body: bytes) -> tuple[str, str]:
    """``error`` and ``error_description`` of an answer, both empty in one that is not OAuth's."""
    try:
        document = quick_json.loads(body.decode())
        return str(document.get("error", "")), str(document.get("error_description", ""))
    except (ValueError, AttributeError):
        return "", ""


def usable(target: Target, tokens: store.Store, command: str, *, force: bool = False) -> dict[str, object]:
    """The stored token, refreshed when it is in its last five minutes. A refresh that fails is silent while it lives."""
    token = tokens.lookup(target.key)
    left = store.remaining(token)
    if force:
        return refreshed(target, tokens, token, command, "forced token refresh")
    if left >= _REFRESH_BELOW:
        return token
    try:
        return refreshed(target, tokens, token, command, "token refresh")
    except CliError:
        if left > _EXPIRED_BELOW:
            return token
        raise


def auth_token(call: Call) -> None:
    config = ConfigFile()
    tokens = store.resolve_for_reading(config)
    target = target_of(call, config)
    if target.section.get("client_id") and target.section.get("client_secret"):
        raise CliError(
            f"profile \"{target.profile}\" uses M2M authentication (client_id/client_secret). 'databricks auth token' only"
            " supports U2M (user-to-machine) authentication tokens. To authenticate as a service principal, use the"
            " Databricks SDK directly"
        )
    if tokens.reachable and not tokens.has(target.key):
        _look_around(call, target, tokens)
    token = usable(target, tokens, call.command, force="force-refresh" in call.switches)
    if call.output == "text":
        sys.stdout.write(f"{token['access_token']}\n")
    else:
        shown = {key: token[key] for key in ("access_token", "token_type", "expiry", "expires_in")}
        sys.stdout.write(quick_json.dumps(shown))


def _look_around(call: Call, target: Target, tokens: store.Store) -> None:
    """What a call leaves behind that finds no sign-in: the host's metadata, and a file without tokens."""
    import contextlib

    from .net import Client, Unreachable
    from .sign_in import host_metadata

    with contextlib.suppress(Unreachable):
        host_metadata(Client(call.command), target.host, patiently=False)
    tokens.begin()
