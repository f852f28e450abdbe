# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON config file of the set-up script that came before this collection, as variables. Control node only."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import ssl
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from ..module_utils import careful, web
from ..module_utils.errors import OperatorError
from ..module_utils.options.judge import CONFIG_KEYS, problems_of
from .variables_file import is_template

_LARGEST = 64 * 1024
"""Bytes. Such a file has a dozen short lines."""

_WHOLE_SECONDS = 30
_VERSION = 1


def from_file(path: str) -> dict[str, Any]:
    """The variables (names without the prefix) of a file on the control node. Raises OperatorError."""
    try:
        with os.fdopen(careful.open_regular(path), "rb") as stream:
            content = stream.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        raise OperatorError(
            f"cannot be read ({getattr(error, 'strerror', None) or error})",
            f"coding_agents_config {path}",
            "Name a file on the control node, absolute or from where ansible-playbook is started",
        ) from None
    return variables(content, path)


def from_url(url: str, sha256: str | None = None) -> dict[str, Any]:
    """The variables of a file on a web server. Raises OperatorError, which never repeats a query: it may be a signature."""
    content = _fetch(url)
    where = _shown(url)
    if sha256 and hashlib.sha256(content).hexdigest() != sha256.lower():
        raise OperatorError(
            f"has the SHA-256 {hashlib.sha256(content).hexdigest()}, not coding_agents_config_sha256",
            where,
            "Read what changed there, then correct the variable",
        )
    return variables(content, where)


def variables(content: bytes, where: str) -> dict[str, Any]:
    """The variables that a config file's bytes set; ``where`` names it in messages. Raises OperatorError."""
    if len(content) > _LARGEST:
        raise OperatorError(f"is larger than {_LARGEST // 1024} KiB", where, "Name the right file")
    given = _object(content, where)
    version = given.pop("version", _VERSION)
    if isinstance(version, bool) or str(version) != str(_VERSION):
        raise OperatorError(f"has version {version!r}", where, f"Version {_VERSION} is the one that there is")
    strange = [key for key in given if key not in CONFIG_KEYS]
    if strange:
        raise OperatorError("; ".join(map(_unknown, strange)), where, f"Use only: version, {', '.join(CONFIG_KEYS)}")
    found: dict[str, Any] = {}
    wrong = []
    for key, value in given.items():
        if value is None or value == "":  # as in the script: as if it were not there
            continue
        if is_template(value):
            wrong.append(f"{key} holds a template. Templates are not read from this file: they could run programs here")
            continue
        if key == "ai_gateway":
            if not isinstance(value, bool):
                wrong.append(f"{key} is {value!r}. Use true or false")
                continue
            value = "gateway_host" if value else "serving_endpoints"
        elif key == "settings_location" and value == "cwd":
            wrong.append("settings_location is cwd, which means nothing on a host. Use home or an absolute path")
            continue
        name, *within = CONFIG_KEYS[key].split(".")
        judged = value
        for part in reversed(within):
            judged = {part: judged}
        wrong += [f"{key}: {problem.rstrip('.')}" for problem in problems_of(name, judged)]
        found[name] = _joined(found.get(name, {}), judged) if within else value
    if wrong:
        raise OperatorError(". ".join(wrong), where, "Correct the file")
    return found


def _joined(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Both dictionaries as one, at every level."""
    both = {
        key: _joined(one[key], value) if isinstance(value, dict) and key in one else value
        for key, value in other.items()
    }
    return {**one, **both}


def _object(content: bytes, where: str) -> dict[str, Any]:
    """The file's one object. Raises OperatorError with line and column."""
    way_out = "Correct the file"
    try:
        given = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_each_once)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise OperatorError(f"is not UTF-8 (line {line})", where, way_out) from None
    except json.JSONDecodeError as error:
        said = f"is not JSON (line {error.lineno}, column {error.colno}: {error.msg})"
        raise OperatorError(said, where, way_out) from None
    except RecursionError:
        raise OperatorError("is nested too deeply", where, way_out) from None
    except ValueError as error:
        raise OperatorError(str(error), where, way_out) from None
    if not isinstance(given, dict):
        raise OperatorError("holds no JSON object", where, 'Write {"host": "https://..."}')
    return given


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"names {key} twice")
        found[key] = value
    return found


def _unknown(key: str) -> str:
    near = difflib.get_close_matches(key, CONFIG_KEYS, 1)
    return f"{key} is no key of a config file" + (f" (did you mean {near[0]}?)" if near else "")


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows to the same host only: another one was not named by the operator."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if (new.scheme, new.netloc.lower()) != (old.scheme, old.netloc.lower()):
            fp.close()
            target = careful.line(f"{new.scheme}://{new.hostname}", 100)
            raise OperatorError(f"redirects to {target}", _shown(req.full_url), "Name the address that it leads to")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch(url: str) -> bytes:
    try:
        parts = urlsplit(url)
        where = _shown(url)
    except ValueError:
        raise OperatorError("is no URL", "coding_agents_config_url", "Copy it again") from None
    if parts.scheme.lower() != "https" or not parts.hostname:
        raise OperatorError("is no https URL", where, "Write https:// in front")
    if parts.username is not None or parts.password is not None:
        raise OperatorError(
            "holds a user name or a password", where, "Fetch the file yourself and use coding_agents_config"
        )
    # Proxies come from the environment, certificate authorities from the system or SSL_CERT_FILE.
    tls = ssl.create_default_context()
    try:
        request = urllib.request.Request(url, headers={"Accept": "application/json"})
        reply = web.ask(request, _WHOLE_SECONDS, _LARGEST, tls, _SameHost())
    except (OSError, web.NoHttp, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, TimeoutError):
            reason = f"not complete after {_WHOLE_SECONDS} s"
        said = careful.line(reason)
        raise OperatorError(f"cannot be fetched ({said})", where, "Check the address and the proxy") from None
    if reply.status != 200:
        raise OperatorError(f"answers HTTP {reply.status}", where, "Check the address")
    if reply.body is None:
        raise OperatorError("cannot be fetched (its answer breaks off)", where, "Try again")
    return reply.body


def _shown(url: str) -> str:
    """A URL without what may be a secret in it."""
    parts = urlsplit(url)
    port = f":{parts.netloc.rpartition(':')[2]}" if parts.netloc.rpartition(":")[2].isdigit() else ""
    return f"coding_agents_config_url {parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def absolute(path: str) -> str:
    """Where a file is that the operator named: from the directory where ``ansible-playbook`` was started, as with ``-e @FILE``."""
    return os.path.abspath(os.path.expanduser(path))
