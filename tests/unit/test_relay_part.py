# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host gets the relay where it is wanted, agents are sent to it, and it goes without a trace: with the real relay."""

from __future__ import annotations

import http.server
import json
import os
import plistlib
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.fmapi.coding_agents.plugins.module_utils import examining, loading, module, rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents.whole_file import WHOLE
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import machine_owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options.judge import problems
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options.relay import SPEC, life_of
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import relay_service, relaying
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.context import agent_options
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.relay import Relay
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.wanted_state import SECRETS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How
from ansible_collections.fmapi.coding_agents.plugins.module_utils.platforms import PLATFORMS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay import clients, control, running
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.places import Places

from tests import homes
from tests.hosts.tree import differences, manifest
from tests.unit import relay_archive
from tests.unit.options_for import URL, carried, options_for, owner_of

CHECK, RUN = How(check=True), How()
BROUGHT = ["databricks_oauth", "relay", "agent_settings", "launcher"]


class Host:
    """A home with a relay of its own port."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.owner = owner_of(home)
        self.places = Places(str(home))
        self.chosen: dict[str, Any] = {
            "agents": ["gemini", "claude_code"],
            "relay": "auto",
            "relay_port": relay_archive.free_port(),
            "parts": BROUGHT,
            "carried": {**carried(), **relay_archive.carried(), "forgotten": SECRETS},
        }

    def options(self, **own: Any) -> dict[str, Any]:
        return options_for(**{**self.chosen, **own})

    def roll_out(self, how: How = RUN, **own: Any) -> dict[str, Any]:
        return rollout.apply(self.owner, self.options(**own), how)

    def look(self, **own: Any) -> dict[str, Any]:
        return rollout.look(self.owner, self.options(**own), CHECK)

    def uninstall(self, **own: Any) -> dict[str, Any]:
        return rollout.withdraw(self.owner, options_for(workspace_url=None, **own), RUN)

    @property
    def config(self) -> Config:
        return Config.load(str(self.home / ".local/share/fmapi-coding-agents/config.json"))

    def start(self) -> running.Found:
        return control.start(self.config, control.load(self.config))

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.config.front, *words], env=self.environment, capture_output=True, text=True, check=False, timeout=30
        )

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.home)}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(homes.lived_in(tmp_path / "home"))
    yield made
    found = running.find(made.places)
    if found is not None:
        os.kill(found.pid, 9)


def _until(true: Any) -> bool:
    """Whether it becomes so, in far more time than it takes."""
    for _turn in range(400):
        if true():
            return True
        time.sleep(0.02)
    return False


def _ends(pid: int) -> bool:
    """A child of this process, that nobody else takes note of, is one until it is asked for."""
    return _until(lambda: clients.of_process(pid) is None)


# -- what is brought ---------------------------------------------------------------------------------------------------


def test_a_rollout_brings_it_once_and_an_uninstall_leaves_no_trace(host: Host) -> None:
    before = manifest(str(host.home))
    foretold = host.roll_out(CHECK)
    assert foretold["changed"] and not differences(before, manifest(str(host.home)))
    done = host.roll_out()
    assert done["changes"] == foretold["changes"] and not host.look()["drifted"]
    assert not host.roll_out()["changed"]
    data = host.home / ".local/share/fmapi-coding-agents"
    assert (data / "relay.pyz").read_bytes() == relay_archive.archive()
    assert stat.S_IMODE((data / "relay.json").stat().st_mode) == 0o644
    found = host.start()
    assert stat.S_IMODE(os.stat(host.places.key).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(host.places.directory).st_mode) == 0o700
    assert host.uninstall()["changed"]
    assert _ends(found.pid), "the relay goes with what it stood for"
    assert not differences(before, manifest(str(host.home)))


def test_auto_is_for_agents_that_read_a_token_once_and_for_those_that_are_named() -> None:
    assert {name for name, agent in AGENTS.items() if agent.reads_token_once} == {"gemini"}

    def chosen(**own: Any) -> tuple[str, list[str]]:
        options = options_for(**own)
        return relaying.life(options), relaying.users(options)

    assert chosen(agents=["gemini", "codex"], relay="auto") == ("session", ["gemini"])
    assert chosen(agents=["codex"], relay="auto") == ("off", [])
    assert chosen(agents=["codex", "pi"], relay="auto", relay_clients=["codex"]) == ("session", ["codex"])
    assert chosen(agents=["codex"], relay="session") == ("session", [])
    assert chosen(agents=["gemini"]) == ("off", [])
    own_url = {"gemini": "https://llm.example.com/gemini"}
    assert chosen(agents=["gemini"], relay="session", base_urls=own_url) == ("session", [])


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_each_agent_that_uses_it_is_told_its_url_and_its_key_in_place_of_the_workspace_s(name: str, host: Host) -> None:
    options = host.options(agents=[name], relay="session", relay_clients=[name])
    told = agent_options(host.owner, options, name)
    assert all(url.startswith(f"http://127.0.0.1:{host.chosen['relay_port']}/") for url in told.base_urls.values())
    texts = [repr(one.values) for one in AGENTS[name].documents(told)] + [repr(AGENTS[name].launch(told))]
    assert f"127.0.0.1:{host.chosen['relay_port']}" in "".join(texts) and URL not in "".join(texts)
    assert told.token_helper.endswith("/relay-client")
    direct = agent_options(host.owner, options_for(agents=[name]), name)
    assert direct.token_helper.endswith("/token-helper") and "127.0.0.1" not in "".join(direct.base_urls.values())


# -- what travels ------------------------------------------------------------------------------------------------------


def test_a_host_that_lacks_it_says_so_before_anything_is_changed(host: Host) -> None:
    told = {**carried(), "relay_sha256": relay_archive.carried()["relay_sha256"]}
    looked = host.look(carried=told)
    assert looked["lacks_relay"] and looked["drifted"]
    before = manifest(str(host.home))
    with pytest.raises(relaying.RelayNeeded):
        host.roll_out(carried=told)
    assert not differences(before, manifest(str(host.home)))
    host.roll_out()
    looked = host.look(carried=told)
    assert "lacks_relay" not in looked and not looked["drifted"]
    assert not host.roll_out(carried=told)["changed"]


def test_the_person_can_repair_all_but_the_program_which_the_control_node_makes(host: Host) -> None:
    host.roll_out()
    data = Path(host.config.data_directory)
    (data / "relay-client").unlink()
    done = host.command("repair")
    assert done.returncode == 0 and (data / "relay-client").exists(), done.stderr
    assert host.command("status", "--json").returncode == 0
    (data / "relay.pyz").unlink()
    done = host.command("repair")
    assert done.returncode == 1 and "playbook repair" in done.stderr
    assert json.loads(host.command("status", "--json").stdout)["rollout"]["state"] == "drifted"


def test_nobody_s_work_begins_while_one_of_them_lacks_it(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a module has it: the call that brings the relay could not tell what had been done in this one."""
    other = Host(homes.lived_in(tmp_path / "other"))
    monkeypatch.setattr(loading, "load", lambda owner, given, module: rollout)
    host.roll_out()
    told = {**carried(), "relay_sha256": relay_archive.carried()["relay_sha256"]}
    owners = [host.owner._replace(user="ada"), other.owner._replace(user="grace")]
    before = manifest(str(tmp_path))
    found = module._unread(owners, host.options(carried=told), RUN)
    assert [sorted(one.result) for one in found] == [[], ["drifted", "needs_relay"]]
    assert module.merged(found)["needs_relay"] and not differences(before, manifest(str(tmp_path)))
    assert module._unread(owners, host.options(), RUN) == []


# -- while it runs -----------------------------------------------------------------------------------------------------


def test_a_change_has_the_running_relay_give_way_to_a_new_one(host: Host) -> None:
    host.roll_out()
    first = host.start()
    assert host.start() == first, "to start it twice is to start it once"
    assert host.roll_out(relay_idle_minutes=5)["changed"]
    second = running.find(host.places)
    assert second is not None and second.pid != first.pid and _ends(first.pid)


def test_switched_off_it_ends_and_its_key_goes(host: Host) -> None:
    host.roll_out()
    found = host.start()
    done = host.roll_out(relay="off")
    assert f"{host.places.directory}: the relay's key, log and what it noted are removed" in done["changes"]
    assert _ends(found.pid) and not os.path.lexists(host.places.directory)
    assert not (host.home / ".local/share/fmapi-coding-agents/relay.pyz").exists()
    assert not host.look(relay="off")["drifted"]


class _Stranger(http.server.BaseHTTPRequestHandler):
    asked: list[dict[str, str]] = []

    def do_GET(self) -> None:
        self.asked.append(dict(self.headers))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_who_holds_the_port_is_named_and_left_alone_and_learns_no_key(host: Host) -> None:
    host.roll_out()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", host.chosen["relay_port"]), _Stranger)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        done = host.command("relay", "start")
        assert done.returncode == 1 and f"port {host.chosen['relay_port']}" in done.stderr
        assert "coding_agents_relay_port" in done.stderr
        options = {**host.options(), "doctor_prompt": False}
        found = examining.examine(host.owner, options, CHECK)
        (check,) = [one for one in found["checks"] if one["check"] == "relay" and one["category"] == "Runtime files"]
        assert check["status"] == "FAIL" and "another program" in check["detail"]
        host.uninstall()
        assert not [one for one in _Stranger.asked if "Authorization" in one or "x-api-key" in one]
    finally:
        server.shutdown()
        server.server_close()


def test_the_command_starts_it_tells_of_it_and_has_it_end(host: Host) -> None:
    host.roll_out()
    off = json.loads(host.command("relay", "status", "--json").stdout)
    assert (off["running"], off["life"]) == (False, "session")
    key = host.command("relay", "key")
    assert key.stdout == Path(host.places.key).read_text() and not key.stderr
    found = running.find(host.places)
    assert found is not None
    told = json.loads(host.command("relay", "status", "--json").stdout)
    assert told["running"] and told["pid"] == found.pid and told["status"] == "ok"
    assert key.stdout.strip() not in json.dumps(told)
    assert host.command("relay", "stop").returncode == 0
    assert _ends(found.pid)


def test_the_key_command_of_agents_needs_no_python_where_the_relay_runs(host: Host) -> None:
    host.roll_out()
    script = f"{host.config.data_directory}/relay-client"
    first = subprocess.run([script], env=host.environment, capture_output=True, text=True, check=False, timeout=30)
    assert first.stdout == Path(host.places.key).read_text(), first.stderr
    os.rename(host.config.front, f"{host.config.front}.away")
    again = subprocess.run([script], env=host.environment, capture_output=True, text=True, check=False, timeout=30)
    assert (again.returncode, again.stdout, again.stderr) == (0, first.stdout, "")


def test_what_our_command_starts_counts_as_a_client_until_it_ends(host: Host, tmp_path: Path) -> None:
    host.roll_out()
    program = tmp_path / "programs" / "gemini"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$GOOGLE_GEMINI_BASE_URL $GEMINI_API_KEY"\nread -r _line\n')
    program.chmod(0o755)
    entry = Path(host.owner.launchers, "gemini")
    environment = {**host.environment, "PATH": f"{entry.parent}:{program.parent}:/usr/bin:/bin"}
    with subprocess.Popen(
        [str(entry)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as agent:
        assert agent.stdout is not None and agent.stdin is not None
        url, key = agent.stdout.readline().split()
        assert url == f"http://127.0.0.1:{host.chosen['relay_port']}/gemini"
        assert key == Path(host.places.key).read_text().strip()
        assert clients.living(host.places) == [f"{agent.pid}-agent"]
        agent.stdin.write("\n")
    assert clients.living(host.places) == []


def test_a_session_s_hooks_count_the_agent_that_calls_them(host: Host, tmp_path: Path) -> None:
    """Through the shell that agents start hooks with. Neither fails, and neither says anything."""
    host.roll_out()
    agent = tmp_path / "agent.py"
    agent.write_text(
        "import subprocess, sys\n"
        "for line in sys.stdin:\n"
        "    done = subprocess.run(line, shell=True, capture_output=True, stdin=subprocess.DEVNULL, check=False)\n"
        "    print(done.returncode, done.stdout, done.stderr, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, str(agent)], env=host.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as session:

        def hook(action: str) -> str:
            assert session.stdin is not None and session.stdout is not None
            session.stdin.write(f"'{host.config.front}' relay {action}; true\n")
            session.stdin.flush()
            return session.stdout.readline()

        assert hook("session-start") == "0 b'' b''\n"
        assert clients.living(host.places) == [f"{session.pid}-agent"]
        assert _until(lambda: running.find(host.places) is not None)
        assert (hook("session-end"), clients.living(host.places)) == ("0 b'' b''\n", [])
        hook("session-start")
        assert session.stdin is not None
        session.stdin.close()
    assert clients.living(host.places) == [], "one that was killed counts no more"


def test_without_a_relay_hooks_do_no_harm(host: Host) -> None:
    host.roll_out(relay="off")
    assert host.command("relay", "session-start").returncode == host.command("relay", "session-end").returncode == 0


def test_headless_it_says_where_it_is_and_ends_with_a_signal(host: Host) -> None:
    host.roll_out()
    with subprocess.Popen(
        [host.config.front, "relay", "run"], env=host.environment, stdout=subprocess.PIPE, text=True
    ) as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == f"PROXY_URL=http://127.0.0.1:{host.chosen['relay_port']}\n"
        assert len(clients.living(host.places)) == 1
        waiting.terminate()
        assert waiting.wait(20) == 0
    assert clients.living(host.places) == []


# -- as a service ------------------------------------------------------------------------------------------------------


def _documents(platform: str, has_systemd: bool, home: Path) -> dict[str, Any]:
    config = Config(str(home / 'a "b" $c %d'), URL, "p", "user", 15)
    found = relay_service.documents(config, "relay", PLATFORMS[platform], has_systemd)
    return {os.path.relpath(one.path, config.home): one for one in found}


def test_each_platform_starts_a_service_in_its_own_way(tmp_path: Path) -> None:
    (agent,) = _documents("macos", False, tmp_path).items()
    told = plistlib.loads(agent[1].values[WHOLE].encode())
    assert agent[0].startswith("Library/LaunchAgents/") and told["ProgramArguments"][1:] == ["relay", "start"]
    unit, link = _documents("debian", True, tmp_path)
    assert link == f".config/systemd/user/default.target.wants/{os.path.basename(unit)}"
    assert [*_documents("wsl2", False, tmp_path)] == [*_documents("debian", False, tmp_path)] == [".profile"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_takes_the_unit_whatever_the_home_is_called(tmp_path: Path) -> None:
    (name, unit), _link = _documents("debian", True, tmp_path).items()
    front = Path(tmp_path, 'a "b" $c %d', ".local/share/fmapi-coding-agents/coding-agents")
    front.parent.mkdir(parents=True)
    front.write_text("#!/bin/sh\n")
    front.chmod(0o755)
    path = tmp_path / os.path.basename(name)
    path.write_text(unit.values[WHOLE])
    command = ["systemd-analyze", "verify", "--user", "--man=no", str(path)]
    environment = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, [one for one in done.stderr.splitlines() if "fmapi" in one]) == (0, []), done.stderr


def test_a_service_runs_after_the_rollout_and_again_after_the_next(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_service, "SYSTEMD", str(host.home))
    before = manifest(str(host.home))
    done = host.roll_out(relay="service")
    assert "the relay is started" in done["changes"]
    found = running.find(host.places)
    assert found is not None and not host.roll_out(relay="service")["changed"]
    os.kill(found.pid, 9)
    assert _ends(found.pid) and host.look(relay="service")["changes"] == ["the relay is started"]
    examined = examining.examine(host.owner, host.options(relay="service", doctor_prompt=False), CHECK)
    (told,) = [one for one in examined["checks"] if one["check"] == "relay" and one["category"] == "Runtime files"]
    assert (told["status"], told["detail"]) == ("FAIL", "does not run, as it should")
    assert host.roll_out(relay="service")["changed"] and running.find(host.places) is not None
    host.uninstall()
    assert not differences(before, manifest(str(host.home)))


def test_a_service_that_does_not_start_is_an_error_with_the_way_out(host: Host) -> None:
    host.roll_out()
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", host.chosen["relay_port"]))
        stranger.listen()
        done = host.roll_out(relay="service")
    assert "what follows from it was not done" in done["error"] and "coding_agents_relay_port" in done["error"]


# -- sessions of agents ------------------------------------------------------------------------------------------------


def test_hooks_stand_beside_those_of_others_and_go_alone(host: Host) -> None:
    path = Path(os.path.realpath(host.home / ".claude/settings.json"))
    told = json.loads(path.read_text())
    theirs = {"matcher": "startup", "hooks": [{"type": "command", "command": "other-tool begin"}]}
    path.write_text(json.dumps({**told, "hooks": {"SessionStart": [theirs]}}))
    before = manifest(str(host.home))
    host.roll_out(relay_clients=["claude_code"])
    hooks = json.loads(path.read_text())["hooks"]
    assert hooks["SessionStart"][0] == theirs
    (ours,) = hooks["SessionStart"][1]["hooks"]
    assert ours["command"].endswith("/coding-agents relay session-start") and ours["timeout"] == 15
    assert [one["hooks"][0]["timeout"] for one in hooks["SessionEnd"]] == [5]
    host.roll_out()
    assert json.loads(path.read_text())["hooks"] == {"SessionStart": [theirs]}
    host.uninstall()
    assert not differences(before, manifest(str(host.home)))


# -- other ways to have it ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["off", False])
def test_off_without_quotes_is_off(value: Any) -> None:
    """YAML reads it as a boolean, and so does the judge."""
    assert not problems({"relay": value})
    found = ArgumentSpecValidator({"relay": SPEC["relay"]}).validate({"relay": value})
    assert (life_of(value), found.validated_parameters) == ("off", {"relay": "off"})
    assert problems({"relay": "sometimes"}) and problems({"relay": True})


def test_for_all_users_the_files_are_the_machine_s_and_all_else_each_person_s(tmp_path: Path) -> None:
    owner = machine_owner()
    options = options_for(scope="machine", agents=["gemini"], relay="auto", carried=relay_archive.carried())
    found = {os.path.basename(one.path): one for one in Relay().wanted(owner, options)}
    assert {os.path.dirname(one.path) for one in found.values()} == {owner.data}
    assert {name: one.mode for name, one in found.items()} == {
        "relay.pyz": 0o755,
        "relay.json": 0o644,
        "relay-client": 0o755,
    }
    script = found["relay-client"].values[WHOLE]
    assert '\nhere="$HOME"/.local/state/fmapi-coding-agents/relay\n' in script
    (tmp_path / ".local/state/fmapi-coding-agents/relay").mkdir(parents=True)
    command = ["/bin/sh", "-c", script, "relay-client", "session-end"]
    done = subprocess.run(
        command, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    with pytest.raises(OperatorError, match="one person's"):
        Relay().wanted(owner, {**options, "relay": "service"})


def test_with_a_certificate_agents_are_told_to_trust_it_and_the_command_asks_by_tls(host: Host, tmp_path: Path) -> None:
    certificate = trustme.CA().issue_cert("127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.cert_chain_pems[0].write_to_path(cert)
    certificate.private_key_pem.write_to_path(key)
    own: dict[str, Any] = {"relay_tls_cert": str(cert), "relay_tls_key": str(key)}
    told = agent_options(host.owner, host.options(**own), "gemini")
    assert told.base_urls["gemini"].startswith("https://127.0.0.1:") and told.ca_file == str(cert)
    host.roll_out(**own)
    found = host.start()
    status = json.loads(host.command("relay", "status", "--json").stdout)
    assert (status["pid"], status["url"], status["status"]) == (found.pid, found.url, "ok")
    assert host.command("relay", "stop").returncode == 0 and _ends(found.pid)
