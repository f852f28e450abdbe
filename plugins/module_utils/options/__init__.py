# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators can set: one file for each group of options, with its specification, its examples and its checks.

A group is a module with ``SPEC``, ``EXAMPLES`` (a value of each as it stands in YAML), ``USE`` (``must`` or ``usual``; what is not
named is rare), ``CHECKS`` (by option: what is wrong with a value, as a list of messages or a ValueError) and ``together`` (what does
not go together). A host's module imports the groups that it takes; :mod:`.judge`, on the control node, imports all.
"""

from __future__ import annotations
