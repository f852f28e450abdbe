# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay: a server on loopback for agents that read a token once, and for what only knows a base URL."""

from __future__ import annotations

import json

from ..module_utils.options.relay import SPEC

_CHOICES = json.dumps(SPEC["relay_clients"]["choices"])


_CLIENTS = f"""
options:
  relay:
    description:
      - Whether each person has a relay, a server on loopback that passes on to the workspace what agents ask, with a token that lives.
      - V(auto) is V(session) where an agent of O(ignore:agents) reads a token once, at its start (Gemini CLI), or O(relay_clients)
        names one; else V(off).
      - With V(session) it is started when an agent needs it, and ends when nobody does. With V(service) it runs as long as the
        person's login sessions do.
      - It is made on the control node of packages that pip fetches, each proved by its SHA-256. For that an index has to be in reach,
        and so it is V(off) unless somebody chooses it.
    type: str
    choices: [auto, session, service, 'off']
    default: 'off'
  relay_clients:
    description:
      - Agents that use the relay, too, though they could ask for a token themselves.
    type: list
    elements: str
    choices: {_CHOICES}
    default: []
"""

_REST = """
  relay_port:
    description:
      - Port on loopback that it listens at.
      - Where several people of one host have a relay, each needs a port of their own.
    type: int
    default: 49153
  relay_idle_minutes:
    description:
      - After how many minutes without a request the relay of a session ends; V(0) is never.
    type: int
    default: 30
  relay_tls_cert:
    description:
      - PEM file on the host with a certificate for 127.0.0.1, with which the relay speaks TLS. It needs O(relay_tls_key).
      - Agents trust O(ignore:ca_file), which must have signed it; where that is not set, they are told to trust this file.
    type: str
  relay_tls_key:
    description:
      - PEM file on the host with the key of O(relay_tls_cert). The person who uses the relay must be able to read it.
    type: str
"""


class ModuleDocFragment:
    """All of the group, or with C(.clients) what says whether a relay is wanted."""

    # Annotated, so that linters of documentation do not take it for a text that stands here.
    DOCUMENTATION: str = _CLIENTS + _REST

    CLIENTS: str = _CLIENTS
