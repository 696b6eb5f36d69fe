"""Pattern-matching ids, components that appear later, and pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from apps import Server
from page import Page

keep_page = True

source = """
from dash import __version__ as dash_version
app.config.suppress_callback_exceptions = True

def each(kind, **names):
    return {"kind": kind, **names}
"""

source += """
def block(n):
    return html.Div([html.Button("run", id=each("run", n=n)), html.Div(id=each("result", n=n)),
                     dcc.Input(id=each("text", n=n), value=f"text {n}")])

page += [block(1), block(2)]

@app.long_callback(Output(each("result", n=MATCH), "children"),
                   Input(each("run", n=MATCH), "n_clicks"), State(each("text", n=MATCH), "value"),
                   prevent_initial_call=True)
def update(clicks, text):
    n = ctx.triggered_id["n"]
    note("match", n)
    wait_for(f"match-{n}")
    return f"{n}: {text}"
"""


def test_two_instances_at_the_same_time_do_not_swap_their_answers(page: Page, app: Server):
    for n in (1, 2):
        page.click({"kind": "run", "n": n})
    app.wait_for_note("match", 2)
    app.open_gate("match-2")
    page.wait_text({"kind": "result", "n": 2}, "2: text 2")
    assert page.text({"kind": "result", "n": 1}) == ""
    app.open_gate("match-1")
    page.wait_text({"kind": "result", "n": 1}, "1: text 1")
    assert page.text({"kind": "result", "n": 2}) == "2: text 2"


source += """
page += [html.Button("equal", id=each("equal-run", n=n)) for n in (1, 2)]
page += [html.Div(id=each("equal-result", n=n)) for n in (1, 2)]

@app.long_callback(Output(each("equal-result", n=MATCH), "children"),
                   Input(each("equal-run", n=MATCH), "n_clicks"), prevent_initial_call=True)
def update(clicks):
    note("equal")
    wait_for("equal")
    return f"the same {clicks}"
"""


def test_two_instances_with_equal_arguments_both_get_their_answer(page: Page, app: Server):
    for n in (1, 2):
        page.click({"kind": "equal-run", "n": n})
    app.wait_for_note("equal")
    app.open_gate("equal")
    for n in (1, 2):
        page.wait_text({"kind": "equal-result", "n": n}, "the same 1")


source += """
page += [html.Div([dcc.Input(id=each("all-text", n=n), value=f"{n}"),
                   html.Div(id=each("all-result", n=n))]) for n in (1, 2, 3)]
page += [html.Div(id="all-joined")]

@app.long_callback(Output("all-joined", "children"), Input(each("all-text", n=ALL), "value"))
def update(texts):
    return "+".join(texts)

page += [html.Button("run", id="all-run")]
@app.long_callback(Output(each("all-result", n=ALL), "children"), Input("all-run", "n_clicks"),
                   State(each("all-text", n=ALL), "value"), prevent_initial_call=True)
def update(clicks, texts):
    return [f"{text}!" for text in texts]
"""


def test_all_gives_and_takes_a_list(page: Page):
    page.wait_text("#all-joined", "1+2+3")
    page.type({"kind": "all-text", "n": 2}, "two")
    page.wait_text("#all-joined", "1+two+3")
    page.click("#all-run")
    for n, text in enumerate(("1!", "two!", "3!"), 1):
        page.wait_text({"kind": "all-result", "n": n}, text)


source += """
page += [html.Div(html.Div(id=each("double", row=row, column=column)))
         for row in (1, 2) for column in ("a", "b")]
page += [html.Button("run", id=each("double-run", row=row)) for row in (1, 2)]

@app.long_callback(Output(each("double", row=MATCH, column=ALL), "children"),
                   Input(each("double-run", row=MATCH), "n_clicks"), prevent_initial_call=True)
def update(clicks):
    row = ctx.triggered_id["row"]
    return [f"{row}{output['id']['column']}" for output in ctx.outputs_list]
"""


def test_match_and_all_in_one_id(page: Page):
    page.click({"kind": "double-run", "row": 2})
    for column in ("a", "b"):
        page.wait_text({"kind": "double", "row": 2, "column": column}, f"2{column}")
        assert page.text({"kind": "double", "row": 1, "column": column}) == ""


source += """
page += [html.Button("add", id="add"), html.Div([], id="added")]

@app.callback(Output("added", "children"), Input("add", "n_clicks"), prevent_initial_call=True)
def add(n):
    patch = Patch()
    patch.append(html.Div([
        html.Button("run", id=each("added-run", n=n)), html.Div(id=each("added-result", n=n)),
        html.Button("stop", id=each("added-stop", n=n)), html.Div(id=each("added-bar", n=n)),
        html.Div(id=each("added-state", n=n)),
    ]))
    return patch

@app.long_callback(Output(each("added-result", n=MATCH), "children"),
                   Input(each("added-run", n=MATCH), "n_clicks"), prevent_initial_call=True,
                   running=[(Output(each("added-state", n=MATCH), "children"), "on", "off")],
                   progress=Output(each("added-bar", n=MATCH), "children"), progress_default="-",
                   cancel=Input(each("added-stop", n=MATCH), "n_clicks"))
def update(set_progress, clicks):
    n = ctx.triggered_id["n"]
    set_progress(f"at work {n}")
    wait_for(f"added-{n}")
    return f"done {n}"
"""


def test_components_that_are_added_later_have_all_that_the_first_had(page: Page, app: Server):
    def part(kind: str, n: int) -> dict[str, object]:
        return {"kind": f"added-{kind}", "n": n}

    for n in (1, 2):
        page.click("#add")
        page.wait(lambda n=n: page.exists(part("run", n)))
        page.wait_text(part("bar", n), "-")
    for n in (1, 2):
        page.click(part("run", n))
        page.wait_text(part("bar", n), f"at work {n}")
        assert page.text(part("state", n)) == "on"
    page.click(part("stop", 1))
    page.wait_text(part("bar", 1), "-")
    page.wait_text(part("state", 1), "off")
    app.open_gate("added-2")
    page.wait_text(part("result", 2), "done 2")
    page.wait_text(part("bar", 2), "-")
    assert page.text(part("result", 1)) == ""


source += """
page += [html.Button("remove", id="remove"), html.Button("run", id="removed-run"),
         html.Div(html.Div(id="removed-result"), id="removed-place"), html.Div(id="removed-state")]

@app.callback(Output("removed-place", "children"), Input("remove", "n_clicks"),
              prevent_initial_call=True)
def remove(n):
    return None

@app.long_callback(Output("removed-result", "children"), Input("removed-run", "n_clicks"),
                   prevent_initial_call=True,
                   running=(Output("removed-state", "children"), "on", "off"))
def update(n):
    wait_for("removed")
    return "done"
"""


def test_an_output_that_is_removed_meanwhile_is_no_error(page: Page, app: Server):
    page.click("#removed-run")
    page.wait_text("#removed-state", "on")
    page.click("#remove")
    page.wait(lambda: not page.exists("#removed-result"))
    app.open_gate("removed")
    page.wait_text("#removed-state", "off")
    page.wait_idle()


source += """
if tuple(map(int, dash_version.split(".")[:2])) >= (4, 4):
    page += [html.Div([html.Button("run", id=each("bare-run", n=n)),
                       html.Button("stop", id=each("bare-stop", n=n)),
                       html.Div(id=each("bare-state", n=n)), html.Div(id=each("bare", n=n))])
             for n in (1, 2)]

    @app.long_callback(Input(each("bare-run", n=MATCH), "n_clicks"), prevent_initial_call=True,
                       cancel=Input(each("bare-stop", n=MATCH), "n_clicks"),
                       running=(Output(each("bare-state", n=MATCH), "children"), "on", "off"))
    def update(clicks):
        n = ctx.triggered_id["n"]
        set_props(each("bare", n=n), {"children": f"at work {n}"})
        wait_for(f"bare-{n}")
        set_props(each("bare", n=n), {"children": f"done {n}"})
"""


@pytest.mark.newest_only
def test_match_without_an_output_is_what_the_input_matched(page: Page, app: Server):
    for n in (1, 2):
        page.click({"kind": "bare-run", "n": n})
        page.wait_text({"kind": "bare", "n": n}, f"at work {n}")
        page.wait_text({"kind": "bare-state", "n": n}, "on")
    page.click({"kind": "bare-stop", "n": 1})
    page.wait_text({"kind": "bare-state", "n": 1}, "off")
    assert page.text({"kind": "bare-state", "n": 2}) == "on"
    app.open_gate("bare-2")
    page.wait_text({"kind": "bare", "n": 2}, "done 2")
    page.wait_text({"kind": "bare-state", "n": 2}, "off")
    assert page.text({"kind": "bare", "n": 1}) == "at work 1"


# Pages

PAGES_APP = """
from dash import html, page_container
from dash_long_callback import Dash, DiskcacheLongCallbackManager
import dash, diskcache
from in_app import FOLDER, serve

cache = diskcache.Cache(str(FOLDER / "cache"))
app = Dash(__name__, use_pages=True, suppress_callback_exceptions=True,
           long_callback_manager=DiskcacheLongCallbackManager(cache))
app.layout = html.Div([
    *(dash.dcc.Link(p["name"], href=p["relative_path"], id=f"to-{p['name']}")
      for p in dash.page_registry.values()),
    page_container,
])
serve(app)
"""

PAGE = """
import dash
from dash import Input, Output, State, callback, html
from dash_long_callback import long_callback
from in_app import note, wait_for

dash.register_page(__name__, path="/NAME", name="NAME")
layout = html.Div([html.Button("run", id="NAME-run"), html.Div(id="NAME-result"),
                   html.Div(id="NAME-bar"), html.Button("stop", id="NAME-stop")])

@long_callback(Output("NAME-result", "children"), Input("NAME-run", "n_clicks"),
               progress=Output("NAME-bar", "children"), progress_default="idle",
               cancel=Input("NAME-stop", "n_clicks"), prevent_initial_call=True)
def update(set_progress, n):
    set_progress("at work")
    note("NAME")
    wait_for(f"NAME-{n}")
    return f"NAME {n}"
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    files = {f"pages/{name}.py": PAGE.replace("NAME", name) for name in ("first", "second")}
    server = Server(PAGES_APP, tmp_path_factory.mktemp("pages"), files=files)
    yield server.start()
    server.stop()


def test_the_modules_of_pages_use_the_global_decorator(blank: Page, pages: Server):
    page, app = blank, pages
    page.open(f"{app.url}first")
    page.wait_text("#first-bar", "idle")
    page.click("#first-run")
    page.wait_text("#first-bar", "at work")
    page.click("#first-stop")
    page.wait_text("#first-bar", "idle")
    page.click("#to-second")
    page.wait_text("#second-bar", "idle")
    page.click("#second-run")
    page.wait_text("#second-bar", "at work")
    app.open_gate("second-1")
    page.wait_text("#second-result", "second 1")
    page.click("#to-first")
    app.open_gate("first-1")
    page.wait_text("#first-bar", "idle")
    page.click("#first-run")
    page.wait_text("#first-result", "first 1")


def test_leaving_a_page_while_its_job_runs_is_no_error(blank: Page, pages: Server):
    page, app = blank, pages
    page.open(f"{app.url}first")
    app.close_gate("first-1")
    page.click("#first-run")
    page.wait_text("#first-bar", "at work")
    page.click("#to-second")
    page.wait_text("#second-bar", "idle")
    app.open_gate("first-1")
    page.wait_idle()
    page.click("#to-first")
    page.wait_text("#first-bar", "idle")
