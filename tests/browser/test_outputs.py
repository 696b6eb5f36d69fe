"""What a function may return, and what the page makes of it."""

from __future__ import annotations

from apps import Server
from page import Page

keep_page = True

source = """
import datetime
import numpy, pandas
import plotly.graph_objects as go

app.config.suppress_callback_exceptions = True

def part(name, *outputs, **kwargs):
    page.append(html.Button("run", id=f"{name}-run"))
    if not outputs:
        page.append(html.Div("before", id=f"{name}-result"))
        outputs = (Output(f"{name}-result", "children"),)
    return app.long_callback(*outputs, Input(f"{name}-run", "n_clicks"),
                             prevent_initial_call=True, **kwargs)

def results(name, count):
    page.extend(html.Div(f"before {i}", id=f"{name}-{i}") for i in range(1, count + 1))
    return [Output(f"{name}-{i}", "children") for i in range(1, count + 1)]
"""

source += """
@part("none")
def update(n):
    return None
"""


def test_none_is_a_value(page: Page):
    assert page.text("#none-result") == "before"
    page.click("#none-run")
    page.wait_text("#none-result", "")
    assert page.prop("none-result", "children") is None


source += """
@part("whole")
def update(n):
    return no_update

@part("whole-list", *results("whole-list", 2))
def update(n):
    return no_update

@part("prevent", *results("prevent", 2),
      running=(Output("prevent-run", "title"), "on", "off"))
def update(n):
    raise PreventUpdate
"""


def test_no_update_and_prevent_update_leave_everything(page: Page):
    page.click("#whole-run")
    page.click("#whole-list-run")
    page.click("#prevent-run")
    page.wait_prop("prevent-run", "title", "off")
    page.wait_idle()
    assert page.text("#whole-result") == "before"
    for name in ("whole-list", "prevent"):
        assert [page.text(f"#{name}-{i}") for i in (1, 2)] == ["before 1", "before 2"]


source += """
@part("item", *results("item", 3))
def update(n):
    return "new", no_update, None
"""


def test_no_update_leaves_an_item(page: Page):
    page.click("#item-run")
    page.wait_text("#item-1", "new")
    page.wait_text("#item-3", "")
    assert page.text("#item-2") == "before 2"


source += """
one, two, three, four = results("branch", 4)
page += [html.Button("run", id="branch-run")]
@app.long_callback(output={"one": one, "branch": [two, {"three": three}], "four": four},
                   inputs=Input("branch-run", "n_clicks"), prevent_initial_call=True)
def update(n):
    if n == 1:
        return {"one": "new", "branch": no_update, "four": "new"}
    return {"one": no_update, "branch": ["newer", {"three": no_update}], "four": no_update}
"""


def test_no_update_leaves_a_branch_of_a_nested_grouping(page: Page):
    def shown() -> list[str | None]:
        return [page.text(f"#branch-{i}") for i in (1, 2, 3, 4)]

    page.click("#branch-run")
    page.wait(lambda: shown() == ["new", "before 2", "before 3", "new"])
    page.click("#branch-run")
    page.wait(lambda: shown() == ["new", "newer", "before 3", "new"])


source += """
@part("components")
def update(n):
    return html.Div([html.Button("inner", id="inner-run"), html.Div(id="inner-result"),
                     dcc.Input(id="inner-text", value=f"text {n}"), html.Div(id="inner-copy")])

@app.callback(Output("inner-copy", "children"), Input("inner-text", "value"))
def copy(text):
    note("copy", text)
    return text

@app.long_callback(Output("inner-result", "children"), Input("inner-run", "n_clicks"),
                   prevent_initial_call=True)
def update(n):
    return f"inner {n}"
"""


def test_components_with_callbacks_of_their_own_work_and_are_called_once(page: Page, app: Server):
    page.click("#components-run")
    page.wait_text("#inner-copy", "text 1")
    page.click("#inner-run")
    page.wait_text("#inner-result", "inner 1")
    page.click("#components-run")
    page.wait_text("#inner-copy", "text 2")
    page.wait_idle()
    assert app.notes("copy") == ["text 1", "text 2"]


source += """
@part("chain")
def update(n):
    return f"result {n}"

page += [html.Div(id="chain-next"), html.Div(id="chain-long")]
@app.callback(Output("chain-next", "children"), Input("chain-result", "children"),
              prevent_initial_call=True)
def follow(text):
    note("follow", text)
    return f"after {text}"

@app.long_callback(Output("chain-long", "children"), Input("chain-next", "children"),
                   prevent_initial_call=True)
def follow_long(text):
    note("follow-long", text)
    return f"long {text}"
"""


def test_callbacks_that_follow_are_called_once_for_each_result(page: Page, app: Server):
    for n in (1, 2, 3):
        page.click("#chain-run")
        page.wait_text("#chain-long", f"long after result {n}")
    page.wait_idle()
    assert app.notes("follow") == [f"result {n}" for n in (1, 2, 3)]
    assert app.notes("follow-long") == [f"after result {n}" for n in (1, 2, 3)]


source += """
page += [dcc.Graph(id="graph")]
@part("graph", Output("graph", "figure"))
def update(n):
    return go.Figure(go.Scatter(y=numpy.arange(5) * n), layout_title_text=f"figure {n}")
"""


def test_a_figure_is_drawn(page: Page):
    page.click("#graph-run")
    page.wait_text("#graph .gtitle", "figure 1")
    page.click("#graph-run")
    page.wait_text("#graph .gtitle", "figure 2")
    assert page.js(
        "return document.querySelector('#graph .js-plotly-plot').calcdata[0].map(p => p.y)"
    ) == [0, 2, 4, 6, 8]


source += """
page += [dcc.Store(id="values")]
@part("values", Output("values", "data"))
def update(n):
    day = datetime.date(2026, 3, 1)
    return {
        "array": numpy.arange(3), "number": numpy.int64(7), "flag": numpy.bool_(True),
        "float": numpy.float32(0.5), "series": pandas.Series([1, 2]),
        "index": pandas.date_range("2026-03-01", periods=2), "day": day,
        "moment": datetime.datetime(2026, 3, 1, 12, 30), "nan": float("nan"),
        "frame": pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}).to_dict("records"),
        "tuple": (1, 2), "text": "äöü </script> \\u2028", "nested": [{"deep": numpy.ones(2)}],
    }
"""


def test_arrays_frames_and_dates_are_encoded_as_dash_does(page: Page):
    page.click("#values-run")
    page.wait(lambda: page.prop("values", "data"))
    values = page.prop("values", "data")
    assert values["index"][0].startswith("2026-03-01T00:00:00")
    del values["index"]
    assert values == {
        "array": [0, 1, 2],
        "number": 7,
        "flag": True,
        "float": 0.5,
        "series": [1, 2],
        "day": "2026-03-01",
        "moment": "2026-03-01T12:30:00",
        "nan": None,
        "frame": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
        "tuple": [1, 2],
        "text": "äöü </script> \u2028",
        "nested": [{"deep": [1, 1]}],
    }


source += """
page += [dcc.Store(id="patched", data={"list": [1, 2], "map": {"a": 1, "b": 2}, "number": 1}),
         html.Ul([html.Li("first")], id="patched-list"),
         dcc.Graph(id="patched-graph", figure=go.Figure(go.Scatter(y=[1, 2, 3]),
                                                        layout_title_text="before"))]

@part("patched", Output("patched", "data"))
def update(n):
    patch = Patch()
    if n == 1:
        patch["list"].append(3)
        patch["list"].extend([4, 5])
        patch["list"].prepend(0)
        patch["list"].insert(1, "inserted")
        patch["map"].update({"c": 3})
        patch["new"] = {"deep": []}
        patch["new"]["deep"].append("x")
        patch["number"] += 10
        patch["number"] *= 2
        del patch["map"]["a"]
    elif n == 2:
        patch["list"].reverse()
        patch["list"].remove("inserted")
        patch["list"][-1] = "last"
        patch["number"] -= 2
        patch["number"] /= 4
        patch["map"].clear()
        del patch["list"][0]
        patch["new"].deep.clear()
    return patch

@part("patched-list", Output("patched-list", "children"))
def update(n):
    patch = Patch()
    patch.append(html.Li(html.B("second")))
    return patch

@part("patched-graph", Output("patched-graph", "figure"))
def update(n):
    patch = Patch()
    patch["layout"]["title"]["text"] = "after"
    patch["data"][0]["y"].append(4)
    return patch
"""


def test_a_patch_changes_a_part_of_a_value(page: Page):
    page.click("#patched-run")
    page.wait_prop(
        "patched",
        "data",
        {
            "list": [0, "inserted", 1, 2, 3, 4, 5],
            "map": {"b": 2, "c": 3},
            "number": 22,
            "new": {"deep": ["x"]},
        },
    )
    page.click("#patched-run")
    page.wait_prop(
        "patched",
        "data",
        {"list": [4, 3, 2, 1, "last"], "map": {}, "number": 5, "new": {"deep": []}},
    )


def test_a_patch_appends_components(page: Page):
    page.click("#patched-list-run")
    page.wait_text("#patched-list li + li b", "second")


def test_a_patch_changes_a_figure(page: Page):
    page.wait_text("#patched-graph .gtitle", "before")
    page.click("#patched-graph-run")
    page.wait_text("#patched-graph .gtitle", "after")
    figure = page.prop("patched-graph", "figure")
    assert figure["data"][0]["y"] == [1, 2, 3, 4]


source += """
page += [dcc.Store(id="patched-late", data=[])]
@part("patched-late", Output("patched-late", "data"))
def update(n):
    patch = Patch()
    patch.append("the job's")
    wait_for("patched-late")
    return patch

page += [html.Button("meanwhile", id="meanwhile")]
app.clientside_callback("n => ['meanwhile']",
                        Output("patched-late", "data", allow_duplicate=True),
                        Input("meanwhile", "n_clicks"), prevent_initial_call=True)
"""


def test_a_patch_changes_the_value_of_the_moment_when_the_job_ends(page: Page, app: Server):
    page.click("#patched-late-run")
    page.click("#meanwhile")
    page.wait_prop("patched-late", "data", ["meanwhile"])
    app.open_gate("patched-late")
    page.wait_prop("patched-late", "data", ["meanwhile", "the job's"])


source += """
@part("count", *results("count", 2))
def update(n):
    return {1: ("one", "two", "three"), 2: "not a list"}[n]

@part("unserialisable", running=(Output("unserialisable-run", "title"), "on", "off"))
def update(n):
    return {1: object(), 2: [{"deep": open}]}[n]

page += [html.Button("run", id="keys-run"), html.Div(id="keys-result")]
@app.long_callback(output={"right": Output("keys-result", "children")},
                   inputs=Input("keys-run", "n_clicks"), prevent_initial_call=True)
def update(n):
    return {"wrong": 1}
"""


def test_a_wrong_number_of_outputs_is_an_error_that_names_them(page: Page):
    page.click("#count-run")
    error = page.wait_error("Expected length: 2")
    assert "count-1.children" in error
    assert "('one', 'two', 'three')" in error.replace("[", "(").replace("]", ")")
    page.click("#count-run")
    page.wait_error("(?s)count-1.children.*'not a list'")
    assert page.text("#count-1") == "before 1"


def test_wrong_keys_are_an_error_that_names_the_key(page: Page):
    page.click("#keys-run")
    page.wait_error("(?s)keys-result.*(right|wrong)")


def test_what_can_not_be_serialised_is_an_error_that_names_the_output(page: Page):
    page.click("#unserialisable-run")
    page.wait_error("(?s)unserialisable-result.*object")
    page.wait_prop("unserialisable-run", "title", "off")
    page.click("#unserialisable-run")
    page.wait_error("(?s)unserialisable-result.*builtin_function")


source += """
page += [html.Div(id={"type": "large", "n": i}) for i in range(3)]
@part("large", Output({"type": "large", "n": ALL}, "children"))
def update(n):
    return ["x" * 2_000_000, no_update, ["a", html.B("b")]]
"""


def test_large_results_and_results_for_all_arrive(page: Page):
    page.click("#large-run")
    page.wait_text({"type": "large", "n": 2}, "ab")
    assert len(page.text({"type": "large", "n": 0}) or "") == 2_000_000
    assert page.text({"type": "large", "n": 1}) == ""
