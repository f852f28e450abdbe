# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults to plant on a host that is in order, by their names in the table of docs/doctor.md.

A fault that a rollout or a named command mends is a function; one that a person mends by other means is a generator: what it does
after its ``yield`` is what the fix says, done by hand.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import files
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import session, workspace
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import agent_settings
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.places import Places, own_key

from tests.unit.doctor_host import AUDIENCE, ISSUER, SUBJECT, Host
from tests.unit.package_registry import Registry
from tests.unit.relay_archive import free_port

Plant = Callable[[Host, pytest.MonkeyPatch], Any]

DATA = ".local/share/fmapi-coding-agents"
CLAUDE, CODEX, GEMINI = ".claude/settings.json", ".codex/config.toml", ".gemini/settings.json"
OPENCODE, PI, HERMES = ".config/opencode/opencode.json", ".pi/agent/settings.json", ".hermes/config.yaml"
MODEL = AGENTS["claude_code"].model_defaults["default"]
SERVICES = dict.fromkeys(AGENTS["claude_code"].model_defaults, "system.ai.claude-opus-4-6")
OFTEN = 99
"""More requests than one examination makes."""


class Fault(NamedTuple):
    name: str
    plant: Plant
    identity: str
    options: dict[str, Any]

    @property
    def by_hand(self) -> bool:
        return inspect.isgeneratorfunction(self.plant)


FAULTS: dict[str, Fault] = {}


def fault(
    name: str, identity: str = "service_principal", agent: str = "claude_code", **options: Any
) -> Callable[[Plant], Plant]:
    """``identity`` and ``agent`` are those of the host, ``options`` what else its rollout has."""

    def known(plant: Plant) -> Plant:
        assert name not in FAULTS, name
        FAULTS[name] = Fault(name, plant, identity, {"agents": [agent], **options})
        return plant

    return known


def in_shell(name: str, identity: str = "service_principal", agent: str = "claude_code", **variables: str) -> None:
    """A variable that the person's start file exports: it is taken out of there."""

    def plant(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
        before = host.profile.read_text()
        lines = [f'export {one}="{value}"\n' for one, value in variables.items()]
        host.profile.write_text(before + "".join(lines))
        yield
        host.profile.write_text(before)

    fault(name, identity, agent)(plant)


def in_file(name: str, agent: str, path: str, change: Callable[[str], str]) -> None:
    """A person's own change of an agent's file: it is taken back by hand."""

    def plant(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
        file = host.path(path)
        before = file.read_text()
        assert change(before) != before
        file.write_text(change(before))
        yield
        file.write_text(before)

    fault(name, agent=agent)(plant)


def by_workspace(
    name: str,
    identity: str = "service_principal",
    forgets: bool = False,
    options: dict[str, Any] | None = None,
    **orders: Any,
) -> None:
    """What the workspace does, until whoever runs it has mended it. ``forgets``: no token is at hand on the host."""

    def plant(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
        if forgets:
            host.forget()
        before = host.workspace.control()
        host.workspace.control(**orders)
        yield
        host.workspace.control(**{one: before[one] for one in orders if one in before})
        for one in orders.get("endpoint_state", ()):
            if one["ready"] == "ABSENT":
                host.workspace.control(new_endpoint={"name": one["name"], "like": one["name"]})
            host.workspace.control(endpoint_state={"name": one["name"], "ready": "READY"})

    fault(name, identity, **(options or {}))(plant)


def failing(path: str, status: int, method: str | None = None) -> dict[str, Any]:
    """An order to the workspace: whatever is asked below that path fails."""
    return {"fail_next": [{"path_prefix": path, "status": status, "count": OFTEN, "method": method}]}


def json_with(*path: str, value: Any) -> Callable[[str], str]:
    """A change of a JSON text: one value set."""

    def change(text: str) -> str:
        document = json.loads(text)
        inside = document
        for key in path[:-1]:
            inside = inside.setdefault(key, {})
        inside[path[-1]] = value
        return json.dumps(document, indent=2)

    return change


def after(behind: str, text: str) -> Callable[[str], str]:
    """A change of a text: more of it behind some words."""
    return lambda before: before.replace(behind, behind + text, 1)


# -- Environment -------------------------------------------------------------------------------------------------------


@fault("the home cannot be written to")
def _home(host: Host, patch: pytest.MonkeyPatch) -> None:
    """Root is judged here as everybody else is: by the mode."""
    access = os.access

    def judged(path: Any, mode: int, **more: Any) -> bool:
        allowed = os.stat(path).st_mode & 0o200 if mode & os.W_OK and os.path.exists(path) else True
        return bool(allowed) and access(path, mode, **more)

    patch.setattr(os, "access", judged)
    host.home.chmod(0o500)


_STATVFS = ("bsize", "frsize", "blocks", "bfree", "bavail", "files", "ffree", "favail", "flag", "namemax", "fsid")


def room(name: str, **changes: int) -> None:
    """A file system in another state."""

    def plant(_host: Host, patch: pytest.MonkeyPatch) -> Iterator[None]:
        statvfs = os.statvfs

        def changed(path: Any) -> os.statvfs_result:
            found = statvfs(path)
            return os.statvfs_result(tuple(changes.get(one, getattr(found, f"f_{one}")) for one in _STATVFS))

        patch.setattr(os, "statvfs", changed)
        yield
        patch.setattr(os, "statvfs", statvfs)

    fault(name)(plant)


room("the disk is full", bfree=0, bavail=0)
room("no inode is left", files=1000, ffree=0, favail=0)
room("the file system is read-only", flag=os.ST_RDONLY)

by_workspace("the clock is wrong", clock_ahead=-1800)


@fault("the agent is not on PATH")
def _off_path(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
    host.start_files("true")
    yield
    host.start_files('PATH="$HOME/.local/bin:$PATH"')


# -- Dependencies ------------------------------------------------------------------------------------------------------

KNOWN, OLDER = "0.170.0", "0.118.0"
"""Of Codex: of none of the two the collection has a lock."""


def with_registry(host: Host, patch: pytest.MonkeyPatch) -> None:
    registry = Registry()
    registry.add_npm(AGENTS["codex"].source.package, KNOWN, "codex")
    host.clean_up.append(registry.close)
    host.options["npm_registry"] = f"{registry.url}/"
    npm = shutil.which("npm") or shutil.which("npm", path="/usr/local/bin:/opt/homebrew/bin")
    if npm is None:
        pytest.skip("needs npm")
    patch.setenv("PATH", f"{os.environ['PATH']}:{os.path.dirname(npm)}")


@fault("the agent is not installed", agent="codex", cli_versions={"codex": KNOWN})
def _not_installed(host: Host, patch: pytest.MonkeyPatch) -> None:
    with_registry(host, patch)
    shutil.rmtree(host.path(".local/lib/node_modules/@openai/codex"))
    host.path(".local/bin/codex").unlink()


@fault("the agent is too old", agent="codex", cli_versions={"codex": KNOWN})
def _too_old(host: Host, patch: pytest.MonkeyPatch) -> None:
    with_registry(host, patch)
    host.agent("codex", OLDER)


@fault("Node.js is too old for the agent", agent="pi")
def _old_node(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
    node, program = (
        host.path(".local/bin/node"),
        host.path(".local/lib/node_modules", AGENTS["pi"].source.package, "cli.js"),
    )
    before = program.read_text()
    program.write_text("#!/usr/bin/env node\n")
    for version in ("v18.20.0", "v22.23.0"):
        node.write_text(f"#!/bin/sh\necho {version}\n")
        node.chmod(0o755)
        if version == "v18.20.0":
            yield
    program.write_text(before)


@fault("the Databricks CLI is not installed", identity="user")
def _no_cli(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
    host.databricks.unlink()
    yield
    host.install_databricks()


def other_cli(name: str, text: str) -> None:
    """Another program by the name of the Databricks CLI, and no other one."""

    def plant(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
        host.databricks.unlink()
        host.databricks.write_text(f"#!/bin/sh\n{text}\n")
        host.databricks.chmod(0o755)
        yield
        host.databricks.unlink()
        host.install_databricks()

    fault(name, identity="user")(plant)


other_cli("the Databricks CLI is too old", 'echo "Version 0.18.0"')
other_cli("the Databricks CLI does not work", 'echo "Error: cannot open shared object file" >&2; exit 3')


@fault("a command of ours is missing", agent="gemini")
def _no_command(host: Host, _patch: pytest.MonkeyPatch) -> None:
    host.path(DATA, "bin", "gemini").unlink()


# -- Runtime files -----------------------------------------------------------------------------------------------------


@fault("others can write to our directories")
def _open_directory(host: Host, _patch: pytest.MonkeyPatch) -> None:
    host.path(DATA).chmod(0o777)


@fault("others can change the token helper")
def _open_helper(host: Host, _patch: pytest.MonkeyPatch) -> None:
    host.path(DATA, "token-helper").chmod(0o777)


@fault("the token helper cannot be started")
def _plain_helper(host: Host, _patch: pytest.MonkeyPatch) -> None:
    host.path(DATA, "token-helper").chmod(0o600)


def record(host: Host) -> Path:
    (found,) = host.path(DATA).glob("python-*")
    return found


@fault("the interpreter is gone")
def _dead_interpreter(host: Host, _patch: pytest.MonkeyPatch) -> None:
    record(host).write_text(f"{host.home}/.pyenv/versions/3.11.2/bin/python3\n")


@fault("the note of the interpreter is gone")
def _no_interpreter(host: Host, _patch: pytest.MonkeyPatch) -> None:
    record(host).unlink()


@fault("others can read the token cache")
def _open_cache(host: Host, _patch: pytest.MonkeyPatch) -> None:
    Path(host.config.cache_file).chmod(0o644)


@fault("the token cache is not readable as one")
def _torn_cache(host: Host, _patch: pytest.MonkeyPatch) -> None:
    Path(host.config.cache_file).write_text("17643")


@fault("a directory stands where the token cache goes")
def _no_cache(host: Host, _patch: pytest.MonkeyPatch) -> None:
    host.forget()
    Path(host.config.cache_file).mkdir()


RELAYED: dict[str, Any] = {"agent": "gemini", "relay": "session", "relay_port": free_port()}


@fault("a stranger holds the relay's port", **RELAYED)
def _port_taken(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", host.options["relay_port"]))
        stranger.listen()
        yield


@fault("others can read the relay's key", **RELAYED)
def _open_key(host: Host, _patch: pytest.MonkeyPatch) -> None:
    places = Places(str(host.home))
    own_key(places)
    Path(places.key).chmod(0o644)


@fault("the refresh lock cannot be taken")
def _no_lock(host: Host, _patch: pytest.MonkeyPatch) -> None:
    lock = Path(f"{host.config.cache_file}.lock")
    lock.unlink(missing_ok=True)
    lock.mkdir()


@fault("the token helper's log cannot be written", helper_log=True)
def _no_log(host: Host, _patch: pytest.MonkeyPatch) -> None:
    log = Path(host.config.log_file)
    log.unlink(missing_ok=True)
    log.mkdir()


def ledger(host: Host) -> Path:
    return host.path(".local/state/fmapi-coding-agents/ledger.json")


def with_ledger(name: str, change: Callable[[str], str]) -> None:
    """Another ledger than ours: the right one comes back from a backup."""

    def plant(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
        before = ledger(host).read_text()
        ledger(host).write_text(change(before))
        yield
        ledger(host).write_text(before)

    fault(name)(plant)


with_ledger("the ledger was cut off", lambda text: text[: len(text) // 2])
with_ledger("the ledger is of a newer version", json_with("schema", value=99))


@fault("the ledger is gone")
def _no_ledger(host: Host, _patch: pytest.MonkeyPatch) -> None:
    ledger(host).unlink()


@fault("a run was stopped in its middle")
def _interrupted(host: Host, _patch: pytest.MonkeyPatch) -> None:
    Path(files.temporary_name(str(ledger(host)))).write_text("{}")


# -- Configuration -----------------------------------------------------------------------------------------------------


@fault("the host program was changed")
def _changed_program(host: Host, _patch: pytest.MonkeyPatch) -> None:
    with host.path(DATA, "coding-agents.pyz").open("ab") as stream:
        stream.write(b"more")


@fault("the token helper was changed")
def _changed_helper(host: Host, _patch: pytest.MonkeyPatch) -> None:
    helper = host.path(DATA, "token-helper")
    helper.write_text(helper.read_text().replace("#!/bin/sh\n", "#!/bin/sh\n# my change\n"))


@fault("the profile has another secret")
def _changed_profile(host: Host, _patch: pytest.MonkeyPatch) -> None:
    profiles = host.path(".databrickscfg")
    profiles.write_text(profiles.read_text().replace(host.workspace.client_secret, "dose0123456789"))


@fault("the login item is gone", identity="user", login_at_start=True)
def _no_login_item(host: Host, _patch: pytest.MonkeyPatch) -> None:
    host.path(".config/autostart/fmapi-coding-agents-login.desktop").unlink()


@fault("the block of our PATH is gone", agent="copilot")
def _no_block(host: Host, _patch: pytest.MonkeyPatch) -> None:
    host.profile.write_text('PATH="$HOME/.local/bin:$PATH"\n')


@fault("the agent's command was changed", agent="copilot")
def _changed_command(host: Host, _patch: pytest.MonkeyPatch) -> None:
    command = host.path(DATA, "bin", "copilot")
    command.write_text(command.read_text().replace("COPILOT_OFFLINE=true", "COPILOT_OFFLINE=false"))


@fault("a value of the rollout's was changed")
def _changed_value(host: Host, _patch: pytest.MonkeyPatch) -> None:
    settings = host.path(CLAUDE)
    settings.write_text(json_with("env", "ANTHROPIC_BASE_URL", value="https://api.example.com")(settings.read_text()))


in_file("the settings do not parse", "claude_code", CLAUDE, lambda text: text + "}")
in_file(
    "a value in the settings is of another type", "claude_code", CLAUDE, json_with("permissions", "allow", value="Bash")
)
in_file("the settings list other models", "claude_code", CLAUDE, json_with("availableModels", value=["haiku"]))
in_file("Codex: an older profile is chosen", "codex", CODEX, lambda text: f'profile = "work"\n{text}')
in_file("Codex: a variable for the token", "codex", CODEX, after("[model_providers.databricks]\n", 'env_key = "X"\n'))
in_file("Codex: a catalog of models is gone", "codex", CODEX, lambda text: f'model_catalog_json = "/gone.json"\n{text}')
in_file("Codex: permissions by half", "codex", CODEX, lambda text: f'default_permissions = "mine"\n{text}')
in_file(
    "Codex: a required MCP server is gone",
    "codex",
    CODEX,
    lambda text: f'{text}\n[mcp_servers.corp]\ncommand = "/gone/corp"\nrequired = true\n',
)
in_file("Gemini CLI: a byte order mark", "gemini", GEMINI, lambda text: f"\ufeff{text}")
in_file("OpenCode: a value of another type", "opencode", OPENCODE, json_with("instructions", value=3))
in_file("Pi: a value of another type", "pi", PI, json_with("packages", value=3))
in_file(
    "Hermes: our plugin is switched off",
    "hermes",
    HERMES,
    after("plugins:\n", "  disabled:\n    - fmapi_coding_agents\n"),
)
in_file("Hermes: another dialect", "hermes", HERMES, after("  databricks:\n", "    api_mode: anthropic_messages\n"))


# -- Conflicts ---------------------------------------------------------------------------------------------------------

in_shell("Claude Code is sent to other settings", CLAUDE_CONFIG_DIR="/srv/claude")
in_shell("Claude Code is told to read no settings", CLAUDE_CODE_SIMPLE="1")
in_shell("a vendor's key is exported", ANTHROPIC_API_KEY="sk-ant-api03-PLANTED")
in_shell("a proxy for everything is exported", https_proxy="http://proxy.example.com:3128")
in_shell("Codex is sent to another home", agent="codex", CODEX_HOME="/srv/codex")
in_shell("OpenCode is sent to other settings", agent="opencode", XDG_CONFIG_HOME="/srv/config")
in_shell("OpenCode is given more settings", agent="opencode", OPENCODE_CONFIG="/srv/opencode.json")


def beside(name: str, agent: str, path: Callable[[Host], Path], text: str) -> None:
    """A file of somebody else's: it is taken away."""

    def plant(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
        file = path(host)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        yield
        file.unlink()

    fault(name, agent=agent)(plant)


def managed(name: str, agent: str, file: str, text: str) -> None:
    beside(name, agent, lambda host: host.managed / file, text)


managed(
    "managed settings force the vendor's sign-in",
    "claude_code",
    "managed-settings.json",
    '{"forceLoginMethod": "console"}',
)
managed(
    "managed settings name another helper", "claude_code", "managed-settings.json", '{"apiKeyHelper": "/opt/helper"}'
)
managed(
    "managed settings deny the model", "claude_code", "managed-settings.json", json.dumps({"deniedModels": ["opus"]})
)
managed("a managed file of Codex goes elsewhere", "codex", "managed_config.toml", 'model_provider = "corp"\n')
managed("a managed file of Codex does not parse", "codex", "managed_config.toml", "model_provider = \n")
managed(
    "a managed file of Gemini CLI signs in otherwise",
    "gemini",
    "settings.json",
    json.dumps({"security": {"auth": {"selectedType": "vertex-ai"}}}),
)
managed("a managed file of OpenCode names another model", "opencode", "opencode.json", '{"model": "openai/gpt-5"}')
beside(
    "a file of Gemini CLI sets another model",
    "gemini",
    lambda host: host.path(".gemini/.env"),
    "GEMINI_MODEL=gemini-2.5-pro\n",
)


@fault("the settings of a project go elsewhere")
def _project(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
    state, settings = host.path(".claude.json"), host.path("src/shop/.claude/settings.json")
    before = state.read_text()
    state.write_text(json_with("projects", str(host.path("src/shop")), value={})(before))
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"env": {"ANTHROPIC_BASE_URL": "https://api.example.com"}}))
    yield
    settings.unlink()
    state.write_text(before)


in_file(
    "an older proxy is started still",
    "claude_code",
    CLAUDE,
    json_with(
        "hooks",
        "SessionStart",
        value=[{"hooks": [{"type": "command", "command": "databricks-claude hooks session-start"}]}],
    ),
)


@fault("an older shell function comes first")
def _function(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
    """As it stands there before the rollout, which leaves it: its owner has changed it."""
    start, function = host.path(".bashrc"), "dbx-fmapi-claude() {\n  claude --my-way\n}\n"
    start.write_text(function)
    host.roll_out()
    yield
    start.write_text(start.read_text().replace(function, ""))
    host.roll_out()
    shutil.rmtree(host.path(DATA, "bin"))
    start.unlink()
    host.roll_out()


def first_on_path(name: str, agent: str, version: str) -> None:
    """Another program of the agent's name in a directory that comes first: it is removed."""

    def plant(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
        before = host.profile.read_text()
        program = host.agent(agent, version, place=host.path("first"))
        host.profile.write_text(before + 'PATH="$HOME/first/bin:$PATH"\n')
        yield
        program.unlink()
        host.profile.write_text(before)

    fault(name, agent=agent)(plant)


first_on_path("another version of the agent comes first", "claude_code", "2.1.197")
first_on_path("a refused version of the agent comes first", "claude_code", "2.1.265")


@fault("the agent's program comes before our command", agent="copilot")
def _before_ours(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
    before = host.profile.read_text()
    host.profile.write_text(before + 'PATH="$HOME/.local/bin:$PATH"\n')
    yield
    host.profile.write_text(before)


# -- Connectivity ------------------------------------------------------------------------------------------------------


def unreachable(name: str, error: OSError) -> None:
    """What the network says when somebody wants to connect."""

    def plant(_host: Host, patch: pytest.MonkeyPatch) -> Iterator[None]:
        connect = socket.create_connection

        def fails(*_arguments: Any, **_more: Any) -> socket.socket:
            raise error

        patch.setattr(socket, "create_connection", fails)
        yield
        patch.setattr(socket, "create_connection", connect)

    fault(name)(plant)


unreachable("nothing answers at the workspace's address", ConnectionRefusedError(111, "Connection refused"))
unreachable("the workspace's name is not known", socket.gaierror(-2, "Name or service not known"))
unreachable("the way to the workspace swallows everything", TimeoutError())


def by_proxy(name: str, proxy: str) -> None:
    """A way out of the network that is none."""

    def plant(_host: Host, patch: pytest.MonkeyPatch) -> Iterator[None]:
        patch.setenv("https_proxy", proxy)
        yield
        patch.delenv("https_proxy")

    fault(name)(plant)


by_proxy("the proxy's name is not known", "http://no-such-proxy.invalid:3128")
by_proxy("the proxy does not answer", "http://127.0.0.1:9")


@fault("the certificate is of an unknown authority")
def _authority(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
    before = host.ca_file.read_bytes()
    host.ca_file.write_bytes(trustme.CA().cert_pem.bytes())
    yield
    host.ca_file.write_bytes(before)


@fault("the file of the authority holds none")
def _no_authority(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
    before = host.ca_file.read_bytes()
    host.ca_file.write_bytes(b"no certificate\n")
    yield
    host.ca_file.write_bytes(before)


by_workspace("the address is another's, which redirects", redirect_to="https://accounts.example.com/login")
by_workspace("the workspace is busy", **failing(workspace.OAUTH_METADATA, 429))
by_workspace("the workspace is down", **failing(workspace.OAUTH_METADATA, 503))
by_workspace("something else answers at the address", **failing(workspace.OAUTH_METADATA, 404))
by_workspace("the AI Gateway is not enabled", gateway=False)
by_workspace("the gateway refuses the identity", **failing("/ai-gateway", 403))
by_workspace("the gateway is busy", **failing("/ai-gateway", 429))


@fault("a relay that was named does not answer", base_urls={"claude_code": "http://127.0.0.1:9/anthropic"})
def _relay(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
    yield
    host.options["base_urls"] = None
    host.roll_out()


# -- Auth --------------------------------------------------------------------------------------------------------------

TOKENS = "/oidc/v1/token"


@fault("nobody is signed in", identity="user")
def _signed_out(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
    host.forget()
    shutil.rmtree(host.path(".databricks"))
    yield
    host.sign_in()


by_workspace("the client secret is refused", forgets=True, **failing(TOKENS, 401))
by_workspace("too many tokens are asked for", forgets=True, **failing(TOKENS, 429))


@fault("a new token does not come while the old one lives")
def _no_new_token(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
    cached = Path(host.config.cache_file)
    _until, token, expiry = cached.read_text().splitlines()
    cached.write_text(f"1\n{token}\n{expiry}\n")
    host.workspace.control(**failing(TOKENS, 503))
    yield
    host.workspace.control(fail_next=None)
    cached.write_text(f"1\n{token}\n{expiry}\n")


@fault("a personal access token is in use", identity="pat")
def _pat(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
    yield
    host.options.update(identity="service_principal", pat=None, client_id=host.workspace.client_id)
    host.options["client_secret"] = host.workspace.client_secret
    host.roll_out()


def oidc(name: str, spoil: Callable[[Host], None]) -> None:
    """What a workload's OIDC token comes from gives none, until it does again."""

    def plant(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
        host.forget()
        spoil(host)
        yield
        host.workspace.trust_workload(ISSUER, SUBJECT, AUDIENCE)
        host.path("oidc-token").write_text(host.workspace.oidc_token(ISSUER, SUBJECT, AUDIENCE))

    fault(name, identity="workload_identity")(plant)


oidc("the OIDC token file is gone", lambda host: host.path("oidc-token").unlink())
oidc("the OIDC token file is empty", lambda host: _ignored(host.path("oidc-token").write_text("")))
oidc("the workspace trusts the workload no more", lambda host: _ignored(host.workspace.control(federation_policies=[])))


def _ignored(_value: object) -> None:
    return


by_workspace("the identity lacks its entitlement", **failing(session.WHO_AM_I, 403))


# -- Models ------------------------------------------------------------------------------------------------------------

by_workspace("the model is not served", endpoint_state=[{"name": MODEL, "ready": "ABSENT"}])
by_workspace("the model is not ready", endpoint_state=[{"name": MODEL, "ready": "NOT_READY"}])
by_workspace("the model may not be asked", **failing(f"/api/2.0/serving-endpoints/{MODEL}", 403))
by_workspace(
    "the model cannot be looked up, the workspace is busy", **failing(f"/api/2.0/serving-endpoints/{MODEL}", 429)
)


@fault("the model service is not there", models={"claude_code": {**SERVICES, "opus": "system.ai.claude-opus-9"}})
def _no_service(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
    yield
    host.options["models"] = {"claude_code": SERVICES}
    host.roll_out()


by_workspace(
    "the model services may not be listed",
    options={"models": {"claude_code": SERVICES}},
    **failing("/api/2.1/unity-catalog/model-services", 403),
)


# -- Prompt ------------------------------------------------------------------------------------------------------------


def answering(name: str, script: str, seconds: int = 0) -> None:
    """An agent that does not answer, until what keeps it from that is mended."""

    def plant(host: Host, patch: pytest.MonkeyPatch) -> Iterator[None]:
        host.agent("claude_code", script=script)
        before = agent_settings._PROMPT_SECONDS
        patch.setattr(agent_settings, "_PROMPT_SECONDS", seconds or before)
        yield
        patch.setattr(agent_settings, "_PROMPT_SECONDS", before)
        host.agent("claude_code")

    fault(name, doctor_prompt=True)(plant)


answering("the agent ends with an error", "echo 'API Error: 403 Invalid access token' >&2; exit 1")
answering("the agent says nothing", "exit 0")
answering("the agent does not answer in time", "sleep 60", seconds=1)


# -- what ends tokens and sign-ins of other hosts, too ------------------------------------------------------------------


@fault("the sign-in has expired", identity="user")
def _sign_in_expired(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
    host.forget()
    host.workspace.control(revoke_sign_ins=True)
    store = host.path(".databricks/token-cache.json")
    store.write_text(re.sub(r'"expiry": *"\d{4}', '"expiry": "2020', store.read_text()))
    yield
    host.sign_in()


@fault("the personal access token is refused", identity="pat")
def _refused_pat(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
    host.forget()
    host.workspace.control(revoke_tokens=True)
    yield
    host.options["pat"] = host.workspace.mint(kind="pat")
    host.roll_out()


@fault("the token was revoked")
def _revoked(host: Host, _patch: pytest.MonkeyPatch) -> Iterator[None]:
    Path(f"{host.config.cache_file}.served").unlink(missing_ok=True)
    host.workspace.control(revoke_tokens=True)
    yield  # and once more


DISTURBING = {"the sign-in has expired", "the personal access token is refused", "the token was revoked"}
