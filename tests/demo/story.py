# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the demonstration. Each shows what it runs, what came out, and judges it by facts that it looks up itself."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plugins.module_utils.agents import AGENTS
from plugins.module_utils.agents.claude_code import ClaudeCode
from tests.hosts import tree
from tests.hosts.podman import cache_directory
from tests.workspace.client import Workspace

from . import home as own_home
from .terminal import Ran, coloured, heading, paint, quote, run, say, shell_words

HOST = "laptop"
BARE = {
    "claude_code": "claude -p {prompt}",
    "codex": "codex exec --skip-git-repo-check {prompt}",
    "gemini": "gemini --skip-trust -p {prompt}",
    "opencode": "opencode run {prompt}",
    "copilot": "copilot -s -p {prompt}",
    "pi": "pi -p {prompt}",
    "hermes": "hermes chat --quiet --query {prompt}",
}
"""What a person types, by agent."""
CLAUDE_CODE = ClaudeCode.pinned_version
_CACHE = ".cache/fmapi-coding-agents"
_RECAP = re.compile(r"^(\S+)\s*: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
_VERDICT = re.compile(rf"^{HOST}: (PASS|FAIL|WARN|SKIP)  ", re.MULTILINE)

# What the machine's owner set for reaching the registry, and for a shell to work at all. Nothing else takes part: an
# exported ANTHROPIC_AUTH_TOKEN or DATABRICKS_HOST of the person who looks on would change the story.
_PASSED_ON = re.compile(
    r"USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TERM|TMPDIR|(?i:npm_config_.*)|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)"
)
_NO_SECRET_IN_A_FILE = re.compile(r"(?i)npm_config_.*")


class StepFailed(Exception):
    """A step did not hold; what was expected has been printed."""


class NotPossible(Exception):
    """This machine cannot run the demonstration; the message says what to do."""


@dataclass
class Result:
    """One row of the summary."""

    title: str
    outcome: str = "not run"
    seconds: float = 0.0
    shown: list[str] = field(default_factory=list)


class Story:
    """The demonstration in one folder, which holds the home, the inventory and the files of the workspace."""

    def __init__(self, folder: Path, collections: Path) -> None:
        """:param collections: where Ansible finds the collection."""
        self.folder = folder
        self.collections = collections
        self.home = folder / "home"
        self.inventory = folder / "inventory"
        self.workspace = Workspace(folder / "workspace")
        self.port = 0
        self.results: list[Result] = []
        self._current = Result("")
        self._failures = 0
        self._output: list[str] = []
        self._secrets: dict[str, str] = {}
        self._start: tree.Manifest = {}
        self._log_position = 0
        self._own: dict[str, str] = {}
        self._environment: dict[str, str] = {}
        self._variables: dict[str, object] = {}

    def tell(self) -> bool:
        """Run every step. Returns whether all of them held; after one that does not, the rest is not run."""
        steps: list[tuple[str, Callable[[], None]]] = [
            ("1. Dry run: what would change, and nothing does", self.dry_run),
            ("2. Rollout: seven agents, one of them installed", self.rollout),
            ("3. Second rollout: nothing left to do", self.second_rollout),
            ("4. Doctor: does this host work?", self.doctor),
            ("5. A prompt, answered by the real Claude Code", self.prompt),
            ("6. The same of all seven, by their bare names", self.prompt_all),
            ("7. Uninstall", self.uninstall),
            ("8. The home, compared with the start", self.compare),
        ]
        self.results = [Result(title) for title, _step in steps]
        begin = Result("The stage")
        try:
            with self._step(begin):
                self.stage()
            for result, (_title, step) in zip(self.results, steps, strict=True):
                with self._step(result):
                    step()
        except StepFailed:
            return False
        finally:
            self.workspace.stop()
        return True

    @contextmanager
    def _step(self, result: Result) -> Iterator[None]:
        heading(result.title)
        begin, result.outcome = time.monotonic(), "FAILED"
        self._failures, self._current = 0, result
        try:
            yield
            if self._failures:
                raise StepFailed
            result.outcome = "held"
        finally:
            result.seconds = time.monotonic() - begin

    def _expect(self, holds: bool, what: str, found: object = "", *, summary: str = "") -> None:
        """Print one expectation and whether it holds; ``summary`` is the short word of it for the table at the end."""
        if holds:
            print(f"{paint('  ok  ', 'green')}  {what}", flush=True)
            if summary:
                self._current.shown.append(summary)
        else:
            self._failures += 1
            print(f"{paint('  NOT ', 'bold', 'red')}  expected: {what}\n        found: {found}", flush=True)

    # -- the stage --------------------------------------------------------------------------------------------------

    def stage(self) -> None:
        """Start the workspace; make the home, the inventory and the environment of the commands."""
        self.workspace.start()
        self.port = self.workspace.port
        self._secrets = own_home.make(self.home)
        self._secrets["client secret"] = self.workspace.client_secret
        self._make_environment()
        self._make_inventory()
        self._have_programs()
        self._start = tree.manifest(str(self.home))
        shutil.copytree(self.home, self.folder / "home-at-the-start", symlinks=True)

        say(f"Everything happens in {self.folder}, which is removed at the end. No root, no container, no account.")
        say()
        say(
            f"A simulated Databricks workspace answers at {self.workspace.url}: HTTPS with a certificate authority of its "
            "own, OAuth, serving endpoints, the AI gateway. It logs every request."
        )
        say()
        say("A developer's home, with files of their own:")
        self._show_tree(self._start)
        say()
        say(f"Their Claude Code settings (secrets random, made for this run, and masked here) {self._settings_name()}:")
        self._show_file(self._settings())
        say("Their ~/.databrickscfg:")
        self._show_file(self.home / ".databrickscfg")
        say("The operator's inventory; the client secret stands in a file of its own, mode 0600:")
        for path in sorted(self.inventory.rglob("*.yml")):
            say(f"  {path.relative_to(self.folder)} ({path.stat().st_mode & 0o777:04o})")
            self._show_file(path)
        say("Type this first to run one of the commands below by hand (with --keep, or after a step that failed):")
        print(paint(f"$ . {shlex.quote(str(self.folder / 'environment.sh'))}", "bold"), flush=True)
        self._show_file(self.folder / "environment.sh")

    def _make_environment(self) -> None:
        """The environment of the operator's commands: their home is not that of whoever looks on."""
        node = _node_directory()
        operator = self.folder / "operator"
        operator.mkdir(mode=0o700)
        self._own = {
            # The directory of the running node comes first: version managers' shims ask for a home that is not theirs.
            "PATH": os.pathsep.join(
                dict.fromkeys([str(Path(sys.executable).parent), node, *os.environ["PATH"].split(os.pathsep)])
            ),
            "HOME": str(operator),
            **{name: value for name, value in os.environ.items() if name.startswith("ANSIBLE_")},
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_HOME": str(operator / ".ansible"),
            "ANSIBLE_REMOTE_TEMP": str(operator / "tmp"),
            "ANSIBLE_NOCOWS": "1",
            "PYTHONPYCACHEPREFIX": os.environ.get("PYTHONPYCACHEPREFIX", str(operator / "pycache")),
        }
        passed_on = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
        # A proxy belongs to the way to the registry, not to the way to a workspace on this machine.
        for name, variable in (("HTTPS_PROXY", "npm_config_https_proxy"), ("HTTP_PROXY", "npm_config_proxy")):
            proxy = os.environ.get(name) or os.environ.get(name.lower())
            if proxy:
                passed_on.setdefault(variable, proxy)
        npmrc = Path.home() / ".npmrc"
        if npmrc.exists():
            passed_on.setdefault("npm_config_userconfig", str(npmrc))
        self._environment = {**passed_on, **self._own}
        if coloured():
            self._environment["ANSIBLE_FORCE_COLOR"] = "1"
        else:
            self._environment["NO_COLOR"] = "1"
        written = {name: value for name, value in self._environment.items() if not _NO_SECRET_IN_A_FILE.match(name)}
        kept = [name for name in written if name in self._own]
        lines = [f"export {name}={shlex.quote(written[name])}" for name in kept]
        (self.folder / "environment.sh").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _make_inventory(self) -> None:
        variables = self.inventory / "group_vars" / "all"
        variables.mkdir(parents=True)
        # A plain Python of this machine, as a host has it: nothing of the test environment is importable there.
        python = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
        self._variables = {
            "coding_agents_workspace_url": self.workspace.url,
            "coding_agents_ca_file": self.workspace.ca_file,
            "coding_agents_identity": "service_principal",
            "coding_agents_client_id": self.workspace.client_id,
            "coding_agents_home": str(self.home),
            "coding_agents_agents": [*AGENTS],
            "coding_agents_cli_versions": {"claude_code": CLAUDE_CODE},
        }
        _write(
            self.inventory / "hosts.yml",
            {"all": {"hosts": {HOST: {"ansible_connection": "local", "ansible_python_interpreter": python}}}},
        )
        _write(variables / "coding_agents.yml", self._variables)
        _write(variables / "secret.yml", {"coding_agents_client_secret": self.workspace.client_secret})

    def _have_programs(self) -> None:
        """The developer has all agents but Claude Code already: real ones, fetched by the collection and kept for the next time."""
        for name, agent in AGENTS.items():
            if name == ClaudeCode.name:
                continue
            prefix = cache_directory() / "agents" / f"{name.replace('_', '-')}-{agent.pinned_version}"
            program = prefix / "bin" / agent.command
            if agent.source.version_of(str(program)) != agent.pinned_version:
                say(f"{agent.title} {agent.pinned_version} is fetched once; it stays in {prefix}")
                home, play = self.folder / "nobody", self.folder / "fetch.yml"
                home.mkdir(mode=0o700, exist_ok=True)
                play.write_text(
                    json.dumps(
                        [{"hosts": "all", "gather_facts": False, "tasks": [{"fmapi.coding_agents.agent_cli": {}}]}]
                    )
                )
                own = {
                    "coding_agents_home": str(home),
                    "coding_agents_agents": [name],
                    "coding_agents_npm_prefix": str(prefix),
                    "coding_agents_cli_versions": {name: agent.pinned_version},
                    "coding_agents_ca_file": "",
                }
                command = ["ansible-playbook", "-i", str(self.inventory), str(play), "-e", json.dumps(own)]
                if run(command, self._environment, cwd=self.folder).status != 0:
                    raise NotPossible(f"{agent.title} could not be fetched: check the registries and the proxy")
            (self.home / ".local" / "bin" / agent.command).symlink_to(program.resolve())

    # -- the steps --------------------------------------------------------------------------------------------------

    def dry_run(self) -> None:
        """Nothing is written and the workspace is only read from."""
        say("--check --diff shows every line that a rollout would change. Secrets are masked on the host already.")
        ran = self._playbook("rollout", "--check", "--diff")
        self._recap(ran, changed=True)
        announced = (f"+Claude Code {CLAUDE_CODE}", ".databrickscfg", "token-helper", ".claude.json", "settings.json")
        missing = [one for one in announced if one not in ran.text]
        self._expect(not missing, "the diff names the program, the profile, the token helper and the settings", missing)
        self._untouched("no byte, mode or modification time in the home differs from before the dry run")
        self._only_reads(
            "the workspace saw only reads, from the control node only (a token request in memory counts as one)"
        )

    def rollout(self) -> None:
        """The CLI is there, the files are written, what was the user's is still there."""
        elsewhere = self._claude_elsewhere()
        if elsewhere:
            say(
                f"Note: this machine has a claude already ({elsewhere}). If it is exactly {CLAUDE_CODE}, the rollout leaves "
                "it as it is and installs nothing."
            )
        say("The same command without --check. Claude Code comes from the npm registry; that takes most of the time.")
        ran = self._playbook("rollout")
        self._recap(ran, changed=True)
        program = shutil.which("claude", path=self._host_path())
        version = self._ask_version(program) if program else ""
        self._expect(
            version.startswith(CLAUDE_CODE),
            f"Claude Code {CLAUDE_CODE} stands at {program} and says that it is: {version}",
            version or "no program named claude",
            summary=f"Claude Code {CLAUDE_CODE}",
        )
        say("What was written where (new or changed; type, mode, start of the SHA-256, path):")
        self._show_tree(self._news())
        say("The settings now (secrets masked here):")
        self._show_file(self._settings())
        settings = json.loads(self._settings().read_text(encoding="utf-8"))
        self._expect(
            settings["env"].get("GITHUB_TOKEN") == self._secrets["github"]
            and settings["env"].get("EDITOR") == "vim"
            and "Read(./.env)" in settings["permissions"]["deny"]
            and settings["statusLine"]["type"] == "command",
            "the user's own keys, permissions and secret are still there",
            sorted(settings),
        )
        self._expect(
            (self.home / ".claude" / "settings.json").is_symlink(),
            "their settings.json is still the link into their dotfiles",
        )
        self._expect(
            settings["env"].get("ANTHROPIC_AUTH_TOKEN") == "",
            "ANTHROPIC_AUTH_TOKEN, which would outrank the token helper, is empty now (and comes back in step 7)",
        )
        loose = [
            f"{path} ({(self.home / path).stat().st_mode & 0o777:04o})"
            for path, entry in tree.manifest(str(self.home)).items()
            if entry["type"] == "file"
            and int(entry["mode"], 8) & 0o077
            and ".local/lib/" not in path
            and self._holds_secret(self.home / path)
        ]
        self._expect(not loose, "no file that holds a secret can be read by anybody else", ", ".join(loose))
        asked = self._new_requests()
        say("What the workspace logged meanwhile:")
        self._show_requests(asked)
        tokens = [entry for entry in asked if entry["path"] == "/oidc/v1/token" and entry["status"] == 200]
        self._expect(
            len(tokens) >= 2,
            "control node and host each got a token with the service principal's credentials",
            len(tokens),
        )

    def second_rollout(self) -> None:
        """changed=0, and really so."""
        say("The same command once more: each host is looked at, once, and nothing is found to do.")
        before = tree.manifest(str(self.home))
        ran = self._playbook("rollout")
        self._recap(ran, changed=False)
        self._untouched("no byte, mode or modification time in the home differs from before this run", before)
        self._only_reads("the workspace saw only reads, from the control node only")

    def doctor(self) -> None:
        """Every check passes."""
        ran = self._playbook("doctor")
        self._recap(ran, changed=False)
        verdicts = _VERDICT.findall(ran.text)
        counts = {verdict: verdicts.count(verdict) for verdict in ("PASS", "SKIP", "WARN", "FAIL")}
        found = ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number)
        self._expect(
            counts["PASS"] >= 8 and counts["WARN"] == counts["FAIL"] == 0,
            f"every check passes; skipped is only what does not apply ({found})",
            found or "no check at all",
            summary=found,
        )

    def prompt(self) -> None:
        """The real agent's reply, and the workspace's own record of having given it."""
        say(
            "Claude Code rewrites ~/.claude.json whenever it runs, so it gets a copy of the home: that way step 8 compares "
            "what the collection did and nothing else. The question holds a random word that only this run knows."
        )
        copy, project = self.folder / "home-copy", self.folder / "project"
        shutil.copytree(self.home, copy, symlinks=True)
        project.mkdir()
        before = tree.manifest(str(self.home))
        word = f"word-{secrets.token_hex(4)}"
        program = copy / ".local" / "bin" / "claude"
        command = [str(program) if program.exists() else str(self._claude_elsewhere()), "-p", f"Please say {word} back"]
        variables = {"HOME": str(copy)}
        environment = {
            name: value
            for name, value in self._environment.items()
            if re.fullmatch(r"USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TERM|TMPDIR|PATH|NO_COLOR", name)
        }
        self._mark_log()
        ran = run(
            command,
            {**environment, **variables},
            cwd=project,
            shown=f"cd {shlex.quote(str(project))} && {shell_words(command, variables)}",
        )
        self._output.append(ran.text)
        asked = self._new_requests()
        say("What the workspace logged meanwhile:")
        self._show_requests(asked)
        answered = [entry for entry in asked if entry["path"].endswith("/v1/messages") and entry["status"] == 200]
        if answered:
            say("The log line of the reply, complete:")
            quote([json.dumps(answered[-1])])
        self._expect(ran.status == 0 and word in ran.text, f"the reply holds {word}", ran.text[-300:] or ran.status)
        self._expect(
            any(entry["token"] == "valid" and entry["identity"] == "service_principal" for entry in answered),
            "the workspace answered it, for a valid token of the service principal",
            answered,
            summary="reply through the gateway",
        )
        self._expect(
            all("claude-cli" in entry["user_agent"] and entry.get("coding_agent_mode") for entry in answered),
            "it was asked by Claude Code itself, with the coding-agent header",
            [entry["user_agent"] for entry in answered],
        )
        self._expect(
            not any(entry["secret_in"] for entry in asked), "no secret stood in a URL or a header other than its own"
        )
        self._untouched(
            "the rolled-out home itself was not touched, apart from the helper's cache", before, apart=_CACHE
        )

    def prompt_all(self) -> None:
        """Each agent's reply, as a person gets it who types its name in a terminal."""
        copy, project = self.folder / "home-copy", self.folder / "project"
        node = self._own["PATH"].split(os.pathsep)[1]
        environment = {"HOME": str(copy), "PATH": f"{node}:/usr/bin:/bin", "LANG": "C.UTF-8"}
        replied = []
        for name, line in BARE.items():
            word = f"word-{secrets.token_hex(4)}"
            typed = line.format(prompt=shlex.quote(f"Please say {word} back"))
            self._mark_log()
            ran = run(["sh", "-l", "-c", typed], environment, cwd=project, shown=typed)
            self._output.append(ran.text)
            answered = [
                one
                for one in self._new_requests()
                if one["status"] == 200 and one["token"] == "valid" and one.get("model")
            ]
            holds = ran.status == 0 and word in ran.text and bool(answered)
            title = AGENTS[name].title
            asked = answered[-1]["path"] if answered else ""
            self._expect(
                holds, f"{title} replies with {word}, from the workspace ({asked})", ran.text[-300:] or ran.status
            )
            replied += [title] if holds else []
        self._current.shown.append(f"{len(replied)} of {len(BARE)} reply")

    def uninstall(self) -> None:
        """Everything goes: settings, helper, tokens, the program."""
        say("--diff would show the lines of step 1 once more, the other way round.")
        ran = self._playbook("uninstall")
        self._recap(ran, changed=True)

    def compare(self) -> None:
        """Contents, modes, owners, directories, links."""
        say("What stands there now: type, mode, start of the SHA-256, path.")
        now = tree.manifest(str(self.home))
        self._show_tree(now)
        found = tree.differences(self._start, now)
        self._expect(
            not found,
            f"all {len(self._start)} entries are as at the start: contents, modes, owners, links; nothing is missing or new",
            "\n        ".join(found),
            summary=f"{len(self._start)} entries identical",
        )
        ran = run(["diff", "-r", str(self.folder / "home-at-the-start"), str(self.home)], self._environment)
        self._expect(ran.status == 0, "diff -r against the copy made at the start finds nothing either", ran.text)
        leaked = [what for what, secret in self._secrets.items() if any(secret in text for text in self._output)]
        lines = sum(text.count("\n") + 1 for text in self._output)
        self._expect(
            not leaked,
            f"none of {len(self._secrets)} secrets (the user's own, the client secret, access tokens) stands in the {lines} "
            "lines of output above",
            ", ".join(leaked),
            summary="no secret shown",
        )

    # -- what the steps share ---------------------------------------------------------------------------------------

    def _playbook(self, verb: str, *options: str) -> Ran:
        self._mark_log()
        command = ["ansible-playbook", "-i", str(self.inventory), f"fmapi.coding_agents.{verb}", *options]
        ran = run(command, self._environment, cwd=self.folder)
        self._output.append(ran.text)
        for path in self.home.glob(f"{_CACHE}/token-*"):
            lines = path.read_text(encoding="ascii").splitlines()
            if len(lines) == 3:
                self._secrets[f"access token {len(self._secrets)}"] = lines[1]
        return ran

    def _recap(self, ran: Ran, *, changed: bool) -> None:
        found = _RECAP.findall(ran.text)
        line = f"changed={found[0][2]}, failed={found[0][4]}" if len(found) == 1 else "no recap"
        ok = ran.status == 0 and len(found) == 1 and found[0][3:] == ("0", "0") and (found[0][2] != "0") is changed
        wanted = line if ok else f"changed={'more than 0' if changed else '0'}, failed=0"
        self._expect(
            ok,
            f"exit status 0, and the recap says {wanted}",
            f"exit status {ran.status}, {line}",
            summary=line.split(",", maxsplit=1)[0],
        )

    def _untouched(self, what: str, before: tree.Manifest | None = None, apart: str = "") -> None:
        """Expect that the home is as ``before`` (as at the start), modification times included, outside of ``apart``."""
        found = tree.differences(before or self._start, tree.manifest(str(self.home)), times=True)
        found = [line for line in found if not apart or apart not in line]
        self._expect(not found, what, "\n        ".join(found), summary="home untouched")

    def _mark_log(self) -> None:
        self._log_position = len(self.workspace.requests())

    def _new_requests(self) -> list[dict[str, Any]]:
        return self.workspace.requests()[self._log_position :]

    def _only_reads(self, what: str) -> None:
        asked = self._new_requests()
        say("What the workspace logged meanwhile:")
        self._show_requests(asked)
        writes = [
            f"{entry['method']} {entry['path']}"
            for entry in asked
            if entry["method"] not in ("GET", "HEAD")
            and (entry["path"], entry.get("grant")) != ("/oidc/v1/token", "client_credentials")
        ]
        # What runs on a host names itself so; the control node's client adds its version.
        writes += [f"{entry['path']} by the host" for entry in asked if entry["user_agent"] == "fmapi-coding-agents"]
        self._expect(not writes, what, ", ".join(writes))

    @staticmethod
    def _show_requests(asked: list[dict[str, Any]]) -> None:
        lines = [
            f"{entry['method']:5}{entry['path']}  token: {entry['token']}  HTTP {entry['status']}  {entry['user_agent'][:40]}"
            for entry in asked
        ]
        quote(lines or ["(nothing)"])

    def _settings(self) -> Path:
        return self.home / ".claude" / "settings.json"

    def _settings_name(self) -> str:
        return f"~/.claude/settings.json -> {os.readlink(self._settings())}"

    def _show_file(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        for secret in self._secrets.values():
            text = text.replace(secret, "********")
        quote(text.expandtabs(8).splitlines())

    @staticmethod
    def _show_tree(manifest: tree.Manifest) -> None:
        quote(
            [
                f"{entry['type']:10}{entry['mode']}  {entry.get('sha256', '')[:12]:12}  {path}"
                + (f" -> {entry['target']}" if "target" in entry else "")
                for path, entry in manifest.items()
            ]
        )

    def _news(self) -> tree.Manifest:
        """What is not as at the start. The files of the npm package are counted, not listed."""
        news: tree.Manifest = {}
        inside, sizes = 0, {}
        for path, entry in tree.manifest(str(self.home)).items():
            facts = {**entry, "mtime_ns": 0}
            if facts == {**self._start.get(path, {}), "mtime_ns": 0}:
                continue
            if re.match(r"\.local/lib/fmapi-coding-agents/[^/]+/[^/]+/", path):
                status = (self.home / path).lstat()
                inside, sizes[status.st_ino] = inside + 1, status.st_blocks * 512  # npm links the large one twice
                continue
            news[path] = entry
        if inside:
            say(f"(and {inside} files and directories of the npm package, {sum(sizes.values()) / 1e6:.0f} MB)")
        return news

    def _holds_secret(self, path: Path) -> bool:
        content = path.read_bytes()
        return any(secret.encode() in content for secret in self._secrets.values())

    def _host_path(self) -> str:
        return os.pathsep.join([str(self.home / ".local" / "bin"), self._environment["PATH"]])

    def _claude_elsewhere(self) -> str | None:
        return shutil.which("claude", path=os.environ["PATH"] + ":/usr/local/bin:/opt/homebrew/bin:/usr/bin")

    def _ask_version(self, program: str) -> str:
        """Start the program for its version, in an empty home: it writes where it runs."""
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        done = subprocess.run(
            [program, "--version"],
            env={"HOME": str(scratch), "PATH": self._environment["PATH"]},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return (done.stdout or done.stderr).strip()


def _node_directory() -> str:
    """The directory of the node that runs, which must have npm beside it or npm must be found otherwise."""
    done = subprocess.run(
        ["node", "-p", "process.versions.node + ' ' + process.execPath"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    version, _blank, program = done.stdout.strip().partition(" ")
    if done.returncode != 0 or not version.split(".")[0].isdigit() or int(version.split(".")[0]) < 18:
        raise NotPossible(f"Node 18 or newer is needed, found: {version or done.stderr.strip() or 'none'}")
    return str(Path(program).parent)


def _write(path: Path, data: dict[str, Any]) -> None:
    """Write variables as YAML, 0600 from the first byte on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if "secret" in path.name else 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write("\n".join(_yaml(data)) + "\n")


def _yaml(data: dict[str, Any], indent: str = "") -> Iterator[str]:
    """Mappings as lines, all else as JSON, which is YAML."""
    for name, value in data.items():
        if isinstance(value, dict):
            yield f"{indent}{name}:"
            yield from _yaml(value, indent + "  ")
        else:
            yield f"{indent}{name}: {json.dumps(value, ensure_ascii=False)}"
