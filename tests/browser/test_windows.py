"""Eight windows of a browser, each with a job: they share the connections to the server."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest
from apps import Server, wait_until
from page import Page

pytestmark = pytest.mark.newest_only  # windows are alike on every Dash

WINDOWS = 8
APP = """
import os
import diskcache
from dash import Input, Output, html
from dash_long_callback import Dash, DiskcacheLongCallbackManager, Pacing
from in_app import note, wait_for

manager = DiskcacheLongCallbackManager(diskcache.Cache(os.environ["FOLDER"] + "/cache"), workers=8)
pacing = Pacing(hidden=600)
app = Dash(__name__, long_callback_manager=manager, long_callback_pacing=pacing)
server = app.server
app.layout = html.Div([html.Button("Run", id="run"), html.P(id="bar"), html.P(id="out"),
                       html.Button("Count", id="count"), html.P(id="counted"), html.P(id="seen")])

@app.long_callback(
    Output("out", "children"), Input("run", "n_clicks"), progress=Output("bar", "children"),
    prevent_initial_call=True)
def work(set_progress, n_clicks):
    note("begun")
    set_progress("begun")
    for step in range(3):
        wait_for(f"step-{step}", 60)
        set_progress(f"step {step}")
    wait_for("second" if n_clicks == 2 else "end", 60)
    return f"done {n_clicks}"

@app.callback(Output("counted", "children"), Input("count", "n_clicks"), prevent_initial_call=True)
def count(n_clicks):
    return f"{n_clicks}"

@app.callback(Output("seen", "children"), Input("out", "children"), prevent_initial_call=True)
def see(text):
    note("seen", text)
"""

#: Keeps what a page has asked.
WATCH = """
const send = window.fetch;
window.asked = [];
window.fetch = (url, options) => {
    if (String(url).endsWith('/updates')) {
        asked.push(JSON.parse(options.body));
        try { localStorage.setItem('asked', options.body); } catch { }
    }
    return send(url, options);
};
"""


@contextmanager
def windows(page: Page, url: str) -> Generator[list[str]]:
    """Windows with the same page, all in sight."""
    driver = page.driver
    first = driver.current_window_handle
    opened: list[str] = []
    try:
        for _ in range(WINDOWS):
            driver.switch_to.new_window("window")
            opened.append(driver.current_window_handle)
            page.open(url)
            page.js(WATCH)
        yield opened
    finally:
        for window in opened:
            if window in driver.window_handles:
                driver.switch_to.window(window)
                driver.close()
        driver.switch_to.window(first)


def holders(page: Page, opened: list[str]) -> list[str]:
    """The windows whose last request may wait."""
    found: list[str] = []
    for window in opened:
        page.driver.switch_to.window(window)
        assert not page.js("return document.hidden"), "a window in sight"
        last = page.js("return asked[asked.length - 1]")
        if last and not last.get("pace") and not last.get("hidden"):
            found.append(window)
    return found


def test_in_each_of_eight_windows_with_jobs_an_ordinary_callback_answers(
    serve: Callable[..., Server], blank: Page
) -> None:
    """What windows do is the same on each server; the benchmark ``windows`` has FastAPI, too."""
    gunicorn = ("-m", "gunicorn", "--threads", "8", "--bind", "127.0.0.1:{port}", "app:server")
    server = serve(APP, command=gunicorn)
    page = blank
    with windows(page, server.url) as opened:
        for window in opened:
            page.driver.switch_to.window(window)
            page.click("#run")
        server.wait_for_note("begun", WINDOWS)
        for window in opened:
            page.driver.switch_to.window(window)
            page.wait_text("#bar", "begun")
        wait_until(lambda: len(holders(page, opened)) == 2, 15, "two of them to hold a request")
        took: list[float] = []
        for window in opened:
            page.driver.switch_to.window(window)
            begun = time.monotonic()
            page.click("#count")
            page.wait_text("#counted", "1", timeout=12)  # a request is held for 15 s
            took.append(time.monotonic() - begun)
        print("ordinary callbacks, in ms:", [round(1000 * seconds) for seconds in took])
        for step in range(2):
            server.open_gate(f"step-{step}")
            for window in opened:
                page.driver.switch_to.window(window)
                page.wait_text("#bar", f"step {step}")
        # One that is closed leaves its place to another, and so does one that goes elsewhere.
        closed, left = holders(page, opened)
        page.driver.switch_to.window(closed)
        page.driver.close()
        page.driver.switch_to.window(left)
        page.driver.get("about:blank")
        others = [window for window in opened if window not in (closed, left)]
        wait_until(lambda: len(holders(page, others)) == 2, 15, "two others to hold a request")
        for gate in ("step-2", "end"):
            server.open_gate(gate)
        for window in others:
            page.driver.switch_to.window(window)
            page.wait_text("#out", "done 1")
        places = "return Object.keys(localStorage).filter(key => key.includes('holder'))"
        assert page.js(places) == [], "nothing runs, so nobody has one"
        _a_tab_in_the_background_is_told_by_one_in_sight(page, server)
        _a_tab_that_crashed_loses_its_place(page, server)
        _a_tab_that_may_store_nothing_asks_now_and_then(page, server)


def _a_tab_in_the_background_is_told_by_one_in_sight(page: Page, server: Server) -> None:
    """It is to ask in ten minutes again, but what it waits for is over."""
    server.close_gate("end")
    seen = len(server.wait_for_note("seen", WINDOWS - 2))
    page.click("#run")
    page.wait_text("#bar", "step 2")
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    try:
        page.open(server.url)
        page.wait(lambda: '"hidden":true' in page.js("return localStorage.getItem('asked')"))
        page.js(WATCH)
        page.click("#run")
        page.wait_text("#bar", "step 2")
        page.wait(
            lambda: page.js("return Object.keys(asked[asked.length - 1].others || {}).length")
        )
        server.open_gate("second")
        server.wait_for_note("seen", seen + 1)
        server.open_gate("end")
        page.wait_text("#out", "done 1")
    finally:
        page.driver.close()
        page.driver.switch_to.window(first)
    page.wait_text("#out", "done 2")


def _a_tab_that_crashed_loses_its_place(page: Page, server: Server) -> None:
    server.close_gate("end")
    page.js(
        "for (const i of [0, 1]) localStorage.setItem("
        " `dash-long-callback holder ${i}`, `crashed ${Date.now() + 6000}`)"
    )
    window = page.driver.current_window_handle
    page.click("#run")
    page.wait_text("#bar", "step 2")
    page.wait(lambda: holders(page, [window]) == [])
    page.wait(lambda: holders(page, [window]) == [window])
    server.open_gate("end")
    page.wait_idle()


def _a_tab_that_may_store_nothing_asks_now_and_then(page: Page, server: Server) -> None:
    server.close_gate("end")
    page.js("Storage.prototype.setItem = () => { throw new Error('full'); }")
    page.click("#run")
    page.wait_text("#bar", "step 2")
    assert page.stays(lambda: holders(page, [page.driver.current_window_handle]) == [], 1)
    server.open_gate("end")
    page.wait_idle()
