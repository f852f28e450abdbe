# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for the get-pip script that ansible-test downloads: runs pip out of the wheel that lies beside this file.

ansible-test looks for the script in its cache before it asks its own download site, so a copy of this file under the
expected name means that the package index is the only place a test run needs. sanity.sh puts both files there.
"""

from __future__ import annotations

import pathlib
import sys

here = pathlib.Path(__file__).resolve()
# get_pip_25_2.py goes with pip-25.2-py3-none-any.whl
version = here.stem.removeprefix("get_pip_").replace("_", ".")
sys.path.insert(0, str(here.with_name(f"pip-{version}-py3-none-any.whl")))

# The real script takes these two of its own; pip does not know them.
arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]

from pip._internal.cli.main import main  # noqa: E402

sys.exit(main(["install", "--upgrade", *arguments]))
