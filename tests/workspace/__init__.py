# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""A simulated Databricks workspace for tests and the demo; see README.md in this directory."""
