# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""The other commands ("Other commands" in README.md)."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from . import store
from .config import DEFAULT, ConfigFile, canonical_host
from .errors import CliError
from .main import Call
from .net import Client, Unreachable, version
from .tokens import Target, oauth_error, target_of, usable

_ME = "/api/2.0/preview/scim/v2/Me"


def _print_json(value: object, end: str = "\n") -> None:
    sys.stdout.write(json.dumps(value, indent=2) + end)


# -- with a credential ----------------------------------------------------------------------------------------------


def _auth_type(target: Target) -> str:
    get = target.section.get
    if get("token"):
        return "pat"
    return "oauth-m2m" if get("client_id") and get("client_secret") else "databricks-cli"


def _bearer(target: Target, config: ConfigFile, client: Client, command: str) -> str:
    """A token of the profile, whatever kind of credential it has. CliError, Unreachable."""
    kind = _auth_type(target)
    if kind == "pat":
        return target.section.get("token")
    if kind == "databricks-cli":
        return str(usable(target, store.resolve_for_reading(config), command)["access_token"])
    form = {
        "grant_type": "client_credentials",
        "scope": "all-apis",
        "client_id": target.section.get("client_id"),
        "client_secret": target.section.get("client_secret"),
    }
    status, body = client.once("POST", f"{target.host}/oidc/v1/token", form=form)
    if status != 200:
        error, description = oauth_error(body)
        raise CliError(f"oauth-m2m auth: {error}: {description}")
    return str(json.loads(body)["access_token"])


def _ask(call: Call, target: Target, config: ConfigFile, path: str, method: str = "GET", body: object = None) -> Any:
    """The JSON answer of an API call. CliError with the workspace's own words when it is a refusal."""
    client = Client(call.command)
    try:
        token = _bearer(target, config, client, call.command)
        status, raw = client.once(method, target.host + path, token=token, body=body)
    except Unreachable as error:
        raise CliError(str(error)) from None
    try:
        answer = json.loads(raw)
    except ValueError:
        raise CliError(f"unable to parse response: HTTP {status}") from None
    if status != 200:
        raise CliError(str(answer.get("message", f"HTTP {status}")))
    return answer


def current_user_me(call: Call) -> None:
    config = ConfigFile()
    _print_json(_ask(call, target_of(call, config), config, _ME))


def tokens_create(call: Call) -> None:
    config = ConfigFile()
    body: dict[str, object] = {}
    if "comment" in call.options:
        body["comment"] = call.options["comment"]
    if "lifetime-seconds" in call.options:
        body["lifetime_seconds"] = int(call.options["lifetime-seconds"])
    _print_json(_ask(call, target_of(call, config), config, "/api/2.0/token/create", "POST", body))


def serving_endpoints_list(call: Call) -> None:
    config = ConfigFile()
    found = _ask(call, target_of(call, config), config, "/api/2.0/serving-endpoints").get("endpoints", [])
    if call.output == "json":
        _print_json(found)
    else:
        for endpoint in found:
            print(f"{endpoint['name']}  {endpoint.get('state', {}).get('ready', '')}")


# -- profiles -------------------------------------------------------------------------------------------------------


def auth_profiles(call: Call) -> None:
    config = ConfigFile()
    default = config.default_profile()
    profiles = []
    for name, section in config.profiles().items():
        target = Target(name, canonical_host(section.get("host")), section)
        profiles.append(
            {
                "name": name,
                "host": target.host,
                "account_id": section.get("account_id"),
                "workspace_id": section.get("workspace_id"),
                "cloud": "aws",
                "auth_type": section.get("auth_type") or _auth_type(target),
                "valid": "skip-validate" not in call.switches and _is_valid(call, config, target),
                "default": name == default,
            }
        )
    if call.output == "json":
        _print_json({"profiles": profiles})
        return
    rows = [("Name", "Host", "Valid"), *((p["name"], p["host"], "YES" if p["valid"] else "NO") for p in profiles)]
    for row in rows:
        print("  ".join(str(cell) for cell in row))


def _is_valid(call: Call, config: ConfigFile, target: Target) -> bool:
    try:
        Client(call.command).once("GET", f"{target.host}/.well-known/databricks-config")
    except (Unreachable, ValueError):
        sys.stderr.write(f"Warn: [hostmetadata] failed to fetch host metadata for {target.host}, will skip for 1m0s\n")
        return False
    try:
        return bool(_ask(call, target, config, _ME))
    except CliError:
        return False


def auth_describe(call: Call) -> None:
    config = ConfigFile()
    target = target_of(call, config)
    kind = _auth_type(target)
    from_file = {"type": "file", "name": config.path}
    configuration: dict[str, dict[str, Any]] = {
        key: {"value": "********" if key in ("token", "client_secret") else entry.value, "source": from_file}
        for key, entry in target.section.entries.items()
    }
    configuration["profile"] = {
        "value": target.profile,
        "source": {"type": "flag", "name": "--profile"} if call.profile else {"type": "", "name": ""},
    }
    for attribute in configuration.values():
        attribute["auth_type_mismatch"] = False
    status: dict[str, Any] = {"status": "success"}
    try:
        status["username"] = _ask(call, target, config, _ME)["userName"]
    except CliError as error:
        status.update(status="error", error=str(error))
    status["details"] = {"auth_type": kind, "host": target.host, "configuration": configuration}
    if call.output == "json":
        _print_json(status, end="")
        return
    if "error" in status:
        print(f"Unable to authenticate: {status['error']}")
    else:
        print(f"Host: {target.host}\nUser: {status['username']}\nAuthenticated with: {kind}")
    if kind == "databricks-cli":
        print(f"Token storage: {_storage(store.resolve_for_reading(config))}")
    print("-----\nCurrent configuration:")
    for key, attribute in configuration.items():
        source = attribute["source"]
        named = f"{source['name']} config file" if source["type"] == "file" else f"{source['name']} flag"
        print(f"  ✓ {key}: {attribute['value']}" + (f" (from {named})" if source["name"] else ""))


def _storage(tokens: store.Store) -> str:
    place = (
        "~/.databricks/token-cache.json" if tokens.mode == store.PLAINTEXT else "OS keyring (service: databricks-cli)"
    )
    return f"{tokens.mode}, {place}" + (f" (from {tokens.source})" if tokens.source else " (default)")


def auth_logout(call: Call) -> None:
    config = ConfigFile()
    profile = call.profile or (call.words[0] if call.words else "")
    if not profile:
        raise CliError(
            "the command is being run in a non-interactive environment, please specify a profile to log out of using --profile"
        )
    profiles = config.profiles()
    if profile not in profiles:
        raise CliError(f'profile "{profile}" not found. Available profiles: {", ".join(profiles)}')
    if "auto-approve" not in call.switches:
        raise CliError("please specify --auto-approve to skip confirmation in non-interactive mode")
    host = canonical_host(profiles[profile].get("host"))
    shared = len(config.with_host(host)) > 1
    tokens = store.resolve_for_reading(config)
    if tokens.reachable:
        tokens.forget(profile, "" if shared else host)
    if "delete" in call.switches:
        config.sections[profile].entries.clear()
        if profile != DEFAULT:
            del config.sections[profile]
        if config.setting("default_profile") == profile:
            del config.sections["__settings__"].entries["default_profile"]
        config.save()
        sys.stderr.write(f'Logged out of and deleted profile "{profile}".\n')
    else:
        sys.stderr.write(f'Logged out of profile "{profile}". Use --delete to also remove it from the config file.\n')


def auth_switch(call: Call) -> None:
    config = ConfigFile()
    if not call.profile:
        raise CliError(
            "the command is being run in a non-interactive environment, please specify a profile using --profile"
        )
    if call.profile not in config.profiles():
        raise CliError(f'profile "{call.profile}" not found')
    config.set_setting("default_profile", call.profile)
    config.save()
    sys.stderr.write(f'Default profile set to "{call.profile}".\n')


def auth_env(call: Call) -> None:
    sys.stderr.write('Command "env" is deprecated, use "databricks auth describe" or "databricks auth token" instead\n')
    target = target_of(call, ConfigFile())
    names = {"host": "DATABRICKS_HOST", "auth_type": "DATABRICKS_AUTH_TYPE", "token": "DATABRICKS_TOKEN"}
    found = {name: target.section.get(key) for key, name in names.items() if target.section.get(key)}
    found["DATABRICKS_CONFIG_PROFILE"] = target.profile or os.environ.get("DATABRICKS_CONFIG_PROFILE", "")
    if call.output == "text":
        for name, value in found.items():
            print(f"{name}={value}")
    else:
        _print_json({"env": found}, end="")


def show_version(_call: Call) -> None:
    print(f"Databricks CLI v{version()}")
