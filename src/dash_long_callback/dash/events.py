"""Properties that are not what a component shows, but what is to happen: each value counts.

Of a bar's ``value`` only the latest matters. Of a graph's ``extendData`` each matters, as does each
file of a ``dcc.Download``. Such a value is an *event*: it is delivered in order, and once.
"""

from __future__ import annotations

from typing import Any

import dash

from dash_long_callback.dash.grouping import NoUpdate
from dash_long_callback.worker.updates import Kind

#: Properties that are events, whichever component has them: of ``dcc.Graph`` and dash-ag-grid, then
#: of dash-mantine-components, dash-ag-grid and dash-cytoscape. Of others, ``Event`` says it.
PROPERTIES = {
    "extendData": Kind.STEP,
    "prependData": Kind.STEP,
    "rowTransaction": Kind.STEP,
    "sendNotifications": Kind.ONCE,
    "hideNotifications": Kind.ONCE,
    "exportDataAsCsv": Kind.ONCE,
    "generateImage": Kind.ONCE,
}


class Event:
    """A value that is to reach its component even if another follows at once, in order, and once.

    It holds without it for ``extendData``, ``prependData``, ``rowTransaction``,
    ``sendNotifications``, ``hideNotifications``, ``exportDataAsCsv``, ``generateImage`` and the
    files of ``dcc.Download``. Of all other properties the page gets the latest value, and may miss
    those before it.

    It can stand for a value in ``set_progress``, ``set_props``, ``yield`` and ``return``.

    Args:
        value: what the property gets.
        replay: whether a component that is new on the page gets it again, while the job runs: after
            a reload, or when the user comes back. For what adds to what is shown, such as points.

    Raises:
        TypeError: if the value is a ``Patch`` or ``no_update``.

    Examples:
        >>> set_props("speaker", {"say": Event("Half of it is done.")})
        >>> set_progress(Event({"x": 1, "y": 2}, replay=True))
    """

    def __init__(self, value: Any, *, replay: bool = False) -> None:
        if isinstance(value, (dash.Patch, NoUpdate, Event)):
            raise TypeError(f"an Event takes a value, got {type(value).__name__}")
        self.value = value
        self.replay = replay

    def __repr__(self) -> str:
        return f"Event({self.value!r}{', replay=True' if self.replay else ''})"

    def to_plotly_json(self) -> Any:
        """The value: what Dash sends if this is returned."""
        return self.value


def kind_of(prop: str, value: Any) -> Kind:
    """What a value of this property is."""
    if isinstance(value, dash.Patch):
        return Kind.PATCH
    if isinstance(value, Event):
        return Kind.STEP if value.replay else Kind.ONCE
    if prop == "data" and _is_file(value):
        return Kind.FILE
    return PROPERTIES.get(prop, Kind.VALUE)


def _is_file(value: Any) -> bool:
    """Whether a value is one for ``dcc.Download``: a worker does not know the component."""
    return isinstance(value, dict) and {"content", "filename"} <= value.keys() <= _FILE


_FILE = {"content", "filename", "base64", "type"}
