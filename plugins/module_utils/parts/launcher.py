# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of ours in front of the agents that take their settings or their token from the environment only.

Who types the agent's name gets it with what it needs: one directory of ours comes first on PATH, by a block in the start files of the
person's shells. Each entry sets the variables for this one process, asks the token helper where the agent reads a token once, at its
start, and becomes the real program, which it finds behind itself on PATH: arguments, status, signals and the terminal are the
program's. No token is ever in a shell's own environment.

The entries are shell scripts and not a verb of the host program: they add half a millisecond, where an empty Python takes eight.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from typing import NamedTuple

from ..agents import AGENTS, Agent, Launch
from ..engine import traces
from ..engine.documents import FORMATS, MISSING, KeyPath
from ..engine.documents.block_document import WRAPPER
from ..engine.ledger import Ledger
from ..engine.owner import Owner
from ..engine.ownership import Wanted, whole_file
from ..errors import OperatorError
from . import older_functions, person, relaying
from .base import Options, Part
from .context import agent_options, bare_config
from .examination import FAIL, PASS, ROLL_OUT, WARN, Check, Examination
from .older_functions import OlderFunction
from .relay_scripts import client_lines

BLOCK: KeyPath = ("path",)

_ENTRY = """\
#!/bin/sh
# {title} with what it needs to use the models of the Databricks workspace. Written by fmapi.coding_agents.
here={here}
real=
set -f
IFS=:
for place in $PATH {usual}; do
    # On WSL, of the programs of Windows only those that end in .exe can be started; their package manager leaves others, too.
    case $place in /mnt/[a-z] | /mnt/[a-z]/*) continue ;; esac
    # By what it is, not by its name: PATH may lead here by another way.
    if [ -f "$place/{command}" ] && [ -x "$place/{command}" ] && ! [ "$place" -ef "$here" ]; then
        real=$place/{command}
        break
    fi
done
set +f
unset IFS
if [ -z "$real" ]; then
    echo "{command}: not installed: nothing of this name is on PATH behind $here" >&2
    exit 127
fi
{client}{sets}exec "$real" "$@"
"""

_FRESH = """\
case ${{1-}} in
-h | --help | -v | -V | --version) ;; # needs no token
*)
    # At its start only: this agent does not ask again.
    token=$({helper}) || exit
    export {assignments}
    unset token
    ;;
esac
"""

_FIRST = """\
case ${{{name}-}} in
{directory} | {directory}{between}*) ;;
*) {name}={directory}${{{name}:+{between}${name}}} ;;
esac
export {name}
"""

_ARGUMENTS = """\
case ${{1-}} in
{bare}) ;;
*) set -- {arguments} "$@" ;;
esac
"""

_BLOCK = """\
case $PATH in
{pattern}:*) ;;
*) PATH={directory}:$PATH && export PATH ;;
esac"""

_FISH = """\
# Written by fmapi.coding_agents: its commands come first.
if test "$PATH[1]" != {directory}
    set -gx PATH {directory} $PATH
end
"""


class _Shell(NamedTuple):
    """Where a shell reads what it starts with, below the home: of the first group one file, of the second each."""

    name: str
    login: tuple[str, ...]
    interactive: tuple[str, ...] = ()


_SHELLS = (
    _Shell("bash", (".bash_profile", ".bash_login", ".profile"), (".bashrc",)),
    _Shell("zsh", (".zprofile",), (".zshrc",)),
)
_EVERY_SHELLS = ".profile"
"""That it is there says nothing of the shell."""
_FISH_DIRECTORY = (".config", "fish")
_FISH_FILE = (*_FISH_DIRECTORY, "conf.d", "fmapi-coding-agents.fish")


_MACHINE_PROFILE = "/etc/profile.d/fmapi-coding-agents.sh"
_MACHINE_SH = "/etc/profile"
"""Where there is no directory for files of several managers."""
_MACHINE_ZSH = ("/etc/zsh/zprofile", "/etc/zsh/zshrc", "/etc/zprofile", "/etc/zshrc")
_MACHINE_FISH = "/etc/fish/conf.d/fmapi-coding-agents.fish"


class Launcher(Part):
    name = "launcher"

    def wanted(self, owner: Owner, options: Options) -> list[Wanted]:
        launches, older = _launches(owner, options), _Older(owner, options)
        if not launches and not older.commands:
            return older.start_files([])
        usual = [os.path.join(prefix, "bin") for prefix in _prefixes(owner, options)]
        entries = [
            whole_file(
                entry(owner, agent),
                self.name,
                _script(owner, options, agent, launch, usual),
                f"command {agent.command}",
                0o755,
                as_good=_as_good(owner, options, agent, usual),
            )
            for agent, launch in launches
        ]
        entries += [
            whole_file(
                os.path.join(owner.launchers, command),
                self.name,
                _script(owner, options, agent, _launch(owner, options, agent), usual),
                f"command {command}",
                0o755,
                as_good=_as_good(owner, options, agent, usual),
            )
            for command, agent in older.commands.items()
        ]
        if owner.is_machine:
            return [*entries, *_machine_start_files(owner)]
        return [*entries, *older.start_files(start_files(owner, person.login_shell(owner)))]

    def warnings(self, owner: Owner, options: Options) -> list[str]:
        """What of an older set-up stays, and comes before ours."""
        return [f"{_said(one)}. {_way_out(one)}" for one in _Older(owner, options).left]

    def checks(self, examination: Examination) -> Iterator[Check]:
        older = _Older(examination.owner, examination.options)
        for one in older.left:
            yield Check("Conflicts", f"command {one.name}", WARN, _said(one), _way_out(one))
        path = examination.shell().get("PATH", "")
        if not path:
            return  # the shell does not tell
        launches = _launches(examination.owner, examination.options)
        for command in (*(agent.command for agent, _launch in launches), *older.commands):
            name, ours = f"command {command}", os.path.join(examination.owner.launchers, command)
            first = shutil.which(command, path=path)
            if not os.path.exists(ours):
                yield Check("Dependencies", name, FAIL, f"{ours} is missing", ROLL_OUT)
            elif first is not None and os.path.samefile(first, ours):
                yield Check("Dependencies", name, PASS, ours)
            elif first is not None:
                way_out = (
                    f"See what puts {os.path.dirname(first)} before our directory on PATH, then open a new terminal"
                )
                yield Check("Conflicts", name, WARN, f"{ours}: {first} comes before it", way_out)
            else:
                way_out = "See what sets PATH last in this user's start files, then open a new terminal"
                yield Check("Environment", name, WARN, f"{ours}: is not on this user's PATH", way_out)

    def traces(self, ledger: Ledger) -> None:
        owner = ledger.owner
        for agent in AGENTS.values():
            for command in (agent.command, *agent.other_commands):
                traces.whole_file(ledger, self.name, os.path.join(owner.launchers, command))
        names = [name for shell in _SHELLS for name in (*shell.login, *shell.interactive)]
        if owner.is_machine:
            whole, blocks = [_MACHINE_PROFILE, _MACHINE_FISH], [_MACHINE_SH, *_MACHINE_ZSH]
        else:
            whole, blocks = [os.path.join(owner.home, *_FISH_FILE)], [os.path.join(owner.home, one) for one in names]
        for path in whole:
            traces.whole_file(ledger, self.name, path)
        for path in blocks:
            try:
                block = FORMATS["block"](traces.content(path) or b"").get(BLOCK)
            except OperatorError:
                continue
            if block is not MISSING:
                traces.keys(ledger, self.name, path, "block", {BLOCK: block})


class _Older:
    """What an older script has left for the chosen agents, and what of it is taken over.

    Once taken over, it stays so for as long as the agent is chosen: the ledger and our own command know of it when nothing else does.
    """

    def __init__(self, owner: Owner, options: Options) -> None:
        self.commands: dict[str, Agent] = {}
        """Those that a command of ours is wanted for, and the agent that each starts."""
        self.left: list[OlderFunction] = []
        self._superseded: dict[str, list[KeyPath]] = {}
        if owner.is_machine:
            return  # functions stand in a person's own files
        ledger: Ledger | None = None
        for agent in (AGENTS[name] for name in options["agents"] if AGENTS[name].other_commands):
            ledger = ledger or Ledger.load(owner)
            there = [*older_functions.found(owner, agent)]
            self.left += [one for one in there if one.problem]
            names = {one.name for one in there}
            stay = {(one.path, one.name) for one in there if one.problem}
            for path in (os.path.join(owner.home, name) for name in older_functions.START_FILES):
                record = ledger.documents.get(ledger.spelled(path)) or {}
                taken = {one["path"][1] for one in record.get("removed", ()) if one["path"][0] == WRAPPER}
                taken |= {one.name for one in there if one.path == path}
                names |= taken
                keys: list[KeyPath] = [(WRAPPER, one) for one in sorted(taken) if (path, one) not in stay]
                if keys and os.path.lexists(path):
                    self._superseded[path] = keys
            kept = [one for one in agent.other_commands if os.path.lexists(os.path.join(owner.launchers, one))]
            self.commands.update((one, agent) for one in agent.other_commands if one in names or one in kept)

    def start_files(self, wanted: list[Wanted]) -> list[Wanted]:
        """The same, and what is taken out of start files."""
        rest = dict(self._superseded)
        both = [one.replaced(superseded=tuple(rest.pop(one.path, ()))) for one in wanted]
        return [*both, *(Wanted(path, "block", Launcher.name, superseded=tuple(keys)) for path, keys in rest.items())]


def _said(one: OlderFunction) -> str:
    return f"{one.path}:{one.line}: the function {one.name} {one.problem}. It is left as it is, and comes before our command"


def _way_out(one: OlderFunction) -> str:
    return f"Take it out of {one.path}, then open a new terminal"


def entry(owner: Owner, agent: Agent) -> str:
    """Where the command of ours is that starts this agent."""
    return os.path.join(owner.launchers, agent.command)


def _launch(owner: Owner, options: Options, agent: Agent) -> Launch:
    """What an agent needs, also one that needs nothing."""
    return agent.launch(agent_options(owner, options, agent.name)) or Launch()


def _launches(owner: Owner, options: Options) -> list[tuple[Agent, Launch]]:
    """The agents that need one, and what each needs."""
    found = [(AGENTS[name], AGENTS[name].launch(agent_options(owner, options, name))) for name in options["agents"]]
    return [(agent, launch) for agent, launch in found if launch is not None]


def _as_good(owner: Owner, options: Options, agent: Agent, usual: list[str]) -> bytes | None:
    """The same with other names of its models, which may be what a run has found that asked the workspace."""
    chosen = agent_options(owner, options, agent.name)
    launch = agent.launch(chosen._replace(models={**chosen.models, **chosen.other_names}))
    if launch is None or launch == agent.launch(chosen):
        return None
    return _script(owner, options, agent, launch, usual)


def _prefixes(owner: Owner, options: Options) -> list[str]:
    named = [options.get("npm_prefix")] if options.get("npm_prefix") else []
    return [*map(str, named), owner.prefix]


def _script(owner: Owner, options: Options, agent: Agent, launch: Launch, usual: list[str]) -> bytes:
    client = client_lines(bare_config(owner)) if agent.name in relaying.users(options) else ""
    return script(owner, agent, launch, agent_options(owner, options, agent.name).token_helper, usual, client)


def script(owner: Owner, agent: Agent, launch: Launch, helper: str, usual: list[str], client: str = "") -> bytes:
    """What one entry does. ``usual``: directories in which the program may be without being on PATH. ``client``: lines that make it
    one of the relay's.
    """
    lines = [f"unset {name}\n" for name in launch.unset]
    lines += [f"{name}={shlex.quote(value)}\nexport {name}\n" for name, value in launch.environment.items()]
    for name, (directory, between) in launch.first_directories.items():
        lines.append(_FIRST.format(name=name, directory=shlex.quote(directory), between=between))
    if launch.token_variables:
        assignments = " ".join(f'{name}="$token"' for name in launch.token_variables)
        lines.append(_FRESH.format(helper=shlex.quote(helper), assignments=assignments))
    if launch.arguments:
        bare = " | ".join(("-h", "--help", "-v", "--version", *launch.bare_commands))
        lines.append(_ARGUMENTS.format(bare=bare, arguments=shlex.join(launch.arguments)))
    text = _ENTRY.format(
        title=agent.title,
        here=shlex.quote(owner.launchers),
        usual=" ".join(map(shlex.quote, usual)),
        command=agent.command,
        sets="".join(lines),
        client=client,
    )
    return text.encode()


def start_files(owner: Owner, login_shell: str) -> list[Wanted]:
    """What puts our directory first on PATH: in the files of the shell that the person logs in with, and of others that they use.

    Pure but for the names of files that are there. A shell reads one of several login files, and a new one would hide another.
    """
    directory = shlex.quote(owner.launchers)
    block = _BLOCK.format(directory=directory, pattern=directory)
    found: dict[str, None] = {}
    for shell in _SHELLS:
        there = [name for name in (*shell.login, *shell.interactive) if _exists(owner, name)]
        if set(there) <= {_EVERY_SHELLS} and login_shell != shell.name:
            continue
        login = next((name for name in shell.login if name in there), shell.login[-1])
        found.update(dict.fromkeys((login, *shell.interactive)))
    if login_shell not in (*(shell.name for shell in _SHELLS), "fish"):
        found[_EVERY_SHELLS] = None  # sh, dash, ksh
    wanted = [
        Wanted(os.path.join(owner.home, name), "block", Launcher.name, values={BLOCK: block}) for name in sorted(found)
    ]
    if login_shell == "fish" or _exists(owner, os.path.join(*_FISH_DIRECTORY)):
        text = _FISH.format(directory=_fish_quoted(owner.launchers))
        path = os.path.join(owner.home, *_FISH_FILE)
        wanted.append(whole_file(path, Launcher.name, text.encode(), "PATH for fish"))
    return wanted


def _machine_start_files(owner: Owner) -> list[Wanted]:
    """The same for all users. zsh reads no profile.d: it has a block in each of the files that it has."""
    directory = shlex.quote(owner.launchers)
    block = _BLOCK.format(directory=directory, pattern=directory)
    wanted = [
        Wanted(path, "block", Launcher.name, values={BLOCK: block}) for path in _MACHINE_ZSH if os.path.lexists(path)
    ]
    if os.path.isdir(os.path.dirname(_MACHINE_PROFILE)):
        text = f"# Written by fmapi.coding_agents: its commands come first.\n{block}\n"
        wanted.append(whole_file(_MACHINE_PROFILE, Launcher.name, text.encode(), "PATH for all users"))
    else:
        wanted.append(Wanted(_MACHINE_SH, "block", Launcher.name, values={BLOCK: block}))
    if os.path.isdir(os.path.dirname(os.path.dirname(_MACHINE_FISH))):
        text = _FISH.format(directory=_fish_quoted(owner.launchers))
        wanted.append(whole_file(_MACHINE_FISH, Launcher.name, text.encode(), "PATH for fish"))
    return wanted


def _exists(owner: Owner, name: str) -> bool:
    return os.path.lexists(os.path.join(owner.home, name))


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
