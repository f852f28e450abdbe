# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay's libraries, all at once: nothing of them is imported later.

The file that they stand in may be replaced by a newer one while the relay finishes what it has. Where they are not at hand (in a
module, or in a test that imports every file), their names stand for nothing, and nobody uses them.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import h11
    import httpcore
    import uvicorn
    from httpcore import AnyIOBackend
    from uvicorn import Server as UvicornServer
    from uvicorn.protocols.http.h11_impl import H11Protocol
else:
    try:
        import h11

        try:
            import certifi  # noqa: F401
        except ImportError:
            # httpcore imports it for a default that we never take: we give it the authorities that this host believes.
            sys.modules["certifi"] = ModuleType("certifi")
        # Each of these would be imported with the first request.
        import anyio._backends._asyncio  # noqa: F401
        import httpcore
        import uvicorn
        import uvicorn.lifespan.off
        import uvicorn.loops.asyncio
        from httpcore import AnyIOBackend
        from uvicorn import Server as UvicornServer
        from uvicorn.protocols.http.h11_impl import H11Protocol

        # httpcore looks for it with every request, to ask it which loop runs; a fifth of the time of a request went into the search.
        sniffio = ModuleType("sniffio")
        sniffio.current_async_library = lambda: "asyncio"
        sys.modules.setdefault("sniffio", sniffio)
    except ImportError:
        h11 = httpcore = uvicorn = None
        AnyIOBackend = H11Protocol = UvicornServer = object

__all__ = ["AnyIOBackend", "H11Protocol", "UvicornServer", "h11", "httpcore", "uvicorn"]
