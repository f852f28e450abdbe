# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the demonstration: ``python -m tests.demo [OPTIONS]``. Exit status 0 only if every step held."""

from __future__ import annotations

import argparse
import secrets
import shutil
import signal
import string
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from tests.control_node import COLLECTIONS, REPOSITORY

from .story import NotPossible, Story
from .terminal import WIDTH, heading, paint, say, shell_words


def _make_folder() -> Path:
    """Make the demonstration's folder, 0700, where temporary files go.

    Letters only, unlike tempfile's names: ansible-core tries each path of its settings as a Python literal, and a name with
    "3e9in" in it makes Python warn about the decimal literal. macOS' temporary directory is a link, and paths that are shown
    should be those that programs see.
    """
    while True:
        name = "fmapi-demo-" + "".join(secrets.choice(string.ascii_lowercase) for _letter in range(8))
        folder = Path(tempfile.gettempdir()).resolve() / name
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        return folder


def _summarize(story: Story, seconds: float) -> None:
    heading("Summary")
    print(f"{'step':52}{'':9}{'s':>6}   shown")
    for result in story.results:
        outcome = f"{result.outcome:9}"
        colour = {"held": ("green",), "FAILED": ("bold", "red")}.get(result.outcome, ("dim",))
        print(f"{result.title:52}{paint(outcome, *colour)}{result.seconds:6.1f}   {'; '.join(result.shown)}".rstrip())
    print("-" * WIDTH)
    held = all(result.outcome == "held" for result in story.results)
    verdict = paint("every step held", "bold", "green") if held else paint("NOT every step held", "bold", "red")
    print(f"{verdict}, {seconds:.0f} s", flush=True)


def _stop(_number: int, _frame: FrameType | None) -> None:
    # As Ctrl-C does, so that the workspace stops and the folder goes.
    raise KeyboardInterrupt


def main() -> int:
    """Tell the story and clean up. A folder is left behind only when asked for, or after a step that failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the folder behind, to look around in it")
    parser.add_argument(
        "--collections",
        type=Path,
        default=COLLECTIONS,
        metavar="DIRECTORY",
        help="where the collection is installed; without it, this clone is what runs",
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    begin = time.monotonic()
    folder = _make_folder()
    story = Story(folder, options.collections.resolve())
    keep = options.keep
    try:
        held = story.tell()
        keep = keep or not held
    except NotPossible as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; nothing is left behind", file=sys.stderr)
        keep = False
        return 130
    except BaseException:
        keep = True
        print(f"\nerror: the demonstration itself broke. Its folder is kept: {folder}", file=sys.stderr)
        raise
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    _summarize(story, time.monotonic() - begin)
    if keep:
        port = story.port
        again = [sys.executable, "-m", "tests.workspace", "--state-dir", str(folder / "workspace"), "--port", str(port)]
        say(f"Kept: {folder}")
        say(
            f"To try commands in it, start its workspace again: cd {shell_words([str(REPOSITORY)])} && {shell_words(again)}"
        )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
