# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the control node has fetched for this host: one archive, laid out as a mirror is, which came with the call.

npm, pip and we ask a server, so it is given by one on the loopback, for as long as something is fetched from it. What comes from there
is believed by our locks, as from any mirror.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from ..agents.sources import Settings, scratch_directory
from ..errors import OperatorError
from ..lending import lent
from ..platforms import machine_of
from .base import Options

_LOOPBACK = "127.0.0.1"


def needed(agents: Mapping[str, str], tools: list[str]) -> dict[str, Any]:
    """What the control node has to know to fetch that for this host: versions by agent, tools by name, and what kind of host it is."""
    return {
        "agents": dict(agents),
        "tools": tools,
        "platform": f"{platform.system().lower()}_{machine_of(platform.machine())}",
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
    }


@contextlib.contextmanager
def given(options: Options, settings: Settings) -> Iterator[Settings]:
    """The settings with which to fetch: as they are, or from what has come with the call. Raises OperatorError."""
    if options.get("download_on") != "controller":
        yield settings
        return
    descriptor = (options.get("carried") or {}).get("downloads_descriptor")
    if descriptor is None:
        way_out = "Run again"
        raise OperatorError("has sent nothing of what is needed by now", "the control node", way_out)
    with scratch_directory() as directory:
        _unpack(descriptor, directory)
        with _served(directory) as url, lent({"no_proxy": _LOOPBACK, "NO_PROXY": None}):
            environment = {
                name: value for name, value in settings.environment.items() if not name.lower().endswith("_proxy")
            }
            yield settings._replace(
                mirror=url, npm_registry=None, pip_index=None, proxy=None, no_proxy=_LOOPBACK, environment=environment
            )


def _unpack(descriptor: int, directory: str) -> None:
    import mmap  # only where something is fetched
    import tarfile

    # Several owners' processes read the same open file: not by its one position.
    with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as content, tarfile.open(fileobj=content) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isfile() else None
            path = os.path.normpath(os.path.join(directory, member.name))
            if stream is None or not path.startswith(os.path.join(directory, "")):
                continue  # the control node packs nothing of that kind
            os.makedirs(os.path.dirname(path), exist_ok=True)
            try:
                with open(path, "wb") as file:
                    for part in iter(lambda stream=stream: stream.read(1 << 20), b""):  # type: ignore[misc]
                        file.write(part)
            except OSError as error:
                raise OperatorError(f"cannot be written ({error.strerror})", path, "Mend that and run again") from None


@contextlib.contextmanager
def _served(directory: str) -> Iterator[str]:
    import functools
    import http.server
    import threading

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Nothing: standard error is the module's."""

    with http.server.ThreadingHTTPServer((_LOOPBACK, 0), functools.partial(Quiet, directory=directory)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{_LOOPBACK}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
