"""Several jobs: of one tab, of two tabs, one after the other; and what Dash shows of them."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from apps import Server
from page import Page

keep_page = True

source = """
def part(name, *more, **kwargs):
    page.extend([html.Button("run", id=f"{name}-run"), html.Div(id=f"{name}-result"), *more])
    return app.long_callback(Output(f"{name}-result", "children"), Input(f"{name}-run", "n_clicks"),
                             prevent_initial_call=True, **kwargs)
"""


@contextmanager
def second_tab(page: Page, url: str) -> Generator[None]:
    """Another tab, with the same page, is in front."""
    driver = page.driver
    first = driver.current_window_handle
    driver.switch_to.new_window("tab")
    try:
        page.open(url)
        yield
    finally:
        driver.close()
        driver.switch_to.window(first)


source += """
@part("equal")
def update(n):
    note("equal")
    wait_for("equal")
    return f"done {n}"
"""


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_two_tabs_with_equal_arguments_both_get_the_result(page: Page, app: Server):
    page.click("#equal-run")
    app.wait_for_note("equal")
    with second_tab(page, app.url):
        page.click("#equal-run")
        assert page.stays(lambda: page.text("#equal-result") == "", 0.2)
        app.open_gate("equal")
        page.wait_text("#equal-result", "done 1")
    page.wait_text("#equal-result", "done 1")


source += """
@part("cancelled", html.Button("stop", id="cancelled-stop"),
      cancel=Input("cancelled-stop", "n_clicks"))
def update(n):
    note("cancelled")
    wait_for("cancelled")
    return f"done {n}"
"""


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_a_cancel_in_one_tab_leaves_the_job_of_the_other(page: Page, app: Server):
    page.click("#cancelled-run")
    app.wait_for_note("cancelled")
    with second_tab(page, app.url):
        page.click("#cancelled-run")
        assert page.stays(lambda: page.text("#cancelled-result") == "", 0.2)
        page.click("#cancelled-stop")
        page.wait_idle()
    app.open_gate("cancelled")
    page.wait_text("#cancelled-result", "done 1")


source += """
@part("replaced")
def update(n):
    note("replaced", f"begins {n}")
    try:
        wait_for("never" if n == 1 else "replaced")
    finally:
        note("replaced", f"ends {n}")
    return f"done {n}"
"""


def test_a_new_trigger_replaces_the_running_job(page: Page, app: Server):
    page.record("#replaced-result")
    page.click("#replaced-run")
    app.wait_for_note("replaced")
    page.click("#replaced-run")
    app.wait_for_note("replaced", 3)
    assert {"begins 2", "ends 1"} <= set(app.notes("replaced"))
    app.open_gate("replaced")
    page.wait_text("#replaced-result", "done 2")
    page.wait_idle()
    assert page.recorded("#replaced-result") == ["", "done 2"]
    assert app.notes("replaced")[-1] == "ends 2"


source += """
@part("clicked")
def update(n):
    note("clicked", n)
    return f"done {n}"
"""


def test_after_many_quick_clicks_the_last_result_is_shown(page: Page):
    page.js("for (let i = 0; i < 20; i++) document.querySelector('#clicked-run').click()")
    page.wait(lambda: (page.text("#clicked-result") or "").startswith("done"))
    page.wait_idle()
    clicks = page.prop("clicked-run", "n_clicks")
    page.wait_text("#clicked-result", f"done {clicks}")


source += """
page += [html.Button("run", id="row-run"), html.Button("stop", id="row-stop"),
         *(html.Div(id=f"row-{i}") for i in range(20))]

for i in range(20):
    @app.long_callback(Output(f"row-{i}", "children"), Input("row-run", "n_clicks"),
                       cancel=Input("row-stop", "n_clicks"), prevent_initial_call=True)
    def update(n):
        wait_for("never")
"""


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_jobs_that_begin_one_after_the_other_share_the_questions_for_news(page: Page):
    page.js(
        "const send = window.fetch; let line = Promise.resolve();"
        "window.fetch = (url, options) => {"
        " if (!url.endsWith('_dash-update-component')) return send(url, options);"
        " line = line.then(() => new Promise((resolve) => setTimeout(resolve, 50)));"
        " return line.then(() => send(url, options)); };"
    )
    clicks = page.requests("_dash-update-component")
    questions = page.requests("/updates")
    begun = time.monotonic()
    page.click("#row-run")
    page.wait(lambda: page.requests("_dash-update-component") == clicks + 20)
    # One every 200 ms. A slow machine takes longer for the clicks, and asks more often meanwhile.
    most = 2 + (time.monotonic() - begun) / 0.2
    questions = page.requests("/updates") - questions
    page.click("#row-stop")
    page.wait_idle()
    page.leave()
    assert 0 < questions <= most


source += """
page += [html.Button("run all", id="crowd-run"), html.Button("stop", id="crowd-stop"),
         html.Button("count", id="count"), html.Div(id="counted"),
         *(dcc.Loading(html.Div(id=f"crowd-{i}"), custom_spinner=html.I(id=f"crowd-turns-{i}"),
                       overlay_style={"visibility": "visible"})
           for i in range(20)),
         html.Div(id="crowd-next")]

for i in range(20):
    @app.long_callback(Output(f"crowd-{i}", "children"), Input("crowd-run", "n_clicks"),
                       cancel=Input("crowd-stop", "n_clicks"), prevent_initial_call=True)
    def update(n, i=i):
        note("crowd", i)
        wait_for("never" if n == 2 else "crowd")
        if i == 18:
            raise ValueError("as planned")
        return html.Div(f"done {i}", id=f"crowd-inner-{i}")

@app.callback(Output("counted", "children"), Input("count", "n_clicks"))
def count(n):
    return f"{n}"

app.config.suppress_callback_exceptions = True
@app.callback(Output("crowd-next", "children"), Input("crowd-inner-19", "children"),
              prevent_initial_call=True)
def follow(text):
    return f"after {text}"

@app.callback(Output("crowd-inner-17", "title"), Input("crowd-inner-17", "children"))
def name(text):
    note("crowd-inner", text)
    return text
"""


def test_twenty_jobs_leave_the_page_to_ordinary_callbacks(page: Page, app: Server):
    page.click("#crowd-run")
    app.wait_for_note("crowd", 4)
    for clicks in (1, 2, 3):
        page.click("#count")
        page.wait_text("#counted", f"{clicks}")
    page.wait(lambda: all(page.exists(f"#crowd-turns-{i}") for i in range(20)))
    assert page.js("return document.title") == "Updating..."
    app.open_gate("crowd")
    for i in range(20):
        if i != 18:
            page.wait_text(f"#crowd-{i}", f"done {i}")
    page.wait_error("(?s)crowd-18.children.*ValueError: as planned")
    page.wait(lambda: page.prop("crowd-inner-17", "title") == "done 17")
    page.wait_idle()
    page.wait(lambda: not any(page.exists(f"#crowd-turns-{i}") for i in range(20)))
    assert app.notes("crowd-inner") == ["done 17"]
    page.click("#crowd-run")
    app.wait_for_note("crowd", 24)
    page.click("#crowd-stop")
    page.wait_idle()
    page.wait(lambda: not any(page.exists(f"#crowd-turns-{i}") for i in range(20)))
    assert page.text("#crowd-19") == "done 19"


source += """
@part("loading", dcc.Loading(html.Div(id="loaded"), id="loading"))
def update(n):
    wait_for(f"loading-{n}")
    return "done"

page += [html.Button("run", id="inside-run"),
         dcc.Loading(html.Div(id="inside-result"), id="inside", custom_spinner=html.B("turning"))]
@app.long_callback(Output("inside-result", "children"), Input("inside-run", "n_clicks"),
                   prevent_initial_call=True)
def update(n):
    wait_for(f"inside-{n}")
    if n == 2:
        raise ValueError("as planned")
    return f"done {n}"
"""


def test_dcc_loading_shows_while_the_job_runs(page: Page, app: Server):
    def turning() -> bool:
        return page.js(
            "return [...document.querySelectorAll('b')].some("
            " b => b.textContent === 'turning' && b.checkVisibility({visibilityProperty: true}))"
        )

    assert not turning()
    page.click("#inside-run")
    page.wait(turning)
    app.open_gate("inside-1")
    page.wait_text("#inside-result", "done 1")
    page.wait(lambda: not turning())
    page.click("#inside-run")
    page.wait(turning)
    app.open_gate("inside-2")
    page.wait_error("as planned")
    page.wait(lambda: not turning())
    page.click("#inside-run")
    page.wait(turning)
    page.click("#inside-run")  # the new job replaces the old one
    assert page.stays(turning)
    app.open_gate("inside-4")
    page.wait_text("#inside-result", "done 4")
    page.wait(lambda: not turning())


def test_the_title_says_updating_while_the_job_runs(page: Page, app: Server):
    def title() -> str:
        return page.js("return document.title")

    assert title() == "Dash"
    page.click("#loading-run")
    page.wait(lambda: title() == "Updating...")
    app.open_gate("loading-1")
    page.wait_text("#loading-result", "done")
    page.wait(lambda: title() == "Dash")


# Restarts

source += """
@part("restart", html.Div(id="restart-bar"), progress=Output("restart-bar", "children"),
      progress_default="idle", running=(Output("restart-run", "title"), "on", "off"))
def update(set_progress, n):
    set_progress("at work")
    wait_for("restart")
    set_progress("nearly there")
    wait_for("restart-end")
    return "done"
"""


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_a_job_outlives_a_crash_and_a_restart_of_the_server(page: Page, app: Server):
    page.expect_console("ERR_")
    page.click("#restart-run")
    page.wait_text("#restart-bar", "at work")
    app.kill()
    app.open_gate("restart")
    assert page.stays(lambda: page.prop("restart-run", "title") == "on", 0.5)
    app.start()
    page.wait_text("#restart-bar", "nearly there")
    app.open_gate("restart-end")
    page.wait_text("#restart-result", "done")
    page.wait_prop("restart-run", "title", "off")
    page.wait_text("#restart-bar", "idle")
