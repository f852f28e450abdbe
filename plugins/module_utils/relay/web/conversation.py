# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of one exchange: the request as it was sent, what its server tools may do, and what each round gave."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .backends import Web
from .found import INVALID
from .history import rewritten, server_id
from .rounds import MOST_INPUT, Round, total
from .tools import FETCH, SEARCH, Offer, failed, offer_of, ordinary, run

MOST_ROUNDS = 5
"""How often the model is asked again for one answer."""


class Conversation:
    def __init__(self, web: Web) -> None:
        self._web = web
        self._body: dict[str, Any] = {}
        self._uses = {SEARCH: 0, FETCH: 0}
        self._rounds: list[Round] = []
        self.offers: dict[str, Offer] = {}

    def open(self, told: Mapping[str, Any]) -> bytes | None:
        """The request as a gateway takes it; None where it takes it as it is."""
        tools, messages = told.get("tools"), told.get("messages")
        self._body = dict(told)
        if isinstance(tools, list):
            self._body["tools"] = [self._rewritten_tool(tool) for tool in tools]
        if isinstance(messages, list):
            self._body["messages"] = rewritten(messages, self.offers, self._web.memory)
        is_as_it_was = not self.offers and self._body.get("messages") is messages
        return None if is_as_it_was else json.dumps(self._body).encode()

    def offer(self, block: Mapping[str, Any]) -> Offer | None:
        """The server tool that a block calls; None for any other block."""
        return self.offers.get(str(block.get("name"))) if block.get("type") == "tool_use" else None

    def next_round(self) -> Round:
        self._rounds.append(Round())
        return self._rounds[-1]

    async def call(self, offer: Offer, block: Mapping[str, Any], given: Any, current: Round) -> dict[str, Any]:
        """Do what the model asked for, and return the result block. The model gets it with the next round."""
        if given is None:
            outcome = failed(
                offer.name, INVALID, f"the input is no JSON object, or has more than {MOST_INPUT} characters"
            )
        else:
            outcome = await run(self._web, offer, given, self._uses[offer.name], self._context())
        self._uses[offer.name] += 1
        call = str(block.get("id"))
        told = {"type": "tool_result", "tool_use_id": call, "content": outcome.text}
        current.results.append({**told, "is_error": True} if outcome.is_error else told)
        self._web.memory.keep(server_id(call), outcome.text)
        return {"type": f"{offer.name}_tool_result", "tool_use_id": server_id(call), "content": outcome.content}

    @property
    def has_called(self) -> bool:
        return any(self._uses.values())

    def is_unfinished(self, reason: object, current: Round) -> bool:
        """Whether the model waits for nothing but what we have, and may be asked once more."""
        waits = reason == "tool_use" and bool(current.results) and not current.calls_of_others
        return waits and len(self._rounds) <= MOST_ROUNDS

    def next_body(self, current: Round) -> bytes:
        """The request that gives the model what it asked for."""
        turn = [{"role": "assistant", "content": current.said()}, {"role": "user", "content": current.results}]
        self._body["messages"] = [*self._body.get("messages", ()), *turn]
        choice = self._body.get("tool_choice")
        if isinstance(choice, Mapping) and choice.get("type") in ("tool", "any"):
            # It has done what it was made to do: made to do it again, it would never come to an end.
            kept = {name: value for name, value in choice.items() if name == "disable_parallel_tool_use"}
            self._body["tool_choice"] = {"type": "auto", **kept}
        return json.dumps(self._body).encode()

    def usage(self, last: object) -> dict[str, Any]:
        """What all rounds cost, where ``last`` is what the last one was told to cost."""
        counts = {"web_search_requests": self._uses[SEARCH], "web_fetch_requests": self._uses[FETCH]}
        return {**total(self._rounds, last if isinstance(last, Mapping) else {}), "server_tool_use": counts}

    def reason(self, told: object, is_ours: bool) -> object:
        """Why the answer ends. A call of ours is done: nobody has to do it."""
        return "end_turn" if told == "tool_use" and is_ours and self.has_called else told

    def _rewritten_tool(self, tool: Any) -> Any:
        offer = offer_of(tool)
        if offer is None:
            return tool
        self.offers[offer.name] = offer
        return ordinary(offer, tool)

    def _context(self) -> str:
        """All that a URL may stand in: what people and tools have said. What the model itself said does not count."""
        said = [one for one in self._body.get("messages", ()) if isinstance(one, Mapping) and one.get("role") == "user"]
        results = [result for one in self._rounds for result in one.results]
        return json.dumps([self._body.get("system"), said, results], ensure_ascii=False)
