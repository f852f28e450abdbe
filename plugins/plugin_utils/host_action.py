# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module that works on a host has in common on the control node.

Its options are filled and judged here, the workspace is asked where that is due, and what the host needs travels with the one call.
``ANSIBLE_KEEP_REMOTE_FILES`` keeps what Ansible keeps of any module: its program with its options in plain text, a secret among
them, in the remote user's temporary directory (docs/secrets.md says so).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from ansible import context
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ..module_utils import routing
from ..module_utils.defects import defect
from ..module_utils.errors import OperatorError
from ..module_utils.options import agent_settings, control_node, owner, uninstall
from ..module_utils.options.values import Spec, as_boolean, as_list, as_mapping
from ..module_utils.parts import PARTS, relaying
from ..module_utils.workspace.endpoints import READY
from . import asking, carrying, downloads, models_file, relay_program, run_store
from .filling import filled

REPORTED = "__coding_agents_reported"
"""Set by playbooks that end with the module run_report: what a task has to say is then said there, once for all hosts."""

PREFLIGHT_TAG = "preflight"
_REPORT = "report"
_HOST_CALL = "fmapi.coding_agents.host_call"
_HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
"""Ansible's own word for it."""
_NEEDS = ("needs_program", "needs_libraries")
"""What a host may answer instead of doing anything."""
_LACKS_RELAY = "lacks_relay"
"""What a look says of a host that is to have the relay, and has another one or none."""
_SILENT = "silent_homes"
"""Homes that do not answer: one call of a run waits for them."""
_TAGS_OF_ANSIBLE = frozenset(("all", "tagged", "untagged", "always", "never"))
_NO_WORKSPACE = routing.nothing_given("coding_agents_workspace_url")
_NO_DEVELOPER_TOOLS = re.compile(r"xcode-select: (?:note|error)|xcrun: error: invalid active developer path")
"""What macOS says in place of its Python, which comes with them."""
_OF_THE_OWNER = frozenset(
    (
        *owner.OWNER,
        *uninstall.WAY_BACK,
        *("sign_out", "uninstall_programs", "npm_registry", "pip_index", "mirror", "ca_file", "proxy", "no_proxy"),
    )
)
"""What a way back may need: all else the host remembers."""


class HostAction(ActionBase):
    """Fill, judge, ask, carry; then one module call."""

    OPTIONS: ClassVar[Spec] = {}
    """The module's own specification."""
    VERB = ""
    """What the host program is to do: a function of its module ``rollout``, or of the one named before it."""
    PARTS: tuple[str, ...] = ()
    """Of a module for certain parts alone: those."""
    FINDS_FAILURES = False
    """Whether what keeps one of several owners from being planned for is a finding, and no failure."""
    ASKS_WORKSPACE = False
    """Whether the preflight is due before the host is touched. Others ask only for what only it can decide."""
    WRITES_MODELS = True
    """Whether the file for chosen models is written, where the operator wants one."""
    FINDS_LACK = False
    """Whether a host that lacks the program is a finding: what comes next in the play brings it."""
    CARRIES: ClassVar[Mapping[str, Any]] = {}
    """What else travels with each call."""
    READS_SETTINGS = False
    """Whether agents' settings are looked into, in whatever format: what parses them comes with the first call."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        variables = task_vars or {}
        answer: dict[str, Any] = {}
        try:
            options, answer = self._decided(variables)
            result = {"changed": False, "skipped": True} if options is None else self._call(options, variables)
            result = self.told(result, variables)
        except OperatorError as error:
            result = {"failed": True, "msg": error.told}
        except AnsibleConnectionFailure as error:
            self._remembered({"unreachable": True, "msg": str(error)}, answer, variables)
            raise
        except AnsibleError:
            raise
        except Exception as error:  # its own text may be the value that was not expected, a secret
            result = {"failed": True, **defect(error)}
        return self._reported(result, answer, variables)

    def ways_of(self, options: Mapping[str, Any], variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """The options that say where and how the control node fetches for a host."""
        return options

    def told(self, result: dict[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
        """What a subclass makes of the module's result on the control node."""
        return result

    def _decided(self, variables: Mapping[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """The options for the host, all of them decided, and the preflight's answer if one was due.

        No options: tags leave this host alone. Raises OperatorError.
        """
        args = dict(self._task.args)
        parts = self._parts(variables)
        if parts == [] and not (self.ASKS_WORKSPACE and PREFLIGHT_TAG in variables.get("ansible_run_tags", ())):
            return None, {}
        if parts and "parts" in self.OPTIONS:
            args.setdefault("parts", parts)
        if parts is not None and PREFLIGHT_TAG in variables.get("ansible_skip_tags", ()):
            args["preflight"] = False
        absent = args.get("state") == "absent"
        names = [name for name in self.OPTIONS if not absent or name in _OF_THE_OWNER]
        if "workspace_url" in names:
            names += control_node.CONFIG  # has been read by now; what is wrong with it is told with all else
        if variables.get(REPORTED):
            names.append(_REPORT)
        options, from_variables = filled(names, args, variables, self._templar)
        strange = sorted({str(one) for one in as_list(options.get("parts")) or ()} - set(PARTS))
        if strange:
            raise OperatorError(f"there is no part {', '.join(strange)}", "parts", f"Use {', '.join(PARTS)}")
        if _REPORT in from_variables and options.get(_REPORT):
            # Before a host is touched: a report that cannot be written would be missed at the end.
            run_store.check_report_path(run_store.report_path(str(options[_REPORT])))
        answer: dict[str, Any] = {}
        if not absent and "workspace_url" in self.OPTIONS:
            if not options.get("workspace_url"):
                raise OperatorError(_NO_WORKSPACE)
            answer = self._asked(options, "routing" in from_variables or "routing" in args)
        for name in (*control_node.ASKING, "models_auto", *({*control_node.CONFIG, _REPORT} & from_variables)):
            options.pop(name, None)
        if options.get("extra_settings") and not isinstance(options["extra_settings"], str):
            options["extra_settings"] = json.dumps(options["extra_settings"])
        return None if parts == [] else options, answer

    def _asked(self, options: dict[str, Any], routing_is_set: bool) -> dict[str, Any]:
        """Ask the workspace where that is due, and put what it decides into the options."""
        routing = options.get("routing")
        undecided = routing == "auto" or (routing == "gateway_host" and not options.get("workspace_id"))
        undecided = undecided or as_boolean(options.get("models_auto")) is True
        wanted = as_boolean(options.get("preflight", True)) is not False
        if undecided and not wanted:
            raise OperatorError(
                "is not set, and with coding_agents_preflight false nobody looks it up, as routing gateway_host needs",
                "coding_agents_workspace_id",
                "Set it: it is the number after ?o= in the address bar of the workspace",
            )
        if not (undecided or (self.ASKS_WORKSPACE and wanted)):
            return {}
        answer = asking.ask(options, routing_is_set)
        if answer.get("failed"):
            raise OperatorError(str(answer["msg"]))
        if self.WRITES_MODELS and options.get("models_file"):
            named, check_mode = options.get("models"), bool(self._task.check_mode)
            answer["models_file"] = models_file.keep(str(options["models_file"]), answer, named, check_mode)
        options["routing"] = answer["routing"]
        if answer["workspace_id"]:
            options["workspace_id"] = answer["workspace_id"]
        if "models" in self.OPTIONS and answer["checked"]:
            options["models"] = _decided_models(as_mapping(options.get("models")) or {}, answer)
        if "routing_reason" in self.OPTIONS:
            options.setdefault("routing_reason", answer["routing_reason"])
        return answer

    def _call(self, options: dict[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
        """Call the module; once more with the host program, or with parsers, where the host turns out to need them."""
        host = str(variables.get("inventory_hostname"))
        program, libraries = (run_store.noted(host, name) is True for name in _NEEDS)
        relay, wants_relay = program or run_store.noted(host, _LACKS_RELAY) is True, False
        # A first rollout does not find out what else it needs: the host has no program yet that could tell.
        may_need = agent_settings.needs_libraries(options.get("agents"))
        libraries = libraries or ((program or self.READS_SETTINGS) and may_need)
        delivery = ""
        while True:
            made = self._relay(options, wants_relay, variables)
            carried = carrying.carried(options, program, libraries, made, relay)
            result = self._execute(options, carried, variables, delivery)
            needs_program, needs_libraries = (bool(result.pop(name, False)) for name in _NEEDS)
            needs_relay = bool(result.pop("needs_relay", False))
            if result.pop(_LACKS_RELAY, False):
                run_store.note(host, _LACKS_RELAY, True)
            needs_downloads = result.pop("needs_downloads", None)
            if needs_program and not program:
                run_store.note(host, "needs_program", True)
                if self.FINDS_LACK and variables.get(REPORTED):
                    return result
                program = True
                libraries = libraries or may_need
            elif needs_libraries and not libraries:
                run_store.note(host, "needs_libraries", True)
                libraries = True
            elif needs_relay and not (relay and made):
                relay = wants_relay = True
            elif needs_downloads and not delivery:
                delivery, libraries = downloads.packed(needs_downloads, self.ways_of(options, variables)), True
            else:
                return result

    def _relay(
        self, options: Mapping[str, Any], asked_for: bool, variables: Mapping[str, Any]
    ) -> tuple[str, str] | None:
        """The relay, made now if it is not yet, where this host is to have it. Raises OperatorError where it cannot be made."""
        if not asked_for:
            if "relay" not in self.OPTIONS or options.get("state") == "absent":
                return None
            decided = self._validated(options)
            parts = self.PARTS or decided.get("parts") or [*PARTS]
            if "relay" not in parts or relaying.life(decided) == relaying.OFF:
                return None
        return relay_program.packed(self.ways_of(options, variables))

    def _execute(
        self, options: dict[str, Any], brought: Mapping[str, str], variables: Mapping[str, Any], delivery: str
    ) -> dict[str, Any]:
        decided, host = self._validated(options), str(variables.get("inventory_hostname"))
        hidden = {name for name in decided if self.OPTIONS[name].get("no_log")}
        carried = {
            **brought,
            **self.CARRIES,
            "verb": self.VERB,
            "options": {**decided, "parts": [*self.PARTS]} if self.PARTS else decided,
            "paths": [name for name in decided if self.OPTIONS[name]["type"] == "path"],
            "finds_failures": self.FINDS_FAILURES,
            _SILENT: run_store.noted(host, _SILENT) or [],
        }
        if delivery:
            carried["downloads"] = self._delivered(delivery)
        result: dict[str, Any] = self._execute_module(
            module_name=_HOST_CALL,
            module_args={
                "carried": json.dumps(carried),
                "secrets": [decided[name] for name in hidden if isinstance(decided[name], str)],
            },
            task_vars=variables,
            wrap_async=bool(self._task.async_val),
        )
        silent = result.pop(_SILENT, None)
        if silent:
            run_store.note(host, _SILENT, silent)
        if not self._task.async_val:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        if result.get("failed") and _NO_DEVELOPER_TOOLS.search(json.dumps(result, default=str)):
            raise OperatorError(
                "is a Mac without the Command Line Tools, where /usr/bin/python3 only offers to install them",
                host,
                "Run xcode-select --install there, or name another Python in ansible_python_interpreter",
            )
        if "invocation" in result:
            shown = {name: _HIDDEN if name in hidden and value else value for name, value in decided.items()}
            result["invocation"] = {"module_args": shown}
        return result

    def _delivered(self, path: str) -> str:
        """Bring a file of the control node to the host, for whom the module runs as; returns where it is there."""
        shell = self._connection._shell
        directory = shell.tmpdir or self._make_tmp_path()
        there = shell.join_path(directory, "downloads.tar")
        self._transfer_file(path, there)
        self._fixup_perms2((directory, there), execute=False)
        return str(there)

    def _validated(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options in their types, with their defaults. Raises OperatorError.

        Their choices and members have been judged with all else. What a path means, its host knows.
        """
        spec = {
            name: {fact: "str" if value == "path" else value for fact, value in option.items() if fact != "options"}
            for name, option in self.OPTIONS.items()
            if name not in control_node.ASKING
        }
        found = ArgumentSpecValidator(spec).validate(dict(options))
        if found.error_messages:
            raise OperatorError(f"{self._task.action}: {'. '.join(found.error_messages)}")
        validated: dict[str, Any] = found.validated_parameters
        return validated

    def _parts(self, variables: Mapping[str, Any]) -> list[str] | None:
        """The parts that ``--tags`` and ``--skip-tags`` leave; None for all, an empty list for none. Raises OperatorError.

        Our playbooks' tasks have the tag ``always``: Ansible itself would leave out one task with all of its parts.
        """
        if not variables.get(REPORTED):
            return None
        parts = [*PARTS] if "parts" in self.OPTIONS else []
        ours = [PREFLIGHT_TAG, *parts] if parts else []
        chosen, left_out = set(variables.get("ansible_run_tags", ["all"])), set(variables.get("ansible_skip_tags", []))
        if self._is_our_playbook():
            strange = sorted((chosen | left_out) - {*ours, *_TAGS_OF_ANSIBLE, *self._task.tags})
            if strange:
                raise OperatorError(
                    f"there is no such tag in this playbook: {', '.join(strange)}",
                    "--tags",
                    f"Use {', '.join(ours)}" if ours else "Leave it out: this playbook has none",
                )
        everything = bool(chosen & {"all", "tagged", *(set(self._task.tags) - {*ours, "always"})})
        if everything and not parts:
            return None
        return [name for name in parts if (everything or name in chosen) and name not in left_out]

    @staticmethod
    def _is_our_playbook() -> bool:
        """Whether it was named on the command line: in a larger play of the operator's, other tags are other people's."""
        named = context.CLIARGS.get("args") or ()
        return any(str(one).startswith("fmapi.coding_agents.") for one in named)

    def _reported(
        self, result: dict[str, Any], answer: Mapping[str, Any], variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Leave for the report what it will say; where none follows, the result says it."""
        # Ansible's own are no texts since ansible-core 2.19.
        told = [str(getattr(getattr(one, "event", None), "msg", one)) for one in result.get("warnings", ())]
        warnings = [*answer.get("warnings", ()), *told, *result.pop("notes", ())]
        if not variables.get(REPORTED):
            host = variables.get("inventory_hostname")
            return {**result, "warnings": [f"{host}: {one}" for one in warnings]} if warnings else result
        if result.get("failed") and not result.get("msg"):
            result["msg"] = _said_by(result.get("exception"))
        self._remembered({**result, "warnings": warnings}, answer, variables)
        if not result.get("failed") or _is_defect(result):
            # What a session lacks, a file's lines: said once for all hosts at the end. What leads to a defect is said here alone.
            return {name: value for name, value in result.items() if name not in ("warnings", "diff")}
        if not hasattr(AnsibleActionFail, "omit_exception_key") or self._task.failed_when or self._task.until:
            return {"failed": True, "msg": result["msg"]}
        raise Told(result["msg"])

    def _remembered(self, result: Mapping[str, Any], answer: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
        if not variables.get(REPORTED):
            return
        status = next((one for one in ("unreachable", "failed", "skipped") if result.get(one)), "ok")
        entry = {
            "module": self._task.action.rpartition(".")[2],
            "check_mode": bool(self._task.check_mode),
            "state": self._task.args.get("state"),
            "status": status,
            "preflight": {name: value for name, value in answer.items() if name != "warnings"} or None,
            **{name: result[name] for name in _FOR_THE_REPORT if name in result},
        }
        if "programs" in entry:
            entry["programs"] = {agent: one.get("version") for agent, one in entry["programs"].items()}
        run_store.remember(str(variables.get("inventory_hostname")), entry)


def _decided_models(named: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The models by agent and choice, as the workspace lists them and the operator names them.

    One that is not ready now may be listed by its other name tomorrow: hosts keep the name that they have.
    """
    waiting = {one["model"] for one in answer["models"] if one["status"] != READY}
    return {
        agent: {
            **{slot: name for slot, name in names.items() if name not in waiting},
            **{slot: name for slot, name in (as_mapping(named.get(agent)) or {}).items() if name},
        }
        for agent, names in answer["models_in_force"].items()
    }


def _said_by(exception: Any) -> str:
    """Of a module that broke down before it could say anything, ansible-core 2.19 and newer have only this."""
    said = getattr(getattr(exception, "event", None), "msg", None)
    return str(said or "the module ended without a message")


def _is_defect(result: Mapping[str, Any]) -> bool:
    """Whether a failure holds more than its message: what a module that broke down printed, or a traceback."""
    exception = result.get("exception")
    traceback = getattr(getattr(exception, "event", None), "formatted_traceback", exception)
    return "module_stderr" in result or (isinstance(traceback, str) and bool(traceback))


class Told(AnsibleActionFail):
    """A failure whose message says all: with others ansible-core 2.19 and newer print the lines of the playbook, too."""

    @property
    def omit_exception_key(self) -> bool:
        return True


_FOR_THE_REPORT = (
    "msg",
    "warnings",
    "changed",
    "changes",
    "diff",
    "homes",
    "checks",
    "session",
    "sessions",
    "programs",
    "sign_ins",
    "statuses",
    "versions",
    "owners",
    "artifacts",
    "failed_users",
    "drifted",
)
