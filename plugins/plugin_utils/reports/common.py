# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each report says: what kept hosts from their end, what they warn of, what the run went by."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .host import Host
from .words import WITH_TROUBLE, WITHOUT, Group, Line, Run, by_size, names_of, one_of, wrapped

_ADDRESS = re.compile(r"(?<![\w.:])(\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:]*:[0-9a-fA-F]*)(?![\w.:])")


def trouble(hosts: Sequence[Host], run: Run) -> list[Line]:
    """What kept hosts from their end, each cause once."""
    return _failures(hosts, run) + _unreachable(hosts, run) + _gone(run)


def _failures(hosts: Sequence[Host], run: Run) -> list[Line]:
    causes: dict[str, Group] = {}
    shown: dict[str, list[str]] = {}
    for host in hosts:
        for user, message in host.failures():
            cause, *others = _without_prefix(message).strip().splitlines() or ["failed without a message"]
            name = f"{user} on {host.name}" if user else host.name
            key = host.general(cause)
            causes.setdefault(key, Group()).add(name, *(host.tilde(line.strip()) for line in others))
            # Of a home itself, its name is what may be wrong.
            shown.setdefault(key, []).append(cause if cause.startswith("home ") else host.tilde(cause))
    found = []
    for key, group in by_size(causes):
        found += wrapped(f"Failed: {one_of(shown[key], key)}", run, "error")
        # Mistakes in variables come together, each in its line.
        found += [
            line for text in group.texts if text.startswith("coding_agents_") for line in wrapped(f"  {text}", run)
        ]
        found += names_of(group.names, run, WITH_TROUBLE)
        for text in group.texts:
            if not text.startswith("coding_agents_"):
                found += wrapped(f"  -> {text}", run, indent="     ")
    return found


def _unreachable(hosts: Sequence[Host], run: Run) -> list[Line]:
    causes: dict[str, Group] = {}
    for host in hosts:
        if host.unreachable is not None:
            reason = _reason(host.unreachable)
            key = _ADDRESS.sub("HOST", host.general(reason))
            causes.setdefault(key, Group()).add(host.name, reason)
    found = []
    for key, group in by_size(causes):
        found += wrapped(f"Unreachable: {one_of(group.texts, key)}", run, "unreachable")
        found += names_of(group.names, run, WITH_TROUBLE)
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
    return [line, *names_of(list(run.gone), run, WITH_TROUBLE)]


def warnings_of(hosts: Sequence[Host], run: Run) -> list[Line]:
    groups: dict[str, Group] = {}
    for host in hosts:
        for warning in host.warnings:
            groups.setdefault(host.general(warning), Group()).add(host.name, host.tilde(warning))
    found = []
    for key, group in by_size(groups):
        found += wrapped(f"Warning: {one_of(group.texts, key)}", run, "warning")
        found += names_of(group.names, run, WITHOUT)
    return found


def preflights(hosts: Sequence[Host]) -> list[tuple[dict[str, Any], list[str]]]:
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


def went_by(hosts: Sequence[Host], run: Run) -> list[Line]:
    """One line for each workspace: what the run went by."""
    found: list[Line] = []
    for preflight, names in preflights(hosts):
        line = _told(preflight)
        if run.is_told_first(line):
            found.append(Line(line))
            found += _models(preflight, run) + _chosen(preflight, hosts, run)
            found += names_of(names, run, WITHOUT) if run.verbose else []
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


def _chosen(preflight: Mapping[str, Any], hosts: Sequence[Host], run: Run) -> list[Line]:
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


def _without_prefix(text: str) -> str:
    """Without what ansible-core puts before a message."""
    return re.sub(r"^(Task failed: |Module failed: |Action failed: )+", "", text)
