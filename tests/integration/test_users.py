# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Root manages the homes of several users: each with that user's rights, and one user's trouble is nobody else's.

The users are real ones, made for these tests and removed after them. Each is one situation.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import homes
from tests.control_node import ControlNode, Operator, Play
from tests.hosts.tree import Manifest, differences, manifest
from tests.workspace.client import Workspace

GOOD = ("fmapi-good", "fmapi-other", "fmapi-closed")
"""The user of many marks, a plain one, and one whose home root cannot enter."""

BAD = {
    "fmapi-broken": "settings.json: line 2, column 3: is not valid JSON",
    "fmapi-dirlink": "cannot be written to (Permission denied)",
    "fmapi-filelink": "which belongs to another user",
    "fmapi-cfglink": "which belongs to another user",
    "fmapi-dangling": "is a symbolic link to ../gone.json, which does not exist",
    "fmapi-readonly": "dotfiles/claude-settings.json, which is read-only. If it may be changed",
}
GROUP = "fmapi-team"
HELPER = ".local/share/fmapi-coding-agents/token-helper"
LEDGER = ".local/state/fmapi-coding-agents/ledger.json"


def _need(condition: bool, what: str) -> None:
    """Skip where the machine cannot do it; in CI that is a failure."""
    if not condition:
        if os.environ.get("CI") == "true":
            pytest.fail(what)
        pytest.skip(what)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _as_user(name: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program with a user's rights and nothing else of root's."""
    user = pwd.getpwnam(name)
    rights = ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--init-groups"]
    environment = {"PATH": os.environ["PATH"], "HOME": user.pw_dir, "USER": name}
    return subprocess.run([*rights, *command], env=environment, cwd="/", capture_output=True, text=True, check=False)


def _manifest(name: str) -> Manifest:
    """A home as its user sees it, with ACLs and extended attributes."""
    home = pwd.getpwnam(name).pw_dir
    tree = Path(__file__).resolve().parents[1] / "hosts" / "tree.py"
    if name == "fmapi-closed":
        user = pwd.getpwnam(name)
        rights = ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--init-groups"]
        told = subprocess.run(
            [*rights, "/usr/bin/python3", "-I", "-", home],
            input=tree.read_bytes(),
            cwd="/",
            capture_output=True,
            check=True,
        )
        found: Manifest = json.loads(told.stdout)
        return found
    found = manifest(home)
    for path, entry in found.items():
        if entry["type"] in ("file", "directory"):
            where = os.path.join(home, path)
            entry["attributes"] = {one: os.getxattr(where, one).hex() for one in os.listxattr(where)}
    return found


@dataclass
class Story:
    """What was run, in this order, and how the homes looked before and after each run."""

    folder: Path
    operator: Operator
    plays: dict[str, Play] = field(default_factory=dict)
    states: dict[str, dict[str, Manifest]] = field(default_factory=dict)

    def variables(self, users: list[str], **own: Any) -> dict[str, Any]:
        values = {"ca_file": str(self.folder / "ca.pem"), "home": None, "users": users, **own}
        return self.operator.variables(Path("/"), **values)

    def run(self, name: str, playbook: str, users: list[str], *options: str) -> None:
        hosts = {"host": self.variables(users)}
        secrets = (self.operator.workspace.client_secret, homes.OTHER_KEY, homes.OTHER_SECRET)
        self.plays[name] = self.operator.control.run(playbook, hosts, *options, watch=secrets)
        self.states[name] = {user: _manifest(user) for user in (*GOOD, *BAD)}

    def changes(self, user: str, since: str, until: str, times: bool = False) -> list[str]:
        return differences(self.states[since][user], self.states[until][user], times=times)


def _make_users(folder: Path) -> dict[str, Path]:
    _run("groupadd", "--system", GROUP)
    made = {}
    for name in (*GOOD, *BAD):
        home = folder / "home" / name
        _run(
            "useradd",
            "--system",
            "--no-create-home",
            "--user-group",
            "--home-dir",
            str(home),
            "--shell",
            "/bin/sh",
            name,
        )
        made[name] = home
    _run("usermod", "--append", "--groups", GROUP, "fmapi-good")
    return made


def _remove_users() -> None:
    for name in (*GOOD, *BAD):
        subprocess.run(["userdel", name], capture_output=True, check=False)
        subprocess.run(["groupdel", name], capture_output=True, check=False)
    subprocess.run(["groupdel", GROUP], capture_output=True, check=False)


def _own(home: Path, name: str) -> None:
    _run("chown", "--recursive", "--no-dereference", f"{name}:{name}", str(home))


def _settle_in(folder: Path, made: dict[str, Path]) -> None:
    """Each user's situation."""
    for name, home in made.items():
        if name != "fmapi-closed":
            (homes.bare if name == "fmapi-other" else homes.lived_in)(home)
        settings = home / ".claude" / "settings.json"
        if name == "fmapi-broken":
            settings.resolve().write_text('{\n  model: "opus"\n}\n')
        elif name == "fmapi-dirlink":
            target = folder / "of-root"
            target.mkdir(mode=0o755)
            shutil.rmtree(home / ".claude")
            (home / ".claude").symlink_to(target)
        elif name == "fmapi-filelink":
            (folder / "of-root.json").write_text('{"of": "root"}\n')
            settings.unlink()
            settings.symlink_to(folder / "of-root.json")
        elif name == "fmapi-cfglink":
            theirs = made["fmapi-good"] / ".databrickscfg"
            theirs.chmod(0o644)
            (home / ".databrickscfg").unlink()
            (home / ".databrickscfg").symlink_to(theirs)
        elif name == "fmapi-dangling":
            settings.unlink()
            settings.symlink_to("../gone.json")
        elif name == "fmapi-readonly":
            settings.resolve().chmod(0o444)
        if name != "fmapi-closed":
            _own(home, name)
    good = made["fmapi-good"]
    good.chmod(0o755)
    target = good / "dotfiles" / "claude-settings.json"
    shutil.chown(target, group=GROUP)
    target.chmod(0o640)
    _run("setfacl", "--modify", "u:fmapi-other:r", str(target))
    _run("setfacl", "--modify", "g:fmapi-other:r", str(good / ".claude.json"))
    os.setxattr(target, "user.note", b"mine")
    os.setxattr(good / ".databrickscfg", "user.note", b"mine, too")


def _mount_closed_home(folder: Path, home: Path, name: str) -> subprocess.Popen[bytes]:
    """A home that its user has mounted and that root is refused: as with a root-squashed share, only sooner.

    The user's own file system program (FUSE) without ``allow_other``. It gets the right to mount, and no other, from us.
    """
    user = pwd.getpwnam(name)
    layers = [folder / "layers" / one for one in ("lower", "upper", "work")]
    for layer in (home, *layers):
        layer.mkdir(parents=True, exist_ok=True)
        os.chown(layer, user.pw_uid, user.pw_gid)
    (layers[1] / ".claude").mkdir()
    (layers[1] / ".claude" / "settings.json").write_text('{"mine": true}\n')
    _own(layers[1], name)
    mounts = ["--inh-caps", "+sys_admin,+dac_override", "--ambient-caps", "+sys_admin,+dac_override"]
    options = ",".join(f"{one}dir={layer}" for one, layer in zip(("lower", "upper", "work"), layers, strict=True))
    process = subprocess.Popen(
        ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups", *mounts]
        + ["fuse-overlayfs", "-f", "-o", options, str(home)],
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _wait in range(200):
        try:
            os.listdir(home)
        except PermissionError:
            return process
        assert process.poll() is None, "fuse-overlayfs could not mount"
        time.sleep(0.05)
    raise AssertionError("root can enter the home that should be closed to it")


@pytest.fixture(scope="module")
def story(
    workspace_process: Workspace, installed_cli: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    """All users in one call: dry run, rollout, a second one, uninstall."""
    _need(os.geteuid() == 0, "needs root, to make users and to become them")
    missing = [one for one in ("useradd", "setpriv", "setfacl", "fuse-overlayfs") if shutil.which(one) is None]
    _need(not missing, f"needs {missing}: apt-get install -y passwd util-linux acl fuse-overlayfs")
    folder = Path(f"/tmp/fmapi-test-users-{os.getpid()}")
    folder.mkdir(mode=0o755)
    process = None
    try:
        _remove_users()
        made = _make_users(folder)
        (folder / "home").mkdir(mode=0o755)
        process = _mount_closed_home(folder, made["fmapi-closed"], "fmapi-closed")
        _settle_in(folder, made)
        shutil.copytree(installed_cli, folder / "prefix", symlinks=True)
        shutil.copy(workspace_process.ca_file, folder / "ca.pem")
        _run("chmod", "--recursive", "a+rX", str(folder / "prefix"), str(folder / "ca.pem"))
        workspace_process.reset()
        operator = Operator(ControlNode(tmp_path_factory.mktemp("users")), workspace_process, folder / "prefix")
        told = Story(folder, operator)
        everybody = [*GOOD, *BAD]
        told.states["start"] = {user: _manifest(user) for user in everybody}
        told.run("dry", "rollout", everybody, "--check", "--diff", "-vvv")
        told.run("rollout", "rollout", everybody, "--diff", "-vvv")
        told.run("second", "rollout", list(GOOD))
        yield told
    finally:
        if process is not None:
            subprocess.run(["umount", str(folder / "home" / "fmapi-closed")], check=True)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:  # it does not always notice that its mount is gone
                process.kill()
                process.wait(10)
        _remove_users()
        shutil.rmtree(folder, ignore_errors=True)


def _settings(user: str) -> dict[str, Any]:
    """A user's settings, read by that user."""
    told = _as_user(user, "cat", f"{pwd.getpwnam(user).pw_dir}/.claude/settings.json")
    read: dict[str, Any] = json.loads(told.stdout)
    return read


def test_a_dry_run_for_all_users_writes_nothing_and_says_what_the_run_does(story: Story) -> None:
    assert [line for user in (*GOOD, *BAD) for line in story.changes(user, "start", "dry", times=True)] == []
    shown = {name: story.plays[name].shown("host") for name in ("dry", "rollout")}
    assert shown["dry"] == shown["rollout"]
    ours = ("coding-agents", "coding-agents.pyz", "config.json", "token-helper", "wanted.json")
    files = {f"~/.local/share/fmapi-coding-agents/{name}" for name in ours}
    rest = {
        path for path in shown["dry"] if not path.startswith(("~/.claude/skills/", "~/.local/bin/", "~/.local/share/"))
    }
    assert files <= set(shown["dry"])
    assert rest == {"~/.databrickscfg", "~/.claude.json", "~/.claude/settings.json"}


def test_one_users_trouble_leaves_the_others_finished_and_is_named(story: Story) -> None:
    # By then, the file that the link leads to is its owner's alone.
    in_rollout = {**BAD, "fmapi-cfglink": ".databrickscfg: cannot be read (Permission denied)"}
    for play, wrong in ((story.plays["dry"], BAD), (story.plays["rollout"], in_rollout)):
        assert play.status != 0
        first, *lines = play.message().splitlines()
        assert first == f"{len(BAD)} of {len(GOOD) + len(BAD)} users failed: {', '.join(BAD)}"
        for user, what in wrong.items():
            (said,) = (line for line in lines if line.startswith(f"{user}: "))
            assert what in said, f"{user}: {said}"
            assert f"{user} on host" in " ".join(play.report())
        for user in GOOD:
            assert f"{user}: " not in play.message() and f"{user} on host" not in " ".join(play.report())
    for user in BAD:
        assert story.changes(user, "start", "rollout", times=True) == [], user
    for user in GOOD:
        assert _settings(user)["apiKeyHelper"] == f"{pwd.getpwnam(user).pw_dir}/{HELPER}"
    assert story.plays["second"].ok().changed() == 0
    assert story.plays["second"].starts == {"host": 1}
    assert [line for user in GOOD for line in story.changes(user, "rollout", "second")] == []


def test_a_file_that_breaks_later_holds_up_nobody_either(story: Story) -> None:
    """The look finds it, the others' drift is mended, then the task fails and names it; the report does, too."""
    settings = Path(pwd.getpwnam("fmapi-other").pw_dir, ".claude", "settings.json")
    helper = Path(pwd.getpwnam("fmapi-good").pw_dir, HELPER)
    kept, status = settings.read_bytes(), settings.stat()
    helper.unlink()
    settings.write_text("{")
    try:
        variables = story.variables(["fmapi-other", "fmapi-good"])
        play = story.operator.control.run("rollout", {"host": variables})
        assert play.status == 2, play.output
        (look,) = play.results("coding_agents_info", status="ok")
        assert list(look["failed_users"]) == ["fmapi-other"] and look["drifted_parts"] == ["databricks_oauth"]
        assert play.message().splitlines()[0] == "1 of 2 users failed: fmapi-other"
        assert play.starts == {"host": 2}
        assert settings.read_text() == "{" and helper.stat().st_uid == pwd.getpwnam("fmapi-good").pw_uid
        report = " ".join(play.report())
        assert report.count("fmapi-other on host") == 1 and "Changed: token helper" in report
    finally:
        settings.write_bytes(kept)
        os.utime(settings, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_files_belong_to_their_user_and_secrets_to_nobody_else(story: Story) -> None:
    for user in GOOD:
        entry = pwd.getpwnam(user)
        state = story.states["rollout"][user]
        owned = {path: one for path, one in state.items() if path not in story.states["start"][user]}
        assert {one["owner"] for one in owned.values()} == {f"{entry.pw_uid}:{entry.pw_gid}"}, user
        assert {one["mode"] for one in owned.values() if one["type"] == "directory"} == {"0700"}, user
        assert {state[path]["mode"] for path in (HELPER, ".databrickscfg", LEDGER)} == {"0700", "0600"}, user
        tokens = [one["mode"] for path, one in state.items() if path.startswith(".cache/") and one["type"] == "file"]
        assert tokens and set(tokens) == {"0600"}
        helped = _as_user(user, f"{entry.pw_dir}/{HELPER}")
        assert helped.returncode == 0 and len(helped.stdout.strip()) > 20, helped.stderr


def test_a_planted_link_never_makes_root_write_outside_its_users_reach(story: Story) -> None:
    assert list((story.folder / "of-root").iterdir()) == []
    assert (story.folder / "of-root.json").read_text() == '{"of": "root"}\n'
    assert (story.folder / "of-root.json").stat().st_uid == 0
    good = pwd.getpwnam("fmapi-good")
    profiles = Path(good.pw_dir, ".databrickscfg")
    assert profiles.stat().st_uid == good.pw_uid
    assert profiles.read_text().count("[fmapi-coding-agents]") == 1


def test_a_link_into_the_users_dotfiles_is_edited_in_its_target(story: Story) -> None:
    state = story.states["rollout"]["fmapi-good"]
    assert state[".claude/settings.json"]["target"] == "../dotfiles/claude-settings.json"
    assert "apiKeyHelper" in Path(pwd.getpwnam("fmapi-good").pw_dir, "dotfiles/claude-settings.json").read_text()


def test_group_mode_acl_and_attributes_stay(story: Story) -> None:
    for path in ("dotfiles/claude-settings.json", ".claude.json", ".databrickscfg"):
        old, new = (story.states[name]["fmapi-good"][path] for name in ("start", "rollout"))
        assert old["sha256"] != new["sha256"], path
        assert old["owner"] == new["owner"], path
        assert old["attributes"] and old["attributes"] == new["attributes"], path
        if path != ".databrickscfg":  # it holds a secret now: tightened
            assert old["mode"] == new["mode"], path


def test_a_home_that_root_cannot_enter_is_managed_all_the_same(story: Story) -> None:
    with pytest.raises(PermissionError):
        os.listdir(pwd.getpwnam("fmapi-closed").pw_dir)
    assert _settings("fmapi-closed")["mine"] is True


def test_no_secret_is_told_for_many_users(story: Story) -> None:
    """That no process showed one was watched while the runs were going on."""
    planted = (story.operator.workspace.client_secret, homes.OTHER_KEY, homes.OTHER_SECRET)
    for name, play in story.plays.items():
        assert not [secret for secret in planted if secret in play.output + json.dumps(play.events)], name


def test_a_user_that_does_not_exist_holds_nobody_up_and_is_named(story: Story) -> None:
    before = {user: _manifest(user) for user in GOOD}
    users = {"host": story.variables(["fmapi-nobody-here", "fmapi-good"])}
    play = story.operator.control.run("rollout", users)
    assert play.status != 0
    assert "1 of 2 users failed: fmapi-nobody-here" in play.message()
    assert "coding_agents_users fmapi-nobody-here: is no user of this host. Correct the name" in play.message()
    play = story.operator.control.run("uninstall", users, "--check").ok()
    assert "coding_agents_users fmapi-nobody-here: is no user of this host: nothing to give back" in play.told
    changed = [line for user in GOOD for line in differences(before[user], _manifest(user), times=True)]
    assert [line for line in changed if not line.startswith("changed: .cache/")] == [], "but for a new token"


def test_other_users_without_root_are_refused(
    story: Story, as_plain_user: Callable[[Path], Path], tmp_path: Path
) -> None:
    before = {user: _manifest(user) for user in GOOD}
    python = as_plain_user(story.folder)
    variables = {
        **story.variables(["fmapi-good"]),
        "ansible_python_interpreter": str(python),
        "ansible_remote_tmp": "/tmp",
    }
    play = story.operator.control.run("rollout", {"host": variables})
    assert play.status != 0
    assert "user fmapi-good: only root can work for another user. Use become: true" in play.message(), play.output
    assert [line for user in GOOD for line in differences(before[user], _manifest(user), times=True)] == []


@pytest.fixture
def as_plain_user() -> Callable[[Path], Path]:
    """A Python that runs modules as the user ``fmapi-other``, as a connection to that account would."""

    def make(folder: Path) -> Path:
        user = pwd.getpwnam("fmapi-other")
        path = folder / "python-of-a-plain-user"
        rights = f"setpriv --reuid {user.pw_uid} --regid {user.pw_gid} --clear-groups"
        path.write_text(f'#!/bin/sh\nexec {rights} /usr/bin/python3 "$@"\n')
        path.chmod(0o755)
        return path

    return make


def test_uninstall_for_all_users_gives_every_byte_back(story: Story) -> None:
    """The last one: also for those whose files were never touched, broken as they are."""
    story.run("uninstall", "uninstall", [*GOOD, *BAD])
    assert story.plays["uninstall"].status == 0, story.plays["uninstall"].output
    for user in (*GOOD, *BAD):
        assert story.changes(user, "start", "uninstall") == [], user
