"""How a long callback is declared: outputs, inputs and states in every form that Dash takes."""

from __future__ import annotations

from apps import Server
from page import Page

keep_page = True

source = """
page += [html.Button("run", id="run"), dcc.Input(id="first", value="a"),
         dcc.Input(id="second", value="b"), dcc.Input(id="third", value="c")]

def result(*names):
    page.extend(html.Div(id=name) for name in names)
"""


def click_once(page: Page) -> None:
    """Run all callbacks of the button, if no test before has done so."""
    if not page.prop("run", "n_clicks"):
        page.click("#run")


source += """
result("initial", "prevented", "initial-duplicate")
@app.long_callback(Output("initial", "children"), Input("run", "n_clicks"))
def update(n):
    return f"called with {n}"

@app.long_callback(Output("prevented", "children"), Input("run", "n_clicks"),
                   prevent_initial_call=True)
def update(n):
    return f"called with {n}"

@app.long_callback(Output("initial-duplicate", "children", allow_duplicate=True),
                   Input("run", "n_clicks"), prevent_initial_call="initial_duplicate")
def update(n):
    return f"called with {n}"
"""


def test_the_page_calls_on_load_unless_told_not_to(page: Page):
    page.wait_text("#initial", "called with None")
    page.wait_text("#initial-duplicate", "called with None")
    assert page.text("#prevented") == ""
    click_once(page)
    page.wait_text("#initial", "called with 1")
    page.wait_text("#prevented", "called with 1")


source += """
result("positional")
@app.long_callback(Output("positional", "children"), Input("run", "n_clicks"),
                   State("first", "value"), prevent_initial_call=True)
def update(n, first):
    return f"{n} {first}"
"""


def test_positional_arguments_are_taken_as_dash_does(page: Page):
    click_once(page)
    page.wait_text("#positional", "1 a")


source += """
result("keyword")
@app.long_callback(output=Output("keyword", "children"), inputs=Input("run", "n_clicks"),
                   state=State("first", "value"), prevent_initial_call=True)
def update(n, first):
    return f"{n} {first}"

result("keyword-lists")
@app.long_callback(output=[Output("keyword-lists", "children")],
                   inputs=[Input("run", "n_clicks"), Input("first", "value")],
                   state=[State("second", "value"), State("third", "value")],
                   prevent_initial_call=True)
def update(n, first, second, third):
    return [f"{n} {first} {second} {third}"]
"""


def test_the_keywords_of_dash_2_are_taken(page: Page):
    click_once(page)
    page.wait_text("#keyword", "1 a")
    page.wait_text("#keyword-lists", "1 a b c")


source += """
result("interleaved")
@app.long_callback(Output("interleaved", "children"), State("first", "value"),
                   Input("run", "n_clicks"), State("second", "value"), Input("third", "value"),
                   prevent_initial_call=True)
def update(first, n, second, third):
    return f"{first} {n} {second} {third}"
"""


def test_inputs_and_states_may_be_interleaved(page: Page):
    click_once(page)
    page.wait_text("#interleaved", "a 1 b c")


source += """
result("positional-lists-1", "positional-lists-2")
@app.long_callback([Output("positional-lists-1", "children"),
                    Output("positional-lists-2", "children")],
                   [Input("run", "n_clicks")], [State("first", "value")],
                   prevent_initial_call=True)
def update(n, first):
    return n, first
"""


def test_positional_lists_are_taken_as_in_dash_1(page: Page):
    click_once(page)
    page.wait_text("#positional-lists-1", "1")
    page.wait_text("#positional-lists-2", "a")


source += """
result("dict-inputs")
@app.long_callback(output=Output("dict-inputs", "children"),
                   inputs={"clicks": Input("run", "n_clicks"), "name": State("first", "value")},
                   state={"other": State("second", "value")},
                   prevent_initial_call=True)
def update(*, other, name, clicks):
    return f"{clicks} {name} {other}"
"""


def test_dict_inputs_are_given_by_keyword(page: Page):
    click_once(page)
    page.wait_text("#dict-inputs", "1 a b")


source += """
result("dict-progress", "dict-progress-bar")
page += [html.Button("run", id="dict-progress-run")]
@app.long_callback(output=Output("dict-progress", "children"),
                   inputs={"clicks": Input("dict-progress-run", "n_clicks")},
                   progress=Output("dict-progress-bar", "children"), progress_default="idle",
                   prevent_initial_call=True)
def update(set_progress, clicks):
    set_progress("at work")
    wait_for("dict-progress")
    return f"{clicks}"
"""


def test_with_dict_inputs_set_progress_is_the_first_positional_argument(page: Page, app: Server):
    page.click("#dict-progress-run")
    page.wait_text("#dict-progress-bar", "at work")
    app.open_gate("dict-progress")
    page.wait_text("#dict-progress", "1")


source += """
result("nested-inputs")
@app.long_callback(
    Output("nested-inputs", "children"),
    inputs={"clicks": Input("run", "n_clicks"),
            "texts": {"pair": (State("first", "value"), State("second", "value")),
                      "one": State("third", "value")}},
    prevent_initial_call=True)
def update(clicks, texts):
    first, second = texts["pair"]
    return f"{clicks} {first} {second} {texts['one']}"

result("list-in-list")
@app.long_callback(Output("list-in-list", "children"),
                   [Input("run", "n_clicks"), [State("first", "value"), State("second", "value")]],
                   prevent_initial_call=True)
def update(clicks, pair):
    return f"{clicks} {pair[0]} {pair[1]}"
"""


def test_nested_groupings_of_inputs_arrive_in_their_shape(page: Page):
    click_once(page)
    page.wait_text("#nested-inputs", "1 a b c")
    page.wait_text("#list-in-list", "1 a b")


source += """
result("several-1", "several-2")
@app.long_callback(Output("several-1", "children"), Output("several-2", "children"),
                   Input("run", "n_clicks"), prevent_initial_call=True)
def update(n):
    return [n, n + 1]
"""


def test_several_outputs_take_one_value_each(page: Page):
    click_once(page)
    page.wait_text("#several-1", "1")
    page.wait_text("#several-2", "2")


source += """
result("one-in-a-list")
@app.long_callback([Output("one-in-a-list", "children")], Input("run", "n_clicks"),
                   prevent_initial_call=True)
def update(n):
    return [["an ", "only ", "child"]]
"""


def test_one_output_in_a_list_takes_a_list_of_one_value(page: Page):
    click_once(page)
    page.wait_text("#one-in-a-list", "an only child")


source += """
result("dict-out-1", "dict-out-2", "dict-out-3")
@app.long_callback(
    output={"one": Output("dict-out-1", "children"),
            "rest": (Output("dict-out-2", "children"), Output("dict-out-3", "children"))},
    inputs=Input("run", "n_clicks"), prevent_initial_call=True)
def update(n):
    return {"rest": (n + 1, n + 2), "one": n}
"""


def test_dict_outputs_take_a_dict(page: Page):
    click_once(page)
    page.wait_text("#dict-out-1", "1")
    page.wait_text("#dict-out-2", "2")
    page.wait_text("#dict-out-3", "3")


source += """
result("no-output", "no-output-running")
page += [html.Button("run", id="no-output-run")]
@app.long_callback(Input("no-output-run", "n_clicks"), prevent_initial_call=True,
                   running=(Output("no-output-running", "children"), "on", "off"))
def update(n):
    set_props("no-output", {"children": f"set {n}"})
    wait_for("no-output")
"""


def test_without_an_output_set_props_is_the_result(page: Page, app: Server):
    page.click("#no-output-run")
    page.wait_text("#no-output", "set 1")
    page.wait_text("#no-output-running", "on")
    app.open_gate("no-output")
    page.wait_text("#no-output-running", "off")


source += """
result("shared")
page += [html.Button("first", id="first-run"), html.Button("second", id="second-run")]
@app.long_callback(Output("shared", "children"), Input("first-run", "n_clicks"),
                   prevent_initial_call=True)
def update(n):
    return f"first {n}"

@app.long_callback(Output("shared", "children", allow_duplicate=True),
                   Input("second-run", "n_clicks"), prevent_initial_call=True)
def update(n):
    return f"second {n}"
"""


def test_two_callbacks_may_share_an_output_with_allow_duplicate(page: Page):
    page.click("#first-run")
    page.wait_text("#shared", "first 1")
    page.click("#second-run")
    page.wait_text("#shared", "second 1")
    page.click("#first-run")
    page.wait_text("#shared", "first 2")


source += """
result("chained", "chained-next")
page += [html.Button("run", id="chain")]
@app.long_callback(Output("chained", "children"), Input("chain", "n_clicks"),
                   prevent_initial_call=True)
def update(n):
    return f"{n}"

@app.long_callback(Output("chained-next", "children"), Input("chained", "children"),
                   prevent_initial_call=True)
def update(text):
    note("chained", text)
    return f"after {text}"
"""


def test_a_long_callback_may_follow_another_and_is_called_once_for_each_result(
    page: Page, app: Server
):
    page.click("#chain")
    page.wait_text("#chained-next", "after 1")
    page.click("#chain")
    page.wait_text("#chained-next", "after 2")
    page.wait_idle()
    assert app.notes("chained") == ["1", "2"]
