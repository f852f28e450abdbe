# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ownership: what we put into a document can be told from the owner's, and goes again without taking anything of theirs."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import (
    FORMATS,
    MISSING,
    Document,
    IniDocument,
    JsonDocument,
    KeyPath,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import (
    Plan,
    Wanted,
    plan,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.past import Entry, digest, value_digest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.generated import INI_VALUES, ini_texts, json_texts, styled

SALT = "5a17"
TOKEN = "dapi0123456789abcdef0123456789abcdef"


class File:
    """A file in memory with the ledger's record of it: what a transaction would leave."""

    def __init__(self, content: bytes | None, mode: int | None = 0o644) -> None:
        self.content = content
        self.mode = None if content is None else mode
        self.entry: Entry | None = None

    def bring(self, wanted: Wanted | None) -> Plan:
        made = plan("/h/file", self.content, self.mode, self.entry, wanted, SALT)
        self.content, self.mode = made.after, made.mode_after if made.after is not None else None
        # Entries come from a file: what JSON cannot carry must not matter.
        self.entry = None if made.entry is None else json.loads(json.dumps(made.entry))
        return made

    def data(self) -> Any:
        assert self.content is not None
        return json.loads(self.content.decode("utf-8-sig"))


def json_wanted(values: dict[KeyPath, Any] | None = None, **more: Any) -> Wanted:
    return Wanted("/h/file", "json", "claude_code", values=values or {}, **more)


BASE = json_wanted(
    {("apiKeyHelper",): "/h/helper", ("env", "URL"): "https://w", ("env", "MODEL"): "m"},
    elements={("permissions", "deny"): ("WebSearch",)},
    superseded=(("env", "OLD"),),
)

USERS = b"""{
\t"model": "opus",
\t"env": {"OLD": "1", "MODEL" : "mine", "X": 1.10},

\t"permissions": {"deny": ["Bash(rm *)"], "allow": []}
}"""


# -- there and back ----------------------------------------------------------------------------------------------------


def test_install_then_uninstall_is_byte_identical() -> None:
    file = File(USERS)
    file.bring(BASE)
    assert file.data() == {
        "model": "opus",
        "env": {"MODEL": "m", "X": 1.10, "URL": "https://w"},
        "permissions": {"deny": ["Bash(rm *)", "WebSearch"], "allow": []},
        "apiKeyHelper": "/h/helper",
    }
    file.bring(None)
    assert (file.content, file.mode, file.entry) == (USERS, 0o644, None)


def test_a_file_of_our_making_goes() -> None:
    file = File(None)
    made = file.bring(BASE)
    assert made.mode_after == BASE.mode
    assert file.entry is not None and file.entry["created"]
    file.bring(None)
    assert file.content is None and not file.entry


def test_a_file_of_our_making_that_holds_only_ours_goes_even_when_it_was_written_anew() -> None:
    file = File(None)
    file.bring(BASE)
    file.content = json.dumps(file.data()).encode()
    file.bring(None)
    assert file.content is None


def test_a_file_of_our_making_stays_when_it_holds_something_else_by_now() -> None:
    file = File(None)
    file.bring(BASE)
    file.content = json.dumps({**file.data(), "theirs": 1}).encode()
    file.bring(None)
    assert file.data() == {"theirs": 1}


def test_a_file_that_is_gone_is_given_back_as_gone() -> None:
    file = File(USERS)
    file.bring(BASE)
    file.content, file.mode = None, None
    made = file.bring(None)
    assert (made.changed, file.content, file.entry) == (False, None, None)


def test_a_file_that_is_gone_is_made_again() -> None:
    file = File(USERS)
    file.bring(BASE)
    file.content, file.mode = None, None
    file.bring(BASE)
    assert file.data()["apiKeyHelper"] == "/h/helper"
    file.bring(None)
    assert file.content is None


def test_containers_of_our_making_go_when_they_are_empty_and_only_then() -> None:
    file = File(b'{"x": {}, "env": {}}')
    file.bring(BASE)
    file.content = json.dumps(file.data()).encode()  # written anew: no undo by bytes
    file.bring(None)
    assert file.data() == {"x": {}, "env": {}}
    file = File(b"{}")
    file.bring(BASE)
    data = file.data()
    data["env"]["theirs"] = "1"
    file.content = json.dumps(data).encode()
    file.bring(None)
    assert file.data() == {"env": {"theirs": "1"}}


def test_the_owner_s_edits_in_between_stay_and_what_we_replaced_comes_back() -> None:
    file = File(USERS)
    file.bring(BASE)
    data = file.data()
    data["model"] = "haiku"
    data["env"]["NEW"] = "2"
    data["permissions"]["deny"].insert(0, "Read(secret)")
    file.content = json.dumps(data, indent=4).encode()
    file.bring(None)
    assert file.data() == {
        "model": "haiku",
        "env": {"OLD": "1", "MODEL": "mine", "X": 1.10, "NEW": "2"},
        "permissions": {"deny": ["Read(secret)", "Bash(rm *)"], "allow": []},
    }


def test_a_value_of_ours_that_the_owner_changed_is_left_alone_and_reported() -> None:
    file = File(USERS)
    file.bring(BASE)
    assert file.content is not None
    file.content = file.content.replace(b"https://w", b"https://mine")
    made = file.bring(None)
    assert file.data()["env"]["URL"] == "https://mine"
    assert made.notes == ["env.URL was changed since we set it: left as it is"]


def test_a_value_of_ours_that_the_owner_removed_does_not_come_back() -> None:
    file = File(USERS)
    file.bring(BASE)
    data = file.data()
    del data["env"]["MODEL"]
    file.content = json.dumps(data).encode()
    file.bring(None)
    assert "MODEL" not in file.data()["env"]


@pytest.mark.parametrize("instead", ["text", ["list"], None, 1])
def test_what_the_owner_put_in_place_of_a_container_stays_when_we_go(instead: Any) -> None:
    file = File(USERS)
    file.bring(BASE)
    data = file.data()
    data["env"] = instead
    data["permissions"]["deny"] = "text"
    file.content = json.dumps(data).encode()
    made = file.bring(None)
    assert file.data() == {"model": "opus", "env": instead, "permissions": {"deny": "text", "allow": []}}
    assert any("env" in note for note in made.notes)


def test_an_element_that_was_there_before_us_stays() -> None:
    before = b'{"permissions": {"deny": ["WebSearch"]}}'
    file = File(before)
    file.bring(BASE)
    file.content = json.dumps(file.data()).encode()
    file.bring(None)
    assert file.data() == json.loads(before)


def test_values_that_were_there_before_us_are_given_back_as_they_were() -> None:
    before = b'{"apiKeyHelper": "/h/helper", "env": {"URL": "https://w", "MODEL": null}}'
    file = File(before)
    file.bring(BASE)
    file.content = json.dumps(file.data()).encode()
    file.bring(None)
    assert file.data() == json.loads(before)


# -- second run --------------------------------------------------------------------------------------------------------


def test_the_second_plan_changes_nothing_and_keeps_its_record() -> None:
    file = File(USERS)
    file.bring(BASE)
    entry = file.entry
    made = file.bring(BASE)
    assert (made.changed, made.changes, made.notes, file.entry) == (False, [], [], entry)


def test_edits_that_do_not_touch_ours_are_no_drift() -> None:
    file = File(USERS)
    file.bring(BASE)
    file.content = json.dumps({**file.data(), "theirs": 1}, indent=3).encode()
    assert not file.bring(BASE).changed


def test_a_value_that_the_owner_changed_is_drift_and_theirs_comes_back_when_we_go() -> None:
    file = File(USERS)
    file.bring(BASE)
    assert file.content is not None
    file.content = file.content.replace(b"https://w", b"https://mine")
    assert file.bring(BASE).changed
    assert file.data()["env"]["URL"] == "https://w"
    assert not file.bring(BASE).changed
    file.bring(None)
    assert file.data()["env"]["URL"] == "https://mine"


# -- transitions -------------------------------------------------------------------------------------------------------


def test_a_changed_value_is_changed_and_the_way_back_stays_exact() -> None:
    file = File(USERS)
    file.bring(BASE)
    made = file.bring(BASE.replaced(values={**BASE.values, ("env", "URL"): "https://other"}))
    assert made.changed and file.data()["env"]["URL"] == "https://other"
    file.bring(None)
    assert file.content == USERS


def test_a_key_that_is_not_wanted_any_more_goes_in_the_same_run() -> None:
    fewer = {key: value for key, value in BASE.values.items() if key != ("env", "MODEL")}
    for rewritten in (False, True):
        file = File(USERS)
        file.bring(BASE)
        if rewritten:
            file.content = json.dumps({**file.data(), "theirs": 1}).encode()
        made = file.bring(BASE.replaced(values=fewer, elements={}))
        assert made.changed
        assert file.data()["env"] == {"MODEL": "mine", "X": 1.10, "URL": "https://w"}
        assert file.data()["permissions"]["deny"] == ["Bash(rm *)"]
        assert not file.bring(BASE.replaced(values=fewer, elements={})).changed


def test_a_superseded_key_comes_back_when_it_is_not_superseded_any_more() -> None:
    for rewritten in (False, True):
        file = File(USERS)
        file.bring(BASE)
        assert "OLD" not in file.data()["env"]
        if rewritten:
            file.content = json.dumps({**file.data(), "theirs": 1}).encode()
        file.bring(BASE.replaced(superseded=()))
        assert file.data()["env"]["OLD"] == "1"


def test_a_superseded_key_that_the_owner_sets_again_goes_again() -> None:
    file = File(USERS)
    file.bring(BASE)
    data = file.data()
    data["env"]["OLD"] = "2"
    file.content = json.dumps(data).encode()
    assert file.bring(BASE).changed
    assert "OLD" not in file.data()["env"]
    file.bring(None)
    assert file.data()["env"]["OLD"] == "2"


def test_any_number_of_transitions_after_the_owner_s_edit() -> None:
    file = File(USERS)
    file.bring(BASE)
    file.content = json.dumps({**file.data(), "theirs": 1}, indent=1).encode()
    for url in ("https://1", "https://2", "https://3"):
        assert file.bring(BASE.replaced(values={**BASE.values, ("env", "URL"): url})).changed
        assert file.data()["env"]["URL"] == url
    file.bring(None)
    assert file.data() == {**json.loads(USERS), "theirs": 1}


def _forget(document: Document, key: KeyPath) -> str | None:
    return "held a Databricks token" if str(document.get(key)).startswith("dapi") else None


WITH_TOKEN = BASE.replaced(superseded=(("env", "OLD"), ("env", "AUTH")), forget=_forget)


def test_a_forgotten_token_is_in_no_byte_that_we_keep() -> None:
    before = b'{"env": {"AUTH": "' + TOKEN.encode() + b'", "X": "1"}}'
    file = File(before)
    made = file.bring(WITH_TOKEN)
    assert made.notes == ["held a Databricks token"]
    assert TOKEN not in json.dumps(file.entry)
    assert TOKEN not in str(file.content)
    file.bring(None)
    assert file.content == b'{"env": {"X": "1"}}'


def test_a_token_that_comes_later_is_forgotten_too() -> None:
    file = File(b'{"env": {"X": "1"}}')
    file.bring(WITH_TOKEN)
    data = file.data()
    data["env"]["AUTH"] = TOKEN
    file.content = json.dumps(data).encode()
    made = file.bring(WITH_TOKEN)
    assert made.changed and made.notes == ["held a Databricks token"]
    assert TOKEN not in json.dumps(file.entry)
    file.bring(None)
    assert file.data() == {"env": {"X": "1"}}


def test_another_superseded_value_is_kept_and_given_back() -> None:
    before = b'{"env": {"AUTH": "sk-other", "OLD": "' + TOKEN.encode() + b'"}}'
    file = File(before)
    file.bring(WITH_TOKEN.replaced(forget=lambda document, key: None))
    assert "AUTH" not in file.data()["env"]
    file.bring(None)
    assert file.content == before


# -- modes -------------------------------------------------------------------------------------------------------------

PROFILE = Wanted(
    "/h/.databrickscfg",
    "ini",
    "workspace_auth",
    values={("P", "host"): "https://w", ("P", "client_secret"): "s"},
    mode=0o600,
    private=True,
    leftovers=frozenset(("account_id", "workspace_id", "auth_type")),
)


def test_a_private_file_is_tightened_and_gets_its_mode_back() -> None:
    file = File(b"[a]\nx = 1\n", 0o644)
    file.bring(PROFILE)
    assert file.mode == 0o600
    assert not file.bring(PROFILE).changed
    file.bring(None)
    assert (file.content, file.mode) == (b"[a]\nx = 1\n", 0o644)


def test_a_private_file_that_was_opened_again_is_tightened_again() -> None:
    file = File(b"[a]\nx = 1\n", 0o640)
    file.bring(PROFILE)
    file.mode = 0o664
    made = file.bring(PROFILE)
    assert made.changed and file.mode == 0o600 and made.changes == ["mode 0600"]
    file.bring(None)
    assert file.mode == 0o640


def test_a_stricter_mode_than_ours_stays() -> None:
    file = File(b"[a]\nx = 1\n", 0o400)
    file.bring(PROFILE)
    assert file.mode == 0o400
    file = File(b"{}", 0o600)
    file.bring(BASE)
    assert file.mode == 0o600


def test_a_mode_that_the_owner_chose_since_stays() -> None:
    file = File(USERS, 0o644)
    file.bring(BASE)
    file.mode = 0o600
    assert not file.bring(BASE).changed
    file.bring(None)
    assert file.mode == 0o600


# -- INI ---------------------------------------------------------------------------------------------------------------


def test_a_profile_that_the_databricks_cli_completed_goes_as_a_whole() -> None:
    file = File(b"[a]\nx = 1\n", 0o600)
    file.bring(PROFILE.replaced(values={("P", "host"): "https://w"}))
    others = b"[a]\nx = 1\n\n[__settings__]\nauth_storage = plaintext\n"
    file.content = others + b"\n[P]\nhost       = https://w\naccount_id = 1\nauth_type  = databricks-cli\n"
    assert not file.bring(PROFILE.replaced(values={("P", "host"): "https://w"})).changed
    file.bring(None)
    assert file.content == others


def test_a_profile_with_a_key_of_the_owner_stays_with_it() -> None:
    file = File(None)
    file.bring(PROFILE)
    assert file.content is not None
    file.content += b"cluster_id = 7\n"
    file.bring(None)
    assert file.content == b"[P]\ncluster_id = 7\n"


def test_another_profile_name_moves_ours() -> None:
    file = File(b"[a]\nx = 1\n")
    file.bring(PROFILE)
    file.bring(PROFILE.replaced(values={("Q", "host"): "https://w"}))
    assert file.content == b"[a]\nx = 1\n\n[Q]\nhost = https://w\n"
    file.bring(None)
    assert file.content == b"[a]\nx = 1\n"


# -- whole files -------------------------------------------------------------------------------------------------------


def test_a_whole_file_replaces_and_gives_back_content_and_mode() -> None:
    ours = Wanted("/h/helper", "file", "workspace_auth", values={(): "#!/bin/sh\n\0\xff"}, mode=0o700)
    file = File(b"theirs", 0o755)
    file.bring(ours)
    assert (file.content, file.mode) == (b"#!/bin/sh\n\0\xff", 0o700)
    assert not file.bring(ours).changed
    file.bring(ours.replaced(values={(): "newer"}))
    file.bring(None)
    assert (file.content, file.mode) == (b"theirs", 0o755)


def test_a_whole_file_that_somebody_edited_is_left_alone_and_reported() -> None:
    ours = Wanted("/h/helper", "file", "workspace_auth", values={(): "ours"}, mode=0o700)
    file = File(None)
    file.bring(ours)
    file.content = b"edited"
    made = file.bring(None)
    assert file.content == b"edited"
    assert made.notes == ["the whole file was changed since we set it: left as it is"]


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", [b"", b"[]", b"{", b'{"env": []}', b'{"env": {}, "env": {}}', b"\xff"])
def test_a_file_that_cannot_be_edited_is_named_and_nothing_changes(broken: bytes) -> None:
    for entry_from in (None, USERS):
        file = File(entry_from)
        if entry_from:
            file.bring(BASE)
        file.content, file.mode = broken, 0o644
        with pytest.raises(OperatorError, match=r"^/h/file: .*Nothing was changed"):
            file.bring(BASE)
        assert file.content == broken


def test_digests_tell_values_apart_and_depend_on_the_salt() -> None:
    assert value_digest({"a": 1, "b": 2}, "s") == value_digest({"b": 2, "a": 1}, "s")
    assert value_digest("x", "s") != value_digest("x", "t")
    assert value_digest("1", "s") != value_digest(1, "s")
    assert value_digest(True, "s") != value_digest(1, "s")
    assert digest(None) is None and digest(b"") != digest(b" ")


def test_a_value_s_digest_does_not_show_it() -> None:
    file = File(None)
    file.bring(PROFILE.replaced(values={("P", "client_secret"): "doseSECRET"}))
    entry = dict(file.entry or {})
    assert "doseSECRET" not in json.dumps({name: value for name, value in entry.items() if name != "undo"})


# -- properties --------------------------------------------------------------------------------------------------------

_OURS: tuple[KeyPath, ...] = (("a",), ("model",), ("env", "A"), ("env", "B"), ("permissions", "x"), ("hooks", "a", "b"))
_LISTS: tuple[KeyPath, ...] = (("permissions", "deny"), ("list",))


def _wanted(seed: int) -> Wanted:
    chance = random.Random(seed)
    ours = chance.sample(_OURS, chance.randrange(1, len(_OURS)))
    superseded = tuple(key for key in _OURS if key not in ours and chance.random() < 0.5)
    values: dict[KeyPath, Any] = {key: chance.choice(["v1", "v2", True, 1, ["l"], {"d": "e"}]) for key in ours}
    elements: dict[KeyPath, tuple[Any, ...]] = {key: ("WebSearch", "x") for key in _LISTS if chance.random() < 0.5}
    return json_wanted(values, elements=elements, superseded=superseded)


_wanteds = st.integers(0, 2**32).map(_wanted)


def _base(seed: int) -> bytes:
    """A user's file whose containers fit: else the plan is refused, which has tests of its own."""
    chance = random.Random(seed)
    some = ["v1", "mine", 1, None, [], {}, "日本"]
    data: dict[str, Any] = {}
    for key in chance.sample(["a", "model", "theirs", "env", "permissions", "hooks", "list"], chance.randrange(8)):
        if key in ("env", "permissions"):
            inner = chance.sample(["A", "B", "x", "theirs"], chance.randrange(5))
            data[key] = {one: chance.choice(some) for one in inner}
            if key == "permissions" and chance.random() < 0.5:
                data[key]["deny"] = chance.sample(["WebSearch", "x", "Bash"], chance.randrange(4))
        elif key == "hooks":
            data[key] = chance.choice([{}, {"a": {}}, {"a": {"b": 1, "c": 2}}])
        elif key == "list":
            data[key] = chance.sample(["WebSearch", "x", "Bash"], chance.randrange(4))
        else:
            data[key] = chance.choice(some)
    return styled(chance, data)


_bases = st.none() | st.integers(0, 2**32).map(_base)


def _users_edit(data: dict[str, Any], seed: int) -> None:
    """Edit what is the user's: keys that no wanted set has, at the top and in the containers that are there."""
    chance = random.Random(seed)
    inner = [data[name] for name in ("env", "permissions") if isinstance(data.get(name), dict)]
    for container in [data, *inner]:
        if chance.random() < 0.6:
            container[f"user{chance.randrange(3)}"] = chance.choice([1, "x", {"y": []}])
        if chance.random() < 0.5:
            container.pop("theirs", None)


@given(_bases, st.lists(_wanteds, min_size=1, max_size=4))
def test_any_installs_then_uninstall_are_byte_identical(content: bytes | None, wanteds: list[Wanted]) -> None:
    file = File(content)
    for wanted in wanteds:
        file.bring(wanted)
        document = JsonDocument(file.content or b"")
        for key, value in wanted.values.items():
            assert document.get(key) == value
        assert all(document.get(key) is MISSING for key in wanted.superseded)
        assert all(one in document.get(key) for key, members in wanted.elements.items() for one in members)
        entry = file.entry
        again = file.bring(wanted)
        assert (again.changed, file.entry) == (False, entry)
    file.bring(None)
    assert file.content == content


@given(_bases, st.lists(st.tuples(_wanteds, st.integers(0, 2**32)), min_size=1, max_size=4), st.booleans())
def test_the_owner_s_edits_survive_any_installs_and_the_uninstall(
    content: bytes | None, steps: list[tuple[Wanted, int]], rewritten: bool
) -> None:
    file = File(content)
    expected = json.loads((content or b"{}").decode("utf-8-sig"))
    for wanted, seed in steps:
        file.bring(wanted)
        before = file.data()
        data = file.data()
        _users_edit(data, seed)
        # The same edits on what the user would have without us; a container that only we made is there once they use it.
        _same_edits(expected, before, data)
        if rewritten or data != before:
            file.content = (
                styled(random.Random(seed), data) if rewritten else _in_place(file.content or b"", before, data)
            )
        assert not file.bring(wanted).changed
    file.bring(None)
    assert (file.data() if file.content is not None else {}) == expected


def _same_edits(expected: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> None:
    for key in {**before, **after}:
        if key.startswith("user") or key == "theirs":
            if key not in after:
                expected.pop(key, None)
            elif key not in before or before[key] != after[key]:
                expected[key] = after[key]
        elif isinstance(before.get(key), dict) and isinstance(after.get(key), dict) and before[key] != after[key]:
            _same_edits(expected.setdefault(key, {}), before[key], after[key])


def _in_place(content: bytes, before: dict[str, Any], after: dict[str, Any]) -> bytes:
    """The edit as a careful editor makes it: the rest of the file keeps its bytes."""
    document = JsonDocument(content)

    def walk(path: KeyPath, old: dict[str, Any], new: dict[str, Any]) -> None:
        for key in {**old, **new}:
            if key not in new:
                document.remove((*path, key))
            elif isinstance(new[key], dict) and isinstance(old.get(key), dict):
                walk((*path, key), old[key], new[key])
            elif key not in old or old[key] != new[key]:
                document.set((*path, key), new[key])

    walk((), before, after)
    return document.content


@given(json_texts(), _wanteds)
def test_any_json_file_is_brought_there_and_back_or_refused_by_name(content: bytes, wanted: Wanted) -> None:
    file = File(content)
    try:
        file.bring(wanted)
    except OperatorError as error:
        assert str(error).startswith("/h/file: ")
        assert file.content == content
        return
    file.bring(None)
    assert file.content == content


@given(ini_texts | st.none(), st.lists(st.sampled_from(INI_VALUES[1:]), min_size=1, max_size=3), st.booleans())
def test_any_databrickscfg_is_brought_there_and_back(content: bytes | None, urls: list[str], edited: bool) -> None:
    file = File(content)
    for number, url in enumerate(urls):
        wanted = Wanted("/h/c", "ini", "w", values={("prod" if number % 2 else "fmapi", "host"): url}, mode=0o600)
        file.bring(wanted)
        assert not file.bring(wanted).changed
    if edited:
        document = IniDocument(file.content or b"")
        document.set(("theirs", "x"), "1")
        file.content = document.content
    file.bring(None)
    if not edited:
        assert file.content == content
    else:
        document = IniDocument(content or b"")
        document.set(("theirs", "x"), "1")
        assert file.content is not None
        kind = FORMATS["ini"]
        for section in ("prod", "fmapi", "theirs", "DEFAULT"):
            assert kind(file.content).get((section,)) == document.get((section,))
