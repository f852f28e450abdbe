# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML, edited in place: ``~/.hermes/config.yaml``. One document, whose top is a mapping.

PyYAML says where everything stands; the text is edited by these places, and never written anew. After each edit it is read again:
where anything else than the wanted key has changed, the edit is refused. On the way to a key of ours stand block mappings only: an
anchor, an alias, a tag, a merge key (``<<``) or braces there are refused, and are nobody's business elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Callable, List, NamedTuple, NoReturn, Tuple  # noqa: UP035

from . import libraries
from .base import BOM, MISSING, Document, DocumentError, KeyPath, Opaque, Span, WrongContainer
from .brackets import Bracketed, appended, dropped
from .json_document import same

_TAG = "tag:yaml.org,2002:"
_SCALAR, _MAPPING, _SEQUENCE, _ALIAS = "scalar", "mapping", "sequence", "alias"
_KINDS = {_MAPPING: "a mapping", _SEQUENCE: "a list", _ALIAS: "an alias", _SCALAR: "a value"}
_INT, _FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)"), re.compile(r"[-+]?[0-9]+\.[0-9]*(?:[eE][-+][0-9]+)?")
_WORDS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@+-]*")
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_COMMENT = re.compile(r"#[^\r\n]*")
_REST_OF_LINE = re.compile(r"[^\n]*\n?")

_Edit = Tuple[int, int, str]  # noqa: UP006


class _Node(NamedTuple):
    """``start`` and ``end`` are those of its text, an anchor and a tag included, and no line end, no comment behind it."""

    kind: str
    start: int
    end: int
    is_block: bool
    mark: str
    """Why it is not to be edited: "an anchor", "a tag", "an alias"; empty for most."""
    tag: str
    value: str
    children: List[Any]  # noqa: UP006
    """Of a mapping: pairs of nodes."""


class YamlDocument(Document):
    """Block mappings and lists can be edited. A key with nothing behind it is a place where members can be put."""

    format = "yaml"
    library = libraries.YAML

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._known: tuple[str, _Node | None] | None = None
        if self._root is not None:
            self._require(self._root, _MAPPING, ())

    def is_blank(self) -> bool:
        return not self.text.strip(BOM + " \t\r\n")

    def get(self, path: KeyPath) -> Any:
        if not path:
            return {} if self._root is None else _value(self._root, self.text)
        pair = self._find(path)
        return MISSING if pair is None else _value(pair[1], self.text)

    def is_empty_container(self, path: KeyPath) -> bool:
        return self.get(path) in ({}, [])

    def set(self, path: KeyPath, value: Any) -> None:
        pair = self._find(path)
        if pair is None:
            self._checked(path, value, lambda: self._add(path, value))
        elif not same(_value(pair[1], self.text), value):
            key, old = pair[0], pair[1]
            self._refuse_marked(old, path)
            style = self.text[old.start] if old.kind == _SCALAR and old.start < old.end else ""
            text = self._rendered(value, self._column(key.start), path, style)
            self._checked(path, value, lambda: self._replace(key, old, text))

    def spelled(self, path: KeyPath) -> str | None:
        """The text of a value; of one that goes over several lines, behind the key's own indentation."""
        pair = self._find(path)
        if pair is None:
            return None
        key, old = pair[0], pair[1]
        column = self._column(key.start)
        text = self.text[self._behind_colon(key, old) : old.end]
        try:
            if text == self._rendered(_value(old, self.text), column, path, ""):
                return None
        except DocumentError:
            pass
        lines = text.split("\n")
        return "\n".join([lines[0], *(one[column:] if not one[:column].strip() else one for one in lines[1:])])

    def set_spelled(self, path: KeyPath, text: str) -> None:
        """As it was spelled; where that would say something else here (a comment may be taken for its end), as :meth:`set` does it."""
        if self.spelled(path) == text:
            return
        space = "" if text[:1] in ("", "\r", "\n") else " "
        wanted = YamlDocument(f"v:{space}{text}\n".encode()).get(("v",))
        if self._find(path) is None:
            self.set(path, None)
        pair = self._find(path)
        if pair is None:
            raise AssertionError("it was set above")
        key, old = pair[0], pair[1]
        shifted = re.sub(r"\n(?=[^\r\n])", "\n" + " " * self._column(key.start), text)
        # With the comments that stood between the two, it has them.
        start = self._colon(key) if not space else self._behind_colon(key, old)
        edit = (start, max(old.end, start), f" {shifted}" if space and start == self._colon(key) else shifted)
        try:
            self._checked(path, wanted, lambda: self._splice(*edit))
        except DocumentError:
            self.set(path, wanted)

    def remove(self, path: KeyPath) -> None:
        pair = self._find(path)
        if pair is None:
            return
        self._refuse_marked(pair[1], path)
        parent = self._container(path[:-1])
        if parent is None:
            return
        if not parent.is_block:
            self._refuse("is written in braces, which are not edited here", parent.start, path)
        if len(parent.children) > 1 or len(path) == 1:
            edit = self._lines_of(pair[0], pair[1], path)
        else:
            above = self._find(path[:-1])
            if above is None:
                raise AssertionError("only the top has nothing above it")
            edit = self._replacement(*above, "{}")
        self._checked(path, MISSING, lambda: self._splice(*edit))

    def add_element(self, path: KeyPath, element: Any) -> None:
        pair = self._find(path)
        if pair is None or _is_nothing(pair[1]):
            self.set(path, [element])
            return
        key, old = pair[0], pair[1]
        self._require(old, _SEQUENCE, path)
        current = _value(old, self.text)
        if any(same(element, one) for one in current):
            return
        self._refuse_marked(old, path)
        if old.is_block:
            self._dash(old.children[-1], path)
            text = f"{' ' * self._column(old.start)}- {_flow(element, path)}{self._line_end}"
            edit = self._new_lines(self._line_behind(old.end), text)
        elif not old.children:
            edit = self._replacement(key, old, self._rendered([element], self._column(key.start), path, ""))
        else:
            edit = appended(self._brackets(old), _flow(element, path), " ", ("", ""), ("", ""))
        self._checked(path, [*current, element], lambda: self._splice(*edit))

    def remove_element(self, path: KeyPath, element: Any) -> None:
        pair = self._find(path)
        if pair is None:
            return
        self._require(pair[1], _SEQUENCE, path)
        while True:
            pair = self._find(path)
            current = _value(pair[1], self.text) if pair else []
            number = next((at for at, one in enumerate(current) if same(element, one)), -1)
            if pair is None or number < 0:
                return
            key, old = pair[0], pair[1]
            self._refuse_marked(old, path)
            if not old.is_block:
                edit = dropped(self._brackets(old), number)
            elif len(current) == 1:
                edit = self._replacement(key, old, "[]")
            else:
                item = old.children[number]
                edit = (self._line_start(self._dash(item, path)), self._line_behind(item.end), "")
            rest = [*current[:number], *current[number + 1 :]]
            self._checked(path, rest, self._splicing(edit))

    def spans(self) -> Iterator[Span]:
        if self._root is not None:
            yield from self._spans(self._root, ())

    # -- finding ---------------------------------------------------------------------------------------------------

    @property
    def _root(self) -> _Node | None:
        if self._known is None or self._known[0] is not self.text:
            is_text = bool(_COMMENT.sub("", self.text).strip(BOM + " \t\r\n"))
            self._known = self.text, _Reader(self).read() if is_text else None
        return self._known[1]

    def _find(self, path: KeyPath) -> tuple[_Node, _Node] | None:
        """The key and its value."""
        above = self._container(path[:-1])
        if above is None:
            return None
        return self._member(above, path)

    def _container(self, path: KeyPath) -> _Node | None:
        """The mapping at a path; None where there is none, or nothing in its place."""
        here = self._root
        for depth in range(1, len(path) + 1):
            pair = self._member(here, path[:depth]) if here is not None else None
            if pair is None or _is_nothing(pair[1]):
                return None
            here = pair[1]
            self._refuse_marked(here, path[:depth])
            self._require(here, _MAPPING, path[:depth])
        return here

    def _member(self, mapping: _Node, path: KeyPath) -> tuple[_Node, _Node] | None:
        found = []
        for key, value in mapping.children:
            if key.kind == _SCALAR and key.tag == f"{_TAG}merge":
                self._refuse("has keys from elsewhere (<<), and is not edited here", key.start, path)
            if key.kind == _SCALAR and key.tag == f"{_TAG}str" and key.value == path[-1]:
                found.append((key, value))
        if len(found) > 1:
            self._refuse("stands twice in the same mapping", found[1][0].start, path)
        return found[0] if found else None

    def _require(self, node: _Node, kind: str, path: KeyPath) -> None:
        if node.kind != kind:
            what = f"holds {_KINDS[node.kind]} where {_KINDS[kind]} must stand"
            raise WrongContainer(what, *self._line_column(node.start), path=path)

    def _refuse_marked(self, node: _Node, path: KeyPath) -> None:
        if node.mark:
            self._refuse(f"has {node.mark}, and is not edited here", node.start, path)

    def _refuse(self, what: str, at: int, path: KeyPath) -> NoReturn:
        raise DocumentError(what, *self._line_column(at), path=path)

    # -- editing ---------------------------------------------------------------------------------------------------

    def _checked(self, path: KeyPath, wanted: Any, edit: Callable[[], None]) -> None:
        """Edit; where anything else than the value at ``path`` is another afterwards, put the text back and refuse."""
        text, edits, before = self.text, len(self.undo), _bare(self._root, path)
        edit()
        try:
            after, found = _bare(self._root, path), self.get(path)
        except DocumentError:
            after, found = None, MISSING
        fits = found is not MISSING and same(found, wanted) if wanted is not MISSING else found is MISSING
        if not fits or after != before:
            self.text = text
            del self.undo[edits:]
            pair = self._find(path)
            at = pair[0].start if pair else 0
            self._refuse("is written in a way that cannot be edited here", at, path)

    def _splicing(self, edit: _Edit) -> Callable[[], None]:
        return lambda: self._splice(*edit)

    def _add(self, path: KeyPath, value: Any) -> None:
        depth = next(depth for depth in range(len(path) - 1, -1, -1) if not depth or self._find(path[:depth]))
        for missing in reversed(path[depth + 1 :]):
            value = {missing: value}
        mapping = self._container(path[:depth])
        if mapping is not None and mapping.children:
            if not mapping.is_block:
                self._refuse("is written in braces, which are not edited here", mapping.start, path[:depth])
            first, last = mapping.children[0][0], mapping.children[-1][1]
            column = self._column(first.start)
            lines = " " * column + self._member_text(path[depth], value, column, path) + self._line_end
            self._splice(*self._new_lines(self._line_behind(max(last.end, mapping.children[-1][0].end)), lines))
        elif depth == 0:
            lines = self._member_text(path[0], value, 0, path)
            if mapping is not None:
                self._splice(mapping.start, mapping.end, lines)
            else:
                self._splice(*self._new_lines(len(self.text), lines + self._line_end))
        else:
            pair = self._find(path[:depth])
            if pair is None:
                raise AssertionError("the way to here was found above")
            self._refuse_marked(pair[1], path[:depth])
            self._replace(*pair, self._rendered({path[depth]: value}, self._column(pair[0].start), path, ""))

    def _replace(self, key: _Node, old: _Node, text: str) -> None:
        self._splice(*self._replacement(key, old, text))

    def _replacement(self, key: _Node, old: _Node, text: str) -> _Edit:
        """A value by another text, which stands below its key if it begins with a line end. Comments between the two stay."""
        colon, is_below = self._colon(key), text[0] in "\r\n"
        if not is_below and not self._stands_below(old):
            return old.start, old.end, text
        remarks = self.text[colon : old.start].rstrip() if self._stands_below(old) else ""
        return colon, max(old.end, colon), f"{remarks}{text}" if is_below else f" {text}{remarks}"

    def _behind_colon(self, key: _Node, old: _Node) -> int:
        """Where a value's text begins: behind the colon where it goes over lines of its own."""
        return self._colon(key) if self._stands_below(old) else old.start

    @staticmethod
    def _stands_below(node: _Node) -> bool:
        return (node.kind in (_MAPPING, _SEQUENCE) and node.is_block) or node.start >= node.end

    def _colon(self, key: _Node) -> int:
        """Behind the colon of a key."""
        return self.text.index(":", key.end) + 1

    def _lines_of(self, key: _Node, value: _Node, path: KeyPath) -> _Edit:
        if self.text[self._line_start(key.start) : key.start].strip(BOM + " "):
            self._refuse("shares its line with something else, and is not edited here", key.start, path)
        return self._line_start(key.start), self._line_behind(max(value.end, self._colon(key))), ""

    def _dash(self, item: _Node, path: KeyPath) -> int:
        """Where the dash of a list's element is, which stands first on its line."""
        start = self._line_start(item.start)
        if not re.fullmatch(r" *- *", self.text[start : item.start]):
            self._refuse("is a list that is not edited here", item.start, path)
        return self.text.index("-", start)

    def _brackets(self, node: _Node) -> Bracketed:
        items = [(one.start, one.end) for one in node.children]
        code, at = self.text[: node.start], node.start
        for start, end in (*items, (node.end, node.end)):
            code += _COMMENT.sub(lambda match: " " * len(match[0]), self.text[at:start]) + self.text[start:end]
            at = end
        return Bracketed(self.text, code + self.text[node.end :], node.start, node.end - 1, items)

    def _new_lines(self, at: int, lines: str) -> _Edit:
        if at and self.text[at - 1] != "\n" and self.text[:at] != BOM:
            lines = self._line_end + lines
        return at, at, lines

    def _line_start(self, at: int) -> int:
        start = self.text.rfind("\n", 0, at) + 1
        return len(BOM) if start == 0 and self.text.startswith(BOM) else start

    def _line_behind(self, at: int) -> int:
        match = _REST_OF_LINE.match(self.text, at)
        return match.end() if match else len(self.text)

    def _column(self, at: int) -> int:
        return at - self._line_start(at)

    @property
    def _step(self) -> int:
        """By how much the file indents."""
        for key, value in self._root.children if self._root is not None else ():
            if value.kind == _MAPPING and value.is_block and value.children:
                return max(self._column(value.children[0][0].start) - self._column(key.start), 1)
        return 2

    def _member_text(self, key: str, value: Any, column: int, path: KeyPath) -> str:
        text = self._rendered(value, column, path, "")
        return f"{_text(key, path, '')}:{'' if text[0] in chr(10) + chr(13) else ' '}{text}"

    def _rendered(self, value: Any, column: int, path: KeyPath, style: str) -> str:
        """A value behind a key at ``column``. Objects and lists stand on lines of their own, what is in a list on one each."""
        if isinstance(value, dict) and value:
            column += self._step
            start = self._line_end + " " * column
            return "".join(start + self._member_text(key, one, column, path) for key, one in value.items())
        if isinstance(value, list) and value:
            start = self._line_end + " " * (column + self._step) + "- "
            return "".join(start + _flow(one, path) for one in value)
        return _flow(value, path, style)

    def _spans(self, node: _Node, path: KeyPath) -> Iterator[Span]:
        if node.kind == _MAPPING:
            for key, value in node.children:
                name = key.value if key.kind == _SCALAR else ""
                yield Span(key.start, key.end, (*path, name), name if key.kind == _SCALAR else None, is_name=True)
                yield from self._spans(value, (*path, name))
        elif node.kind == _SEQUENCE:
            for one in node.children:
                yield from self._spans(one, path)
        elif node.start < node.end:
            value = Opaque(node.value) if node.mark else _value(node, self.text)
            yield Span(node.start, node.end, path, value)


class _Reader:
    """Nodes of a text from PyYAML's events."""

    def __init__(self, document: YamlDocument) -> None:
        self.text = document.text
        self._line_column = document._line_column

    def read(self) -> _Node | None:
        """The top of the one document. Raises DocumentError and LibraryNeeded."""
        error = libraries.module(libraries.YAML, "error")
        reader = libraries.module(libraries.YAML, "reader")
        try:
            return self._document()
        except error.MarkedYAMLError as problem:
            mark = problem.problem_mark or problem.context_mark
            where = self._line_column(mark.index) if mark else ()
            raise DocumentError(f"is not valid YAML ({problem.problem or problem.context})", *where) from None
        except reader.ReaderError as problem:
            raise DocumentError("holds a character that YAML forbids", *self._line_column(problem.position)) from None
        except RecursionError:
            raise DocumentError("is nested too deeply to be read") from None

    def _document(self) -> _Node | None:
        self._events = _parser()(self.text)
        self._events.get_event()
        if self._is("StreamEnd"):
            return None
        self._events.get_event()
        self._anchors: set[str] = set()
        root = self._node()
        self._events.get_event()
        if not self._is("StreamEnd"):
            at = self._events.peek_event().start_mark.index
            raise DocumentError("holds more than one document", *self._line_column(at))
        return None if _is_nothing(root) else root

    def _is(self, name: str) -> bool:
        return type(self._events.peek_event()).__name__ == f"{name}Event"

    def _node(self) -> _Node:
        event = self._events.get_event()
        name = type(event).__name__[: -len("Event")]
        start, end = event.start_mark.index, event.end_mark.index
        if name == "Alias":
            if event.anchor not in self._anchors:
                raise DocumentError("has an alias without an anchor", *self._line_column(start))
            return _Node(_ALIAS, start, end, False, "an alias", "", self.text[start:end], [])
        if event.anchor:
            self._anchors.add(event.anchor)
        mark = "an anchor" if event.anchor else "a tag" if event.tag not in (None, "!") else ""
        if name == "Scalar":
            tag = event.tag if event.tag not in (None, "!") else self._events.resolved(event.value, event.implicit)
            text = self.text[start:end]
            # Blank lines behind a text that is to keep them (|+) are its own.
            keeps = event.style in ("|", ">") and "+" in text.partition("\n")[0]
            end = start + len(re.sub(r"\r?\n\Z", "", text) if keeps else text.rstrip())
            return _Node(_SCALAR, start, end, event.style in ("|", ">"), mark, tag, event.value, [])
        children: list[Any] = []
        is_mapping = name == "MappingStart"
        while not self._is("MappingEnd" if is_mapping else "SequenceEnd"):
            children.append((self._node(), self._node()) if is_mapping else self._node())
        closing = self._events.get_event()
        if event.flow_style:
            end = closing.end_mark.index
        elif children:
            end = max(one.end for one in children[-1]) if is_mapping else children[-1].end
        kind = _MAPPING if is_mapping else _SEQUENCE
        return _Node(kind, start, end, not event.flow_style, mark, event.tag or "", "", children)


def _parser() -> Any:
    """What reads a text into events, and knows what a plain word is."""
    reader, scanner, parser, resolver, nodes = (
        libraries.module(libraries.YAML, name) for name in ("reader", "scanner", "parser", "resolver", "nodes")
    )

    class Events(reader.Reader, scanner.Scanner, parser.Parser, resolver.Resolver):  # type: ignore[name-defined]
        def __init__(self, text: str) -> None:
            reader.Reader.__init__(self, text)
            scanner.Scanner.__init__(self)
            parser.Parser.__init__(self)
            resolver.Resolver.__init__(self)

        def resolved(self, value: str, implicit: tuple[bool, bool]) -> str:
            return str(self.resolve(nodes.ScalarNode, value, implicit))

    return Events


# -- values --------------------------------------------------------------------------------------------------------------


def _is_nothing(node: _Node) -> bool:
    """A key without a value, and not the word null."""
    return node.kind == _SCALAR and node.start >= node.end and not node.mark


def _value(node: _Node, text: str) -> Any:
    """What a node means, as far as JSON has a word for it."""
    if node.kind == _SEQUENCE and node.tag in ("", f"{_TAG}seq"):
        return [_value(one, text) for one in node.children]
    if node.kind == _MAPPING and node.tag in ("", f"{_TAG}map"):
        return {_name(key, text): _value(value, text) for key, value in node.children}
    if node.kind != _SCALAR:
        return Opaque(text[node.start : node.end])
    kind, word = node.tag[len(_TAG) :] if node.tag.startswith(_TAG) else "", node.value
    if kind == "str":
        return word
    if kind == "null":
        return None
    if kind == "bool" and word.lower() in _WORDS:
        return _WORDS[word.lower()]
    if kind == "int" and _INT.fullmatch(word) and len(word) < 4000:
        return int(word)
    if kind == "float" and _FLOAT.fullmatch(word):
        return float(word)
    return Opaque(word)


def _name(key: _Node, text: str) -> str:
    return key.value if key.kind == _SCALAR and key.tag == f"{_TAG}str" else Opaque(text[key.start : key.end])


def _bare(node: _Node | None, path: KeyPath) -> Any:
    """All that a tree says, but for what is at ``path``, and for mappings on the way that are empty then."""
    if node is None:
        return []
    if node.kind == _MAPPING:
        members = []
        for key, value in node.children:
            is_on_way = bool(path) and key.tag == f"{_TAG}str" and key.value == path[0]
            if is_on_way and len(path) == 1:
                continue
            inside = _bare(value, path[1:] if is_on_way else ())
            if not is_on_way or not _says_nothing(inside):
                members.append((_bare(key, ()), inside))
        return [node.kind, node.mark, node.tag, members] if members or not path else []
    if node.kind == _SEQUENCE:
        return [node.kind, node.mark, node.tag, [_bare(one, ()) for one in node.children]]
    return [node.kind, node.mark, node.tag, node.value]


def _says_nothing(told: Any) -> bool:
    return told in ([], [_SCALAR, "", f"{_TAG}null", ""], [_MAPPING, "", "", []])


def _flow(value: Any, path: KeyPath, style: str = "") -> str:
    """A value on one line. Raises DocumentError for one that cannot be written."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text = repr(value)
        mantissa, exponent, power = text.partition("e")
        return text if "." in mantissa or not exponent else f"{mantissa}.0{exponent}{power}"
    if isinstance(value, str) and not isinstance(value, Opaque):
        return _text(value, path, style)
    if isinstance(value, list):
        return f"[{', '.join(_flow(one, path, chr(34)) for one in value)}]"
    if isinstance(value, dict):
        members = [f"{_text(key, path, chr(34))}: {_flow(one, path, chr(34))}" for key, one in value.items()]
        return f"{{{', '.join(members)}}}"
    raise DocumentError("is to hold a value that cannot be written here", path=path)


def _text(text: str, path: KeyPath, style: str) -> str:
    """Text in the quotes that stood there, if any; plain only where no reader could take it for anything else."""
    if re.search("[\ud800-\udfff]", text):
        raise DocumentError("is to hold a text that cannot be written here", path=path)
    if style == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    is_word = text.lower() in (*_WORDS, "y", "n", "null", "nan", "inf")
    if style != '"' and _PLAIN.fullmatch(text) and not is_word:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)
