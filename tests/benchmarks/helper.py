# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times programs against each other, on a host: ``python3 -I - REPETITIONS TOKEN_CACHE COMMAND...`` with this on standard input.

Each COMMAND is a JSON list of words, run REPETITIONS times in turn (A B C A B C), so that what else the machine does meets
all alike. One that begins with ``cold:`` has the token cache removed before each run, one with ``warm:`` only the note of when
the token was last given out: asked again within half a minute, the helper has the token tried. Prints ``[[seconds, ...], ...]``.
Standard library of Python 3.9, because it runs on hosts.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time


def _measure(words: list[str]) -> float:
    """Seconds from start to end of a program whose output nobody reads."""
    actions = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    begin = time.perf_counter()
    _pid, status = os.waitpid(os.posix_spawn(words[0], words, os.environ, file_actions=actions), 0)
    seconds = time.perf_counter() - begin
    if status != 0:
        raise SystemExit(f"{words[0]} ended with status {os.waitstatus_to_exitcode(status)}")
    return seconds


def main() -> None:
    """Measure and print."""
    repetitions, cache, *commands = sys.argv[1:]
    samples: list[list[float]] = [[] for _command in commands]
    for _repetition in range(int(repetitions)):
        for position, command in enumerate(commands):
            state, colon, words = command.partition(":")
            if colon and state in ("cold", "warm"):
                for name in os.listdir(cache):
                    if state == "cold" or name.endswith(".served"):
                        with contextlib.suppress(FileNotFoundError):
                            os.unlink(os.path.join(cache, name))
                command = words
            samples[position].append(_measure(json.loads(command)))
    json.dump(samples, sys.stdout)


if __name__ == "__main__":
    main()
