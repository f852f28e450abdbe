# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module that may be given a secret, and leave no file of it on the host."""

from __future__ import annotations

from ansible.plugins.action.normal import ActionModule


class Unkept(ActionModule):
    """As any module runs, except that ``ANSIBLE_KEEP_REMOTE_FILES`` keeps nothing.

    What that setting keeps is a program with the module's options in plain text: a client secret in somebody's remote_tmp, for good.
    """

    def _should_remove_tmp_path(self, tmp_path: str | None) -> bool:
        return bool(tmp_path and self._cleanup_remote_tmp and "-tmp-" in tmp_path)
