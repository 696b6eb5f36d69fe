"""For the builder of the docs: shows the options of a callback as the parameters that they are.

The source says ``**kwargs: Unpack[...]``; the function itself knows names, types and defaults.
"""

from __future__ import annotations

import ast
import inspect
from typing import Any

import griffe

import dash_long_callback

#: Of the function, and of the method of ``Dash``.
NAME = "long_callback"


class Options(griffe.Extension):
    """Has the signature of ``long_callback`` read from the function, and not from its source."""

    def on_function_instance(self, *, func: griffe.Function, **_: Any) -> None:
        """Change one function of those that were read."""
        if func.name != NAME or not any("Unpack" in str(p.annotation) for p in func.parameters):
            return
        method = func.parent is not None and func.parent.is_class
        owner = dash_long_callback.Dash if method else dash_long_callback
        known = {one.name for one in func.parameters}
        options = [
            griffe.Parameter(
                one.name,
                annotation=griffe.safe_get_annotation(_expression(one.annotation), func.parent),
                kind=griffe.ParameterKind.keyword_only,
                default=repr(one.default),
            )
            for one in inspect.signature(getattr(owner, NAME)).parameters.values()
            if one.name not in known
        ]
        *positional, rest = func.parameters
        rest.annotation = "Any"
        func.parameters = griffe.Parameters(*positional, *options, rest)


def _expression(annotation: str) -> ast.AST:
    return ast.parse(annotation, mode="eval").body
