# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what the documentation says twice of what the code says once: tables of variables and requirements, a page for each agent,
pictures of terminals. ``make generate`` runs it; a unit test fails while something is stale.

In a page, a generated section stands between ``<!-- generated: NAME -->`` and ``<!-- end: NAME -->``; all else is written by hand. The
page of an agent is made where there is none. A picture is made of each ``pictures/*.txt``, which is what a real run has printed.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / ".work" / "collections")]

from ansible_collections.fmapi.coding_agents.plugins.module_utils import module, routing  # noqa: E402
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import (  # noqa: E402
    AGENTS,
    Agent,
    Launch,
    source_distribution,
    source_homebrew,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.base import version_key  # noqa: E402
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.source_npm import Npm  # noqa: E402
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.source_pip import Pip  # noqa: E402
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.source_release import (  # noqa: E402
    DATABRICKS_CLI,
    DATABRICKS_CLI_VERSION,
    NODE,
    NODE_VERSION,
    Release,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner  # noqa: E402
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted  # noqa: E402
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import user_sign_in  # noqa: E402
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options import judge  # noqa: E402
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options.values import PREFIX  # noqa: E402
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import PARTS, skills  # noqa: E402
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.context import agent_options  # noqa: E402
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import MACHINE  # noqa: E402
from ansible_collections.fmapi.coding_agents.plugins.module_utils.platforms import PLATFORMS, TESTED, UNPROVEN  # noqa: E402
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace.errors import GRANTS  # noqa: E402

from tests.ci.terminal_picture import picture  # noqa: E402

COMMAND = "make generate"
REPOSITORY = "https://github.com/fmapi/coding_agents"
PAGES = f"{REPOSITORY}/blob/main/docs"
PICTURES = ROOT / "tests" / "ci" / "pictures"

_COLLECTION = "ansible_collections.fmapi.coding_agents.plugins"
_SAYS_MORE = {
    "scope": "machine-scope.md",
    "secret_group": "machine-scope.md#whose-token",
    "identity": "sign-in.md#identities",
    "client_id": "workspace.md#a-service-principal",
    "client_secret": "secrets.md",
    "pat": "sign-in.md#a-personal-access-token",
    "login_at_start": "sign-in.md#at-the-start-of-a-session",
    "sign_out": "sign-in.md#signing-out",
    "helper_log": "tokens.md#the-log",
    "mirror": "toolchain.md#a-mirror",
    "toolchain_sources": "toolchain.md#sources",
    "uninstall_programs": "toolchain.md#sources",
    "download_on": "toolchain.md#fetched-once-by-the-control-node",
    "offline_directory": "toolchain.md#without-a-way-out",
    "token_ttl_minutes": "tokens.md#how-long-a-pause-may-be",
    "extra_settings": "input.md#your-own-agent-settings",
    "config": "input.md#the-json-config-file",
    "config_url": "input.md#the-json-config-file",
    "routing": "workspace.md#routings",
    "agents": "README.md#agents",
    "models": "README.md#agents",
    "models_auto": "workspace.md#the-newest-models",
    "models_file": "workspace.md#the-newest-models",
    "models_schemas": "workspace.md#the-newest-models",
    "base_urls": "workspace.md#another-address-for-an-agent",
    "ca_file": "input.md#a-certificate-authority-and-a-proxy",
    "proxy": "input.md#a-certificate-authority-and-a-proxy",
    "users": "input.md#several-users-of-a-host",
    "report": "README.md#modules-and-playbooks",
    "answers": "configure.md#from-a-file",
    "configure_file": "configure.md#what-is-written",
    "configure_replace": "configure.md#what-is-written",
    "models_query": "models.md#the-list",
    "self_help_skills": "skills.md",
    "web_search": "web-search.md",
    "web_search_backend": "web-search.md#who-searches",
    "web_search_key": "web-search.md#who-searches",
    "web_allowed_addresses": "web-search.md#the-address-guard",
    "on_unreadable": "editing.md",
}
"""Pages that say more of a variable than its row. No variable needs one."""

_NOT_IN_A_MODULE = {
    "config": "The JSON config file of the earlier set-up script, a path on the control node.",
    "config_url": "The same as an `https` URL.",
    "config_sha256": "Digest that the content of `coding_agents_config_url` must have.",
    "hosts": "Which hosts the playbooks work on.",
}
"""Variables that no module takes, so that no doc fragment has a sentence for them."""

_KINDS = {
    "str": "text",
    "bool": "true or false",
    "int": "number",
    "dict": "dictionary",
    "extra_settings": "dictionary",
    "hosts": "host pattern",
}
"""What a type, or a variable of any type, is called."""


# Markup


def markdown(text: str) -> str:
    """Ansible's documentation markup as Markdown. An option is shown as its variable."""

    def replaced(found: re.Match[str]) -> str:
        kind, content = found[1], re.sub(r"\\(.)", r"\1", found[2])
        if kind == "O":
            name, equals, value = content.rpartition(":")[2].partition("=")
            variable = f"{PREFIX}{name}" if name in judge.VARIABLES else name
            return f"`{variable}: {value}`" if equals else f"`{variable}`"
        if kind in "MP":
            return f"`{content.partition('#')[0]}`"
        if kind in "IB":
            return f"{'*' * (1 if kind == 'I' else 2)}{content}{'*' * (1 if kind == 'I' else 2)}"
        return f"`{content.rpartition(':')[2] if kind == 'RV' else content}`"

    return re.sub(r"\b(RV|[OVCMPEIB])\(((?:[^\\)]|\\.)*)\)", replaced, text)


def first_sentence(description: str | Sequence[str]) -> str:
    text = description if isinstance(description, str) else description[0]
    return markdown(re.split(r"(?<=[.)])\s+(?=[A-Z])", " ".join(text.split()), maxsplit=1)[0])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _code(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"`` {text} ``" if "`" in text else f"`{text}`"


# Facts


def descriptions() -> dict[str, str]:
    """The first sentence of each variable, from the doc fragments of the options' groups and from the modules."""
    found: dict[str, Any] = {}
    for path in [
        *sorted((ROOT / "plugins" / "doc_fragments").glob("*.py")),
        *sorted((ROOT / "plugins" / "modules").glob("*.py")),
    ]:
        for text in _documentations(path):
            for name, option in ((yaml.safe_load(text) or {}).get("options") or {}).items():
                if path.parent.name == "doc_fragments" and path.stem == "databricks_auth":
                    continue  # of modules that take no variable
                found.setdefault(name, option["description"])
    silent = [name for name in judge.VARIABLES if name not in found and name not in _NOT_IN_A_MODULE]
    if silent:
        raise ValueError(f"no doc fragment and no module describes {', '.join(silent)}")
    return {name: _NOT_IN_A_MODULE.get(name) or first_sentence(found[name]) for name in judge.VARIABLES}


def _documentations(path: Path) -> Iterator[str]:
    if path.parent.name == "doc_fragments":
        fragment = importlib.import_module(f"{_COLLECTION}.doc_fragments.{path.stem}").ModuleDocFragment
        yield from (text for name, text in vars(fragment).items() if name.isupper())
        return
    found = re.search(r'^DOCUMENTATION = r?"""(.*?)^"""', path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    if found:
        yield found[1]


def _versions_in(pattern: str, files: str) -> list[str]:
    """All versions that the tests' lists of packages name so, oldest first."""
    texts = [path.read_text() for path in sorted((ROOT / "tests" / "requirements").glob(files))]
    found = {one for text in texts for line in re.findall(pattern, text, re.MULTILINE) for one in line.split()}
    return sorted(found, key=lambda one: tuple(map(int, one.split("."))))


def _control_packages() -> list[str]:
    lines = (ROOT / "meta" / "ee-requirements.txt").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _options(**given: Any) -> dict[str, Any]:
    defaults = {name: option.get("default") for name, option in judge.VARIABLES.items()}
    return {**defaults, "workspace_url": routing.EXAMPLE_URL, "carried": {"ca": "-"}, **given}


_WORKSPACE_ID = "1234567890123456"
_REGISTRIES = {"npm": "the npm registry", "pip": "a Python index"}
_OWNER = Owner("ada", 1000, 1000, "/home/ada")


_MACHINE = Owner(MACHINE, 0, 0, "/root", MACHINE)


def _documents(name: str, **given: Any) -> list[Wanted]:
    return AGENTS[name].documents(agent_options(_OWNER, _options(**given), name))


def _node(agent: Agent) -> str:
    if not isinstance(agent.source, Npm):
        return ""
    newer = [f"{agent.source.node[one]} from {one} on" for one in sorted(agent.source.node, key=version_key)[1:]]
    return ", ".join((f"{agent.source.oldest_node(agent.pinned_version)} or newer", *newer))


def _fetched_with() -> str:
    """What has to be on a host from which an agent's program is fetched; more than most need is said of each agent."""
    nodes: dict[str, list[str]] = {}
    pythons: dict[str, list[str]] = {}
    for agent in AGENTS.values():
        if isinstance(agent.source, Npm):
            nodes.setdefault(agent.source.oldest_node(agent.pinned_version), []).append(agent.title)
        elif isinstance(agent.source, Pip):
            pythons.setdefault(" or ".join(agent.source.pythons) or "3", []).append(agent.title)
    oldest, *newer = sorted(nodes, key=version_key)
    more = "".join(f", {node} for {' and '.join(nodes[node])}" for node in newer)
    venv = "; ".join(f"Python {python} with its module venv for {' and '.join(who)}" for python, who in pythons.items())
    return f"Node.js {oldest} or newer with npm{more}; {venv}"


# Sections


def fetched() -> str:
    """What hosts fetch, where from, and by what it is proved."""
    rows = [
        (one.package, version, f"`https://{one.place}`", f"`{one.name_of_archive}`, `{one.sums}`", _proof(one, version))
        for one, version in ((NODE, NODE_VERSION), (DATABRICKS_CLI, DATABRICKS_CLI_VERSION))
    ]
    ours = "our lock, for pinned versions"
    rows += [
        ("agents from npm", "as pinned", "the registry that npm is set to", "as npm asks", ours),
        ("agents from a Python index", "as pinned", "the index that pip is set to", "as pip asks", ours),
    ]
    return _table(("what", "version", "where from", "files", "proved by"), rows)


def sources() -> str:
    """What package managers are asked for, platform by platform."""
    formulas = _packages(source_homebrew.HOMEBREW.packages)
    rows = []
    for row, platform in PLATFORMS.items():
        known = source_distribution.ROWS.get(row, ())
        own = "; ".join(f"{one.program}: {_packages(one.packages)} ({_PROOFS[one.proof]})" for one in known)
        rows.append((platform.title, f"{formulas} ({_PROOFS[UNPROVEN]})", own or "none"))
    return _table(("platform", "homebrew", "distribution"), rows)


_PROOFS = {TESTED: "real, in tests", UNPROVEN: "simulated in tests, unproven"}


def _packages(packages: Mapping[str, Sequence[Sequence[str]]]) -> str:
    return ", ".join(
        " or ".join(" and ".join(f"`{name}`" for name in one) for one in several) for several in packages.values()
    )


def _proof(release: Release, version: str) -> str:
    locked = _locks().get(f"{release.package}@{version}", {})
    platforms = [
        f"{_SYSTEMS[system]} on {_MACHINES[machine]}"
        for system, machine in itertools.product(("linux", "darwin"), _MACHINES)
        if release.archive_for(version, system, machine) in locked
    ]
    return f"our lock for {', '.join(platforms)}; else the release's sums" if platforms else "the release's sums"


_MACHINES = {"x86_64": "x86-64", "arm64": "ARM"}


def _locks() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "plugins" / "plugin_utils" / "locks.json").read_text())
    return found


def requirements() -> str:
    cores = _versions_in(r"^ansible-core==(\d+\.\d+)", "**/*.txt")
    python = _versions_in(r"^# python: ([\d. ]+)$", "matrix/*.txt")[0]
    host = ".".join(map(str, module.OLDEST_PYTHON))
    packages = ", ".join(f"`{one}`" for one in _control_packages())
    return _table(
        ("where", "what", "when"),
        [
            ("control node", f"ansible-core {cores[0]} to {cores[-1]}, on Python {python} or newer", "always"),
            ("control node", packages, "to ask the workspace; `coding_agents_preflight: false` goes without"),
            ("hosts", f"Linux, macOS or WSL, Python {host} or newer", "always"),
            (
                "hosts",
                _fetched_with(),
                "where an agent's program has to be installed; a host without such a Node.js is given one",
            ),
            (
                "hosts",
                f"Databricks CLI {user_sign_in.OLDEST_CLI} or newer",
                "for `coding_agents_identity: user`; a host without one is given one",
            ),
            (
                "workspace",
                f"for whoever the tokens are for: {GRANTS}",
                f"always; [how to grant it, and how to make a service principal]({PAGES}/workspace.md)",
            ),
        ],
    )


def variables() -> str:
    said = descriptions()
    titles = {"must": "What you must set", "usual": "What many set", "rare": "What few need"}
    blocks = []
    for use, title in titles.items():
        names = [name for name in judge.VARIABLES if judge.USE.get(name, "rare") == use]
        rows = [
            (f"`{PREFIX}{name}`", _type(name), _default(name), _example(name), _said(name, said[name]))
            for name in names
        ]
        blocks.append(f"### {title}\n\n{_table(('variable', 'type', 'default', 'example', 'meaning'), rows)}")
    return "\n\n".join(blocks)


def _said(name: str, sentence: str) -> str:
    # The example has a column of its own.
    sentence = re.sub(r",? such as `[^`]*`(?=\.$)", "", sentence)
    more = _SAYS_MORE.get(name)
    return f"{sentence} [More]({PAGES}/{more})" if more else sentence


def _type(name: str) -> str:
    option = judge.VARIABLES[name]
    if "choices" in option and option["type"] != "list":
        return " ".join(f"`{one}`" for one in option["choices"])
    kind = _KINDS.get(name) or _KINDS.get(option["type"]) or str(option["type"])
    return kind + (", secret" if option.get("no_log") else "")


def _default(name: str) -> str:
    default = judge.VARIABLES[name].get("default")
    return "" if default in (None, {}, []) else _code(_yaml(default))


def _example(name: str) -> str:
    example = judge.EXAMPLES[name]
    return "" if f"`{example}`" == _default(name) else _code(example)


def _yaml(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...")


def agents() -> str:
    rows = []
    for name, agent in AGENTS.items():
        slots: dict[str, list[str]] = {}
        for slot, model in agent.model_defaults.items():
            slots.setdefault(model, []).append(slot)
        models = "; ".join(f"`{model}` ({', '.join(names)})" for model, names in slots.items())
        page = f"[{agent.title}]({PAGES}/agents/{name}.md)"
        rows.append((page, f"`{name}`", _versions(agent), models))
    return _table(("agent, and what is written", "name in variables", "versions", "models, unless you choose"), rows)


def _versions(agent: Agent) -> str:
    refused = f", not {', '.join(agent.denied_versions)}" if agent.denied_versions else ""
    return f"{agent.minimum_version} or newer{refused}; {agent.pinned_version} is installed where there is none"


_EVERYWHERE = {"npm": "every platform that its maker serves", "pip": "Linux and macOS, x86-64 and ARM"}
_SYSTEMS = {"linux": "Linux", "darwin": "macOS", "x64": "x86-64", "arm64": "ARM"}


def programs() -> str:
    """Whose scripts run as npm installs it, and for which platforms its lock holds the program."""
    rows = []
    locks = _locks()
    for agent in AGENTS.values():
        source = agent.source
        lock = locks[f"{source.package}@{agent.pinned_version}"]
        own = isinstance(source, Npm) and source.needs_scripts
        locked = _EVERYWHERE[source.name]
        if isinstance(source, Npm) and lock[f"node_modules/{source.package}"].get("lacksPlatforms"):
            fitting = {(one["os"][0], one["cpu"][0]) for place, one in lock.items() if one.get("optional")}
            named = (f"{_SYSTEMS[system]} on {_SYSTEMS[machine]}" for system, machine in sorted(fitting))
            locked = f"{', '.join(named)} alone: its registry had no other when the lock was made"
        rows.append((agent.title, f"`{source.package}` {agent.pinned_version}", "its own" if own else "none", locked))
    return _table(("agent", "package", "scripts that run", "in the lock for"), rows)


def prompts() -> str:
    """What the doctor's prompt may cost, and whether the agent tells what it did cost."""
    rows = []
    for agent in AGENTS.values():
        tells = type(agent).tokens is not Agent.tokens
        rows.append((agent.title, f"{agent.prompt_tokens:,}".replace(",", " "), "yes" if tells else "no"))
    return _table(("agent", "tokens at most", "says how many it took"), rows)


def parts() -> str:
    rows = []
    for name, part in PARTS.items():
        said = (sys.modules[type(part).__module__].__doc__ or "").strip().split("\n")[0].rstrip(".")
        own = ROOT / "plugins" / "modules" / f"{name}.py"
        rows.append((f"`{name}`", said[:1].lower() + said[1:], f"`fmapi.coding_agents.{name}`" if own.exists() else ""))
    return _table(("part, and tag", "what it brings", "module of its own"), rows)


def routings() -> str:
    rows = []
    for dialect in routing.DIALECTS:
        for name in routing.ROUTINGS:
            url = routing.base_url(name, routing.EXAMPLE_URL, dialect, _WORKSPACE_ID)
            rows.append((f"`{name}`", dialect, f"`{url}`"))
    return _table(("`coding_agents_routing`", "dialect", "base URL that an agent gets"), rows)


def grants() -> str:
    return f"> {GRANTS[:1].upper()}{GRANTS[1:]}."


def agent_page(name: str) -> str:
    agent = AGENTS[name]
    facts = [
        ("command", f"`{agent.command}`"),
        ("older commands, kept where they were", ", ".join(f"`{one}`" for one in agent.other_commands)),
        ("program", f"`{agent.source.package}`, from {_REGISTRIES.get(agent.source.name, agent.source.name)}"),
        ("versions", _versions(agent)),
        ("Node.js", _node(agent)),
        ("wire dialect", ", ".join(agent.dialects)),
        ("token renewal", markdown(getattr(agent, "renewal", ""))),
        ("measured", markdown(getattr(agent, "measured", ""))),
        (f"[all users of a host]({PAGES}/machine-scope.md)", _for_all_users(agent)),
        (f"[skills of ours]({PAGES}/skills.md)", _skill_place(agent, _OWNER)),
    ]
    blocks = [_table(("fact", "value"), [fact for fact in facts if fact[1]])]
    blocks += [
        "## Models",
        _models(agent),
        "## What is written",
        _written_introduction(),
        *_files(name),
        *_environment(name),
    ]
    if agent.own_options:
        blocks += ["## Options of its own", _own_options(name)]
    return "\n\n".join(blocks)


def _for_all_users(agent: Agent) -> str:
    """What its file says of machine scope, or why it has none."""
    return markdown(agent.machine_scope) if agent.machine_scope else f"No: {agent.no_machine_scope}."


def machine() -> str:
    """Agent by agent: what is written for all users of a host."""
    rows = []
    for name, agent in AGENTS.items():
        options = agent_options(_MACHINE, _options(scope=MACHINE), name)
        places = [one.path for one in agent.documents(options)] if agent.machine_scope else []
        if agent.machine_scope and agent.launch(options) is not None:
            places.append(os.path.join(_MACHINE.launchers, agent.command))
        found = agent.skill_place(_MACHINE) if agent.machine_scope else None
        if found is not None:
            places.append(f"{found.directory}/{skills.PLUGIN}-*/SKILL.md")
        page = f"[{agent.title}](agents/{name}.md)"
        rows.append((page, ", ".join(f"`{one}`" for one in places), _for_all_users(agent)))
    return _table(("agent", "what is written", "what there is to know"), rows)


def _skill_place(agent: Agent, owner: Owner) -> str:
    """Where the agent is given skills of ours, as one example."""
    place = agent.skill_place(owner)
    return f"`{_in_home(skills.skill_file(place, skills.SKILLS[0]))}` and so on" if place else ""


def _in_home(path: str) -> str:
    return re.sub(f"^{_OWNER.home}/", "~/", path)


def skill_places() -> str:
    """Agent by agent: where skills of ours stand."""
    rows = []
    for name, agent in AGENTS.items():
        places = [_skill_place(agent, _OWNER), _skill_place(agent, _MACHINE) if agent.machine_scope else ""]
        rows.append((f"[{agent.title}](agents/{name}.md)", *(one or "none" for one in places)))
    return _table(("agent", "in a home", "for all users of a host"), rows)


def skill_names() -> str:
    """Skill by skill: what it runs, and what older set-ups called it."""
    rows = []
    for one in skills.SKILLS:
        names = f"`{skills.PLUGIN}:{one.name}` in Claude Code, `{skills.PLUGIN}-{one.name}` elsewhere"
        asks = "no" if one.only_looks else "yes"
        rows.append((names, f"`{' '.join(('coding-agents', *one.verb))}`", asks, f"`/{one.older}`"))
    return _table(("skill", "what the agent runs", "asks the person first", "name in older set-ups"), rows)


def _models(agent: Agent) -> str:
    slots: Mapping[str, str] = getattr(agent, "model_slots", {})
    head = ("variable", "without it", *(["what it is for"] if slots else []))
    return _table(
        head,
        [
            (f"`{PREFIX}models.{agent.name}.{slot}`", f"`{model}`", *([markdown(slots.get(slot, ""))] if slots else []))
            for slot, model in agent.model_defaults.items()
        ],
    )


def _written_introduction() -> str:
    return f"""\
Shown for a workspace at `{routing.EXAMPLE_URL}` and a user whose home is
`{_OWNER.home}`, with all else left at its default. Each key is taken back when it is not wanted any more, and on uninstall; what
stood there before is given back ([how](../editing.md))."""


def _variations(name: str) -> list[tuple[str, dict[str, Any]]]:
    """What an operator may set besides, in so far as it adds or removes keys."""
    found: list[tuple[str, dict[str, Any]]] = [
        ("coding_agents_ca_file", {"ca_file": "files/company-ca.pem"}),
        ("coding_agents_proxy", {"proxy": judge.EXAMPLES["proxy"]}),
        ("coding_agents_no_proxy", {"proxy": judge.EXAMPLES["proxy"], "no_proxy": judge.EXAMPLES["no_proxy"]}),
    ]
    for option, said in AGENTS[name].own_options.items():
        if said["type"] == "bool":
            value = not said.get("default", False)
            found.append((f"{PREFIX}{name}_{option}: {json.dumps(value)}", {f"{name}_{option}": value}))
    return found


def _files(name: str) -> Iterator[str]:
    """A heading and a table for each document; what only an option brings about is told with it."""
    usual = {one.path: one for one in _documents(name)}
    others = [(said, {one.path: one for one in _documents(name, **given)}) for said, given in _variations(name)]
    only = {path: (said, one) for said, found in others for path, one in found.items() if path not in usual}
    for path, document in {**usual, **{path: one for path, (_said, one) in only.items()}}.items():
        yield f"### `{_in_home(path)}`"
        private = "; another one is tightened to 0600" if document.private else ""
        when = f", only with `{only[path][0]}`" if path in only else ""
        yield f"Mode {document.mode:04o} where we make it{private}{when}."
        yield _keys(name, document, [(said, found[path]) for said, found in others if path in found])


def _environment(name: str) -> Iterator[str]:
    """What the command of ours sets, where there is one."""
    usual = _launch(name)
    others = [
        (said, launch)
        for said, launch in ((said, _launch(name, **given)) for said, given in _variations(name))
        if launch
    ]
    if usual is None and not others:
        return
    rows = {one: (_code(value), "") for one, value in (usual.environment if usual else {}).items()}
    for said, launch in others:
        for one, value in launch.environment.items():
            rows.setdefault(one, (_code(value), f"with `{said}`"))
    for launch in [usual] if usual else []:
        rows.update(dict.fromkeys(launch.token_variables, ("a token, fresh at each start", "")))
        rows.update(dict.fromkeys(launch.unset, ("taken out", "")))
    command = os.path.join(_OWNER.launchers, AGENTS[name].command)
    yield f"### `{_in_home(command)}`"
    when = "" if usual else ", where it needs them"
    yield f"The command that starts it with these variables{when}: it stands first on PATH. No shell's own environment has them."
    yield _table(
        ("variable", "value", "when", "why"),
        [(f"`{one}`", *row, markdown(AGENTS[name].reasons.get((one,), ""))) for one, row in rows.items()],
    )


def _launch(name: str, **given: Any) -> Launch | None:
    return AGENTS[name].launch(agent_options(_OWNER, _options(**given), name))


def _keys(name: str, document: Wanted, others: Sequence[tuple[str, Wanted]]) -> str:
    reasons: Mapping[tuple[str, ...], str] = getattr(AGENTS[name], "reasons", {})
    rows: dict[tuple[str, ...], tuple[str, str]] = {}
    for key, value in document.values.items():
        without = [said for said, one in others if key not in one.values]
        rows[key] = (_code(value) if key else document.summary, f"not with `{without[0]}`" if without else "")
    for said, one in others:
        for key, value in one.values.items():
            rows.setdefault(key, (_code(value), f"with `{said}`"))
    for key, members in document.elements.items():
        rows[key] = (", ".join(map(_code, members)), "added to the list")
    for key in document.superseded:
        rows.setdefault(key, ("", "taken out: it would outrank what is written here"))
    return _table(
        ("key", "value", "when", *(["why"] if reasons else [])),
        [
            (f"`{'.'.join(key) or 'the whole file'}`", *row, *([markdown(reasons.get(key, ""))] if reasons else []))
            for key, row in rows.items()
        ],
    )


def _own_options(name: str) -> str:
    rows = []
    for option, said in AGENTS[name].own_options.items():
        text = " ".join(markdown(one) for one in said["description"])
        rows.append((f"`{PREFIX}{name}_{option}`", _type(f"{name}_{option}"), _default(f"{name}_{option}"), text))
    return _table(("variable", "type", "default", "meaning"), rows)


# Pages

_AGENT_PAGE = """\
<!--
Copyright: (c) 2026, fmapi.coding_agents contributors
SPDX-License-Identifier: GPL-3.0-or-later
-->

# {title}

<!-- generated: agent -->
<!-- end: agent -->
"""


def sections() -> dict[Path, dict[str, str]]:
    """What belongs between the markers, by page and name."""
    found: dict[Path, dict[str, str]] = {
        ROOT / "README.md": {
            "requirements": requirements(),
            "agents": agents(),
            "variables": variables(),
            "parts": parts(),
        },
        ROOT / "docs" / "secrets.md": {"programs": programs()},
        ROOT / "docs" / "toolchain.md": {"fetched": fetched(), "sources": sources()},
        ROOT / "docs" / "doctor.md": {"prompts": prompts()},
        ROOT / "docs" / "workspace.md": {"grants": grants(), "routings": routings()},
        ROOT / "docs" / "machine-scope.md": {"machine": machine()},
        ROOT / "docs" / "skills.md": {"skills": skill_names(), "places": skill_places()},
        ROOT / "docs" / "README.md": {
            "agents": "\n".join(f"- [{one.title}](agents/{name}.md)" for name, one in AGENTS.items())
        },
    }
    for name in AGENTS:
        found[ROOT / "docs" / "agents" / f"{name}.md"] = {"agent": agent_page(name)}
    return found


def filled(page: str, parts_of_it: Mapping[str, str]) -> str:
    """The page with its generated sections as they should be. Raises ValueError for a marker that is missing or unknown."""
    wanted = set(re.findall(r"^<!-- generated: (\w+) -->$", page, re.MULTILINE))
    if wanted != set(parts_of_it):
        raise ValueError(f"has the sections {sorted(wanted)}, and should have {sorted(parts_of_it)}")
    for name, text in parts_of_it.items():
        marks = f"<!-- generated: {name} -->\n", f"<!-- end: {name} -->\n"
        begin, end = page.index(marks[0]) + len(marks[0]), page.index(marks[1])
        page = f"{page[:begin]}\n{text}\n\n{page[end:]}"
    return page


def wanted() -> dict[Path, str]:
    """Every file that is generated, as a whole or in part, as it should be."""
    found = {}
    for path, own in sections().items():
        title = AGENTS[path.stem].title if path.parent.name == "agents" else ""
        page = path.read_text(encoding="utf-8") if path.exists() or not title else _AGENT_PAGE.format(title=title)
        try:
            found[path] = filled(page, own)
        except ValueError as error:
            raise ValueError(f"{path.relative_to(ROOT)} {error}") from None
    for path in sorted(PICTURES.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        found[ROOT / "docs" / "pictures" / f"{path.stem}.svg"] = picture(text, text.split("\n")[0].removeprefix("$ "))
    return found


def stale() -> list[Path]:
    return [path for path, text in wanted().items() if not path.exists() or path.read_text(encoding="utf-8") != text]


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        names = [str(path.relative_to(ROOT)) for path in stale()]
        print("\n".join(f"{name} is stale. Run: {COMMAND}" for name in names) or "nothing is stale")
        return 1 if names else 0
    for path, text in wanted().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"written: {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
