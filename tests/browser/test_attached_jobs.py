"""Jobs that an ordinary callback has started, and shows on its page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from raw_tab import raw_tab

if TYPE_CHECKING:
    from apps import Server
    from page import Page

keep_page = True

source = """
import flask
from dash_long_callback import attach, find_job, submit

manager.user = lambda: flask.request.cookies.get("user") if flask.has_request_context() else None
app.config.suppress_callback_exceptions = True
ids = FOLDER / "ids"

def part(name, *more, outputs=1, **kwargs):
    page.extend([html.Button(name, id=f"{name}-run"), html.Button("stop", id=f"{name}-stop"),
                 html.P(id=f"{name}-state"), html.P(id=f"{name}-bar"), html.P(id=f"{name}-result"),
                 html.Button("show", id=f"{name}-show"), html.P("as it was", id=f"{name}-shown"),
                 *more])
    return app.long_callback(
        Output(f"{name}-result", "children"), Input(f"{name}-run", "n_clicks"),
        running=(Output(f"{name}-state", "children"), "on", "off"),
        cancel=Input(f"{name}-stop", "n_clicks"), prevent_initial_call=True, **kwargs)

def shows(name):
    return app.callback(Output(f"{name}-shown", "children"), Input(f"{name}-show", "n_clicks"),
                        prevent_initial_call=True)

def keep(name, job):
    (FOLDER / f"id-{name}").write_text(job.id)
    return job

def kept(name):
    return find_job((FOLDER / f"id-{name}").read_text())

@part("whole", html.P(id={"log": 1}), html.P(id={"log": 2}), html.P(id="whole-side"),
      progress=[Output("whole-bar", "children"), Output({"log": ALL}, "children")],
      progress_default=["idle", "empty"], indicator=True)
def whole(set_progress, n):
    note("whole", n)
    set_progress(["early", "logged"])
    set_props("whole-side", {"children": "set"})
    set_props("whole-side", {"title": "set, too"})
    yield "partial"
    note("whole-reported")
    wait_for(f"whole-{n}")
    set_progress(["late", "logged"])
    yield f"done {n}"

@shows("whole")
def show(n):
    job = keep("whole", submit(whole, 10 + n))
    while (FOLDER / "late").exists() and not job.progress[1]:
        time.sleep(0.01)
    return attach(job)

page.append(html.Button("again", id="whole-again"))
@app.callback(Input("whole-again", "n_clicks"), prevent_initial_call=True)
def again(n):
    attach(kept("whole"))
    attach(kept("whole"))

@part("ignores", on_retrigger="ignore")
def ignores(n):
    note("ignores", n)
    wait_for("ignores")
    return f"done {n}"

@part("queues", on_retrigger="queue")
def queues(n):
    note("queues", n)
    wait_for("queues")
    return f"done {n}"

@part("raises")
def raises(n):
    raise ValueError("secret")

@part("handled", on_error=lambda error: "handled")
def handled(n):
    raise ValueError("secret")

@part("cached", cache_by=[])
def cached(n):
    note("cached", n)
    return f"done {n}"

page += [html.Button("all", id="all"), html.P(id="all-1"), html.P(id="all-2")]
@app.callback(Output("all-1", "children"), Output("all-2", "children"), Input("all", "n_clicks"),
              prevent_initial_call=True)
def all_of_them(n):
    jobs = [submit(function, 100 * n) for function in (ignores, queues, raises, handled, cached)]
    return f"{len(jobs)} jobs", [attach(job) for job in jobs][-1]

@shows("cached")
def show_cached(n):
    submit(cached, 7).result(timeout=30)
    job = submit(cached, 7)
    note("was-cached", job.cached)
    return attach(job)

@part("mine")
def mine(n):
    return f"done {n}"

@shows("mine")
def show_mine(n):
    return attach(submit(mine, 1, user="ann"))

page += [html.Button("away", id="away"), html.Div(id="place")]
@app.long_callback(Output("elsewhere", "children"), Input("nothing", "n_clicks"),
                   running=(Output("elsewhere", "title"), "on", "off"), prevent_initial_call=True)
def elsewhere(n):
    wait_for("elsewhere")
    return f"done {n}"

@app.callback(Input("away", "n_clicks"), prevent_initial_call=True)
def start_elsewhere(n):
    attach(submit(elsewhere, n))

page.append(html.Button("go", id="go"))
@app.callback(Output("place", "children"), Input("go", "n_clicks"), prevent_initial_call=True)
def go(n):
    return [html.P(id="elsewhere"), html.Button(id="nothing")]

# Two callbacks that answer at the same time.
page += [html.Button("both", id="both"), html.P(id="both-1"), html.P(id="both-2")]
for number, function in ((1, mine), (2, handled)):
    def answer(n, function=function):
        return attach(submit(function, 5))
    app.callback(Output(f"both-{number}", "children"), Input("both", "n_clicks"),
                 prevent_initial_call=True)(answer)
"""


@pytest.fixture
def page(page: Page, app: Server) -> Iterator[Page]:
    yield page
    page.driver.delete_all_cookies()


def notices(page: Page) -> list[str]:
    return page.js(
        "return [...document.querySelectorAll('.long-callback-notice')].map(e => e.innerText)"
    )


def test_a_job_of_code_is_shown_as_one_that_was_clicked_also_after_a_reload(
    page: Page, app: Server
):
    # It has reported all this before the page hears of it.
    (app.folder / "late").touch()
    page.record("#whole-shown", "#whole-state", "#whole-bar", "#whole-result")
    page.click("#whole-show")
    page.wait_text("#whole-state", "on")
    page.wait_text("#whole-bar", "early")
    page.wait_text("#whole-result", "partial")
    page.wait_text({"log": 1}, "logged")
    page.wait_text({"log": 2}, "logged")
    page.wait_prop("whole-side", "children", "set")
    page.wait_prop("whole-side", "title", "set, too")
    page.wait(lambda: page.exists(".long-callback-indicator"), "the indicator")
    assert page.recorded("#whole-bar") == ["idle", "early"]
    page.reload()
    for css, text in (
        ("#whole-state", "on"),
        ("#whole-bar", "early"),
        ("#whole-result", "partial"),
    ):
        page.wait_text(css, text)
    page.wait_text({"log": 2}, "logged")
    page.record("#whole-state", "#whole-bar", "#whole-result", "#whole-shown")
    page.click("#whole-again")  # two more names for what is shown: nothing changes
    page.wait_idle()
    app.open_gate("whole-11")
    page.wait_text("#whole-result", "done 11")
    page.wait_text("#whole-bar", "idle")
    page.wait_text({"log": 1}, "empty")
    assert page.recorded("#whole-state") == ["on", "off"]
    assert page.recorded("#whole-bar") == ["early", "late", "idle"]
    assert page.recorded("#whole-result") == ["partial", "done 11"]
    assert page.recorded("#whole-shown") == ["as it was"]
    assert app.notes("whole") == ["11"]
    # It ended long ago, and its result is kept.
    page.reload()
    page.click("#whole-again")
    page.wait_text("#whole-result", "done 11")
    page.wait_text("#whole-state", "off")
    assert not page.js("return Object.keys(sessionStorage).length")


def test_it_is_replaced_and_cancelled_as_one_that_was_clicked(page: Page, app: Server):
    page.open(app.url)
    app.close_gate("whole-11")
    count = len(app.notes("whole"))
    page.click("#whole-run")
    app.wait_for_note("whole", count + 1)
    page.click("#whole-show")  # takes the place of a click
    app.wait_for_note("whole", count + 2)
    page.wait_text("#whole-bar", "early")
    page.click("#whole-run")  # and is replaced by one
    app.open_gate("whole-2")
    page.wait_text("#whole-result", "done 2")
    page.wait_text("#whole-state", "off")
    page.click("#whole-show")
    page.wait_text("#whole-state", "on")
    page.click("#whole-stop")
    page.wait_text("#whole-state", "off")
    page.wait_text("#whole-bar", "idle")
    assert page.text("#whole-result") != "done 12"


def test_who_cancels_on_one_of_two_pages_leaves_the_job_to_the_other(page: Page, app: Server):
    count = len(app.notes("whole"))
    page.open(app.url)
    app.close_gate("whole-11")
    page.click("#whole-show")
    app.wait_for_note("whole", count + 1)
    page.wait_text("#whole-bar", "early")
    with raw_tab(page, app.url) as tab:
        tab.js("document.querySelector('#whole-again').click()")
        tab.wait_text("#whole-bar", "early")
        page.click("#whole-stop")
        page.wait_text("#whole-state", "off")
        app.open_gate("whole-11")
        tab.wait_text("#whole-result", "done 11")
    assert page.text("#whole-result") != "done 11"


def test_several_in_one_answer_end_each_in_its_way_and_clicks_come_after_them(
    page: Page, app: Server
):
    page.open(app.url)
    page.click("#all")
    page.wait_text("#all-1", "5 jobs")
    page.wait_text("#cached-result", "done 100")
    page.wait_text("#handled-result", "handled")
    page.wait(lambda: notices(page), "a notice")
    assert ["went wrong" in text for text in notices(page)] == [True]
    page.wait_error("ValueError: secret")
    page.wait_text("#ignores-state", "on")
    page.wait_text("#queues-state", "on")
    page.click("#ignores-run")
    page.click("#queues-run")
    app.open_gate("ignores")
    app.open_gate("queues")
    page.wait_text("#ignores-result", "done 100")
    page.wait_text("#queues-result", "done 1")
    assert (app.notes("ignores"), app.notes("queues")) == (["100"], ["100", "1"])


def test_answers_at_the_same_time_lose_nothing(page: Page, app: Server):
    page.open(app.url)
    for _ in range(5):
        page.js("dash_clientside.set_props('mine-result', {children: ''})")
        page.js("dash_clientside.set_props('handled-result', {children: ''})")
        page.click("#both")
        page.wait_text("#mine-result", "done 5")
        page.wait_text("#handled-result", "handled")


def test_a_kept_result_is_there_at_once(page: Page, app: Server):
    page.record("#cached-state", "#cached-result")
    before = page.recorded("#cached-state")
    page.click("#cached-show")
    page.wait_text("#cached-result", "done 7")
    assert app.notes("was-cached")[-1] == "True"
    assert page.recorded("#cached-state") == before


def test_the_job_of_another_user_is_refused_in_words(page: Page, app: Server):
    page.expect_console("404")
    page.open(app.url)
    page.click("#mine-show")
    page.wait(lambda: notices(page), "a notice")
    assert "not available any more" in notices(page)[0]
    assert page.text("#mine-result") == ""
    page.driver.add_cookie({"name": "user", "value": "ann"})
    page.click("#mine-show")
    page.wait_text("#mine-result", "done 1")


def test_it_is_shown_when_its_outputs_come(page: Page, app: Server):
    page.open(app.url)
    page.click("#away")
    page.wait_idle()
    page.click("#go")
    page.wait(lambda: page.exists("#elsewhere"), "the output")
    page.wait_prop("elsewhere", "title", "on")
    app.open_gate("elsewhere")
    page.wait_text("#elsewhere", "done 1")
