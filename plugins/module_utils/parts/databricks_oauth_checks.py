# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor looks at of the sign-in: the Databricks CLI, the workspace, the token."""

from __future__ import annotations

from collections.abc import Iterator

from ..host_program import profile, session, token_cache, user_sign_in, workspace
from . import fetched
from .examination import AGAIN, FAIL, PASS, ROLL_OUT, SKIP, WARN, Check, Examination, unanswered


def checks(examination: Examination) -> Iterator[Check]:
    """All of them, in the order in which one depends on the other."""
    yield _databricks_cli(examination)
    if examination.config.identity == "pat":
        yield Check(
            "Auth",
            "personal access token",
            WARN,
            "in use: it is long-lived, and whoever copies it can use it",
            "Prefer coding_agents_identity user, service_principal or workload_identity",
        )
    if examination.offline:
        yield Check("Connectivity", examination.config.workspace_url, SKIP, "not tried in check mode")
        yield Check("Auth", "token helper", SKIP, "not tried in check mode")
        return
    reached = _reached(examination)
    yield reached
    if reached.status == FAIL:
        examination.answers = False
        yield Check("Auth", "token helper", SKIP, "the workspace does not answer")
        return
    yield examination.token()[1]
    if examination.token()[0] is not None:
        yield from _renewal(examination)
        yield _known(examination)


def _databricks_cli(examination: Examination) -> Check:
    check, identity = ("Dependencies", "Databricks CLI"), examination.config.identity
    if identity != "user":
        return Check(*check, SKIP, f"identity {identity} does not need it")
    config, environment = examination.config, examination.environment
    if not user_sign_in.clis(config.home, environment):
        way_out = ROLL_OUT if fetched.may_fetch_tools(examination.options) else user_sign_in.INSTALL_CLI
        return Check(*check, FAIL, "is not installed", way_out)
    if examination.offline:
        return Check(*check, PASS, user_sign_in.find_cli(config, environment) or "")
    *passed_over, last = user_sign_in.examined(config, environment)
    others = "; ".join(f"{one.path} {one.problem}" for one in [*passed_over, *([last] if last.problem else [])])
    if last.problem:
        return Check(*check, FAIL, others, user_sign_in.INSTALL_CLI)
    return Check(*check, PASS, f"{last.path} ({last.version})" + (f"; passed over: {others}" if others else ""))


def _reached(examination: Examination) -> Check:
    """DNS, proxy, TLS and HTTP, with no token: what is wrong there is wrong for every identity."""
    what = ("Connectivity", examination.config.workspace_url)
    status, body = examination.get(workspace.OAUTH_METADATA)
    if isinstance(status, str):
        return unanswered(what, status)
    elsewhere = workspace.foreign_endpoint(examination.config.workspace_url, body) if status == 200 else ""
    if elsewhere:
        return Check(*what, FAIL, elsewhere, workspace.FOREIGN_WAY_OUT)
    if status == 200 and "token_endpoint" in body:
        return Check(*what, PASS, "answers")
    if status == 429 or status >= 500:
        return Check(*what, FAIL, f"answers with HTTP {status}", AGAIN)
    return Check(
        *what, FAIL, f"does not answer as a workspace does (HTTP {status})", "Check that the URL is the workspace's own"
    )


def _renewal(examination: Examination) -> Iterator[Check]:
    """Whether the token that lives still could be replaced: else agents stop when it ends. The helper has just tried."""
    failure = token_cache.last_failure(examination.config) if examination.has_person else None
    if failure is not None:
        what, _full_stop, way_out = failure.partition(". ")
        said = f"a token is at hand, but a new one does not come: {what}"
        yield Check("Auth", "token refresh", WARN, said, way_out or AGAIN)


def _known(examination: Examination) -> Check:
    """Whether the workspace takes the token."""
    what = ("Auth", "identity")
    status, _body = examination.get(session.WHO_AM_I, examination.token()[0] or "")
    examination.answers = status == 200
    if status == 200:
        return Check(*what, PASS, "the workspace knows it")
    if isinstance(status, str):
        return unanswered(what, status)
    if status in (401, 403):
        way_out = (
            profile.new_token_hint(examination.config)
            if examination.config.identity == "pat"
            else "Run the doctor again: the helper has replaced a token that was revoked. If it stays, give the identity the "
            "entitlement Workspace access or Consumer access"
        )
        return Check(*what, FAIL, f"the workspace refuses the token (HTTP {status})", way_out)
    return Check(*what, FAIL, f"the workspace answers with HTTP {status}", AGAIN)
