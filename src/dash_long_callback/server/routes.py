"""The routes that this package adds to an app, on whichever server the app runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import dash

from dash_long_callback.dash import internals
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.managers.base import Manager
from dash_long_callback.server import cancel, leave, updates
from dash_long_callback.server.backends import VIEWS
from dash_long_callback.server.responder import Responder
from dash_long_callback.server.route import Route

#: Each is declared at the end of its own file.
ROUTES = (updates.ROUTE, cancel.ROUTE, leave.ROUTE)


def add_routes(
    app: dash.Dash, app_manager: Callable[[], Manager], routes: Sequence[Route] = ROUTES
) -> None:
    """Add routes to an app. ``app_manager`` returns the manager of the app."""

    def managers() -> list[Manager]:
        found = [app_manager(), *(c.options.manager for c in registry.all())]
        return [m for m in dict.fromkeys(found) if m is not None]

    view_of = VIEWS[internals.backend_of(app)]
    for route in routes:
        view = view_of(Responder(app, route, managers))
        internals.add_route(app, route.path, view, (route.method,))
