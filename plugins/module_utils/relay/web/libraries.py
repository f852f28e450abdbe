# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only the web tools need of the relay's libraries. Where it is not at hand, its name stands for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from protego import Protego
else:
    try:
        from protego import Protego
    except ImportError:
        Protego = None

__all__ = ["Protego"]
