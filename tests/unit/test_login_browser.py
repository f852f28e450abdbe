# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which browser is opened where: told from arguments, so that WSL and macOS are tested on Linux."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import browser, login
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.browser import Opening, Place, openers
from ansible_collections.fmapi.coding_agents.plugins.module_utils.platforms import PLATFORMS

from tests.databricks_cli.fixtures import databricks_cli
from tests.unit.signing_in import Home, recorder, script
from tests.workspace.client import Workspace

__all__ = ["databricks_cli"]

WSL2, WSL1 = "5.15.167.4-microsoft-standard-WSL2", "4.4.0-19041-Microsoft"
LINUX, MAC = "6.12.43+deb13-amd64", "24.6.0"
URL = "https://w.example.com/oidc/v1/authorize?client_id=databricks-cli&redirect_uri=http%3A%2F%2Flocalhost%3A8020&state=a%26b"


def programs(directory: Path, *names: str) -> str:
    """A directory with these programs, as a PATH."""
    for name in names:
        script(directory / name, "exit 0")
    directory.mkdir(exist_ok=True)
    return str(directory)


@pytest.fixture(autouse=True)
def nothing_else_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither Windows' programs nor this machine's browsers are found, but for those that a test makes."""
    moved = {
        name: one._replace(browser_directory=str(tmp_path / ("System32" if one.is_wsl else "usr-bin")))
        for name, one in PLATFORMS.items()
    }
    monkeypatch.setattr(browser, "PLATFORMS", moved)


@pytest.mark.parametrize("release", [WSL1, WSL2])
def test_wsl_takes_wslview_then_windows_own_opener_then_the_browser_variable(release: str, tmp_path: Path) -> None:
    path = programs(tmp_path / "bin", "wslview", "xdg-open")
    windows = programs(tmp_path / "System32", "rundll32.exe")
    mine = str(script(tmp_path / "mine", "exit 0"))
    assert openers(Place("Linux", release, {"PATH": path, "BROWSER": mine})) == [
        [f"{path}/wslview"],
        [f"{windows}/rundll32.exe", "url.dll,FileProtocolHandler"],
        [mine],
    ]
    (tmp_path / "bin" / "wslview").unlink()
    (tmp_path / "System32" / "rundll32.exe").unlink()
    assert openers(Place("Linux", release, {"PATH": path, "BROWSER": mine})) == [[mine]]
    assert openers(Place("Linux", release, {"PATH": path})) == []


def test_a_desktop_takes_the_browser_variable_or_the_system_s_own_opener(tmp_path: Path) -> None:
    path = programs(tmp_path / "bin", "xdg-open", "www-browser", "open")
    mine = str(script(tmp_path / "with space" / "mine", "exit 0"))
    for desktop in ({"DISPLAY": ":0"}, {"WAYLAND_DISPLAY": "wayland-0"}):
        assert openers(Place("Linux", LINUX, {"PATH": path, **desktop})) == [
            [f"{path}/xdg-open"],
            [f"{path}/www-browser"],
        ]
        assert openers(Place("Linux", LINUX, {"PATH": path, "BROWSER": mine, **desktop})) == [[mine]]
    assert openers(Place("Darwin", MAC, {"PATH": path})) == [[f"{path}/open"]]
    assert openers(Place("Darwin", MAC, {"PATH": path, "BROWSER": mine})) == [[mine]]


@pytest.mark.parametrize(
    ("place", "desktop"),
    [
        (Place("Linux", LINUX, {}), False),
        (Place("Linux", LINUX, {"SSH_CONNECTION": "a"}), False),
        (Place("Linux", LINUX, {"SSH_CONNECTION": "a", "DISPLAY": "localhost:10.0"}), True),
        (Place("Linux", LINUX, {"DISPLAY": ":0"}), True),
        (Place("Linux", WSL2, {}), True),
        (Place("Darwin", MAC, {}), True),
        (Place("Darwin", MAC, {"SSH_CONNECTION": "a"}), False),
        (Place("Darwin", MAC, {"SSH_TTY": "/dev/ttys001"}), False),
        (Place("Darwin", WSL2, {"SSH_TTY": "/dev/ttys001"}), False),
    ],
)
def test_where_there_is_no_desktop_no_browser_of_the_system_is_opened(
    place: Place, desktop: bool, tmp_path: Path
) -> None:
    path = programs(tmp_path / "bin", "xdg-open", "open", "wslview")
    assert place.has_desktop is desktop
    known = place._replace(environment={**place.environment, "PATH": path})
    assert bool(openers(known)) is desktop


@pytest.mark.parametrize("place", [Place("Linux", LINUX, {}), Place("Linux", WSL2, {}), Place("Darwin", MAC, {})])
def test_browser_none_means_none_everywhere(place: Place, tmp_path: Path) -> None:
    path = programs(tmp_path / "bin", "xdg-open", "open", "wslview")
    assert openers(place._replace(environment={"PATH": path, "BROWSER": "none", "DISPLAY": ":0"})) == []


def test_a_link_reaches_every_opener_as_one_argument(tmp_path: Path) -> None:
    log = tmp_path / "log"
    spaced = recorder(tmp_path / "with space" / "browser", log)
    recorder(tmp_path / "System32" / "rundll32.exe", log)
    plain = recorder(tmp_path / "plain", log)
    for place, expected in (
        (Place("Linux", LINUX, {"BROWSER": str(spaced)}), [URL]),
        (Place("Linux", LINUX, {"BROWSER": f"{plain} --new-window"}), ["--new-window", URL]),
        (Place("Linux", WSL2, {"PATH": "/usr/bin:/bin"}), ["url.dll,FileProtocolHandler", URL]),
    ):
        log.unlink(missing_ok=True)
        opening = Opening(openers(place), URL, {"PATH": "/usr/bin:/bin"})
        until = time.monotonic() + 60
        while not log.exists() or len(log.read_text().splitlines()) < len(expected):
            assert not opening.has_failed()
            assert time.monotonic() < until
            time.sleep(0.01)
        assert log.read_text().splitlines() == expected


def test_the_next_opener_is_tried_when_one_fails(tmp_path: Path) -> None:
    log = tmp_path / "log"
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF of another machine")
    broken.chmod(0o755)
    last = recorder(tmp_path / "last", log)
    opening = Opening([[str(broken)], ["/nowhere/browser"], ["/bin/false"], [str(last)]], URL, {"PATH": "/bin"})
    until = time.monotonic() + 60
    while not log.exists() or not log.read_text():
        assert not opening.has_failed()
        assert time.monotonic() < until
        time.sleep(0.01)
    hopeless = Opening([["/bin/false"]], URL, {"PATH": "/bin"})
    while not hopeless.has_failed():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("opener", ["wslview", "rundll32.exe"])
def test_a_person_on_wsl_signs_in_through_windows(
    opener: str, tmp_path: Path, workspace: Workspace, databricks_cli: Path
) -> None:
    home = Home(tmp_path / "one", workspace, databricks_cli)
    # The last argument is the link, for both of them.
    script(tmp_path / "System32" / opener, f'for last; do :; done\nexec "{home.browser}" "$last"')
    environment = {**home.variables, "BROWSER": "false"}
    done = login.login(home.config, login.Options(60, True, 0), Place("Linux", WSL2, environment))
    assert done == (False, f"signed in as {workspace.user_name} to {workspace.url}")
    assert len(home.opened()) == 1
