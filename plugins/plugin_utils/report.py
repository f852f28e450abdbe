# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator reads at the end of a playbook: data in, lines out.

The data are entries, one for each module call on a host. Each is a mapping, and any key but ``host`` may be missing:

``host``, ``module``, ``state`` (``absent`` of an uninstall), ``check_mode``, ``status`` (``ok``, ``failed``, ``unreachable``, or
``skipped`` where only the workspace was asked),
``msg`` (the first line is the cause, the others are the way out), ``failed_users`` (message by user), ``changes``, ``diff``,
``warnings``, ``homes`` (of the owners), ``checks``, ``session`` (or ``sessions``, ``sign_ins``; one or a list of ``user``, ``state``,
``detail``, ``command``), ``preflight``, ``programs`` (version by agent).

What is equal on many hosts is said once, with their names. Texts are compared with the host's homes, users and name taken out, and
shown as they are where nothing differs.
"""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..module_utils.places import DATA_DIRECTORY

Entry = Mapping[str, Any]

_PREFLIGHTS = ("workspace_info", "serving_endpoint_info")
_LOOKS = ("coding_agents_info", "uninstall_info")
_DOCTORS = ("agent_doctor",)
_SIGN_INS = ("sign_in",)
_CHANGE_NOTHING = (*_LOOKS, *_DOCTORS, *_SIGN_INS)

FAIL, WARN, PASS, SKIP = "FAIL", "WARN", "PASS", "SKIP"
_TONES = {FAIL: "error", WARN: "warning", PASS: "ok", SKIP: "skipped"}

_MUST_SIGN_IN = ("absent", "expired", "sign_in_needed")
_MAY_HAVE_TO = ("unknown",)
_SIGN_IN_WORDS = {
    "active": ("Signed in", "ok"),
    "signed_in": ("Signed in", "ok"),
    "no_person_needed": ("Nobody needs to sign in", "ok"),
    "not_set_up": ("Cannot sign in yet", "skipped"),
    "unknown": ("May have to sign in", "warning"),
    "absent": ("Has to sign in", "warning"),
    "expired": ("Has to sign in", "warning"),
    "sign_in_needed": ("Has to sign in", "warning"),
}
_SIGN_IN_ORDER = ("Has to sign in", "May have to sign in", "Cannot sign in yet", "Signed in", "Nobody needs to sign in")

_ADDRESS = re.compile(r"(?<![\w.:])(\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:]*:[0-9a-fA-F]*)(?![\w.:])")

_CONTROL = re.compile("[\\x00-\\x08\\x0a-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")
"""What a text from a host must not do to a terminal: act, end a line, or turn one around."""

_WITH_TROUBLE, _WITHOUT = 10, 2
"""How many names stand before "and 7 more": where something is wrong, and where a few give the idea."""


class Line(NamedTuple):
    """A line to print. ``tone`` says what it is about; the one who prints chooses the colour."""

    text: str
    tone: str = ""


class Run(NamedTuple):
    """What the lines depend on besides the entries."""

    hosts: Sequence[str] = ()
    """All hosts of the play in its order, also those that no entry is about."""
    gone: Sequence[str] = ()
    """Hosts that are out of the play and of which nothing is remembered: something else stopped them."""
    verbose: bool = False
    """Name every host, and what is in order too."""
    diff: bool = False
    context: int = 3
    """Unchanged lines around a change in a diff."""
    width: int = 79
    doctor: str = "ansible-playbook fmapi.coding_agents.doctor"
    """The command that proves a rollout."""
    sign_in: str = "ansible-playbook fmapi.coding_agents.sign_in"
    """The command that says how people sign in."""
    repair: str = "ansible-playbook fmapi.coding_agents.repair"
    """The command that brings back what was rolled out."""
    is_told_first: Callable[[str], bool] = lambda _what: True
    """Whether no other report of the same run has said this."""


class _Host:
    """All that is known of one host."""

    def __init__(self, name: str, entries: Sequence[Entry]) -> None:
        self.name = name
        self.entries = entries
        self.check_mode = any(one.get("check_mode") for one in entries)
        self.absent = any(one.get("state") == "absent" for one in entries)
        self.checks: list[Mapping[str, str]] = [check for one in entries for check in _list(one, "checks")]
        self.sessions = _last_of_each_user(session for one in entries for session in _sessions(one))
        about = [*self.checks, *self.sessions]
        users = {str(one.get("user") or "") for one in about}
        homes = {home for one in entries for home in _list(one, "homes")} | {one.get("home") or "" for one in about}
        self._homes = _any_of((home for home in homes if home.strip("/")), "(?<![\\w.-])", "(?![\\w.-])")
        self._users = _any_of((user for user in users if len(user) > 1), "(?<![\\w./-])", "(?![\\w-])")
        self._name = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])")
        self.unreachable = next(
            (str(one.get("msg", "")) for one in entries if one.get("status") == "unreachable"), None
        )
        # The look says what would change, a module that changes what did: never both.
        doers = [one for one in entries if _is_about_host(one) and one.get("module") not in _CHANGE_NOTHING]
        changers = doers or entries
        self.would = self.check_mode or not doers
        self.changes = _unique(change for one in changers for change in _list(one, "changes"))
        self.changed = bool(self.changes) or any(one.get("changed") for one in changers)
        self.diff: list[Mapping[str, str]] = [part for one in changers for part in _list(one, "diff")]
        # Told with the command, under Next.
        told = {one.get("detail") for one in self.sessions if one.get("state") in _MUST_SIGN_IN}
        warnings = [str(warning) for one in entries for warning in _list(one, "warnings")]
        self.warnings = _unique(warning for warning in warnings if warning not in told)

    def failures(self) -> list[tuple[str, str]]:
        """User (or none) and message of each. A failed check is none: it is told by itself."""
        found = []
        for one in self.entries:
            users = one.get("failed_users") or {}
            found += [(str(user), str(message)) for user, message in users.items()]
            checked = any(check.get("status") == FAIL for check in _list(one, "checks"))
            if one.get("status") == "failed" and not users and not checked:
                found.append(("", str(one.get("msg") or "failed without a message")))
        return _unique(found)

    def verdict(self) -> str:
        """The worst of its checks."""
        if self.unreachable is not None:
            return "unreachable"
        worst = {check.get("status") for check in self.checks}
        failed = [check for check in self.checks if check.get("status") == FAIL]
        if failed and not self.failures() and all(map(_waits_for_a_sign_in, failed)):
            return "not signed in"
        if FAIL in worst or self.failures():
            return "faults"
        return "warnings" if WARN in worst else "in order"

    def status(self) -> str:
        """What became of it, in one word."""
        if self.unreachable is not None:
            return "unreachable"
        if self.failures() or self.verdict() in ("faults", "not signed in"):
            return "failed"
        if self.changed:
            return "would change" if self.would else "changed"
        return "ok"

    def tilde(self, text: str) -> str:
        """The text with ``~`` for the homes."""
        return self._homes.sub("~", text) if self._homes else text

    def general(self, text: str) -> str:
        """The text without what is this host's own, to tell whether two hosts have the same."""
        text = self.tilde(text)
        if self._users:
            text = self._users.sub("USER", text)
        return self._name.sub("HOST", text)


class _Group:
    """Equal texts of several hosts."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.texts: list[str] = []

    def add(self, name: str, *texts: str) -> None:
        if name not in self.names:
            self.names.append(name)
        self.texts += [text for text in texts if text and text not in self.texts]


def lines(entries: Sequence[Entry], run: Run) -> list[Line]:
    """Everything that the entries say; nothing where there is nothing to say."""
    preflight = [one for one in entries if not _is_about_host(one)]
    by_module = [one for one in entries if _is_about_host(one)]
    doctor = [one for one in by_module if one.get("module") in _DOCTORS]
    sign_in = [one for one in by_module if one.get("module") in _SIGN_INS]
    others = [one for one in by_module if one.get("module") not in (*_DOCTORS, *_SIGN_INS)]
    found: list[Line] = []
    for block, own in ((_of_rollout, others), (_of_doctor, doctor), (_of_sign_in, sign_in)):
        if own:
            found += [Line("")] if found else []
            found += block(_hosts([*preflight, *own], run), run)
            # The first says what belongs to all.
            preflight, run = [], run._replace(gone=())
    if preflight or run.gone:
        hosts = _hosts(preflight, run)
        found += _trouble(hosts, run) + _warnings(hosts, run) + _went_by(hosts, run)
    return [harmless(line) for line in found]


def harmless(line: Line) -> Line:
    """The same, with all that a terminal would act upon made visible: hosts have chosen parts of the text."""
    return line._replace(text=_CONTROL.sub(_visible, line.text))


def data(entries: Sequence[Entry], run: Run, at: str) -> dict[str, Any]:
    """The same for programs; see the documentation of the module. Without diffs: they may show what is in somebody's files."""
    hosts = _hosts(entries, run)
    found: dict[str, Any] = {}
    for host in hosts:
        found[host.name] = {
            "status": "changed" if host.status() == "would change" else host.status(),
            "errors": [{"user": user, "msg": message} for user, message in host.failures()]
            + ([{"user": "", "msg": host.unreachable}] if host.unreachable is not None else []),
            "changes": host.changes,
            "warnings": host.warnings,
            "programs": {
                agent: version for one in host.entries for agent, version in (one.get("programs") or {}).items()
            },
            "session": [dict(one) for one in host.sessions],
            "checks": [dict(one) for one in host.checks],
        }
        for key in ("artifacts", "statuses"):
            told = [dict(part) for one in host.entries for part in _list(one, key) if isinstance(part, Mapping)]
            found[host.name].update({key: told} if told else {})
    for name in run.gone:
        found[name] = {
            **{key: [] for key in ("errors", "changes", "warnings", "session", "checks")},
            "status": "unknown",
            "programs": {},
        }
    statuses = [one["status"] for one in found.values()]
    return {
        "schema": 1,
        "finished_at": at,
        "check_mode": any(host.check_mode for host in hosts),
        "summary": {name: statuses.count(name) for name in ("ok", "changed", "failed", "unreachable", "unknown")},
        "workspaces": [{**preflight, "hosts": names} for preflight, names in _preflights(hosts)],
        "hosts": found,
    }


# The rollout, and its way back


def _of_rollout(hosts: Sequence[_Host], run: Run) -> list[Line]:
    found = _diffs(hosts, run) if run.diff else []
    if len(hosts) + len(run.gone) > 1:
        found.append(_summary(hosts, run))
    found += _trouble(hosts, run)
    changes: dict[str, _Group] = {}
    for host in hosts:
        if host.changed:
            words = f"{'Would change' if host.would else 'Changed'}: {_in_few_words(host)}"
            changes.setdefault(words, _Group()).add(host.name)
    for words, group in _by_size(changes):
        found += wrapped(words, run, "changed")
        found += _names(group.names, run, _WITHOUT)
    unchanged = [host.name for host in hosts if host.status() == "ok"]
    if unchanged and (run.verbose or len(hosts) + len(run.gone) == 1):
        found += [Line("Unchanged:", "ok"), *_names(unchanged, run, _WITHOUT)]
    found += _warnings(hosts, run) + _went_by(hosts, run)
    return found + _next(hosts, run)


def _summary(hosts: Sequence[_Host], run: Run) -> Line:
    statuses = [host.status() for host in hosts]
    words = {
        "failed": "failed",
        "unreachable": "unreachable",
        "changed": "changed",
        "would change": "would change",
        "ok": "unchanged",
    }
    counts = [f"{statuses.count(status)} {word}" for status, word in words.items() if status in statuses]
    counts += [f"{len(run.gone)} not reached"] if run.gone else []
    bad = {"failed", "unreachable"} & set(statuses) or run.gone
    tone = "error" if bad else "ok" if set(statuses) == {"ok"} else "changed"
    return Line(f"Coding agents on {len(hosts) + len(run.gone)} hosts: {', '.join(counts)}", tone)


def _trouble(hosts: Sequence[_Host], run: Run) -> list[Line]:
    """What kept hosts from their end, each cause once."""
    return _failures(hosts, run) + _unreachable(hosts, run) + _gone(run)


def _failures(hosts: Sequence[_Host], run: Run) -> list[Line]:
    causes: dict[str, _Group] = {}
    shown: dict[str, list[str]] = {}
    for host in hosts:
        for user, message in host.failures():
            cause, *others = _without_prefix(message).strip().splitlines() or ["failed without a message"]
            name = f"{user} on {host.name}" if user else host.name
            key = host.general(cause)
            causes.setdefault(key, _Group()).add(name, *(host.tilde(line.strip()) for line in others))
            # Of a home itself, its name is what may be wrong.
            shown.setdefault(key, []).append(cause if cause.startswith("home ") else host.tilde(cause))
    found = []
    for key, group in _by_size(causes):
        found += wrapped(f"Failed: {_one_of(shown[key], key)}", run, "error")
        # Mistakes in variables come together, each in its line.
        found += [
            line for text in group.texts if text.startswith("coding_agents_") for line in wrapped(f"  {text}", run)
        ]
        found += _names(group.names, run, _WITH_TROUBLE)
        for text in group.texts:
            if not text.startswith("coding_agents_"):
                found += wrapped(f"  -> {text}", run, indent="     ")
    return found


def _unreachable(hosts: Sequence[_Host], run: Run) -> list[Line]:
    causes: dict[str, _Group] = {}
    for host in hosts:
        if host.unreachable is not None:
            reason = _reason(host.unreachable)
            key = _ADDRESS.sub("HOST", host.general(reason))
            causes.setdefault(key, _Group()).add(host.name, reason)
    found = []
    for key, group in _by_size(causes):
        found += wrapped(f"Unreachable: {_one_of(group.texts, key)}", run, "unreachable")
        found += _names(group.names, run, _WITH_TROUBLE)
    return found


def _reason(message: str) -> str:
    """Why a host cannot be reached, in the words of ssh: its last line, after what Ansible and ssh call themselves."""
    said = [line.strip() for line in message.splitlines() if line.strip()]
    text = _without_prefix(said[-1] if said else "no reason is known")
    return re.sub(r"^(Failed to connect to the host via ssh: *|ssh: )+", "", text)


def _gone(run: Run) -> list[Line]:
    if not run.gone:
        return []
    line = Line("Unreachable, or stopped before anything was done there (see above):", "unreachable")
    return [line, *_names(list(run.gone), run, _WITH_TROUBLE)]


def _in_few_words(host: _Host) -> str:
    """The files' names and what else changed, each once."""
    found = _unique(_named_thing(change) for change in host.changes)
    return ", ".join(found) or "what it does not say"


def _named_thing(change: str) -> str:
    """Of a file its name; of a file of our own, and of a link, what it is for."""
    found = re.match(r"(?P<path>[~/](?:[^:]|:(?! ))*)(?:: (?P<rest>.*)|$)", change, re.DOTALL)
    if not found:
        return change.removesuffix(": removed")
    path, rest = found["path"], found["rest"] or ""
    if (
        " -> " in rest
        or rest.endswith(": removed")
        or ("/".join(DATA_DIRECTORY) in path and not rest.startswith("mode "))
    ):
        return re.split(r" -> |: | given back$| removed$", rest)[0]
    name = path.rstrip("/").rpartition("/")[2]
    return "skills" if name == "SKILL.md" else name  # all of them have that name


def _warnings(hosts: Sequence[_Host], run: Run) -> list[Line]:
    groups: dict[str, _Group] = {}
    for host in hosts:
        for warning in host.warnings:
            groups.setdefault(host.general(warning), _Group()).add(host.name, host.tilde(warning))
    found = []
    for key, group in _by_size(groups):
        found += wrapped(f"Warning: {_one_of(group.texts, key)}", run, "warning")
        found += _names(group.names, run, _WITHOUT)
    return found


def _preflights(hosts: Sequence[_Host]) -> list[tuple[dict[str, Any], list[str]]]:
    """What was found out of each workspace, with the hosts that it is for."""
    found: list[tuple[dict[str, Any], list[str]]] = []
    for host in hosts:
        for one in host.entries:
            preflight = one.get("preflight")
            if not preflight:
                continue
            names = next((names for known, names in found if known == preflight), None)
            if names is None:
                names = []
                found.append((dict(preflight), names))
            if host.name not in names:
                names.append(host.name)
    return found


def _went_by(hosts: Sequence[_Host], run: Run) -> list[Line]:
    """One line for each workspace: what the run went by."""
    found: list[Line] = []
    for preflight, names in _preflights(hosts):
        line = _told(preflight)
        if run.is_told_first(line):
            found.append(Line(line))
            found += _models(preflight, run) + _chosen(preflight, hosts, run)
            found += _names(names, run, _WITHOUT) if run.verbose else []
    return found


def _told(preflight: Mapping[str, Any]) -> str:
    models = preflight.get("models") or []
    waiting = [str(one.get("model")) for one in models if one.get("status") == "NOT_READY"]
    served = f"{len(models)} models served" if len(models) != 1 else "1 model served"
    served += f", not ready: {' and '.join(waiting)}" if waiting else ""
    asked = f", asked as {preflight['user_name']}" if preflight.get("user_name") else ""
    return (
        f"{preflight.get('workspace_url')}: routing {preflight.get('routing')} ({preflight.get('routing_reason')}), "
        f"{served if preflight.get('checked') else 'models not checked'}{asked}"
    )


def _models(preflight: Mapping[str, Any], run: Run) -> list[Line]:
    """The models that agents ask for, each once, and why those that nobody named are called so."""
    found = dict.fromkeys(str(one) for names in preflight.get("models_in_force", {}).values() for one in names.values())
    said = f"  models: {', '.join(found)} ({preflight.get('models_reason')})"
    return wrapped(said, run) if found else []


def _chosen(preflight: Mapping[str, Any], hosts: Sequence[_Host], run: Run) -> list[Line]:
    """What was chosen for whom, each model once, and the file that keeps it."""
    by_model: dict[str, list[str]] = {}
    for agent, names in (preflight.get("models_chosen") or {}).items():
        for choice, model in names.items():
            by_model.setdefault(str(model), []).append(f"{agent}.{choice}")
    found: list[Line] = []
    for model, names in by_model.items():
        found += wrapped(f"  chosen: {model} for {', '.join(names)}", run)
    if preflight.get("models_file"):
        checked = any(host.check_mode for host in hosts)
        word = "would hold them" if checked else "holds them, for review"
        found += wrapped(f"  {preflight['models_file']} {word}; -e @FILE pins them", run)
    return found


def _next(hosts: Sequence[_Host], run: Run) -> list[Line]:
    """What is next, and for whom."""
    done = [host for host in hosts if host.status() not in ("failed", "unreachable")]
    changed = [host for host in done if host.changed]
    if any(host.check_mode for host in hosts):
        if changed and run.is_told_first("next: without --check"):
            return [Line("Next: the same command without --check brings this about")]
        return []
    if any(host.absent for host in hosts):
        return []
    waiting = [(host, one) for host in done for one in host.sessions if one.get("state") in _MUST_SIGN_IN]
    if waiting:
        return _sign_in_commands(waiting, run, "Next: sign in with")
    if changed and run.is_told_first("next: doctor"):
        return [Line(f"Next: {run.doctor}")]
    return []


# The doctor


def _of_doctor(hosts: Sequence[_Host], run: Run) -> list[Line]:
    found: list[Line] = []
    alone = len(hosts) == 1 and not run.gone and len(run.hosts) <= 1
    if not alone:
        verdicts = [host.verdict() for host in hosts]
        words = {
            "in order": "in order",
            "warnings": "with warnings",
            "not signed in": "not signed in",
            "faults": "with faults",
            "unreachable": "unreachable",
        }
        counts = [f"{verdicts.count(verdict)} {word}" for verdict, word in words.items() if verdict in verdicts]
        counts += [f"{len(run.gone)} not reached"] if run.gone else []
        bad = {"not signed in", "faults", "unreachable"} & set(verdicts) or run.gone
        tone = "error" if bad else "warning" if "warnings" in verdicts else "ok"
        found.append(Line(f"Doctor on {len(hosts) + len(run.gone)} hosts: {', '.join(counts)}", tone))
    found += _trouble(hosts, run)
    if alone:
        found += _each_check(hosts, (PASS, SKIP, WARN, FAIL))
    else:
        found += _grouped_checks(hosts, run)
        found += _each_check(hosts, (PASS, SKIP)) if run.verbose else []
    return found + _warnings(hosts, run) + _went_by(hosts, run)


def _each_check(hosts: Sequence[_Host], statuses: Sequence[str]) -> list[Line]:
    """One line for each check, as one who looks at one host wants them."""
    found = []
    for host in hosts:
        several = len({check.get("home") for check in host.checks}) > 1
        for check in host.checks:
            status = str(check.get("status"))
            if status in statuses:
                name = f"{host.name} {check.get('home')}" if several else host.name
                said = f"{check.get('category', ''):<13} {check.get('check')}: {check.get('detail')}"
                found.append(Line(f"{name}: {status}  {said}", _TONES.get(status, "")))
                if check.get("fix"):
                    found.append(Line(f"{' ' * len(name)}        {'':<13} -> {check['fix']}"))
    return found


def _grouped_checks(hosts: Sequence[_Host], run: Run) -> list[Line]:
    found = []
    for status in (FAIL, WARN):
        faults: dict[str, _Group] = {}
        fixes: dict[str, _Group] = {}
        for host in hosts:
            for check in host.checks:
                if check.get("status") != status:
                    continue
                said = f"{check.get('category')}, {check.get('check')}: {check.get('detail')}"
                key = host.general(said)
                owners = {one.get("user") for one in host.checks}
                name = f"{check.get('user')} on {host.name}" if len(owners) > 1 else host.name
                faults.setdefault(key, _Group()).add(name, host.tilde(said))
                fixes.setdefault(key, _Group()).add(
                    host.general(str(check.get("fix", ""))), host.tilde(str(check.get("fix", "")))
                )
        for key, group in _by_size(faults):
            found += wrapped(f"{status} {_one_of(group.texts, key)}", run, _TONES[status])
            found += _names(group.names, run, _WITH_TROUBLE)
            ways = fixes[key]
            way_out = _one_of(ways.texts, ways.names[0]) if len(ways.names) == 1 else "\n".join(ways.texts)
            for line in way_out.splitlines():
                found += wrapped(f"  -> {line}", run, indent="     ")
    return found


# Signing in


def _of_sign_in(hosts: Sequence[_Host], run: Run) -> list[Line]:
    found = _trouble(hosts, run)
    by_words: dict[str, list[tuple[_Host, Mapping[str, str]]]] = {}
    for host in hosts:
        for one in host.sessions:
            words = _SIGN_IN_WORDS.get(one.get("state", ""), _SIGN_IN_WORDS["unknown"])[0]
            by_words.setdefault(words, []).append((host, one))
    for words in sorted(by_words, key=_SIGN_IN_ORDER.index):
        people = by_words[words]
        tone = next(tone for name, tone in _SIGN_IN_WORDS.values() if name == words)
        details: dict[str, list[tuple[_Host, Mapping[str, str]]]] = {}
        for host, one in people:
            details.setdefault(host.general(one.get("detail", "")), []).append((host, one))
        for detail, some in details.items():
            texts = [host.tilde(one.get("detail", "")) for host, one in some]
            said = f" ({_one_of(texts, detail)})" if detail else ""
            found += wrapped(f"{words}{said}:", run, tone)
            waits = some[0][1].get("state") in (*_MUST_SIGN_IN, *_MAY_HAVE_TO)
            if waits:
                found += _sign_in_commands(some, run, "")
            else:
                found += _names([_person(host, one) for host, one in some], run, _WITHOUT)
    return found + _warnings(hosts, run)


def _sign_in_commands(people: Iterable[tuple[_Host, Mapping[str, str]]], run: Run, title: str) -> list[Line]:
    """Who has to sign in and how, once for each command.

    Commands that differ in the user and the host alone are one, unless every name is wanted.
    """
    commands: dict[str, _Group] = {}
    for host, one in people:
        command = one.get("command", "")
        address = re.escape(f"{one.get('user')}@{host.name}")
        key = re.sub(rf"(?<![\w.-]){address}(?![\w.-])", "USER@HOST", command)  # not a part of a longer address
        commands.setdefault(command if run.verbose else key, _Group()).add(_person(host, one), command)
    found: list[Line] = []
    for key, group in commands.items():
        command = _one_of(group.texts, key)
        names = _names(group.names, run, _WITH_TROUBLE)
        if title and not command:
            found += [*wrapped(f"Next: sign in; {run.sign_in} says how", run, "warning"), *names]
        elif title:
            found += [Line(f"{title} {command}", "warning"), *names]
        else:
            found += [*names, *([Line(f"  -> {command}")] if command else [])]
    return found


def _person(host: _Host, session: Mapping[str, str]) -> str:
    return f"{session['user']} on {host.name}" if session.get("user") else host.name


# Diffs


def _diffs(hosts: Sequence[_Host], run: Run) -> list[Line]:
    """Each change of a file once, however many hosts have it, with their names before it."""
    groups: dict[tuple[str, ...], tuple[_Group, list[tuple[str, ...]]]] = {}
    for host in hosts:
        for one in host.diff:
            headers = [host.tilde(str(one.get(name, ""))) for name in ("before_header", "after_header")]
            texts = [str(one.get(name) or "") for name in ("before", "after")]
            headers.insert(0, str(one.get("kind") or ""))
            key = (*headers, *(host.tilde(text) for text in texts))
            group, own = groups.setdefault(key, (_Group(), []))
            group.add(host.name)
            own.append((*headers, *texts))
    found: list[Line] = []
    for key, (group, own) in groups.items():
        kind, before_header, after_header, before, after = own[0] if len(set(own)) == 1 else key
        count = f" ({len(group.names)} hosts)" if len(group.names) > 1 else ""
        path = re.sub(r" \((no file|link|[0-7]{4})\)$", "", after_header or before_header)
        found.append(Line(f"{path} on {listed(group.names, run, _WITHOUT)}{count}", "title"))
        if kind == "summary":
            signs = (("-", before, "removed"), ("+", after, "added"))
            found += [Line(f"{sign}{text.rstrip()}", tone) for sign, text, tone in signs if text]
            continue
        shown = _unified(before, after, before_header, after_header, run.context)
        if not shown and before_header != after_header:
            shown = [Line(f"--- before: {before_header}", "removed"), Line(f"+++ after: {after_header}", "added")]
        found += [*shown, Line("")]
    return [*found, Line("")] if found and found[-1].text else found


def _unified(before: str, after: str, before_header: str, after_header: str, context: int) -> list[Line]:
    """As Ansible's own callback shows a diff."""
    tones = {"+": "added", "-": "removed", "@": "place"}
    headers = f"before: {before_header}", f"after: {after_header}"
    shown = difflib.unified_diff(_parts(before), _parts(after), *headers, n=context)
    return [Line(part, tones.get(part[:1], "")) for line in shown for part in line.removesuffix("\n").split("\n")]


def _parts(text: str) -> list[str]:
    parts = text.splitlines(keepends=True)
    if parts and not parts[-1].endswith("\n"):
        parts[-1] += "\n\\ No newline at end of file\n"
    return parts


# Words


def _hosts(entries: Iterable[Entry], run: Run) -> list[_Host]:
    by_name: dict[str, list[Entry]] = {name: [] for name in run.hosts}
    for one in entries:
        by_name.setdefault(str(one.get("host", "")), []).append(one)
    return [_Host(name, own) for name, own in by_name.items() if own]


def _names(names: Sequence[str], run: Run, most: int) -> list[Line]:
    return wrapped(f"  {listed(names, run, most)}", run, indent="  ")


def listed(names: Sequence[str], run: Run, most: int) -> str:
    """All the names, or the first of them and how many more there are."""
    if run.verbose or len(names) <= most + 1:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def tilde(text: str, home: str) -> str:
    """The text with ``~`` for a home."""
    return re.sub(rf"{re.escape(home)}(?=/|$)", "~", text) if home.strip("/") else text


def wrapped(text: str, run: Run, tone: str = "", indent: str = "    ") -> list[Line]:
    wrapped = textwrap.wrap(
        text, max(run.width, 40), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return [Line(line, tone) for line in wrapped]


def _by_size(groups: Mapping[str, _Group]) -> list[tuple[str, _Group]]:
    """What most hosts have comes first."""
    return sorted(groups.items(), key=lambda one: -len(one[1].names))


def _one_of(texts: Sequence[str], general: str) -> str:
    """The text as it is where all are the same; else what they have in common."""
    return texts[0] if len(set(texts)) == 1 else general


def _without_prefix(text: str) -> str:
    """Without what ansible-core puts before a message."""
    return re.sub(r"^(Task failed: |Module failed: |Action failed: )+", "", text)


def _any_of(words: Iterable[str], before: str, after: str) -> re.Pattern[str] | None:
    """A pattern of the words, the longest first; none without words."""
    found = sorted(words, key=len, reverse=True)
    return re.compile(f"{before}(?:{'|'.join(map(re.escape, found))}){after}") if found else None


def _visible(found: re.Match[str]) -> str:
    number = ord(found.group())
    return "^M" if found.group() == "\r" else f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


def _is_about_host(entry: Entry) -> bool:
    return entry.get("module") not in _PREFLIGHTS and entry.get("status") != "skipped"


def _waits_for_a_sign_in(check: Mapping[str, str]) -> bool:
    """Whether a failed check means no more than that a person has to sign in: the command for that is its fix."""
    return check.get("category") == "Auth" and re.match(r"Run: \S+ login\b", str(check.get("fix"))) is not None


def _sessions(entry: Entry) -> list[Mapping[str, str]]:
    found = entry.get("sign_ins") or entry.get("sessions") or entry.get("session") or []
    return [found] if isinstance(found, Mapping) else list(found)


def _last_of_each_user(sessions: Iterable[Mapping[str, str]]) -> list[Mapping[str, str]]:
    return list({one.get("user") or "": one for one in sessions}.values())


def _list(entry: Entry, name: str) -> list[Any]:
    return entry.get(name) or []


def _unique(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))
