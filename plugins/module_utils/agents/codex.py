# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Codex: a provider of its own in ``~/.codex/config.toml``, with a command for a token. Measured with 0.169.0 unless said."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from typing import Any

from ..engine.documents import Document, KeyPath
from ..engine.owner import Owner
from ..engine.ownership import Wanted
from .base import (
    COMPONENT,
    Agent,
    AgentOptions,
    Launch,
    Problem,
    SkillPlace,
    network_reasons,
    network_variables,
    shared_skills,
)
from .codex_settings import SETTINGS
from .programs import search_path
from .source_npm import Npm

_PROVIDER = "databricks"
_OURS = ("model_providers", _PROVIDER)
_AUTHORITY = "CODEX_CA_CERTIFICATE"
"""Its own variable, not SSL_CERT_FILE: that would hold for all that it runs."""

_HELPER_MILLISECONDS = 30_000
"""It kills a slower helper and starts another, again and again. Ours gives up earlier by itself: it asks for 10 seconds at most."""

_QUIET: Mapping[KeyPath, Any] = {
    ("web_search",): "disabled",
    ("check_for_update_on_startup",): False,
    ("analytics", "enabled"): False,
    ("feedback", "enabled"): False,
    ("features", "plugins"): False,
    ("features", "daemon_auto_start"): False,
}
_SUPERSEDED = (
    ("profile",),  # an error since profiles have files of their own
    (*_OURS, "env_key"),  # an error beside a command
    (*_OURS, "experimental_bearer_token"),
    (*_OURS, "requires_openai_auth"),
)
_TIME = re.compile(r"^\S+Z +(?=ERROR )")
_ERROR = re.compile(r"error\b", re.IGNORECASE)


_MACHINE_FILE = "/etc/codex/managed_config.toml"
_MACHINE_SKILLS = "/etc/codex/skills"


class Codex(Agent):
    name = "codex"
    title = "Codex"
    command = "codex"
    source = Npm("@openai/codex")  # its program comes in a package for each platform: no script has to run
    pinned_version = "0.169.0"
    # Older ones know no command for a token (0.118.0), or take profiles from the main file; none of them was measured.
    minimum_version = "0.145.0"
    dialects = ("responses",)
    listings = {"responses": "/models"}
    model_defaults = {"default": "databricks-gpt-5-5"}
    model_slots = {
        "default": "The model that a session begins with. Its picker lists what the workspace's gateway lists."
    }
    reasons = {
        ("model_provider",): "Else it asks its vendor, and wants a sign-in there.",
        ("model",): "The model that a session begins with.",
        (*_OURS, "name"): "A provider has to have a name.",
        (*_OURS, "base_url"): "Requests go to the workspace.",
        (*_OURS, "wire_api"): "The dialect that is spoken there, the only one that it still knows.",
        (*_OURS, "auth", "command"): "The command that prints a token: no token stands in the file.",
        (*_OURS, "auth", "timeout_ms"): "Else a helper that takes more than 5 seconds is killed, and started again.",
        (*_OURS, "auth", "refresh_interval_ms"): "How long a token is kept before the helper is asked again.",
        ("web_search",): "Gateways refuse the vendor's web search.",
        ("check_for_update_on_startup",): "Else it asks its vendor for newer versions.",
        ("analytics", "enabled"): "Else it sends statistics to its vendor.",
        ("feedback", "enabled"): "Else it offers to send sessions to its vendor.",
        ("features", "plugins"): "Else it fetches its vendor's plugins from GitHub and chatgpt.com at each start.",
        (
            "features",
            "daemon_auto_start",
        ): "Else it leaves a copy of itself (404 MB) in the home, which runs on after the terminal is closed, and updates itself.",
        **network_reasons(_AUTHORITY),
    }
    renewal = (
        "It runs the token helper again when the time to live has passed, before it asks, and at once after HTTP 401. After HTTP 403 "
        "it does not: a session ends where a token ends before its time to live has passed."
    )
    measured = (
        "With 0.169.0: first answer by its bare name, tokens that end between two prompts and in a session at 401 and 403, no name "
        "looked up for one prompt, the way back. Started in a terminal, it asks C(raw.githubusercontent.com) for an announcement. A "
        "busy workspace (HTTP 429) it asks again where that says C(Retry-After), 5 times; without it the prompt ends at once, with "
        "C(last status: 429). A model that is gone (404) it asks for 6 times, 7 seconds in all. With an MCP server that is "
        "C(required) and cannot start it begins no session. With 0.171.0: the first answer, "
        "a busy workspace and a model that is gone."
    )

    machine_scope = (
        "It reads C(managed_config.toml) for every user: that wins over a user's own and over the command line."
    )

    deciding = frozenset({("model_provider",), ("model",), (*_OURS, "base_url"), (*_OURS, "auth", "command")})
    shape = SETTINGS
    misfit_effect = "does not start"

    def documents(self, options: AgentOptions) -> list[Wanted]:
        models = self.models(options.models)
        config = Wanted(
            path=self._config(options.owner),
            format="toml",
            component=COMPONENT,
            values={
                ("model_provider",): _PROVIDER,
                ("model",): models["default"],
                **_QUIET,
                **self._provider(options),
            },
            as_good={("model",): options.other_names["default"]} if "default" in options.other_names else {},
            superseded=_SUPERSEDED,
            mode=0o600,
        )
        return [config]

    def skill_place(self, owner: Owner) -> SkillPlace:
        return SkillPlace(_MACHINE_SKILLS) if owner.is_machine else shared_skills(owner)

    @staticmethod
    def _config(owner: Owner) -> str:
        if owner.is_machine:
            return _MACHINE_FILE
        return os.path.join(owner.home, ".codex", "config.toml")

    @staticmethod
    def _provider(options: AgentOptions) -> dict[KeyPath, Any]:
        return {
            (*_OURS, "name"): "Databricks",
            (*_OURS, "base_url"): options.base_urls["responses"],
            (*_OURS, "wire_api"): "responses",
            # Started as it stands, by no shell: no quotes for a space.
            (*_OURS, "auth", "command"): options.token_helper,
            (*_OURS, "auth", "timeout_ms"): _HELPER_MILLISECONDS,
            (*_OURS, "auth", "refresh_interval_ms"): options.token_ttl_minutes * 60_000,
        }

    def launch(self, options: AgentOptions) -> Launch | None:
        """Its file can say neither of these. Whoever needs none starts the program itself."""
        given = network_variables(options, _AUTHORITY)
        return Launch(given) if given else None

    def usual_files(self, owner: Owner) -> dict[str, str]:
        return {self._config(owner): "toml"}

    def known_as_ours(self, document: Document, token_helper: str) -> list[KeyPath]:
        if document.get((*_OURS, "auth", "command")) != token_helper:
            return []
        known = [*self._provider(self.with_helper(token_helper))]
        if document.get(("model_provider",)) == _PROVIDER:
            known += [("model_provider",), ("model",)]
        return known + [key for key, value in _QUIET.items() if document.get(key) == value]

    def outranking(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        return ("CODEX_HOME",)

    def troubles(self, options: AgentOptions, settings: Mapping[str, Any]) -> list[Problem]:
        """Each is an error as it starts, with 0.169.0, before anything is asked."""
        found = super().troubles(options, settings)
        if "profile" in settings:
            what = "profile is set in it, which Codex does not know any more: it does not start"
            found.append(
                Problem("FAIL", what, "Run the rollout, or take it out: codex --profile NAME reads NAME.config.toml")
            )
        providers = settings.get("model_providers")
        ours = providers.get(_PROVIDER) if isinstance(providers, dict) else None
        if isinstance(ours, dict) and "env_key" in ours:
            what = f"{'.'.join(_OURS)}.env_key is set beside our command for a token: Codex does not start"
            found.append(Problem("FAIL", what, "Run the rollout, or take it out"))
        catalog = settings.get("model_catalog_json")
        if isinstance(catalog, str) and os.path.isabs(catalog) and not os.path.exists(catalog):
            what = "model_catalog_json names a file that is not there: Codex does not start"
            found.append(Problem("FAIL", what, "Correct it, or take it out"))
        if ("permissions" in settings) is not ("default_permissions" in settings):
            what = "of permissions and default_permissions it has one without the other: Codex does not start"
            found.append(Problem("FAIL", what, "Set both, or none"))
        return found + _servers_that_cannot_start(settings, options.owner.home)

    prompt_tokens = 10_000

    def prompt_command(self, program: str, prompt: str) -> list[str]:
        # Nothing of a project, and nothing that could be changed: a reply is all that is wanted. The person's own servers are started,
        # as in each session of theirs: no argument leaves all of them out.
        own = ["--skip-git-repo-check", "--ephemeral", "--ignore-rules", "--sandbox", "read-only"]
        own += ["--config", "project_doc_max_bytes=0", "--disable", "shell_tool"]
        return [program, "exec", *own, prompt]

    def tokens(self, stdout: str, stderr: str) -> int | None:
        found = re.search(r"^tokens used\n([0-9,]{1,12})$", stderr, re.MULTILINE)
        return int(found.group(1).replace(",", "")) if found else None

    def reason(self, stdout: str, stderr: str) -> str:
        """From its first error on: before that it repeats what it was asked, and tells its settings."""
        lines = [_TIME.sub("", line) for line in f"{stdout}\n{stderr}".splitlines()]
        first = next((number for number, line in enumerate(lines) if _ERROR.match(line)), 0)
        return " ".join(" ".join(dict.fromkeys(lines[first:])).split())


def _servers_that_cannot_start(settings: Mapping[str, Any], home: str) -> list[Problem]:
    """Without a server that is ``required`` Codex begins no session. Where a name is looked for depends on who starts it."""
    servers = settings.get("mcp_servers")
    found = []
    for name, server in servers.items() if isinstance(servers, dict) else ():
        needed = isinstance(server, dict) and server.get("required") is True and server.get("enabled") is not False
        command = server.get("command") if needed else None
        if not isinstance(command, str) or shutil.which(command, path=search_path(home, os.environ)):
            continue
        known = os.path.isabs(command)
        what = f"the MCP server {name} is required, and its command {command} is not there to be started"
        found.append(
            Problem(
                "FAIL" if known else "WARN",
                f"{what}: Codex does not start" if known else f"{what} by this login: without it Codex does not start",
                f"Install it, correct mcp_servers.{name}.command, or take mcp_servers.{name}.required out",
            )
        )
    return found


AGENT = Codex()
