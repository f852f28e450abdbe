# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate authorities on the control node: a private one, trusted besides the usual ones."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from pathlib import Path

from ..errors import OperatorError


def read_certificates(path: str) -> str:
    """Return the certificates of a PEM file and nothing else of it (a private key beside them stays where it is).

    :raises OperatorError: the file cannot be read, holds no certificate or one that does not parse.
    """
    where = f"coding_agents_ca_file ({path})"
    way_out = (
        "Give the PEM file of the authority that issued the workspace's certificate, readable on the control node."
    )
    try:
        text = Path(path).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise OperatorError(f"cannot be read: {reason}", where, way_out) from error
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", text, re.DOTALL)
    if not blocks:
        raise OperatorError("holds no certificate in PEM form", where, way_out)
    certificates = "\n".join(blocks) + "\n"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=certificates)
    except (ssl.SSLError, ValueError) as error:
        raise OperatorError("holds a certificate that cannot be read", where, way_out) from error
    return certificates


def usual_roots(environ: Mapping[str, str], otherwise: str) -> str:
    """Return the authorities that requests would trust by itself: the operator's own bundle, or ``otherwise``."""
    chosen = environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE") or otherwise
    path = Path(chosen)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return "\n".join(file.read_text("utf-8", errors="replace") for file in files if file.is_file())
