# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What agents call of the relay, in sh: they wait for it, and where the relay runs it starts no Python.

One script prints the key and counts sessions; a few lines of the same make a command of ours one of the relay's clients.
"""

from __future__ import annotations

import os
import shlex

from ..host_program.config import Config
from ..relay.places import Places

_FACTS = """\
facts() {{
    # Of a process: its name, its parent, and when it started, by which it is told from a later one of the same number.
    name='' parent='' started=''
    if [ -d /proc/self ]; then
        {{ read -r line <"/proc/$1/stat"; }} 2>/dev/null || return 1
        name=${{line#*\\(}}
        name=${{name%)*}}
        set -f
        # shellcheck disable=SC2086 # words are wanted
        set -- ${{line##*) }}
        set +f
        parent=${{2-}} started=${{20-}}
        [ "${{1-}}" != Z ]
    else
        name=$(/bin/ps -o comm= -p "$1") || return 1
        name=${{name##*/}} parent=$(($(/bin/ps -o ppid= -p "$1")))
        started=$(LC_ALL=C /bin/ps -o lstart= -p "$1")
        started=${{started%"${{started##*[! ]}}"}}
    fi
}}
count() {{
    # As a client of the relay, for as long as that process lives. Complete before it has its name, so that nobody reads half of it.
    facts "$1" || return 0
    [ -d "$here/clients" ] || (umask 077 && mkdir -p "$here/clients") 2>/dev/null || return 0
    (umask 077 && printf '{{"pid": %s, "start": "%s"}}' "$1" "$started" >"$here/clients/$1~") 2>/dev/null &&
        mv -f "$here/clients/$1~" "$here/clients/$1-agent"
}}
"""

_COMMAND = """\
#!/bin/sh
# Relay of fmapi.coding_agents, as agents call it: sees that it runs, and prints the key that it takes from them and nothing else;
# with session-start and session-end, counts the agent that has called it as the relay's client, and never fails.
# Written by the rollout: edit the inventory, not this file.
umask 077
here={here}
{facts}runs() {{
    # What the relay has noted of itself, and whether that process lives still.
    told=
    {{ while read -r line || [ -n "$line" ]; do told=$told$line; done <"$here/running.json"; }} 2>/dev/null
    pid=${{told#*\\"pid\\": }}
    pid=${{pid%%[!0-9]*}}
    [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null || return 1
    [ -d /proc/self ] || return 0
    told=${{told#*\\"start\\": \\"}}
    facts "$pid" && [ "$started" = "${{told%%\\"*}}" ]
}}
agent() {{
    # Who has called: not the shell that may be between the two.
    caller=$PPID
    while facts "$caller"; do
        case $name in sh | dash | bash | zsh | ash | busybox) caller=$parent ;; *) break ;; esac
    done
}}
case ${{1-}} in
session-start)
    agent
    count "$caller"
    runs || {front} relay start </dev/null >/dev/null 2>&1 &
    exit 0
    ;;
session-end)
    agent
    rm -f "$here/clients/$caller-agent"
    exit 0
    ;;
esac
runs || {front} relay start >/dev/null || exit
{{ read -r key <"$here/key"; }} 2>/dev/null && [ -n "$key" ] || {{
    echo "coding-agents: $here/key cannot be read. Run: coding-agents doctor" >&2
    exit 1
}}
printf '%s\\n' "$key"
"""

_CLIENT = """\
# This process becomes the agent.
(
    here={here}
{facts}    count "$$"
)
"""


def command_script(config: Config) -> bytes:
    """The command by which agents get the key, and tell of their sessions."""
    return _COMMAND.format(here=_directory(config), facts=_FACTS.format(), front=shlex.quote(config.front)).encode()


def client_lines(config: Config) -> str:
    """Lines for a script that becomes an agent."""
    facts = "".join(f"    {line}" for line in _FACTS.format().splitlines(keepends=True))
    return _CLIENT.format(here=_directory(config), facts=facts)


def _directory(config: Config) -> str:
    """Quoted for sh; a machine's is that of whoever runs it."""
    if config.is_machine:
        return f'"$HOME"/{shlex.quote(os.path.relpath(Places("/").directory, "/"))}'
    return shlex.quote(Places(config.home).directory)
