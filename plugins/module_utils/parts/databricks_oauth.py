# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The profile, the host program and the token helper: what gives one owner's agents their tokens."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import sys
import zlib
from collections.abc import Iterator
from typing import Any

from ..engine import files, traces
from ..engine.documents import FORMATS, MISSING, KeyPath
from ..engine.ledger import Ledger
from ..engine.ledger_lock import locked
from ..engine.owner import Owner
from ..engine.ownership import PRIVATE, Wanted, whole_file
from ..errors import OperatorError
from ..host_program import oidc_source, profile, session, token_cache, user_sign_in
from ..host_program.config import Config
from ..host_program.token import Token, TokenError
from ..version import VERSION
from . import databricks_oauth_cli, databricks_oauth_environment, databricks_oauth_runtime
from .base import NOTHING, Done, Options, Part
from .context import CA_NAME, bare_config, brought_ca, config_of
from .databricks_oauth_checks import checks
from .databricks_oauth_end import copies_of_secrets, forget_tokens, logs_of, no_documents, signed_out
from .databricks_oauth_refusals import (
    refuse_foreign_profile,
    require_ours,
    require_own_token,
    require_places,
    written_directories,
)
from .databricks_oauth_scripts import front_script, helper_script, is_python_known, python_record
from .examination import Check, Examination
from .system_packages import Prepared

_ADDED_BY_THE_CLI = frozenset(("account_id", "workspace_id", "auth_type", "databricks_cli_path"))
"""Keys with which ``databricks auth login`` completes a profile that holds only ``host``."""

_SECRET = 0o640
"""Of a machine's secret, which one group may read."""


class DatabricksOauth(Part):
    name = "databricks_oauth"

    def wanted(self, owner: Owner, options: Options) -> list[Wanted]:
        """In an order in which the helper never stands without what it calls."""
        config = config_of(owner, options)
        if config.owns_profile:
            refuse_foreign_profile(owner, config)
        elif not owner.is_machine:
            require_own_token(owner, config)
        if owner.is_machine:
            _secret_group(options)
        require_places(owner, config)
        require_ours(owner)
        mode, started = (0o644, 0o755) if owner.is_machine else (PRIVATE, 0o700)
        in_profile = Wanted(
            path=config.databrickscfg,
            format="ini",
            component=self.name,
            values={(config.profile, key): value for key, value in _profile(config, options).items()},
            mode=_SECRET if owner.is_machine else PRIVATE,
            private=not owner.is_machine,
            leftovers=_ADDED_BY_THE_CLI,
            replace_unreadable=options["on_unreadable"] == "backup_and_replace",
        )
        authority = brought_ca(options)
        return [
            *databricks_oauth_cli.wanted(owner, config, options, self.name),
            *([in_profile] if config.owns_profile else []),
            *(
                [_file(os.path.join(owner.data, CA_NAME), authority.encode(), 0o644, "certificate authority")]
                if authority
                else []
            ),
            _file(config.program, _program(config, options), started, f"host program {VERSION}"),
            _file(config.config_file, config.to_json().encode(), mode, "host program's configuration"),
            _file(config.front, front_script(config), started, "command coding-agents"),
            _file(config.helper, helper_script(config), started, "token helper"),
        ]

    def missing(self, owner: Owner, options: Options) -> list[str]:
        """The interpreter for the command, on a host that has all else: another host that shares the home may have brought it."""
        config = config_of(owner, options)
        known = not os.path.lexists(config.front) or is_python_known(config)
        noted = [] if known else [f"the interpreter {sys.executable} is noted for this host"]
        if _group_differs(config, options):
            noted.append(f"{config.databrickscfg}: readable by the group {options['secret_group']}")
        return [*noted, *databricks_oauth_cli.missing(owner, config, options)]

    def downloads(self, owner: Owner, options: Options) -> tuple[dict[str, str], list[str]]:
        return {}, databricks_oauth_cli.downloads(owner, config_of(owner, options), options)

    def prepare(self, owner: Owner, options: Options) -> Token | Prepared | None:
        """Ask for a token that needs no person, in memory: what the workspace refuses touches nothing.

        For a person, bring what they sign in with.
        """
        config = config_of(owner, options)
        if not _has_program(config, options) and "program" not in (options.get("carried") or {}):
            raise OperatorError("was there when this run began, and is not any more", config.program, "Run again")
        if config.identity == "user":
            return databricks_oauth_cli.fetch(owner, config, options)
        try:
            secret = _secret(config, options)
        except TokenError:
            return None  # a workload's token is not at hand for this login, as it may be for the agents' own
        authority = brought_ca(options)
        if not secret or authority is None:
            return session.request_with(config, secret) if secret else None
        import tempfile  # every look would pay for it

        # Where the authority is to stand it may not stand yet.
        with tempfile.NamedTemporaryFile("w", prefix="fmapi-", suffix=".pem") as stream:
            stream.write(authority)
            stream.flush()
            return session.request_with(config._replace(ca_file=stream.name), secret)

    def abandon(self, owner: Owner, options: Options, prepared: Any) -> None:
        if isinstance(prepared, Prepared):
            databricks_oauth_cli.abandon(owner, options, prepared)

    def after(self, owner: Owner, options: Options, prepared: Any) -> None:
        config = config_of(owner, options)
        if not is_python_known(config):
            files.replace(python_record(config), f"{sys.executable}\n".encode(), 0o644 if owner.is_machine else PRIVATE)
        if _group_differs(config, options):
            _give_to_group(config, _secret_group(options))
        _make_directories(owner, config)
        forget_tokens(owner, keep=config.cache_file)
        for path in [] if config.log else logs_of(owner):
            files.remove(path)
        if isinstance(prepared, Token) and not owner.is_machine:
            token_cache.store(config, prepared)
        databricks_oauth_cli.tidy(owner)

    def facts(self, owner: Owner, options: Options, asking: bool) -> dict[str, Any]:
        config = config_of(owner, options)
        found = {"profile": config.profile, "token_helper": config.helper}
        # A machine has no session: each user has their own.
        return found if owner.is_machine else {"session": _session_of(config, asking), **found}

    def before_withdrawal(self, owner: Owner, options: Options, check: bool) -> Done:
        done = signed_out(owner, check) if options.get("sign_out") else NOTHING
        errors = []
        for path in [] if check else no_documents(owner):
            try:
                files.remove(path)
            except OperatorError as error:
                errors.append(error.told)
        if not check:
            shutil.rmtree(user_sign_in.cli_cache(owner.cache), ignore_errors=True)
        return done._replace(
            warnings=[*done.warnings, *copies_of_secrets(owner, self.name, self.traces)], errors=tuple(errors)
        )

    def after_withdrawal(self, owner: Owner, options: Options, check: bool) -> Done:
        return databricks_oauth_cli.give_back(owner, options, check)

    def checks(self, examination: Examination) -> Iterator[Check]:
        yield databricks_oauth_environment.home(examination)
        # Before a token is asked for, which puts some of these files in order.
        yield from databricks_oauth_runtime.checks(examination, python_record(examination.config))
        yield from checks(examination)
        yield from databricks_oauth_environment.clock(examination)

    def traces(self, ledger: Ledger) -> None:
        """What stands in our own directory says which profile is ours."""
        databricks_oauth_cli.trace(ledger, self.name)
        config = bare_config(ledger.owner)
        try:
            told = Config.load(config.config_file)._replace(home=ledger.owner.home)
            section = FORMATS["ini"](traces.content(told.databrickscfg) or b"").get((told.profile,))
        except (OSError, ValueError, TypeError, OperatorError):
            section = MISSING
        if (
            section is not MISSING
            and told.owns_profile
            and str(section.get("host", "")).rstrip("/") == told.workspace_url
        ):
            values: dict[KeyPath, Any] = {(told.profile, key): value for key, value in section.items()}
            traces.keys(ledger, self.name, told.databrickscfg, "ini", values, [(told.profile,)])
        authority = os.path.join(ledger.owner.data, CA_NAME)
        for path in (config.helper, config.front, config.config_file, config.program, authority):
            traces.whole_file(ledger, self.name, path)
        places = [ledger.owner.data, ledger.owner.cache]
        if ledger.owner.is_machine:  # where nothing but what is ours can be
            places += [place for place, _directories, _files in os.walk(ledger.owner.data) if place not in places]
        ledger.directories.extend(one for one in places if os.path.isdir(one))


def _file(path: str, content: bytes, mode: int, summary: str) -> Wanted:
    return whole_file(path, DatabricksOauth.name, content, summary, mode)


def _profile(config: Config, options: Options) -> dict[str, str]:
    """The profile, by databricks-sdk's own names, so that other Databricks tools can use it, too.

    An OIDC token's command has no name there: such a profile holds the host and nothing else.
    """
    source: dict[str, str | None] = {}
    if config.identity == "service_principal":
        secret = options["client_secret"]
        source = {"client_id": config.client_id, "client_secret": secret, "auth_type": "oauth-m2m"}
    elif config.identity == "pat":
        source = {"token": options["pat"], "auth_type": "pat"}
    elif config.oidc_token_file or config.oidc_token_env:
        source = {
            "client_id": config.client_id,
            "oidc_token_filepath": config.oidc_token_file,
            "oidc_token_env": config.oidc_token_env,
            "token_audience": config.token_audience,
            "auth_type": "file-oidc" if config.oidc_token_file else "env-oidc",
        }
    return {"host": config.workspace_url, **{key: value for key, value in source.items() if value}}


def _secret(config: Config, options: Options) -> str:
    """What a token is asked for with. Raises TokenError."""
    if config.identity == "workload_identity":
        return oidc_source.read(config, dict(os.environ))
    if config.identity == "service_principal":
        return str(options["client_secret"])
    return str(options["pat"] or profile.personal_access_token(config))


def _has_program(config: Config, options: Options) -> bool:
    content = files.read(config.program).content
    wanted = (options.get("carried") or {}).get("program_sha256")
    return content is not None and hashlib.sha256(content).hexdigest() == wanted


def _program(config: Config, options: Options) -> bytes:
    """The host program's bytes: those that stand here where they are the wanted ones, else what the call has brought along.

    A call that only compares brings a digest: what stands for the bytes then differs from all that a host can have.
    """
    if _has_program(config, options):
        return files.read(config.program).content or b""
    carried = options.get("carried") or {}
    if "program" in carried:
        return zlib.decompress(base64.b64decode(carried["program"]))
    return f"host program {carried.get('program_sha256')}".encode()


def _session_of(config: Config, asking: bool) -> dict[str, Any]:
    """The session, and where a person has to do something for it, what."""
    found = _session(config, asking)
    person = config.identity == "user" and found["state"] != session.ACTIVE
    return {**found, "command": user_sign_in.way_in(found["detail"], config)} if person else found


def _session(config: Config, asking: bool) -> dict[str, Any]:
    """Whether the identity has a token at hand; ``asking`` asks the Databricks CLI, too, which never opens a browser."""
    environment = dict(os.environ)
    if asking and config.identity == "user":
        try:
            session.token(config, environment)
        except TokenError as error:
            states = {user_sign_in.NOT_SIGNED_IN: session.ABSENT, user_sign_in.SIGN_IN_EXPIRED: session.EXPIRED}
            state = next((state for words, state in states.items() if str(error).startswith(words)), session.UNKNOWN)
            return {"state": state, "expires_at": None, "user": None, "detail": str(error)}
    found = session.look(config, environment)
    if asking and config.identity == "workload_identity" and found["state"] != session.ACTIVE:
        try:
            oidc_source.read(config, environment)
        except TokenError as error:
            found["detail"] = str(error)
    return found


def _secret_group(options: Options) -> int | None:
    """The group that may read a service principal's secret, None where there is no secret. Raises OperatorError for an unknown one."""
    name = options["secret_group"]
    if not name or options["identity"] != "service_principal":
        return None
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise OperatorError(
            "is no group of this host",
            f"coding_agents_secret_group {name}",
            "Correct the name, or make the group first",
        ) from None


def _group_differs(config: Config, options: Options) -> bool:
    """Whether the secret's file stands, and is not yet its group's."""
    group = _secret_group(options) if config.is_machine else None
    try:
        return group is not None and os.stat(config.databrickscfg).st_gid != group
    except FileNotFoundError:
        return False  # shows as a document


def _give_to_group(config: Config, group: int | None) -> None:
    try:
        os.chown(config.databrickscfg, 0, -1 if group is None else group)
    except OSError as error:
        raise files.unusable(error, config.databrickscfg, "given to its group") from None


def _make_directories(owner: Owner, config: Config) -> None:
    """Made here, so that the ledger knows which directories go on uninstall."""
    missing = [one for one in written_directories(owner, config) if not os.path.isdir(one)]
    if not missing:
        return
    with locked(owner):
        ledger = Ledger.load(owner)
        for directory in missing:
            ledger.make_directories(directory)
