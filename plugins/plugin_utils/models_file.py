# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The models that the preflight chose, as a file of variables on the control node: to be reviewed, and to pin them.

All hosts of a run share it: what one of them has for an agent is so for all.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from ..module_utils.errors import OperatorError
from ..module_utils.options.values import as_mapping
from . import run_store

VARIABLE = "coding_agents_models_file"
FIRST_LINE = "# The models that fmapi.coding_agents has chosen (coding_agents_models_auto). Another run may write this file anew."

_Models = Mapping[str, Mapping[str, str]]


def keep(given: str, answer: Mapping[str, Any], named: Any, check_mode: bool) -> str:
    """Write the models in force, and what was named for agents that are not among them; return the file's path.

    Nothing is written with ``check_mode``, and where the file says it already. Raises OperatorError.
    """
    path = run_store.report_path(given)
    run_store.check_report_path(path, VARIABLE)
    others = {agent: as_mapping(models) or {} for agent, models in (as_mapping(named) or {}).items()}
    models: _Models = {**others, **answer["models_in_force"]}
    with run_store.gathering({"models_file": path}) as gathered:
        for agent, own in models.items():
            for choice, model in own.items():
                if model:
                    _add(gathered, f"{agent}.{choice}", str(model), str(answer["workspace_url"]), path)
        text = _text({name: one["model"] for name, one in gathered.items()})
        before = _read(path)
        if before is not None and before.splitlines()[:1] != [FIRST_LINE]:
            raise OperatorError("is there, and is not of this making", f"{VARIABLE} {path}", "Name another file")
        if text != before and not check_mode:
            run_store.write(path, lambda file: file.write(text), VARIABLE)
    return path


def _add(gathered: dict[str, Any], name: str, model: str, workspace: str, path: str) -> None:
    known = gathered.setdefault(name, {"model": model, "workspace": workspace})
    if known["model"] != model:
        raise OperatorError(
            f"is to hold two models for {name}: {known['model']} ({known['workspace']}) and {model} ({workspace})",
            f"{VARIABLE} {path}",
            "Give these hosts files of their own",
        )


def _read(path: str) -> str | None:
    try:
        with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "no text"
        raise OperatorError(f"cannot be read ({said})", f"{VARIABLE} {path}", "Name another file") from None
    return None


def _text(models: Mapping[str, str]) -> str:
    """YAML: a text as JSON writes it is one there, too."""
    lines = [FIRST_LINE, "# Reviewed, it pins them: give it with -e @FILE, or among the variables of a group.", "---"]
    lines.append("coding_agents_models:")
    agent = ""
    for name, model in sorted(models.items()):
        of, _dot, choice = name.partition(".")
        lines += [f"  {of}:"] if of != agent else []
        lines.append(f"    {choice}: {json.dumps(model)}")
        agent = of
    return "\n".join([*lines, ""])
