"""The routes that this package adds to an app, on whichever server the app runs."""

from __future__ import annotations

from collections.abc import Sequence

import dash

from dash_long_callback.dash import internals
from dash_long_callback.server import cancel, leave, updates
from dash_long_callback.server.backends import VIEWS
from dash_long_callback.server.responder import Responder
from dash_long_callback.server.route import Route

#: Each is declared at the end of its own file.
ROUTES = (updates.ROUTE, cancel.ROUTE, leave.ROUTE)


def add_routes(app: dash.Dash, routes: Sequence[Route] = ROUTES) -> None:
    """Add routes to an app."""
    view_of = VIEWS[internals.backend_of(app)]
    for route in routes:
        internals.add_route(app, route.path, view_of(Responder(app, route)))
