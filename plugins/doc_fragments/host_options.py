# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several host modules share, documented once."""

from __future__ import annotations


class ModuleDocFragment:
    """Pick the parts: C(fmapi.coding_agents.host_options.owner), C(.workspace), C(.auth), C(.settings), C(.cli)."""

    OWNER = r"""
options:
  home:
    description:
      - Home directory of the owner of the files, on the host. It must belong to the user that the task runs as.
      - Without it, the home of that user.
    type: path
  users:
    description:
      - Users of the host whose files are managed, instead of the user that the task runs as, which must be root then.
      - The work in each home is done with that user's rights. One user's failure does not hold up the others.
      - With more than one, the result stands under RV(ignore:owners), by user.
    type: list
    elements: str
    default: []
"""

    WORKSPACE = r"""
options:
  workspace_url:
    description:
      - URL of the Databricks workspace, such as V(https://dbc-a1b2c3d4-e5f6.cloud.databricks.com).
    type: str
  token_ttl_minutes:
    description:
      - How long an agent keeps a token before it asks the token helper again, in minutes from 1 to 60.
      - Access tokens live for 60 minutes, so at 60 a session meets an expired one.
    type: int
    default: 15
  ca_file:
    description:
      - PEM file on the host with the certificate authority that signed the workspace's certificate (or a proxy's).
    type: path
  on_unreadable:
    description:
      - What to do with a settings or profile file that cannot be parsed.
      - V(fail) changes nothing. V(backup_and_replace) keeps it beside itself with mode 0600, says where, and starts with an empty
        one; uninstalling puts it back.
    type: str
    choices: [fail, backup_and_replace]
    default: fail
"""

    AUTH = r"""
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
  helper_log:
    description:
      - Whether the token helper writes what it does, and never a token, to C(~/.local/state/fmapi-coding-agents/token-helper.log).
      - The file is private and rotated at 256 KiB. It goes when this is switched off, and on uninstall.
    type: bool
    default: false
  login_at_start:
    description:
      - Whether the person is asked to sign in when their session begins, if they are not signed in.
      - An item for the session does it, a launchd agent on macOS, an XDG autostart entry on Linux, a block in C(~/.profile) on WSL.
      - Means nothing for identities that need no person.
    type: bool
    default: false
"""

    SETTINGS = r"""
options:
  agents:
    description:
      - The coding agents. What was set for an agent that is not listed any more is taken back.
    type: list
    elements: str
    choices: [claude_code]
    default: [claude_code]
  models:
    description:
      - Names of serving endpoints (or Unity Catalog model services) for the agents' model choices.
      - A choice that is not named keeps the collection's default.
    type: dict
    default: {}
    suboptions:
      default:
        description:
          - The model that a session begins with.
        type: str
      opus:
        description:
          - The model behind the alias opus.
        type: str
      sonnet:
        description:
          - The model behind the alias sonnet.
        type: str
      haiku:
        description:
          - The model behind the alias haiku, also used for small tasks in the background.
        type: str
  routing:
    description:
      - How requests reach the models.
      - V(gateway) is a path on the workspace's host, V(serving_endpoints) the older path, V(gateway_host) the gateway's own host.
      - V(auto) can only be decided by M(fmapi.coding_agents.workspace_info); this module refuses it.
    type: str
    choices: [gateway, serving_endpoints, gateway_host, auto]
    default: gateway
  workspace_id:
    description:
      - The workspace's number. Needed for O(routing=gateway_host) only.
    type: str
  settings_location:
    description:
      - V(home), or the absolute path of an existing directory whose C(.claude/settings.json) is written instead.
    type: str
    default: home
  experimental_betas:
    description:
      - Whether Claude Code may send its experimental beta headers. Gateways may refuse them.
    type: bool
    default: false
  extra_settings:
    description:
      - Your own settings for agents, as one JSON text with an object by agent, such as
        V({"claude_code":{"includeCoAuthoredBy":false}}); the filter P(ansible.builtin.to_json#filter) makes it of a dictionary.
      - Each setting is put into the agent's main document by its keys, and given back like those of this collection. Diffs show none.
      - C(permissions.allow), C(ask), C(deny) and C(additionalDirectories) of Claude Code are added to the lists that are there; any
        other list is set as a whole.
      - What this collection sets itself is refused.
    type: str
"""

    CLI = r"""
options:
  cli_versions:
    description:
      - Exact version of an agent's command line program, by agent, such as C(claude_code) with V(2.1.197).
      - For an agent that is not named, any version that works with a workspace will do, and the one that this collection
        is tested with is installed where there is none.
    type: dict
    default: {}
  npm_prefix:
    description:
      - Where npm puts programs (C(bin)) and packages (C(lib/node_modules)). Without it, C(~/.local).
    type: path
  npm_registry:
    description:
      - URL of the npm registry or mirror. Without it, what npm is set to on the host.
    type: str
"""
