# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation says what the code says: generated sections are fresh, and what is written by hand still holds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.user_sign_in import OLDEST_CLI
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options import judge
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options.values import PREFIX

from tests.ci import generate_docs
from tests.ci.generate_docs import COMMAND, ROOT
from tests.ci.terminal_picture import COLUMNS, picture
from tests.unit.test_rooms import MAY_IMPORT

PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "docs").rglob("*.rst"),
    )
)
BY_HAND = [page for page in PAGES if page not in ("README.md", "docs/upgrade.md")]


def test_what_is_generated_is_fresh() -> None:
    stale = [str(path.relative_to(ROOT)) for path in generate_docs.stale()]
    assert not stale, f"Run: {COMMAND}"


def test_a_section_is_filled_and_the_rest_stays() -> None:
    page = "before\n\n<!-- generated: one -->\nold\n<!-- end: one -->\n\nafter\n"
    filled = generate_docs.filled(page, {"one": "new"})
    assert filled == "before\n\n<!-- generated: one -->\n\nnew\n\n<!-- end: one -->\n\nafter\n"
    assert generate_docs.filled(filled, {"one": "new"}) == filled


@pytest.mark.parametrize("own", [{}, {"two": "new"}, {"one": "new", "two": "new"}])
def test_a_page_without_its_markers_is_refused(own: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="has the sections"):
        generate_docs.filled("<!-- generated: one -->\n<!-- end: one -->\n", own)


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_that_gives_reasons_gives_one_for_each_key(name: str) -> None:
    reasons = getattr(AGENTS[name], "reasons", None)
    if reasons is not None:
        page = generate_docs.agent_page(name)
        rows = re.findall(r"^\| `([\w.]+)` \| (?:`[^|]*`|[^|]*) \| ([^|]*) \| ([^|]*) \|$", page, re.MULTILINE)
        assert [key for key, when, why in rows if not why.strip() and "taken out" not in when] == []


def test_reasons_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AGENTS["claude_code"], "reasons", {("apiKeyHelper",): "so that V(x)"}, raising=False)
    page = generate_docs.agent_page("claude_code")
    assert "| key | value | when | why |" in page
    assert re.search(r"^\| `apiKeyHelper` .* \| so that `x` \|$", page, re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Needs O(client_id).", "Needs `coding_agents_client_id`."),
        ("With O(identity=pat), V(yes) and C(~/.x\\)).", "With `coding_agents_identity: pat`, `yes` and `~/.x)`."),
        ("O(name) of M(fmapi.coding_agents.x), P(a.b.c#module)", "`name` of `fmapi.coding_agents.x`, `a.b.c`"),
        ("E(HOME), I(must) and RV(ignore:owners)", "`HOME`, *must* and `owners`"),
    ],
)
def test_ansible_s_markup_becomes_markdown(text: str, shown: str) -> None:
    assert generate_docs.markdown(text) == shown


def test_the_table_of_programs_tells_whose_scripts_run_and_what_the_lock_lacks() -> None:
    rows = {row.split(" | ")[0].strip("| "): row for row in generate_docs.programs().splitlines()[2:]}
    assert rows.keys() == {agent.title for agent in AGENTS.values()}
    own = {title for title, row in rows.items() if "| its own |" in row}
    assert own == {agent.title for agent in AGENTS.values() if getattr(agent.source, "needs_scripts", False)} != set()
    assert "Linux on x86-64 alone" in rows["OpenCode"]


def test_a_terminal_s_picture_holds_its_text_and_colours_within_its_width() -> None:
    text = f"$ command <x>\n\x1b[0;31mred & bold\x1b[0m plain\n\n{'w' * (COLUMNS + 5)}\n"
    drawn = ElementTree.fromstring(picture(text, "a title"))  # noqa: S314 - our own
    lines = ["".join(one.itertext()) for one in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert lines == ["$ command <x>", "red & bold plain", "w" * COLUMNS, "w" * 5]
    assert any(one.get("fill") and one.text == "red & bold" for one in drawn.iter("{http://www.w3.org/2000/svg}tspan"))


def _strings() -> Iterator[str]:
    """All text in the code, f-strings in the pieces that are written out."""
    for path in (ROOT / "plugins").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


STRINGS = list(_strings())
FAILURES = (ROOT / "docs" / "when-it-fails.md").read_text(encoding="utf-8").partition("## A person sees")
MESSAGES = re.findall(r"^\| `([^`]+)` \|", FAILURES[0], re.MULTILINE)


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_of_when_it_fails_is_in_the_code(message: str) -> None:
    pieces = [piece.strip(" :") for piece in re.split(r"…|(?<=\)|[a-z]): |(?<=[.?]) (?=[A-Z])", message)]
    for piece in (one.rstrip(".?") for one in pieces if len(one) > 3):
        assert any(piece in string for string in STRINGS), piece


def test_when_it_fails_has_messages() -> None:
    assert len(MESSAGES) > 40


@pytest.mark.parametrize("page", BY_HAND)
def test_a_variable_that_a_page_names_exists(page: str) -> None:
    """But for one that a page says does not exist."""
    invented = {"modles", "helper_language", "settings_location", "experimental_betas", "info"}
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(rf"(?<![\w./]){PREFIX}([a-z_]+[a-z])(?![\w*])(?!\.\w*py)", text))
    assert named - set(judge.VARIABLES) - invented == set()


@pytest.mark.parametrize("page", PAGES)
def test_the_oldest_databricks_cli_is_the_same_everywhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert set(re.findall(r"Databricks CLI \(?(\d[\d.]*\d)", text)) <= {OLDEST_CLI}


def test_the_config_file_s_keys_are_all_told() -> None:
    text = (ROOT / "docs" / "input.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| (`.+?`) \| `(\w[\w.]*)`", text, re.MULTILINE))
    told = {key: variable for keys, variable in table.items() for key in re.findall(r"`(\w+)`", keys)}
    assert {key: told[key].removeprefix(PREFIX) for key in judge.CONFIG_KEYS} == {
        key: variable.rpartition(".")[0] if variable.startswith("models.") else variable
        for key, variable in judge.CONFIG_KEYS.items()
    }


def test_the_table_of_rooms_is_the_one_that_is_kept() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| .*? \| ([^|]*) \| [^|]* \|$", text, re.MULTILINE)
    told = {room: " ".join(re.findall(r"\b(?!nothing)[\w.]+", allowed)) for room, allowed in rows if room != "room"}
    assert told == MAY_IMPORT


def _links(page: str) -> list[str]:
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"\]\(<?([^)>\s]+)>?\)", text)


def _sections(path: Path) -> set[str]:
    """The names by which a page's sections are linked, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


OURS = re.compile(
    rf"(?:{generate_docs.REPOSITORY}/(?:blob|tree)/main|https://raw\.githubusercontent\.com/fmapi/coding_agents/main)/([^?]+)"
)


def _target(page: str, place: str) -> Path | None:
    """The file that a link leads to; None for one elsewhere."""
    within = OURS.match(place)
    if within:
        return ROOT / within[1]
    if place.startswith("https://"):
        return None
    return ((ROOT / page).parent / place).resolve() if place else ROOT / page


@pytest.mark.parametrize("page", [page for page in PAGES if page.endswith(".md")])
def test_every_link_leads_somewhere(page: str) -> None:
    for link in _links(page):
        place, _mark, section = link.partition("#")
        target = _target(page, place)
        assert target is None or target.exists(), link
        assert not section or target is None or section in _sections(target), link


def test_every_page_is_in_the_index() -> None:
    linked = {_target("docs/README.md", link.partition("#")[0]) for link in _links("docs/README.md")}
    pages = {*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "agents").glob("*.md")}
    assert {path.name for path in pages - linked} == {"README.md"}


@pytest.mark.parametrize("page", PAGES)
def test_playbooks_and_modules_that_a_page_names_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    known = {
        path.stem for kind in ("playbooks", "plugins/modules", "plugins/lookup") for path in (ROOT / kind).iterdir()
    }
    named = set(re.findall(r"(?<![/\w>])fmapi\.coding_agents\.(\w+)", text)) - {"NAME"}
    assert named <= known | {"docsite"}, named - known
