# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GitHub Copilot CLI: a provider in its environment, which runs a command for a token before every request. Measured with 1.0.102.

It has a file for providers, too (``~/.copilot/providers.json``), but that takes a token as it stands, and no command. So no file of
its own is written. It speaks Responses (``COPILOT_PROVIDER_WIRE_API=responses``) and Messages as well; in Messages it sends what a
command prints as ``x-api-key`` only, which a workspace refuses.
"""

from __future__ import annotations

import shlex

from ..engine.owner import Owner
from ..engine.ownership import Wanted
from .base import (
    SONNET,
    Agent,
    AgentOptions,
    Launch,
    SkillPlace,
    network_reasons,
    network_variables,
    shared_skills,
)
from .source_npm import Npm


class Copilot(Agent):
    name = "copilot"
    title = "Copilot CLI"
    command = "copilot"
    source = Npm("@github/copilot")  # its program comes in a package for each platform: no script has to run
    pinned_version = "1.0.102"
    # What the vendor of the workspace asks for; older ones were not measured.
    minimum_version = "1.0.91"
    # What every model speaks. In Responses, only GPT models could be chosen.
    dialects = ("chat",)
    model_defaults = {"default": SONNET}
    model_slots = {
        "default": "The model that a session begins with; C(--model) names another. Gemini models are said to refuse what it sends."
    }
    reasons = {
        ("COPILOT_OFFLINE",): "Else it asks GitHub, for a sign-in, statistics, tools and newer versions.",
        ("COPILOT_AUTO_UPDATE",): "Else it may start a newer version that it has fetched before.",
        ("COPILOT_PROVIDER_TYPE",): "How a token is sent: as C(Authorization: Bearer).",
        ("COPILOT_PROVIDER_BASE_URL",): "Requests go to the workspace.",
        ("COPILOT_PROVIDER_WIRE_API",): "The dialect that is spoken there.",
        ("COPILOT_PROVIDER_API_KEY_COMMAND",): "The command that prints a token: no token stands in the environment.",
        ("COPILOT_MODEL",): "The model that a session begins with.",
        ("COPILOT_PROVIDER_BEARER_TOKEN",): "It would come before the command.",
        ("COPILOT_PROVIDER_HEADERS",): "They are of another provider, and may be its key.",
        ("COPILOT_PROVIDER_MODEL_ID",): "It would come before the model.",
        ("COPILOT_PROVIDER_WIRE_MODEL",): "It would come before the model.",
        ("COPILOT_PROVIDER_TRANSPORT",): "Workspaces speak no WebSocket.",
        **network_reasons(),
    }
    renewal = "It runs the token helper before every request: a token that ends is not noticed."
    measured = (
        "With 1.0.102: first answer by its bare name, tokens that end in a session at 401 and 403, what a shell exports, its own "
        "settings beside ours, no name looked up for one prompt, the way back. A busy workspace (HTTP 429) it gives up "
        "after 6 tries: 6 seconds with C(Retry-After: 1), a minute without; a model that is gone (404) at once. "
        "No variable changes that."
    )

    machine_scope = "It takes all from our command: who starts the program by its path has nothing of it."

    def documents(self, options: AgentOptions) -> list[Wanted]:
        return []

    def launch(self, options: AgentOptions) -> Launch:
        environment = {
            "COPILOT_OFFLINE": "true",
            "COPILOT_AUTO_UPDATE": "false",
            "COPILOT_PROVIDER_TYPE": "openai",
            "COPILOT_PROVIDER_BASE_URL": options.base_urls["chat"],
            "COPILOT_PROVIDER_WIRE_API": "completions",
            # Run by sh -c, so a path with a space needs its quotes.
            "COPILOT_PROVIDER_API_KEY_COMMAND": shlex.quote(options.token_helper),
            "COPILOT_MODEL": self.models(options.models)["default"],
            **network_variables(options),
        }
        outranking = ("BEARER_TOKEN", "HEADERS", "MODEL_ID", "WIRE_MODEL", "TRANSPORT")
        unset = tuple(f"COPILOT_PROVIDER_{name}" for name in outranking)
        told = options.skills and options.owner.is_machine
        first = {"COPILOT_SKILLS_DIRS": (self.skill_place(options.owner).directory, ",")} if told else {}
        return Launch(environment, unset=unset, first_directories=first)

    def skill_place(self, owner: Owner) -> SkillPlace:
        return shared_skills(owner)

    prompt_tokens = 3_000

    def prompt_command(self, program: str, prompt: str) -> list[str]:
        # Nothing of a project, no server and no tool: a reply is all that is wanted.
        own = ["--silent", "--no-color", "--no-custom-instructions", "--disable-builtin-mcps", "--available-tools=none"]
        return [program, *own, f"--prompt={prompt}"]


AGENT = Copilot()
