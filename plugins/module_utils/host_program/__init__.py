# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host program: one zipapp of the standard library that prints tokens for agents, and the sh front before it.

Everything in this package, and what it imports, is carried to hosts inside the zipapp: keep it small and free of Ansible.
"""
