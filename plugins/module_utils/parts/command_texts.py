# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What shells and ``man`` read about the command ``coding-agents``. A test compares it with the command itself.

Shells ask the command what could come next, so that it is what is there now: agents, stores, verbs.
"""

from __future__ import annotations

COMPLETIONS = {
    "bash": """\
# Written by fmapi.coding_agents.
_coding_agents() {
    local IFS=$'\\n'
    COMPREPLY=($(coding-agents complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _coding_agents coding-agents
""",
    "zsh": """\
#compdef coding-agents
# Written by fmapi.coding_agents.
_coding_agents() {
    local -a found
    found=(${(f)"$(coding-agents complete "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    (( ${#found} )) && compadd -a found || _files
}
# zsh runs this file when it completes for the first time; a person may source it, too.
if [ "${funcstack[1]}" = _coding-agents ]; then
    _coding_agents "$@"
else
    compdef _coding_agents coding-agents
fi
""",
    "fish": """\
# Written by fmapi.coding_agents.
complete -c coding-agents -f -a '(coding-agents complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
""",
}

MANUAL = r""".TH CODING-AGENTS 1
.SH NAME
coding-agents \- coding agents that use the models of a Databricks workspace
.SH SYNOPSIS
.B coding-agents
.I VERB
[\fIOPTIONS\fR]
.SH VERBS
.TP
.BR status " [" \-\-json "] [" \-v ]
Say what is set up, who is signed in, and what differs. Asks nobody.
.TP
.BR show " [" \-\-json ]
Print the configuration in force: URLs, models, whether there is a token. Asks nobody.
.TP
.BR doctor " [" \-\-json "] [" \-\-prompt ]
Check each part, with the way out where something is wrong. With \fB\-\-prompt\fR, each agent answers a short prompt, too.
.TP
.BR models " [" \-\-json "] [" \-\-validate ]
List the models that the workspace serves, marking those in use. With \fB\-\-validate\fR, only those, and whether they are ready.
.TP
.BR login ", " logout
Sign this person in, in a browser; end the sign-in, and forget the tokens.
.TP
.BR repair " [" \-\-check ]
Bring back what was rolled out, where it was changed or is gone.
.TP
.BI run " AGENT " \fR[\fIARGUMENTS\fR]
Start an agent with what it needs. All arguments go to the agent.
.TP
.BR "relay start" ", " "relay stop"
Start the relay, which passes on to the workspace what agents ask; have it end, once what runs through it has ended.
.TP
.B relay run
Start it, print PROXY_URL, and keep it until interrupted, or until nobody asks it anything: for what only knows a base URL.
.TP
.BR "relay status" " [" \-\-json ]
Say whether it runs, and for whom.
.TP
.B relay key
Print the key that it takes from agents.
.TP
.BR "relay session\-start" ", " "relay session\-end"
What an agent calls as a session begins and ends.
.TP
.B mcp web
Serve web search and pages to an agent that starts this (Model Context Protocol, on standard input and output).
.TP
.BR uninstall " " \-\-user " [" \-\-check "] [" \-\-yes ]
Give back this person's files as they were found.
.TP
.BR token ", " headers
Print an access token, or the header that has it: what agents call.
.TP
.B version
Print which version is installed.
.TP
.BI completions " SHELL"
Print what makes bash, zsh or fish complete this command.
.SH EXIT STATUS
.TP
.B 0
Done, or all is in order.
.TP
.B 1
Something failed, or differs from what was rolled out.
.TP
.B 2
Somebody has to sign in: coding-agents login.
.TP
.B 64
The command was not understood.
"""
