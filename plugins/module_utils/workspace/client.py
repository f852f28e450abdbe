# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a Databricks workspace, on the control node, through databricks-sdk. Reads only.

What this adds to the SDK: every call ends within seconds whether the workspace answers or not; a private CA is trusted
besides the usual ones; what the operator gave is never mixed with ``DATABRICKS_*`` of the environment; nothing opens a
browser; and everything that goes wrong becomes one :class:`WorkspaceError` with what, where and the way out. Messages
never hold a secret.

Callers check :data:`.sdk.IMPORT_ERROR` first.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import IO, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from .. import web
from ..careful import line
from ..lending import lent
from ..routing import MODEL_SERVICES, base_model_name, is_model_service
from ..version import VERSION
from . import answers, errors, identity
from .certificates import read_certificates, usual_roots
from .endpoints import READY, api_types_of_service, shape_endpoint
from .errors import WorkspaceError, explain, late, not_databricks
from .sdk import ApiClient, Config, certifi, requests

PRODUCT = "fmapi-coding-agents"

RETRY_SECONDS = 5
"""How long the SDK starts retries of one request that is throttled or finds no connection."""

RETRY_PAUSES = (0.5, 1.5)
"""Seconds before a request is repeated that the workspace had trouble with (5xx, and 429 where the SDK does not wait by itself);
after the last one it is believed. All that is asked only reads."""

CALL_SECONDS = 9.0
"""Longest time for one call, retries, token and helper programs included: some of the SDK's own requests (the token's)
have no limit. A workspace that is dead from the start costs one probe, one that dies later one call: both are told
within 15 seconds."""

LIST_SECONDS = 30.0
"""The same for a listing that may have many pages; the silence in one request stays bounded."""

# Options that go to the SDK under their own names.
_SDK_OPTIONS = (
    "account_id",
    "auth_type",
    "azure_client_id",
    "azure_client_secret",
    "azure_environment",
    "azure_tenant_id",
    "azure_use_msi",
    "azure_workspace_resource_id",
    "client_id",
    "client_secret",
    "config_file",
    "databricks_cli_path",
    "discovery_url",
    "google_credentials",
    "google_service_account",
    "group_id",
    "metadata_service_url",
    "oidc_token_env",
    "oidc_token_filepath",
    "password",
    "profile",
    "scopes",
    "token",
    "token_audience",
    "username",
    "workspace_id",
)

_LONGEST_ID = 30
_CLI = "databricks-cli"

_T = TypeVar("_T")

_lent = threading.Lock()
"""Held while the environment of this process is lent: two at once would put back each other's."""


def workspace_id_in(told: object) -> str | None:
    """The number in what a workspace calls its id, if it is one."""
    text = str(told)
    return text if text.isascii() and text.isdigit() and text != "0" and len(text) <= _LONGEST_ID else None


def _host_of(location: str) -> str:
    """Where a redirect leads: empty where it stays."""
    try:
        return urlsplit(location).netloc
    except ValueError:
        return location


def _variables_of_the_sdk() -> set[str]:
    return {
        name
        for attribute in Config.attributes()
        for name in (attribute.env, *getattr(attribute, "env_aliases", ()))
        if name
    }


class Served(NamedTuple):
    """What a workspace serves: its endpoints, shaped, and by the name of each model its state and, where told, its dialects."""

    endpoints: list[dict[str, Any]]
    states: dict[str, str]
    api_types: dict[str, list[str]]


NOT_TOLD = frozenset(("forbidden", "not_found", "not_databricks", "other"))
"""Refusals of a listing that an older workspace lacks and not every identity may read: what it would tell stays unknown."""


class Workspace:
    """One workspace, asked with one identity. Use as a context manager: it may own a temporary file.

    :param options: what the operator gave, with the names of the ``databricks_auth`` documentation fragment; absent and
        None mean the same.
    :param environ: the environment of the control node.
    :raises OperatorError: the options cannot be used as they are; nothing was sent.
    """

    def __init__(self, options: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> None:
        self._environ = dict(os.environ if environ is None else environ)
        self._options = {key: value for key, value in options.items() if value not in (None, "", [])}
        self.secrets = tuple(str(self._options[key]) for key in identity.SECRET_OPTIONS if key in self._options)
        self._client: ApiClient | None = None
        self._bundle: IO[str] | None = None
        self._services: dict[str, dict[str, list[str]]] = {}
        self._endpoints: list[dict[str, Any]] | None = None
        self.ca_file: str | None = self._options.get("ca_file")
        self._certificates = read_certificates(self.ca_file) if self.ca_file else None
        self._asking = identity.decide(self._options, self._environ, _variables_of_the_sdk())
        self.url: str | None = self._asking.url

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bundle is not None:
            self._bundle.close()

    @property
    def where(self) -> str:
        """The workspace's name in messages."""
        return self.url or "the workspace"

    @contextlib.contextmanager
    def _surroundings(self) -> Iterator[None]:
        """Lend this process the environment the SDK may see. requests takes an additional CA in no other way that also
        reaches the requests which the SDK makes outside its own session."""
        with _lent:
            changes: dict[str, str | None] = dict.fromkeys(self._asking.hidden)
            if self._certificates is not None:
                if self._bundle is None:
                    self._bundle = tempfile.NamedTemporaryFile(  # noqa: SIM115 (closed in __exit__)
                        "w", encoding="utf-8", prefix="fmapi-ca-", suffix=".pem"
                    )
                    self._bundle.write(usual_roots(self._environ, certifi.where()) + "\n" + self._certificates)
                    self._bundle.flush()
                changes["REQUESTS_CA_BUNDLE"] = self._bundle.name
            with lent(changes):
                yield

    def _call(self, function: Callable[[], _T], seconds: float = CALL_SECONDS) -> _T:
        """Run something of the SDK, again where the workspace had trouble of its own, and give up on it after some seconds.

        :raises WorkspaceError: whatever went wrong, explained.
        """
        deadline = time.monotonic() + seconds
        trouble: WorkspaceError | None = None
        for pause in (*RETRY_PAUSES, seconds):
            try:
                return self._call_once(function, deadline - time.monotonic())
            except WorkspaceError as error:
                if error.kind == "timeout" and trouble is not None:
                    break
                if error.kind not in ("server_error", "throttled"):
                    raise
                trouble = error
            wait = max(pause, trouble.retry_after or 0)
            if time.monotonic() + wait >= deadline:
                break
            time.sleep(wait)
        raise trouble or late(self.where, seconds)

    def _call_once(self, function: Callable[[], _T], seconds: float) -> _T:
        """One attempt, in a thread of its own: some of the SDK's requests end only when the other side wants."""
        own = [self.url, self._asking.discovery_url, self._options.get("metadata_service_url")] if self.url else []
        function = answers.bound(function, [one for one in own if one])
        outcome: list[_T] = []
        failure: list[BaseException] = []

        def run() -> None:
            try:
                outcome.append(function())
            except BaseException as error:
                failure.append(error)

        with self._surroundings():
            thread = threading.Thread(target=run, daemon=True, name="databricks-sdk")
            thread.start()
            thread.join(seconds)
            if thread.is_alive():
                raise late(self.where, seconds)
        if failure:
            if not isinstance(failure[0], Exception):
                raise failure[0]
            raise explain(failure[0], self.where, self.ca_file, self.secrets) from None
        return outcome[0]

    def _fetch(self, path: str) -> requests.Response:
        """GET a public path without credentials, without following redirects.

        :raises WorkspaceError: the workspace has trouble of its own; another status is an answer.
        """

        def no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
            return request

        response = requests.get(
            f"{self.url}{path}",
            timeout=errors.HTTP_TIMEOUT_SECONDS,
            allow_redirects=False,
            auth=no_netrc,
            headers={"User-Agent": f"{PRODUCT}/{VERSION}", "Accept": "application/json"},
        )
        if response.status_code >= 500 or response.status_code == 429:
            kind = "throttled" if response.status_code == 429 else "server_error"
            wait = web.seconds_to_wait(response.headers.get("Retry-After"))
            raise WorkspaceError(
                kind,
                f"answers HTTP {response.status_code} for {path}",
                self.where,
                f"Try again in {wait} s." if wait is not None else "Try again later.",
                retry_after=wait,
            )
        return response

    @staticmethod
    def _json(response: requests.Response) -> dict[str, Any]:
        try:
            body = response.json() if response.status_code == 200 else None
        except (ValueError, RecursionError):
            body = None
        return body if isinstance(body, dict) else {}

    def probe(self) -> dict[str, Any]:
        """See that a workspace answers there, without credentials; return what it tells about itself.

        :return: ``/.well-known/databricks-config`` (``workspace_id``, ``account_id``, ``cloud``, ``oidc_endpoint``), or
            an empty dictionary from a workspace that has no such page.
        :raises WorkspaceError: not reachable, not trusted, too slow, another host, or no Databricks workspace.
        """
        if self.url is None:
            return {}
        response = self._call(lambda: self._fetch("/.well-known/databricks-config"), errors.HTTP_TIMEOUT_SECONDS + 1)
        target = _host_of(response.headers.get("Location", "")) if response.is_redirect else ""
        if target and target != urlsplit(self.url).netloc:
            raise WorkspaceError(
                "wrong_host",
                f"sends us on to {target} (HTTP {response.status_code}): this is not the workspace's own URL",
                self.url,
                "Open the workspace and give the host in the address bar as coding_agents_workspace_url.",
            )
        metadata = self._json(response)
        oidc = metadata.get("oidc_endpoint")
        if isinstance(oidc, str):
            if not metadata.get("workspace_id") and "/accounts/" in oidc:
                raise WorkspaceError(
                    "wrong_host",
                    "is a Databricks account, not a workspace",
                    self.url,
                    "Open the workspace there and give its own URL as coding_agents_workspace_url.",
                )
            return metadata
        discovery = self._call(
            lambda: self._fetch("/oidc/.well-known/oauth-authorization-server"),
            errors.HTTP_TIMEOUT_SECONDS + 1,
        )
        if not isinstance(self._json(discovery).get("token_endpoint"), str):
            raise not_databricks(
                self.url, f"answers, but not as a Databricks workspace does (HTTP {discovery.status_code})"
            )
        return {}

    def _expect_own_endpoints(self) -> None:
        """:raises WorkspaceError: the workspace names others as those for signing in, or sends on who asks for them."""
        path = "/oidc/.well-known/oauth-authorization-server"
        response = self._call(lambda: self._fetch(path), errors.HTTP_TIMEOUT_SECONDS + 1)
        if response.is_redirect:
            target = line(response.headers.get("Location", "").partition("?")[0], 100)
            raise WorkspaceError(
                "wrong_host",
                f"sends us on to {target}, as the place where its sign-in is described (HTTP {response.status_code})",
                self.where,
                "Open the workspace and give the host in the address bar as coding_agents_workspace_url.",
            )

    def public_status(self, path: str) -> int:
        """Return the HTTP status of a GET without credentials. Redirects are not followed."""
        return self._call(lambda: self._fetch(path).status_code, errors.HTTP_TIMEOUT_SECONDS + 1)

    def connect(self) -> str:
        """Sign in; return the ``auth_type`` that the SDK uses.

        :raises WorkspaceError: ``kind`` no_credentials when nothing on the control node signs in there.
        """
        # Its warnings would stand between the lines of the play, its debug log holds parts of answers.
        logger = logging.getLogger("databricks.sdk")
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
        settings = {key: self._options[key] for key in _SDK_OPTIONS if key in self._options}
        # An older SDK passes over what it does not know, and would ask as somebody else.
        unknown = sorted(set(settings) - {attribute.name for attribute in Config.attributes()})
        if unknown:
            raise WorkspaceError(
                "configuration",
                f"the installed databricks-sdk does not know {', '.join(unknown)}",
                "the control node",
                "Install a newer one: pip install --upgrade databricks-sdk",
            )
        settings.update(host=self.url, profile=self._asking.profile, auth_type=self._asking.auth_type)

        if self.url and self._asking.auth_type in (None, _CLI):
            self._expect_own_endpoints()  # the Databricks CLI sends its refresh token to whatever they are

        def build() -> Config:
            return Config(
                product=PRODUCT,
                product_version=VERSION,
                http_timeout_seconds=errors.HTTP_TIMEOUT_SECONDS,
                retry_timeout_seconds=RETRY_SECONDS,
                **settings,
            )

        try:
            config = self._call(build)
        except WorkspaceError:
            if self._asking.unreadable is not None:
                raise self._asking.unreadable from None  # the SDK quotes lines of the file
            raise
        self._client = ApiClient(config)
        self.url = self.url or identity.loose_url(config.host)
        return str(config.auth_type)

    def get(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        response_headers: tuple[str, ...] = (),
        seconds: float = CALL_SECONDS,
    ) -> dict[str, Any]:
        """GET a path of the API with credentials; return the JSON object, with the named response headers in it.

        :raises WorkspaceError: whatever went wrong, explained.
        """
        client = self._client
        if client is None:
            raise RuntimeError("connect() comes first")
        answer = self._call(
            lambda: client.do(
                "GET",
                path,
                query=dict(query or {}),
                headers={"Accept": "application/json", **(headers or {})},
                response_headers=list(response_headers),
            ),
            seconds,
        )
        if not isinstance(answer, dict):
            raise not_databricks(self.where, f"answers {path} with something that is not a JSON object")
        try:
            cleaned: dict[str, Any] = answers.printable(answer)
        except RecursionError:
            raise not_databricks(self.where, f"answers {path} with something that is nested too deeply") from None
        return cleaned

    def me(self) -> tuple[str | None, str | None]:
        """Return who asks and where: the user name (a service principal's application id) and the workspace id."""
        header = "X-Databricks-Org-Id"
        answer = self.get("/api/2.0/preview/scim/v2/Me", response_headers=(header,))
        user_name, workspace_id = answer.get("userName"), answer.get(header)
        return (line(user_name) if isinstance(user_name, str) else None), workspace_id_in(workspace_id)

    def serving_endpoints(self) -> list[dict[str, Any]]:
        """Return every serving endpoint that the identity may see, as the API writes it. The listing is asked once."""
        if self._endpoints is None:
            listed = self.get("/api/2.0/serving-endpoints", seconds=LIST_SECONDS).get("endpoints")
            self._endpoints = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        return self._endpoints

    def _told_api_types(self) -> dict[str, list[str]]:
        """Return ``{endpoint: dialects}`` of the models that Databricks itself serves. Only this listing tells them.

        It is empty where the workspace has no such listing or does not show it.
        """
        try:
            listed = self.get("/api/2.0/serving-endpoints:foundation-models", seconds=LIST_SECONDS).get("endpoints")
        except WorkspaceError as error:
            if error.kind not in NOT_TOLD:
                raise
            return {}
        shaped = [shape_endpoint(endpoint) for endpoint in listed or () if isinstance(endpoint, dict)]
        return {endpoint["name"]: endpoint["api_types"] for endpoint in shaped}

    def model_services(self, schema: str, workspace_id: str | None = None) -> dict[str, list[str]]:
        """Return the Unity Catalog model services in one schema (``catalog.schema``): full names, and the dialects of each.

        The listing is asked page by page for one schema: without a parent it walks the whole metastore, and with large
        pages it times out on the server. It is asked once.
        """
        if schema in self._services:
            return self._services[schema]
        found: dict[str, list[str]] = {}
        tokens: set[str] = set()
        query = {"parent": f"schemas/{schema}", "page_size": "50"}
        # Some workspaces answer "Invalid MetastoreId" unless they are told their own id.
        headers = {"X-Databricks-Org-Id": workspace_id} if workspace_id else {}
        for _page in range(20):
            try:
                answer = self.get(MODEL_SERVICES, query, headers, seconds=LIST_SECONDS)
            except WorkspaceError as error:
                if error.kind == "not_found":  # no such schema: nothing is served from it
                    break
                raise
            listed = answer.get("model_services")
            for service in listed if isinstance(listed, list) else ():
                name = service.get("name") if isinstance(service, dict) else None
                if isinstance(name, str):
                    found[line(name.split("/", 1)[-1])] = [line(one) for one in api_types_of_service(service)]
            token = answer.get("next_page_token")
            if not isinstance(token, str) or not token or token in tokens:
                break
            tokens.add(token)
            query["page_token"] = token
        self._services[schema] = found
        return found

    def served(self, names: Iterable[str], workspace_id: str | None = None, every: bool = False) -> Served:
        """Return the serving endpoints, and the state and the dialects of everything that one of the names may mean.

        Model services have no state of their own: what is listed answers. The dialects of endpoints are asked for where one of the
        names is that of an endpoint.

        :param every: ask for the dialects of endpoints in any case.
        """
        endpoints = [shape_endpoint(endpoint) for endpoint in self.serving_endpoints()]
        states: dict[str, str] = {line(endpoint["name"]): endpoint["state"] for endpoint in endpoints}
        models = [base_model_name(name) for name in names]
        if every or any(model in states for model in models):
            told = self._told_api_types()
            for endpoint in endpoints:
                endpoint["api_types"] = endpoint["api_types"] or told.get(endpoint["name"], [])
        api_types = {line(endpoint["name"]): [line(one) for one in endpoint["api_types"]] for endpoint in endpoints}
        for schema in dict.fromkeys(model.rpartition(".")[0] for model in models if is_model_service(model)):
            services = self.model_services(schema, workspace_id)
            states.update(dict.fromkeys(services, READY))
            api_types.update(services)
        return Served(endpoints, states, api_types)
