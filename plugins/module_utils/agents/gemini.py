# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gemini CLI: its kind of sign-in and its models in ``~/.gemini/settings.json``, the rest in its environment, as it starts.

It speaks Gemini's own dialect only. It has no command for a token and reads one once, at its start; where it sends its requests it
takes from its environment alone. Keys, variables and the names of its models for small tasks: as measured with 0.61.0.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import careful
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
    machine_directory,
    network_reasons,
    network_variables,
    shared_skills,
)
from .shapes import TEXT, Either, one_of, or_null, section
from .source_npm import Npm

_SIGN_IN: KeyPath = ("security", "auth", "selectedType")
_TRUST: KeyPath = ("security", "folderTrust", "enabled")
_MODEL: KeyPath = ("model", "name")
_ALIASES: KeyPath = ("modelConfigs", "customAliases")
_MOST_ATTEMPTS = 4
"""Of which the last is 40 seconds after the first. It takes no notice of Retry-After."""


class _Task(NamedTuple):
    """A small task for which it asks a model of its own choice, and with what beside the model, if with anything."""

    slot: str
    extends: str | None = "base"
    settings: Mapping[KeyPath, Any] = {}


_TASKS: Mapping[str, _Task] = {
    "gemini-3-flash-base": _Task("flash"),
    "edit-corrector": _Task("flash", settings={("thinkingConfig", "thinkingBudget"): 0}),
    "summarizer-default": _Task("flash", settings={("maxOutputTokens",): 2000}),
    "summarizer-shell": _Task("flash", settings={("maxOutputTokens",): 2000}),
    "agent-history-provider-summarizer": _Task("flash", extends=None),
    "loop-detection-double-check": _Task("default"),
    "chat-compression-default": _Task("default", extends=None),
}
"""By its own names for them. Else it asks for its vendor's models, which no workspace serves by that name."""


_TEXTS = or_null(Either((TEXT, [TEXT])))
_SETTINGS: Mapping[str, Any] = {
    "context": section({"fileName": _TEXTS, "includeDirectories": or_null([TEXT])}),
    "mcp": section({"allowed": _TEXTS}),
    "policyPaths": _TEXTS,
    "skills": section({"disabled": Either((TEXT, [TEXT]))}),
    "telemetry": section({"target": one_of("local", "gcp")}),
    "tools": section({"core": or_null([TEXT]), "allowed": _TEXTS, "exclude": _TEXTS}),
    "ui": section({"theme": or_null(TEXT)}),
}
"""It has a schema and warns by it, and obeys all the same. As it starts no more than these break it down, of 45 keys that were tried
with one to four values of another kind.
"""


class Gemini(Agent):
    name = "gemini"
    title = "Gemini CLI"
    command = "gemini"
    source = Npm("@google/gemini-cli", node={"0": "20"})  # what its dependencies would build by scripts it does without
    pinned_version = "0.61.0"
    # Before, it asked for other models than it was told to; reported, not measured. No later one was tried, either.
    minimum_version = "0.61.0"
    dialects = ("gemini",)
    model_defaults = {"default": "databricks-gemini-3-pro", "flash": "databricks-gemini-3-5-flash"}
    model_slots = {
        "default": "The model that a session begins with; it also shortens long sessions.",
        "flash": "The model for small tasks in the background, and for what its tools ask.",
    }
    reasons = {
        ("GOOGLE_GEMINI_BASE_URL",): "Requests go to the workspace.",
        ("GEMINI_API_KEY_AUTH_MECHANISM",): "A workspace takes a token as C(Authorization: Bearer).",
        ("GEMINI_API_KEY",): "It reads a token once, at its start.",
        ("GEMINI_MODEL",): "It would come before the model in the settings.",
        ("GEMINI_CLI_HOME",): "It would lead to other settings.",
        ("GOOGLE_API_KEY",): "It is for its vendor.",
        ("GOOGLE_GENAI_API_VERSION",): "It would lead to a path that a workspace does not have.",
        **network_reasons(),
        _SIGN_IN: "Else it asks how to sign in, and does not start without a terminal.",
        ("privacy", "usageStatisticsEnabled"): "Else it sends statistics to its vendor.",
        ("general", "enableAutoUpdate"): "Else it replaces itself by a version that nobody has tried here.",
        ("general", "enableAutoUpdateNotification"): "Else it asks the npm registry for a newer version as it starts.",
        (
            "general",
            "maxAttempts",
        ): "Else it asks a busy workspace ten times, and says nothing for more than four minutes.",
        _TRUST: "Written where C(coding_agents_gemini_folder_trust) is false.",
        _MODEL: "The model that a session begins with.",
        **{
            (*_ALIASES, task, *key): why
            for task in _TASKS
            for key, why in (
                (("extends",), "As its own entry of that name has it."),
                (("modelConfig", "model"), "Its own choice for this small task is a name that means nothing here."),
            )
        },
        **{
            (*_ALIASES, task, "modelConfig", "generateContentConfig", *key): "As its own entry of that name has it."
            for task, its in _TASKS.items()
            for key in its.settings
        },
    }
    reads_token_once = True
    renewal = (
        "It reads a token once, at its start: C(gemini) starts with a fresh one. A session that outlives it ends with HTTP "
        "401 or 403: start again with C(gemini --resume). With C(coding_agents_relay: auto) sessions outlive their tokens."
    )
    measured = (
        "With 0.61.0: first answer by its bare name, a fresh token at each start, small tasks, what a shell or an older file says, "
        "folders nobody has trusted, a byte order mark, names it looks up without a terminal (none), the way back. A busy workspace "
        "(HTTP 429) it gives up after half a minute, whatever C(Retry-After) says; a model that is gone (404) at once."
    )

    own_options = {
        "folder_trust": {
            "type": "bool",
            "default": True,
            "description": [
                "Whether Gemini CLI asks before it obeys the settings and servers of a folder, as it does by default.",
                "Without a terminal it then refuses to work in a folder that nobody has trusted, unless started with "
                "C(--skip-trust).",
                "With V(false) it trusts every folder: settings of any repository are obeyed, the servers in them started.",
            ],
            "example": "false",
        },
    }

    machine_scope = (
        "It reads C(settings.json) there for every user, which wins over a user's own. The URL and the token come from our command "
        "only: who starts the program by its path has neither."
    )

    deciding = frozenset({_SIGN_IN, _MODEL})
    shape = _SETTINGS
    misfit_effect = "does not start"

    def documents(self, options: AgentOptions) -> list[Wanted]:
        others = options.other_names
        by_choice = self._models_by_key()
        return [
            Wanted(
                path=_settings_file(options.owner),
                format="jsonc",
                component=COMPONENT,
                values=self._values(options),
                as_good={key: others[slot] for key, slot in by_choice.items() if slot in others},
                mode=0o644,
            )
        ]

    def _values(self, options: AgentOptions) -> dict[KeyPath, Any]:
        models = self.models(options.models)
        values: dict[KeyPath, Any] = {
            _SIGN_IN: "gemini-api-key",
            ("privacy", "usageStatisticsEnabled"): False,
            ("general", "enableAutoUpdate"): False,
            ("general", "enableAutoUpdateNotification"): False,
            ("general", "maxAttempts"): _MOST_ATTEMPTS,
            **({} if self.own(options, "folder_trust") else {_TRUST: False}),
        }
        for name, task in _TASKS.items():
            alias = (*_ALIASES, name)
            values.update({(*alias, "extends"): task.extends} if task.extends else {})
            for key, value in task.settings.items():
                values[(*alias, "modelConfig", "generateContentConfig", *key)] = value
        return {**values, **{key: models[slot] for key, slot in self._models_by_key().items()}}

    @staticmethod
    def _models_by_key() -> dict[KeyPath, str]:
        """Where names of models stand, and which choice each is."""
        tasks: dict[KeyPath, str] = {
            (*_ALIASES, name, "modelConfig", "model"): task.slot for name, task in _TASKS.items()
        }
        return {_MODEL: "default", **tasks}

    def launch(self, options: AgentOptions) -> Launch:
        return Launch(
            {
                "GOOGLE_GEMINI_BASE_URL": options.base_urls["gemini"],
                # Else the token goes out as x-goog-api-key alone, which a workspace does not know.
                "GEMINI_API_KEY_AUTH_MECHANISM": "bearer",
                **network_variables(options),
            },
            token_variables=("GEMINI_API_KEY",),
            unset=("GEMINI_MODEL", "GEMINI_CLI_HOME", "GOOGLE_API_KEY", "GOOGLE_GENAI_API_VERSION"),
        )

    def usual_files(self, owner: Owner) -> dict[str, str]:
        return {_settings_file(owner): "jsonc"}

    def known_as_ours(self, document: Document, token_helper: str) -> list[KeyPath]:
        """Nothing in it names us. Its entries for small tasks are nobody's but ours, if all of them are there as we write them."""
        values, models = self._values(self.with_helper(token_helper)), self._models_by_key()
        ours = {key: value for key, value in values.items() if key[: len(_ALIASES)] == _ALIASES}
        there = all(
            document.get(key) == value if key not in models else isinstance(document.get(key), str)
            for key, value in ours.items()
        )
        return [key for key in values if key in models or document.get(key) == values[key]] if there else []

    def skill_place(self, owner: Owner) -> SkillPlace | None:
        return None if owner.is_machine else shared_skills(owner)

    def troubles(self, options: AgentOptions, settings: Mapping[str, Any]) -> list[Problem]:
        found = super().troubles(options, settings)
        if _content(_settings_file(options.owner)).startswith(codecs.BOM_UTF8):
            what = f"begins with a byte order mark, with which {self.title} does not start"
            found.append(Problem("FAIL", what, "Save it as UTF-8 without one"))
        return found

    def problems(self, options: AgentOptions, environment: Mapping[str, str], version: str) -> list[Problem]:
        path = os.path.join(options.owner.home, ".gemini", ".env")
        if not re.search(rb"(?m)^\s*(export\s+)?GEMINI_MODEL\s*=\s*\S", _content(path)):
            return []
        return [Problem("FAIL", f"{path} sets GEMINI_MODEL, which outranks the settings", "Take it out of there")]

    prompt_tokens = 11_000

    def prompt_command(self, program: str, prompt: str) -> list[str]:
        # The directory is empty and of our own making. No tool: what needs leave is refused where nobody can be asked.
        return [program, "--skip-trust", "--extensions", "none", "-p", prompt]

    def reason(self, stdout: str, stderr: str) -> str:
        lines = [
            _REPORT.sub("", line).strip() for line in f"{stdout}\n{stderr}".splitlines() if not _NOISE.search(line)
        ]
        return " ".join(lines)


_NOISE = re.compile(
    r"^\s*$|^\s+at |^Ripgrep is not available|256-color support|^Warning: Basic terminal|^\[STARTUP\]"
    r"|^An unexpected critical error|^\s*code: |^}$"
)
_REPORT = re.compile(r"Full report available at: \S+ ")
"""Else its path takes the place of what follows it: why."""


def _settings_file(owner: Owner) -> str:
    if owner.is_machine:
        directory = machine_directory("/etc/gemini-cli", "/Library/Application Support/GeminiCli")
        return os.path.join(directory, "settings.json")
    return os.path.join(owner.home, ".gemini", "settings.json")


def _content(path: str) -> bytes:
    try:
        return careful.read(path)
    except OSError:
        return b""


AGENT = Gemini()
