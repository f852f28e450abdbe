# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of base URLs, and what an operator may name."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from ansible_collections.fmapi.coding_agents.plugins.module_utils import routing as table
from ansible_collections.fmapi.coding_agents.plugins.module_utils.routing import (
    API_TYPES,
    DIALECTS,
    ROUTINGS,
    base_url,
    base_urls,
    normalize_base_url,
    normalize_workspace_url,
    ttl_warning,
    validate_profile,
    validate_routing,
    validate_ttl_minutes,
    validate_workspace_id,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.version import VERSION
from hypothesis import example, given
from hypothesis import strategies as st

WORKSPACE = "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com"


@pytest.mark.parametrize(
    ("given_url", "normal"),
    [
        (WORKSPACE, WORKSPACE),
        (WORKSPACE + "/", WORKSPACE),
        (WORKSPACE + ":443", WORKSPACE),
        (WORKSPACE + ":0443/", WORKSPACE),
        ("HTTPS://Adb-123.4.AzureDatabricks.net", "https://adb-123.4.azuredatabricks.net"),
        ("https://127.0.0.1:8443", "https://127.0.0.1:8443"),
        ("https://[::1]:8443/", "https://[::1]:8443"),
        ("https://[0:0:0:0:0:0:0:1]", "https://[::1]"),
        ("https://localhost", "https://localhost"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_one_spelling_of_a_workspace(given_url: str, normal: str) -> None:
    assert normalize_workspace_url(given_url) == normal


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (None, "is not set"),
        ("", "is not set"),
        (12, "is not set"),
        ("http://dbc.cloud.databricks.com", "https only"),
        ("ftp://dbc.cloud.databricks.com", "https only"),
        ("dbc.cloud.databricks.com", "no scheme"),
        ("https://", "not a host name"),
        ("https:///path", "not a host name"),
        (WORKSPACE + "/browse", "a path"),
        (WORKSPACE + "//", "a path"),
        (WORKSPACE + "/?o=123", "a query"),
        (WORKSPACE + "?", "a query"),
        (WORKSPACE + "#tab", "a fragment"),
        ("https://user@host", "user name"),
        ("https://user:word@host", "user name"),
        ("https://host:0", "port"),
        ("https://host:65536", "port"),
        ("https://host:", "port"),
        ("https://host:44x", "port"),
        ("https://ho st", "a space"),
        ("https://host\n", "control character"),
        ("https://host\t.example", "control character"),
        ("https://bücher.example", "outside ASCII"),
        ("https://host:443\u0966", "outside ASCII"),
        ("https://ho\\st", "outside ASCII"),
        ("https://host_name", "not a host name"),
        ("https://-host", "not a host name"),
        ("https://host-.example", "not a host name"),
        ("https://host.", "not a host name"),
        ("https://a..b", "not a host name"),
        ("https://1.2.3", "not a host name"),
        ("https://0x7f.1", "not a host name"),
        ("https://999.1.1.1", "not a host name"),
        ("https://[::1", "not a host name"),
        ("https://[fe80::1%25eth0]", "not a host name"),
        ("https://" + "a" * 64 + ".example", "not a host name"),
        ("https://accounts.cloud.databricks.com", "account console"),
        ("https://Accounts.AzureDatabricks.net/", "account console"),
    ],
)
def test_a_wrong_workspace_is_refused_with_the_variable_and_the_reason(bad: object, why: str) -> None:
    with pytest.raises(ValueError, match="coding_agents_workspace_url") as caught:
        normalize_workspace_url(bad)
    assert why in str(caught.value)


def test_the_refusal_of_a_password_does_not_repeat_it() -> None:
    with pytest.raises(ValueError, match="user name") as caught:
        normalize_workspace_url("https://someone:dapi0123456789@dbc.cloud.databricks.com")
    assert "dapi" not in str(caught.value)
    assert "someone" not in str(caught.value)


def test_a_pasted_address_is_answered_with_the_url_to_write() -> None:
    with pytest.raises(ValueError, match=re.escape(f"{WORKSPACE}") + "$"):
        normalize_workspace_url(WORKSPACE + "/sql/editor?o=123")


_LABELS = st.from_regex(r"\A[a-z][a-z0-9]{0,10}\Z")


@given(
    st.lists(_LABELS, min_size=1, max_size=4), st.one_of(st.none(), st.integers(1, 65535)), st.sampled_from(["", "/"])
)
def test_every_host_with_every_port_has_a_normal_form(labels: list[str], port: int | None, slash: str) -> None:
    host = ".".join(labels)
    normal = normalize_workspace_url(f"https://{host}" + (f":{port}" if port else "") + slash)
    parts = urlsplit(normal)
    assert (parts.scheme, parts.hostname, parts.path, parts.query) == ("https", host, "", "")
    assert (parts.port or 443) == (port or 443)
    assert normalize_workspace_url(normal) == normal


@given(st.one_of(st.text(), st.text(alphabet="htps:/@?#[]%.-_ \\\n0aA").map("https://".__add__)))
@example("https://host\\@evil.example")
@example("https://host#@evil.example")
@example("https://[::1]evil.example")
@example("https://[::1]:8443:1")
def test_no_text_slips_through(text: str) -> None:
    """What is accepted has nothing but scheme, host and port, for us as for the standard library."""
    try:
        normal = normalize_workspace_url(text)
    except ValueError as error:
        assert "coding_agents_workspace_url" in str(error)
        return
    parts = urlsplit(normal)
    assert normal == f"https://{parts.netloc}"
    assert parts.username is None
    assert urlsplit(text).hostname == parts.hostname
    assert normal.isascii() and normal.isprintable() and " " not in normal


@pytest.mark.parametrize(
    ("routing", "expected"),
    [
        ("gateway", f"{WORKSPACE}/ai-gateway/anthropic"),
        ("serving_endpoints", f"{WORKSPACE}/serving-endpoints/anthropic"),
        ("gateway_host", "https://6051921418418893.ai-gateway.cloud.databricks.com/anthropic"),
    ],
)
def test_base_urls_of_the_anthropic_dialect(routing: str, expected: str) -> None:
    assert base_url(routing, WORKSPACE + "/", "anthropic", "6051921418418893") == expected


@pytest.mark.parametrize(
    ("dialect", "gateway", "serving_endpoints", "gateway_host"),
    [
        ("responses", "/ai-gateway/codex/v1", "/serving-endpoints/openai/v1", "/openai/v1"),
        ("chat", "/ai-gateway/mlflow/v1", "/serving-endpoints", "/mlflow/v1"),
        ("gemini", "/ai-gateway/gemini", "/serving-endpoints/google", "/gemini"),
    ],
)
def test_base_urls_of_the_other_dialects(dialect: str, gateway: str, serving_endpoints: str, gateway_host: str) -> None:
    assert base_url("gateway", WORKSPACE, dialect) == WORKSPACE + gateway
    assert base_url("serving_endpoints", WORKSPACE, dialect) == WORKSPACE + serving_endpoints
    assert (
        base_url("gateway_host", WORKSPACE, dialect, "7") == f"https://7.ai-gateway.cloud.databricks.com{gateway_host}"
    )


@pytest.mark.parametrize(
    ("dialect", "path"),
    [
        ("anthropic", "/ai-gateway/anthropic/v1"),
        ("gemini", "/ai-gateway/gemini/v1beta"),
        ("responses", "/ai-gateway/codex/v1"),
        ("chat", "/ai-gateway/mlflow/v1"),
    ],
)
def test_clients_that_want_the_version_of_the_api(dialect: str, path: str) -> None:
    assert base_url("gateway", WORKSPACE, dialect, versioned=True) == WORKSPACE + path
    assert base_url("gateway_host", WORKSPACE, "gemini", "7", True).endswith("/gemini/v1beta")


def test_a_dialect_that_a_routing_does_not_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(table._PATHS, "chat", {"gateway": "/ai-gateway/mlflow/v1", "gateway_host": "/mlflow/v1"})
    with pytest.raises(
        ValueError, match=r"is serving_endpoints, .* dialect chat .* Use one of: gateway, gateway_host\."
    ):
        base_url("serving_endpoints", WORKSPACE, "chat")
    assert base_url("gateway", WORKSPACE, "chat") == WORKSPACE + "/ai-gateway/mlflow/v1"


def test_every_dialect_has_a_name_among_api_types() -> None:
    assert tuple(API_TYPES) == DIALECTS and len(set(API_TYPES.values())) == len(DIALECTS)


def test_every_routing_has_every_dialect() -> None:
    for dialect in DIALECTS:
        for routing in ROUTINGS:
            assert base_url(routing, WORKSPACE, dialect, "1").startswith("https://")


def test_the_gateway_host_of_google_cloud() -> None:
    url = base_url("gateway_host", "https://4437281602191762.2.gcp.databricks.com", "anthropic", "4437281602191762")
    assert url == "https://4437281602191762.ai-gateway.gcp.databricks.com/anthropic"


@pytest.mark.parametrize(
    ("routing", "workspace", "workspace_id", "why"),
    [
        ("auto", WORKSPACE, None, "only the preflight can decide"),
        ("turbo", WORKSPACE, None, "Use one of: gateway, serving_endpoints, gateway_host, auto"),
        ("gateway_host", WORKSPACE, None, "coding_agents_workspace_id"),
        ("gateway_host", WORKSPACE, "", "coding_agents_workspace_id"),
        ("gateway_host", WORKSPACE, "12x", "not a workspace id"),
        ("gateway_host", "https://adb-123.4.azuredatabricks.net", "123", "not known for adb-123.4.azuredatabricks.net"),
        ("gateway_host", "https://127.0.0.1:8443", "123", "not known for 127.0.0.1"),
        ("gateway", "http://dbc.cloud.databricks.com", None, "https only"),
    ],
)
def test_a_base_url_that_cannot_be_told_is_refused(
    routing: str, workspace: str, workspace_id: str | None, why: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        base_url(routing, workspace, "anthropic", workspace_id)


def test_base_urls_are_the_operator_s_where_they_name_one() -> None:
    dialects = ("anthropic", "responses")
    own = "https://LLM.example.com:443/x/"
    usual = {one: base_url("gateway", WORKSPACE, one) for one in dialects}
    assert base_urls(dialects, None, "gateway", WORKSPACE) == base_urls(dialects, {}, "gateway", WORKSPACE) == usual
    both = base_urls(dialects, own, "gateway_host", "https://adb-1.2.azuredatabricks.net")
    assert both == dict.fromkeys(dialects, "https://llm.example.com/x"), "where the routing's cannot be told, too"
    one = base_urls(dialects, {"responses": own, "anthropic": ""}, "gateway", WORKSPACE)
    assert one == {**usual, "responses": "https://llm.example.com/x"}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"])
def test_only_what_listens_on_the_host_is_reached_without_tls(host: str) -> None:
    assert normalize_base_url(f"HTTP://{host}:80/v1", "x") == f"http://{host}/v1"
    for other in (
        f"http://{host}.example.com",
        "http://10.0.0.1",
        "http://[::2]",
        "http://1270.0.0.1",
        "http://127.example",
    ):
        with pytest.raises(ValueError, match="x "):
            normalize_base_url(other, "x")


@pytest.mark.parametrize("url", ["https://x.example/v1", "https://x.example", "http://localhost:8080/a/b-c.d~e"])
def test_a_base_url_in_its_one_spelling_stays(url: str) -> None:
    assert normalize_base_url(url, "x") == url == normalize_base_url(f"{url}/", "x")


def test_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(ValueError, match="there are anthropic"):
        base_url("gateway", WORKSPACE, "klingon")


@pytest.mark.parametrize("good", ["fmapi-coding-agents", "a", "A.b_c@d", "9" * 64, "my_"])
def test_good_profile_names(good: str) -> None:
    assert validate_profile(good) == good


@pytest.mark.parametrize(
    "bad",
    [
        "",
        " ",
        "a b",
        "a]",
        "[a",
        "a\nb",
        "a=b",
        "../x",
        ".a",
        "-rf",
        "__settings__",
        "DEFAULT",
        "default",
        "a" * 65,
        "ä",
        7,
        None,
    ],
)
def test_odd_profile_names_are_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="coding_agents_profile"):
        validate_profile(bad)


@pytest.mark.parametrize(("value", "minutes"), [(1, 1), (15, 15), (60, 60), ("5", 5), ("060", 60)])
def test_good_token_lives(value: object, minutes: int) -> None:
    assert validate_ttl_minutes(value) == minutes


@pytest.mark.parametrize("bad", [0, 61, -1, "0", "61", "-5", "ten", "", " 5", "5.0", 5.0, True, None, [15], "15\n"])
def test_bad_token_lives_are_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="coding_agents_token_ttl_minutes"):
        validate_ttl_minutes(bad)


def test_unwise_token_lives_are_named() -> None:
    assert ttl_warning(5) is None
    assert ttl_warning(45) is None
    assert "every 4 min" in (ttl_warning(4) or "")
    assert "can meet an expired one" in (ttl_warning(46) or "")


def test_routings_and_workspace_ids() -> None:
    assert validate_routing("auto") == "auto"
    with pytest.raises(ValueError, match="coding_agents_routing"):
        validate_routing("Gateway")
    assert validate_workspace_id(6051921418418893) == "6051921418418893"
    for bad in (True, -1, "", "1 2", None, 1.5):
        with pytest.raises(ValueError, match="coding_agents_workspace_id"):
            validate_workspace_id(bad)


def test_the_version_stands_once() -> None:
    galaxy = yaml.safe_load((Path(__file__).parents[2] / "galaxy.yml").read_text("utf-8"))
    assert galaxy["version"] == VERSION
