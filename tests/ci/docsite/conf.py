# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings for the documentation site (``tests/ci/docs.sh``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = title = "fmapi.coding_agents"
copyright = "fmapi.coding_agents contributors"
extensions = ["sphinx_antsibull_ext"]
html_theme = "sphinx_ansible_theme"
html_show_sphinx = False
html_copy_source = False
highlight_language = "YAML+Jinja"
pygments_style = "ansible"
nitpicky = True
# Until the first release the changelog is an empty page.
suppress_warnings = ["toc.no_title"]

# Pages of Ansible's own documentation that antsibull-docs refers to. Named here instead of asking for their inventory: the site
# is then built without the network, and a reference that is new is a warning.
_ANSIBLE = "https://docs.ansible.com/projects/ansible/latest/"
_PAGES = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}
_BUILTIN = "ansible_collections.ansible.builtin."


def _ansible_page(_app: Sphinx, _env: Any, node: Any, text: Any) -> nodes.reference | None:
    label = node["reftarget"]
    page = _PAGES.get(label, "")
    if label.startswith(_BUILTIN):
        page = f"collections/ansible/builtin/{label[len(_BUILTIN) :]}.html"
    return nodes.reference("", "", text, internal=False, refuri=_ANSIBLE + page) if page else None


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("missing-reference", _ansible_page)
