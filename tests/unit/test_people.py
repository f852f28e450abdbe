# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who of a host's accounts are people: by the range that the system gives to people, and a shell to log in with."""

from __future__ import annotations

import pwd

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import owners
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options import judge
from ansible_collections.fmapi.coding_agents.plugins.module_utils.people import people
from ansible_collections.fmapi.coding_agents.plugins.module_utils.platforms import PLATFORMS

PASSWD = """\
root:x:0:0::/root:/bin/bash
_spotlight:*:89:89::/var/empty:/usr/bin/false
sync:x:4:65534::/bin:/bin/sync
old:x:501:501::/home/old:/bin/sh
linus:x:1002:1002::/home/linus:/usr/bin/fish
ada:x:1000:1000::/home/ada:/bin/zsh
grace:x:1001:1001::/home/grace:
also-ada:x:1000:1000::/home/ada:/bin/bash
left:x:1003:1003::/home/left:/usr/sbin/nologin
kiosk:x:1004:1004::/home/kiosk:/bin/false
far:x:70000:70000::/home/far:/bin/bash
nobody:x:65534:65534::/nonexistent:/bin/sh
"""
DEBIAN = "# UID_MIN 1\nUID_MIN\t\t\t 1000\nUID_MAX\t\t\t60000\nSYS_UID_MIN 101\nSYS_UID_MAX 999\n"


def _accounts() -> list[pwd.struct_passwd]:
    fields = [line.split(":") for line in PASSWD.splitlines()]
    return [pwd.struct_passwd((one[0], one[1], int(one[2]), int(one[3]), *one[4:])) for one in fields]


@pytest.mark.parametrize(
    ("login_defs", "system", "names"),
    [
        (DEBIAN, "linux", "ada grace linus"),
        ("", "linux", "ada grace linus"),
        ("UID_MIN 500\nUID_MAX 1000\n", "linux", "ada old"),
        ("UID_MAX many\nUID_MIN 1001\n", "linux", "grace linus"),
        ("", "macos", "ada far grace linus nobody old"),
    ],
    ids=["Debian", "without the file", "another range", "a word for a number", "macOS"],
)
def test_people_are_those_of_the_range_with_a_login_shell(login_defs: str, system: str, names: str) -> None:
    assert [one.pw_name for one in people(_accounts(), login_defs, PLATFORMS[system].people)] == names.split()


def test_a_way_back_reaches_those_who_may_not_log_in_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pwd, "getpwall", _accounts)
    monkeypatch.setattr(owners, "_text", lambda path: DEBIAN if path == "/usr/etc/login.defs" else "")
    assert [one.user for one in owners.everybody(["linus", "unknown"], whatever_shell=False)] == ["ada", "grace"]
    everybody = [one.user for one in owners.everybody([], whatever_shell=True)]
    assert everybody == ["ada", "grace", "kiosk", "left", "linus"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"users": "all"}, ""),
        ({"users": ["all"], "exclude_users": "kiosk, left"}, ""),
        (
            {"users": ["all", "ada"]},
            "coding_agents_users names all, which is everybody, and others. Give all, or names.",
        ),
        ({"users": ["all"], "home": "/home/ada"}, "coding_agents_users and coding_agents_home are both set."),
        (
            {"users": ["ada"], "exclude_users": ["left"]},
            "coding_agents_exclude_users is set without coding_agents_users",
        ),
        ({"exclude_users": ["left"]}, "coding_agents_exclude_users is set without coding_agents_users: all."),
        (
            {"users": ["all"], "exclude_users": ["/home/x"]},
            "coding_agents_exclude_users names '/home/x', which is no user",
        ),
    ],
)
def test_what_is_said_of_everybody_is_judged_before_any_host(given: dict[str, object], said: str) -> None:
    problems = judge.problems(given)
    assert [one for one in problems if not one.startswith(said)] == [] and bool(problems) == bool(said)
