# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The address guard: what nothing may be fetched from, however it is written and whenever a name leads there."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Sequence

import pytest
import trustme
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.asking import Asking
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.fetch import Fetching
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.found import WebError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.guard import Guard, is_refused, networks

from tests.unit.relay_web.web_site import Reply, Site, web_site

REFUSED = {
    "loopback": ("127.0.0.1", "127.255.255.254", "::1"),
    "this host": ("0.0.0.0", "0.1.2.3", "::"),
    "private": ("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    "carrier": ("100.64.0.1", "100.100.100.200"),
    "link-local and metadata": (
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fd00:ec2::254",
        "168.63.129.16",
        "192.0.0.192",
    ),
    "unique local": ("fc00::1", "fdff::1"),
    "multicast": ("224.0.0.1", "239.255.255.255", "ff02::1"),
    "reserved": (
        "240.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "2001:db8::1",
        "3fff::1",
    ),
    "IPv4 in IPv6": (
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
    ),
    "6to4 and Teredo": ("2002:7f00:1::1", "2002:808:808::1", "2001::1", "192.88.99.1"),
    "site-local": ("fec0::1",),
}
PUBLIC = (
    "8.8.8.8",
    "1.1.1.1",
    "172.15.255.255",
    "172.32.0.1",
    "100.63.255.255",
    "2606:4700::1111",
    "2a00:1450::1",
    "64:ff9b::808:808",
)


@pytest.mark.parametrize("kind", REFUSED)
def test_addresses_that_are_not_public_are_refused(kind: str) -> None:
    assert [one for one in REFUSED[kind] if not is_refused(ipaddress.ip_address(one), ())] == []


def test_public_addresses_are_not() -> None:
    assert [one for one in PUBLIC if is_refused(ipaddress.ip_address(one), ())] == []


def test_the_operators_networks_are_let_through_and_no_other() -> None:
    allowed = networks(["10.1.0.0/16", "fd12::/16"])
    assert not is_refused(ipaddress.ip_address("10.1.2.3"), allowed)
    assert not is_refused(ipaddress.ip_address("fd12::5"), allowed)
    assert is_refused(ipaddress.ip_address("10.2.0.1"), allowed)
    assert is_refused(ipaddress.ip_address("127.0.0.1"), allowed)


def _fetched(url: str, guard: Guard, tls: ssl.SSLContext | None = None) -> str:
    asking = Asking(tls or ssl.create_default_context(), guard)
    return asyncio.run(Fetching(asking, 10_000).fetch(url)).text


def _refusal(url: str, guard: Guard) -> str:
    with pytest.raises(WebError) as caught:
        _fetched(url, guard)
    return caught.value.code


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "\uff11\uff12\uff17.0.0.1",
        "127.0.0.1.",
    ],
)
def test_loopback_is_refused_however_it_is_written(site: Site, host: str) -> None:
    site.pages["/"] = Reply(b"secret")
    assert _refusal(site.url(host=host), Guard()) in ("url_not_allowed", "url_not_accessible")
    assert site.asked == []


@pytest.mark.parametrize("host", ["2130706433", "0177.0.0.1", "127.1"])
def test_a_number_that_the_system_takes_for_an_address_is_judged_as_that_address(site: Site, host: str) -> None:
    assert _refusal(site.url(host=host), Guard()) == "url_not_allowed"


def test_a_name_with_one_bad_address_among_good_ones_is_refused(site: Site) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["8.8.8.8", "10.0.0.1"]

    assert _refusal(site.url(host="mixed.example"), Guard((), resolve)) == "url_not_allowed"


def test_a_name_that_leads_elsewhere_the_second_time_is_connected_to_where_it_led_when_it_was_judged(
    site: Site,
) -> None:
    """DNS rebinding: each connection goes to an address that was judged, and a later answer is judged anew."""
    site.pages["/"] = Reply(b"<p>page</p>")
    answers = [["127.0.0.1"], ["127.0.0.1"], ["169.254.169.254"]]
    asked = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    guard = Guard(["127.0.0.0/8"], resolve)
    assert _fetched(site.url(host="rebinding.example"), guard) == "page"
    assert asked == ["rebinding.example"] * 2, "one look-up for each connection: robots.txt, and the page"
    assert site.asked[-1].headers["host"] == f"rebinding.example:{site.port}"
    assert _refusal(site.url(host="rebinding.example"), guard) == "url_not_allowed"


@pytest.mark.parametrize(
    "where", ["http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/", "//[::1]/", "http://167772161/"]
)
def test_a_redirect_is_judged_as_the_first_address_was(site: Site, where: str) -> None:
    site.pages["/"] = Reply(status=302, headers={"Location": where})
    assert _refusal(site.url(), Guard(["127.0.0.1/32"])) == "url_not_allowed"
    assert site.paths() == ["/robots.txt", "/"]


def test_a_robots_txt_is_no_way_around_it(site: Site) -> None:
    site.pages["/robots.txt"] = Reply(status=302, headers={"Location": "http://10.0.0.1/robots.txt"})
    site.pages["/"] = Reply(b"page")
    assert _refusal(site.url(), Guard(["127.0.0.0/8"])) == "url_not_allowed"
    assert site.paths() == ["/robots.txt"]


def test_tls_is_judged_by_the_name_though_the_connection_goes_to_an_address() -> None:
    authority, other = trustme.CA(), trustme.CA()

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("good.example").configure_cert(server)
    trusting, wary = ssl.create_default_context(), ssl.create_default_context()
    authority.configure_trust(trusting)
    other.configure_trust(wary)
    guard = Guard(["127.0.0.0/8"], resolve)
    with web_site(server) as site:
        site.pages["/"] = Reply(b"<p>page</p>")
        assert _fetched(site.url(host="good.example"), guard, trusting) == "page"
        for host, tls in (("bad.example", trusting), ("good.example", wary)):
            with pytest.raises(WebError) as caught:
                _fetched(site.url(host=host), guard, tls)
            assert caught.value.code == "url_not_accessible"


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://site.example/",
        "gopher://site.example/",
        "http://",
        "https://user:word@site.example/",
        "site.example",
        "http://a\\@b/",
        "http://[::1",
        "http://site.example:99999/",
        "javascript:1",
    ],
)
def test_what_is_no_url_of_a_page_is_refused_before_anybody_is_asked(url: str) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise AssertionError(host)

    assert _refusal(url, Guard((), resolve)) == "url_not_allowed"


def test_through_a_proxy_what_this_host_knows_of_a_name_is_judged(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", site.url())

    async def resolve(host: str, port: int) -> Sequence[str]:
        if host == "unknown.example":
            raise OSError
        return ["10.0.0.1"]

    assert _refusal("http://inner.example/", Guard((), resolve)) == "url_not_allowed"
    assert site.asked == []
    site.pages["http://unknown.example/"] = Reply(b"<p>by proxy</p>")
    assert _fetched("http://unknown.example/", Guard((), resolve)) == "by proxy"
