# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The questions of the playbook configure, in their order, each judged before the next.

Who answers is a :class:`Person`: somebody at a terminal, or a file of answers. Values are those that will stand in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ..module_utils.agents import AGENTS
from ..module_utils.errors import OperatorError
from ..module_utils.options import judge
from ..module_utils.options.databricks_oauth import OIDC_SOURCES
from ..module_utils.options.values import PREFIX, as_boolean, as_list, as_mapping
from ..module_utils.places import EVERYBODY, MACHINE, USER
from ..module_utils.routing import normalize_workspace_url
from .variables_file import VAULT, Tagged, is_template, is_vaulted

_KEEP, _NEWEST, _EACH = "keep", "newest", "each"
_FROM_VAULT, _IN_PROFILE = "vault", "profile"

_IDENTITIES = {
    "user": "each person signs in once, in a browser",
    "service_principal": "hosts without a person: a client id and a secret",
    "workload_identity": "a platform vouches for the host: no secret",
    "pat": "a personal access token, which lives long",
}
_ROUTINGS = {
    "gateway": "a path on the workspace's host",
    "serving_endpoints": "the older path",
    "gateway_host": "the gateway's own host",
    "auto": "the gateway if it answers when a run begins, else the older path",
}
_SCOPES = {
    USER: "the files of single users",
    MACHINE: "all users of a host, also those added later; needs root",
}
_SOURCES = {
    "oidc_token_file": "a file on the host",
    "oidc_token_env": "a variable of the environment",
    "oidc_token_command": "a command that prints it",
}


NOBODY = "whoever Ansible works as"
"""Whose agents are set where no user is named."""

_SUMMED_UP = ("workspace_url", "identity", "agents", "routing", "models", "models_auto", "scope", "users")


class Person(Protocol):
    """Who answers."""

    def say(self, text: str, tone: str = "") -> None:
        """Tell something."""

    def ask(self, text: str) -> str:
        """The answer to a question, empty for the default. Raises OperatorError where nobody can answer."""


class Question(NamedTuple):
    """One question. With ``choices``, their names and what they mean."""

    text: str
    default: str = ""
    choices: Mapping[str, str] = {}
    several: bool = False


Survey = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""From options to what the workspace serves. Raises OperatorError."""

Resolve = Callable[[Any], Any]
"""From a value as it stands in a file to what it means. Raises OperatorError."""


class Interview:
    """Brings options from what is known to what is wanted.

    :param known: what is known, by option, as it stands in a file.
    :param resolve: what a template means.
    :param survey: asks the workspace.
    """

    def __init__(self, person: Person, known: Mapping[str, Any], resolve: Resolve, survey: Survey) -> None:
        self._person = person
        self.values = dict(known)
        self._asked: set[str] = set()
        self._resolve = resolve
        self._survey = survey

    def ask_all(self) -> None:
        """Raises OperatorError where nobody can answer."""
        self._option("workspace_url", "URL of the Databricks workspace")
        self._until_it_fits(self._identity)
        self._option("agents", "Which coding agents", {name: agent.title for name, agent in AGENTS.items()})
        self._option("routing", "How do requests reach the models?", _ROUTINGS)
        self._models()
        self._until_it_fits(self._owners)

    def _identity(self) -> None:
        self._option("identity", "Whose tokens do agents use?", _IDENTITIES)
        self._tidy()
        identity = self._meaning("identity")
        if identity == "service_principal":
            self._option("client_id", "Client id (application id) of the service principal")
        elif identity == "workload_identity":
            self._option("client_id", "Client id of the service principal, if it is for one workspace", none=True)
            present = next((name for name in OIDC_SOURCES if self.values.get(name)), OIDC_SOURCES[0])
            source = self._choice(Question("Where is the OIDC token?", present, _SOURCES))
            for name in set(OIDC_SOURCES) - {source}:
                self.values.pop(name, None)
            self._option(source, f"Which: {_SOURCES[source]}")
        elif identity == "pat":
            present = _FROM_VAULT if self.values.get("pat") else _IN_PROFILE
            places = {_FROM_VAULT: f"{PREFIX}pat holds it, from a vault", _IN_PROFILE: "the profile on the host has it"}
            if self._choice(Question("Where is the personal access token?", present, places)) == _IN_PROFILE:
                self.values.pop("pat", None)
            else:
                self.values.setdefault("pat", vaulted("pat"))

    def _owners(self) -> None:
        self._option("scope", "Whose agents are set?", _SCOPES)
        self._tidy()
        if self._meaning("scope") != MACHINE:
            text = f"Users of the hosts, with commas, or {EVERYBODY}; none is {NOBODY}"
            self._option("users", text, none=True)
        elif self._meaning("identity") == "service_principal":
            self._option("secret_group", "Group of the host that may read the client secret")
        self._tidy()

    def _tidy(self) -> None:
        self.values = tidied(self.values, self._resolve)

    # Models

    def _models(self) -> None:
        try:
            found = self._survey(self._meanings())
        except OperatorError as error:
            self._person.say(f"What the workspace serves is not known: {error}", "warning")
            found = {}
        choices = found.get("choices", ())
        width = max((len(f"{one['agent']}.{one['choice']}") for one in choices), default=0)
        for one in choices:
            said = f": {one['detail']}" if one["status"] == "FAIL" else ""
            tone = {"PASS": "ok", "FAIL": "error"}.get(one["status"], "warning")
            name = f"{one['agent']}.{one['choice']}"
            self._person.say(f"  {name:<{width}}  {one['model']}  {one['state']}{said}", tone)
        ways = {
            _KEEP: "these" if choices else "those of the collection, or of the present configuration",
            _NEWEST: "the newest of each family that is served when a run begins",
            _EACH: "choose each",
        }
        present = _NEWEST if as_boolean(self.values.get("models_auto")) is True else _KEEP
        present = _EACH if any(one["status"] == "FAIL" for one in choices) else present
        way = self._choice(Question("Which models?", present, ways))
        if way == _NEWEST:
            self.values["models_auto"] = True
            self.values.pop("models", None)
            return
        self.values.pop("models_auto", None)
        self._tidy()
        if way == _EACH:
            self.values["models"] = self._each_model(found)

    def _each_model(self, found: Mapping[str, Any]) -> dict[str, dict[str, str]]:
        present = {(one["agent"], one["choice"]): one["model"] for one in found.get("choices", ())}
        served = found.get("served", ())
        chosen: dict[str, dict[str, str]] = {}
        for agent in self._meanings()["agents"]:
            ready = [str(row["name"]) for row in served if agent in row["agents"] and row["ready"]]
            for choice, of_collection in judge.models_of(agent, self._meanings()).items():
                before = present.get((agent, choice), of_collection)
                default = before if not ready or before in ready else ready[0]
                question = Question(f"{AGENTS[agent].title}: {choice}", default, dict.fromkeys(ready, ""))
                chosen.setdefault(agent, {})[choice] = self._model(question, agent, choice, served)
        return chosen

    def _model(self, question: Question, agent: str, choice: str, served: Sequence[Mapping[str, Any]]) -> str:
        while True:
            model = self._answer(question)
            wrong = judge.problems_of("models", {agent: {choice: model}})
            row = next((row for row in served if row["name"] == model), None)
            if not wrong and served and row is None:
                wrong = [f"The workspace does not list {model}."]
            if not wrong and row is not None and row["api_types"] and agent not in row["agents"]:
                wrong = [
                    f"{model} is served as {', '.join(row['api_types'])}, which {AGENTS[agent].title} does not speak."
                ]
            if not wrong:
                return model
            self._tell(wrong)

    # Answers

    def _option(self, name: str, text: str, choices: Mapping[str, str] | None = None, none: bool = False) -> None:
        """Ask for one option until it is right.

        :param none: whether it may be left out, by a hyphen where something is known.
        """
        self._asked.add(name)
        several = judge.VARIABLES[name]["type"] == "list"
        known = self.values.get(name, judge.VARIABLES[name].get("default"))
        if isinstance(known, Tagged):
            self._person.say(f"{PREFIX}{name} stays {'in its vault' if is_vaulted(known) else 'as it is'}.")
            return
        default = ", ".join(map(str, known)) if isinstance(known, list) else "" if known is None else str(known)
        text = f"{text} (- for none)" if none and default else text
        while True:
            given = self._answer(Question(text, default, choices or {}, several))
            if none and given in ("", "-"):
                self.values.pop(name, None)
                return
            value: Any = as_list(given) if several and not is_template(given) else given
            wrong = self.problems(name, value)
            if not wrong:
                self.values[name] = _normal(name, value)
                return
            self._tell(wrong)

    def problems(self, name: str, value: Any) -> list[str]:
        """What is wrong with a value, as it stands or as what it means."""
        if not value:
            return [f"{PREFIX}{name} is needed."]
        try:
            meant = self._resolve(value)
        except OperatorError as error:
            return [f"{PREFIX}{name}: {error}"]
        return judge.problems_of(name, meant)

    def _choice(self, question: Question) -> str:
        while True:
            given = self._answer(question)
            if given in question.choices:
                return given
            self._tell([f"{given} is none of: {', '.join(question.choices)}."])

    def _answer(self, question: Question) -> str:
        """What was answered, with names where numbers of choices were given."""
        names = list(question.choices)
        self._person.say("")
        for number, (name, meaning) in enumerate(question.choices.items(), 1):
            width = max(map(len, names))
            self._person.say(f"  {number:>2}  {name:<{width}}  {meaning}".rstrip())
        given = self._person.ask(f"{question.text}{f' [{question.default}]' if question.default else ''}").strip()
        given = given or question.default
        if is_template(given):
            return given
        words = [word.strip() for word in given.split(",")] if question.several else [given]
        if names:
            words = [
                names[int(word) - 1] if word.isdecimal() and 1 <= int(word) <= len(names) else word for word in words
            ]
        return ", ".join(words)

    def _until_it_fits(self, ask: Callable[[], None]) -> None:
        """Ask a group of questions again, from where it began, while the answers do not go together."""
        before = dict(self.values)
        while True:
            ask()
            of_these = {
                name: value for name, value in self.values.items() if name in self._asked or judge.is_secret(name)
            }
            wrong = judge.together(meanings(of_these, self._resolve))
            if not wrong:
                return
            self._tell(wrong)
            self.values = dict(before)

    def _tell(self, wrong: Sequence[str]) -> None:
        for one in wrong:
            self._person.say(one, "error")

    def _meaning(self, name: str) -> Any:
        return self._meanings().get(name)

    def _meanings(self) -> dict[str, Any]:
        """What the options mean, with the defaults. One that cannot be known yet, as a vault that is not there, is as it stands."""
        return meanings(self.values, self._resolve)


def vaulted(name: str) -> str:
    """Secrets are never asked for: only where they come from is named."""
    return f"{{{{ {VAULT}{PREFIX}{name} }}}}"


def tidied(values: Mapping[str, Any], resolve: Resolve, given: Collection[str] = ()) -> dict[str, Any]:
    """Without what belongs to another identity, another scope or another choice of models, but for what was ``given`` just now."""
    meant = meanings(values, resolve)
    of_one = {
        "service_principal": ("client_id", "client_secret"),
        "workload_identity": ("client_id", *OIDC_SOURCES, "token_audience"),
        "pat": ("pat",),
    }
    strange = {name for names in of_one.values() for name in names} - set(of_one.get(meant["identity"], ()))
    if meant["scope"] == MACHINE:
        strange |= {"users", "exclude_users", "home", "login_at_start"}
    else:
        strange |= {"secret_group"}
    if as_list(meant["users"]) != [EVERYBODY]:
        strange.add("exclude_users")
    if as_list(meant["users"]):
        strange.add("home")
    if as_boolean(meant["models_auto"]) is not True:
        strange |= {"models_file", "models_schemas"}
    found = {name: value for name, value in values.items() if name in given or name not in strange}
    if meant["identity"] == "service_principal":
        found.setdefault("client_secret", vaulted("client_secret"))
    return found


def meanings(values: Mapping[str, Any], resolve: Resolve) -> dict[str, Any]:
    """What options mean, with the defaults; one that cannot be known yet is as it stands."""
    found = {name: option["default"] for name, option in judge.VARIABLES.items() if "default" in option}
    for name, value in values.items():
        if name in judge.VARIABLES:
            try:
                found[name] = resolve(value)
            except OperatorError:
                found[name] = value
    found["agents"] = as_list(found["agents"]) or []
    return found


def problems(values: Mapping[str, Any], resolve: Resolve) -> list[str]:
    """What is wrong with a whole configuration: each value, then what does not go together."""
    meant = meanings(values, resolve)
    wrong = judge.unknown(values)
    if not values.get("workspace_url"):
        wrong.append(f"{PREFIX}workspace_url is needed.")
    for name, value in values.items():
        known = name in judge.VARIABLES and not is_vaulted(value)
        if known and not (is_template(value) and meant[name] == value):
            wrong += judge.problems_of(name, meant[name])
    return wrong or judge.together(meant)


def _normal(name: str, value: Any) -> Any:
    if name == "workspace_url" and not is_template(value):
        return normalize_workspace_url(value)
    return value


def summary(values: Mapping[str, Any], resolve: Resolve) -> list[str]:
    """A configuration in a few lines, for one who knows it."""
    meant = meanings(values, resolve)
    auto = "the newest of each family" if as_boolean(meant["models_auto"]) is True else "those of the collection"
    models = [
        f"{agent}: {', '.join(f'{choice} {model}' for choice, model in (as_mapping(own) or {}).items())}"
        for agent, own in (as_mapping(meant["models"]) or {}).items()
    ] or [auto]
    rows = [
        ("Workspace", meant.get("workspace_url")),
        ("Identity", meant["identity"]),
        ("Agents", ", ".join(meant["agents"])),
        ("Routing", meant["routing"]),
        *(("" if number else "Models", said) for number, said in enumerate(models)),
        ("Scope", meant["scope"]),
        ("Users", "" if meant["scope"] == MACHINE else ", ".join(as_list(meant["users"]) or []) or NOBODY),
        ("Also set", ", ".join(name for name in values if name not in _SUMMED_UP)),
    ]
    return [f"  {title:<9}  {said}" for title, said in rows if said]
