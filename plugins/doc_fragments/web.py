# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Web search and pages for agents, behind a gateway that refuses the vendor's."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  web_search:
    description:
      - Whether the relay searches the web and fetches pages for agents, where the gateway refuses the vendor's own tools.
      - Claude Code then goes through the relay, and gets its tool WebSearch back. Other agents get both tools from
        C(coding-agents mcp web).
      - It needs O(ignore:relay).
    type: bool
    default: false
  web_search_backend:
    description:
      - Who searches. V(duckduckgo) is its page without JavaScript, V(searxng) one of your own, V(brave) its API, which wants a key.
      - With V(none) pages are fetched, and nobody searches.
    type: str
    choices: [duckduckgo, searxng, brave, none]
    default: duckduckgo
  web_search_url:
    description:
      - Where the search service is. V(searxng) needs it; the others have one of their own.
      - The address guard does not judge it, so it may be on a private network.
    type: str
  web_search_key:
    description:
      - Key of the search service, for V(brave). It stands on hosts in a file that only the person can read.
    type: str
  web_fetch_bytes:
    description:
      - How much of a page's text a model gets at most.
    type: int
    default: 102400
  web_allowed_addresses:
    description:
      - Networks from which pages may be fetched, though they are not on the public internet.
      - Loopback, private and link-local addresses, and those of a cloud's metadata, are refused otherwise.
    type: list
    elements: str
    default: []
"""
