# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which values keep Codex from starting: it reads its file strictly, and says nothing but the key.

Measured with 0.169.0, each key with twelve values (``codex mcp list`` reads the whole file).
Keys that it does not know it passes over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .shapes import NUMBER, TEXT, TRUTH, Either, Needs, integer, one_of

_TRUTHS = """
    allow_login_shell disable_paste_burst experimental_use_unified_exec_tool hide_agent_reasoning include_apps_instructions
    include_collaboration_mode_instructions include_environment_context include_permissions_instructions
    show_raw_agent_reasoning suppress_unstable_features_warning
"""
_TEXTS = """
    chatgpt_base_url compact_prompt default_permissions developer_instructions experimental_compact_prompt_file
    experimental_realtime_ws_base_url instructions js_repl_node_path log_dir mcp_oauth_callback_url model_catalog_json
    model_instructions_file model_reasoning_effort openai_base_url oss_provider plan_mode_reasoning_effort review_model
    service_tier sqlite_home
"""
_NUMBERS = "background_terminal_max_timeout mcp_oauth_callback_port project_doc_max_bytes tool_output_token_limit"
_LISTS_OF_TEXTS = "notify project_doc_fallback_filenames project_root_markers"
_OBJECTS = "audio auto_review desktop ghost_snapshot marketplaces orchestrator permissions realtime tool_suggest"

_STORES = ("file", "keyring", "auto")
_EXPORTER = Either((one_of("none", "statsig"), {}))
_NATURAL = integer(0)

SETTINGS: Mapping[str, Any] = {
    **dict.fromkeys(_TRUTHS.split(), TRUTH),
    **dict.fromkeys(_TEXTS.split(), TEXT),
    **dict.fromkeys(_NUMBERS.split(), _NATURAL),
    **{key: [TEXT] for key in _LISTS_OF_TEXTS.split()},
    **{key: {} for key in _OBJECTS.split()},
    "agents": {
        **dict.fromkeys(("max_threads", "job_max_runtime_seconds"), _NATURAL),
        "max_depth": integer(),
        "interrupt_message": TRUTH,
        "*": {},
    },
    "apps": {"*": {}},
    "approval_policy": Either((one_of("untrusted", "on-failure", "on-request", "never"), {"granular": {}})),
    "approvals_reviewer": one_of("user", "auto_review", "guardian_subagent"),
    "cli_auth_credentials_store": one_of(*_STORES, "ephemeral"),
    "features": {"*": Either((TRUTH, {}))},
    "file_opener": one_of("vscode", "vscode-insiders", "windsurf", "cursor", "none"),
    "forced_chatgpt_workspace_id": Either((TEXT, [TEXT])),
    "forced_login_method": one_of("chatgpt", "api"),
    "history": {"persistence": one_of("save-all", "none"), "max_bytes": _NATURAL},
    "hooks": {"PreToolUse": [{}], "Stop": [{}]},
    "mcp_oauth_credentials_store": one_of(*_STORES),
    "mcp_servers": {
        "*": {
            **{key: [TEXT] for key in ("args", "enabled_tools", "disabled_tools")},
            **dict.fromkeys(("enabled", "required"), TRUTH),
            **dict.fromkeys(("startup_timeout_sec", "tool_timeout_sec"), NUMBER),
            "cwd": TEXT,
            "env": {"*": TEXT},
        }
    },
    "memories": {"generate_memories": TRUTH, "use_memories": TRUTH},
    "model_auto_compact_token_limit": integer(),
    "model_auto_compact_token_limit_scope": one_of("total", "body_after_prefix"),
    "model_context_window": integer(),
    "model_providers": {
        "*": Needs(
            ("name",),
            {
                "name": TEXT,
                "base_url": TEXT,
                "http_headers": {"*": TEXT},
                "request_max_retries": _NATURAL,
                "stream_idle_timeout_ms": _NATURAL,
            },
        )
    },
    "model_reasoning_summary": one_of("auto", "concise", "detailed", "none"),
    "model_verbosity": one_of("low", "medium", "high"),
    "notice": {"hide_full_access_warning": TRUTH},
    "otel": {
        "environment": TEXT,
        "log_user_prompt": TRUTH,
        **dict.fromkeys(("exporter", "trace_exporter", "metrics_exporter"), _EXPORTER),
    },
    "personality": one_of("none", "friendly", "pragmatic"),
    "plugins": {"*": {"enabled": TRUTH}},
    "profiles": {"*": {}},
    "projects": {"*": {"trust_level": one_of("trusted", "untrusted")}},
    "sandbox_mode": one_of("read-only", "workspace-write", "danger-full-access"),
    "sandbox_workspace_write": {
        "writable_roots": [TEXT],
        **dict.fromkeys(("network_access", "exclude_tmpdir_env_var", "exclude_slash_tmp"), TRUTH),
    },
    "shell_environment_policy": {
        "inherit": one_of("core", "all", "none"),
        **dict.fromkeys(("ignore_default_excludes", "experimental_use_profile"), TRUTH),
        "exclude": [TEXT],
        "include_only": [TEXT],
        "set": {"*": TEXT},
    },
    "skills": {"config": [{}], "bundled": {}, "include_instructions": TRUTH},
    "tools": {"web_search": Either((TRUTH, {}))},
    "tui": {
        "notifications": Either((TRUTH, [TEXT])),
        "notification_method": one_of("auto", "osc9", "osc777", "bel"),
        "alternate_screen": one_of("auto", "always", "never"),
        "theme": TEXT,
        **{key: [TEXT] for key in ("status_line", "terminal_title")},
        **dict.fromkeys(("animations", "show_tooltips", "vim_mode_default", "raw_output_mode"), TRUTH),
    },
    "windows": {"sandbox": one_of("elevated", "unelevated", "mxc")},
}
