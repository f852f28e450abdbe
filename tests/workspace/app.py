# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""The application: all routes behind the gate."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from . import admin, anthropic, api, chat, conversation, gemini, oauth, responses
from .errors import ApiError, OAuthError, api_error_handler, no_such_path
from .gate import Gate
from .state import State


def build(state: State) -> Starlette:
    """The ASGI application of one workspace."""
    app = Starlette(
        routes=[
            *oauth.routes,
            *api.routes,
            *anthropic.routes,
            *responses.routes,
            *chat.routes,
            *gemini.routes,
            *conversation.routes,
            Mount("/_test", app=admin.build(state)),
        ],
        middleware=[Middleware(Gate, state=state)],
        exception_handlers={ApiError: api_error_handler, OAuthError: api_error_handler, 404: no_such_path},
    )
    # An address with a slash too many is another address, not a redirect: a redirect would hide it from the log.
    app.router.redirect_slashes = False
    app.state.workspace = state
    return app
