# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a workspace's models is the newest of a family. Pure: names in, a name out.

A name is words and numbers with hyphens between: ``databricks-gemini-3-5-flash`` is version 3.5 of the family ``gemini flash``. Of
models that Databricks itself serves, as endpoints (``databricks-...``) and as model services (``system.ai....``), and of model
services in schemas that the operator names: what others call theirs follows no rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from ..routing import SYSTEM_SCHEMA

_OF_DATABRICKS = "databricks-"
_NUMBER = re.compile(r"[0-9]{1,3}")
"""Longer ones are dates and sizes: they belong to the family, since no version can be told from them."""


class Named(NamedTuple):
    """What a model's name says."""

    family: tuple[str, ...]
    version: tuple[int, ...]


def read(name: str, schemas: Iterable[str] = (SYSTEM_SCHEMA,)) -> Named | None:
    """The family and the version in a name; None where it has none, or is neither Databricks' endpoint nor in one of the schemas."""
    prefixes = (_OF_DATABRICKS, *(f"{schema}." for schema in schemas))
    plain = next((name[len(prefix) :] for prefix in prefixes if name.startswith(prefix)), "")
    words = plain.lower().split("-")
    first = next((at for at, word in enumerate(words) if _NUMBER.fullmatch(word)), None)
    if first is None:
        return None
    end = first
    while end < len(words) and _NUMBER.fullmatch(words[end]):
        end += 1
    return Named((*words[:first], *words[end:]), tuple(map(int, words[first:end])))


def newest(names: Iterable[str], like: str, schemas: Iterable[str] = (SYSTEM_SCHEMA,)) -> str | None:
    """The name with the highest version of the family that ``like``, a model of Databricks, is of; None if there is none."""
    wanted, among = read(like), tuple(schemas)
    known = {name: said for name in names if (said := read(name, among))}
    found = [(said.version, name) for name, said in known.items() if wanted and said.family == wanted.family]
    return max(found)[1] if found else None
