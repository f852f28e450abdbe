# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error that carries a message for the operator."""

from __future__ import annotations

from . import careful


class OperatorError(Exception):
    """Something the operator or the owner of a file can mend.

    The message says what is wrong, where, and the way out. It never holds a secret.
    """

    def __init__(self, what: str, where: str = "", way_out: str = "") -> None:
        # Names of files and links are chosen by whoever made them, and a terminal may act upon them.
        self.what = what = careful.visible(what)
        self.where = where = careful.visible(where)
        self.way_out = way_out = careful.visible(way_out)
        text = f"{where}: {what}" if where else what
        self.told = f"{text}\n{way_out}" if way_out else text
        """For a result: the cause in the first line, the way out in the next."""
        super().__init__(f"{text}. {way_out}" if way_out else text)
