"""Values that are events: each reaches its component, in order and once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from app_parts import EPILOGUE, PROLOGUE
from apps import Server
from page import Page

keep_page = True

#: Sets up ``page`` and its long callbacks; the store and the server differ.
source = """
from dash_long_callback import Event

def part(name, *more, **kwargs):
    page.extend([html.Button("run", id=f"{name}-run"), html.P(id=f"{name}-state"),
                 html.P(id=f"{name}-done"), *more])
    kwargs.setdefault("output", Output(f"{name}-done", "children"))
    return app.long_callback(
        inputs=Input(f"{name}-run", "n_clicks"), prevent_initial_call=True,
        running=(Output(f"{name}-state", "children"), "on", "off"), **kwargs)

def graph(name):
    # Plain, so that it is drawn quickly: each point draws it anew.
    axis = {"visible": False}
    layout = {"height": 80, "width": 200, "xaxis": axis, "yaxis": axis}
    return dcc.Graph(id=name, figure={"data": [{"x": [], "y": []}], "layout": layout},
                     config={"staticPlot": True, "responsive": False})

def point(number):
    return {"x": [[number]], "y": [[number]]}

@part("set", graph("set-graph"))
def update(n):
    for number in range(20):
        set_props("set-graph", {"extendData": point(number)})
    wait_for("set-half", 120)
    for number in range(20, 220):
        set_props("set-graph", {"extendData": point(number)})
        time.sleep(0.002)
    return "done"

@part("told", graph("told-graph"), progress=Output("told-graph", "extendData"))
def update(set_progress, n):
    for number in range(30):
        set_progress(point(number))
    return "done"

@part("yielded", graph("yielded-graph"),
      output=[Output("yielded-graph", "extendData"), Output("yielded-done", "children")])
def update(n):
    for number in range(30):
        yield point(number), f"point {number}"
    wait_for("yielded", 120)
    yield no_update, "done"

@part("away", dcc.Link("away", href="/away", id="away-link"))
def update(n):
    wait_for("away")
    set_props("away-url", {"href": "/sent"})
    wait_for("away-end")
    return "done"
page.append(dcc.Location(id="away-url", refresh=True))

@part("shown", html.Div(id="shown-place"), html.Button("there", id="shown-there"))
def update(n):
    for number in range(20):
        set_props("shown-graph", {"extendData": point(number)})
    wait_for("shown", 120)
    set_props("shown-graph", {"extendData": point(20)})
    set_props("shown-graph", {"className": Event("came")})
    set_props("shown-run", {"title": "told"})
    wait_for("shown-end", 120)
    return "done"

app.config.suppress_callback_exceptions = True
@app.callback(Output("shown-place", "children"), Input("shown-there", "n_clicks"))
def place(n):
    return [] if n and n % 2 else graph("shown-graph")

@part("files", dcc.Download(id="files-download"), dcc.Store(id="files-store"))
def update(n):
    for number in range(3):
        set_props("files-download", dict(data=dcc.send_string(f"file {number}", f"{number}.txt")))
        set_props("files-store", {"data": {"content": f"stored {number}", "filename": "no file"}})
        set_props("files-run", {"title": Event(f"once {number}")})
        set_props("files-run", {"lang": Event(f"again {number}", replay=True)})
    wait_for("files")
    set_props("files-download", {"data": dcc.send_string("last", "3.txt")})
    return "done"
"""

#: Notes the files that are saved, instead of asking where to.
SAVE = """
window.files = [];
HTMLAnchorElement.prototype.dispatchEvent = function () { files.push(this.download); return true; };
"""
#: The points of a graph; null while it is not drawn.
POINTS = """
const plot = document.querySelector(`#${arguments[0]} .js-plotly-plot`);
return plot && plot.data ? [...plot.data[0].x] : null;
"""


def points(page: Page, name: str) -> list[int] | None:
    return page.js(POINTS, f"{name}-graph")


def wait_points(page: Page, name: str, count: int) -> None:
    """Wait until a graph has so many points; fail if they are not these, each once and in order."""
    page.wait(lambda: len(points(page, name) or []) >= count, f"{count} points", timeout=60)
    assert page.stays(lambda: points(page, name) == list(range(count)), 0.2)


@pytest.fixture(
    scope="module",
    params=["flask", pytest.param("fastapi", marks=pytest.mark.newest_only)],
)
def app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Answers that end, and a stream."""
    prologue, command = PROLOGUE.format(pacing="hidden=1"), ["app.py"]
    if request.param == "fastapi":
        prologue = prologue.replace("Dash(__name__", "Dash(__name__, backend='fastapi'")
        prologue += "server = app.server\n"
        command = ["-m", "uvicorn", "app:server", "--port", "{port}"]
    folder = tmp_path_factory.mktemp("app")
    server = Server(prologue + source + EPILOGUE, folder, command=command)
    yield server.start()
    server.stop()


@pytest.mark.newest_only  # on the oldest, the graph that comes back shows it
def test_each_point_is_drawn_once_and_in_order_also_in_a_hidden_tab(page: Page, app: Server):
    page.click("#set-run")
    wait_points(page, "set", 20)
    page.driver.minimize_window()
    try:
        page.wait(lambda: page.js("return document.hidden"))
        app.open_gate("set-half")
        wait_points(page, "set", 220)
        page.wait_text("#set-done", "done")
    finally:
        page.driver.set_window_size(1400, 1000)
    page.wait(lambda: not page.js("return document.hidden"))
    app.close_gate("set-half")


@pytest.mark.parametrize("name", ["told", "yielded"])
@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_progress_and_yield_lose_no_event(name: str, page: Page, app: Server):
    page.click(f"#{name}-run")
    app.open_gate("yielded")
    wait_points(page, name, 30)
    page.wait_text(f"#{name}-done", "done")
    page.wait_text(f"#{name}-state", "off")
    page.wait_idle()
    assert points(page, name) == list(range(30))


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_a_file_and_an_event_come_once_and_not_again_after_a_reload(page: Page, app: Server):
    script = {"source": SAVE}
    added = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", script)
    page.open(app.url)
    page.js(
        "window.said = []; const {set_props} = dash_clientside;"
        "dash_clientside.set_props = (id, props) => {"
        " if (id === 'files-run') said.push(...Object.values(props)); set_props(id, props); }"
    )
    page.click("#files-run")
    names = ["0.txt", "1.txt", "2.txt"]
    page.wait(lambda: page.js("return files.length >= 3 && said.length >= 6"))
    said = page.js("return said")
    assert page.js("return files") == names
    assert [one for one in said if one.startswith("once")] == ["once 0", "once 1", "once 2"]
    assert [one for one in said if one.startswith("again")] == ["again 0", "again 1", "again 2"]
    page.open(app.url)
    page.wait_text("#files-state", "on")
    # A store is no download, and a reload empties it.
    page.wait_prop("files-store", "data", {"content": "stored 2", "filename": "no file"})
    page.wait_prop("files-run", "lang", "again 2")
    assert page.stays(lambda: page.js("return files") == [])
    assert page.prop("files-run", "title") is None
    app.open_gate("files")
    page.wait_text("#files-done", "done")
    assert page.js("return files") == ["3.txt"]
    page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
    app.close_gate("files")


def test_a_graph_that_comes_back_or_is_loaded_again_gets_what_it_lacks(page: Page, app: Server):
    page.click("#shown-run")
    wait_points(page, "shown", 20)
    page.click("#shown-there")
    page.wait(lambda: not page.exists("#shown-graph"))
    app.open_gate("shown")
    page.wait_prop("shown-run", "title", "told")
    page.click("#shown-there")
    wait_points(page, "shown", 21)
    page.wait_prop("shown-graph", "className", "came")
    page.open(app.url)
    wait_points(page, "shown", 21)
    assert page.prop("shown-graph", "className") is None
    app.open_gate("shown-end")
    page.wait_text("#shown-done", "done")
    app.close_gate("shown")
    app.close_gate("shown-end")


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_a_page_is_sent_away_once_only(page: Page, app: Server):
    page.click("#away-run")
    page.js("window.before = true")
    app.open_gate("away")
    page.wait(lambda: page.js("return location.pathname") == "/sent")
    page.wait(page.is_idle)
    assert page.js("return window.before") is None
    page.js("window.after = true")
    assert page.stays(lambda: page.js("return window.after"), 1)
    app.open_gate("away-end")
    page.wait_text("#away-done", "done")
    app.close_gate("away")
    app.close_gate("away-end")
