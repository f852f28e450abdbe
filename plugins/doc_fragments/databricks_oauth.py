# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the tokens are for, and how they are got."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  profile:
    description:
      - Name of the profile in C(~/.databrickscfg).
    type: str
    default: fmapi-coding-agents
  identity:
    description:
      - Who the tokens are for.
      - V(user) is a person who signs in once with the Databricks CLI.
      - V(service_principal) is an OAuth machine-to-machine identity; it needs O(client_id) and O(client_secret).
      - V(workload_identity) exchanges an OIDC token of the workload for an access token, by a federation policy in the Databricks
        account. It needs one of O(oidc_token_file), O(oidc_token_env) and O(oidc_token_command), and no secret.
      - V(pat) is a personal access token. It is long-lived, so it is used only when it is named here, and the doctor warns about it.
    type: str
    choices: [user, service_principal, workload_identity, pat]
    default: user
  client_id:
    description:
      - Client id (application id) of the service principal. With O(identity=workload_identity) it may be left out, for
        account-wide token federation.
    type: str
  client_secret:
    description:
      - OAuth secret of the service principal. It stands on the host in the profile, with mode 0600, and nowhere else.
    type: str
  secret_group:
    description:
      - Group of the host that may read the service principal's secret where O(ignore:scope=machine). Its members can spend it.
    type: str
  oidc_token_file:
    description:
      - With O(identity=workload_identity), the file on the host that holds the workload's OIDC token, such as a projected service
        account token. C(~/) is the owner's home. It is read each time an access token is asked for.
    type: str
  oidc_token_env:
    description:
      - With O(identity=workload_identity), the name of the environment variable that holds the OIDC token where agents are started.
    type: str
  oidc_token_command:
    description:
      - With O(identity=workload_identity), the command that prints the OIDC token and nothing else, as a list. No shell reads it, it
        has 20 seconds, and no secret belongs into it.
    type: list
    elements: str
    default: []
  token_audience:
    description:
      - Audience that other Databricks tools should ask an OIDC provider for. It is kept in the profile; the token helper has no use
        for it.
    type: str
  pat:
    description:
      - With O(identity=pat), the personal access token. It stands on the host in the profile, with mode 0600, and in the cache.
      - Without it, the profile must already hold C(host) and C(token); nothing in it is changed then.
    type: str
  token_ttl_minutes:
    description:
      - How long an agent keeps a token before it asks the token helper again, in minutes from 1 to 60.
      - Access tokens live for 60 minutes, so at 60 a session meets an expired one.
    type: int
    default: 15
  helper_log:
    description:
      - Whether the token helper writes what it does, and never a token, to C(~/.local/state/fmapi-coding-agents/token-helper.log).
      - The file is private and rotated at 256 KiB. It goes when this is switched off, and on uninstall.
    type: bool
    default: false
  contact:
    description:
      - Whom people of this host ask, as the command C(coding-agents) says it where they cannot mend something themselves.
    type: str
  login_at_start:
    description:
      - Whether the person is asked to sign in when their session begins, if they are not signed in.
      - An item for the session does it, a launchd agent on macOS, an XDG autostart entry on Linux, a block in C(~/.profile) on WSL.
      - Means nothing for identities that need no person.
    type: bool
    default: false
  sign_out:
    description:
      - Whether taking everything back ends the person's sign-in, too.
    type: bool
    default: false
"""
