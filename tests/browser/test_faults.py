"""What goes wrong between a page and its server, and what the user sees of it."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import psutil
import pytest
from apps import Server, wait_until
from flaky_proxy import Fault, FlakyProxy, flaky_proxy
from page import Page

#: Seconds that the page tries to reach the server: less than users would bear, for tests.
PATIENCE = 4
pacing = f"patience={PATIENCE}"

#: What the network does is the same for every Dash.
pytestmark = pytest.mark.newest_only

SUBMIT, UPDATES, CANCEL = "_dash-update-component", "/updates", "/cancel"

source = """
import flask
from dash_long_callback import Pacing

def part(name, *more, **kwargs):
    page.extend([html.Button("run", id=f"{name}-run"), html.Button("stop", id=f"{name}-stop"),
                 html.P(id=f"{name}-state"), html.P(id=f"{name}-result"), *more])
    return app.long_callback(
        Output(f"{name}-result", "children"), Input(f"{name}-run", "n_clicks"),
        running=(Output(f"{name}-state", "children"), "on", "off"),
        cancel=Input(f"{name}-stop", "n_clicks"), prevent_initial_call=True, **kwargs)

@app.server.before_request
def guard():
    if is_open("401") and "/_dash-" in flask.request.path:
        return "no", 401
    if is_open("login") and "/_dash-" in flask.request.path:
        return flask.redirect("/login")

@app.server.get("/login")
def login():
    return "<form>who are you?</form>"
"""


@pytest.fixture
def proxy(app: Server) -> Iterator[FlakyProxy]:
    with flaky_proxy(app) as proxy:
        yield proxy
    for gate in ("long", "401", "login"):
        app.close_gate(gate)


@pytest.fixture
def page(blank: Page, proxy: FlakyProxy) -> Page:
    """The app's page, seen through the proxy."""
    blank.expect_console("Failed to load resource|ERR_")
    blank.open(proxy.url)
    return blank


# The click

source += """
@part("click")
def update(n):
    note("click", n)
    time.sleep(0.1)  # longer than a click waits for it
    return f"{n}"
"""

FAULTS: list[Fault] = ["refuse", "lose", "cut", 503, 429]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_click_that_gets_no_answer_is_sent_again_and_runs_once(
    fault: Fault, page: Page, proxy: FlakyProxy, app: Server
):
    before = len(app.notes("click"))
    proxy.fail(SUBMIT, fault, 2)
    page.record("#click-state", "#click-result")
    page.click("#click-run")
    page.wait_text("#click-result", "1")
    assert page.recorded("#click-state") == ["", "on", "off"]
    assert page.recorded("#click-result") == ["", "1"]
    assert proxy.count(SUBMIT) >= 3
    assert len(app.notes("click")) == before + 1


source += """
@part("quick")
def update(n):
    note("quick", n)
    return f"{n}"
"""


def test_an_answer_with_the_result_that_gets_lost_is_asked_for_again(
    page: Page, proxy: FlakyProxy, app: Server
):
    proxy.fail(SUBMIT, "lose", 2)
    page.click("#quick-run")
    page.wait_text("#quick-result", "1")
    assert app.notes("quick") == ["1"]


def test_after_some_time_the_page_says_that_the_server_can_not_be_reached(
    page: Page, proxy: FlakyProxy
):
    proxy.fail(SUBMIT, "refuse", 1000)
    page.record("#quick-state")
    page.click("#quick-run")
    page.wait_error(r"The server can't be reached \(tried for \d+ s\): the server did not respond")
    page.wait_text("#quick-state", "off")
    assert page.recorded("#quick-state") == ["", "on", "off"]
    proxy.heal()
    page.click("#quick-run")
    page.wait_text("#quick-result", "2")


def test_a_click_that_failed_for_good_does_not_begin_long_after(
    page: Page, proxy: FlakyProxy, app: Server
):
    before = app.notes("click")
    proxy.fail(SUBMIT, "refuse", 1000)
    page.click("#click-run")
    page.wait_error("The server can't be reached")
    proxy.heal()
    page.open(proxy.url)
    assert page.stays(lambda: page.text("#click-result") == "" == page.text("#click-state"))
    assert app.notes("click") == before


def test_a_click_that_can_not_be_sent_can_be_cancelled(page: Page, proxy: FlakyProxy, app: Server):
    before = app.notes("click")
    proxy.fail(SUBMIT, "refuse", 1000)
    page.click("#click-run")
    page.wait_text("#click-state", "on")
    proxy.requests.clear()
    page.click("#click-stop")
    page.wait_text("#click-state", "off")
    page.wait(lambda: proxy.count(CANCEL) > 0)
    proxy.heal()
    assert page.stays(lambda: page.text("#click-result") == "")
    assert app.notes("click") == before


# The news

source += """
@part("news", html.P(id="news-bar"), html.P(id="news-list", children=[]),
      progress=Output("news-bar", "children"), progress_default="idle")
def update(set_progress, n):
    for number in range(30):
        set_progress(f"step {number}")
        patch = Patch()
        patch.append(f"{number},")
        set_props("news-list", {"children": patch})
        time.sleep(0.05)
    return f"done {n}"
"""


@pytest.mark.parametrize("fault", FAULTS[:4])
def test_news_that_get_lost_are_told_again_and_applied_once(
    fault: Fault, page: Page, proxy: FlakyProxy
):
    page.record("#news-state", "#news-bar", "#news-result")
    page.click("#news-run")
    page.wait(lambda: (page.text("#news-bar") or "").startswith("step"))
    proxy.fail(UPDATES, fault, 3)
    page.wait_text("#news-result", "done 1")
    page.wait_text("#news-bar", "idle")
    assert page.text("#news-list") == "".join(f"{number}," for number in range(30))
    assert page.recorded("#news-state") == ["", "on", "off"]
    steps = [text for text in page.recorded("#news-bar") if (text or "").startswith("step")]
    assert steps == sorted(steps, key=lambda text: int((text or "").split()[1]))
    assert steps[-1] == "step 29"
    assert proxy.count(UPDATES) > 3


source += """
@part("long")
def update(n):
    note("long", n)
    wait_for("long")
    return f"done {n}"
"""


def start_long(page: Page, app: Server) -> None:
    """Click, and wait until the job runs and the page shows that it does."""
    count = len(app.notes("long"))
    page.click("#long-run")
    app.wait_for_note("long", count + 1)
    page.wait_text("#long-state", "on")


def test_news_that_never_come_are_an_error_and_a_reload_finds_the_job(
    page: Page, proxy: FlakyProxy, app: Server
):
    start_long(page, app)
    proxy.fail(UPDATES, 503, 1000)
    page.wait_error("can't be reached. If the job still runs, reload the page to find it again")
    page.wait_text("#long-state", "off")
    proxy.heal()
    page.open(proxy.url)
    page.wait_text("#long-state", "on")
    app.open_gate("long")
    page.wait_text("#long-result", "done 1")
    page.wait_text("#long-state", "off")
    assert app.notes("long") == ["1"]


def test_a_page_without_a_network_waits_for_it_as_long_as_it_takes(
    page: Page, app: Server, proxy: FlakyProxy
):
    start_long(page, app)
    page.unplug()
    # What is under way ends, too. Chromium sends it again by itself, unplugged or not.
    proxy.fail("", "refuse", 1000)
    proxy.hang_up()
    app.open_gate("long")
    assert page.stays(lambda: page.text("#long-state") == "on", PATIENCE + 3)
    assert page.errors() == []
    proxy.heal()
    page.plug_in()
    page.wait_text("#long-result", "done 1")
    page.wait_text("#long-state", "off")


def test_a_page_that_slept_asks_again_when_it_wakes(page: Page, app: Server, proxy: FlakyProxy):
    start_long(page, app)
    page.record("#long-state")
    wait_until(lambda: proxy.count(UPDATES))  # which waits at the server
    asked = proxy.count(UPDATES)
    with asleep(page):
        proxy.hang_up()  # no connection survives the night
        app.open_gate("long")
        time.sleep(2)
        assert proxy.count(UPDATES) == asked
    page.wait_text("#long-result", "done 1")
    page.wait_text("#long-state", "off")
    assert page.recorded("#long-state") == ["on", "off"]


@contextmanager
def asleep(page: Page) -> Generator[None]:
    """Inside, no process of the browser runs, as on a laptop that sleeps."""
    browser = psutil.Process(page.driver.service.process.pid).children(recursive=True)
    for process in browser:
        process.suspend()
    try:
        yield
    finally:
        for process in browser:
            process.resume()


def test_a_proxy_that_has_lost_its_server_is_not_taken_for_a_lost_job(
    page: Page, app: Server, proxy: FlakyProxy
):
    start_long(page, app)
    proxy.fail(UPDATES, 404, 3)
    page.wait(lambda: proxy.count(UPDATES) > 3)
    app.open_gate("long")
    page.wait_text("#long-result", "done 1")


# The session


@pytest.mark.parametrize("gate", ["401", "login"])
def test_a_session_that_expires_is_said_so_and_the_job_is_found_after_the_login(
    gate: str, page: Page, app: Server, proxy: FlakyProxy
):
    start_long(page, app)
    app.open_gate(gate)
    page.wait_error("Your session has expired. Log in again and reload the page")
    page.wait_text("#long-state", "off")
    app.close_gate(gate)
    page.open(proxy.url)
    page.wait_text("#long-state", "on")
    app.open_gate("long")
    page.wait_text("#long-result", "done 1")


@pytest.mark.parametrize("gate", ["401", "login"])
def test_a_click_in_a_session_that_has_expired_is_said_so_at_once(
    gate: str, page: Page, app: Server
):
    before = app.notes("click")
    app.open_gate(gate)
    page.click("#click-run")
    page.wait_error("Your session has expired")
    page.wait_text("#click-state", "off")
    app.close_gate(gate)
    assert app.notes("click") == before
