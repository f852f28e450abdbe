# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start another program, with a limit on its time, and with no more of our environment than it needs."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import select
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

_KEPT = re.compile(r"USER|LOGNAME|LANG|LC_[A-Z]+|(?i:(https?|no|all)_proxy)")
_USUAL_PATH = "/usr/local/bin:/usr/bin:/bin"
_MOST_BYTES = 1 << 24
"""What a program may say. Far more than any that we start has to."""
_PART = 1 << 16


def environment(given: Mapping[str, str], home: str, names: Sequence[str] = ()) -> dict[str, str]:
    """The environment of a program that we start: what every program needs, and of the rest only what has one of the ``names``.

    A program in a user's home can be another one than it should be, and ours may hold what is for root alone: keys of a cloud, a
    vault's token, an agent's socket.
    """
    kept = {name: value for name, value in given.items() if _KEPT.fullmatch(name) or name in names}
    # A place that is named from here on would be another for each directory.
    places = [one for one in given.get("PATH", "").split(os.pathsep) if os.path.isabs(one)]
    scratch = given.get("TMPDIR", "")
    if os.path.isabs(scratch) and os.access(scratch, os.W_OK | os.X_OK):
        kept["TMPDIR"] = scratch
    return {**kept, "PATH": os.pathsep.join(places) or _USUAL_PATH, "HOME": home, "TERM": "dumb"}


class Finished(NamedTuple):
    """How a program ended, and what it said."""

    status: int
    stdout: str
    stderr: str


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    seconds: float,
    directory: str | None = None,
    keep_open: Sequence[int] = (),
) -> Finished:
    """Run a program to its end, with nothing on its standard input; it inherits the files ``keep_open``.

    Raises OSError when it cannot be started, and :class:`TimeoutError` (an OSError, too) when it took longer than ``seconds``; it
    is killed then. One that goes on and on is killed as well: its status says so, and what it said until then is there.
    """
    # run_command has no time limit, and the host program has no AnsibleModule.
    with unlimited_memory():
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function,consider-using-with
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            cwd=directory,
            pass_fds=keep_open,
            start_new_session=True,
        )
    try:
        stdout, stderr = _said(process, time.monotonic() + seconds)
    except TimeoutError:
        _kill(process)
        raise
    finally:
        # Not by waiting for the end of what is said: a program that it has started, and that went its own way, may hold that open.
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    return Finished(process.returncode, stdout, stderr)


def _said(process: subprocess.Popen[bytes], until: float) -> list[str]:
    """What a program says on its two outputs until its end. Raises TimeoutError."""
    with selectors.DefaultSelector() as selector:
        streams = [stream for stream in (process.stdout, process.stderr) if stream is not None]
        said = {stream.fileno(): bytearray() for stream in streams}
        for descriptor in said:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(until - time.monotonic(), 0))
            if not ready:
                raise TimeoutError
            for key, _events in ready:
                part = os.read(key.fd, _PART)
                said[key.fd] += part
                if not part:
                    selector.unregister(key.fd)
            if sum(map(len, said.values())) > _MOST_BYTES:
                _kill(process)
                break
    try:
        process.wait(max(until - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    texts = (bytes(one).decode("utf-8", "replace") for one in said.values())
    return [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]


def _kill(process: subprocess.Popen[bytes]) -> None:
    """With all that it started in its session's process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def limit_memory(most: int) -> None:
    """Let this process have so many bytes of memory at most: it gets a MemoryError for more."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with contextlib.suppress(ValueError, OSError):  # not each system can
        resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


@contextlib.contextmanager
def unlimited_memory() -> Iterator[None]:
    """What is started meanwhile is not bound by :func:`limit_memory`: programs reserve much more than they use."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class Started:
    """A program that runs in a session of its own while we go on."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def poll(self) -> int | None:
        """Its exit status, or None while it runs."""
        return self._process.poll()

    def read(self, seconds: float) -> str:
        """What it said since the last call, as soon as there is something; empty after ``seconds``, or at its end."""
        stream = self._process.stdout
        if stream is None or stream.closed:
            time.sleep(seconds)
            return ""
        if not select.select([stream], [], [], seconds)[0]:
            return ""
        said = os.read(stream.fileno(), 1 << 16)
        if not said:
            stream.close()
        return said.decode("utf-8", "replace")

    def end(self) -> None:
        """End it, with all that it started in its session's process group."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(2)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def start(command: Sequence[str], environment: Mapping[str, str], listen: bool = False, tied: bool = False) -> Started:
    """Start a program and go on, with nothing on its standard input; with ``listen``, what it says can be read.

    With ``tied``, its standard input ends when we do, however that happens. Raises OSError when it cannot be started.
    """
    output = subprocess.PIPE if listen else subprocess.DEVNULL
    with unlimited_memory():
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function,consider-using-with
            command,
            stdin=subprocess.PIPE if tied else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
    return Started(process)
