# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""The command line: flags as cobra takes them, and one function for each command. Imports little: ``auth token`` has to be fast."""

from __future__ import annotations

import os
import sys

from . import knobs
from .errors import CliError

_COMMON = {"profile": "p", "output": "o", "target": "t", "log-level": "", "log-file": ""}
_AUTH = {"host": "", "account-id": "", "workspace-id": ""}
_SWITCHES = ("debug", "help", "version")


class Command:
    """Where a command is, and which flags it takes besides the common ones."""

    def __init__(
        self, function: str, values: tuple[str, ...] = (), switches: tuple[str, ...] = (), words: int = 0
    ) -> None:
        self.module, _dot, self.function = function.partition(".")
        self.values = values
        self.switches = switches
        self.words = words


COMMANDS = {
    ("auth", "login"): Command("sign_in.auth_login", ("timeout",), ("configure-cluster", "skip-workspace"), 1),
    ("auth", "token"): Command("tokens.auth_token", ("timeout",), ("force-refresh",), 1),
    ("auth", "profiles"): Command("commands.auth_profiles", (), ("skip-validate",)),
    ("auth", "describe"): Command("commands.auth_describe", (), ("sensitive",)),
    ("auth", "logout"): Command("commands.auth_logout", (), ("auto-approve", "delete"), 1),
    ("auth", "switch"): Command("commands.auth_switch"),
    ("auth", "env"): Command("commands.auth_env"),
    ("current-user", "me"): Command("commands.current_user_me"),
    ("tokens", "create"): Command("commands.tokens_create", ("comment", "lifetime-seconds")),
    ("serving-endpoints", "list"): Command("commands.serving_endpoints_list"),
    ("version",): Command("commands.show_version"),
}


class Call:
    """One command line, taken apart."""

    def __init__(self, command: str, options: dict[str, str], switches: set[str], words: list[str]) -> None:
        self.command = command
        self.options = options
        self.switches = switches
        self.words = words
        self.profile = options.get("profile", "")
        self.host = options.get("host", "")
        self.output = options.get("output", "")
        if self.output not in ("", "text", "json"):
            raise CliError(
                f'invalid argument "{self.output}" for "-o, --output" flag: accepted arguments are json and text'
            )


def _find(arguments: list[str]) -> tuple[tuple[str, ...], Command | None]:
    """The command among the words; flags may stand before it."""
    words, skip = list[str](), False
    for argument in arguments:
        if skip:
            skip = False
        elif argument.startswith("-"):
            name = argument.lstrip("-")
            skip = "=" not in name and (name in _COMMON or name in _AUTH or name in ("p", "o", "t"))
        else:
            words.append(argument)
            if tuple(words) in COMMANDS:
                return tuple(words), COMMANDS[tuple(words)]
    return tuple(words), None


def parse(arguments: list[str]) -> tuple[Command, Call]:
    """What to run. CliError for what the command does not know."""
    path, command = _find(arguments)
    if command is None:
        if not path or "version" in (argument.lstrip("-") for argument in arguments):
            path, command = ("version",), COMMANDS[("version",)]
        else:
            raise CliError(f'unknown command "{path[-1]}" for "databricks{"".join(f" {word}" for word in path[:-1])}"')
    values = {*_COMMON, *(_AUTH if path[0] == "auth" else ()), *command.values}
    short = {letter: name for name, letter in _COMMON.items() if letter}
    switches = {*_SWITCHES, *command.switches}
    if "old" in knobs.read():
        switches.discard("force-refresh")
    options, on, words = dict[str, str](), set[str](), list[str]()
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-") or argument == "-":
            words.append(argument)
            continue
        name, equals, value = argument.lstrip("-").partition("=")
        if not argument.startswith("--"):
            if name[:1] not in short:
                raise CliError(f"unknown shorthand flag: '{name[:1]}' in {argument}")
            name, equals, value = short[name[0]], equals or name[1:], value or name[1:]
        if name in values:
            if not equals:
                try:
                    value = next(rest)
                except StopIteration:
                    raise CliError(f"flag needs an argument: {argument}") from None
            options[name] = value
        elif name in switches:
            on.add(name)
        else:
            raise CliError(f"unknown flag: --{name}")
    words = words[len(path) :] if path != ("version",) else []
    if len(words) > command.words:
        raise CliError(f"accepts at most {command.words} arg(s), received {len(words)}")
    return command, Call("_".join(path), options, on, words)


def main(arguments: list[str]) -> int:
    """Run a command line; returns the exit status."""
    faults = knobs.read()
    if "slow" in faults:
        import time

        time.sleep(float(faults["slow"]))
    if "crash" in faults:
        sys.stderr.write(
            "panic: runtime error: invalid memory address or nil pointer dereference\n\ngoroutine 1 [running]:\n"
        )
        return 2
    try:
        command, call = parse(arguments)
        module = __import__(f"{__package__}.{command.module}", fromlist=[command.function])
        getattr(module, command.function)(call)
        sys.stdout.flush()
    except CliError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    except (OSError, ValueError) as error:
        # A home that cannot be written, a file that is no JSON: Go would say it in other words, with the same status.
        sys.stderr.write(f"Error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def run() -> None:
    """The entry point of the executable. Ends at once: taking an interpreter down costs more than a warm call does."""
    status = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(status)
