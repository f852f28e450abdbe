# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""``~/.databrickscfg`` as go-ini reads and writes it ("What it does to ``~/.databrickscfg``" in README.md).

The whole file is written anew: ``=`` aligned in each section, one blank line after each, comments above what they belong to.
"""

from __future__ import annotations

import os

SETTINGS = "__settings__"
DEFAULT = "DEFAULT"
_DEFAULT_COMMENT = (
    "; The profile defined in the DEFAULT section is to be used as a fallback when no profile is explicitly specified."
)
#: A sign-in takes the place of other credentials of the profile.
_OTHER_CREDENTIALS = ("token", "username", "password", "client_id", "client_secret")


class Entry:
    """A key's value and the comment lines above it."""

    __slots__ = ("comment", "value")

    def __init__(self, value: str, comment: list[str] | None = None) -> None:
        self.value = value
        self.comment = comment or []


class Section:
    __slots__ = ("comment", "entries")

    def __init__(self, comment: list[str] | None = None) -> None:
        self.comment = comment or []
        self.entries: dict[str, Entry] = {}

    def get(self, key: str) -> str:
        entry = self.entries.get(key)
        return entry.value if entry else ""

    def set(self, key: str, value: str) -> None:
        if key in self.entries:
            self.entries[key].value = value
        else:
            self.entries[key] = Entry(value)


class ConfigFile:
    """The configuration file of this call, ``DATABRICKS_CONFIG_FILE`` or the one in the home. It may not exist."""

    def __init__(self) -> None:
        self.path = os.environ.get("DATABRICKS_CONFIG_FILE") or os.path.expanduser("~/.databrickscfg")
        self.sections: dict[str, Section] = {DEFAULT: Section()}
        self._before: str | None = None
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8", newline="") as stream:
                self._before = stream.read()
            self._parse(self._before)

    def _parse(self, text: str) -> None:
        section, comment = self.sections[DEFAULT], list[str]()
        for raw in text.splitlines():
            line = raw.strip()
            if not line:
                continue
            if line[0] in "#;":
                comment.append(line)
            elif line[0] == "[" and "]" in line:
                name = line[1 : line.index("]")]
                section = self.sections.setdefault(name, Section())
                section.comment += comment
                comment = []
            else:
                cuts = [line.index(mark) for mark in "=:" if mark in line]
                cut = min(cuts, default=len(line))
                value, inline = _split_value(line[cut + 1 :].strip())
                # An inline comment moves to the line above.
                section.entries[line[:cut].strip()] = Entry(value, comment + inline)
                comment = []

    def render(self) -> str:
        lines: list[str] = []
        for name, section in self.sections.items():
            comment = section.comment or ([_DEFAULT_COMMENT] if name == DEFAULT else [])
            lines += [*comment, f"[{name}]"]
            width = max(map(len, section.entries), default=0)
            for key, entry in section.entries.items():
                lines += [*entry.comment, f"{key:<{width}} = {_quoted(entry.value)}".rstrip()]
            lines.append("")
        return "\n".join(lines) + "\n"

    def save(self) -> None:
        """Write it, 0600, through a link if it is one; what stood there goes to ``.bak``."""
        if self._before is not None:
            _write(self.path + ".bak", self._before)
        self._before = self.render()
        _write(self.path, self._before)

    # -- profiles ---------------------------------------------------------------------------------------------------

    def profiles(self) -> dict[str, Section]:
        """Every profile; ``__settings__`` is none, nor is an empty DEFAULT."""
        return {
            name: section
            for name, section in self.sections.items()
            if name != SETTINGS and (name != DEFAULT or section.entries)
        }

    def setting(self, key: str) -> str:
        return self.sections[SETTINGS].get(key) if SETTINGS in self.sections else ""

    def set_setting(self, key: str, value: str) -> None:
        self.sections.setdefault(SETTINGS, Section()).set(key, value)

    def default_profile(self) -> str:
        """The profile that is meant when none is named: the chosen one, else the only one, else DEFAULT."""
        profiles = self.profiles()
        chosen = self.setting("default_profile")
        if chosen in profiles:
            return chosen
        if len(profiles) == 1:
            return next(iter(profiles))
        return DEFAULT if DEFAULT in profiles else ""

    def with_host(self, host: str) -> list[str]:
        return [name for name, section in self.profiles().items() if canonical_host(section.get("host")) == host]

    def save_profile(self, name: str, values: dict[str, str]) -> None:
        """Write a profile, as one of several times that a sign-in writes the file."""
        if not [other for other in self.profiles() if other != name]:
            self.set_setting("default_profile", name)
        section = self.sections.setdefault(name, Section())
        for key in _OTHER_CREDENTIALS:
            section.entries.pop(key, None)
        for key, value in values.items():
            if value:
                section.set(key, value)
        self.save()


def canonical_host(host: str) -> str:
    """``scheme://name[:port]``, https when no scheme is given; empty for nothing."""
    if not host:
        return ""
    scheme, mark, rest = host.partition("://")
    if not mark:
        scheme, rest = "https", host
    return f"{scheme}://{rest.split('/')[0].split('?')[0]}"


def _split_value(value: str) -> tuple[str, list[str]]:
    """A value without its quotes, and its inline comment."""
    for quote in ('"""', "`", '"', "'"):
        end = value.find(quote, len(quote))
        if value.startswith(quote) and end > 0:
            return value[len(quote) : end], []
    marks = [value.index(mark) for mark in "#;" if mark in value]
    if not marks:
        return value, []
    return value[: min(marks)].strip(), [value[min(marks) :]]


def _quoted(value: str) -> str:
    if "\n" in value or "`" in value:
        return f'"""{value}"""'
    if "#" in value or ";" in value:
        return f"`{value}`"
    return f'"{value}"' if value != value.strip() else value


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8", newline="") as stream:
        os.fchmod(descriptor, 0o600)
        stream.write(text)
