# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test hosts: Debian containers with sshd, and the manifest of a directory tree that proves what a run did to one."""
