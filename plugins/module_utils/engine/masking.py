# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diff shows of somebody's file: our own values, other people's names, and no value of theirs that is not plainly harmless.

What is a secret cannot be told from a value or its name: there are passwords in URLs, in header lists, in comments, in commands. So
nothing is looked for. A value is shown because it is ours, or because it is ``true``, ``null``, a short number, or a word that stands
in many people's files; all else is hidden, and so is each line that is not understood.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any, FrozenSet, Tuple  # noqa: UP035

from .documents import FORMATS, DocumentError, KeyPath, LibraryNeeded

MASK = "********"
CHANGED = MASK + " (value changed)"

Ours = FrozenSet[Tuple[str, str]]  # noqa: UP006
"""What may be shown: the last name of a key of ours, and its value as JSON text."""

_SECRET_NAME = re.compile(
    r"token|secret|password|passwd|passphrase|passcode|credential|authorization|cookie|(?<![a-z])keys?(?![a-z])|_key|key_|apikey"
    r"|(?<![a-z])(?:pin|otp|pwd|auth)(?![a-z])|(?-i:[a-z](?:Keys?|Pin|Otp|Pwd|Auth)(?![a-z]))",
    re.IGNORECASE,
)
_HARMLESS_NAMES = frozenset(
    (
        "apiKeyHelper",
        "auth_type",
        "CLAUDE_CODE_API_KEY_HELPER_TTL_MS",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
        "MAX_THINKING_TOKENS",
        "oidc_token_env",
        "oidc_token_file",
        "oidc_token_filepath",
        "token_audience",
        "token_ttl_minutes",
    )
)
_HARMLESS_VALUES: dict[str, frozenset[str]] = {
    "theme": frozenset(("dark", "light", "auto", "dark-ansi", "light-ansi", "dark-daltonized", "light-daltonized")),
    "model": frozenset(("default", "opus", "sonnet", "haiku", "opusplan", "best")),
    "editorMode": frozenset(("normal", "vim", "emacs")),
    "defaultMode": frozenset(("default", "acceptEdits", "plan", "auto", "dontAsk", "bypassPermissions")),
    "type": frozenset(("command", "http", "stdio", "sse", "local", "remote")),
    "auth_type": frozenset(("pat", "oauth-m2m", "databricks-cli", "file-oidc", "env-oidc", "azure-cli")),
}
"""Words that say the same in everybody's file, by the name of their key."""

_JWT = r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"
_PAT = r"(?:dapi|dose|dkea)[0-9a-f]{16,}(?:-\d+)?"
_SHAPES = re.compile(
    rf"{_JWT}|{_PAT}|(?<=Bearer )[A-Za-z0-9._~+/=-]{{8,}}|\b(?:sk|ghp|gho|xox[abp]|AKIA)[-_A-Za-z0-9]{{12,}}"
)
_SECRET_DIGITS = 6
"""A number of fewer digits is no secret: a port, a limit."""

_STRING = r'"(?:[^"\\\n]|\\.)*"'
# Every string is one match, closed or not: so none is looked for inside another, in time without end.
_TOKEN = re.compile(rf"{_STRING}?|[\[\]{{}},]|[^\s\[\]{{}},:\"]+")
_IS_NAME = re.compile(r"\s*:")
_PLAIN_NAME = re.compile(r"[A-Za-z_$][\w.$-]{0,63}")
_RANDOM_NAME = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9+/=_-]{32,}")
_PUNCTUATION = re.compile(r"[\s\[\]{},]*")
# Of lines: a name in letters of both cases may be the end of something in base64, which has an equals sign, too.
_LINE_NAME = r"[a-z][a-z0-9_.-]{0,40}|[A-Z][A-Z0-9_]{0,40}"
_SECTION = re.compile(r"(?P<start>[ \t]*)\[(?P<name>[^\]\r\n]*)\](?P<rest>.*)")
_KEY = re.compile(
    r"(?P<indent>[ \t]*)(?P<name>[^=:\s#;\[](?:[^=:]*[^=: \t])?)(?P<sign>[ \t]*[=:][ \t]*)(?P<value>(?:.*[^ \t])?)(?P<end>[ \t]*)"
)
_VARIABLE = re.compile(
    r"(?P<start>[ \t]*(?:export[ \t]+)?(?P<name>[\w.-]+)[ \t]*=[ \t]*)"
    r"(?P<value>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s\"'][^\r\n]*|(?=[\r\n]|\Z))(?P<rest>[^\r\n]*)",
    re.DOTALL,
)
_OPEN_QUOTE = re.compile(r"[^\r\n=]*=[ \t]*[\"']")
_BLOCK = re.compile(
    r"(?ms)^(?P<begin>[ \t]*# >>> fmapi\.coding_agents (?P<name>[\w.-]+) >>>(?: \(no line end before\))?[ \t]*\r?\n)"
    r"(?P<body>.*?)(?P<end>^[ \t]*# <<< fmapi\.coding_agents (?P=name) <<<[ \t]*$)"
)
_LINE = re.compile(r"[^\r\n]+")
# Between names and values, in which no text of anybody stands.
_REMARK = re.compile(r"#[^\r\n]*")
_REMARK_JSONC = re.compile(r"//[^\r\n]*|/\*.*?\*/", re.DOTALL)
_BETWEEN = re.compile(r"[\s\ufeff\[\]{},:=.?-]*")
_DEEPEST = 1000
_LONGEST_LINE = 1 << 12
"""A longer one is hidden as a whole, where lines are looked at: nobody reads it in a diff."""

# Of a text that is ours as a whole.
_MEMBER = re.compile(rf"(?P<name>{_STRING}?)(?:\s*:\s*(?P<value>{_STRING}))?")
_ASSIGNMENT = re.compile(
    r"(?m)^[^\S\n]*(?:export[ \t]+)?(?P<name>[A-Za-z0-9_.-]+)(?P<sign>[ \t]*[=:][ \t]*)(?P<value>[^\s][^\r\n]*)"
)


def is_databricks_token(value: Any) -> bool:
    """A personal access token (``dapi...``) or an OAuth token that a workspace issued (a JWT whose issuer ends in ``/oidc``)."""
    if not isinstance(value, str):
        return False
    if re.fullmatch(_PAT, value):
        return True
    parts = value.split(".")
    if len(parts) != 3:
        return False
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return str(claims["iss"]).rstrip("/").endswith("/oidc")
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def masked_pair(kind: str, before: str, after: str, ours: Ours = frozenset(), whole: bool = True) -> tuple[str, str]:
    """Two texts of one file, of the format ``kind``, for a diff. What differs between them shows as changed, not as the same.

    Without ``whole`` they are parts of files, from the beginning of a line to the end of one, in which nothing can be parsed.
    """
    masker = _Masker(kind, ours, whole)
    shown = masker.text(before)
    masker.is_first = False
    return _as_changed((before, after), (shown, masker.text(after)))


def masked_wholes(before: str, after: str, is_ours: tuple[bool, bool]) -> tuple[str, str]:
    """The same for a file that is ours as a whole before, after, or both: our own text but for secrets, and nothing of another's."""
    shown = [_own_text(text) if ours else hidden(text) for text, ours in zip((before, after), is_ours)]
    return _as_changed((before, after), (shown[0], shown[1]))


def hidden(text: str) -> str:
    """A text of which nothing but the number of its lines is to be known."""
    return _LINE.sub(lambda line: line[0] if _PUNCTUATION.fullmatch(line[0]) else MASK, text)


def _as_changed(texts: tuple[str, str], shown: tuple[str, str]) -> tuple[str, str]:
    """Two texts that differ do not look the same."""
    if texts[0] == texts[1] or shown[0] != shown[1]:
        return shown
    at = shown[1].find(MASK)
    return shown[0], shown[1][:at] + CHANGED + shown[1][at + len(MASK) :] if at >= 0 else f"{shown[1]}{CHANGED}\n"


class _Masker:
    """One file's texts, the one before and then the one after."""

    def __init__(self, kind: str, ours: Ours, whole: bool) -> None:
        self.kind = kind
        self.ours = ours
        self.whole = whole
        self.is_first = True
        self._known: dict[tuple[str, ...], set[str]] = {}
        """What was hidden in the first text, by key."""
        self._text: Callable[[str], str] = {
            "json": self._json,
            "jsonc": self._spans,
            "toml": self._spans,
            "yaml": self._spans,
            "ini": self._ini,
            "dotenv": self._dotenv,
            "block": self._blocks,
        }.get(kind, hidden)

    def text(self, text: str) -> str:
        return _SHAPES.sub(MASK, self._text(text))

    def _value(self, path: tuple[str, ...], raw: str, value: Any) -> str:
        """What stands for a value: itself, or a mask. ``raw`` is how it is spelled."""
        name = path[-1] if path else ""
        if not _is_secret(name) and (name, _json_text(value)) in self.ours:
            return raw
        if value is None or isinstance(value, bool) or value in ("", "true", "false"):
            return raw
        if not any(map(_is_secret, path)):
            is_number = isinstance(value, (int, float)) or (
                isinstance(value, str) and value.isascii() and value.isdigit()
            )
            if is_number and sum(one.isdigit() for one in raw) < _SECRET_DIGITS and len(raw) < 2 * _SECRET_DIGITS:
                return raw
            if isinstance(value, str) and value in _HARMLESS_VALUES.get(name, ()):
                return raw
        return self._mask(path, raw)

    def _is_own_name(self, name: str) -> bool:
        return any(name == own for own, _value in self.ours)

    def _mask(self, path: tuple[str, ...], raw: str) -> str:
        if self.is_first:
            self._known.setdefault(path, set()).add(raw)
            return MASK
        return CHANGED if path in self._known and raw not in self._known[path] else MASK

    # -- formats ---------------------------------------------------------------------------------------------------

    def _json(self, text: str) -> str:
        if self.whole:
            try:
                json.loads(text[1:] if text.startswith("\ufeff") else text)
            except (ValueError, RecursionError):
                return hidden(text)
        shown, end = [], 0
        above: list[str] = []
        """Names of the containers that are open; a list's elements have its name."""
        name = ""
        for token in _TOKEN.finditer(text):
            shown.append(_between(text[end : token.start()]))
            one, end = token[0], token.end()
            if len(above) > _DEEPEST:
                return "".join((*shown, hidden(text[token.start() :])))
            if one in "{[":
                above.append(name)
                name = name if one == "[" else ""
            elif one in "}]":
                name = above.pop() if above else ""
            elif one == ",":
                pass
            elif one[0] == '"' and _IS_NAME.match(text, end):
                name = _decoded(one)
                one = one if self._shows_name(name, above) else f'"{MASK}"'
            else:
                value = _decoded(one)
                path = tuple(part for part in (*above, name) if part)
                masked = self._value(path, one, value)
                one = masked if masked is one or one[0] != '"' else f'"{masked}"'
            shown.append(one)
        return "".join((*shown, _between(text[end:])))

    def _shows_name(self, name: str, above: list[str]) -> bool:
        return _is_plain(name) and not any(map(_is_secret, above))

    def _spans(self, text: str) -> str:
        """Names and values where the document finds them; between those, punctuation, and comments of which nothing is shown."""
        try:
            spans = list(FORMATS[self.kind](text.encode()).spans()) if self.whole else None
        except (DocumentError, LibraryNeeded, RecursionError):
            spans = None
        if spans is None:
            return hidden(text)
        shown, end = [], 0
        path: KeyPath = ()
        for one in spans:
            shown.append(self._remarks(text[end : one.start], path))
            raw, path = text[one.start : one.end], one.path
            if one.is_name:
                names = [name for name in path if isinstance(name, str)]
                is_shown = isinstance(one.value, str) and self._shows_name(one.value, names[:-1])
                shown.append(raw if is_shown else _in_quotes(raw, MASK))
            else:
                masked = self._value(tuple(part for part in path if part), raw, one.value)
                lines = "".join(f"\n{MASK}" for _line in range(raw.count("\n")))
                shown.append(raw if masked is raw else f"{_in_quotes(raw, masked) if not lines else masked}{lines}")
            end = one.end
        return "".join((*shown, self._remarks(text[end:], path)))

    def _remarks(self, text: str, path: tuple[str, ...]) -> str:
        """What stands between values: each comment is hidden, and so is a line with anything else that is no punctuation."""

        def remark(match: re.Match[str]) -> str:
            lines = "".join(f"\n{MASK}" for _line in range(match[0].count("\n")))
            return f"{match[0][0] if match[0][0] == '#' else '//'} {self._mask((*path, '#'), match[0])}{lines}"

        comment = _REMARK_JSONC if self.kind == "jsonc" else _REMARK
        without = comment.sub("", text)
        return comment.sub(remark, text) if _BETWEEN.fullmatch(without) else hidden(text)

    def _ini(self, text: str) -> str:
        """Line by line; one that is deeper than its key continues the key's value."""
        if not self.whole:
            return hidden(text)
        section, depth = "", -1
        shown = []
        for line in text.split("\n"):
            bom = "\ufeff" if line.startswith("\ufeff") else ""
            body = line[len(bom) :].rstrip("\r")
            end, indent = line[len(bom) + len(body) :], len(body) - len(body.lstrip(" \t"))
            short = body if len(body) <= _LONGEST_LINE else ""
            header, key = _SECTION.fullmatch(short), _KEY.fullmatch(short)
            if header:
                section, depth = header["name"].strip(), -1
                rest = f" {self._mask((section, ']'), header['rest'])}" if header["rest"].strip() else ""
                body = f"{header['start']}[{section if _is_plain(section.replace(' ', '_')) else MASK}]{rest}"
            elif body.strip()[:1] in ("#", ";"):
                body = f"{body[: indent + 1]} {self._mask((section, '#'), body)}"
            elif body.strip() and 0 <= depth < indent:
                body = body[:indent] + self._mask((section, "..."), body)
            elif key and (self._is_own_name(key["name"]) or re.fullmatch(_LINE_NAME, key["name"])):
                depth = indent
                body = body[: key.start("value")] + self._value((section, key["name"]), key["value"], key["value"])
            elif body.strip():
                depth = indent
                body = body[:indent] + self._mask((section, ""), body)
            shown.append(bom + body + end)
        return "\n".join(shown)

    def _dotenv(self, text: str) -> str:
        shown, at = [], 0
        while self.whole and at < len(text):
            entry = _VARIABLE.match(text, at)
            line = text.find("\n", at) + 1 or len(text)
            if entry:
                rest = f" {MASK}" if entry["rest"].strip() else ""
                is_name = re.fullmatch(_LINE_NAME, entry["name"]) and _is_plain(entry["name"])
                name = entry["start"] if is_name or self._is_own_name(entry["name"]) else f"{MASK}="
                shown += [name, self._variable(entry["name"], entry["value"]), rest]
                line = text.find("\n", entry.end()) + 1 or len(text)
                shown.append(text[entry.end() : line])
            elif _OPEN_QUOTE.match(text, at):
                break  # all that follows may be inside it
            else:
                shown.append(hidden(text[at:line]))
            at = line
        return "".join((*shown, hidden(text[at:])))

    def _variable(self, name: str, raw: str) -> str:
        """A value with its quotes. One that is not ours, or has more than one line, keeps the number of its lines."""
        if raw[:1] in ("'", '"'):
            inside = raw[1:-1]
            shown = self._value((name,), inside, _unescaped(inside, raw[0]))
            return raw if shown is inside else shown + "\n".join([""] + [MASK] * inside.count("\n"))
        bare = re.split(r"\s#", raw, maxsplit=1)[0].rstrip()
        shown = self._value((name,), bare, bare)
        return shown if bare == raw else f"{shown} {MASK}"

    def _blocks(self, text: str) -> str:
        """Of a shell's file nothing but our own blocks."""
        shown, end = [], 0
        for block in _BLOCK.finditer(text):
            body = block["body"].replace("\r\n", "\n")
            value = body[:-1] if body.endswith("\n") else body
            is_ours = (block["name"], _json_text(value)) in self.ours
            shown += [hidden(text[end : block.start()]), block["begin"]]
            shown += [block["body"] if is_ours else hidden(block["body"]), block["end"]]
            end = block.end()
        return "".join((*shown, hidden(text[end:])))


def _in_quotes(raw: str, masked: str) -> str:
    """A mask in the quotes of what it hides."""
    quote = raw[0] if raw and raw[0] in "\"'" and raw[-1] == raw[0] and not raw.startswith(raw[0] * 3) else ""
    return f"{quote}{masked}{quote}"


def _is_secret(name: str) -> bool:
    return name not in _HARMLESS_NAMES and bool(_SECRET_NAME.search(name))


def _is_plain(name: str) -> bool:
    """Whether it is a name as keys have them, and not something that was put in the place of one."""
    return bool(_PLAIN_NAME.fullmatch(name)) and not _RANDOM_NAME.fullmatch(name) and not _SHAPES.search(name)


def _between(text: str) -> str:
    """What stands between tokens is space and colons, or of a part that was cut out of a file, something that nobody knows."""
    return text if not text.strip(" \t\r\n:\ufeff") else hidden(text)


def _decoded(token: str) -> Any:
    try:
        return json.loads(token, strict=False)
    except (ValueError, RecursionError):
        return token


def _json_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _unescaped(text: str, quote: str) -> str:
    escapes = {"n": "\n", "r": "\r", "t": "\t"} if quote == '"' else {}
    return re.sub(r"\\(.)", lambda match: escapes.get(match[1], match[1]), text, flags=re.DOTALL)


def _own_text(text: str) -> str:
    """Our own text: known secrets are hidden by the name of their key, or by their shape."""

    def shown(name: str, value: str) -> str:
        return MASK if _is_secret(name) and value not in ("", "true", "false") and not value.isdigit() else value

    def member(match: re.Match[str]) -> str:
        if match["value"] is None:
            return match[0]
        start = match.start("value") - match.start()
        return f'{match[0][:start]}"{shown(match["name"][1:-1], match["value"][1:-1])}"'

    def assignment(match: re.Match[str]) -> str:
        return match[0][: match.start("value") - match.start()] + shown(match["name"], match["value"])

    return _SHAPES.sub(MASK, _ASSIGNMENT.sub(assignment, _MEMBER.sub(member, text)))
