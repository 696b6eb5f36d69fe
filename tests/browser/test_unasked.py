"""Calls and cancels that nobody made: by components that come, and set their own properties."""

from __future__ import annotations

import time
from collections.abc import Callable

from apps import Server
from page import Page

source = """
page += [
    dcc.Location(id="url"), dcc.Link("to y", id="link", href="/y"),
    html.Button("stop", id="stop"), html.Button("reset", id="reset"),
    html.Button("again", id="again"), html.P("-", id="loaded"), html.P(id="loaded-state"),
    dcc.Store(id="local", storage_type="local"), dcc.Store(id="filled"),
    dcc.Dropdown(["x", "y"], "gone", id="choice"),
    dcc.Dropdown(["x", "y"], ["gone"], multi=True, id={"kind": "choice", "n": 1}),
    dcc.Slider(0, 10, 1, value=3, id="slider"), dcc.Graph(id="graph"),
    dcc.Interval(id="clock", interval=100, disabled=True, max_intervals=1),
]

@app.callback(Output("filled", "data"), Input("filled", "id"))
def fill(_):
    return {"filled": 1}

@app.callback(Output("stop", "n_clicks"), Input("reset", "n_clicks"), prevent_initial_call=True)
def reset(n):
    return 0

@app.long_callback(
    Output("loaded", "children"), Input("again", "n_clicks"),
    running=(Output("loaded-state", "children"), "on", "off"),
    cancel=[Input("url", "pathname"), Input("stop", "n_clicks"), Input("local", "data"),
            Input("local", "modified_timestamp"), Input("filled", "data"),
            Input("choice", "value"), Input({"kind": "choice", "n": ALL}, "value"),
            Input("slider", "drag_value"), Input("graph", "relayoutData"),
            Input("clock", "n_intervals")])
def load(n):
    note("load")
    wait_for("load")
    return f"loaded {n}"
"""


def begin(page: Page, app: Server) -> None:
    """Load the page, whose job begins with it."""
    page.load(app.url)
    page.wait_text("#loaded-state", "on")


def test_what_a_page_sets_as_it_is_loaded_cancels_nothing(blank: Page, app: Server):
    page = blank
    begin(page, app)
    page.wait(lambda: page.prop("graph", "relayoutData"), "the figure to be drawn")
    for component, name, value in [
        ("url", "pathname", "/"),
        ("choice", "value", None),
        ({"kind": "choice", "n": 1}, "value", []),
        ("slider", "drag_value", 3),
        ("filled", "data", {"filled": 1}),
    ]:
        page.wait_prop(component, name, value)
    assert page.stays(lambda: page.text("#loaded-state") == "on")
    app.open_gate("load")
    page.wait_text("#loaded", "loaded None")
    app.close_gate("load")


def test_what_somebody_does_cancels_the_job_that_began_with_the_page(blank: Page, app: Server):
    page = blank

    def begin_again() -> None:
        count = len(app.notes("load"))
        page.click("#again")
        app.wait_for_note("load", count + 1)
        page.wait_text("#loaded-state", "on")

    def wait_end() -> None:
        page.wait_text("#loaded-state", "off")

    begin(page, app)
    page.wait_prop("filled", "data", {"filled": 1})
    page.js("dash_clientside.set_props('filled', {data: 2})")  # it had its first value
    wait_end()
    begin(page, app)
    page.click("#stop")
    wait_end()
    begin_again()
    page.click("#link")
    wait_end()
    begin_again()
    page.driver.back()
    wait_end()
    begin_again()
    page.click("#reset")
    page.wait_prop("stop", "n_clicks", 0)
    assert page.stays(lambda: page.text("#loaded-state") == "on")
    page.click("#stop")
    wait_end()
    begin(page, app)
    page.js("dash_clientside.set_props('clock', {disabled: false})")
    wait_end()
    assert page.text("#loaded") == "-"
    app.open_gate("load")


source += """
POLICIES = ("replace", "ignore", "queue", "parallel")
PARTS = (*POLICIES, "outside", "prevented", "text")
app.config.suppress_callback_exceptions = True
page += [html.Button("come", id="come"), html.Button("leave", id="leave"), html.Div(id="content"),
         html.P(id="outside-result"), html.P(id="prevented-result")]

def content(name):
    return html.Div([
        html.Button("run", id=f"{name}-run"), html.P(id=f"{name}-state"), html.P(id=f"{name}-bar"),
        html.Button("stop", id=f"{name}-stop"),
        *([] if name in ("outside", "prevented") else [html.P(id=f"{name}-result")]),
        *([dcc.Input("a", id="text-input")] if name == "text" else [])])

@app.callback(Output("content", "children"), Input("come", "n_clicks"), Input("leave", "n_clicks"),
              prevent_initial_call=True)
def show(come, leave):
    if ctx.triggered_id == "leave":
        return html.P("left", id="left")
    # A fresh page of the app: its own address, which sets itself, is among what cancels.
    return [html.P(f"here {come}", id="here"), dcc.Location(id="late-url"), *map(content, PARTS)]

for name in PARTS:
    @app.long_callback(
        Output(f"{name}-result", "children"), Input(f"{name}-run", "n_clicks"),
        *([Input("text-input", "value")] if name == "text" else []),
        running=(Output(f"{name}-state", "children"), "on", "off"),
        progress=Output(f"{name}-bar", "children"), progress_default="idle",
        cancel=[Input(f"{name}-stop", "n_clicks"), Input("late-url", "pathname")],
        on_retrigger=name if name in POLICIES else "replace",
        prevent_initial_call=name == "prevented")
    def work(set_progress, n, text=None, name=name):
        note(name, f"begins {n} {text}")
        set_progress("early")
        if n:
            wait_for(f"{name}-{text}")
        note(name, f"ends {n} {text}")
        return f"done {n} {text}"
"""


def come(page: Page) -> None:
    page.click("#come")
    page.wait(lambda: page.exists("#here"))


def leave(page: Page) -> None:
    page.click("#leave")
    page.wait(lambda: page.exists("#left"))


def come_and_wait(page: Page, app: Server, *names: str) -> Callable[[str], list[str]]:
    """Come for the first time; what the callbacks of these names note from then on."""
    come(page)
    for name in names:
        page.wait_text(f"#{name}-result", f"done None {'a' if name == 'text' else None}")
        page.wait_text(f"#{name}-state", "off")
    before = {name: len(app.notes(name)) for name in names}
    return lambda name: app.notes(name)[before[name] :]


def test_coming_back_to_a_job_that_runs_calls_nothing_anew(page: Page, app: Server):
    policies = ("replace", "ignore", "queue", "parallel")
    notes = come_and_wait(page, app, *policies)

    def runs_on() -> None:
        for name in policies:
            page.wait_text(f"#{name}-state", "on")
            page.wait_text(f"#{name}-bar", "early")

    for name in policies:
        page.click(f"#{name}-run")
    runs_on()
    leave(page)
    come(page)
    page.wait_prop("late-url", "pathname", "/")
    runs_on()
    page.click("#come")  # they are replaced by others of their names
    page.wait(lambda: "3" in (page.text("#here") or ""))
    assert page.stays(lambda: all(notes(name) == ["begins 1 None"] for name in policies))
    runs_on()
    leave(page)
    for name in policies:
        app.open_gate(f"{name}-None")
    page.wait(lambda: all(len(notes(name)) == 2 for name in policies))
    time.sleep(1)  # until the page knows
    come(page)
    for name in policies:
        page.wait_text(f"#{name}-result", "done 1 None")
        assert page.text(f"#{name}-state") == "", "as in the layout"
    page.wait_idle()
    assert page.stays(lambda: all(page.text(f"#{n}-result") == "done 1 None" for n in policies))
    assert all(len(notes(name)) == 2 for name in policies)
    leave(page)
    come_and_wait(page, app, *policies)  # nothing runs: they are called, as Dash does it


def test_an_input_that_comes_back_without_its_output_leaves_the_job_alone(page: Page, app: Server):
    names = ("outside", "prevented")
    # If the output was there already, Dash calls a callback when its input comes, prevented or not.
    notes = come_and_wait(page, app, *names)
    for name in names:
        page.click(f"#{name}-run")
        page.wait_text(f"#{name}-bar", "early")
    leave(page)
    come(page)
    for name in names:
        page.wait_text(f"#{name}-state", "on")
        page.wait_text(f"#{name}-bar", "early")
    assert page.stays(lambda: all(notes(name) == ["begins 1 None"] for name in names))
    page.click("#prevented-stop")
    page.wait_text("#prevented-state", "off")
    app.open_gate("outside-None")
    page.wait_text("#outside-result", "done 1 None")
    page.wait_text("#outside-state", "off")
    page.wait_text("#outside-bar", "idle")
    assert page.text("#prevented-result") == "done None None"
    page.wait_idle()


def test_a_click_or_another_value_runs_it_anew_all_the_same(page: Page, app: Server):
    notes = come_and_wait(page, app, "text")
    page.click("#text-run")
    page.wait(lambda: notes("text") == ["begins 1 a"])
    page.type("#text-input", "b")
    page.wait(lambda: "begins 1 b" in notes("text"))
    leave(page)
    come(page)  # with its default again
    page.wait(lambda: "ends None a" in notes("text"))
    page.wait_text("#text-result", "done None a")
    page.click("#text-run")
    page.wait(lambda: notes("text").count("begins 1 a") == 2)
    page.click("#text-run")
    page.wait(lambda: "begins 2 a" in notes("text"))
    page.click("#text-stop")
    page.wait_text("#text-state", "off")
