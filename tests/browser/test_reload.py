"""A page, or its server, that is loaded again or comes back; a page of the app that was left."""

from __future__ import annotations

import json
from typing import Any

import pytest
from apps import Server
from page import Page
from raw_tab import raw_tab

source = """
def part(name, *more, **kwargs):
    page.extend([html.Button("run", id=f"{name}-run"), html.Button("stop", id=f"{name}-stop"),
                 html.P(id=f"{name}-state"), html.P(id=f"{name}-bar"),
                 html.Div(id=f"{name}-result"), *more])
    kwargs = {"prevent_initial_call": True, **kwargs}
    return app.long_callback(
        Output(f"{name}-result", "children"), kwargs.pop("input", Input(f"{name}-run", "n_clicks")),
        running=(Output(f"{name}-state", "children"), "on", "off"),
        cancel=Input(f"{name}-stop", "n_clicks"), **kwargs)

@part("whole", html.P(id="whole-next"), html.P(id="whole-inner-next"),
      dcc.Loading(html.P(id="whole-spun"), custom_spinner=html.B("turning")),
      progress=Output("whole-bar", "children"), progress_default="idle")
def update(set_progress, n):
    note("whole", n)
    set_progress("early")
    set_props("whole-spun", {"title": "set"})
    wait_for("whole")
    set_progress("late")
    wait_for("whole-end")
    return html.P(f"done {n}", id="whole-inner")

@app.callback(Output("whole-next", "children"), Input("whole-result", "children"),
              prevent_initial_call=True)
def follow(children):
    note("whole-next", "called")
    return "followed"

app.config.suppress_callback_exceptions = True
@app.callback(Output("whole-inner-next", "children"), Input("whole-inner", "children"))
def look_inside(text):
    return f"saw {text}"
"""


def test_a_page_that_is_loaded_again_finds_its_job(page: Page, app: Server):
    page.click("#whole-run")
    page.wait_text("#whole-bar", "early")
    page.open(app.url)
    page.wait_text("#whole-bar", "early")
    page.wait_text("#whole-state", "on")
    page.wait_prop("whole-spun", "title", "set")
    app.open_gate("whole")
    page.wait_text("#whole-bar", "late")
    page.open(app.url)
    page.wait_text("#whole-bar", "late")
    page.record("#whole-state", "#whole-bar")
    app.open_gate("whole-end")
    page.wait_text("#whole-result", "done 1")
    page.wait_text("#whole-bar", "idle")
    assert page.recorded("#whole-state") == ["on", "off"]
    assert page.recorded("#whole-bar") == ["late", "idle"]
    page.wait_text("#whole-next", "followed")
    page.wait_text("#whole-inner-next", "saw done 1")
    assert app.notes("whole") == ["1"]
    assert app.notes("whole-next") == ["called"], "once for each result"
    page.open(app.url)
    assert page.stays(lambda: page.text("#whole-result") == "" == page.text("#whole-state"))


source += """
@part("away")
def update(n):
    note("away", n)
    wait_for("away")
    note("away", "ends")
    return f"done {n}"
"""


def test_the_outcome_of_a_job_that_ended_meanwhile_is_there(page: Page, app: Server):
    page.click("#away-run")
    app.wait_for_note("away")
    page.driver.get("about:blank")
    app.open_gate("away")
    app.wait_for_note("away", 2)
    page.open(app.url)
    page.wait_text("#away-result", "done 1")
    page.wait_text("#away-state", "off")


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_another_tab_does_not_take_it_for_its_own(page: Page, app: Server):
    app.close_gate("away")
    count = len(app.notes("away"))
    page.click("#away-run")
    app.wait_for_note("away", count + 1)
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    try:
        page.open(app.url)
        assert page.stays(lambda: page.text("#away-state") == "")
    finally:
        page.driver.close()
        page.driver.switch_to.window(first)
    app.open_gate("away")
    page.wait_text("#away-result", "done 1")


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_a_tab_that_crashes_finds_its_job(page: Page, app: Server):
    app.close_gate("away")
    count = len(app.notes("away"))
    with raw_tab(page, app.url) as tab:
        tab.js("document.querySelector('#away-run').click()")
        app.wait_for_note("away", count + 1)
        tab.wait_text("#away-state", "on")
        tab.crash()
        tab.command("Page.reload")
        tab.wait_text("#away-state", "on")
        app.open_gate("away")
        tab.wait_text("#away-result", "done 1")


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_a_job_that_was_found_can_be_cancelled(page: Page, app: Server):
    app.close_gate("away")
    count = len(app.notes("away"))
    page.click("#away-run")
    app.wait_for_note("away", count + 1)
    page.open(app.url)
    page.wait_text("#away-state", "on")
    page.click("#away-stop")
    page.wait_text("#away-state", "off")
    assert page.stays(lambda: page.text("#away-result") == "")
    page.open(app.url)
    assert page.stays(lambda: page.text("#away-state") == "")


def test_a_click_replaces_a_job_that_was_found(page: Page, app: Server):
    app.close_gate("away")
    count = len(app.notes("away"))
    page.click("#away-run")
    page.wait_text("#away-state", "on")
    app.wait_for_note("away", count + 1)
    page.open(app.url)
    page.wait_text("#away-state", "on")
    page.record("#away-state", "#away-result")
    page.click("#away-run")
    app.wait_for_note("away", count + 2)
    app.open_gate("away")
    page.wait_text("#away-result", "done 1")
    page.wait_text("#away-state", "off")
    assert page.recorded("#away-state") == ["on", "off"]
    assert page.recorded("#away-result") == ["", "done 1"]


source += """
def slow_key():
    note("slow-key")
    wait_for("slow-key")

@part("slow", cache_by=slow_key)
def update(n):
    note("slow", n)
    wait_for("slow")
    return f"done {n}"
"""


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_a_page_that_was_left_before_the_server_had_answered_runs_it_once(page: Page, app: Server):
    page.click("#slow-run")
    app.wait_for_note("slow-key")
    page.open(app.url)
    page.wait_text("#slow-state", "on")
    app.wait_for_note("slow-key", 2)
    app.open_gate("slow-key")
    app.wait_for_note("slow")
    app.open_gate("slow")
    page.wait_text("#slow-result", "done 1")
    assert app.notes("slow") == ["1"]


source += """
page.append(dcc.Input(id="asked", value="a", type="text"))

@part("load", input=Input("asked", "value"), prevent_initial_call=False)
def update(value):
    if is_open("load-asked"):
        note("load", value)
        wait_for(f"load-{value}")
    return f"done {value}"

@part("unclicked", prevent_initial_call=False)
def update(n):
    note("unclicked", n)
    if not n:
        raise PreventUpdate
    wait_for("unclicked")
    return f"done {n}"
"""


def test_what_a_page_asks_when_it_is_loaded_is_asked_once(page: Page, app: Server):
    app.open_gate("load-asked")
    page.driver.get(app.url)
    app.wait_for_note("load")
    page.driver.get(app.url)
    page.wait_text("#load-state", "on")
    page.wait_idle()
    page.type("#asked", "b")
    app.wait_for_note("load", 2)
    page.driver.get(app.url)
    app.wait_for_note("load", 3)
    assert app.notes("load") == ["a", "b", "a"], "the page asks something else than before"
    app.open_gate("load-a")
    page.wait_text("#load-result", "done a")
    app.close_gate("load-asked")


def test_a_job_of_a_click_outlives_the_call_that_the_page_makes_when_it_is_loaded(
    page: Page, app: Server
):
    page.click("#unclicked-run")
    page.wait_text("#unclicked-state", "on")
    page.wait(lambda: app.notes("unclicked")[-1] == "1")
    page.open(app.url)
    page.wait_text("#unclicked-state", "on")
    app.open_gate("unclicked")
    page.wait_text("#unclicked-result", "done 1")


source += """
@part("failing", on_error=None)
def update(n):
    note("failing", n)
    wait_for("failing")
    raise ValueError("as planned")
"""


def test_an_error_is_shown_also_after_a_reload(page: Page, app: Server):
    page.click("#failing-run")
    app.wait_for_note("failing")
    page.open(app.url)
    page.wait_text("#failing-state", "on")
    app.open_gate("failing")
    page.wait_error("(?s)failing-result.children.*ValueError: as planned")
    page.wait_text("#failing-state", "off")


source += """
page += [html.Div([html.Button("run", id={"type": "each-run", "n": n}),
                   html.P(id={"type": "each-state", "n": n}),
                   html.P(id={"type": "each-bar", "n": n}),
                   html.P(id={"type": "each-result", "n": n})]) for n in (1, 2)]

@app.long_callback(Output({"type": "each-result", "n": MATCH}, "children"),
                   Input({"type": "each-run", "n": MATCH}, "n_clicks"),
                   running=(Output({"type": "each-state", "n": ALL}, "children"), "on", "off"),
                   progress=Output({"type": "each-bar", "n": MATCH}, "children"),
                   prevent_initial_call=True)
def update(set_progress, clicks):
    n = ctx.triggered_id["n"]
    set_progress(f"at work {n}")
    wait_for("each")
    return f"done {n}"

page += [html.Button("run", id="bare-run"), html.P(id="bare-state"), html.P(id="bare")]

@app.long_callback(Input("bare-run", "n_clicks"), prevent_initial_call=True,
                   running=(Output("bare-state", "children"), "on", "off"))
def update(n):
    wait_for("each")
    set_props("bare", {"children": f"done {n}"})
"""


def test_jobs_of_patterns_and_without_outputs_are_found(page: Page, app: Server):
    result, bar = ({"type": f"each-{name}", "n": 2} for name in ("result", "bar"))
    page.click({"type": "each-run", "n": 2})
    page.wait_text(bar, "at work 2")
    page.click("#bare-run")
    page.wait_text("#bare-state", "on")
    page.open(app.url)
    page.wait_text(bar, "at work 2")
    assert page.text({"type": "each-bar", "n": 1}) == ""
    for n in (1, 2):
        page.wait_text({"type": "each-state", "n": n}, "on")
    page.wait_text("#bare-state", "on")
    app.open_gate("each")
    page.wait_text(result, "done 2")
    page.wait_text("#bare", "done 1")
    page.wait_text("#bare-state", "off")
    for n in (1, 2):
        page.wait_text({"type": "each-state", "n": n}, "off")


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_a_job_that_the_server_does_not_know_any_more_is_told_and_forgotten(
    page: Page, app: Server
):
    app.close_gate("away")
    count = len(app.notes("away"))
    page.click("#away-run")
    app.wait_for_note("away", count + 1)
    page.wait(lambda: remembered(page) and "payload" not in remembered(page)[0])
    page.js(
        "const [key, text] = Object.entries(sessionStorage)[0], question = JSON.parse(text);"
        "sessionStorage.clear();"
        "sessionStorage[key.replace(question.id, 'forged')] ="
        " JSON.stringify({...question, id: 'forged'})"
    )
    page.open(app.url)
    page.expect_console("404")
    page.wait(lambda: not remembered(page))
    page.wait_text("#away-state", "off")
    page.wait_text(
        ".long-callback-notice-text", "The result is not available any more. Run it again."
    )
    app.open_gate("away")


def remembered(page: Page) -> list[Any]:
    """What the tab will look for when it is loaded again."""
    return [json.loads(text) for text in page.js("return Object.values(sessionStorage)")]


source += """
page += [dcc.Link("one", href="/one", id="to-one"), dcc.Link("two", href="/two", id="to-two"),
         dcc.Location(id="url"), html.Div(id="content")]

@app.callback(Output("content", "children"), Input("url", "pathname"))
def show(path):
    return [html.P(f"page {path}", id="name"), html.Button("run", id="paged-run"),
            html.P(id="paged-state"), html.P(id="paged-bar"), html.P(id="paged-result"),
            ] if path == "/one" else html.P(f"page {path}", id="name")

page.append(html.P(id="paged-toast"))

@app.long_callback(Output("paged-result", "children"), Input("paged-run", "n_clicks"),
                   running=(Output("paged-state", "children"), "on", "off"),
                   progress=Output("paged-bar", "children"), progress_default="idle",
                   prevent_initial_call=True)
def update(set_progress, n):
    set_progress("early")
    wait_for("paged")
    set_props("paged-toast", {"children": "nearly"})
    wait_for("paged-end")
    return f"done {n}"
"""


def leave_while_it_runs(page: Page) -> None:
    """Start a job on one page of the app, and go to another."""
    page.click("#to-one")
    page.wait_text("#name", "page /one")
    page.click("#paged-run")
    page.wait_text("#paged-bar", "early")
    page.click("#to-two")
    page.wait_text("#name", "page /two")


def test_a_page_of_the_app_that_comes_back_shows_what_still_runs(page: Page, app: Server):
    leave_while_it_runs(page)
    app.open_gate("paged")
    page.wait_text("#paged-toast", "nearly")
    page.click("#to-one")
    page.wait_text("#paged-bar", "early")
    page.wait_text("#paged-state", "on")
    app.open_gate("paged-end")
    page.wait_text("#paged-result", "done 1")
    page.wait_text("#paged-state", "off")
    page.wait_text("#paged-bar", "idle")
    assert page.console() == []


def test_an_outcome_waits_for_its_page_of_the_app(page: Page, app: Server):
    app.close_gate("paged-end")
    leave_while_it_runs(page)
    app.open_gate("paged-end")
    page.wait_text("#paged-toast", "nearly")
    page.wait(lambda: len(remembered(page)) == 1)
    page.click("#to-one")
    page.wait_text("#paged-result", "done 1")
    page.wait(lambda: not remembered(page))
    assert page.console() == []


def test_an_outcome_that_comes_just_after_its_page_of_the_app_is_shown(page: Page, app: Server):
    """Before anybody has looked which outputs are there again."""
    app.close_gate("paged-end")
    leave_while_it_runs(page)
    page.js(
        "const before = window.setTimeout;window.setTimeout = (act, ms) => before(act, ms || 500)"
    )
    page.click("#to-one")
    page.wait_text("#name", "page /one")
    app.open_gate("paged-end")
    page.wait_text("#paged-result", "done 1")
    page.wait(lambda: not remembered(page))


# The server


source += """
@part("restarted")
def update(n):
    return f"done {n}"
"""


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_a_server_that_starts_again_meanwhile_is_not_noticed(page: Page, app: Server):
    page.expect_console("Failed to load resource|ERR_")
    app.kill()
    page.record("#restarted-state", "#restarted-result")
    page.click("#restarted-run")
    assert page.stays(lambda: page.text("#restarted-result") == "", 1)
    assert page.text("#restarted-state") == "on"
    app.start()
    page.wait_text("#restarted-result", "done 1")
    page.wait_text("#restarted-state", "off")
    assert page.recorded("#restarted-state") == ["", "on", "off"]
