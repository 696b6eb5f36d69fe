"""A page that was loaded, or a job that was queued, before the code of the app was changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from apps import Server
from page import Page

pytestmark = pytest.mark.newest_only  # it is ours alone, and the same on every Dash

CHANGED = "The app has changed since this page was loaded. Reload the page."
CHANGED_JOB = "The app has changed since this was started. Run it again."

APP = """
from dash import Input, Output, State, dcc, html
from dash_long_callback import Dash, DiskcacheLongCallbackManager
import diskcache, os
from in_app import FOLDER, note, serve, wait_for

new = (FOLDER / "version").read_text() == "2"
manager = DiskcacheLongCallbackManager(diskcache.Cache(str(FOLDER / "cache")), workers=1)
app = Dash(__name__, long_callback_manager=manager)
names = ["swapped", "grown", "renamed", "removed", "plain", "progress", "same", "hold"]
app.layout = html.Div([
    dcc.Input(id="left", value="L"), dcc.Input(id="right", value="R"), html.P(id="renamed-other"),
    html.P(id="bar"), html.P(id="other-bar"),
    *(html.Button(name, id=f"{name}-run") for name in names),
    *(html.P(id=f"{name}-result") for name in names), html.P(id="state")])

def part(name, *states, output=None, declare=app.long_callback, **options):
    output = output or f"{name}-result"
    return declare(Output(output, "children"), Input(f"{name}-run", "n_clicks"), *states,
                   prevent_initial_call=True, **options)

states = [State("left", "value"), State("right", "value")]

@part("swapped", *(reversed(states) if new else states))
def swapped(n, one, other):
    note("ran", "swapped")
    return f"right {one} left {other}" if new else f"left {one} right {other}"

@part("grown", *(states if new else states[:1]))
def grown(n, *values):
    note("ran", "grown")
    return f"{values}"

@part("renamed", output="renamed-other" if new else "renamed-result")
def renamed(n):
    note("ran", "renamed")
    return "done"

if not new:
    @part("removed")
    def removed(n):
        note("ran", "removed")
        return "done"

@part("plain", declare=app.callback if new else app.long_callback)
def plain(n):
    note("plain")
    return "done"

@part("progress", progress=Output("other-bar" if new else "bar", "children"))
def progress(set_progress, n):
    note("ran", "progress")
    set_progress("at it")
    return "done"

@part("same")
def same(n):
    return f"{new} {n}"

@part("hold", running=(Output("state", "children"), "on", "off"))
def hold(n):
    note("hold")
    wait_for("hold")
    return "held"

if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]))
"""
OLD = {"version": "1"}
#: How often, and the number of the job, if there is one.
DETAILS = ".long-callback-notice-details"


def notices(page: Page) -> list[str]:
    return page.js(
        "return Array.from(document.querySelectorAll('.long-callback-notice-text'),"
        " one => one.textContent)"
    )


def deploy(server: Server) -> None:
    """Start the server again, with other code."""
    (server.folder / "version").write_text("2")
    server.start()


@pytest.fixture
def page(blank: Page) -> Page:
    blank.expect_console("Failed to load resource|ERR_|dash_renderer")
    return blank


def test_a_page_that_is_older_than_the_app_is_told_so_and_nothing_runs(
    page: Page, serve: Callable[..., Server]
):
    server = serve(APP, files=OLD)
    page.open(server.url)
    page.click("#swapped-run")
    page.wait_text("#swapped-result", "left L right R")
    before = server.notes("ran")
    server.end()
    deploy(server)
    for number, name in enumerate(["swapped", "grown", "renamed", "removed", "plain", "progress"]):
        page.click(f"#{name}-run")
        page.wait_error(f"{name}-.*\n(AppChanged: )?{CHANGED}")
        count = f"{number + 1} times" if number else ""
        page.wait(lambda count=count: (page.text(DETAILS) or "").startswith(count))
    page.click("#same-run")
    page.wait_text("#same-result", "True 1")
    assert notices(page) == [CHANGED]
    assert server.notes("ran") == before
    assert len(server.notes("plain")) == 1  # what it is by now; but not again and again
    page.click(".long-callback-notice-reload")
    page.wait(lambda: notices(page) == [] and page.is_idle())
    page.click("#swapped-run")
    page.wait_text("#swapped-result", "right R left L")
    page.click("#progress-run")
    page.wait_text("#progress-result", "done")
    assert notices(page) == []
    # The page itself may be older than what Dash has loaded since.
    page.js(
        "dash_clientside.callback_context = {outputs_list: {id: 'x', property: 'children'}};"
        "dash_clientside.long_callback['x.children']().catch(() => 0)"
    )
    page.wait(lambda: notices(page) == [CHANGED])


def test_a_job_that_was_asked_for_before_the_app_was_changed_does_not_run(
    page: Page, serve: Callable[..., Server]
):
    server = serve(APP, files=OLD)
    page.open(server.url)
    page.click("#hold-run")
    server.wait_for_note("hold")
    page.click("#swapped-run")
    page.wait(lambda: stored(page) == 2)
    server.kill()  # its worker goes on; what waits is for the next server
    deploy(server)
    server.open_gate("hold")
    page.wait_text("#hold-result", "held")
    page.wait_error(f"swapped-.*\n(AppChanged: )?{CHANGED}")
    page.wait(lambda: notices(page) == [CHANGED])
    assert page.exists(".long-callback-notice-reload")
    assert server.notes("ran") == []


def test_a_click_that_was_not_sent_before_the_app_was_changed_is_told_after_the_reload(
    page: Page, serve: Callable[..., Server]
):
    server = serve(APP, files=OLD)
    page.open(server.url)
    page.block("*/_dash-update-component")
    for name in ("swapped", "removed", "same"):
        page.click(f"#{name}-run")
    page.wait(lambda: stored(page) == 3)
    server.end()
    deploy(server)
    page.block()
    page.load(server.url)
    page.wait_text("#same-result", "True 1")
    page.wait(lambda: notices(page) == [CHANGED_JOB])
    page.wait(lambda: (page.text(DETAILS) or "").startswith("2 times"))
    assert not page.exists(".long-callback-notice-reload")
    page.wait_error(f"swapped-.*\n{CHANGED_JOB}")
    assert server.notes("ran") == []


def stored(page: Page) -> Any:
    """How many jobs the page waits for."""
    return page.js("return Object.keys(sessionStorage).length")
