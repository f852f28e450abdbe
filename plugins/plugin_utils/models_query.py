# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's JMESPath expression over the models that a workspace serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible.module_utils.basic import missing_required_lib

from ..module_utils.errors import OperatorError

try:
    import jmespath
except ImportError:
    jmespath = None

_VARIABLE = "coding_agents_models_query"
_WAY_OUT = "See https://jmespath.org; an example is [?contains(agents, 'codex') && ready]"


class Query(NamedTuple):
    """An expression that can be read, or none."""

    expression: Any = None

    def result(self, models: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """``query_result``, where there is an expression. Raises OperatorError."""
        if self.expression is None:
            return {}
        try:
            return {"query_result": self.expression.search(models)}
        except jmespath.exceptions.JMESPathError as error:
            raise OperatorError(f"cannot be applied to the models: {error}", _VARIABLE, _WAY_OUT) from None


def compiled(text: str | None) -> Query:
    """Raises OperatorError: before the workspace is asked."""
    if not text:
        return Query()
    if jmespath is None:
        raise OperatorError(f"cannot be read: {missing_required_lib('jmespath')}", _VARIABLE)
    try:
        return Query(jmespath.compile(text))
    except jmespath.exceptions.JMESPathError as error:
        said = str(error).splitlines()[0]
        raise OperatorError(f"is no JMESPath expression: {said}", _VARIABLE, _WAY_OUT) from None
