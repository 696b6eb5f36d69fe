"""What people see of a job on the component that it is for: how it waits, runs and ends."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from apps import Server
from indicators import (
    COMMON,
    FAILED,
    LOST,
    PLACES,
    Row,
    no_notice,
    row_of,
    rows,
    wait_gone,
    wait_row,
)
from page import BasePage, Page
from selenium.webdriver.common.keys import Keys

keep_page = True
NUMBER = r"no\. \d{6}"
BUTTONS = ["Try again", "\N{MULTIPLICATION SIGN}"]
#: Ours alone, and the same on every Dash.
newest_only = pytest.mark.newest_only
#: What no browser does in its own way.
in_chromium = pytest.mark.parametrize("each_page", ["chromium"], indirect=True)

source = (
    COMMON
    + """
@part("first", manager=one_worker)
def first(n):
    note("first")
    wait_for("first")
    return "done"

@part("second", manager=one_worker)
def second(n):
    wait_for("second")
    return "done"

@part("third", manager=one_worker)
def third(n):
    wait_for("third")
    return "done"

@part("chatty")
def chatty(n):
    count = 0
    while not is_open("chatty"):
        count += 1
        show_step(f"Step {count}")
        time.sleep(0.05)
    return "done"

@part("steps", cancelable=False, status=Output("steps-status", "data"))
def steps(n):
    note("steps", n)
    wait_for("begin")
    for i in track(range(4), "Reading files"):
        if i == 1:
            wait_for("middle")
    return f"done {n}"

@part("retries", retry=Retry(1, backoff=1.5, jitter=False))
def retries(n):
    if attempt() == 1:
        raise ConnectionError("for a moment")
    wait_for("retries")
    return f"done {n}"

main.append(dcc.Input(id="word", value="one"))

@app.long_callback(
    Output("killed-result", "children"), Input("killed-run", "n_clicks"), State("word", "value"),
    indicator=True, prevent_initial_call=True)
def killed(n, word):
    note("killed", os.getpid())
    if not is_open("killed"):
        wait_for("never")
    return f"done {n} {word}"

main.append(html.Div([html.Button("run killed", id="killed-run"), html.P(id="killed-result")]))

@part("raises")
def raises(n):
    wait_for("raises")
    if is_open("mended"):
        wait_for("again")
        return f"done {n}"
    raise ValueError("the password is hunter2")

@part("tells")
def tells(n):
    raise UserError("There are no sales in May.\\nChoose another month.")

@part("stops")
def stops(n):
    note("stops", n)
    wait_for("stops")
    return f"done {n}"

@part("quick")
def quick(n):
    return f"done {n}"

@part("long")
def long(n):
    note("long", n)
    for i in track(range(2)):
        wait_for(f"long-{i}")
    return f"done {n}"

main += [html.Button("the last", id="last"), dcc.Store(id="steps-status"), html.P(id="listener")]
app.clientside_callback(
    "s => { (window.statuses = window.statuses || []).push(s); return dash_clientside.no_update }",
    Output("listener", "children"), Input("steps-status", "data"), prevent_initial_call=True)
"""
)


@pytest.fixture
def page(each_page: BasePage) -> BasePage:
    return each_page


@pytest.fixture(autouse=True)
def gates(app: Server) -> Iterator[None]:
    yield
    for gate in app.folder.glob("gate-*"):
        gate.unlink()


def log_has(app: Server, row: Row, error: str) -> bool:
    """Whether the log has an error under the number that a row shows."""
    [ref] = re.findall(r"no\. (\d{6})$", row.details)
    return any(f"no. {ref}" in line and error in line for line in app.log.splitlines())


def seconds(page: BasePage, component: str) -> int:
    """For how many seconds a job runs, as its indicator says; -1 if that does not say so."""
    row = row_of(page, component)
    return int(row.time.removesuffix(" s")) if row and row.time else -1


# While it waits and runs


@newest_only
def test_who_waits_is_told_how_many_are_ahead_also_while_another_job_reports_all_the_time(
    page: BasePage, app: Server
):
    page.click("#chatty-run")
    wait_row(page, "chatty-result", "Running", r"Step \d+")
    begun = len(app.notes("first"))
    page.click("#first-run")
    app.wait_for_note("first", begun + 1)
    page.click("#second-run")
    wait_row(page, "second-result", "Waiting")
    page.click("#third-run")
    waits = wait_row(page, "third-result", "Waiting", r"1 ahead( · about \d+ s)?")
    assert (waits.state, waits.time, waits.percent, waits.bar) == ("queued", "", "", None)
    wait_row(page, "second-result", "Waiting", r"next in line( · about \d+ s)?")
    app.open_gate("first")
    wait_row(page, "third-result", "Waiting", r"next in line( · about \d+ s)?")
    wait_row(page, "second-result", "Running", "")
    app.open_gate("second")
    wait_row(page, "third-result", "Running", "")
    for name in ("third", "chatty"):
        app.open_gate(name)
    for name in ("first", "second", "third", "chatty"):
        page.wait_text(f"#{name}-result", "done")
    page.wait(lambda: rows(page) == [], "all to have gone")


def test_one_that_runs_shows_for_how_long_and_how_far_it_is(page: BasePage, app: Server):
    page.click("#steps-run")
    row = wait_row(page, "steps-result", "Running", "")
    assert (row.state, row.percent, row.buttons) == ("running", "", [])
    assert row.bar
    assert (row.bar.now, row.bar.text) == (None, None)
    assert page.js("return document.querySelector('#steps-result').ariaBusy") == "true"
    page.wait(lambda: seconds(page, "steps-result") >= 1)
    app.open_gate("begin")
    row = wait_row(page, "steps-result", "Running", "Reading files · 1 of 4.*")
    assert row.percent == "25%"
    assert row.bar
    assert row.bar.now == "25"
    assert row.bar.text == f"25%, {row.details.replace(' · ', ', ')}"

    def filled() -> float:
        row = row_of(page, "steps-result")
        assert row
        assert row.bar
        return row.bar.filled

    page.wait(lambda: abs(filled() - 0.25) < 0.01)
    app.open_gate("middle")
    page.wait_text("#steps-result", "done 1")
    wait_gone(page, "steps-result")
    page.js("delete window.statuses")


@newest_only
@in_chromium
def test_one_that_is_tried_again_says_when_and_which_try_it_is(page: BasePage, app: Server):
    page.click("#retries-run")
    waits = wait_row(page, "retries-result", r"Second try in [12] s", "")
    assert (waits.state, waits.bar, waits.buttons) == ("retrying", None, ["Stop"])
    wait_row(page, "retries-result", "Running", "second try")
    app.open_gate("retries")
    page.wait_text("#retries-result", "done 1")
    wait_gone(page, "retries-result")


# How it ends


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
@in_chromium
def test_a_worker_that_dies_is_told_and_try_again_asks_for_the_same(page: BasePage, app: Server):
    begun = len(app.notes("killed"))
    page.click("#killed-run")
    pid = int(app.wait_for_note("killed", begun + 1)[-1])
    page.js("dash_clientside.set_props('word', {value: 'two'})")
    os.kill(pid, signal.SIGKILL)
    row = wait_row(page, "killed-result", re.escape(LOST), NUMBER)
    assert row.buttons == BUTTONS
    page.wait_error("JobLost")
    page.wait(lambda: log_has(app, row, "was lost"))
    assert no_notice(page)
    app.open_gate("killed")
    page.click(".long-callback-indicator-again")
    page.wait_text("#killed-result", "done 1 one")
    wait_gone(page, "killed-result")


@newest_only
def test_one_that_raises_is_dismissed_or_tried_again_by_keyboard(page: BasePage, app: Server):
    page.click("#raises-run")
    row = wait_row(page, "raises-result", "Running")
    app.open_gate("raises")
    row = wait_row(page, "raises-result", re.escape(FAILED), NUMBER)
    assert (row.state, row.time, row.bar, row.buttons) == ("failed", "", None, BUTTONS)
    assert not page.js("return document.querySelector('#raises-result').ariaBusy")
    page.wait_error("ValueError")
    page.wait(lambda: log_has(app, row, "ValueError: the password is hunter2"))
    assert "hunter2" not in page.js(
        "return document.querySelector('.long-callback-indicators').innerHTML"
    )
    focus = "return document.activeElement.id || document.activeElement.textContent"
    page.js("document.querySelector('#last').focus()")
    app.open_gate("mended")
    page.press(Keys.TAB)
    assert page.js(focus) == "Try again"
    page.press(Keys.ENTER)
    wait_row(page, "raises-result", "Running")
    assert page.js(focus) == "Stop", "the button that has gone gives the focus to the next"
    app.open_gate("again")
    page.wait_text("#raises-result", "done 1")
    wait_gone(page, "raises-result")
    assert page.js(focus) == "last", "it is where it was before"

    page.click("#tells-run")
    row = wait_row(
        page, "tells-result", "There are no sales in May.\nChoose another month.", NUMBER
    )
    page.wait_error("There are no sales in May")
    page.js("document.querySelector('#last').focus()")
    page.press(Keys.TAB)
    page.press(Keys.TAB)
    assert page.js("return document.activeElement.ariaLabel") == "Dismiss"
    page.press(Keys.ENTER)
    wait_gone(page, "tells-result")
    assert page.js(focus) == "last"
    page.click("#tells-run")
    wait_row(page, "tells-result", "There are no sales(.|\n)*")
    page.click(".long-callback-indicator-dismiss")
    wait_gone(page, "tells-result")
    assert no_notice(page)


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_stop_ends_one_that_runs_and_one_that_waits(page: BasePage, app: Server):
    begun, before = len(app.notes("first")), len(app.notes("stops"))
    text = page.text("#second-result")
    page.click("#first-run")
    app.wait_for_note("first", begun + 1)
    page.click("#second-run")
    wait_row(page, "second-result", "Waiting")
    page.click("#stops-run")
    app.wait_for_note("stops", before + 1)
    assert wait_row(page, "stops-result", "Running").buttons == ["Stop"]
    page.js(
        "const rows = Array.from(document.querySelectorAll('.long-callback-indicator-row'));"
        "rows.find(one => one.dataset.state === 'queued').id = 'waits';"
        "rows.at(-1).id = 'runs'"  # the last that was shown
    )
    stops = [f"#{name} .long-callback-indicator-{{}}" for name in ("waits", "runs")]
    page.record(*(stop.format("state") for stop in stops))
    for stop in stops:
        page.click(stop.format("stop"))
    row = wait_row(page, "stops-result", "Cancelled", "")
    cancelled = time.monotonic()
    assert (row.state, row.time, row.bar, row.buttons) == ("cancelled", "", None, [])
    page.wait(lambda: not page.js("return document.querySelector('#stops-result').ariaBusy"))
    wait_row(page, "second-result", "Cancelled", "")
    assert page.recorded(stops[1].format("state")) == ["Running", "Stopping…", "Cancelled"]
    assert page.recorded(stops[0].format("state")) == ["Waiting", "Stopping…", "Cancelled"]
    app.open_gate("first")
    for name in ("first", "second", "stops"):
        wait_gone(page, f"{name}-result")
    assert 3 < time.monotonic() - cancelled < 8
    assert page.text("#stops-result") == "before stops"
    assert page.text("#second-result") == text
    assert no_notice(page)


#: How many milliseconds the last job has taken, as the page knows it.
TOOK = """
let began = 0;
addEventListener("long-callback-status", ({ detail: { status } }) => {
    if (status.state === "queued") began = began || performance.now();
    if (status.state === "succeeded") [window.took, began] = [performance.now() - began, 0];
});
"""


@newest_only
@in_chromium
def test_a_quick_one_never_flashes_unless_it_fails(page: BasePage, app: Server):
    page.js(TOOK)
    for n in range(1, 20):  # until one is quick, on a machine that has other things to do
        page.record(".long-callback-indicator")
        page.click("#quick-run")
        page.wait_text("#quick-result", f"done {n}")
        page.wait_idle()
        if page.js("return window.took") < 250:
            break
    assert page.stays(lambda: page.recorded(".long-callback-indicator") == [None], 0.5)
    page.click("#tells-run")
    wait_row(page, "tells-result", "There are no sales(.|\n)*")
    page.wait_error("There are no sales")


@newest_only
def test_it_moves_nothing_and_what_is_below_takes_clicks(page: BasePage, app: Server):
    before = page.js(PLACES)
    page.js(
        "window.clicks = 0;"
        "document.querySelector('#raises-result').addEventListener('click', () => window.clicks++)"
    )
    page.click("#raises-run")
    wait_row(page, "raises-result", "Running")
    assert page.js(PLACES) == before
    page.click("#raises-result")  # which scrolls to it
    assert page.js("return window.clicks") == 1
    app.open_gate("raises")
    wait_row(page, "raises-result", re.escape(FAILED))
    page.wait_error("ValueError")
    assert page.js(PLACES) == before
    page.click(".long-callback-indicator-dismiss")
    wait_gone(page, "raises-result")
    assert page.js(PLACES) == before


# Over time


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_a_reload_brings_it_back_and_try_again_works(page: BasePage, app: Server):
    page.click("#raises-run")
    page.wait(lambda: seconds(page, "raises-result") >= 1)
    page.reload()
    row = wait_row(page, "raises-result", "Running")
    assert seconds(page, "raises-result") >= 1, "since it began, and not since the reload"
    assert row.buttons == ["Stop"]
    app.open_gate("raises")
    wait_row(page, "raises-result", re.escape(FAILED))
    page.wait_error("ValueError")
    for gate in ("mended", "again"):
        app.open_gate(gate)
    page.click(".long-callback-indicator-again")
    page.wait_text("#raises-result", "done 1")
    wait_gone(page, "raises-result")


@in_chromium
def test_a_status_has_the_same_as_data(page: BasePage, app: Server):
    page.js("delete window.statuses")
    page.click("#steps-run")
    page.wait(lambda: len(page.js("return window.statuses || []")) >= 4)  # once a second
    app.open_gate("begin")
    page.wait(lambda: page.js("return statuses.at(-1).fraction") == 0.25)
    app.open_gate("middle")
    page.wait(lambda: page.js("return statuses.at(-1).state") == "succeeded")
    said: list[dict[str, Any]] = page.js("return statuses")
    known = {
        *("state", "ahead", "wait", "elapsed", "fraction", "remaining", "text", "done", "total"),
        *("rate", "attempt", "retry_in", "connected", "error"),
    }
    assert all(one.keys() == known for one in said)
    states = [one["state"] for one in said]
    assert states == sorted(states, key=["queued", "running", "succeeded"].index)
    assert {"queued", "running", "succeeded"} == set(states)
    elapsed = [one["elapsed"] for one in said if one["state"] == "running"]
    assert elapsed == sorted(elapsed)
    ticks = [one for one in said if one["state"] == "running" and one["fraction"] is None]
    assert 2 <= len(ticks) <= 6
    [tracked, *_] = [one for one in said if one["fraction"] == 0.25]
    assert (tracked["text"], tracked["done"], tracked["total"]) == ("Reading files", 1, 4)
    last = said[-1]
    assert (last["attempt"], last["connected"], last["error"]) == (1, True, None)
    assert page.stays(lambda: len(page.js("return statuses")) == len(said), 1.2), (
        "no tick after the end"
    )


@newest_only
def test_screen_readers_are_told_each_state_once(page: BasePage, app: Server):
    region = ".long-callback-indicator-told"
    found = page.js(
        f"const e = document.querySelector('{region}');"
        "return [e.role || e.getAttribute('role'), e.parentElement.tagName]"
    )
    assert found == ["status", "BODY"]
    page.js(f"document.querySelector('{region}').textContent = ''")
    page.record(region)
    page.click("#long-run")
    wait_row(page, "long-result", "Running")
    page.wait(lambda: seconds(page, "long-result") >= 1)
    for gate in ("long-0", "long-1"):
        app.open_gate(gate)
    page.wait_text("#long-result", "done 1")
    wait_gone(page, "long-result")
    app.open_gate("raises")
    page.click("#raises-run")
    row = wait_row(page, "raises-result", re.escape(FAILED))
    page.wait_error("ValueError")
    said = [text for text in page.recorded(region) if text]
    assert said == ["Running", "Finished", f"{FAILED}, {row.details}"]


# Without the server. The last, as it is started anew.


@newest_only
def test_a_network_that_is_cut_is_told_and_so_is_that_it_is_back(blank: Page, app: Server):
    page = blank
    page.expect_console("Failed to load resource|ERR_")
    page.open(app.url)
    page.click("#chatty-run")  # each request of the page ends soon, and another begins
    wait_row(page, "chatty-result", "Running")
    page.unplug()
    row = wait_row(page, "chatty-result", re.escape("Connection lost. Trying again…"))
    assert row.state == "reconnecting"
    page.plug_in()
    wait_row(page, "chatty-result", "Connected again")
    app.open_gate("chatty")
    page.wait_text("#chatty-result", "done")
    wait_gone(page, "chatty-result")


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
@in_chromium
def test_a_server_that_is_killed_and_started_again_is_told_and_the_result_comes(
    page: BasePage, app: Server
):
    page.expect_console("Failed to load resource|ERR_|NetworkError")
    begun = len(app.notes("long"))
    page.click("#long-run")
    app.wait_for_note("long", begun + 1)
    wait_row(page, "long-result", "Running")
    app.kill()
    row = wait_row(page, "long-result", re.escape("Connection lost. Trying again…"))
    assert (row.state, row.buttons) == ("reconnecting", ["Stop"])
    app.start()
    page.wait(
        lambda: (row := row_of(page, "long-result")) and row.text == "Connected again",
        "it to be told, though there is nothing new of the job",
        timeout=8,
    )
    app.open_gate("long-0")
    wait_row(page, "long-result", "Running|Connected again", ".*1 of 2.*")
    app.open_gate("long-1")
    page.wait_text("#long-result", "done 1")
    wait_gone(page, "long-result")
    assert no_notice(page)
