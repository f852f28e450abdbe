# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the relay needs in shell: the command that prints its key, and how a process makes itself one of the relay's clients.

Scripts of sh, because an agent waits for them: where the relay runs they start no other program.
"""

from __future__ import annotations

import os
import shlex

from ..host_program.config import Config
from ..relay.places import Places

_KEY = """\
#!/bin/sh
# Relay of fmapi.coding_agents: sees that it runs, then prints the key that it takes from agents, and nothing else.
# Written by the rollout: edit the inventory, not this file.
umask 077
here={here}
runs() {{
    # What the relay has noted of itself, and whether that process still lives. A later one of the same number started at another time.
    told=
    {{ while read -r line || [ -n "$line" ]; do told=$told$line; done <"$here/running.json"; }} 2>/dev/null
    pid=${{told#*\\"pid\\": }}
    pid=${{pid%%[!0-9]*}}
    started=${{told#*\\"start\\": \\"}}
    started=${{started%%\\"*}}
    [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null || return 1
    [ -d /proc/self ] || return 0
    {{ read -r line <"/proc/$pid/stat"; }} 2>/dev/null || return 1
    set -f
    # shellcheck disable=SC2086 # words are wanted
    set -- ${{line##*) }}
    set +f
    [ "${{1-}}" != Z ] && [ "${{20-}}" = "$started" ]
}}
runs || {front} relay start >/dev/null || exit
{{ read -r key <"$here/key"; }} 2>/dev/null && [ -n "$key" ] || {{
    echo "coding-agents: $here/key cannot be read. Run: coding-agents doctor" >&2
    exit 1
}}
printf '%s\\n' "$key"
"""

_CLIENT = """\
# Counted by the relay for as long as this process lives, which becomes the agent.
clients={here}/clients
if [ -d /proc/self ]; then
    {{ read -r started <"/proc/$$/stat"; }} 2>/dev/null
    set -f
    # shellcheck disable=SC2086 # words are wanted
    started=$(set -- ${{started##*) }} && echo "${{20-}}")
    set +f
else
    started=$(LC_ALL=C /bin/ps -o lstart= -p "$$")
fi
if [ -d "$clients" ] || (umask 077 && mkdir -p "$clients") 2>/dev/null; then
    # Under its name it is complete: the relay takes what it cannot read for one that is gone.
    (umask 077 && printf '{{"pid": %s, "start": "%s"}}' "$$" "$started" >"$clients/$$~") 2>/dev/null &&
        mv -f "$clients/$$~" "$clients/$$-agent"
fi
unset clients started
"""


def key_script(config: Config) -> bytes:
    """The command by which agents get the key."""
    return _KEY.format(here=_directory(config), front=shlex.quote(config.front)).encode()


def client_lines(config: Config) -> str:
    """Lines for a script that becomes an agent."""
    return _CLIENT.format(here=_directory(config))


def _directory(config: Config) -> str:
    """Quoted for sh; a machine's is that of whoever runs it."""
    if config.is_machine:
        return f'"$HOME"/{shlex.quote(os.path.relpath(Places("/").directory, "/"))}'
    return shlex.quote(Places(config.home).directory)
