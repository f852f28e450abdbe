# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent that edits its file while rollouts edit it: real processes, random order, and nothing of either is lost."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import files
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import bring
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError

from tests.conftest import PROFILE
from tests.unit.homes import COMPONENTS, make_home, owner_of, temporaries, tree, wanted

pytestmark = [pytest.mark.soak] if PROFILE == "soak" else []
SEEDS = range(100) if PROFILE == "soak" else range(4)
EDITS = 60


def _read(path: Path) -> dict[str, Any]:
    """As an agent does: a file that is being written is read again."""
    while True:
        try:
            data = json.loads(path.read_bytes())
        except ValueError:
            time.sleep(0.001)
            continue
        assert isinstance(data, dict)
        return data


def _by_rename(path: Path, content: str) -> None:
    temporary = path.with_name(f"{path.name}.agent")
    temporary.write_text(content)
    os.replace(temporary, path)


def _in_place(path: Path, content: str) -> None:
    with path.open("w") as stream:
        stream.write(content)


WAYS = {"rename": _by_rename, "in place": _in_place}


def _agent(home: Path, way: str, seed: int, done: Event) -> None:
    """Sets its own keys, each to a number that only grows; takes one away at times."""
    chance, path = random.Random(seed), home / ".agent/settings.json"
    for number in range(1, EDITS + 1):
        data = _read(path)
        data["last"] = number
        key = f"own{chance.randrange(4)}"
        if chance.random() < 0.2:
            data.pop(key, None)
        else:
            data[key] = number
        data.setdefault("env", {})[f"AGENT{chance.randrange(3)}"] = str(number)
        WAYS[way](path, json.dumps(data, indent=chance.choice([None, 2, 4])))
        time.sleep(chance.random() * 0.004)
    done.set()


def _expected(seed: int) -> tuple[dict[str, Any], dict[str, str]]:
    """What the agent's edits come to when nobody else writes."""
    chance, own, env = random.Random(seed), dict[str, Any](), dict[str, str]()
    for number in range(1, EDITS + 1):
        own["last"] = number
        key = f"own{chance.randrange(4)}"
        if chance.random() < 0.2:
            own.pop(key, None)
        else:
            own[key] = number
        env[f"AGENT{chance.randrange(3)}"] = str(number)
        chance.choice([None, 2, 4])
        chance.random()
    return own, env


def _rollouts(home: str, seed: int, done: Event) -> None:
    """Brings one wanted state after the other, and none at times, until the agent is done."""
    chance = random.Random(seed + 1)
    while not done.is_set():
        url = f"https://{chance.randrange(100)}"
        try:
            bring(owner_of(home), COMPONENTS, wanted(Path(home), url) if chance.random() < 0.8 else [], check=False)
        except OperatorError as error:
            # Refused, in words: it gave up, or read the file between an agent's truncation and its write.
            assert "settings.json" in str(error)
        time.sleep(chance.random() * 0.004)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", SEEDS)
def test_two_random_interleaved_writers_lose_nothing(seed: int, way: str, tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    context = multiprocessing.get_context("fork")
    done = context.Event()
    agent = context.Process(target=_agent, args=(home, way, seed, done))
    rollouts = context.Process(target=_rollouts, args=(str(home), seed, done))
    agent.start()
    rollouts.start()
    agent.join(120)
    done.set()
    rollouts.join(120)
    assert (agent.exitcode, rollouts.exitcode) == (0, 0)
    assert temporaries(home) == []

    bring(owner_of(home), COMPONENTS, wanted(home, "https://last"), check=False)
    settings = _read(home / ".agent/settings.json")
    own, env = _expected(seed)
    assert {key: value for key, value in settings.items() if key.startswith("own") or key == "last"} == own
    assert {key: value for key, value in settings["env"].items() if key.startswith("AGENT")} == env
    assert settings["model"] == "opus"
    assert (settings["helper"], settings["env"]["URL"]) == ("/h", "https://last")
    assert "WebSearch" in settings["permissions"]["deny"]
    assert not bring(owner_of(home), COMPONENTS, wanted(home, "https://last"), check=False).changed

    bring(owner_of(home), COMPONENTS, [], check=False)
    left = _read(home / ".agent/settings.json")
    assert {key: value for key, value in left.items() if key.startswith("own") or key == "last"} == own
    assert "deny" not in left.get("permissions", {}) or "WebSearch" not in left["permissions"]["deny"]
    assert Ledger.load(owner_of(home)).is_empty
    assert not (home / ".agent.json").exists()


def test_a_file_renamed_in_while_another_is_given_back_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three writes of an agent, one before each exchange: the newest stands in the end."""
    path = tmp_path / "f"
    path.write_bytes(b"0")
    expected = files.read(str(path))
    exchange, versions = files._exchange, iter([b"1", b"2", b"3"])

    def late(one: str, other: str) -> bool:
        version = next(versions, None)
        if version is not None:
            (tmp_path / "agent").write_bytes(version)
            os.replace(tmp_path / "agent", path)
        return exchange(one, other)

    monkeypatch.setattr(files, "_exchange", late)
    with pytest.raises(files.ChangedMeanwhile):
        files.replace(str(path), b"ours", 0o600, expected)
    assert path.read_bytes() == b"3"
    assert os.listdir(tmp_path) == ["f"]


def test_what_an_agent_writes_during_every_try_is_there_when_we_give_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_home(tmp_path / "home")
    before = {path: entry for path, entry in tree(home).items() if path != ".agent/settings.json"}
    path, count, exchange = home / ".agent/settings.json", [0], files._exchange

    def late(one: str, other: str) -> bool:
        if other == str(path) and b'"helper"' in Path(one).read_bytes():
            count[0] += 1
            _by_rename(path, json.dumps({"count": count[0]}))
        return exchange(one, other)

    monkeypatch.setattr(files, "_exchange", late)
    one = [wanted(home)[-1].replaced(values={("helper",): "/h"}, elements={}, superseded=())]
    with pytest.raises(OperatorError, match="is being rewritten by another program"):
        bring(owner_of(home), COMPONENTS, one, check=False)
    assert _read(path) == {"count": count[0]}
    assert {name: entry for name, entry in tree(home).items() if name != ".agent/settings.json"} == before
