# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration: the whole story on one machine, in a throw-away home, against a simulated workspace (``make demo``)."""
