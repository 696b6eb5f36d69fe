"""``cancel``: any change of any of its inputs ends the job; its outputs stay as they are."""

from __future__ import annotations

from apps import Server
from page import Page

keep_page = True

source = """
import flask
from dash_long_callback import JobCancelled

@app.server.before_request
def be_slow():
    if is_open("slow") and flask.request.path.endswith("_dash-update-component"):
        note("slow", "")
        wait_for("answer")

def part(name, *more, cancel=None, **kwargs):
    page.extend([html.Button("run", id=f"{name}-run"), html.Button("stop", id=f"{name}-stop"),
                 html.Div("still", id=f"{name}-result"), html.Div(id=f"{name}-state"),
                 html.Div(id=f"{name}-bar"), *more])
    return app.long_callback(
        Output(f"{name}-result", "children"), Input(f"{name}-run", "n_clicks"),
        running=[(Output(f"{name}-state", "children"), "on", "off")],
        progress=Output(f"{name}-bar", "children"), progress_default="nothing",
        cancel=Input(f"{name}-stop", "n_clicks") if cancel is None else cancel,
        prevent_initial_call=True, **kwargs)

def work(set_progress, name):
    set_progress("begun")
    try:
        wait_for(name)
    finally:
        note(name, "cleaned up")
    return "done"
"""

source += """
@part("plain")
def update(set_progress, n):
    return work(set_progress, "plain")
"""


def test_a_cancel_ends_running_and_progress_and_leaves_the_outputs(page: Page, app: Server):
    page.click("#plain-run")
    page.wait_text("#plain-bar", "begun")
    assert page.text("#plain-state") == "on"
    page.click("#plain-stop")
    page.wait_text("#plain-state", "off")
    page.wait_text("#plain-bar", "nothing")
    assert page.text("#plain-result") == "still"
    assert app.wait_for_note("plain") == ["cleaned up"]
    page.wait_idle()


source += """
@part("again")
def update(set_progress, n):
    return work(set_progress, f"again-{n}")
"""


def test_after_a_cancel_the_callback_runs_as_before(page: Page, app: Server):
    page.click("#again-run")
    page.wait_text("#again-bar", "begun")
    page.click("#again-stop")
    page.wait_text("#again-state", "off")
    app.open_gate("again-2")
    page.click("#again-run")
    page.wait_text("#again-result", "done")
    page.wait_text("#again-state", "off")


source += """
@part("several", html.Button("halt", id="several-halt"),
      cancel=[Input("several-stop", "n_clicks"), Input("several-halt", "n_clicks")])
def update(set_progress, n):
    return work(set_progress, "never")
"""


def test_each_of_several_cancel_inputs_cancels(page: Page):
    for button in ("#several-stop", "#several-halt"):
        page.click("#several-run")
        page.wait_text("#several-bar", "begun")
        page.click(button)
        page.wait_text("#several-bar", "nothing")
        page.wait_text("#several-state", "off")


source += """
@part("property", dcc.Input(id="property-text", value="text"),
      cancel=Input("property-text", "value"))
def update(set_progress, n):
    return work(set_progress, "never")

@part("emptied", html.Button("empty", id="emptied-empty"),
      cancel=Input("property-text", "value"))
def update(set_progress, n):
    return work(set_progress, "never")

@app.callback(Output("property-text", "value"), Input("emptied-empty", "n_clicks"),
              prevent_initial_call=True)
def empty(n):
    return None
"""


def test_any_change_of_any_property_cancels_whatever_the_value(page: Page):
    page.click("#property-run")
    page.wait_text("#property-bar", "begun")
    page.type("#property-text", "other")
    page.wait_text("#property-state", "off")
    page.click("#emptied-run")
    page.wait_text("#emptied-bar", "begun")
    page.click("#emptied-empty")
    page.wait_text("#emptied-state", "off")


source += """
@part("early")
def update(set_progress, n):
    note("early", "called")
    return "done"
"""


def test_a_cancel_before_the_server_has_answered_counts_too(page: Page, app: Server):
    app.open_gate("slow")
    page.click("#early-run")
    page.wait_text("#early-state", "on")
    app.wait_for_note("slow")
    page.click("#early-stop")
    app.close_gate("slow")
    app.open_gate("answer")
    page.wait_text("#early-state", "off")
    page.wait_idle()
    assert page.stays(lambda: page.text("#early-result") == "still")
    assert page.text("#early-bar") == "nothing"


source += """
@part("moment")
def update(set_progress, n):
    return work(set_progress, "never")

@part("both", cancel=Input("both-run", "n_clicks"))
def update(set_progress, n):
    set_progress(f"begun {n}")
    wait_for(f"both-{n}")
    return f"done {n}"
"""


def test_a_cancel_in_the_moment_of_the_click_counts_too(page: Page):
    page.js("for (const what of ['run', 'stop']) document.querySelector('#moment-' + what).click()")
    page.wait_idle()
    assert page.text("#moment-result") == "still"
    page.wait_text("#moment-state", "off")


def test_the_click_that_triggers_a_job_does_not_cancel_it_as_well(page: Page, app: Server):
    for n in (1, 2):
        page.click("#both-run")
        page.wait_text("#both-bar", f"begun {n}")
    app.open_gate("both-2")
    page.wait_text("#both-result", "done 2")


source += """
@part("shared-1", cancel=Input("shared-stop", "n_clicks"))
def update(set_progress, n):
    return work(set_progress, "never")

@part("shared-2", html.Button("stop both", id="shared-stop"),
      cancel=Input("shared-stop", "n_clicks"))
def update(set_progress, n):
    return work(set_progress, "never")
"""


def test_two_long_callbacks_may_share_a_cancel_button(page: Page):
    for name in ("shared-1", "shared-2"):
        page.click(f"#{name}-run")
        page.wait_text(f"#{name}-bar", "begun")
    page.click("#shared-stop")
    for name in ("shared-1", "shared-2"):
        page.wait_text(f"#{name}-state", "off")
        page.wait_text(f"#{name}-bar", "nothing")


source += """
@app.callback(Output("used-count", "children"), Input("used-stop", "n_clicks"))
def count(n):
    return f"{n}"

@part("used", html.Div(id="used-count"))
def update(set_progress, n):
    return work(set_progress, "never")
"""


def test_a_cancel_input_still_serves_ordinary_callbacks(page: Page):
    page.click("#used-run")
    page.wait_text("#used-bar", "begun")
    page.click("#used-stop")
    page.wait_text("#used-state", "off")
    page.wait_text("#used-count", "1")


source += """
def each(kind, **names):
    return {"kind": kind, **names}

page += [html.Div([html.Button("run", id=each("match-run", n=n)),
                   html.Button("stop", id=each("match-stop", n=n)),
                   html.Div("still", id=each("match-result", n=n)),
                   html.Div(id=each("match-bar", n=n))]) for n in (1, 2)]

@app.long_callback(Output(each("match-result", n=MATCH), "children"),
                   Input(each("match-run", n=MATCH), "n_clicks"), prevent_initial_call=True,
                   progress=Output(each("match-bar", n=MATCH), "children"), progress_default="-",
                   cancel=Input(each("match-stop", n=MATCH), "n_clicks"))
def update(set_progress, n):
    return work(set_progress, f"match-{ctx.triggered_id['n']}")
"""


def test_cancel_with_match_cancels_the_one_beside_it_only(page: Page, app: Server):
    for n in (1, 2):
        page.click({"kind": "match-run", "n": n})
        page.wait_text({"kind": "match-bar", "n": n}, "begun")
    page.click({"kind": "match-stop", "n": 1})
    page.wait_text({"kind": "match-bar", "n": 1}, "-")
    assert page.text({"kind": "match-bar", "n": 2}) == "begun"
    app.open_gate("match-2")
    page.wait_text({"kind": "match-result", "n": 2}, "done")
    assert page.text({"kind": "match-result", "n": 1}) == "still"


source += """
page += [html.Button("stop", id=each("all-stop", n=n)) for n in (1, 2)]

@part("all", cancel=Input(each("all-stop", n=ALL), "n_clicks"))
def update(set_progress, n):
    return work(set_progress, "never")
"""


def test_cancel_with_all_listens_to_every_component(page: Page):
    for n in (1, 2):
        page.click("#all-run")
        page.wait_text("#all-bar", "begun")
        page.click({"kind": "all-stop", "n": n})
        page.wait_text("#all-bar", "nothing")


source += """
page += [html.Div(id="later-place"), html.Button("add", id="later-add")]

@app.callback(Output("later-place", "children"), Input("later-add", "n_clicks"),
              prevent_initial_call=True)
def add(n):
    return html.Button("stop", id="later-stop")

@part("late", cancel=Input("later-stop", "n_clicks"))
def update(set_progress, n):
    return work(set_progress, "late")
app.config.suppress_callback_exceptions = True
"""


def test_a_cancel_input_that_appears_cancels_only_when_it_is_used(page: Page):
    page.click("#late-run")
    page.wait_text("#late-bar", "begun")
    page.click("#later-add")
    page.wait(lambda: page.exists("#later-stop"))
    assert page.stays(lambda: page.text("#late-bar") == "begun")
    page.click("#later-stop")
    page.wait_text("#late-bar", "nothing")


source += """
@part("waits")
def update(set_progress, n):
    return work(set_progress, "never")

page += [html.Button("fill", id="fill"), *(html.Div(id=f"fill-{i}") for i in range(4))]
for i in range(4):
    @app.long_callback(Output(f"fill-{i}", "children"), Input("fill", "n_clicks"),
                       prevent_initial_call=True)
    def update(n, i=i):
        note("fill", i)
        wait_for("fill")
        return "filled"
"""


def test_a_job_that_waits_for_a_worker_is_cancelled_at_once(page: Page, app: Server):
    page.click("#fill")
    app.wait_for_note("fill", 4)
    page.click("#waits-run")
    page.wait_text("#waits-state", "on")
    page.click("#waits-stop")
    page.wait_text("#waits-state", "off")
    app.open_gate("fill")
    page.wait_text("#fill-3", "filled")


source += """
@part("stubborn")
def update(set_progress, n):
    set_progress("begun")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            wait_for("never", end - time.monotonic())
        except BaseException:
            note("stubborn", "goes on")
"""


def test_the_page_need_not_wait_for_a_function_that_does_not_let_go(page: Page, app: Server):
    page.click("#stubborn-run")
    page.wait_text("#stubborn-bar", "begun")
    page.click("#stubborn-stop")
    page.wait_text("#stubborn-state", "off")  # the grace period is 1 s
    assert page.text("#stubborn-bar") == "nothing"


source += """
@part("idle")
def update(set_progress, n):
    return "done"
"""


def test_a_cancel_when_nothing_runs_does_nothing(page: Page):
    page.click("#idle-stop")
    page.click("#idle-run")
    page.wait_text("#idle-result", "done")
    page.click("#idle-stop")
    assert page.stays(lambda: page.text("#idle-result") == "done", 0.2)


source += """
@part("unplugged")
def update(set_progress, n):
    return work(set_progress, "unplugged")
"""


def test_a_cancel_arrives_although_the_network_fails_for_a_while(page: Page, app: Server):
    page.expect_console("ERR_")
    page.click("#unplugged-run")
    page.wait_text("#unplugged-bar", "begun")
    page.unplug()
    page.click("#unplugged-stop")
    assert page.stays(lambda: not app.notes("unplugged"))
    page.plug_in()
    page.wait_text("#unplugged-state", "off")
    assert app.notes("unplugged") == ["cleaned up"]


source += """
@part("cleanup", html.Div(id="cleanup-message"))
def update(set_progress, n):
    set_progress("begun")
    try:
        wait_for("never")
    except JobCancelled:
        set_props("cleanup-message", {"children": "half of it is kept"})
        raise
"""


def test_what_a_cancelled_function_says_while_it_cleans_up_reaches_the_page(page: Page):
    page.click("#cleanup-run")
    page.wait_text("#cleanup-bar", "begun")
    page.click("#cleanup-stop")
    page.wait_text("#cleanup-message", "half of it is kept")
    page.wait_text("#cleanup-state", "off")
