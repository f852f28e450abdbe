# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which workspace is asked from the control node, as whom, and which variables of the environment have a say in it. Asks nobody."""

from __future__ import annotations

import configparser
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..routing import normalize_workspace_url
from .errors import WorkspaceError

# Options that say who asks, by the auth_type of databricks-sdk that they belong to. The first complete group is used.
_IDENTITIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("pat", ("token",)),
    ("oauth-m2m", ("client_id", "client_secret")),
    ("basic", ("username", "password")),
    ("azure-client-secret", ("azure_client_id", "azure_client_secret")),
    ("google-credentials", ("google_credentials",)),
    ("google-id", ("google_service_account",)),
    ("metadata-service", ("metadata_service_url",)),
    ("env-oidc", ("oidc_token_env",)),
    ("file-oidc", ("oidc_token_filepath",)),
)

SECRET_OPTIONS = (
    "token",
    "client_secret",
    "password",
    "azure_client_secret",
    "google_credentials",
    "metadata_service_url",
)

_BROWSER = "external-browser"

# They say where things are or how much is logged, not who asks: they stay in force whatever the operator gave.
_NEUTRAL_VARIABLES = frozenset(
    (
        "DATABRICKS_CONFIG_FILE",
        "DATABRICKS_CLI_PATH",
        "DATABRICKS_DEBUG_HEADERS",
        "DATABRICKS_DEBUG_TRUNCATE_BYTES",
        "DATABRICKS_RATE_LIMIT",
    )
)


class _Profiles:
    """The sections of the control node's ``~/.databrickscfg`` as the SDK reads them; none if there is no file.

    Read when they are asked for: who is given in full need not care what stands in the file, or whether it can be read.
    """

    def __init__(self, config_file: str | None, environ: Mapping[str, str]) -> None:
        self._named = str(config_file) if config_file else ""
        self._path = Path(config_file or environ.get("DATABRICKS_CONFIG_FILE") or "~/.databrickscfg").expanduser()
        self._sections: dict[str, dict[str, str]] | None = None

    def sections(self) -> dict[str, dict[str, str]]:
        """:raises WorkspaceError: the file cannot be read, or not understood."""
        if self._sections is None:
            self._sections = self._read()
        return self._sections

    def problem(self) -> WorkspaceError | None:
        """What is wrong with the file, if anything."""
        try:
            self.sections()
        except WorkspaceError as error:
            return error
        return None

    def get(self, name: str | None, key: str) -> str | None:
        """What one of them says; None where it says nothing. Without a name nothing is read."""
        return self.sections().get(name, {}).get(key) if name else None

    def _read(self) -> dict[str, dict[str, str]]:
        parser = configparser.ConfigParser(interpolation=None, default_section="\0")
        try:
            parser.read_string(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError, configparser.Error) as error:
            other = "name another in config_file" if self._named else "name another with DATABRICKS_CONFIG_FILE"
            raise WorkspaceError(
                "configuration", f"cannot be read ({_said(error)})", str(self._path), f"Mend the file, or {other}."
            ) from error
        return {name: dict(parser[name]) for name in parser.sections()}


def _said(error: Exception) -> str:
    """What is wrong with the file, without a line of it: any may hold a secret."""
    if isinstance(error, configparser.DuplicateSectionError):
        return f"line {error.lineno} begins the section {error.section} a second time"
    if isinstance(error, configparser.DuplicateOptionError):
        return f"line {error.lineno} sets {error.option} of the section {error.section} a second time"
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f"line {error.lineno} stands before any section"
    if isinstance(error, configparser.ParsingError):
        return f"line {error.errors[0][0]} is neither a section nor a setting"
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else "it is no UTF-8 text"


def loose_url(value: str | None) -> str | None:
    """Return the normal form of a host as profiles and variables hold it (often without scheme, or with ``?o=``)."""
    if not value:
        return None
    try:
        parts = urlsplit(value if "://" in value else f"https://{value}")
        return normalize_workspace_url(f"{parts.scheme}://{parts.netloc}", "the workspace's host")
    except ValueError as error:
        raise WorkspaceError("configuration", str(error).rstrip("."), "databricks-sdk") from error


def pinned_auth_type(options: Mapping[str, Any]) -> str | None:
    """Return the one way of signing in that the options ask for, None if they leave it to the SDK.

    :raises WorkspaceError: they give two identities, or ask for a browser.
    """
    named = options.get("auth_type")
    given = [kind for kind, keys in _IDENTITIES if all(options.get(key) for key in keys)]
    if named is None and len(given) > 1:
        raise WorkspaceError(
            "configuration",
            f"more than one identity is given ({', '.join(given)})",
            "the authentication options",
            "Give one, or say which with auth_type.",
        )
    return str(named) if named else given[0] if given else None


class Asking(NamedTuple):
    """``hidden`` are the variables of the environment that have no say; ``url`` is None where only the SDK can tell it.

    ``unreadable`` is what is wrong with the profiles where nobody has named one: it matters only if nothing else signs in.
    """

    url: str | None
    profile: str | None
    auth_type: str | None
    hidden: frozenset[str]
    unreadable: WorkspaceError | None = None
    discovery_url: str | None = None
    """Where the operator says that the names of the workspace's endpoints are, if that is elsewhere."""


def decide(options: Mapping[str, Any], environ: Mapping[str, str], sdk_variables: Iterable[str]) -> Asking:
    """Decide which host is asked, from which profile, and which variables of the environment have no say.

    The SDK lets variables of the environment fill whatever was not given, so that a token of workspace A is sent to
    workspace B. Here they count only when the operator gave no identity, and only for the host they were set for.

    :param options: what the operator gave, without what is empty.
    :param sdk_variables: the variables that databricks-sdk reads.
    :raises WorkspaceError: the options cannot be used as they are.
    """
    auth_type = pinned_auth_type(options)
    profiles = _Profiles(options.get("config_file"), environ)
    url = _given_url(options)
    named = options.get("profile")
    identity_given = named is not None or any(
        options.get(key) for _kind, keys in _IDENTITIES for key in keys if key != "client_id"
    )
    foreign = frozenset(sdk_variables) - _NEUTRAL_VARIABLES
    hidden: frozenset[str] = frozenset()
    if identity_given or (url is not None and loose_url(environ.get("DATABRICKS_HOST")) not in (None, url)):
        hidden = foreign
    unreadable = profiles.problem() if url is not None and not identity_given else None
    if unreadable is not None:
        hidden = hidden | {"DATABRICKS_CONFIG_PROFILE"}
    seen = {name: value for name, value in environ.items() if name not in hidden}
    profile = named or seen.get("DATABRICKS_CONFIG_PROFILE")
    where = str(options.get("config_file") or "~/.databrickscfg")
    if named is not None and named not in profiles.sections():
        raise WorkspaceError(
            "configuration",
            f'there is no profile "{named}" on the control node',
            where,
            "Name one that exists, or sign in with: databricks auth login --profile NAME --host URL",
        )
    if profile and url is not None:
        profile_url = loose_url(profiles.get(profile, "host"))
        if profile_url not in (None, url) or profile not in profiles.sections():
            if named is not None:
                raise WorkspaceError(
                    "configuration",
                    f'the profile "{named}" is for {profile_url}, not for {url}',
                    where,
                    "Name the profile of this workspace.",
                )
            hidden = hidden | {"DATABRICKS_CONFIG_PROFILE"}
            profile = None
    if url is None:
        if not profile and not seen.get("DATABRICKS_HOST") and not identity_given:
            default = profiles.get("__settings__", "default_profile") or "DEFAULT"
            profile = default if default in profiles.sections() else None
        host = seen.get("DATABRICKS_HOST") if named is None else None
        url = loose_url(host or profiles.get(profile, "host"))
    if (auth_type or profiles.get(profile, "auth_type") or seen.get("DATABRICKS_AUTH_TYPE")) == _BROWSER:
        raise WorkspaceError(
            "configuration",
            f"the sign-in {_BROWSER} needs a person at a browser, which a run of Ansible never waits for",
            "auth_type",
            f"Sign in first with: databricks auth login --host {url or 'URL'}",
        )
    discovery_url = options.get("discovery_url") or profiles.get(profile, "discovery_url")
    if not discovery_url and "DATABRICKS_DISCOVERY_URL" not in hidden:
        discovery_url = environ.get("DATABRICKS_DISCOVERY_URL")
    return Asking(url, profile, auth_type, hidden, unreadable, discovery_url or None)


def _given_url(options: Mapping[str, Any]) -> str | None:
    if not options.get("workspace_url"):
        return None
    try:
        return normalize_workspace_url(options["workspace_url"])
    except ValueError as error:
        raise WorkspaceError("configuration", str(error)) from error
