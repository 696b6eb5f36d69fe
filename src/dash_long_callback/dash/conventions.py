"""What the code of a callback is used to, by the decorator that it was declared with.

``long_callback`` has its own ways, and ``background=True`` has Dash's. Where the two differ, what
runs a callback asks these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dash.exceptions import BackgroundCallbackError

from dash_long_callback.dash import internals
from dash_long_callback.dash.options import DASH_KEYWORDS
from dash_long_callback.jobs import CONTEXT


@dataclass(frozen=True)
class Conventions:
    """The ways of a decorator.

    Attributes:
        kind: what its callbacks are called.
        keywords: the arguments that it takes besides the options.
        keeps_progress: whether, without a ``progress_default``, the last progress stays.
        begins_with_default: whether progress has its default before the first job.
        fit_progress: brings what ``set_progress`` is given into the grouping of ``progress``.
        context: which parts of ``dash.ctx`` a function has; None: those that its manager sends.
        tasks: whether Dash's MCP server starts a task, in the place of waiting for the result.
        reported: what the page and ``on_error`` are told of an error, of its message and its
            traceback; None: the error.
    """

    kind: str = "long callback"
    keywords: frozenset[str] = DASH_KEYWORDS
    keeps_progress: bool = False
    begins_with_default: bool = True
    fit_progress: Callable[[Any, Any], Any] = lambda value, _progress: value
    context: frozenset[str] | None = None
    tasks: bool = False
    reported: Callable[[str, str], Exception] | None = None


def _fit_progress(value: Any, progress: list[Any]) -> Any:
    """Dash has a flat list of outputs, takes a value for one, and the first of too many."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return values[: len(progress)]  # pyright: ignore[reportUnknownVariableType]


def _reported(message: str, traceback: str) -> BackgroundCallbackError:
    return BackgroundCallbackError(
        f"An error occurred inside a background callback: {message}\n{traceback}"
    )


LONG_CALLBACK = Conventions()
BACKGROUND = Conventions(
    kind="background callback",
    keywords=DASH_KEYWORDS | internals.PASSED_ON,
    keeps_progress=True,
    begins_with_default=False,
    fit_progress=_fit_progress,
    context=frozenset(CONTEXT),
    tasks=True,
    reported=_reported,
)
