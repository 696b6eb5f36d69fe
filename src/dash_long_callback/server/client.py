"""Who sends a request: what the server knows of a client beside the request itself."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import dash

from dash_long_callback.dash import internals
from dash_long_callback.server.owner import nobody, owner_of


@dataclass(frozen=True)
class Client:
    """Who sends a request.

    Attributes:
        owner: finds out the owner of the request; jobs of others are unknown to it.
        details: whether the page may know what the exceptions of jobs that failed say.
    """

    owner: Callable[[], str | None] = nobody
    details: bool = False


def client_of(app: dash.Dash) -> Client:
    """The client of a request to an app. Its owner is found out when it is asked for."""
    return Client(functools.partial(owner_of, app), internals.shows_errors(app))


#: Nobody who could be told apart, and who may know no details.
ANYBODY = Client()
