"""A component of each page by which ordinary callbacks tell our browser client of jobs.

The renderer takes what ``set_props`` sets in an ordinary callback to a component, and to nothing
else: it reports an error if the component is not there. So there is one, which shows nothing.

Each message is a property of its own. Two answers may come at once, and a property that is set
twice before somebody looks has the second value only.
"""

from __future__ import annotations

from typing import Any

import dash
from dash import dcc

from dash_long_callback.dash.callbacks import registry
from dash_long_callback.jobs import new_job_id

#: The id of the component; ``browser/attached.js`` has the same.
CHANNEL = "_dash-long-callback-attached"


def listen() -> None:
    """Have Dash add the component to layouts that are served from now on."""
    dash.hooks.layout()(_with_channel)


def tell(message: dict[str, Any]) -> None:
    """Tell the page that has called the callback which runs."""
    dash.set_props(CHANNEL, {f"told-{new_job_id()}": message})


def _with_channel(layout: Any) -> Any:
    if layout is None or not registry.all():
        return layout
    parts = list(layout) if isinstance(layout, (list, tuple)) else [layout]
    return [*parts, dcc.Store(id=CHANNEL)]
