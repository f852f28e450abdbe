# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this room uses of databricks-sdk, imported here and nowhere else. Callers check :data:`IMPORT_ERROR` first."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from typing import Any

IMPORT_ERROR: str | None = None
"""The traceback of the import that failed, for missing_required_lib; None when databricks-sdk is there."""


@contextlib.contextmanager
def _without_services() -> Iterator[None]:
    """Import modules of databricks-sdk without its ``__init__``, which imports the classes of every service of Databricks.

    They take 1.4 s of processor time, three quarters of all that the preflight costs, and nothing here uses one of them.
    Who asks the package for one later gets it whole.
    """
    above, name = "databricks", "databricks.sdk"
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        yield
        return
    package, loader = importlib.util.module_from_spec(spec), spec.loader
    sys.modules[name] = package
    sys.modules[above].sdk = package  # type: ignore[attr-defined]

    def whole(attribute: str) -> Any:
        del package.__dict__["__getattr__"]
        loader.exec_module(package)
        return getattr(package, attribute)

    try:
        yield
    finally:
        package.__dict__["__getattr__"] = whole  # PEP 562: called for what the package does not have yet


try:
    import certifi
    import requests

    with _without_services():
        from databricks.sdk import errors as sdk_errors
        from databricks.sdk.config import Config
        from databricks.sdk.core import ApiClient
        from databricks.sdk.errors.base import DatabricksError
except ImportError:
    IMPORT_ERROR = traceback.format_exc()
    ApiClient = Config = DatabricksError = certifi = requests = sdk_errors = None  # type: ignore[assignment,misc]

__all__ = ["IMPORT_ERROR", "ApiClient", "Config", "DatabricksError", "certifi", "requests", "sdk_errors"]
