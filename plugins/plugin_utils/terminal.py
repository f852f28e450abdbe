# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's terminal: lines in the colours that Ansible is set to, and questions.

A task works in a process without a terminal. Ansible's own display asks for it, in the process that has one.
"""

from __future__ import annotations

from ansible import constants as C
from ansible.errors import AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.utils.display import Display

from ..module_utils.errors import OperatorError

COLOURS = {
    "error": C.COLOR_ERROR,
    "unreachable": C.COLOR_UNREACHABLE,
    "changed": C.COLOR_CHANGED,
    "ok": C.COLOR_OK,
    "warning": C.COLOR_WARN,
    "skipped": C.COLOR_SKIP,
    "title": C.COLOR_HIGHLIGHT,
    "added": C.COLOR_DIFF_ADD,
    "removed": C.COLOR_DIFF_REMOVE,
    "place": C.COLOR_DIFF_LINES,
}


class Terminal:
    """Somebody who sits there."""

    def __init__(self, way_out: str) -> None:
        self._display = Display()
        self._way_out = way_out

    def say(self, text: str, tone: str = "") -> None:
        self._display.display(text, color=COLOURS.get(tone))

    def ask(self, text: str) -> str:
        """What was typed. Raises OperatorError: nobody sits there, or they want no more."""
        try:
            typed = self._display.prompt_until(f"? {text}:")
        except AnsiblePromptNoninteractive:
            raise OperatorError(
                "There are questions to ask, and no terminal to ask them in", "", self._way_out
            ) from None
        except AnsiblePromptInterrupt:
            raise OperatorError("Interrupted; nothing more was written") from None
        answer = typed.decode("utf-8", "replace").strip()
        # The line that was typed is wiped from the screen.
        self._display.display(f"> {answer}")
        return answer
