# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release can be made at any time, by the steps that are written down (docs/releasing.md)."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import yaml

from tests.control_node import REPOSITORY, ControlNode
from tests.integration.artifact import attempt, copy_of_the_clone

NEXT = "99.0.0"
SUMMARY = "What is new in a version that will never be."


def _steps() -> str:
    """The commands of the document that can be run without a key and an account."""
    blocks = re.findall(
        r"^```sh\n(.+?)^```$", (REPOSITORY / "docs" / "releasing.md").read_text(), re.DOTALL | re.MULTILINE
    )
    assert len(blocks) == 2
    return "set -eu\n" + "".join(blocks)


def _set(path: Path, before: str, after: str) -> None:
    text, count = re.subn(before, after, path.read_text(), flags=re.MULTILINE)
    assert count == 1, path
    path.write_text(text)


def test_the_written_steps_make_a_release(control: ControlNode, tmp_path: Path) -> None:
    # Under the path that Ansible wants, because the changelog names the new modules by asking ansible-doc.
    clone = copy_of_the_clone(tmp_path / "ansible_collections" / "fmapi" / "coding_agents")
    _set(clone / "galaxy.yml", r"^version: .*", f"version: {NEXT}")
    _set(clone / "plugins" / "module_utils" / "version.py", r"^VERSION = .*", f'VERSION = "{NEXT}"')
    (clone / "changelogs" / "fragments" / "next.yml").write_text(json.dumps({"release_summary": SUMMARY}))
    for older in (clone / "changelogs" / "fragments").glob("*.yml"):
        fragment = yaml.safe_load(older.read_text())
        if older.name != "next.yml" and fragment.pop("release_summary", None):  # a release has one
            older.write_text(json.dumps(fragment or {"trivial": ["Nothing."]}))

    environment = control.environment({"ANSIBLE_COLLECTIONS_PATH": str(tmp_path)})
    done = attempt("sh", "-c", "git init --quiet\n" + _steps(), environment=environment, cwd=clone)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((clone / "changelogs" / "fragments").glob("*")) == [], "used up"
    released = yaml.safe_load((clone / "changelogs" / "changelog.yaml").read_text())["releases"][NEXT]
    assert released["changes"]["release_summary"] == SUMMARY
    with tarfile.open(clone / ".work" / "release" / f"fmapi-coding_agents-{NEXT}.tar.gz") as archive:
        manifest, changelog = (archive.extractfile(name) for name in ("MANIFEST.json", "CHANGELOG.md"))
        assert manifest is not None and changelog is not None
        assert json.load(manifest)["collection_info"]["version"] == NEXT
        assert NEXT in changelog.read().decode().replace("\\", "")
        assert not [name for name in archive.getnames() if name.startswith((".work", "changelogs/fragments"))]


def test_the_workflow_tests_each_supported_ansible_core() -> None:
    """The pins are where a supported version is named; GitHub's matrix must be written out."""
    requirements = REPOSITORY / "tests" / "requirements"
    pinned = "".join(path.read_text() for path in [*requirements.glob("matrix/*.txt"), requirements / "ansible.txt"])
    workflow = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "ci.yml").read_text())
    (job,) = workflow["jobs"].values()
    commands = job["strategy"]["matrix"]["run"]
    cores = sorted(set(re.findall(r"^ansible-core==(\d+\.\d+)", pinned, re.MULTILINE)))
    assert commands == [".ci/run", *(f"tests/ci/matrix.sh {core}" for core in cores)]
    assert all((REPOSITORY / command.split()[0]).is_file() for command in commands)
    assert job["steps"][-1]["run"] == "${{ matrix.run }}"
