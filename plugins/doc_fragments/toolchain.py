# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the tools come from that agents need, and everything else that hosts fetch."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  mirror:
    description:
      - URL of a directory (https) that has what hosts fetch, archives as their vendors have them below
        C(nodejs.org/dist/) and C(github.com/databricks/cli/releases/download/), an npm registry's packages below C(npm/) and a Python
        index below C(pypi/simple/).
      - For packages of npm and of Python, a registry and an index that are named themselves rank over it.
    type: str
  toolchain_sources:
    description:
      - Where Node.js comes from on a host that has none that will do for its agents, and the Databricks CLI on one that has
        none for a person's sign-in. The first that can bring a version which will do is used, and it is told why those before
        it are passed over.
      - V(homebrew) is the Homebrew that the host has; it does not work as root. V(distribution) is apt, dnf or yum; it needs
        root (the scope V(machine), or root's own agents), is used where its version is new enough and where nothing that stands
        would be changed, and has no Databricks CLI.
      - V(vendor) is the vendor's own archive, proved by its SHA-256 (the collection's own lock, else the
        release's sums). V(already_present), alone, fetches none.
    type: list
    elements: str
    choices: [homebrew, distribution, vendor, already_present]
    default: [vendor]
  download_on:
    description:
      - Who fetches archives, npm packages and Python packages. With V(controller) the control node does, each once for all hosts, into
        C(~/.cache/fmapi-coding-agents/downloads), and hosts get what they lack over their connection; they reach no registry.
      - The control node then fetches from C(coding_agents_mirror), C(coding_agents_npm_registry) and C(coding_agents_pip_index),
        and only versions that the collection has a lock of.
    type: str
    choices: [host, controller]
    default: host
  uninstall_programs:
    description:
      - Let the uninstall remove, too, what Homebrew or the distribution's package manager has installed for the agents, but for
        what something else needs by then. Otherwise it stays, and the uninstall names it.
    type: bool
    default: false
"""
