# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files as people and programs have them: what a rollout does to each, and that an uninstall leaves no trace.

Each sample is tried as it is, with CRLF, with a byte order mark, and without its final newline; a shell file in Latin-1, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import FORMATS, MISSING, KeyPath
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import bring
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import PARTS

from tests.unit.homes import owner_of
from tests.unit.host_story import wanted as wanted_of_parts

SAMPLES = Path(__file__).parent / "samples"
URL = "https://dbc-0.cloud.databricks.com"
COMPONENTS = tuple(PARTS)

VARIANTS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda content: content,
    "crlf": lambda content: content.replace(b"\n", b"\r\n"),
    "bom": lambda content: b"\xef\xbb\xbf" + content,
    "no final newline": lambda content: content.rstrip(b"\n"),
}


def _samples() -> Iterator[Any]:
    for path in sorted(SAMPLES.glob("*/*")):
        seen = set()
        for name, variant in VARIANTS.items():
            content = variant(path.read_bytes())
            if content not in seen and not (path.parent.name == "claude_settings" and not content):
                yield pytest.param(path.parent.name, content, id=f"{path.parent.name}/{path.name} {name}")
            seen.add(content)
        if path.parent.name == "shell" and path.stat().st_size:
            latin = path.read_text(encoding="utf-8").encode("latin-1", "replace") + b"\n# \xe9t\xe9\n"
            yield pytest.param("shell", latin, id=f"shell/{path.name} latin-1")


FILES = {"databrickscfg": ".databrickscfg", "claude_state": ".claude.json", "claude_settings": ".claude/settings.json"}


def wanted(kind: str, home: Path, model: str = "m1") -> Wanted:
    """What a rollout wants of such a file."""
    if kind in FILES:
        url = URL if kind != "databrickscfg" else f"https://{model}.cloud.databricks.com"
        documents = wanted_of_parts(str(home), url, models={"claude_code": {"default": model}})
        (found,) = (one for one in documents if one.path == str(home / FILES[kind]))
        assert isinstance(found, Wanted)
        return found
    if kind == "dotenv":
        values: dict[KeyPath, Any] = {
            ("GEMINI_MODEL",): model,
            ("A",): "it's",
            ("PRIVATE_KEY",): "x y",
            ("GOOGLE_GEMINI_BASE_URL",): URL,
        }
        return Wanted(
            str(home / ".env"), "dotenv", "agent_settings", values=values, superseded=(("GOOGLE_GENAI_USE_VERTEXAI",),)
        )
    blocks: dict[KeyPath, Any] = {
        ("path",): f'export PATH="$HOME/.local/bin:$PATH"\n# {model}',
        ("env",): "export A='b'",
    }
    return Wanted(str(home / ".bashrc"), "block", "agent_settings", values=blocks)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def _place(one: Wanted, content: bytes) -> Path:
    path = Path(one.path)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(("kind", "content"), list(_samples()))
def test_a_rollout_over_it_is_silent_the_second_time_and_its_uninstall_exact(
    kind: str, content: bytes, home: Path
) -> None:
    path = _place(wanted(kind, home), content)
    for model in ("m1", "m1", "m2"):
        one = wanted(kind, home, model)
        bring(owner_of(home), COMPONENTS, [one], check=False)
        document = FORMATS[one.format](path.read_bytes())
        assert {key: document.get(key) for key in one.values} == dict(one.values)
        assert all(document.get(key) is MISSING for key in one.superseded)
        assert not bring(owner_of(home), COMPONENTS, [one], check=False).changed
    bring(owner_of(home), COMPONENTS, [], check=False)
    assert path.read_bytes() == content


_EDITS: dict[str, tuple[tuple[str, ...], Any]] = {
    "claude_settings": (("userSetting",), {"a": [1]}),
    "claude_state": (("userSetting",), {"a": [1]}),
    "databrickscfg": (("users-own", "host"), "https://x"),
    "dotenv": (("USER_SETTING",), "a b"),
    "shell": (("user",), "alias x=y"),
}


@pytest.mark.parametrize(("kind", "content"), list(_samples()))
def test_what_its_owner_adds_in_between_stays(kind: str, content: bytes, home: Path) -> None:
    one = wanted(kind, home)
    path = _place(one, content)
    bring(owner_of(home), COMPONENTS, [one], check=False)
    key, value = _EDITS[kind]
    document = FORMATS[one.format](path.read_bytes())
    document.set(key, value)
    path.write_bytes(document.content)
    assert not bring(owner_of(home), COMPONENTS, [one], check=False).changed
    bring(owner_of(home), COMPONENTS, [], check=False)
    after, before = FORMATS[one.format](path.read_bytes()), FORMATS[one.format](content)
    assert after.get(key) == value
    for owned in (*one.values, *one.superseded):
        assert after.get(owned) == before.get(owned), owned
    after.remove(key)
    if kind == "databrickscfg":
        after.remove(key[:1])
    kept = [line for line in content.splitlines() if line.strip(b" \t\xef\xbb\xbf")]
    left = [line for line in after.content.splitlines() if line.strip(b" \t\xef\xbb\xbf")]
    if kind in ("shell", "databrickscfg"):
        assert left == kept


def test_each_format_has_its_samples() -> None:
    counts = {folder.name: len(list(folder.iterdir())) for folder in SAMPLES.iterdir() if folder.is_dir()}
    assert set(counts) == set(_EDITS) and min(counts.values()) >= 10
