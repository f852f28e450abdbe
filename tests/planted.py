# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Search for planted secrets in files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.workspace.client import Workspace


def _files(directory: Path) -> Iterator[Path]:
    for parent, _directories, names in os.walk(directory):
        yield from (path for path in (Path(parent, name) for name in names) if path.is_file() and not path.is_symlink())


def holding(directory: Path, secrets: Iterable[str]) -> set[str]:
    """Files below ``directory`` that hold one of ``secrets``, relative to it."""
    wanted = [secret.encode() for secret in secrets]
    found = set()
    for path in _files(directory):
        content = path.read_bytes()
        if any(secret in content for secret in wanted):
            found.add(str(path.relative_to(directory)))
    return found


def token_mark(workspace: Workspace) -> str:
    """What every access token of this workspace's service principal begins with: header and subject."""
    token = workspace.mint("service_principal")
    return token[: token.index(".") + 1 + 40]
