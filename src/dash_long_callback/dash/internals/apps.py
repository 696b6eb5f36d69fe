"""An app: its server, its settings, and whether it is the one that ``dash.get_app`` gives."""

# Dash does not declare types for what it does not document.
# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false
# ruff: noqa: SLF001

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dash

# Where `dash.get_app` looks, and `dash.get_asset_url` and its like: the app that is made sets both.
from dash import _get_app, _get_paths

# What the dev tools show of an error is made by it.
from werkzeug.debug import tbtools

if TYPE_CHECKING:
    from dash_long_callback.dash.internals.registration import Registration

#: The ids of components of an app with pages: what shows the page, and what has its path.
PAGE_CONTENT, PAGE_LOCATION = "_pages_content", "_pages_location"


#: The class of all apps. ``compat`` puts another one in its place, and there may be apps by then.
App = dash.Dash


def app_of(registration: Registration) -> dash.Dash | None:
    """The callback's app; without its own the one that was made last, if there is one."""
    if registration.app is not None:
        return registration.app
    try:
        return dash.get_app()
    except Exception:
        return None


def provide_app(app: dash.Dash | None) -> None:
    """Let ``dash.get_app``, ``dash.get_asset_url`` and their like work where no app was made."""
    if app is None:
        return
    if _get_app.APP is None:
        _get_app.APP = app
    if not _get_paths.CONFIG:
        _get_paths.CONFIG.update(app.config)


def app_error_handler(registration: Registration) -> Callable[[Exception], Any] | None:
    """The ``on_error`` of the callback's app, if there is an app and it has one."""
    return getattr(app_of(registration), "_on_error", None)


def background_manager(app: dash.Dash) -> Any:
    """What the app was given as ``background_callback_manager``."""
    return getattr(app, "_background_manager", None)


def has_started(app: dash.Dash) -> bool:
    """Whether an app has got its first request, and taken over what was declared without one."""
    return bool(getattr(app, "_got_first_request", {}).get("setup_server"))


def shows_errors(app: dash.Dash) -> bool:
    """Whether the app's dev tools are on, as ``debug`` or ``dev_tools_ui`` says.

    Then its pages show errors to who develops it. Dash itself has no other mark that stays.
    """
    # Environment variables other than "true" and "false" come as they are: "0" must not count.
    return getattr(getattr(app, "_dev_tools", None), "ui", False) is True


def backend_of(app: dash.Dash) -> str:
    """``"flask"``, ``"fastapi"`` or ``"quart"``: the kind of server that the app runs on."""
    # Before Dash 4.1 there was Flask only.
    return str(getattr(getattr(app, "backend", None), "server_type", "flask"))


def add_route(
    app: dash.Dash, name: str, view: Callable[..., Any], methods: Sequence[str] = ("POST",)
) -> None:
    """Add a route below the app's prefix, on whichever server the app runs."""
    app._add_url(name, view, tuple(methods))


#: Where the request is that a FastAPI app answers. It is there if an app has that server.
_FASTAPI = "dash.backends._fastapi"


@contextmanager
def fastapi_request(request: Any) -> Generator[None]:
    """Have Dash know the request that a FastAPI app answers: it looks at its own paths only."""
    module: Any = sys.modules[_FASTAPI]
    token = module.set_current_request(request)
    try:
        yield
    finally:
        module.reset_current_request(token)


def error_page(error: Exception) -> str:
    """The page that the dev tools show of an error that a server has raised."""
    return str(tbtools.DebugTraceback(error).render_debugger_html(False, "", False))


def stop_serving(app: dash.Dash, paths: Collection[str]) -> None:
    """Serve scripts and styles of this package no more, if they were appended."""
    for appended in (app.scripts, app.css):
        listed = appended._resources._resources
        listed[:] = [one for one in listed if one.get("relative_package_path") not in paths]


async def fastapi_body(request: Any, limit: int) -> bytes:
    """The body of a request to a FastAPI app, cut at ``limit`` bytes."""
    is_json = request.headers.get("content-type", "").startswith("application/json")
    if is_json and hasattr(request.state, "json_body"):
        # Dash's middleware has read it, and keeps what it parsed: None if that is not JSON.
        parsed = request.state.json_body
        try:
            return b"" if parsed is None else json.dumps(parsed).encode()[:limit]
        except RecursionError:  # nested so deeply that it could just be read
            return b""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) >= limit:
            break
    return bytes(body[:limit])
