# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dotenv files and shell start files as people and programs write them, for property tests."""

from __future__ import annotations

import random

from hypothesis import strategies as st

NAMES = ("GEMINI_API_KEY", "GEMINI_MODEL", "HOST", "a", "_x", "A.B-c")
_PIECES = (
    "",
    "a",
    "b c",
    "#",
    " # c",
    "'",
    '"',
    "\\",
    "$HOME",
    "${X}",
    "`",
    "=",
    "é",
    "\t",
    "\\n",
    "https://w/x?y=1",
    "dapi0",
)
_COMMENTS = (
    "# a comment",
    "#NAME=commented",
    '  # it\'s "odd"',
    "",
    "  ",
    "\t",
    "UNSET",
    "export UNSET",
    "YAML: style",
)


def _text(chance: random.Random, forbidden: str) -> str:
    text = "".join(chance.choice(_PIECES) for _one in range(chance.randrange(4)))
    return "".join(one for one in text if one not in forbidden)


def value(chance: random.Random) -> str:
    """A value that any spelling may be asked for; it does not end in a backslash, for which some texts have no spelling."""
    text = _text(chance, "") + chance.choice(["", "", "\n", "x\ny", "\r\n"])
    return text.rstrip("\\")


def _spelled(chance: random.Random, end: str) -> str:
    style = chance.choice(["bare", "bare", "'", '"'])
    if style == "bare":
        return _text(chance, "#'\"`\\\t ").strip() + chance.choice(["", "", " ", " # why", "\t#"])
    inside = _text(chance, style + "\\") + chance.choice(["", "", f"\\{style}x", "\\t", end + "next=line" + end])
    return style + inside + style + chance.choice(["", "", " ", " # why", "# close"])


def dotenv(chance: random.Random, size: int) -> bytes:
    end = chance.choice(["\n", "\n", "\n", "\r\n"])
    lines = [chance.choice(_COMMENTS) for _one in range(chance.randrange(2))]
    export = chance.choice(["", "", "export ", "export\t"])
    for name in chance.sample(NAMES, min(chance.randrange(size + 1), len(NAMES))):
        sign = chance.choice(["=", "=", " = ", "= "])
        lines.append(chance.choice(["", "", "  "]) + export + name + sign + _spelled(chance, end))
        lines += [chance.choice(_COMMENTS) for _one in range(chance.choice([0, 0, 1, 2]))]
    text = end.join(lines) + (end if lines and chance.random() < 0.7 else "")
    return (chance.choice(["", "", "", "\ufeff"]) + text).encode()


_COMMANDS = (
    b"alias ll='ls -l'",
    b'export PATH="$HOME/bin:$PATH"',
    b"",
    b"",
    b"# a comment",
    b"if [ -f ~/.bash_aliases ]; then",
    b"\t. ~/.bash_aliases",
    b"fi",
    b"# >>> conda initialize >>>",
    b"# <<< conda initialize <<<",
    b"# >>> other.tool x >>>",
    b"PS1='\xff\xfe\xe9 '",  # Latin-1, as old files have it
    "echo 'ключ \U0001f600'".encode(),
    b"\xef\xbb\xbf",
    b"printf '\x1b[31m'",
)


def shell(chance: random.Random, size: int) -> bytes:
    end = chance.choice([b"\n", b"\n", b"\n", b"\r\n"])
    lines = [chance.choice(_COMMANDS) for _one in range(chance.randrange(3 * size + 1))]
    return end.join(lines) + (end if lines and chance.random() < 0.7 else b"")


def body(chance: random.Random) -> str:
    """What a managed block may hold."""
    lines = [
        chance.choice(['export A="$B"', "", "# x", "é", "  if :; then", "# >>> conda initialize >>>"])
        for _one in range(3)
    ]
    return "\n".join(lines[: chance.randrange(4)])


def _seeded(make: object) -> st.SearchStrategy[bytes]:
    return st.builds(lambda size, seed: make(random.Random(seed), size), st.integers(0, 6), st.integers(0, 2**32))  # type: ignore[operator]


_seeds = st.integers(0, 2**32).map(random.Random)
dotenv_texts = _seeded(dotenv)
dotenv_values = _seeds.map(value)
shell_texts = _seeded(shell)
block_bodies = _seeds.map(body)
