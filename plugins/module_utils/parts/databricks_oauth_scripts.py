# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two commands on a host, as scripts: one that agents run for a token, and one for people."""

from __future__ import annotations

import os
import shlex
import sys

from ..engine import files
from ..host_program.config import Config
from ..places import LAUNCHERS, PYTHON_RECORDS
from . import relaying

_HELPER = """\
#!/bin/sh
# Token helper of fmapi.coding_agents: prints a Databricks access token and a newline, nothing else.
# Answers from its cache while the token lives long enough; otherwise the host program asks for a new one.
# Written by the rollout: edit the inventory, not this file.
umask 077
cache={cache}
is_private() {{
    # Also no for a link: only what the program wrote is trusted.
    case $(ls -ld "$cache" 2>/dev/null) in -rw-------*) ;; *) return 1 ;; esac
}}
now=$(date +%s)
since() {{
    # Seconds since something was noted beside the cache. Not read from a pipe, which would hold us up.
    at=0
    [ -f "$cache.$1" ] && {{ {{ read -r at; }} <"$cache.$1"; }} 2>/dev/null
    case $at in "" | *[!0-9]* | 0?* | ?????????????*) at=0 ;; esac # what no sh takes for a number would end this one
    age=$((now - at))
    [ "$age" -ge 0 ] && [ "$age" -le "$2" ]
}}
# Asked again within half a minute, an agent may have had its token refused: then the program has it tried, which counts for 5 s.
if {{ ! since served 29 || since good 5; }} && [ -O "$cache" ] && is_private &&
    {{ {{ read -r serve_until && read -r token; }} <"$cache"; }} 2>/dev/null &&
    [ "$serve_until" -gt "$now" ] 2>/dev/null && [ -n "$token" ]; then
    {{ [ ! -e "$cache.served" ] || [ -f "$cache.served" ]; }} && {{ echo "$now" >"$cache.served"; }} 2>/dev/null
    printf '%s\\n' "$token"
    exit 0
fi
exec {front} token
"""
_FRONT = """\
#!/bin/sh
# fmapi.coding_agents on this host: coding-agents login, status, headers or token (--help says more).
# Written by the rollout: edit the inventory, not this file.
# What agents and people wait for needs no Python.
case ${{1-}}:${{2-}} in
relay:key | relay:session-start | relay:session-end) [ -x {client} ] && exec {client} "$2" ;;
run: | run:.* | run:*/*) ;;
run:*)
    if [ -x {entries}/"$2" ]; then
        entry={entries}/$2
        shift 2
        exec "$entry" "$@"
    fi
    ;;
esac
# The interpreter that the rollout ran on: hosts that share this home have each their own.
{{ read -r python <{record}"$(uname -n)"; }} 2>/dev/null &&
    [ -x "$python" ] && exec "$python" -I -S {program} --config {config} "$@"
# It is gone: pyenv and Homebrew remove old ones. Not each that is found works, and some are too old.
for python in python3 /usr/bin/python3 /usr/local/bin/python3 /opt/homebrew/bin/python3 \\
    python3.14 python3.13 python3.12 python3.11 python3.10 python3.9; do
    command -v "$python" >/dev/null 2>&1 && "$python" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null &&
        exec "$python" -I -S {program} --config {config} "$@"
done
echo "coding-agents: no working python3 found on this host. Install Python 3.9 or newer" >&2
exit 1
"""


def front_script(config: Config) -> bytes:
    """The command for people and login items, the same on each host that has this home."""
    return _FRONT.format(
        client=shlex.quote(os.path.join(config.data_directory, relaying.COMMAND_NAME)),
        entries=shlex.quote(os.path.join(config.data_directory, LAUNCHERS)),
        config=shlex.quote(config.config_file),
        program=shlex.quote(config.program),
        record=shlex.quote(os.path.join(config.data_directory, PYTHON_RECORDS)),
    ).encode()


def python_record(config: Config) -> str:
    """Where the command finds which interpreter the rollout ran on, on this host."""
    return os.path.join(config.data_directory, PYTHON_RECORDS + os.uname().nodename.replace("/", "_"))


def is_python_known(config: Config) -> bool:
    return files.read(python_record(config)).content == f"{sys.executable}\n".encode()


def helper_script(config: Config) -> bytes:
    """The command for agents: the cache first, which needs no Python. The machine's has that of whoever runs it."""
    cache = shlex.quote(config.cache_file)
    if config.is_machine:
        cache = f'"$HOME"/{shlex.quote(os.path.relpath(config.cache_file, config.home))}'
    return _HELPER.format(cache=cache, front=shlex.quote(config.front)).encode()
