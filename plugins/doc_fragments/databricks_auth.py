# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a module on the control node signs in to a workspace: every way that databricks-sdk knows."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  workspace_url:
    description:
      - The workspace, such as V(https://dbc-a1b2c3d4-e5f6.cloud.databricks.com).
      - Without it the host comes from O(profile), from E(DATABRICKS_HOST), or from the default profile.
    type: str
    aliases: [host]
  profile:
    description:
      - Profile in the O(config_file) of the control node. Profiles on hosts have nothing to do with it.
      - Without it and without any other identity, E(DATABRICKS_CONFIG_PROFILE) counts if it is for O(workspace_url).
    type: str
  config_file:
    description:
      - File with the profiles of the control node. Defaults to E(DATABRICKS_CONFIG_FILE), then C(~/.databrickscfg).
    type: path
  auth_type:
    description:
      - One way of signing in, by its name in databricks-sdk, such as V(oauth-m2m), V(pat), V(databricks-cli),
        V(azure-cli), V(azure-client-secret), V(google-id), V(github-oidc) or V(env-oidc).
      - Without it the way follows from the options given; without those, from the environment as databricks-sdk
        looks for it.
      - V(external-browser) is refused, because it waits for a person.
    type: str
  token:
    description: A personal access token, or any other bearer token of the workspace.
    type: str
  client_id:
    description: Application (client) id of a service principal, for OAuth M2M and workload identity federation.
    type: str
  client_secret:
    description: OAuth secret of the service principal.
    type: str
  username:
    description: User name for basic authentication, where a workspace still has it.
    type: str
  password:
    description: Password for basic authentication.
    type: str
  account_id:
    description: Databricks account. The workspace tells it by itself.
    type: str
  workspace_id:
    description: Id of the workspace, for hosts that serve several. The workspace tells it by itself.
    type: str
  group_id:
    description: Id of the group whose role is taken with OAuth.
    type: str
  scopes:
    description: OAuth scopes to ask for. Defaults to all APIs.
    type: list
    elements: str
  discovery_url:
    description: OpenID Connect discovery document, if it is not the workspace's own.
    type: str
  token_audience:
    description: Audience of the identity token in workload identity federation.
    type: str
  oidc_token_env:
    description: Name of the environment variable that holds the identity token (V(env-oidc)).
    type: str
  oidc_token_filepath:
    description: File that holds the identity token (V(file-oidc)).
    type: path
  metadata_service_url:
    description: URL of a local service that gives tokens.
    type: str
  databricks_cli_path:
    description: The Databricks CLI to ask for a token (V(databricks-cli)), if it is not found by itself.
    type: path
  azure_workspace_resource_id:
    description: Azure Resource Manager id of the workspace, instead of O(workspace_url).
    type: str
  azure_client_id:
    description: Application id of a Microsoft Entra service principal.
    type: str
  azure_client_secret:
    description: Secret of the Microsoft Entra service principal.
    type: str
  azure_tenant_id:
    description: Microsoft Entra tenant. The workspace tells it by itself.
    type: str
  azure_environment:
    description: Azure cloud, such as V(PUBLIC), V(USGOVERNMENT) or V(CHINA).
    type: str
  azure_use_msi:
    description: Whether to use the managed identity of the machine.
    type: bool
  google_service_account:
    description: Google service account to act as (V(google-id)).
    type: str
  google_credentials:
    description: Google service account key, as JSON text or the path of a file (V(google-credentials)).
    type: str
  ca_file:
    description:
      - PEM file on the control node with a private certificate authority, trusted besides the usual ones.
      - https is never relaxed.
    type: path
requirements:
  - python >= 3.10 where the module runs
  - databricks-sdk >= 0.60.0
notes:
  - What is given as an option is never mixed with C(DATABRICKS_*), C(ARM_*) and C(GOOGLE_*) of the environment.
    The environment counts only when no identity and no profile is given, and not when E(DATABRICKS_HOST) names
    another workspace than O(workspace_url).
  - A workspace that does not answer is told within 15 seconds.
"""
