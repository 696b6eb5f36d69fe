"""Whether somebody is there: tabs in the background, and jobs that end when their page has gone."""

from __future__ import annotations

import time

import pytest
from apps import Server
from page import Page
from raw_tab import raw_tab

pytestmark = pytest.mark.newest_only  # pages leave and sleep alike on every Dash

#: Seconds, shorter than anybody would want them.
GONE, SILENT, HIDDEN, HOLD = 2, 4, 3, 2
pacing = f"gone={GONE}, silent={SILENT}, hidden={HIDDEN}, hold={HOLD}"

source = """
import flask

@app.server.before_request
def count():
    if flask.request.path.endswith(("/updates", "/leave")):
        note(flask.request.path.rpartition("/")[2])

def part(name, **kwargs):
    page.extend([html.Button("run", id=f"{name}-run"), html.P(id=f"{name}-state"),
                 html.P(id=f"{name}-result")])
    return app.long_callback(
        Output(f"{name}-result", "children"), Input(f"{name}-run", "n_clicks"),
        running=(Output(f"{name}-state", "children"), "on", "off"),
        prevent_initial_call=True, **kwargs)

for name in ("left", "reloaded", "seen", "crashed"):
    @part(name, on_disconnect="cancel")
    def update(n, name=name):
        note(name, "begins")
        try:
            wait_for(name, 60)
        except BaseException:
            note(name, "is cancelled")
            raise
        return f"done {n}"

@part("continues")
def update(n):
    note("continues", "begins")
    wait_for("continues")
    note("continues", "ends")
    return f"done {n}"
"""


def test_a_job_whose_page_was_left_is_cancelled(page: Page, app: Server):
    page.click("#left-run")
    app.wait_for_note("left")
    page.wait_text("#left-state", "on")
    begun = time.monotonic()
    page.driver.get("about:blank")
    assert app.wait_for_note("left", 2)[1] == "is cancelled"
    assert app.notes("leave"), "the page said that it was left"
    assert GONE <= time.monotonic() - begun < GONE + 20
    page.open(app.url)
    page.wait_text("#left-state", "off")
    assert page.text("#left-result") == ""


def test_a_job_goes_on_while_its_page_is_loaded_again(page: Page, app: Server):
    page.click("#reloaded-run")
    app.wait_for_note("reloaded")
    page.wait_text("#reloaded-state", "on")
    for _ in range(2):
        page.open(app.url)
        page.wait_text("#reloaded-state", "on")
    assert page.stays(lambda: len(app.notes("reloaded")) == 1, GONE + SILENT + HOLD + 1)
    app.open_gate("reloaded")
    page.wait_text("#reloaded-result", "done 1")


def test_a_page_that_falls_silent_counts_as_gone_in_the_end(page: Page, app: Server):
    before = len(app.notes("leave"))
    with raw_tab(page, app.url) as tab:
        tab.js("document.querySelector('#crashed-run').click()")
        app.wait_for_note("crashed")
        tab.wait_text("#crashed-state", "on")
        tab.crash()
    assert app.wait_for_note("crashed", 2)[1] == "is cancelled"
    assert len(app.notes("leave")) == before


def test_a_job_goes_on_without_its_page_unless_the_callback_says_otherwise(page: Page, app: Server):
    page.click("#continues-run")
    app.wait_for_note("continues")
    page.driver.get("about:blank")
    assert page.stays(lambda: len(app.notes("continues")) == 1, GONE + 1)
    app.open_gate("continues")
    app.wait_for_note("continues", 2)
    page.open(app.url)
    page.wait_text("#continues-result", "done 1")


def test_a_tab_in_the_background_asks_rarely_and_is_up_to_date_when_it_is_seen(
    page: Page, app: Server
):
    page.click("#seen-run")
    app.wait_for_note("seen")
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    other = page.driver.current_window_handle
    try:
        page.driver.switch_to.window(first)
        page.driver.switch_to.window(other)
        time.sleep(2.5)  # until it counts as one
        before = len(app.notes("updates"))
        time.sleep(2 * HIDDEN)
        assert 1 <= len(app.notes("updates")) - before <= 3
        assert len(app.notes("seen")) == 1, "it is in the background, but it is there"
        app.open_gate("seen")
    finally:
        page.driver.close()
        page.driver.switch_to.window(first)
    page.wait_text("#seen-result", "done 1", timeout=HIDDEN + 5)
