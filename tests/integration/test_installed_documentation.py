# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user can look up about the installed collection: ``ansible-doc``, the playbooks, the documentation site."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.control_node import COLLECTION, REPOSITORY
from tests.integration.artifact import Installed, attempt

FILES = {
    "module": "plugins/modules/*.py",
    "lookup": "plugins/lookup/*.py",
    "role": "roles/*",
    "playbook": "playbooks/*.yml",
}
NAMES = {
    kind: sorted(f"{COLLECTION}.{path.stem}" for path in REPOSITORY.glob(pattern) if not path.name.startswith("_"))
    for kind, pattern in FILES.items()
}
DOCUMENTED = [kind for kind in NAMES if kind != "playbook" and NAMES[kind]]


def _complaints(text: str) -> list[str]:
    """What Ansible said beside its answer. It warns of a collection of its own that has no version."""
    return [line for line in text.splitlines() if line.strip() and "ansible/_protomatter" not in line]


def _undescribed(options: Mapping[str, Any], members: str, path: str = "") -> Iterator[str]:
    """The options, or return values, without a description, those inside others (under ``members``) too."""
    for name, option in options.items():
        if not "".join(option.get("description") or "").strip():
            yield f"{path}{name}"
        yield from _undescribed(option.get(members) or {}, members, f"{path}{name}.")


@pytest.mark.matrix
@pytest.mark.parametrize("kind", DOCUMENTED)
def test_ansible_doc_shows_each_module_lookup_and_role(installed: Installed, kind: str) -> None:
    names = NAMES[kind]
    shown = installed.run("ansible-doc", "--type", kind, *names)
    assert _complaints(shown.stderr) == []
    assert all(name in shown.stdout for name in names)
    documented = json.loads(installed.run("ansible-doc", "--type", kind, "--json", *names).stdout)
    assert sorted(documented) == names
    for name, found in documented.items():
        entries = found["entry_points"].values() if kind == "role" else [found["doc"]]
        for entry in entries:
            assert entry["short_description"], name
            inner = "options" if kind == "role" else "suboptions"
            assert list(_undescribed(entry.get("options") or {}, inner)) == [], name
        if kind != "role":
            assert found["examples"].strip() and found["return"], name
            assert list(_undescribed(found["return"], "contains")) == [], name


@pytest.mark.parametrize("playbook", NAMES["playbook"])
def test_each_playbook_says_what_it_does_and_can_be_called_by_its_full_name(
    installed: Installed, playbook: str
) -> None:
    """ansible-doc knows no playbooks: what there is are a comment at the top, and the names of tasks."""
    text = (installed.path / "playbooks" / f"{playbook.rpartition('.')[2]}.yml").read_text()
    top = re.findall(r"^# (.+)", text.partition("\n- ")[0], re.MULTILINE)
    assert [line for line in top if not re.match(r"Copyright|GNU|SPDX", line)], "a comment that says what it does"
    listed = installed.run("ansible-playbook", playbook, "--inventory", "host,", "--list-tasks")
    assert _complaints(listed.stderr) == []
    (play,) = yaml.safe_load(text)
    assert re.search(rf"play #1 \((?:all|localhost)\): {re.escape(play['name'])}\t.*\n +tasks:\n +\w", listed.stdout), (
        listed.stdout
    )


def test_the_documentation_site_is_built_without_warnings(installed: Installed, tmp_path: Path) -> None:
    done = attempt(
        str(REPOSITORY / "tests" / "ci" / "docs.sh"),
        *(str(installed.collections), str(tmp_path)),
        environment=installed.control.environment({"HOME": str(Path.home())}),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {path.relative_to(tmp_path / "html").as_posix() for path in (tmp_path / "html").rglob("*.html")}
    for kind in DOCUMENTED:
        assert {f"{name.rpartition('.')[2]}_{kind}.html" for name in NAMES[kind]} <= pages
    told = (tmp_path / "html" / "docsite" / "playbooks.html").read_text(encoding="utf-8")
    assert [playbook for playbook in NAMES["playbook"] if playbook not in told] == []
    guides = {path.stem for path in (REPOSITORY / "docs" / "docsite" / "rst").glob("*.rst")}
    assert {f"docsite/{guide}.html" for guide in guides} <= pages
    linked = (tmp_path / "html" / "index.html").read_text(encoding="utf-8")
    assert all(f'href="docsite/{guide}.html"' in linked for guide in guides)
