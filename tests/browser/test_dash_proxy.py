"""``plug(DashProxy(...))``: long callbacks go through the transforms of dash-extensions.

All transforms at once: what each does to an option is seen in the result of one callback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from apps import Server
from indicators import wait_gone, wait_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from page import Page

keep_page = True

SOURCE = """
import threading, time
import diskcache
from dash_extensions.enrich import (
    ALL, MATCH, BlockingCallbackTransform, CycleBreakerInput, CycleBreakerTransform, DashProxy,
    FileSystemBackend, Input, LoadingTransform, MultiplexerTransform, Output,
    PrefixIdTransform, Serverside, ServersideOutputTransform, State, Trigger, TriggerTransform,
    callback, ctx, dcc, html, set_props,
)
from dash_long_callback import DiskcacheLongCallbackManager, long_callback, plug
from in_app import FOLDER, note, serve, wait_for

cache = diskcache.Cache(str(FOLDER / "cache"))
backend = FileSystemBackend(str(FOLDER / "objects"))
app = plug(DashProxy(__name__, transforms=[
    TriggerTransform(), MultiplexerTransform(), CycleBreakerTransform(), LoadingTransform(),
    BlockingCallbackTransform(), ServersideOutputTransform([backend]),
    PrefixIdTransform("p"),
]), DiskcacheLongCallbackManager(cache, workers=2, grace=1))
LOCK = threading.Lock()  # can't be pickled: whoever reads it is imported by the worker
WHITE = {"color": "white"}

def row(n):
    return html.Div([html.Button("run", id={"type": "go", "n": n}),
                     html.Button("stop", id={"type": "halt", "n": n}),
                     html.Span(id={"type": "bar", "n": n}), html.Span(id={"type": "out", "n": n})])

app.layout = html.Div([
    html.Button("run", id="run", title="a title"), html.Button("stop", id="stop"), html.P(id="bar"),
    html.P("idle", id="state"), dcc.Store(id="rows"), html.P(id="sum"), html.P(id="called"),
    html.Button("clear", id="clear"), html.Div([row(n) for n in range(2)]),
    html.Button("all", id="named"), dcc.Store(id="point", data={"x": 4}), html.P(id="x"),
    html.P(id="y"), html.Button("words", id="words"), html.P(id="stream"), html.P(id="side"),
    html.Button("fail", id="fail"), html.P(id="failed"), html.Button("load", id="load"),
    html.P(id="loaded"), html.P("a", id="ping"), html.P(id="pong"), html.P(id="cycle"),
    html.Button("cached", id="cached"), html.P(id="kept"),
    html.Button("shown", id="shown"), html.P("a card", id="card"), dcc.Store(id="status"),
    html.P(id="unseen", style={"display": "none"}),
])

# Trigger, State, progress, running, cancel; what it returns stays on the server.
@app.long_callback(
    Output("rows", "data"), Trigger("run", "n_clicks"), State("run", "title"),
    progress=Output("bar", "children"), progress_default="nothing",
    running=(Output("state", "children"), "on", "off"), cancel=Input("stop", "n_clicks"),
    prevent_initial_call=True,
)
def compute(set_progress, title):
    set_progress("begun")
    with LOCK:
        wait_for("compute")
    return Serverside({"sum": 42, "title": title})

# Without an app, as in a module of a page; and an output that another callback has, too.
@long_callback(Output("sum", "children"), Input("rows", "data"), Trigger("run", "id"),
               prevent_initial_call=True)
def show(rows):
    return f"{rows['sum']} of {rows['title']}"

@app.callback(Output("sum", "children"), Trigger("clear", "n_clicks"), prevent_initial_call=True)
def clear():
    return "cleared"

@app.long_callback(
    Output({"type": "out", "n": MATCH}, "children"), Input({"type": "go", "n": MATCH}, "n_clicks"),
    progress=Output({"type": "bar", "n": MATCH}, "children"), progress_default="-",
    running=[(Output({"type": "go", "n": MATCH}, "style"), WHITE, {})],
    cancel=[Input({"type": "halt", "n": MATCH}, "n_clicks")], prevent_initial_call=True,
)
def match(set_progress, n_clicks):
    set_progress(f"row {ctx.triggered_id['n']}")
    wait_for(f"row{ctx.triggered_id['n']}")
    return f"done {n_clicks}"

@app.long_callback(
    output={"x": Output("x", "children"), "y": Output("y", "children")},
    inputs={"clicks": Input("named", "n_clicks")}, state={"point": State("point", "data")},
    progress=Output("side", "title"), prevent_initial_call=True,
)
def named(set_progress, clicks, point):
    return {"x": f"x {point['x']}", "y": f"y {clicks}"}

@app.long_callback(Output("stream", "children"), Trigger("words", "n_clicks"),
                   prevent_initial_call=True)
def words():
    for number in range(3):
        yield f"word {number}"
    set_props("p-side", {"children": "set"})

@app.long_callback(Trigger("fail", "n_clicks"), on_error=lambda error: set_props(
    "p-failed", {"children": str(error)}), prevent_initial_call=True)
def fail():
    raise ValueError("no luck")

@app.long_callback(Trigger("fail", "n_clicks"), prevent_initial_call=True)
def also():
    set_props("p-cycle", {"title": "also"})

@app.long_callback(Output("loaded", "children"), Trigger("load", "n_clicks"), loading=True,
                   prevent_initial_call=True)
def load():
    return "loaded"

@app.callback(Output("ping", "children"), Trigger("load", "n_clicks"), prevent_initial_call=True)
def ping():
    return "b"

@app.long_callback(Output("cycle", "children"), CycleBreakerInput("ping", "children"),
                   prevent_initial_call=True)
def cycle(value):
    return f"broken {value}"

@app.long_callback(Output("kept", "children"), Input("cached", "n_clicks"), State("clear", "id"),
                   cache_by=lambda: 1, cache_args_to_ignore=0, prevent_initial_call=True)
def cached(n_clicks, _):
    note("cached", n_clicks)
    return f"computed {n_clicks}"

@app.long_callback(Output("unseen", "children"), Trigger("shown", "n_clicks"),
                   Trigger("words", "id"), indicator="card", status=Output("status", "data"),
                   cancelable=True, prevent_initial_call=True)
def shown():
    wait_for("shown")
    return "done"

if __name__ == "__main__":
    serve(app)
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(SOURCE, tmp_path_factory.mktemp("app"))
    yield server.start()
    server.stop()


def test_every_option_goes_through_the_transforms(page: Page, app: Server) -> None:
    assert page.text("#p-bar") == "nothing"
    page.click("#p-run")
    page.wait_text("#p-bar", "begun")
    assert page.text("#p-state") == "on"
    page.click("#p-stop")
    page.wait_text("#p-state", "off")
    page.wait_text("#p-bar", "nothing")
    assert not page.text("#p-sum")
    app.open_gate("compute")
    page.click("#p-run")
    page.wait_text("#p-sum", "42 of a title")
    stored = page.prop("p-rows", "data")
    assert stored.startswith("SERVERSIDE_")
    page.click("#p-clear")
    page.wait_text("#p-sum", "cleared")
    page.wait_text("#p-state", "off")


def test_match_in_every_option(page: Page, app: Server) -> None:
    def row(kind: str, n: int) -> dict[str, object]:
        return {"type": f"p-{kind}", "n": n}

    page.click(row("go", 0))
    page.click(row("go", 1))
    for n in range(2):
        page.wait_text(row("bar", n), f"row {n}")
        assert page.prop(row("go", n), "style") == {"color": "white"}
    page.click(row("halt", 0))
    page.wait_text(row("bar", 0), "-")
    app.open_gate("row1")
    page.wait_text(row("out", 1), "done 1")
    assert not page.text(row("out", 0))


def test_other_forms_and_options(page: Page, app: Server) -> None:
    page.record("#p-stream")
    for button in ("named", "words", "fail", "load", "cached"):
        page.click(f"#p-{button}")
    page.wait_text("#p-x", "x 4")
    page.wait_text("#p-y", "y 1")
    page.wait_text("#p-stream", "word 2")
    page.wait_text("#p-side", "set")
    page.wait_text("#p-failed", "no luck")
    page.wait_prop("p-cycle", "title", "also")
    page.wait_text("#p-loaded", "loaded")
    page.wait_text("#p-cycle", "broken b")
    page.wait_text("#p-kept", "computed 1")
    page.click("#p-cached")
    page.wait_idle()
    assert page.text("#p-kept") == "computed 1"
    assert app.notes("cached") == ["1"]


def test_the_indicator_and_the_status_go_through_the_transforms(page: Page, app: Server) -> None:
    page.click("#p-shown")
    row = wait_row(page, "p-card", "Running|Waiting")
    assert row.buttons == ["Stop"]
    page.wait(lambda: page.prop("p-status", "data")["state"] == "running")
    app.open_gate("shown")
    wait_gone(page, "p-card")
    page.wait_prop("p-unseen", "children", "done")
    assert page.prop("p-status", "data")["state"] == "succeeded"
