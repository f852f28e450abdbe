# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Benchmarks: ratios measured in one run, on hosts of its own making (``make bench``). Nothing here is ever asserted."""
