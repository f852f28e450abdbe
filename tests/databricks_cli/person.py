# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""A ``BROWSER`` that plays the person: it goes where it is sent and approves (or finds out that the workspace denies).

Run as ``python person.py LOG URL``. It leaves at once and follows the redirect in a process of its own, because the CLI
waits for what it starts before it listens.
"""

from __future__ import annotations

import os
import shlex
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

_LIMIT = 60.0


def browser(directory: Path, *, python: str = sys.executable) -> Path:
    """An executable for ``BROWSER`` in ``directory``. It adds each URL to
    ``browser.log`` beside it and follows it; a callback that is refused is the CLI's affair.
    """
    path = directory / "browser"
    program = [python, "-I", "-S", str(Path(__file__).resolve()), str(directory / "browser.log")]
    path.write_text(f'#!/bin/sh\nexec {shlex.join(program)} "$@"\n')
    path.chmod(0o700)
    return path


def opened(directory: Path) -> list[str]:
    """The URLs that the browser of ``directory`` was sent to."""
    log = directory / "browser.log"
    return log.read_text().splitlines() if log.exists() else []


def visit(url: str, ca_file: str | None) -> None:
    """Go to ``url`` as a browser in which the person is signed in: every redirect is followed, every answer taken."""
    context = ssl.create_default_context(cafile=ca_file)
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=_LIMIT) as answer:
            answer.read()
    except urllib.error.HTTPError:
        pass  # a page that says no is a page


def _main(log: str, url: str) -> None:
    with open(log, "a", encoding="utf-8") as stream:
        stream.write(url + "\n")
    if os.fork() > 0:
        return
    os.setsid()
    # The caller may be waiting for the end of our output.
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    visit(url, os.environ.get("SSL_CERT_FILE"))


if __name__ == "__main__":
    _main(*sys.argv[1:])
