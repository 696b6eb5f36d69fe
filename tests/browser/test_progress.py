"""``progress``: what ``set_progress`` is given reaches the page while the job runs."""

from __future__ import annotations

from apps import Server
from page import Page

keep_page = True

source = """
def part(name, *more, default=..., **kwargs):
    page.extend([html.Button("run", id=f"{name}-run"), html.Button("stop", id=f"{name}-stop"),
                 html.Div(id=f"{name}-result"), *more])
    if default is not ...:
        kwargs["progress_default"] = default
    return app.long_callback(
        Output(f"{name}-result", "children"), Input(f"{name}-run", "n_clicks"),
        cancel=Input(f"{name}-stop", "n_clicks"), prevent_initial_call=True, **kwargs)

def progress_of(component):
    return Output(component, "children")
"""

# Shapes

source += """
@part("list-value", dcc.Store(id="list-value-store"), progress=Output("list-value-store", "data"))
def update(set_progress, n):
    set_progress([1, [2], {"three": 3}])
    wait_for("list-value")
"""


def test_a_list_given_to_a_single_output_stays_a_list(page: Page, app: Server):
    page.click("#list-value-run")
    page.wait_prop("list-value-store", "data", [1, [2], {"three": 3}])
    app.open_gate("list-value")
    page.wait_prop("list-value-store", "data", None)


source += """
@part("pair", html.Progress(id="pair-bar"), progress=(Output("pair-bar", "value"),
                                                      Output("pair-bar", "max")))
def update(set_progress, n):
    set_progress(("3", "10"))
    wait_for("pair")

@part("list", html.Progress(id="list-bar"), progress=[Output("list-bar", "value"),
                                                      Output("list-bar", "max")])
def update(set_progress, n):
    set_progress(["4", "20"])
    wait_for("pair")

@part("one-in-list", html.Div(id="one-in-list-bar"), progress=[progress_of("one-in-list-bar")])
def update(set_progress, n):
    set_progress(["only"])
    wait_for("pair")
"""


def test_several_outputs_take_a_tuple_or_a_list(page: Page, app: Server):
    page.click("#pair-run")
    page.click("#list-run")
    page.click("#one-in-list-run")
    page.wait_prop("pair-bar", "value", "3")
    assert page.prop("pair-bar", "max") == "10"
    page.wait_prop("list-bar", "value", "4")
    assert page.prop("list-bar", "max") == "20"
    page.wait_text("#one-in-list-bar", "only")
    app.open_gate("pair")
    page.wait_prop("pair-bar", "value", None)


source += """
@part("dict", html.Progress(id="dict-bar"), html.Div(id="dict-text"), html.Div(id="dict-more"),
      progress={"bar": [Output("dict-bar", "value"), Output("dict-bar", "max")],
                "texts": {"text": progress_of("dict-text"), "more": progress_of("dict-more")}})
def update(set_progress, n):
    set_progress({"texts": {"more": "and more", "text": "a text"}, "bar": ("5", "8")})
    wait_for("dict")
"""


def test_a_dict_of_outputs_takes_a_dict_nested_as_it_may_be(page: Page, app: Server):
    page.click("#dict-run")
    page.wait_text("#dict-text", "a text")
    page.wait_text("#dict-more", "and more")
    page.wait_prop("dict-bar", "value", "5")
    assert page.prop("dict-bar", "max") == "8"
    app.open_gate("dict")
    page.wait_text("#dict-text", "")


source += """
@part("skip", html.Div(id="skip-1"), html.Div(id="skip-2"), html.Div(id="skip-3"),
      progress={"one": progress_of("skip-1"),
                "rest": [progress_of("skip-2"), progress_of("skip-3")]})
def update(set_progress, n):
    set_progress({"one": "first 1", "rest": ["first 2", "first 3"]})
    wait_for("skip-1")
    set_progress({"one": no_update, "rest": [no_update, "second 3"]})
    wait_for("skip-2")
    set_progress({"one": "third 1", "rest": no_update})
    wait_for("skip-3")
    set_progress(no_update)
    wait_for("skip-4")
"""


def test_no_update_skips_an_item_a_branch_or_everything(page: Page, app: Server):
    def shown() -> list[str | None]:
        return [page.text(f"#skip-{i}") for i in (1, 2, 3)]

    page.click("#skip-run")
    page.wait(lambda: shown() == ["first 1", "first 2", "first 3"])
    app.open_gate("skip-1")
    page.wait(lambda: shown() == ["first 1", "first 2", "second 3"])
    app.open_gate("skip-2")
    page.wait(lambda: shown() == ["third 1", "first 2", "second 3"])
    app.open_gate("skip-3")
    assert page.stays(lambda: shown() == ["third 1", "first 2", "second 3"], 0.2)
    app.open_gate("skip-4")
    page.wait(lambda: shown() == ["", "", ""])


source += """
@part("components", html.Div(id="components-bar"), progress=progress_of("components-bar"))
def update(set_progress, n):
    set_progress(html.Ul([html.Li("one"), html.Li(html.B("two"))]))
    wait_for("components")

import plotly.graph_objects as go
@part("figure", dcc.Graph(id="figure-bar"), progress=Output("figure-bar", "figure"),
      default=go.Figure(layout_title_text="empty"))
def update(set_progress, n):
    set_progress(go.Figure(go.Scatter(y=[1, 2]), layout_title_text="half"))
    wait_for("components")
"""


def test_components_and_figures_may_be_progress(page: Page, app: Server):
    page.click("#components-run")
    page.click("#figure-run")
    page.wait_text("#components-bar li b", "two")
    page.wait_text("#figure-bar .gtitle", "half")
    app.open_gate("components")
    page.wait_text("#figure-bar .gtitle", "empty")


source += """
@part("wrong-length", html.Div(id="wrong-length-bar"),
      progress=[progress_of("wrong-length-bar"), Output("wrong-length-bar", "title")])
def update(set_progress, n):
    set_progress(["one", "two", "three"])

@part("wrong-keys", html.Div(id="wrong-keys-bar"),
      progress={"text": progress_of("wrong-keys-bar")})
def update(set_progress, n):
    set_progress({"txet": "a typo"})

@part("no-json", html.Div(id="no-json-bar"), progress=progress_of("no-json-bar"))
def update(set_progress, n):
    set_progress({"a", "set"})
"""


def test_a_wrong_shape_is_an_error_in_words_at_the_line_that_gave_it(page: Page):
    page.click("#wrong-length-run")
    error = page.wait_error("set_progress: expected 2 values, got 3")
    assert 'set_progress(["one", "two", "three"])' in error
    page.click("#wrong-keys-run")
    page.wait_error("set_progress: expected the keys 'text', got 'txet'")


def test_a_value_without_a_json_form_is_an_error_at_the_line_that_gave_it(page: Page):
    page.click("#no-json-run")
    error = page.wait_error("TypeError: .*JSON")
    assert 'set_progress({"a", "set"})' in error


# How often

source += """
@part("fast", html.Div(id="fast-bar"), progress=progress_of("fast-bar"), default="default")
def update(set_progress, n):
    for i in range(5000):
        set_progress(f"{i}")
    wait_for("fast")
    for i in range(5000, 10_000):
        set_progress(f"{i}")
    return "done"
"""


def test_the_latest_and_the_last_value_are_shown_however_fast_they_come(page: Page, app: Server):
    page.record("#fast-bar")
    page.click("#fast-run")
    page.wait_text("#fast-bar", "4999")
    app.open_gate("fast")
    page.wait_text("#fast-result", "done")
    page.wait_text("#fast-bar", "default")
    shown = page.recorded("#fast-bar")
    assert shown[0] == "default"
    assert "4999" in shown
    assert shown[-2:] == ["9999", "default"]
    numbers = [int(text) for text in shown[1:-1] if text]
    assert numbers == sorted(numbers)
    assert len(numbers) < 1000


source += """
@part("quick", html.Div(id="quick-bar"), progress=progress_of("quick-bar"), default="default")
def update(set_progress, n):
    set_progress("the only value")
    return "done"
"""


def test_the_only_value_of_a_quick_job_is_shown(page: Page):
    page.record("#quick-bar")
    page.click("#quick-run")
    page.wait_text("#quick-result", "done")
    page.wait_text("#quick-bar", "default")
    assert page.recorded("#quick-bar") == ["default", "the only value", "default"]


# Defaults

source += """
@part("end", html.Div(id="end-bar"), progress=progress_of("end-bar"), default="default")
def update(set_progress, n):
    set_progress(f"run {n}")
    wait_for(f"end-{n}")
    if n == 2:
        raise ValueError("as planned")
    if n == 3:
        raise PreventUpdate
    return f"done {n}"
"""


def test_the_default_is_back_when_the_job_has_ended_in_any_way(page: Page, app: Server):
    page.wait_text("#end-bar", "default")
    page.click("#end-run")
    page.wait_text("#end-bar", "run 1")
    app.open_gate("end-1")
    page.wait_text("#end-bar", "default")  # an outcome
    page.click("#end-run")
    page.wait_text("#end-bar", "run 2")
    app.open_gate("end-2")
    page.wait_text("#end-bar", "default")  # an error
    page.wait_error("as planned")
    page.click("#end-run")
    page.wait_text("#end-bar", "run 3")
    app.open_gate("end-3")
    page.wait_text("#end-bar", "default")  # PreventUpdate
    page.click("#end-run")
    page.wait_text("#end-bar", "run 4")
    page.click("#end-stop")
    page.wait_text("#end-bar", "default")  # a cancel
    assert page.text("#end-result") == "done 1"


source += """
@part("replaced", html.Div(id="replaced-bar"), progress=progress_of("replaced-bar"),
      default="default")
def update(set_progress, n):
    if n == 1:
        set_progress("run 1")
    note("replaced")
    wait_for("replaced" if n > 1 else "never")
    return f"done {n}"
"""


def test_a_job_that_replaces_another_starts_from_the_default(page: Page, app: Server):
    page.click("#replaced-run")
    page.wait_text("#replaced-bar", "run 1")
    page.click("#replaced-run")
    page.wait_text("#replaced-bar", "default")
    app.wait_for_note("replaced", 2)
    app.open_gate("replaced")
    page.wait_text("#replaced-result", "done 2")
    assert page.text("#replaced-bar") == "default"


source += """
@part("falsy", html.Progress(id="falsy-bar"), html.Div(id="falsy-text"), html.Div(id="falsy-flag"),
      progress=[Output("falsy-bar", "value"), progress_of("falsy-text"),
                Output("falsy-flag", "hidden"), Output("falsy-flag", "className")],
      default=[0, "", False, None])
def update(set_progress, n):
    set_progress(["50", "half", True, "busy"])
    wait_for("falsy")
"""


def test_falsy_defaults_count(page: Page, app: Server):
    def values() -> list[object]:
        named = ("bar", "value"), ("text", "children"), ("flag", "hidden"), ("flag", "className")
        return [page.prop(f"falsy-{name}", prop) for name, prop in named]

    page.wait(lambda: values() == [0, "", False, None])
    page.click("#falsy-run")
    page.wait(lambda: values() == ["50", "half", True, "busy"])
    app.open_gate("falsy")
    page.wait(lambda: values() == [0, "", False, None])


source += """
@part("none", html.Div("as laid out", id="none-bar"), progress=progress_of("none-bar"))
def update(set_progress, n):
    set_progress("at work")
    wait_for("none")
"""


def test_without_a_default_the_layout_stays_and_the_end_is_none(page: Page, app: Server):
    assert page.text("#none-bar") == "as laid out"
    page.click("#none-run")
    page.wait_text("#none-bar", "at work")
    app.open_gate("none")
    page.wait_prop("none-bar", "children", None)


source += """
app.config.suppress_callback_exceptions = True
page += [html.Button("add", id="later-add"), html.Div(id="later-place")]

@app.callback(Output("later-place", "children"), Input("later-add", "n_clicks"),
              prevent_initial_call=True)
def add(n):
    return html.Div("as laid out", id="later-bar")

@part("later", progress=progress_of("later-bar"), default="default")
def update(set_progress, n):
    set_progress("at work")
    wait_for(f"later-{n}")
    set_progress("at the end")
    wait_for(f"later-end-{n}")
    return f"done {n}"
"""


def test_the_default_is_set_when_the_component_appears_later(page: Page):
    page.click("#later-add")
    page.wait_text("#later-bar", "default")


def test_progress_goes_on_if_its_component_appears_or_leaves_meanwhile(page: Page, app: Server):
    page.open(app.url)
    app.open_gate("later-end-1")
    page.click("#later-run")
    page.wait(lambda: any("later-bar" in text for text in page.console()))
    page.click("#later-add")
    page.wait(lambda: page.exists("#later-bar"))
    app.open_gate("later-1")
    page.wait_text("#later-result", "done 1")
    page.wait_text("#later-bar", "default")


source += """
page += [html.Div(id="shared-bar")]

for name in ("shared-1", "shared-2"):
    @part(name, progress=progress_of("shared-bar"), default="default")
    def update(set_progress, n, name=name):
        set_progress(name)
        wait_for(name)
        return "done"
"""


def test_a_bar_that_two_callbacks_share_is_left_to_the_one_that_runs(page: Page, app: Server):
    page.click("#shared-1-run")
    page.wait_text("#shared-bar", "shared-1")
    page.click("#shared-2-run")
    page.wait_text("#shared-bar", "shared-2")
    app.open_gate("shared-1")
    page.wait_text("#shared-1-result", "done")
    assert page.text("#shared-bar") == "shared-2"
    app.open_gate("shared-2")
    page.wait_text("#shared-bar", "default")


# Pattern-matching ids

source += """
def each(kind, **names):
    return {"kind": kind, **names}

page += [html.Div([html.Button("run", id=each("match-run", n=n)), html.Div(id=each("match", n=n)),
                   html.Div(id=each("match-bar", n=n))]) for n in (1, 2)]

@app.long_callback(Output(each("match", n=MATCH), "children"),
                   Input(each("match-run", n=MATCH), "n_clicks"), prevent_initial_call=True,
                   progress=Output(each("match-bar", n=MATCH), "children"), progress_default="-")
def update(set_progress, n):
    number = ctx.triggered_id["n"]
    set_progress(f"at work {number}")
    wait_for(f"match-{number}")
    return f"done {number}"
"""


def test_progress_with_match_is_the_component_beside_the_output(page: Page, app: Server):
    bars = [{"kind": "match-bar", "n": n} for n in (1, 2)]
    for n in (1, 2):
        page.wait_text(bars[n - 1], "-")
        page.click({"kind": "match-run", "n": n})
        page.wait_text(bars[n - 1], f"at work {n}")
    app.open_gate("match-1")
    page.wait_text({"kind": "match", "n": 1}, "done 1")
    page.wait_text(bars[0], "-")
    assert page.text(bars[1]) == "at work 2"
    app.open_gate("match-2")
    page.wait_text(bars[1], "-")


source += """
page += [html.Div(id=each("all-bar", n=n)) for n in (1, 2, 3)]

@part("all", progress=Output(each("all-bar", n=ALL), "children"), default="default")
def update(set_progress, n):
    set_progress("for all")
    wait_for("all-1")
    set_progress(no_update)
    set_progress("for all again")
    wait_for("all-2")
    return "done"
"""


def test_progress_with_all_is_every_component(page: Page, app: Server):
    bars = [{"kind": "all-bar", "n": n} for n in (1, 2, 3)]

    def shown(text: str) -> bool:
        return [page.text(bar) for bar in bars] == [text] * 3

    page.wait(lambda: shown("default"))
    page.click("#all-run")
    page.wait(lambda: shown("for all"))
    app.open_gate("all-1")
    page.wait(lambda: shown("for all again"))
    app.open_gate("all-2")
    page.wait(lambda: shown("default"))


source += """
@part("again", html.Div(id="again-bar"), progress=progress_of("again-bar"), default="idle",
      running=[(Output("again-run", "disabled"), True, False)],
      retry=Retry(1, backoff=1.0, jitter=False))
def update(set_progress, n):
    set_progress(f"at work on attempt {attempt()}")
    wait_for(f"again-{attempt()}")
    if attempt() == 1:
        raise ValueError("no luck")
    return "done"
"""


def test_the_progress_of_an_attempt_that_failed_is_reset_and_running_stays(page: Page, app: Server):
    page.click("#again-run")
    page.wait_text("#again-bar", "at work on attempt 1")
    page.record("#again-bar", "#again-run")
    app.open_gate("again-1")
    page.wait_text("#again-bar", "idle")
    assert page.prop("again-run", "disabled") is True
    page.wait_text("#again-bar", "at work on attempt 2")
    assert page.prop("again-run", "disabled") is True
    app.open_gate("again-2")
    page.wait_text("#again-result", "done")
    page.wait_text("#again-bar", "idle")
    assert page.prop("again-run", "disabled") is False
    assert not page.errors()
