# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of companies: npm keeps the registry and the certificates that a company has set for all users, and gets the operator's.

With the real npm, which looks for its settings for all users below ``--prefix``, where nobody has put them.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import source_npm
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.source_npm import Npm
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.sources import Settings
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError

from tests.unit.homes import tree
from tests.unit.package_registry import Registry

NAME, COMMAND = "@test/agent", "test-agent"
NPM = Npm(NAME)

pytestmark = pytest.mark.skipif(not shutil.which("npm"), reason="needs npm: apt-get install -y npm")


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Registry]:
    """A company's registry, behind its own certificate authority and with a password."""
    made = Registry(tls=tmp_path, user=("ci", "s3cr3t!"))
    made.add_npm(NAME, "1.2.3", COMMAND)
    yield made
    made.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return home


@pytest.fixture
def node(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """A Node.js with settings of npm for all users, in its own prefix; returns the environment of a login there."""

    def made(npmrc: str) -> dict[str, str]:
        prefix = tmp_path / "opt node"
        (prefix / "bin").mkdir(parents=True)
        (prefix / "etc").mkdir()
        node, npm = shutil.which("node") or "", os.path.realpath(shutil.which("npm") or "")
        (prefix / "bin" / "node").symlink_to(os.path.realpath(node))
        (prefix / "bin" / "npm").symlink_to(npm)
        (prefix / "etc" / "npmrc").write_text(npmrc)
        return {
            "PATH": f"{prefix}/bin:/usr/bin:/bin",
            "COMPANY_AUTH": "Y2k6czNjcjN0IQ==",
            "npm_config_prefix": str(prefix),
        }

    return made


def lines(registry: Registry, certificates: Path | None, scope: str = "") -> str:
    place = registry.url.partition("//")[2]
    trusted = f"cafile={certificates}\n" if certificates else ""
    return f"{scope}registry={registry.url}/\n//{place}/:_auth=${{COMPANY_AUTH}}\n{trusted}"


def fetch(tmp_path: Path, home: Path, environment: dict[str, str], **more: Any) -> None:
    NPM.fetch("1.2.3", str(tmp_path / "x"), Settings(str(home), environment, **more))
    assert NPM.installed_version(str(tmp_path / "x")) == "1.2.3"


@pytest.mark.parametrize("scope", ["", "@test:"])
def test_a_company_wide_npmrc_stays_in_force(
    company: Registry, node: Callable[[str], dict[str, str]], home: Path, tmp_path: Path, scope: str
) -> None:
    """Registry, its token in a variable, certificates: all of it stands in a file that ``--prefix`` would hide."""
    fetch(tmp_path, home, node(lines(company, tmp_path / "ca.pem", scope)))
    assert any(path.endswith("1.2.3.tgz") for path in company.asked)
    assert tree(home) == {}


def test_a_company_wide_npmrc_that_a_variable_names(company: Registry, home: Path, tmp_path: Path) -> None:
    (tmp_path / "npmrc").write_text(lines(company, tmp_path / "ca.pem"))
    environment = {"PATH": os.environ["PATH"], "COMPANY_AUTH": "Y2k6czNjcjN0IQ=="}
    fetch(tmp_path, home, {**environment, "NPM_CONFIG_GLOBALCONFIG": str(tmp_path / "npmrc")})
    assert company.asked


def test_what_the_operator_names_comes_before_the_company_s(
    company: Registry, node: Callable[[str], dict[str, str]], home: Path, tmp_path: Path
) -> None:
    other = Registry()
    other.add_npm(NAME, "1.2.3", COMMAND)
    fetch(tmp_path, home, node(lines(company, None)), npm_registry=f"{other.url}/")
    assert company.asked == [] and other.asked
    other.close()


def test_inspected_tls_with_the_operator_s_certificates(
    company: Registry, node: Callable[[str], dict[str, str]], home: Path, tmp_path: Path
) -> None:
    """The company's npmrc names the registry, ``coding_agents_ca_file`` the authority that inspects."""
    fetch(tmp_path, home, node(lines(company, None)), certificates=(tmp_path / "ca.pem").read_text())


def test_the_operator_s_certificates_do_not_displace_the_company_s(
    company: Registry, node: Callable[[str], dict[str, str]], home: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    Registry(tls=tmp_path / "elsewhere").close()
    another = (tmp_path / "elsewhere" / "ca.pem").read_text()
    fetch(tmp_path, home, node(lines(company, tmp_path / "ca.pem")), certificates=another)
    shutil.rmtree(tmp_path / "x")
    shutil.rmtree(tmp_path / "opt node")
    environment = {**node(lines(company, None)), "NODE_EXTRA_CA_CERTS": str(tmp_path / "ca.pem")}
    fetch(tmp_path, home, environment, certificates=another)


def test_what_the_system_trusts_npm_trusts(
    company: Registry,
    node: Callable[[str], dict[str, str]],
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An authority that the company has put into the system's certificates: Node.js does not look there by itself."""
    monkeypatch.setattr(source_npm, "SYSTEM_CERTIFICATES", ("/nowhere", str(tmp_path / "ca.pem")))
    fetch(tmp_path, home, node(lines(company, None)))


def test_inspected_tls_without_certificates_is_told_at_once_with_registry_and_way_out(
    company: Registry,
    node: Callable[[str], dict[str, str]],
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before, it took 70 seconds and hinted at three other things."""
    monkeypatch.setattr(source_npm, "SYSTEM_CERTIFICATES", ())
    begun = time.monotonic()
    with pytest.raises(OperatorError) as caught:
        fetch(tmp_path, home, node(lines(company, None)))
    assert time.monotonic() - begun < 40  # 3 s; the rest is for a busy machine
    told = str(caught.value)
    assert f"the certificate of the npm registry {company.url}/ is not trusted. Set coding_agents_ca_file" in told
    assert "s3cr3t" not in told and "Y2k6" not in told


def test_an_npm_that_does_not_tell_its_settings_installs_all_the_same(home: Path, tmp_path: Path) -> None:
    plain = Registry()
    plain.add_npm(NAME, "1.2.3", COMMAND)
    (tmp_path / "bin").mkdir()
    npm = tmp_path / "bin" / "npm"
    npm.write_text(f'#!/bin/sh\n[ "$1" = config ] && exit 1\nexec {os.path.realpath(shutil.which("npm") or "")} "$@"\n')
    npm.chmod(0o755)
    fetch(tmp_path, home, {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}, npm_registry=f"{plain.url}/")
    plain.close()
