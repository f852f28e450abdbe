# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which values make Claude Code drop a person's whole settings file, with our token helper and workspace in it.

Measured with 2.1.197 and 2.1.331, each key with sixteen values: what one of them drops the file for is written down. Not here are keys
whose wrong values both pass over (``theme``, ``effortLevel``, ``hooks`` and others), and keys that neither knows: those are harmless.
``null`` is no way to leave a key out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .shapes import ANYTHING, NUMBER, TEXT, TRUTH, Either, Needs, between, matching, one_of, whole

TESTED = "2.1.331"

_TRUTHS = """
    allowAllClaudeAiMcps allowClaudeInChromeWithManagedMcp allowManagedHooksOnly allowManagedMcpServersOnly
    allowManagedPermissionRulesOnly allowNestedModelAccessUnderForceLogin alwaysThinkingEnabled agentPushNotifEnabled
    autoCompactEnabled autoContinueAtUsageLimit autoDreamEnabled autoMemoryEnabled autoScrollEnabled autoUploadSessions
    awaySummaryEnabled bashEditDiffEnabled channelsEnabled clawdFileProgressEnabled disableAgentView disableAllHooks
    disableArtifact disableBundledSkills disableClaudeAiConnectors disableCommandPluginSources disableRemoteControl
    disableReplyCheck disableSideloadFlags disableSkillShellExecution disableWindowsBashCommandSplit disableWorkflows
    doneMeansMerged emojiCompletionEnabled enableAllProjectMcpServers enableArtifact enableWorkflows
    enforceAvailableModels fastMode fastModePerSessionOptIn fileCheckpointingEnabled forceRemoteSettingsRefresh
    idleCompaction includeCoAuthoredBy includeGitInstructions inputNeededNotifEnabled isolatePeerMachines
    precomputeCompactionEnabled prefersReducedMotion promptSuggestionEnabled remoteControlAtStartup respectGitignore
    respondToBashCommands responseComparisonEnabled showClearContextOnPlanAccept showMessageTimestamps
    showThinkingSummaries showTurnDuration skipDangerousModePermissionPrompt skipWebFetchPreflight
    skipWorkflowUsageWarning spinnerTipsEnabled switchModelsOnFlag syncClaudeAiPlugins syncClaudeAiSkills
    syntaxHighlightingDisabled terminalProgressBarEnabled terminalTitleFromRename todoFeatureEnabled
    totalTokensReminderAfterUserTurn verbose wheelScrollAccelerationEnabled workflowKeywordTriggerEnabled
    wslInheritsWindowsSettings
"""
_TEXTS = """
    $schema advisorModel agent apiKeyHelper attributionProject autoMemoryDirectory awsAuthRefresh awsCredentialExport
    claudeMd downloadsMirrorUrl gcpAuthRefresh language minimumVersion model modelCatalogPublicKey modelCatalogUrl
    otelHeadersHelper outputStyle plansDirectory pluginTrustMessage prUrlTemplate processWrapper proxyAuthHelper
    requiredMaximumVersion requiredMinimumVersion timeFormat timeZone
"""
_LISTS_OF_TEXTS = """
    allowedHttpHookUrls availableModels claudeMdExcludes companyAnnouncements disabledMcpjsonServers
    enabledMcpjsonServers fallbackModel httpHookAllowedEnvVars pluginSuggestionMarketplaces
"""

_COMMAND = Needs(("type", "command"), {"type": one_of("command"), "command": TEXT})
_TIME = matching('a time such as "22:00"', lambda text: bool(re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", text)))
_RULES = [ANYTHING]  # a rule that is none is passed over

SETTINGS: Mapping[str, Any] = {
    **dict.fromkeys(_TRUTHS.split(), TRUTH),
    **dict.fromkeys(_TEXTS.split(), TEXT),
    **{key: [TEXT] for key in _LISTS_OF_TEXTS.split()},
    "allowedChannelPlugins": [Needs(("marketplace", "plugin"), {"marketplace": TEXT, "plugin": TEXT})],
    "attribution": {"commit": TEXT, "pr": TEXT, "sessionUrl": TRUTH},
    "autoUpdatesChannel": one_of("latest", "stable", "rc"),
    "blockedMarketplaces": [{}],
    "breakReminder": {
        "enabled": TRUTH,
        "intervalMinutes": whole(1),
        "breakThresholdMinutes": whole(1),
        "message": TEXT,
    },
    "cleanupPeriodDays": whole(1),
    "daemonColdStart": one_of("transient", "ask"),
    "defaultShell": one_of("bash", "powershell"),
    "desktopSessionCleanupPeriodDays": whole(0),
    "disableAutoMode": one_of("disable"),
    "enabledPlugins": {"*": Either((TRUTH, [TEXT]))},
    "env": {"*": ANYTHING},
    "feedbackDrafts": one_of("notify", "quiet", "off"),
    "feedbackSurveyRate": between(0, 1),
    "fileSuggestion": _COMMAND,
    "forceLoginOrgUUID": Either((TEXT, [TEXT])),
    "modelOverrides": {"*": TEXT},
    "parentSettingsBehavior": one_of("first-wins", "merge"),
    "managedSourcesBehavior": one_of("first-wins", "merge"),
    "permissions": {
        "allow": _RULES,
        "ask": _RULES,
        "deny": _RULES,
        "additionalDirectories": [TEXT],
        "defaultMode": one_of("default", "acceptEdits", "plan", "bypassPermissions", "dontAsk", "auto"),
        "disableBypassPermissionsMode": one_of("disable"),
    },
    "pluginConfigs": {"*": {"mcpServers": {"*": {}}, "options": {}}},
    "quietHours": {"enabled": TRUTH, "start": _TIME, "end": _TIME},
    "remote": {"defaultEnvironmentId": TEXT},
    "remoteTools": {"allowUnattendedServing": TRUTH},
    "sandbox": {
        **dict.fromkeys(
            (
                "enabled",
                "failIfUnavailable",
                "autoAllowBashIfSandboxed",
                "allowUnsandboxedCommands",
                "enableWeakerNestedSandbox",
                "enableWeakerNetworkIsolation",
                "allowAppleEvents",
                "allowNestedUserNamespaces",
            ),
            TRUTH,
        ),
        "network": {
            **{key: [TEXT] for key in ("allowedDomains", "deniedDomains", "allowUnixSockets", "allowMachLookup")},
            **dict.fromkeys(("allowManagedDomainsOnly", "allowAllUnixSockets", "allowLocalBinding"), TRUTH),
            **dict.fromkeys(("httpProxyPort", "socksProxyPort"), NUMBER),
        },
        "filesystem": {
            **{key: [TEXT] for key in ("allowWrite", "denyWrite", "denyRead", "allowRead")},
            "allowManagedReadPathsOnly": TRUTH,
        },
        "ignoreViolations": {"*": [TEXT]},
        "excludedCommands": [TEXT],
        "ripgrep": Needs(("command",), {"command": TEXT, "args": [TEXT]}),
    },
    "skillListingBudgetFraction": between(0, 1, without_least=True),
    "skillListingMaxDescChars": whole(1),
    "skillOverrides": {"*": one_of("on", "name-only", "user-invocable-only", "off")},
    "spinnerTipsOverride": Needs(("tips",), {"excludeDefault": TRUTH, "tips": [TEXT]}),
    "spinnerVerbs": Needs(("mode", "verbs"), {"mode": one_of("append", "replace"), "verbs": [TEXT]}),
    "sshConfigs": [
        Needs(
            ("id", "name", "sshHost"),
            {
                **dict.fromkeys(("id", "name", "sshHost", "sshIdentityFile", "startDirectory"), TEXT),
                "sshPort": NUMBER,
            },
        )
    ],
    "statusLine": Needs(
        ("type", "command"),
        {"type": one_of("command"), "command": TEXT, "padding": NUMBER, "hideVimModeIndicator": TRUTH},
    ),
    "strictKnownMarketplaces": [{}],
    "subagentStatusLine": _COMMAND,
    "totalTokensReminder": one_of("off", "infinite", "fixed", "countdown", "padded-countdown"),
    "totalTokensReminderBudget": whole(1),
    "tui": one_of("default", "fullscreen"),
    "voice": {"enabled": TRUTH, "mode": one_of("hold", "tap"), "autoSubmit": TRUTH},
    "workflowSizeGuideline": one_of("unrestricted", "small", "medium", "large"),
    "worktree": {
        "symlinkDirectories": [TEXT],
        "sparsePaths": [TEXT],
        "baseRef": one_of("fresh", "head"),
    },
}
