# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the host program, its sh front and the token helper from the sources that the module brought along.

A module arrives on the host with the source of every module_util that it imports; the program is packed from those. So nothing
extra travels, and the look can tell from the same sources whether the program on the host is the current one.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import shlex
import zipfile
from typing import TYPE_CHECKING

from ..module_utils.host_program import config

if TYPE_CHECKING:
    # Ansible carries what is imported anywhere in the text. Here they are only read, and the look does without their imports.
    from ..module_utils import errors, processes  # noqa: F401
    from ..module_utils.engine.documents import base, ini_document  # noqa: F401
    from ..module_utils.host_program import (  # noqa: F401
        browser,
        log,
        login,
        machine_to_machine,
        main,
        oidc_source,
        profile,
        session,
        status,
        token,
        token_cache,
        token_exchange,
        user_sign_in,
        workspace,
    )

_PACKAGE = "coding_agents"
_SOURCES = (
    "errors",
    "processes",
    "documents.base",
    "documents.ini_document",
    "host_program.browser",
    "host_program.config",
    "host_program.log",
    "host_program.login",
    "host_program.machine_to_machine",
    "host_program.main",
    "host_program.oidc_source",
    "host_program.profile",
    "host_program.session",
    "host_program.status",
    "host_program.token",
    "host_program.token_cache",
    "host_program.token_exchange",
    "host_program.user_sign_in",
    "host_program.workspace",
)
"""No package's own ``__init__``: that of the documents would bring every format along."""

_MAIN = f"import sys\nfrom {_PACKAGE}.host_program.main import main\nsys.exit(main())\n"

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
served=0
{{ {{ read -r served; }} <"$cache.served"; }} 2>/dev/null
case $served in "" | *[!0-9]*) served=0 ;; esac
age=$((now - served))
# Asked again within half a minute, an agent may have had its token refused: then the program has it tried.
if {{ [ "$age" -ge 30 ] || [ "$age" -lt 0 ]; }} && [ -O "$cache" ] && is_private &&
    {{ {{ read -r serve_until && read -r token; }} <"$cache"; }} 2>/dev/null &&
    [ "$serve_until" -gt "$now" ] 2>/dev/null && [ -n "$token" ]; then
    {{ echo "$now" >"$cache.served"; }} 2>/dev/null
    printf '%s\\n' "$token"
    exit 0
fi
exec {front} token
"""

_FRONT = """\
#!/bin/sh
# fmapi.coding_agents on this host: coding-agents login, status, headers or token (--help says more).
# Written by the rollout: edit the inventory, not this file.
[ -x {python} ] && exec {python} -I -S {program} --config {config} "$@"
# The interpreter that the rollout ran on is gone: pyenv and Homebrew remove old ones. Not each that is found works.
for python in python3 /usr/bin/python3 /usr/local/bin/python3 /opt/homebrew/bin/python3; do
    command -v "$python" >/dev/null 2>&1 && "$python" -I -S -c '' 2>/dev/null &&
        exec "$python" -I -S {program} --config {config} "$@"
done
echo "coding-agents: no working python3 found on this host. Install Python 3.9 or newer" >&2
exit 1
"""


@functools.lru_cache(maxsize=1)
def program() -> bytes:
    """The zipapp: the same bytes for the same sources on every host (nothing is compressed, times are fixed)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, source in sorted(_files()):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), source)
    return b"#!/usr/bin/env python3\n" + buffer.getvalue()


def front(settings: config.Config, python: str) -> bytes:
    """The command for people and login items; ``python`` is the interpreter that the rollout ran on."""
    return _FRONT.format(
        config=shlex.quote(settings.config_file),
        program=shlex.quote(settings.program),
        python=shlex.quote(python),
    ).encode()


def helper(settings: config.Config) -> bytes:
    """The command for agents: the cache first, which needs no Python."""
    return _HELPER.format(cache=shlex.quote(settings.cache_file), front=shlex.quote(settings.front)).encode()


def _files() -> list[tuple[str, bytes]]:
    files = [
        ("__main__.py", _MAIN.encode()),
        (f"{_PACKAGE}/__init__.py", b""),
        (f"{_PACKAGE}/documents/__init__.py", b""),
        (f"{_PACKAGE}/host_program/__init__.py", b""),
    ]
    for name in _SOURCES:
        files.append((f"{_PACKAGE}/{name.replace('.', '/')}.py", _source(name)))
    return files


def _source(name: str) -> bytes:
    """The text of a module_util, wherever Ansible (or a test) has put it."""
    full_name = f"{__name__.rpartition('.host_program.')[0]}.{name}"
    spec = importlib.util.find_spec(full_name)
    source = spec.loader.get_source(full_name) if spec and spec.loader else None  # type: ignore[attr-defined]
    if source is None:
        raise RuntimeError(f"the source of {full_name} is not at hand")
    return source.encode()
