# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The profile, the host program and the token helper: what gives one owner's agents their tokens."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import shutil
import sys
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from .. import careful, processes
from ..engine import files, obstacles, traces
from ..engine.documents import FORMATS, MISSING, IniDocument, KeyPath
from ..engine.ledger import Ledger
from ..engine.ledger_lock import locked
from ..engine.owner import Owner
from ..engine.ownership import PRIVATE, Wanted, whole_file
from ..engine.past import value_digest
from ..errors import OperatorError
from ..host_program import oidc_source, profile, session, token_cache, user_sign_in
from ..host_program.config import LOG_NAME, STORAGE_NAME, Config
from ..host_program.token import Token, TokenError
from ..places import COMPILED, LIBRARIES
from ..version import VERSION
from . import databricks_oauth_cli, databricks_oauth_environment, databricks_oauth_runtime
from .base import NOTHING, Done, Options, Part
from .context import CA_NAME, bare_config, brought_ca, config_of
from .databricks_oauth_checks import checks
from .databricks_oauth_scripts import PYTHON_RECORDS, front_script, helper_script, is_python_known, python_record
from .examination import Check, Examination
from .system_packages import Prepared

_ADDED_BY_THE_CLI = frozenset(("account_id", "workspace_id", "auth_type", "databricks_cli_path"))
"""Keys with which ``databricks auth login`` completes a profile that holds only ``host``."""

_SECRETS = ("client_secret", "token")
_SECRET = 0o640
"""Of a machine's secret, which one group may read."""
_LARGEST_PROFILE = 1 << 20

_SIGN_OUT_SECONDS = 30.0


_CACHED = "token-"


class DatabricksOauth(Part):
    name = "databricks_oauth"

    def wanted(self, owner: Owner, options: Options) -> list[Wanted]:
        """In an order in which the helper never stands without what it calls."""
        config = config_of(owner, options)
        if config.owns_profile:
            _refuse_foreign_profile(owner, config)
        elif not owner.is_machine:
            _require_own_token(owner, config)
        if owner.is_machine:
            _secret_group(options)
        _require_places(owner, config)
        _require_ours(owner)
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
        _forget_tokens(owner, keep=config.cache_file)
        for path in [] if config.log else _logs(owner):
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
        done = _signed_out(owner, check) if options.get("sign_out") else NOTHING
        errors = []
        for path in [] if check else _no_documents(owner):
            try:
                files.remove(path)
            except OperatorError as error:
                errors.append(error.told)
        if not check:
            shutil.rmtree(user_sign_in.cli_cache(owner.cache), ignore_errors=True)
        return done._replace(warnings=[*done.warnings, *_copies_of_secrets(owner)], errors=tuple(errors))

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


def _forget_tokens(owner: Owner, keep: str) -> None:
    """Remove cached tokens, but for ``keep`` and what stands beside it: that of a profile or identity that is not
    wanted any more would live on for up to an hour.
    """
    for path in _beginning(owner.cache, _CACHED):
        if not path.startswith(keep):
            files.remove(path)


def _no_documents(owner: Owner) -> list[str]:
    """Files of ours that the ledger does not know one by one."""
    found = [
        *_beginning(owner.cache, _CACHED),
        *_beginning(owner.cache, COMPILED),
        *_beginning(owner.cache, LIBRARIES),
        *_beginning(owner.data, PYTHON_RECORDS),
    ]
    return [*found, *_beginning(owner.data, STORAGE_NAME), *_logs(owner)]


def _beginning(directory: str, name: str) -> list[str]:
    """The files in a directory whose names begin so; none of one that cannot be looked into."""
    return [os.path.join(directory, one) for one in _names(directory) if one.startswith(name)]


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _copies_of_secrets(owner: Owner) -> list[str]:
    """What is said of files beside the profile that hold a secret of ours: the Databricks CLI keeps a copy before it writes, editors
    do. They are not ours to change.
    """
    ledger = Ledger.load(owner)
    if not (ledger.documents or ledger.former):
        DatabricksOauth().traces(ledger)
    found = []
    for path, entry in {**ledger.former, **ledger.documents}.items():
        if entry["component"] != DatabricksOauth.name or entry["format"] != IniDocument.format:
            continue
        secrets = {
            digest
            for record in (*entry["values"], *(entry.get("former") or {}).get("values", ()))
            if record["path"][-1] in _SECRETS
            for digest in (record["digest"], *record.get("former", ()))
        }
        directory, name = os.path.split(path)
        for beside in _beginning(directory, name) if secrets else ():
            if os.path.basename(beside) != name and _holds_one_of(beside, secrets, ledger.salt):
                found.append(f"{beside}: holds a copy of the secret that was rolled out, which stays there: remove it")
    return found


def _holds_one_of(path: str, secrets: set[str], salt: str) -> bool:
    try:
        content = b"" if os.path.getsize(path) > _LARGEST_PROFILE else files.read(path).content or b""
    except (OSError, OperatorError):
        return False
    values = (line.partition("=")[2].strip() for line in content.decode("utf-8", "replace").splitlines())
    return any(value_digest(value, salt) in secrets for value in values if value)


def _logs(owner: Owner) -> list[str]:
    path = os.path.join(owner.state, LOG_NAME)
    return [one for one in (path, path + ".1") if os.path.lexists(one)]


def _written_directories(owner: Owner, config: Config) -> list[str]:
    """Those that the host program writes into. For a machine, what it writes is in the home of whoever runs it."""
    return [owner.cache, *([os.path.dirname(config.log_file)] if config.log and not owner.is_machine else [])]


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


def _require_places(owner: Owner, config: Config) -> None:
    """Raise OperatorError where they cannot be made or written into: before anything is written, and in a dry run, too."""
    for directory in _written_directories(owner, config):
        files.check_reachable(directory)
        obstacles.check_directory(os.path.join(directory, "a file"))


def _require_ours(owner: Owner) -> None:
    """Raise OperatorError where others can put another program in the place of those that agents start."""
    directory = owner.data
    with contextlib.suppress(FileNotFoundError):
        weak = careful.weak_spot(directory, owner.uid) if owner.is_machine else None
        weak = weak or (directory if careful.is_of_others(directory, owner.uid) else None)
        if weak:
            raise OperatorError(
                f"is not to be trusted: {careful.told(weak, owner.uid)}, who could change what agents start",
                directory,
                f"Run: {careful.way_out(weak, owner.uid)}. Then run the rollout again",
            )


def _make_directories(owner: Owner, config: Config) -> None:
    """Made here, so that the ledger knows which directories go on uninstall."""
    missing = [one for one in _written_directories(owner, config) if not os.path.isdir(one)]
    if not missing:
        return
    with locked(owner):
        ledger = Ledger.load(owner)
        for directory in missing:
            ledger.make_directories(directory)


def _refuse_foreign_profile(owner: Owner, config: Config) -> None:
    host = _in_profile(config, "host")
    if host is not MISSING and not _is_ours(owner, config, "host") and host.rstrip("/") != config.workspace_url:
        raise OperatorError(
            f"profile {config.profile} is already there, for another workspace ({careful.line(host.rpartition('@')[2], 100)})",
            config.databrickscfg,
            "Set coding_agents_profile to a name that nobody uses",
        )


def _require_own_token(owner: Owner, config: Config) -> None:
    """A person's own profile must stand there before: what we wrote ourselves is about to be taken back."""
    try:
        profile.personal_access_token(config)
    except TokenError as error:
        raise OperatorError(f"{error}, or set coding_agents_pat") from None
    if _is_ours(owner, config, "host") or _is_ours(owner, config, "token"):
        raise OperatorError(
            f"profile {config.profile} holds no token of the person's own",
            config.databrickscfg,
            "Set coding_agents_pat, or coding_agents_profile to the person's own profile",
        )


def _in_profile(config: Config, key: str) -> Any:
    content = files.read(config.databrickscfg).content
    try:
        return MISSING if content is None else IniDocument(content).get((config.profile, key))
    except OperatorError:
        return MISSING  # planning reports it, with the file's name


def _is_ours(owner: Owner, config: Config, key: str) -> bool:
    owned = Ledger.load(owner).documents.get(config.databrickscfg, {}).get("values", [])
    return any(record["path"] == [config.profile, key] for record in owned)


def _signed_out(owner: Owner, check: bool) -> Done:
    """End the person's sign-in, before the profile that names it goes. A failure holds nothing up."""
    try:
        config = Config.load(bare_config(owner).config_file)
    except (OSError, ValueError, TypeError):
        return NOTHING  # nothing is set up (any more), so no sign-in is known
    if config.identity != "user" or owner.is_machine:
        return NOTHING
    reason = None if check else log_out(config, dict(os.environ))
    if reason:
        return Done([], [f"{owner.home}: profile {config.profile} could not be signed out ({reason})"])
    return Done([f"profile {config.profile}: signed out"], [])


def sign_out(owner: Owner, config: Config, environment: Mapping[str, str]) -> str | None:
    """End a person's sign-in, and forget the tokens that are at hand. Why it did not work, if so."""
    reason = log_out(config, environment)
    for path in _beginning(config.cache_directory, _CACHED):
        files.remove(path)
    return reason


def log_out(config: Config, environment: Mapping[str, str]) -> str | None:
    """Why it did not work, if so."""
    try:
        cli = user_sign_in.working_cli(config, environment)
    except TokenError as error:
        return error.told.partition("\n")[0]
    command = [cli, "auth", "logout", "-p", config.profile, "--auto-approve"]
    try:
        done = processes.run(command, user_sign_in.clean_environment(config, environment), _SIGN_OUT_SECONDS)
    except TimeoutError:
        return f"no answer within {_SIGN_OUT_SECONDS:.0f} s"
    except OSError as error:
        return f"{cli} cannot be started: {error.strerror}"
    if done.status == 0:
        return None
    said = next((line for line in done.stderr.splitlines() if line.strip()), f"exit status {done.status}")
    return careful.line(said)
