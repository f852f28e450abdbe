# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a terminal has shown, as a picture (SVG) that GitHub and Galaxy render: no script, no font of its own.

The text is what a command printed, with its ANSI colours (``ANSIBLE_FORCE_COLOR=1``). A line that begins with ``$ `` is a command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

COLUMNS = 120
_SIZE, _WIDTH, _HEIGHT = 13, 7.83, 18
_LEFT, _TOP, _BAR = 16, 14, 26
_FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_PAPER, _INK, _EDGE = "#12161c", "#d5dae1", "#2b323c"

# By the number that ANSI gives a colour, and with 60 more for a bright one.
_COLOURS = ("#6b7480", "#f0716b", "#7cc47f", "#e2b93d", "#6ea8fe", "#c792ea", "#5cc8d8", "#d5dae1")
_BRIGHT = ("#8b949e", "#ff7b72", "#9be29e", "#f6d365", "#8fc1ff", "#dfb6ff", "#8be9f5", "#ffffff")

_CODE = re.compile(r"\x1b\[([0-9;]*)m")
_OTHER_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-ln-z]|\x1b\][^\x07]*\x07|\r")

Piece = tuple[str, str, bool]
"""A text, its colour (none: that of all), whether it is bold."""


def picture(text: str, title: str) -> str:
    """The SVG. ``title`` is what those are told who cannot see it."""
    lines = [
        line for raw in _OTHER_CODE.sub("", text).rstrip("\n").split("\n") for line in _wrapped(list(_pieces(raw)))
    ]
    width = round(2 * _LEFT + COLUMNS * _WIDTH)
    height = _BAR + 2 * _TOP + len(lines) * _HEIGHT
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="{_PAPER}" stroke="{_EDGE}"/>',
        *(f'<circle cx="{20 + 18 * number}" cy="16" r="5" fill="{_EDGE}"/>' for number in range(3)),
        f'<g font-family="{_FONTS}" font-size="{_SIZE}" fill="{_INK}">',
    ]
    for number, pieces in enumerate(lines):
        if pieces:
            down = _BAR + _TOP + number * _HEIGHT + _SIZE
            drawn.append(f'<text x="{_LEFT}" y="{down}" xml:space="preserve">{"".join(map(_span, pieces))}</text>')
    return "\n".join([*drawn, "</g>", "</svg>", ""])


def _pieces(line: str) -> Iterator[Piece]:
    if line.startswith("$ "):
        yield ("$ ", _COLOURS[2], True)
        yield (line[2:], _BRIGHT[7], True)
        return
    colour, bold, at = "", False, 0
    for code in _CODE.finditer(line):
        if code.start() > at:
            yield (line[at : code.start()], colour, bold)
        at = code.end()
        for number in map(int, (code[1] or "0").split(";")):
            if number == 0:
                colour, bold = "", False
            elif number == 1:
                bold = True
            elif 30 <= number <= 37:
                colour = (_BRIGHT if bold else _COLOURS)[number - 30]
            elif 90 <= number <= 97:
                colour = _BRIGHT[number - 90]
    if at < len(line):
        yield (line[at:], colour, bold)


def _wrapped(pieces: list[Piece]) -> Iterator[list[Piece]]:
    """As a terminal wraps: where the line is full."""
    line: list[Piece] = []
    room = COLUMNS
    for text, colour, bold in pieces:
        rest = text.expandtabs(8)
        while len(rest) > room:
            yield [*line, (rest[:room], colour, bold)] if room else line
            line, rest, room = [], rest[room:], COLUMNS
        line.append((rest, colour, bold))
        room -= len(rest)
    yield line


def _span(piece: Piece) -> str:
    text, colour, bold = piece
    look = f' fill="{colour}"' if colour else ""
    look += ' font-weight="bold"' if bold else ""
    return f"<tspan{look}>{escape(text, quote=False)}</tspan>" if look else escape(text, quote=False)
