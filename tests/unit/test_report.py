# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report at the end of a playbook: what is equal on many hosts is said once, what is wrong comes first, nothing comes twice."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import reports

URL = "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com"
LOGIN = "~/.local/share/fmapi-coding-agents/coding-agents login"
PREFLIGHT = {
    "workspace_url": URL,
    "routing": "gateway",
    "routing_reason": "set by the operator",
    "models": [{"model": "opus-4-6", "status": "READY"}, {"model": "haiku-4-5", "status": "READY"}],
    "user_name": "robot",
    "checked": True,
}


def entry(person: str, module: str = "coding_agents", **own: Any) -> dict[str, Any]:
    """An entry of ``person``'s laptop."""
    return {"host": f"laptop-{person}", "module": module, "status": "ok", "homes": [f"/home/{person}"], **own}


def shown(*entries: dict[str, Any], **own: Any) -> list[str]:
    return [line.text for line in lines(*entries, **own)]


def lines(*entries: dict[str, Any], **own: Any) -> list[reports.Line]:
    hosts = list(dict.fromkeys(one["host"] for one in entries))
    return reports.lines(entries, reports.Run(**{"hosts": hosts, "width": 200, **own}))


def changed(person: str, *names: str, **own: Any) -> dict[str, Any]:
    changes = [f"/home/{person}/{name}: key" for name in names or (".claude/settings.json",)]
    return entry(person, changed=True, changes=changes, **own)


def failed(person: str, message: str, **own: Any) -> dict[str, Any]:
    return entry(person, status="failed", msg=message, **own)


# What failed


def test_equal_causes_are_said_once_with_their_hosts_and_the_one_way_out() -> None:
    found = shown(
        changed("linus"),
        failed("ada", "/home/ada/.claude/settings.json: line 3, column 5: is no JSON\nMend the file"),
        failed("grace", "/home/grace/.claude/settings.json: line 3, column 5: is no JSON\nMend the file"),
    )
    assert found[:4] == [
        "Coding agents on 3 hosts: 2 failed, 1 changed",
        "Failed: ~/.claude/settings.json: line 3, column 5: is no JSON",
        "  laptop-ada, laptop-grace",
        "  -> Mend the file",
    ]


def test_what_is_a_host_s_own_does_not_keep_equal_causes_apart() -> None:
    session = {"state": "absent", "detail": ""}
    found = shown(
        failed("ada", "no user ada on laptop-ada", session=[{"user": "ada", **session}]),
        failed("grace", "no user grace on laptop-grace", session=[{"user": "grace", **session}]),
    )
    assert found[1:3] == ["Failed: no user USER on HOST", "  laptop-ada, laptop-grace"]


def test_a_cause_of_one_host_is_shown_as_it_is() -> None:
    found = shown(failed("ada", "no user ada on laptop-ada", session=[{"user": "ada", "state": "absent"}]))
    assert found == ["Failed: no user ada on laptop-ada", "  laptop-ada"]


def test_what_ansible_puts_before_a_message_is_left_out() -> None:
    assert shown(failed("ada", "Task failed: Module failed: no space left"))[0] == "Failed: no space left"


def test_of_several_users_those_who_failed_are_named() -> None:
    one = failed("shared", "2 of 3 users failed. ada: x; bob: x", failed_users={"ada": "x", "bob": "x"})
    look = entry("shared", "coding_agents_info", failed_users={"ada": "x", "bob": "x"})
    assert shown(look, one) == ["Failed: x", "  ada on laptop-shared, bob on laptop-shared"]


def test_several_mistakes_in_variables_stand_in_a_line_each() -> None:
    found = shown(failed("ada", "coding_agents_routing is no routing\ncoding_agents_agents names no agent"))
    assert found == [
        "Failed: coding_agents_routing is no routing",
        "  coding_agents_agents names no agent",
        "  laptop-ada",
    ]


def test_the_cause_of_most_hosts_comes_first() -> None:
    found = shown(failed("ada", "rare"), failed("bob", "common"), failed("eve", "common"))
    assert [line for line in found if line.startswith("Failed")] == ["Failed: common", "Failed: rare"]


SSH = "Failed to connect to the host via ssh: Warning: added\nssh: connect to host {} port 22: Connection timed out"


def test_unreachable_hosts_are_grouped_by_reason_whatever_their_address() -> None:
    found = shown(
        entry("ada", status="unreachable", msg=SSH.format("10.0.0.7")),
        entry("bob", status="unreachable", msg=SSH.format("fe80::1")),
        entry("eve", status="unreachable", msg=SSH.format("laptop-eve")),
    )
    assert found == [
        "Coding agents on 3 hosts: 3 unreachable",
        "Unreachable: connect to host HOST port 22: Connection timed out",
        "  laptop-ada, laptop-bob, laptop-eve",
    ]


def test_a_host_that_left_the_play_without_a_word_is_named() -> None:
    found = shown(changed("ada"), hosts=["laptop-ada", "laptop-bob"], gone=["laptop-bob"])
    assert found[0] == "Coding agents on 2 hosts: 1 changed, 1 not reached"
    assert found[1:3] == ["Unreachable, or stopped before anything was done there (see above):", "  laptop-bob"]


def test_nothing_of_all_that_is_said_without_an_entry() -> None:
    assert shown() == []
    assert shown(gone=["a"])[1:] == ["  a"]


# What changed


def test_changes_are_a_few_words_and_equal_ones_are_grouped() -> None:
    people = [f"p{number}" for number in range(9)]
    found = shown(*[changed(one, ".claude/settings.json", ".claude/settings.json", ".databrickscfg") for one in people])
    assert found[:3] == [
        "Coding agents on 9 hosts: 9 changed",
        "Changed: settings.json, .databrickscfg",
        "  laptop-p0, laptop-p1 and 7 more",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("/home/ada/.claude/settings.json: env.ANTHROPIC_BASE_URL", "settings.json"),
        ("/home/a b/.databrickscfg: fmapi.host", ".databrickscfg"),
        ("/home/ada/.claude.json: mode 0600", ".claude.json"),
        ("/home/ada/.local/share/fmapi-coding-agents/token-helper: token helper", "token helper"),
        ("/home/ada/.local/share/fmapi-coding-agents/token-helper: token helper: removed", "token helper"),
        ("/home/ada/.local/share/fmapi-coding-agents/token-helper: mode 0700", "token-helper"),
        ("/home/ada/.local/bin/claude: Claude Code 2.1.197 -> ../share/x", "Claude Code 2.1.197"),
        ("Claude Code 2.1.197", "Claude Code 2.1.197"),
        ("/home/ada/.config/x", "x"),
    ],
)
def test_a_change_is_named_by_its_file_or_by_what_it_is(change: str, words: str) -> None:
    assert shown(entry("ada", changed=True, changes=[change]))[0] == f"Changed: {words}"


def test_verbose_names_every_host_and_the_unchanged_ones() -> None:
    people = [f"p{number}" for number in range(5)]
    found = shown(*[changed(one) for one in people], entry("ok"), verbose=True)
    assert "  laptop-p0, laptop-p1, laptop-p2, laptop-p3, laptop-p4" in found
    assert found[found.index("Unchanged:") + 1] == "  laptop-ok"


def test_a_second_run_is_one_line() -> None:
    assert shown(entry("ada"), entry("bob")) == ["Coding agents on 2 hosts: 2 unchanged"]
    assert shown(entry("ada")) == ["Unchanged:", "  laptop-ada"]


def test_a_dry_run_says_would_and_how_to_do_it() -> None:
    found = shown(changed("ada", check_mode=True), entry("bob", check_mode=True))
    assert found == [
        "Coding agents on 2 hosts: 1 would change, 1 unchanged",
        "Would change: settings.json",
        "  laptop-ada",
        "Next: the same command without --check brings this about",
    ]


def test_the_look_before_a_change_does_not_count_it_twice() -> None:
    look = entry("ada", "coding_agents_info", changes=["/home/ada/.databrickscfg: a", "/home/ada/.gone: b"])
    assert "Changed: .databrickscfg" in shown(look, changed("ada", ".databrickscfg"))


def test_what_the_look_found_is_no_change_where_the_rollout_did_not_get_there() -> None:
    look = entry("ada", "coding_agents_info", changes=["/home/ada/.databrickscfg: a"])
    assert not [line for line in shown(look, failed("ada", "full disk")) if "hange" in line]


def test_a_host_of_which_a_part_failed_shows_what_changed_all_the_same() -> None:
    found = shown({**changed("ada"), "status": "failed", "failed_users": {"bob": "no home"}}, entry("bob"))
    assert found[0] == "Coding agents on 2 hosts: 1 failed, 1 unchanged"
    assert "Changed: settings.json" in found


def test_warnings_name_their_hosts_once() -> None:
    found = shown(
        entry("ada", warnings=["/home/ada/.bashrc: sets a key", "/home/ada/.bashrc: sets a key"]),
        entry("bob", warnings=["/home/bob/.bashrc: sets a key"]),
    )
    assert found[1:] == ["Warning: ~/.bashrc: sets a key", "  laptop-ada, laptop-bob"]


# What it went by, and what is next


def test_one_line_says_what_the_run_went_by_for_each_workspace() -> None:
    other = {**PREFLIGHT, "workspace_url": "https://other", "checked": False, "models": [], "user_name": None}
    found = shown(entry("ada", preflight=PREFLIGHT), entry("bob", preflight=PREFLIGHT), entry("eve", preflight=other))
    assert found[1:] == [
        f"{URL}: routing gateway (set by the operator), 2 models served, asked as robot",
        "https://other: routing gateway (set by the operator), models not checked",
    ]


def test_the_models_in_force_are_named_with_the_reason_for_their_names() -> None:
    models = {"claude_code": {"default": "a.b.c", "opus": "a.b.c", "haiku": "d.e.f"}}
    preflight = {**PREFLIGHT, "models_in_force": models, "models_reason": "named as model services"}
    assert shown(entry("ada", preflight=preflight))[-1] == "  models: a.b.c, d.e.f (named as model services)"


def test_chosen_models_are_named_with_whom_they_are_for_and_the_file_that_keeps_them() -> None:
    chosen = {"claude_code": {"default": "a.b.c", "opus": "a.b.c"}, "pi": {"haiku": "d.e.f"}}
    preflight = {**PREFLIGHT, "models_chosen": chosen, "models_file": "/m.yml"}
    said = ["  chosen: a.b.c for claude_code.default, claude_code.opus", "  chosen: d.e.f for pi.haiku"]
    pins = "; -e @FILE pins them"
    assert shown(entry("ada", preflight=preflight))[-3:] == [*said, f"  /m.yml holds them, for review{pins}"]
    dry = shown(entry("ada", preflight=preflight, check_mode=True))
    assert dry[-3:] == [*said, f"  /m.yml would hold them{pins}"]


def test_models_that_are_not_ready_are_named() -> None:
    models = [{"model": "opus-4-6", "status": "NOT_READY"}]
    found = shown(entry("ada", preflight={**PREFLIGHT, "models": models}))
    assert ", 1 model served, not ready: opus-4-6, asked as robot" in found[-1]


def test_what_another_report_of_the_run_said_of_the_workspace_is_not_said_again() -> None:
    assert not [
        line for line in shown(entry("ada", preflight=PREFLIGHT), is_told_first=lambda _what: False) if URL in line
    ]


def test_after_a_rollout_comes_the_doctor() -> None:
    assert shown(changed("ada"), doctor="doctor -i hosts")[-1] == "Next: doctor -i hosts"


def test_after_an_uninstall_comes_nothing() -> None:
    assert shown(changed("ada", state="absent")) == ["Changed: settings.json", "  laptop-ada"]


def test_who_must_sign_in_comes_before_the_doctor_with_each_command_once() -> None:
    def one(person: str, state: str) -> dict[str, Any]:
        return changed(person, session=[{"user": person, "state": state, "command": LOGIN}])

    found = shown(one("ada", "absent"), one("bob", "expired"), one("eve", "active"))
    assert found[-2:] == [f"Next: sign in with {LOGIN}", "  ada on laptop-ada, bob on laptop-bob"]


def test_without_a_command_the_playbook_sign_in_is_named() -> None:
    found = shown(changed("ada", session={"state": "absent", "detail": "no"}), sign_in="play sign_in")
    assert found[-2:] == ["Next: sign in; play sign_in says how", "  laptop-ada"]


# The doctor


def check(person: str, status: str, detail: str = "x", fix: str = "", category: str = "Auth") -> dict[str, str]:
    return {
        "home": f"/home/{person}",
        "user": person,
        "category": category,
        "check": "token helper",
        "status": status,
        "detail": detail,
        "fix": fix,
    }


def examined(person: str, *checks: dict[str, str]) -> dict[str, Any]:
    status = "failed" if any(one["status"] == "FAIL" for one in checks) else "ok"
    return entry(person, "agent_doctor", status=status, msg="1 of 2 checks failed", checks=list(checks))


def test_a_fleet_is_summed_up_and_faults_are_grouped_with_one_fix_failures_first() -> None:
    found = shown(
        examined("ok", check("ok", "PASS", "printed a token"), check("ok", "SKIP", "not asked")),
        examined("eve", check("eve", "WARN", "/home/eve/.bashrc sets it", "Take the line out")),
        examined("ada", check("ada", "FAIL", "/home/ada/t: ada is not signed in", "Sign in")),
        examined("bob", check("bob", "FAIL", "/home/bob/t: bob is not signed in", "Sign in")),
        entry("gone", "agent_doctor", status="unreachable", msg="timed out"),
    )
    assert found == [
        "Doctor on 5 hosts: 1 in order, 1 with warnings, 2 with faults, 1 unreachable",
        "Unreachable: timed out",
        "  laptop-gone",
        "FAIL Auth, token helper: ~/t: USER is not signed in",
        "  laptop-ada, laptop-bob",
        "  -> Sign in",
        "WARN Auth, token helper: ~/.bashrc sets it",
        "  laptop-eve",
        "  -> Take the line out",
    ]


def test_who_merely_has_to_sign_in_is_counted_apart_and_the_cause_of_most_hosts_comes_first() -> None:
    login = "Run: ~/.local/share/fmapi-coding-agents/coding-agents login"
    waiting = [
        examined(name, check(name, "FAIL", "not signed in to Databricks", login), check(name, "PASS"))
        for name in ("ada", "bob")
    ]
    both = check("eve", "FAIL", "is full", "Free some space", "Environment")
    found = shown(
        examined("ok", check("ok", "PASS")),
        examined("max", check("max", "WARN", "x", "y")),
        examined("eve", both, check("eve", "FAIL", "not signed in to Databricks", login)),
        *waiting,
        entry("gone", "agent_doctor", status="unreachable", msg="timed out"),
    )
    counts = "1 in order, 1 with warnings, 2 not signed in, 1 with faults, 1 unreachable"
    assert found[0] == f"Doctor on 6 hosts: {counts}"
    told = [line for line in found if line.startswith(("FAIL", "WARN"))]
    assert told == [
        "FAIL Auth, token helper: not signed in to Databricks",
        "FAIL Environment, token helper: is full",
        "WARN Auth, token helper: x",
    ]
    assert "  laptop-eve, laptop-ada, laptop-bob" in found


def test_verbose_adds_what_is_in_order_and_repeats_no_fault() -> None:
    found = shown(
        examined("ok", check("ok", "PASS", "printed a token"), check("ok", "SKIP", "not asked")),
        examined("ada", check("ada", "FAIL", "broken", "Sign in")),
        verbose=True,
    )
    assert found[-2:] == [
        "laptop-ok: PASS  Auth          token helper: printed a token",
        "laptop-ok: SKIP  Auth          token helper: not asked",
    ]
    assert "".join(found).count("broken") == 1


def test_who_runs_the_doctor_on_one_laptop_sees_each_check() -> None:
    found = shown(examined("ada", check("ada", "PASS", "fine"), check("ada", "FAIL", "/home/ada/x", "Sign in")))
    assert found == [
        "laptop-ada: PASS  Auth          token helper: fine",
        "laptop-ada: FAIL  Auth          token helper: /home/ada/x",
        "                                -> Sign in",
    ]


def test_one_host_of_many_is_no_single_laptop() -> None:
    found = shown(examined("ada", check("ada", "PASS")), hosts=["laptop-ada", "laptop-bob"])
    assert found == ["Doctor on 1 hosts: 1 in order"]


def test_users_of_a_shared_host_are_named_with_their_faults() -> None:
    both = [check("ada", "FAIL", "broken"), check("bob", "PASS")]
    assert "  ada on laptop-shared" in shown(examined("shared", *both), examined("ok", check("ok", "PASS")))
    assert "laptop-shared /home/ada: FAIL  Auth          token helper: broken" in shown(examined("shared", *both))


def test_a_doctor_that_could_not_look_says_why() -> None:
    found = shown(
        entry("ada", "agent_doctor", status="failed", msg="no user ada"), examined("bob", check("bob", "PASS"))
    )
    assert found[:3] == ["Doctor on 2 hosts: 1 in order, 1 with faults", "Failed: no user ada", "  laptop-ada"]


def test_a_play_that_rolls_out_and_examines_has_both_reports() -> None:
    found = shown(
        changed("ada"), entry("bob"), examined("ada", check("ada", "FAIL")), examined("bob", check("bob", "PASS"))
    )
    assert [line for line in found if " on 2 hosts: " in line] == [
        "Coding agents on 2 hosts: 1 changed, 1 unchanged",
        "Doctor on 2 hosts: 1 in order, 1 with faults",
    ]


def test_a_preflight_alone_says_what_it_found_and_nothing_of_hosts() -> None:
    found = shown(
        entry("ada", "workspace_info", preflight=PREFLIGHT), entry("bob", "workspace_info", preflight=PREFLIGHT)
    )
    assert found == [f"{URL}: routing gateway (set by the operator), 2 models served, asked as robot"]
    assert shown(entry("ada", status="skipped", preflight=PREFLIGHT)) == found
    assert shown(failed("ada", "no such model", module="workspace_info"))[0] == "Failed: no such model"


# Signing in


def sign_in(person: str, state: str, detail: str = "") -> dict[str, Any]:
    command = f"ssh -t -L 8020:localhost:8020 {person}@laptop-{person} '{LOGIN}'"
    return entry(person, "sign_in", session=[{"user": person, "state": state, "detail": detail, "command": command}])


def test_who_has_to_sign_in_comes_first_and_commands_that_differ_in_names_alone_are_one() -> None:
    found = shown(
        sign_in("ok", "signed_in", "a token can be had"),
        sign_in("eve", "unknown", "the keyring is locked"),
        sign_in("ada", "sign_in_needed", "not signed in"),
        sign_in("bob", "sign_in_needed", "not signed in"),
    )
    assert found == [
        "Has to sign in (not signed in):",
        "  ada on laptop-ada, bob on laptop-bob",
        f"  -> ssh -t -L 8020:localhost:8020 USER@HOST '{LOGIN}'",
        "May have to sign in (the keyring is locked):",
        "  eve on laptop-eve",
        f"  -> ssh -t -L 8020:localhost:8020 eve@laptop-eve '{LOGIN}'",
        "Signed in (a token can be had):",
        "  ok on laptop-ok",
    ]


def test_verbose_has_each_person_s_own_command() -> None:
    found = shown(sign_in("ada", "sign_in_needed"), sign_in("bob", "sign_in_needed"), verbose=True)
    assert [line for line in found if "-> ssh" in line and "USER" not in line] == [found[2], found[4]]


def test_only_the_last_that_is_known_of_a_person_counts() -> None:
    assert shown(sign_in("ada", "sign_in_needed"), sign_in("ada", "signed_in")) == ["Signed in:", "  ada on laptop-ada"]


# Diffs


def diff(person: str, before: str = "", after: str = '{\n  "a": 1\n}\n', mode: str = "no file") -> dict[str, str]:
    path = f"/home/{person}/.claude/settings.json"
    return {"before_header": f"{path} ({mode})", "after_header": f"{path} (0600)", "before": before, "after": after}


def test_an_equal_diff_of_many_hosts_is_shown_once_after_their_names_and_before_all_else() -> None:
    found = lines(changed("ada", diff=[diff("ada")]), changed("bob", diff=[diff("bob")]), diff=True)
    assert found[:8] == [
        reports.Line("~/.claude/settings.json on laptop-ada, laptop-bob (2 hosts)", "title"),
        reports.Line("--- before: ~/.claude/settings.json (no file)", "removed"),
        reports.Line("+++ after: ~/.claude/settings.json (0600)", "added"),
        reports.Line("@@ -0,0 +1,3 @@", "place"),
        reports.Line("+{", "added"),
        reports.Line('+  "a": 1', "added"),
        reports.Line("+}", "added"),
        reports.Line(""),
    ]
    assert found[8].text == "Coding agents on 2 hosts: 2 changed"


def test_homes_in_a_text_do_not_keep_diffs_apart_but_stand_as_they_are_in_one_alone() -> None:
    def one(person: str) -> dict[str, Any]:
        return changed(person, diff=[diff(person, after=f"/home/{person}/helper\n")])

    assert "+~/helper" in shown(one("ada"), one("bob"), diff=True)
    assert "+/home/ada/helper" in shown(one("ada"), entry("bob"), diff=True)


def test_a_different_text_is_a_diff_of_its_own() -> None:
    found = shown(changed("ada", diff=[diff("ada")]), changed("bob", diff=[diff("bob", after="{}\n")]), diff=True)
    assert len([line for line in found if line.startswith("~/.claude/settings.json on ")]) == 2


def test_a_missing_line_end_is_shown() -> None:
    found = shown(changed("ada", diff=[diff("ada", "a\n", "a", "0600")]), diff=True)
    assert found[4:7] == ["-a", "+a", "\\ No newline at end of file"]


def test_a_change_of_the_mode_alone_is_shown() -> None:
    found = shown(changed("ada", diff=[diff("ada", "a\n", "a\n", "0644")]), diff=True)
    assert found[1:3] == [
        "--- before: ~/.claude/settings.json (0644)",
        "+++ after: ~/.claude/settings.json (0600)",
    ]


def test_without_diff_none_is_shown() -> None:
    assert not [line for line in shown(changed("ada", diff=[diff("ada")])) if line.startswith(("+", "-"))]


# Lines


def test_names_are_wrapped_at_the_terminal_s_width_and_commands_never() -> None:
    people = [f"person-{number}" for number in range(12)]
    session = [{"user": "u", "state": "absent", "command": "c " * 60}]
    found = shown(*[changed(one, session=session) for one in people], width=60, verbose=True)
    assert [line for line in found if len(line) > 60] == [f"Next: sign in with {'c ' * 60}"]


def test_no_text_of_a_host_reaches_the_terminal_with_control_characters() -> None:
    found = shown(failed("ada", "bad \x1b[2J"), changed("bob", diff=[diff("bob", after="a\x1b[1m\tb\r\n")]), diff=True)
    assert "Failed: bad \\x1b[2J" in found and "+a\\x1b[1m\tb^M" in found
    assert "Failed: gpj.\\u202eexe\\ud800" in shown(failed("ada", "gpj.\u202eexe\ud800"))


def test_five_hundred_hosts_are_no_more_lines_than_one() -> None:
    many = [changed(f"p{number}", preflight=PREFLIGHT, diff=[diff(f"p{number}")]) for number in range(500)]
    assert len(shown(*many, diff=True)) == 13


# The file


def test_the_file_has_every_host_with_its_own_words_and_no_diff() -> None:
    entries = [
        changed("ada", diff=[diff("ada")], preflight=PREFLIGHT, programs={"claude_code": "2.1.197"}),
        failed("bob", "/home/bob/x: is no JSON\nMend it", warnings=["careful"]),
        entry("eve", status="unreachable", msg="timed out"),
        examined("joe", check("joe", "FAIL")),
    ]
    hosts = [one["host"] for one in entries]
    found = reports.data(entries, reports.Run(hosts=hosts, gone=["laptop-lost"]), "2026-01-02T03:04:05+00:00")
    assert json.loads(json.dumps(found)) == found
    assert found["schema"] == 1 and found["finished_at"] == "2026-01-02T03:04:05+00:00"
    assert found["summary"] == {"ok": 0, "changed": 1, "failed": 2, "unreachable": 1, "unknown": 1}
    assert found["workspaces"] == [{**PREFLIGHT, "hosts": ["laptop-ada"]}]
    assert found["hosts"]["laptop-ada"] == {
        "status": "changed",
        "errors": [],
        "changes": ["/home/ada/.claude/settings.json: key"],
        "warnings": [],
        "programs": {"claude_code": "2.1.197"},
        "session": [],
        "checks": [],
    }
    assert found["hosts"]["laptop-bob"]["errors"] == [{"user": "", "msg": "/home/bob/x: is no JSON\nMend it"}]
    assert found["hosts"]["laptop-eve"]["errors"] == [{"user": "", "msg": "timed out"}]
    assert found["hosts"]["laptop-joe"]["checks"] == [check("joe", "FAIL")]
    assert '"a": 1' not in json.dumps(found)


def test_the_file_of_a_dry_run_says_so() -> None:
    found = reports.data([changed("ada", check_mode=True)], reports.Run(), "")
    assert found["check_mode"] is True and found["hosts"]["laptop-ada"]["status"] == "changed"
