"""What the apps of the browser tests have in common.

A module of its own: with tests of several folders in one process, ``conftest`` is any of theirs.
"""

from __future__ import annotations

#: The beginning of each app under test, and its end.
PROLOGUE = """\
import os, time
import diskcache
from dash import ALL, MATCH, Input, Output, Patch, State, ctx, dcc, html, no_update, set_props
from dash.exceptions import PreventUpdate
from dash_long_callback import (
    Dash, DiskcacheLongCallbackManager, Pacing, Retry, attempt, long_callback)
from in_app import FOLDER, is_open, note, serve, wait_for

cache = diskcache.Cache(str(FOLDER / "cache"))
manager = DiskcacheLongCallbackManager(cache, workers=4, grace=1)
app = Dash(__name__, long_callback_manager=manager, long_callback_pacing=Pacing({pacing}))
page = []
"""
EPILOGUE = """
app.layout = html.Div(page)
if __name__ == "__main__":
    serve(app)
"""
#: For apps in debug mode: no question to Plotly for the newest version, no reload when a developer
#: saves a file meanwhile, and bundles that load in a fraction of the time.
QUIET = {
    "DASH_DISABLE_VERSION_CHECK": "true",
    "DASH_HOT_RELOAD": "false",
    "DASH_SERVE_DEV_BUNDLES": "false",
}
