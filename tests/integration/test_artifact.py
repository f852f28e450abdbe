# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``ansible-galaxy collection build`` puts into the artifact: what users need and nothing else."""

from __future__ import annotations

import json
import re
import tarfile
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import yaml

from tests.control_node import REPOSITORY
from tests.integration.artifact import Installed, tracked

SHIPPED = (
    *("LICENSE", "README.md", "requirements.txt"),
    *("changelogs/changelog.yaml", "docs/*.md", "docs/agents/*.md", "docs/pictures/*.svg"),
    *("docs/docsite/*.yml", "docs/docsite/rst/*.rst"),
    *("meta/*.yml", "meta/*.txt"),
    "playbooks/*.yml",
    *(
        "plugins/plugin_utils/locks.json",
        "plugins/plugin_utils/relay_requirements.txt",
        "plugins/*/*.py",
        "plugins/module_utils/*/*.py",
        "plugins/module_utils/*/*/*.py",
        "plugins/plugin_utils/*/*.py",
    ),
    *("roles/*/meta/*.yml", "roles/*/tasks/*.yml"),
)
"""Every file of a clone that one of these names is shipped, and no other file is."""
RELEASED = ("CHANGELOG.md",)
"""Shipped once there has been a release, which writes it."""
NOT_FOR_USERS = ("docs/releasing.md",)
"""Named above by a pattern, and kept back nevertheless."""
WRITTEN_BY_GALAXY = {"MANIFEST.json", "FILES.json"}

# About twice of what it is: more is a mistake, or worth a thought.
LIMIT_BYTES = 1_200_000


def _named(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether one of ``patterns`` names the file; ``*`` does not reach across a slash."""
    parts = name.split("/")
    return any(
        len(parts) == len(pattern.split("/")) and all(map(fnmatchcase, parts, pattern.split("/")))
        for pattern in patterns
    )


def _is_shipped(name: str) -> bool:
    return _named(name, SHIPPED + RELEASED) and name not in NOT_FOR_USERS


def test_the_artifact_holds_what_users_need_and_nothing_else(artifact: Path) -> None:
    with tarfile.open(artifact) as archive:
        members = archive.getmembers()
        stream = archive.extractfile("MANIFEST.json")
        assert stream is not None
        information = json.load(stream)["collection_info"]
    files = {member.name for member in members if member.isfile()}
    wanted = {name for name in tracked() if _is_shipped(name)} | WRITTEN_BY_GALAXY
    assert files - wanted == set(), "shipped, but not for users"
    assert wanted - files == set(), "missing"
    assert [pattern for pattern in SHIPPED if not any(_named(name, (pattern,)) for name in files)] == []
    directories = {member.name.rstrip("/") for member in members if member.isdir()}
    assert directories <= {str(parent) for name in files for parent in PurePosixPath(name).parents}, "an empty one"
    assert all(member.isfile() or member.isdir() for member in members), "a link"
    assert information["name"] == "coding_agents" and information["license"] == ["GPL-3.0-or-later"]
    assert artifact.stat().st_size < LIMIT_BYTES
    print(f"artifact: {artifact.stat().st_size} bytes, {len(files)} files in {len(directories)} directories")


def test_nothing_that_is_shipped_knows_of_the_test_equipment(installed: Installed) -> None:
    """Neither of the simulated workspace nor of the stand-in for the Databricks CLI."""
    of_tests = re.compile(r"tests[./](workspace|databricks_cli)|STANDIN_|/_test/|X-Test-Admin")
    shipped = [path for name in ("playbooks", "plugins", "roles") for path in (installed.path / name).rglob("*.*")]
    texts = [path for path in shipped if path.suffix in (".py", ".yml", ".md")]
    assert [path for path in texts if of_tests.search(path.read_text(encoding="utf-8"))] == []


def _links(text: str) -> list[str]:
    """Where a Markdown document's links and pictures lead."""
    return re.findall(r"\]\(<?([^)>\s]+)>?\)", text)


def _sections(document: Path) -> set[str]:
    """The names by which a Markdown document's sections are linked, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_of_the_documents_leads_somewhere_from_the_artifact_too(installed: Installed) -> None:
    """Galaxy and Automation Hub show the README far from its repository: only absolute links work there."""
    ours = yaml.safe_load((REPOSITORY / "galaxy.yml").read_text())["repository"]
    documents = [path for path in installed.path.rglob("*.md") if path.name != "CHANGELOG.md"]
    shown = installed.path / "README.md"
    assert shown in documents
    for document in documents:
        for link in _links(document.read_text(encoding="utf-8")):
            absolute = link.startswith(("https://", "#"))
            assert absolute or document != shown, (document, link)
            place, _mark, section = link.partition("#")
            within = re.match(rf"{re.escape(ours)}/(?:blob|tree)/main/(.+)", place)
            target = REPOSITORY / within[1] if within else document.parent / place if place else document
            if within or not absolute or link.startswith("#"):
                assert target.exists(), (document, link)
                assert not section or section in _sections(target), (document, link)
