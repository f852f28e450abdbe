# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variable sets as operators, templates and mistakes make them: the same ones for the same number."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

SECRET = "planted-secret-of-a-generated-set"

NOTHING: list[Any] = [None, "", [], {}, 0, False]
SCALARS: list[Any] = [
    True,
    1,
    -1,
    61,
    15,
    15.5,
    1e400,
    10**30,
    "x",
    "true",
    "no",
    "0",
    "15",
    " 15 ",
    "a b",
    "é",
    "家",
    "a\nb",
    "\0",
]
SCALARS += [
    "\ud800",
    "\x1b[31m",
    "x" * 5000,
    "'; rm -rf /",
    "../..",
    "~",
    "~nobody",
    "$HOME",
    "%s",
    "{x}",
    "[1]",
    "{",
    '{"a": 1}',
]
LISTS: list[Any] = [
    [None],
    [[]],
    [1, 2],
    ["claude_code"],
    ["claude_code", "claude_code"],
    ["clod"],
    ["ada", ""],
    [{"a": 1}],
]
MAPPINGS: list[Any] = [
    {"": ""},
    {"claude_code": None},
    {"claude_code": {}},
    {"opus": "x"},
    {"claude_code": {"opus": "x"}},
    {"claude_code": {"opus": None}},
    {"claude_code": {"opus": ["x"]}},
]
MAPPINGS += [
    {"claude_code": {"opsu": "x"}},
    {"claude_code": {"": {}}},
    {"clod": {"opus": "x"}},
    {"1": 2},
    {"a": {"b": {"c": [1, {"d": None}]}}},
    {"claude_code": {"env": {"A": SECRET}}},
]
MAPPINGS += [
    {"claude_code": {"env": {"ANTHROPIC_MODEL": SECRET}}},
    {"claude_code": {"permissions": {"allow": [1, None, "x"]}}},
]
MAPPINGS += [
    {"claude_code": {"hooks": {"Stop": [{"x": SECRET}]}, "": 1, "a.b": 1.5}},
    {"claude_code": {"permissions": SECRET}},
]
MAPPINGS += [{"claude_code": "2.1.197"}, {"claude_code": 2.1}, {"claude_code": "latest"}, {"claude_code": "2.1.265"}]

RIGHT: dict[str, list[Any]] = {
    "workspace_url": [
        "https://dbc-1.cloud.databricks.com",
        "https://DBC-1.cloud.databricks.com:443/",
        "https://[::1]:8443",
    ],
    "identity": ["user", "service_principal", "workload_identity", "pat"],
    "client_id": ["an-id", 42],
    "client_secret": [SECRET],
    "pat": [SECRET],
    "oidc_token_file": ["/run/token", "~/token"],
    "oidc_token_env": ["TOKEN"],
    "oidc_token_command": [["/bin/token", "a b"], "/bin/token"],
    "agents": [["claude_code"], "claude_code"],
    "models": [
        {},
        {"claude_code": {"opus": "databricks-claude-opus-4-6", "haiku": None}},
        '{"claude_code": {"default": "system.ai.m"}}',
    ],
    "routing": ["gateway", "serving_endpoints", "gateway_host", "auto"],
    "workspace_id": [123, "123"],
    "token_ttl_minutes": [1, 15, "60"],
    "claude_code_settings_location": ["home", "/"],
    "profile": ["fmapi", "a@b.c_"],
    "users": [[], ["ada"], "ada,grace"],
    "claude_code_experimental_betas": [True, "no"],
    "preflight": [True, "false", 0],
    "on_unreadable": ["fail", "backup_and_replace"],
    "cli_versions": [{}, {"claude_code": "2.1.197"}],
    "npm_registry": ["https://npm.example.com/"],
    "mirror": ["https://mirror.example.com/coding-agents"],
    "toolchain_sources": [["vendor"], ["already_present"], "vendor"],
    "pip_index": ["https://pypi.example.com/simple"],
    "extra_settings": [{}, {"claude_code": {"theme": "dark", "env": {"A": SECRET}}}, '{"claude_code": {"x": 1}}'],
}

TYPOS = (
    "modles",
    "settings_location",
    "state",
    "workspaceurl",
    "host",
    "ttl",
    "x",
    "",
    "Models",
    "client_secrets",
    "workspace_url2",
)


def generated(number: int, right: Mapping[str, Sequence[Any]], wild: int) -> dict[str, Any]:
    """The variables of one host, without the prefix.

    :param right: values of each variable that can be used, beside those that stand here.
    :param wild: at most so many get a value that may be anything.
    """
    chance = random.Random(number)
    chosen: dict[str, Any] = {"workspace_url": RIGHT["workspace_url"][0]}
    for name in chance.sample(sorted(right), chance.randint(0, 5)):
        chosen[name] = chance.choice(RIGHT.get(name, right[name]))
    for name in chance.sample(sorted(right), chance.randint(0, wild)):
        chosen[name] = chance.choice(chance.choice((NOTHING, SCALARS, LISTS, MAPPINGS)))
    if wild and chance.random() < 0.05:
        chosen[chance.choice(TYPOS)] = "x"
    return chosen
