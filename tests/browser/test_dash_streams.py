"""Callbacks that Dash streams itself, since 4.5, beside long callbacks that yield."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import pytest
from apps import Server
from page import Page

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("dash._streaming") is None,
    reason="Dash streams callbacks of its own since 4.5",
)

APP = """
import asyncio, os
import diskcache
from dash import Input, Output, html
from dash_long_callback import Dash, DiskcacheLongCallbackManager
from in_app import is_open, wait_for

manager = DiskcacheLongCallbackManager(diskcache.Cache(os.environ["FOLDER"] + "/cache"), workers=2)
app = Dash(__name__, backend="fastapi", long_callback_manager=manager)
server = app.server
app.layout = html.Div([
    html.Button("Run", id="run"),
    html.P(id="long"), html.P(id="streamed"), html.P(id="after-long"), html.P(id="after-stream"),
    html.Button("Count", id="count"), html.P(id="counted")])

@app.long_callback(Output("long", "children"), Input("run", "n_clicks"), prevent_initial_call=True)
def work(n_clicks):
    for step in range(2):
        yield f"long {step}"
        wait_for(f"long-{step}")
    yield "long done"

@app.callback(Output("streamed", "children"), Input("run", "n_clicks"), prevent_initial_call=True)
async def stream(n_clicks):
    for step in range(2):
        yield f"stream {step}"
        while not is_open(f"stream-{step}"):
            await asyncio.sleep(0.01)
    yield "stream done"

# Each is called by what the other has shown.
@app.callback(Output("after-long", "children"), Input("long", "children"),
              prevent_initial_call=True)
async def follow(text):
    yield f"streamed after {text}"

@app.long_callback(Output("after-stream", "children"), Input("streamed", "children"),
                   on_retrigger="latest", prevent_initial_call=True)
async def work_after(text):
    yield f"ran after {text}"

@app.callback(Output("counted", "children"), Input("count", "n_clicks"), prevent_initial_call=True)
def count(n_clicks):
    return f"{n_clicks}"
"""


def test_a_streamed_callback_of_dash_and_a_long_one_that_yields_run_side_by_side(
    serve: Callable[..., Server], blank: Page
) -> None:
    uvicorn = ("-m", "uvicorn", "app:server", "--port", "{port}", "--no-access-log")
    server = serve(APP, command=uvicorn)
    page = blank
    page.open(server.url)
    page.click("#run")
    for step in range(2):
        page.wait_text("#long", f"long {step}")
        page.wait_text("#streamed", f"stream {step}")
        page.click("#count")
        page.wait_text("#counted", f"{step + 1}")
        # One goes on while the other waits.
        server.open_gate(f"long-{step}" if step else f"stream-{step}")
        page.wait_text("#long" if step else "#streamed", "long done" if step else "stream 1")
        server.open_gate(f"stream-{step}" if step else f"long-{step}")
    page.wait_text("#streamed", "stream done")
    page.wait_text("#after-long", "streamed after long done")
    page.wait_text("#after-stream", "ran after stream done")
    page.wait_idle()
    # A reload finds the long callback again; what Dash streams ends with its page.
    for gate in ("long-0", "long-1", "stream-0", "stream-1"):
        server.close_gate(gate)
    page.click("#run")
    page.wait_text("#long", "long 0")
    page.wait_text("#streamed", "stream 0")
    page.reload()
    page.wait_text("#long", "long 0")
    server.open_gate("long-0")
    server.open_gate("long-1")
    page.wait_text("#long", "long done")
    assert page.text("#streamed") == ""
    page.wait_idle()
