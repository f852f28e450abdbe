# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsers that a host's Python may lack. They travel with the call that needs them, and are imported from memory.

TOML is read by ``tomllib``, which a host has from Python 3.11 on; an older one gets that of the control node. YAML is read by
PyYAML, which every control node has with ansible-core; a PyYAML that a host happens to have is not used, so that all hosts read alike.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from ...errors import OperatorError
from ...places import CARRIED_LIBRARY

TOML, YAML = "tomllib", "yaml"


class LibraryNeeded(Exception):
    """A document has to be parsed, and its parser has not travelled. Whoever called calls again, with it.

    No OperatorError: nobody has anything to mend, and what goes on without a file that cannot be read must not go on here.
    """

    needs_libraries = True
    """Modules know it by this: the program's classes are not theirs."""


def module(library: str, name: str = "") -> Any:
    """A library, or one of its modules. Raises LibraryNeeded, and OperatorError for one that this Python cannot use."""
    if library == TOML and sys.version_info >= (3, 11):
        return import_module(library)
    try:
        return import_module(f"{CARRIED_LIBRARY}{library}" + (f".{name}" if name else ""))
    except ModuleNotFoundError:
        raise LibraryNeeded(library) from None
    except (SyntaxError, ImportError, AttributeError, TypeError) as error:
        here = ".".join(map(str, sys.version_info[:2]))
        raise OperatorError(
            f"the control node's {library} cannot be used by Python {here} ({type(error).__name__})",
            way_out="Name a newer Python in ansible_python_interpreter, or use an older one on the control node",
        ) from None
