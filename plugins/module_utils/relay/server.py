# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server itself: uvicorn, on a socket of ours, with limits on who is slow."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import signal
import socket
import time
from typing import Any

from ..host_program.config import Config
from .app import App
from .forwarding import Forwarding
from .libraries import H11Protocol, UvicornServer, uvicorn
from .lives import DRAIN_SECONDS, Lives
from .log import Handler, Log
from .own_paths import OwnPaths
from .places import Places
from .rewriting import exchanges
from .running import Running
from .settings import Settings
from .sockets import Tunnel
from .tokens import Tokens
from .upstreams import Upstreams

HEAD_SECONDS = 20.0
"""A client may take so long for the head of a request."""

_KEEP_ALIVE_SECONDS = 75
_MOST_CONNECTIONS = 1000
_MOST_HEAD = 1 << 16
_MOST_FILES = 4096
_END_SECONDS = 10


class Guarded(H11Protocol):
    """A connection whose client has to say what it wants."""

    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        is_busy = self.cycle is not None and not self.cycle.response_complete
        if is_busy or self.transport.get_protocol() is not self:
            self._expect_nothing()
        elif self._limit is None:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._limit = asyncio.get_running_loop().call_later(HEAD_SECONDS, self.transport.close)

    def _expect_nothing(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None


class Server(UvicornServer):
    """uvicorn's, but for how it ends: what runs is finished, while the next relay may listen already."""

    def __init__(self, config: Any, lives: Lives, running: Running) -> None:
        super().__init__(config)
        self._lives = lives
        self._running = running

    async def main_loop(self) -> None:
        """In place of ten looks a second."""
        await self.on_tick(0)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told)
        self._running.write()
        await self._lives.watch()
        for server in self.servers:
            server.close()
        self._running.remove()
        for connection in list(self.server_state.connections):
            if isinstance(connection, H11Protocol):
                connection.shutdown()
        until = time.monotonic() + DRAIN_SECONDS
        while self._is_busy() and self._lives.has_patience and time.monotonic() < until:
            await asyncio.sleep(0.1)

    def _told(self) -> None:
        """SIGTERM: finish. Once more: at once."""
        if self._lives.is_draining:
            self._lives.give_up()
        self._lives.drain()

    def _is_busy(self) -> bool:
        """Whether something is being said. A conversation that has paused is ended: its client goes on with the next relay."""
        tunnels = [one for one in self.server_state.connections if isinstance(one, Tunnel)]
        for tunnel in tunnels:
            if tunnel.is_quiet:
                tunnel.shutdown()
        return bool(self._lives.active or tunnels)


def run(
    settings: Settings, config: Config, places: Places, key: str, listener: socket.socket, running: Running
) -> None:
    """Serve until it ends. Raises TokenError for a file of authorities that cannot be used."""
    log = Log(places)
    with contextlib.suppress(ValueError, OSError):
        _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    theirs = logging.getLogger("uvicorn.error")
    theirs.addHandler(Handler(log))
    theirs.propagate = False
    asyncio.run(_serve(settings, config, places, key, listener, running, log))


async def _serve(
    settings: Settings,
    config: Config,
    places: Places,
    key: str,
    listener: socket.socket,
    running: Running,
    log: Log,
) -> None:
    lives = Lives(settings, places)
    tokens = Tokens(config)
    upstreams = Upstreams(config.ca_file)
    forwarding = Forwarding(tokens, upstreams, exchanges(settings, config))
    own = OwnPaths(settings, running.digests, key, lives, tokens)
    app = App(settings, places, key, lives, forwarding, own, log)
    log.write(f"serves on port {settings.port}")
    await Server(_configured(app, settings), lives, running).serve(sockets=[listener])
    await upstreams.close()
    log.write("has ended")


def _configured(app: App, settings: Settings) -> Any:
    return uvicorn.Config(
        app,
        interface="asgi3",
        loop="asyncio",
        http=Guarded,
        ws=Tunnel,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_END_SECONDS,
        h11_max_incomplete_event_size=_MOST_HEAD,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
