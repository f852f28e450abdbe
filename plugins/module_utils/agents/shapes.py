# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of what shape an agent wants its settings: agents drop a whole file for one value of another shape. Pure.

A shape is a :class:`Kind` of a single value, a list with the shape of all members (``[TEXT]``), or an object: a dictionary of the
shapes of its keys, in which ``"*"`` is for all keys that are not named. What a shape does not name is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Callable, NamedTuple

from ..engine.documents import KeyPath

_SAFE = 2**53
"""Whole numbers from here on are none in JavaScript."""


class Kind(NamedTuple):
    """A single value. ``title`` completes "must be"."""

    title: str
    fits: Callable[[Any], bool]


class Needs(NamedTuple):
    """An object that is of no use without some of its keys."""

    keys: tuple[str, ...]
    shape: Mapping[str, Any]


class Either(NamedTuple):
    """One of several shapes."""

    shapes: tuple[Any, ...]


class Misfit(NamedTuple):
    """A value of another shape than its key wants."""

    path: KeyPath
    found: str
    wanted: str

    def __str__(self) -> str:
        return f"{'.'.join(self.path)} is {self.found}, and must be {self.wanted}"


def misfits(value: Any, shape: Any, path: KeyPath = ()) -> Iterator[Misfit]:
    """All values below ``value`` that are not of the shape. A misfit never holds a value: any may be a secret."""
    if isinstance(shape, Either):
        found = [list(misfits(value, one, path)) for one in shape.shapes]
        if all(found):
            # What is an object or a list of the right kind is told in detail.
            yield from next((one for one in found if one[0].path != path), [Misfit(path, said(value), wanted(shape))])
    elif isinstance(shape, Kind):
        if not shape.fits(value):
            yield Misfit(path, said(value), shape.title)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield Misfit(path, said(value), wanted(shape))
            return
        for number, one in enumerate(value):
            yield from misfits(one, shape[0], (*path, str(number)))
    else:
        yield from _members(value, shape, path)


def _members(value: Any, shape: Any, path: KeyPath) -> Iterator[Misfit]:
    known = shape.shape if isinstance(shape, Needs) else shape
    if not isinstance(value, Mapping):
        yield Misfit(path, said(value), wanted(shape))
        return
    if isinstance(shape, Needs):
        for key in shape.keys:
            if key not in value:
                yield Misfit((*path, key), "missing", wanted(known[key]))
    for key, one in value.items():
        if key in known or "*" in known:
            yield from misfits(one, known.get(key, known.get("*")), (*path, str(key)))


def said(value: Any) -> str:
    """What a value is, without what it holds: a number is harmless, and is told."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return f"the number {value}" if abs(value) < _SAFE else "an immense number"
    if isinstance(value, str):
        return "a text"
    return "an object" if isinstance(value, Mapping) else "a list"


def wanted(shape: Any) -> str:
    """A shape in words."""
    if isinstance(shape, Kind):
        return shape.title
    if isinstance(shape, Either):
        return " or ".join(wanted(one) for one in shape.shapes)
    if isinstance(shape, list):
        return "a list" if not isinstance(shape[0], Kind) else f"a list, each member {shape[0].title}"
    return "an object"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    # In this order: not every whole number fits into a float.
    return _is_number(value) and abs(value) < _SAFE and float(value).is_integer()


TEXT = Kind("a text", lambda value: isinstance(value, str))
TRUTH = Kind("true or false, without quotes", lambda value: isinstance(value, bool))
NUMBER = Kind("a number", _is_number)
ANYTHING = Kind("anything", lambda value: True)


def whole(least: int) -> Kind:
    return Kind(f"a whole number from {least}, without quotes", lambda value: _is_whole(value) and value >= least)


def integer(least: int = -_SAFE) -> Kind:
    """A whole number of a format that tells it from ``1.0``."""
    title = "a whole number, without quotes" if least == -_SAFE else f"a whole number from {least}, without quotes"
    return Kind(title, lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value < _SAFE)


def between(least: float, most: float, without_least: bool = False) -> Kind:
    """A number in a range; ``without_least``: more than the least."""
    title = f"a number from {least} to {most}, without quotes"
    return Kind(
        title, lambda value: _is_number(value) and least <= value <= most and not (without_least and value == least)
    )


def one_of(*words: str) -> Kind:
    return Kind(f"one of {', '.join(words)}", lambda value: isinstance(value, str) and value in words)


def matching(title: str, fits: Callable[[str], bool]) -> Kind:
    """A text with a form of its own."""
    return Kind(title, lambda value: isinstance(value, str) and fits(value))


def section(shape: Mapping[str, Any]) -> Either:
    """An object that its agent leaves out where something else stands in its place."""
    return Either((shape, Kind("anything but an object", lambda value: not isinstance(value, Mapping))))


def or_null(shape: Any) -> Either:
    return Either((shape, Kind("null", lambda value: value is None)))
