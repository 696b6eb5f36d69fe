"""An app that was written for Dash's own background callbacks: only the manager's line is ours."""

# Written as people write it.
# pyright: reportMissingParameterType=false, reportOptionalMemberAccess=false

import os
import time

import dash
from dash import ALL, Input, Output, State, callback, ctx, dcc, html, no_update, set_props
from dash.exceptions import PreventUpdate
from in_app import FOLDER, note, serve, wait_for

if os.environ["ENGINE"] == "celery":
    from celery import Celery

    from dash_long_callback import CeleryLongCallbackManager

    redis = os.environ["REDIS_URL"]
    manager = CeleryLongCallbackManager(Celery(__name__, broker=redis, backend=redis))
    handle = manager.handle
else:
    import diskcache

    from dash_long_callback import DiskcacheLongCallbackManager

    manager = DiskcacheLongCallbackManager(diskcache.Cache(str(FOLDER / "cache")))

page = []


def result(*names, text=""):
    page.extend(html.Div(text, id=name) for name in names)


def on_any_error(err):
    set_props("any-error", {"children": f"{type(err).__name__}: {err}"})


app = dash.Dash(__name__, background_callback_manager=manager, on_error=on_any_error)

# Inputs, running, cancel

page += [dcc.Input(id="typed", value="first")]
result("echo")


@app.callback(
    Output("echo", "children"),
    [Input("typed", "value")],
    interval=500,
    manager=manager,
    background=True,
)
def echo(value):
    time.sleep(0.1)
    return value


page += [html.Button("run", id="run"), html.Button("stop", id="stop")]
result("state", text="idle")
result("out", text="nothing")


@app.callback(
    Output("out", "children"),
    [Input("run", "n_clicks"), State("typed", "value")],
    running=[(Output("state", "children"), "busy", "idle")],
    cancel=[Input("stop", "n_clicks")],
    interval=500,
    prevent_initial_call=True,
    background=True,
)
def run(n_clicks, value):
    wait_for(f"run-{n_clicks}")
    return f"{value} {n_clicks}"


# Progress

page += [html.Button("steps", id="steps"), html.Button("halt", id="halt")]
result("step", text="before")
result("after-step", "steps-out")


@callback(
    Output("steps-out", "children"),
    Input("steps", "n_clicks"),
    progress=Output("step", "children"),
    progress_default="ready",
    cancel=[Input("halt", "n_clicks")],
    interval=0,
    background=True,
    prevent_initial_call=True,
)
def steps(set_progress, n_clicks):
    for number in range(4):
        set_progress(f"step {number}")
        wait_for(f"step-{n_clicks}-{number}")
    return f"done {n_clicks}"


@callback(Output("after-step", "children"), Input("step", "children"), prevent_initial_call=True)
def after_step(text):
    return f"seen: {text}"


page += [html.Button("keep", id="keep"), html.Div(0, id="changes"), html.Progress(id="bar")]
result("kept", "keep-out")
app.clientside_callback(
    "(_, before) => Number(before) + 1",
    Output("changes", "children"),
    Input("kept", "children"),
    State("changes", "children"),
    prevent_initial_call=True,
)


@app.callback(
    Output("keep-out", "children"),
    Input("keep", "n_clicks"),
    progress=[Output("kept", "children"), Output("bar", "value"), Output("bar", "max")],
    interval=200,
    background=True,
    prevent_initial_call=True,
)
def keep(set_progress, n_clicks):
    set_progress(("one", "1", "2"))
    wait_for("keep")
    set_progress(("two", "2", "2", "one too many"))
    return "done"


# Results and errors

page += [html.Button("several", id="several")]
result("several-1", "several-2", "several-3")


@app.callback(
    output=[Output(f"several-{i}", "children") for i in (1, 2, 3)],
    inputs=[Input("several", "n_clicks")],
    prevent_initial_call=True,
    background=True,
)
def several(n_clicks):
    return list(range(n_clicks)) + [no_update] * (3 - n_clicks)


page += [html.Button("own", id="own-error"), html.Button("any", id="app-error")]
result("own-out", "own-kind", "any-out", "any-error")


def on_own_error(err):
    set_props("own-kind", {"children": type(err).__name__})
    return f"told: {err}"


@app.callback(
    Output("own-out", "children"),
    Input("own-error", "n_clicks"),
    on_error=on_own_error,
    prevent_initial_call=True,
    background=True,
)
def own_error(n_clicks):
    if n_clicks == 2:
        raise PreventUpdate
    raise ValueError("of its own")


@app.callback(
    Output("any-out", "children"),
    Input("app-error", "n_clicks"),
    prevent_initial_call=True,
    background=True,
)
def app_error(_):
    raise ValueError("of any")


# What a function may use

page += [html.Button("press", id={"type": "press", "index": i}) for i in range(3)]
result("pressed", "cookie", "header")


@callback(
    Output("pressed", "children"),
    [Input({"type": "press", "index": ALL}, "n_clicks")],
    background=True,
    prevent_initial_call=True,
    running=[(Output({"type": "press", "index": 2}, "disabled"), True, False)],
)
def pressed(n_clicks):
    assert ctx.triggered[0]["prop_id"].endswith('"type":"press"}.n_clicks')
    return f"{ctx.triggered_id.index}: {n_clicks[ctx.triggered_id.index]}"


page += [html.Button("set a cookie", id="set-cookie"), html.Button("use it", id="use-cookie")]
result("set")


@callback(Output("set", "children"), Input("set-cookie", "n_clicks"), prevent_initial_call=True)
def set_cookie(_):
    ctx.response.set_cookie("flavour", "vanilla")
    return "ok"


@callback(
    Output("cookie", "children"),
    Output("header", "children"),
    Input("use-cookie", "n_clicks"),
    prevent_initial_call=True,
    background=True,
)
def use_cookie(_):
    headers = {name.lower(): value for name, value in ctx.headers.items()}
    return ctx.cookies.get("flavour"), headers["host"]


page += [html.Button("side", id="side"), html.Button("nothing", id="no-output")]
result("aside", "no-output-said")
result("side-out", text="initial")


@callback(
    Output("side-out", "children"),
    Input("side", "n_clicks"),
    prevent_initial_call=True,
    background=True,
)
def side(_):
    set_props("aside", {"children": "first"})
    set_props("aside", {"style": {"color": "red"}})
    wait_for("side")
    set_props("aside", {"children": "second"})
    return "completed"


@callback(Input("no-output", "n_clicks"), prevent_initial_call=True, background=True)
async def no_output(_):
    set_props("no-output-said", {"children": "started"})
    wait_for("no-output")
    set_props("no-output-said", {"children": "completed"})


page += [dcc.Store(id="stored", data="stored"), html.Button("mixed", id="mixed")]
result("mixed-out", "named-out")


@callback(
    Output("mixed-out", "children"),
    State("stored", "data"),
    Input("mixed", "n_clicks"),
    background=True,
    prevent_initial_call=True,
)
def mixed(stored, n_clicks):
    return f"{stored} {n_clicks}"


@app.callback(
    output={"x": Output("named-out", "children")},
    inputs={"button": Input("mixed", "n_clicks"), "more": {"of": State("stored", "data")}},
    background=True,
    prevent_initial_call=True,
)
def named(button, more):
    return {"x": f"{more['of']} {button}"}


def made(index):
    page.append(html.Button("made", id=f"make-{index}"))
    result(f"made-{index}")

    @app.callback(
        Output(f"made-{index}", "children"),
        Input(f"make-{index}", "n_clicks"),
        background=True,
        prevent_initial_call=True,
    )
    def update(_):
        return f"made {index}"


made(1)
made(2)

# Beside others

page += [html.Button("both", id="both")]
result("dash-out", "ours-out", "shared")


@app.callback(Output("dash-out", "children"), Input("both", "n_clicks"), prevent_initial_call=True)
def ordinary(n_clicks):
    return f"ordinary {n_clicks}"


@app.long_callback(
    Output("ours-out", "children"), Input("both", "n_clicks"), prevent_initial_call=True
)
def ours(n_clicks):
    return f"long {n_clicks}"


@app.callback(
    Output("shared", "children", allow_duplicate=True),
    Input("both", "n_clicks"),
    prevent_initial_call="initial_duplicate",
    background=True,
)
def shared(n_clicks):
    note("shared", n_clicks)
    return f"shared {n_clicks}"


app.layout = html.Div(page)
if __name__ == "__main__":
    serve(app)
