# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where requests go: the one table of base URLs, and the checks on what an operator names.

Pure: the standard library only, Python 3.9 syntax, no network, no files. It runs on the control node (preflight) and
on hosts (the modules that write agent settings). Every function that refuses a value raises :class:`ValueError` with
one sentence for each of: what is wrong, where (the variable), and the way out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

ROUTINGS = ("gateway", "serving_endpoints", "gateway_host")
"""Routings that have a URL: what a host is told."""

ROUTING_CHOICES = (*ROUTINGS, "auto")
"""What an operator may ask for: ``auto`` is decided by the preflight, before any host is touched."""

MODEL_SERVICES = "/api/2.1/unity-catalog/model-services"
"""Path of the workspace."""
SYSTEM_SCHEMA = "system.ai"
"""Where the model services are that Databricks itself serves."""

DEFAULT_PROFILE = "fmapi-coding-agents"
"""Name of the profile in ``~/.databrickscfg`` unless the operator chooses another."""

TTL_MINUTES_MIN = 1
TTL_MINUTES_MAX = 60
TTL_MINUTES_WARN_BELOW = 5
TTL_MINUTES_WARN_ABOVE = 45
TTL_MINUTES_DEFAULT = 15
"""Minutes an agent keeps a token. Databricks access tokens live for 60, and the helper hands them out with 45 left at least."""

# {dialect: {routing: path below the routing's root}}. An agent's client appends its own, for example /v1/messages.
_PATHS: dict[str, dict[str, str]] = {
    "anthropic": {
        "gateway": "/ai-gateway/anthropic",
        "serving_endpoints": "/serving-endpoints/anthropic",
        "gateway_host": "/anthropic",
    },
    "responses": {
        "gateway": "/ai-gateway/codex/v1",
        "serving_endpoints": "/serving-endpoints/openai/v1",
        "gateway_host": "/openai/v1",
    },
    "chat": {
        "gateway": "/ai-gateway/mlflow/v1",
        "serving_endpoints": "/serving-endpoints",
        "gateway_host": "/mlflow/v1",
    },
    "gemini": {
        "gateway": "/ai-gateway/gemini",
        "serving_endpoints": "/serving-endpoints/google",
        "gateway_host": "/gemini",
    },
}

DIALECTS = tuple(_PATHS)

API_TYPES = {
    "anthropic": "anthropic/v1/messages",
    "responses": "openai/v1/responses",
    "chat": "mlflow/v1/chat/completions",
    "gemini": "gemini/v1/generateContent",
}
"""What a workspace calls each dialect where it says which of them a model speaks."""

# Of the dialects whose base URL has none. Clients differ in whether they append it themselves.
_API_VERSIONS = {"anthropic": "/v1", "gemini": "/v1beta"}

# Host name suffix of a workspace -> domain of the gateway's own host, in which the workspace id is the first label.
_GATEWAY_HOST_DOMAINS = (
    (".cloud.databricks.com", "ai-gateway.cloud.databricks.com"),
    (".gcp.databricks.com", "ai-gateway.gcp.databricks.com"),
)

# The account console answers on these names too, but it is not a workspace: nothing we call exists there.
_ACCOUNT_HOSTS = frozenset(
    (
        "accounts.cloud.databricks.com",
        "accounts.cloud.databricks.us",
        "accounts.gcp.databricks.com",
        "accounts.azuredatabricks.net",
        "accounts.databricks.azure.cn",
        "accounts.databricks.azure.us",
    )
)

EXAMPLE_URL = "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com"
EXAMPLE_BASE_URL = "https://llm.example.com/anthropic"

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PORT = re.compile(r"[0-9]{1,5}")
_PROFILE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,62}[A-Za-z0-9_])?")
_WORKSPACE_ID = re.compile(r"[0-9]{1,20}")

# What no agent's file, shell or template takes for more than itself.
_PATH_PART = re.compile(r"[A-Za-z0-9._~%:@+,=-]+")


def _host_of(host: str) -> str | None:
    """Return the lower-case form of a host name, an IPv4 address or an IPv6 address in brackets; None if it is none."""
    if host.startswith("["):
        # A zone (%eth0) names an interface of one machine: it cannot be written to many.
        if not host.endswith("]") or "%" in host:
            return None
        import ipaddress  # few have one, and every look would pay for it

        try:
            return f"[{ipaddress.IPv6Address(host[1:-1])}]"
        except ValueError:
            return None
    name = host.lower()
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    if labels[-1].isdigit():
        import ipaddress

        # No top-level domain is a number, and resolvers read such names as odd spellings of an address.
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            return None
    return name


def nothing_given(option: str) -> str:
    """What to say where no workspace is named."""
    return f"{option} is not set. Give the URL of your Databricks workspace, such as {EXAMPLE_URL}."


def normalize_workspace_url(value: object, option: str = "coding_agents_workspace_url") -> str:
    """Return the one spelling of a workspace URL: ``https://host`` or ``https://host:port``, lower case, no slash.

    :param value: what the operator gave. A trailing slash and the default port 443 are taken off; everything else
        that is not scheme and host is refused, because it would be sent to another place than the operator meant.
    :param option: the variable to name in the message.
    :raises ValueError: what is wrong, where, and the way out. The message never repeats a user name or a password.
    """
    if not isinstance(value, str) or not value:
        raise ValueError(nothing_given(option))
    normal_host, port, rest = _host_and_port(
        value, option, ("https",), EXAMPLE_URL, "Copy the workspace URL from the address bar of the browser"
    )
    if normal_host in _ACCOUNT_HOSTS:
        raise ValueError(
            f"{option} is the account console ({normal_host}), which serves no models. "
            f"Open the workspace there and give its own URL, such as {EXAMPLE_URL}."
        )
    normal = f"https://{normal_host}{port}"
    if rest not in ("", "/"):
        part = "a query" if "?" in rest else "a fragment" if "#" in rest else "a path"
        raise ValueError(f"{option} has {part} after the host. Give only the workspace itself: {normal}")
    return normal


def _host_and_port(
    value: str, option: str, schemes: tuple[str, ...], example: str, where_from: str
) -> tuple[str, str, str]:
    """Return the host of a URL in its one spelling, ``:port`` where it is not the usual one, and all that comes after.

    :raises ValueError: what is wrong, where, and the way out. The message never repeats a user name or a password.
    """
    if not value.isascii() or any(character <= " " or character in '"<>\\^`{|}\x7f' for character in value):
        raise ValueError(
            f"{option} holds a space, a control character or a character outside ASCII. "
            f"{where_from}, such as {example}."
        )
    scheme, separator, rest = value.partition("://")
    if not separator:
        raise ValueError(f"{option} has no scheme. Write it with https:// in front, such as {example}.")
    if scheme.lower() not in schemes:
        raise ValueError(
            f"{option} begins with {scheme}://, but tokens are sent over https only. Write https:// instead."
        )
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        raise ValueError(
            f"{option} holds a user name or a password before the @. Take it out and name the identity with "
            f"coding_agents_identity instead."
        )
    # The port is cut off by hand: urlsplit accepts odd digits and raises late.
    host, colon, port = authority.rpartition(":") if re.search(r":[^\]]*$", authority) else (authority, "", "")
    normal_host = _host_of(host)
    if normal_host is None:
        raise ValueError(f'{option} names the host "{host}", which is not a host name. Write it as {example}.')
    usual = {"https": 443, "http": 80}[scheme.lower()]
    if colon and not (_PORT.fullmatch(port) and 0 < int(port) < 65536):
        raise ValueError(f'{option} has the port "{port}". Use a number from 1 to 65535, or leave it out for {usual}.')
    return normal_host, f":{int(port)}" if colon and int(port) != usual else "", rest[len(authority) :]


def validate_profile(value: object, option: str = "coding_agents_profile") -> str:
    """Return the profile name if it is safe as an INI section, a command argument and part of a file name.

    :raises ValueError: odd characters, longer than 64, or a name that means something else to Databricks' tools
        (``DEFAULT`` is what every tool falls back to).
    """
    if isinstance(value, str) and value.upper() == "DEFAULT":
        raise ValueError(
            f"{option} is {value}, the section that every Databricks tool falls back to. "
            f"Choose a name of its own, such as {DEFAULT_PROFILE}."
        )
    if not isinstance(value, str) or not _PROFILE.fullmatch(value):
        raise ValueError(
            f"{option} is {str(value)!r}. Use 1 to 64 letters, digits, dots, hyphens, underscores or @, "
            f"beginning with a letter or a digit and not ending with a dot, a hyphen or @, such as {DEFAULT_PROFILE}."
        )
    return value


def validate_ttl_minutes(value: object, option: str = "coding_agents_token_ttl_minutes") -> int:
    """Return the minutes an agent keeps a token as a whole number from 1 to 60.

    :param value: an int, or its decimal digits as Ansible's ``key=value`` forms give them.
    :raises ValueError: anything else, true and false included.
    """
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise ValueError(
            f"{option} is {str(value)!r}, which is not a whole number. "
            f"Give minutes from {TTL_MINUTES_MIN} to {TTL_MINUTES_MAX}; {TTL_MINUTES_DEFAULT} suits most."
        )
    minutes = int(text)
    if not TTL_MINUTES_MIN <= minutes <= TTL_MINUTES_MAX:
        raise ValueError(
            f"{option} is {minutes}. Access tokens live for {TTL_MINUTES_MAX} minutes: "
            f"give {TTL_MINUTES_MIN} to {TTL_MINUTES_MAX}; {TTL_MINUTES_DEFAULT} suits most."
        )
    return minutes


def ttl_warning(minutes: int, option: str = "coding_agents_token_ttl_minutes") -> str | None:
    """Return what to tell the operator about a token life that is allowed but unwise, or None."""
    if minutes < TTL_MINUTES_WARN_BELOW:
        return (
            f"{option} is {minutes}: every agent starts the token helper every {minutes} min. "
            f"{TTL_MINUTES_DEFAULT} is enough for tokens that live for 60 minutes."
        )
    if minutes > TTL_MINUTES_WARN_ABOVE:
        return (
            f"{option} is {minutes}, nearly as long as an access token lives: a session can meet an expired one. "
            f"Use {TTL_MINUTES_DEFAULT}."
        )
    return None


def validate_routing(value: object, option: str = "coding_agents_routing") -> str:
    """Return the routing if it is one an operator may ask for (``auto`` included).

    :raises ValueError: an unknown word.
    """
    if not isinstance(value, str) or value not in ROUTING_CHOICES:
        raise ValueError(f"{option} is {str(value)!r}. Use one of: {', '.join(ROUTING_CHOICES)}.")
    return value


def validate_workspace_id(value: object, option: str = "coding_agents_workspace_id") -> str:
    """Return the workspace id as its decimal digits.

    :param value: an int or a string of digits (YAML reads the id as a number when it is not quoted).
    :raises ValueError: anything else.
    """
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    if not _WORKSPACE_ID.fullmatch(text):
        raise ValueError(
            f"{option} is {str(value)!r}, which is not a workspace id. It is the number after ?o= in the address bar "
            f"of the workspace; leave the variable out to have it detected."
        )
    return text


def gateway_host_url(workspace_url: str, workspace_id: str) -> str:
    """Return the root of the gateway's own host for a workspace, such as ``https://123.ai-gateway.<domain>``.

    :raises ValueError: no workspace id, or a cloud for which the host cannot be derived from the workspace's URL.
    """
    identifier = validate_workspace_id(workspace_id)
    host = urlsplit(normalize_workspace_url(workspace_url)).hostname or ""
    for suffix, domain in _GATEWAY_HOST_DOMAINS:
        if host.endswith(suffix):
            return f"https://{identifier}.{domain}"
    # On Azure the gateway's host carries a shard number that no API tells and that is not the workspace's own.
    raise ValueError(
        f"coding_agents_routing is gateway_host, but the gateway's own host is not known for {host}: it can be told "
        f"only for workspaces under {' and '.join('*' + suffix for suffix, domain in _GATEWAY_HOST_DOMAINS)}. "
        f"Use gateway, which serves the same models on the workspace's own host."
    )


def base_url(
    routing: str, workspace_url: str, dialect: str, workspace_id: str | None = None, versioned: bool = False
) -> str:
    """Return the URL an agent's client is given for one dialect, without a slash at the end.

    :param routing: one of :data:`ROUTINGS`; ``auto`` must have been decided by the preflight.
    :param workspace_url: the workspace; normalised here again, so that a wrong one can never be written.
    :param dialect: one of :data:`DIALECTS`.
    :param workspace_id: needed for ``gateway_host`` only.
    :param versioned: for a client that wants the version of the API in its base URL, as those of ``@ai-sdk`` do
        (``.../anthropic/v1``, ``.../gemini/v1beta``). With the OpenAI dialects every client has the same.
    :raises ValueError: what is wrong, where, and the way out.
    """
    if routing == "auto":
        raise ValueError(
            "coding_agents_routing is auto, which only the preflight can decide. "
            "Leave coding_agents_preflight on, or name one of: " + ", ".join(ROUTINGS) + "."
        )
    validate_routing(routing)
    paths = _PATHS.get(dialect)
    if paths is None:
        raise ValueError(f"Unknown dialect {dialect!r}: there are {', '.join(DIALECTS)}.")
    if routing not in paths:
        raise ValueError(
            f"coding_agents_routing is {routing}, by which the dialect {dialect} is not served. "
            f"Use one of: {', '.join(paths)}."
        )
    path = paths[routing] + (_API_VERSIONS.get(dialect, "") if versioned else "")
    if routing != "gateway_host":
        return normalize_workspace_url(workspace_url) + path
    if workspace_id is None or workspace_id == "":
        raise ValueError(
            "coding_agents_routing is gateway_host, which needs the workspace id. Set coding_agents_workspace_id, "
            "or leave coding_agents_preflight on and give it an identity, and it is detected."
        )
    return gateway_host_url(workspace_url, workspace_id) + path


def normalize_base_url(value: object, option: str) -> str:
    """Return the one spelling of a base URL that an operator names for an agent: without a slash at the end.

    A token is sent there with every request, so it is ``https``; ``http`` is for what listens on the host itself, such as a relay.

    :raises ValueError: what is wrong, where, and the way out. The message never repeats a user name or a password.
    """
    if not isinstance(value, str) or not value:
        raise ValueError(
            f"{option} is no URL. Give the base URL that the agent is to have, such as {EXAMPLE_BASE_URL}."
        )
    host, port, rest = _host_and_port(value, option, ("https", "http"), EXAMPLE_BASE_URL, "Take it out")
    scheme = value.partition("://")[0].lower()
    if scheme == "http" and not _is_loopback(host):
        raise ValueError(
            f"{option} begins with http://, but tokens are sent to other hosts over https only. "
            f"Write https://, or name a relay on the host itself, such as http://127.0.0.1:8080."
        )
    if "?" in rest or "#" in rest:
        part = "a query" if "?" in rest else "a fragment"
        raise ValueError(f"{option} has {part}. An agent appends its own path: take it out.")
    path = rest.rstrip("/")
    parts = path.split("/")[1:]
    if not all(_PATH_PART.fullmatch(part) and part.strip(".") for part in parts):
        raise ValueError(
            f"{option} has the path {path}. Use letters, digits and . _ ~ % : @ + , = - between single slashes, "
            f"such as {EXAMPLE_BASE_URL}."
        )
    return f"{scheme}://{host}{port}{path}"


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "[::1]") or re.fullmatch(r"127(\.[0-9]+){3}", host) is not None


def named_base_urls(dialects: Iterable[str], named: object) -> dict[str, str]:
    """What an operator names for one agent, by dialect: one URL for all that it speaks, or one for each."""
    urls = dict.fromkeys(dialects, named) if isinstance(named, str) else named
    return {one: str(url) for one, url in urls.items() if url} if isinstance(urls, Mapping) else {}


def base_urls(
    dialects: Iterable[str], named: object, routing: str, workspace_url: str, workspace_id: str | None = None
) -> dict[str, str]:
    """Return an agent's base URLs by dialect: what the operator named for it, else by the routing.

    :raises ValueError: what is wrong, where, and the way out.
    """
    spoken = list(dialects)
    own = named_base_urls(spoken, named)
    return {
        one: normalize_base_url(own[one], "coding_agents_base_urls")
        if one in own
        else base_url(routing, workspace_url, one, workspace_id)
        for one in spoken
    }


def model_service_of(name: str) -> str:
    """Return what a model that Databricks itself serves as an endpoint is called as a model service; else the name as it is."""
    prefix = "databricks-"
    return f"{SYSTEM_SCHEMA}.{name[len(prefix) :]}" if name.startswith(prefix) else name


def base_model_name(name: str) -> str:
    """Return a model id as the workspace knows it: suffixes such as ``[1m]`` (context size) never leave an agent."""
    return re.sub(r"\[[A-Za-z0-9]+\]$", "", name)


def is_model_service(name: str) -> bool:
    """Tell whether a model id names a Unity Catalog model service (``catalog.schema.name``) and not an endpoint."""
    return len(name.split(".")) == 3 and all(name.split("."))
