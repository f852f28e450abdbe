# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error that carries a message for the operator."""

from __future__ import annotations


class OperatorError(Exception):
    """Something the operator or the owner of a file can mend.

    The message says what is wrong, where, and the way out. It never holds a secret.
    """

    def __init__(self, what: str, where: str = "", way_out: str = "") -> None:
        self.what = what
        self.where = where
        self.way_out = way_out
        text = f"{where}: {what}" if where else what
        self.told = f"{text}\n{way_out}" if way_out else text
        """For a result: the cause in the first line, the way out in the next."""
        super().__init__(f"{text}. {way_out}" if way_out else text)
