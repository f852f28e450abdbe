# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what the relay adds: ``python -m tests.benchmarks.relay [--requests N]``.

The same requests to the same server, direct and through the relay, in turn on connections that are kept; one after the other, then
many at once. Server, relay and who asks share this machine's processors. Nothing is asserted; the table says what was aimed at.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

REPOSITORY = Path(__file__).resolve().parents[2]
if str(REPOSITORY / ".work" / "collections") not in sys.path:
    sys.path.append(str(REPOSITORY / ".work" / "collections"))
if TYPE_CHECKING:
    from tests.unit.relay.relay_host import Relay

Row = tuple[str, str, str]
"""What was measured, what was aimed at, the figures."""

FRAMES = 50
STREAMS = 100
PATH = "/v1/messages"
SERVER = """
import asyncio, sys, socket, uvicorn
FRAME = b'event: content_block_delta\\ndata: {"type":"content_block_delta","delta":{"text":"hello there"}}\\n\\n'
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    stream = scope["query_string"] == b"stream"
    kind = b"text/event-stream" if stream else b"application/json"
    head = [(b"content-type", kind)] + ([] if stream else [(b"content-length", b"2000")])
    await send({"type": "http.response.start", "status": 200, "headers": head})
    for number in range(FRAMES if stream else 0):
        await send({"type": "http.response.body", "body": FRAME, "more_body": True})
        await asyncio.sleep(0.01 if number else 0)
    await send({"type": "http.response.body", "body": b"" if stream else b"x" * 2000})
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
listener.bind(("127.0.0.1", 0)); listener.listen(1024)
print(listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, http="h11", log_level="error", lifespan="off")).run(sockets=[listener])
"""


class Target:
    """Where requests are sent, and what makes them different."""

    def __init__(self, port: int, path: str, key: str) -> None:
        self.port = port
        body = b'{"model": "m", "messages": [{"role": "user", "content": "%b"}]}' % (b"hello " * 300)
        self.whole, self.stream = (
            f"POST {path}{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nx-api-key: {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
            for query in ("", "?stream")
        )


class Connection:
    """One that is kept; answers are read as far as they have to be."""

    async def open(self, port: int) -> Connection:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        return self

    async def ask(self, request: bytes, end: bytes) -> tuple[float, float]:
        """Seconds to the first byte of the body, and to the last."""
        begin = time.perf_counter()
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise RuntimeError(head.decode())
        first = await self.reader.read(1)
        first_at = time.perf_counter() - begin
        tail = first
        while not tail.endswith(end):
            tail = (tail + await self.reader.read(1 << 16))[-2500:]
        return first_at, time.perf_counter() - begin


END_OF_WHOLE, END_OF_STREAM = b"x" * 2000, b"0\r\n\r\n"


async def _one_by_one(targets: list[Target], requests: int) -> list[list[tuple[float, float]]]:
    """Of each target: seconds of whole answers, and to the first byte of streams."""
    connections = [await Connection().open(target.port) for target in targets]
    measured: list[list[tuple[float, float]]] = [[] for _target in targets]
    for number in range(requests + 20):
        for place, (target, connection) in enumerate(zip(targets, connections, strict=True)):
            whole = (await connection.ask(target.whole, END_OF_WHOLE))[1]
            first = 0.0
            if number % 10 == 0:
                first = (await connection.ask(target.stream, END_OF_STREAM))[0]
            if number >= 20:  # caches, connections
                measured[place].append((whole, first))
    return measured


async def _at_once(target: Target, connections: int, requests: int) -> float:
    """Requests in a second, by so many clients."""

    async def client() -> None:
        connection = await Connection().open(target.port)
        for _number in range(requests // connections):
            await connection.ask(target.whole, END_OF_WHOLE)

    begin = time.perf_counter()
    await asyncio.gather(*(client() for _client in range(connections)))
    return requests / (time.perf_counter() - begin)


async def _streams(target: Target) -> float:
    """Seconds that so many streams at once take."""

    async def client() -> None:
        await (await Connection().open(target.port)).ask(target.stream, END_OF_STREAM)

    begin = time.perf_counter()
    await asyncio.gather(*(client() for _client in range(STREAMS)))
    return time.perf_counter() - begin


@contextlib.contextmanager
def _server() -> Iterator[int]:
    code = SERVER.replace("FRAMES", str(FRAMES))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def _cpu(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _percentile(values: list[float], part: float) -> float:
    return statistics.quantiles(values, n=100)[round(part) - 1] * 1000


def _start_seconds(one: Relay) -> float:
    """From the command to a port that answers."""
    from tests.unit.relay.relay_host import wait_until

    one.stop()
    begin = time.perf_counter()
    one.process = one.spawn()

    def listens() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", one.settings.port), 1):
            return True
        return False

    wait_until(listens)
    return time.perf_counter() - begin


def _measured(home: Path, port: int, requests: int) -> list[Row]:
    from tests.unit.relay.relay_host import relay, wait_until

    rows: list[Row] = []
    with relay(home, {"anthropic": f"http://127.0.0.1:{port}"}) as one:
        start = statistics.median(_start_seconds(one) for _number in range(5))
        wait_until(lambda: one.serves() == one.process_id)
        fresh = one.memory()
        direct, through = Target(port, PATH, "none"), Target(one.settings.port, f"/anthropic{PATH}", one.key)
        measured = asyncio.run(_one_by_one([direct, through], requests))
        for name, aim, place_of in (("whole answer", "p50 <= 5 ms", 0), ("first streamed byte", "<= 5 ms", 1)):
            values = [[sample[place_of] for sample in samples if sample[place_of]] for samples in measured]
            for part in (50, 99):
                without, by = (_percentile(samples, part) for samples in values)
                rows.append(
                    (
                        f"{name}, p{part}: direct, relay, added",
                        aim,
                        f"{without:.2f}, {by:.2f}, {by - without:.2f} ms",
                    )
                )
        before = _cpu(one.process_id)
        rates = [asyncio.run(_at_once(target, 16, requests * 2)) for target in (direct, through)]
        used = (_cpu(one.process_id) - before) / requests / 2
        rows.append(("requests in a second, 16 clients: direct, relay", "", "{:.0f}, {:.0f}".format(*rates)))
        rows.append(("a request: the relay's processor time", "", f"{1000 * used:.2f} ms"))
        plain = asyncio.run(_streams(direct))
        before = _cpu(one.process_id)
        by = asyncio.run(_streams(through))
        used = _cpu(one.process_id) - before
        rows.append((f"{STREAMS} streams at once: direct, relay", "one core", f"{plain:.2f}, {by:.2f} s"))
        rows.append((f"{STREAMS} streams of {FRAMES} frames: the relay's processor time", "", f"{used:.2f} s"))
        rows.append(("memory: fresh, at the end", "< 60 MB", f"{fresh / 1e6:.0f}, {one.memory() / 1e6:.0f} MB"))
        rows.append(("start to listening", "", f"{start:.2f} s"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.relay", description=__doc__)
    parser.add_argument("--requests", type=int, default=1000)
    requests: int = parser.parse_args().requests
    with tempfile.TemporaryDirectory() as place, _server() as port:
        rows = _measured(Path(place) / "home", port, requests)
    for what, aim, figures in rows:
        print(f"{what:62} {aim:12} {figures}")


if __name__ == "__main__":
    main()
