"""The notices that a page shows when a long callback did not succeed and nobody dealt with it."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from apps import Server
from page import Page
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.newest_only  # they are ours alone, and the same on every Dash

#: Seconds that the page tries to reach the server.
PATIENCE = 2
pacing = f"patience={PATIENCE}"

FAILED = "Something went wrong. Try again."
TIMED_OUT = "This took too long and was stopped. Try again."
LOST = "This was interrupted before it had finished. Try again."
EXPIRED = "This could not be started in time. Try again later."
UNREACHABLE = "The server can't be reached. Check your connection and try again."
UNREACHABLE_RUNNING = (
    "The server can't be reached. If the job still runs, reload the page to find it again."
)
SESSION = (
    "Your session has expired. Log in again and reload the page; "
    "jobs that still run are found again."
)

source = """
import flask

def part(name, *more, **kwargs):
    page.extend([html.Button(name, id=f"{name}-run"), html.Button("stop", id=f"{name}-stop"),
                 html.Span(id=f"{name}-state"), html.Span(id=f"{name}-result"), *more])
    return app.long_callback(
        Output(f"{name}-result", "children"), Input(f"{name}-run", "n_clicks"),
        running=(Output(f"{name}-state", "children"), "on", "off"),
        cancel=Input(f"{name}-stop", "n_clicks"), prevent_initial_call=True, **kwargs)

@part("raises")
def update(n):
    if n % 3 == 0:
        return f"done {n}"
    raise ValueError("the password is hunter2")

@part("raises-too")
def update(n):
    raise ValueError("the password is hunter2")

@part("late", timeout=0.3)
def update(n):
    wait_for("never")

@part("killed")
def update(n):
    note("killed", os.getpid())
    wait_for("never")

@part("long")
def update(n):
    note("long", n)
    wait_for("long")
    return f"done {n}"

@part("handled", on_error=lambda error: "handled")
def update(n):
    raise ValueError("as planned")

@part("prevented")
def update(n):
    raise PreventUpdate

one_worker = DiskcacheLongCallbackManager(
    diskcache.Cache(str(FOLDER / "one-worker")), workers=1, grace=1)

@part("busy", manager=one_worker)
def update(n):
    note("busy", n)
    wait_for("busy")
    return f"done {n}"

@part("hurried", manager=one_worker, start_within=2, on_error=lambda error: "handled")
def update(n):
    note("hurried", n)
    return f"done {n}"

page += [html.P("text " * 600), html.Button("the last", id="last")]

@app.server.before_request
def guard():
    if is_open("401") and "/_dash-" in flask.request.path:
        return "no", 401
"""


@pytest.fixture
def page(page: Page, app: Server) -> Iterator[Page]:
    page.expect_console("Failed to load resource|ERR_")
    yield page
    for gate in ("long", "busy", "401"):
        app.close_gate(gate)
    page.block()
    page.plug_in()
    media(page)


def media(page: Page, width: int = 1400, **features: str) -> None:
    """Emulate a screen, and what its user likes."""
    driver = page.driver
    metrics: dict[str, Any] = {"width": width, "height": 800, "deviceScaleFactor": 1}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**metrics, "mobile": False})
    given = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": given})


def notices(page: Page) -> list[str]:
    """The texts of all notices, with how often; without the numbers of jobs, which are random."""
    found = page.js(
        "return Array.from(document.querySelectorAll('.long-callback-notice'),"
        " one => Array.from(one.querySelectorAll('p:not([hidden])'), p => p.textContent).join('|'))"
    )
    return [re.sub(r"( · |\|)no\. \d{6}$", "", text) for text in found]


def wait_notices(page: Page, *texts: str) -> None:
    page.wait(lambda: notices(page) == list(texts), f"{texts}, not {notices(page)}")


def fail(page: Page, kind: str = "failed", **detail: Any) -> None:
    """Have a job of a callback of its own fail in this way, as the page tells it."""
    page.js(
        "dispatchEvent(new CustomEvent('long-callback-failed', {cancelable: true, detail: {"
        "callback: arguments[0], outputs: [], kind: arguments[0], message: '', user: false,"
        " ref: null, reload: false, ...arguments[1]}}))",
        kind,
        detail,
    )


def dismiss(page: Page) -> None:
    """Dismiss all notices."""
    while page.exists(".long-callback-notice"):
        page.click(".long-callback-notice-dismiss")


# Which ends


def test_an_end_that_is_no_success_is_told_until_the_callback_runs_again(page: Page, app: Server):
    region = page.js(
        "const region = document.querySelector('body > .long-callback-notices');"
        "return [region.getAttribute('role'), region.childNodes.length]"
    )
    assert region == ["alert", 0]  # there from the start: else screen readers would not tell
    page.click("#raises-run")
    page.wait_error("ValueError")
    wait_notices(page, FAILED)
    assert "hunter2" not in page.js("return document.querySelector('[role=alert]').textContent")

    page.click("#late-run")
    page.wait_error("JobTimedOut")
    page.click("#killed-run")
    os.kill(int(app.wait_for_note("killed")[-1]), signal.SIGKILL)
    page.wait_error("JobLost")
    wait_notices(page, FAILED, TIMED_OUT, LOST)

    page.record(".long-callback-notices")
    page.click("#raises-run")
    page.wait(lambda: len(page.recorded(".long-callback-notices")) > 2)
    assert FAILED not in (page.recorded(".long-callback-notices")[1] or "")  # it began anew
    wait_notices(page, TIMED_OUT, LOST, FAILED)
    page.click("#raises-run")
    page.wait_text("#raises-result", "done 3")
    wait_notices(page, TIMED_OUT, LOST)


def test_a_job_that_has_not_begun_in_time_is_told_while_the_worker_is_busy(page: Page, app: Server):
    page.click("#busy-run")
    app.wait_for_note("busy")
    page.click("#hurried-run")
    page.wait_text("#hurried-state", "on")
    page.wait_error("JobExpired: the job had not begun within its start_within of 2 s")
    wait_notices(page, EXPIRED)
    page.wait_text("#hurried-state", "off")
    assert page.text("#busy-state") == "on"
    assert page.text("#hurried-result") == "", "no worker has begun it: on_error is not called"
    app.open_gate("busy")
    page.wait_text("#busy-result", "done 1")
    page.click("#hurried-run")
    page.wait_text("#hurried-result", "done 2")
    wait_notices(page)
    assert app.notes("hurried") == ["2"]


def test_a_cancel_a_replacement_and_what_was_handled_are_no_notice(page: Page, app: Server):
    begun = len(app.notes("long"))
    page.click("#long-run")
    app.wait_for_note("long", begun + 1)
    page.click("#long-run")  # replaces it
    app.wait_for_note("long", begun + 2)
    page.click("#long-stop")
    page.wait_text("#long-state", "off")
    page.click("#handled-run")
    page.wait_text("#handled-result", "handled")
    page.click("#prevented-run")
    page.wait_text("#prevented-state", "off")
    assert page.stays(lambda: notices(page) == [])


def test_a_server_that_is_out_of_reach_is_told_and_a_reload_finds_the_job(page: Page, app: Server):
    begun = len(app.notes("long"))
    page.click("#long-run")
    app.wait_for_note("long", begun + 1)
    page.block("*/_dash-*")
    page.click("#raises-run")
    page.wait_error("The server can't be reached")
    page.wait(lambda: len(notices(page)) == 2)
    assert sorted(notices(page)) == sorted([UNREACHABLE, UNREACHABLE_RUNNING])
    page.block()
    page.click(".long-callback-notice-reload")
    page.wait(lambda: page.text("#long-state") == "on" and notices(page) == [])
    app.open_gate("long")
    page.wait_text("#long-result", "done 1")


def test_a_session_that_has_expired_is_told_once_for_all_that_waits(page: Page, app: Server):
    begun = len(app.notes("long"))
    page.click("#long-run")
    app.wait_for_note("long", begun + 1)
    app.open_gate("401")
    page.click("#raises-run")
    page.wait_error(r"^.*\nYour session has expired\. .* \(status 401")
    wait_notices(page, SESSION + "|2 times")
    app.close_gate("401")
    page.click(".long-callback-notice-reload")
    page.wait_text("#long-state", "on")
    app.open_gate("long")
    page.wait_text("#long-result", "done 1")


# What they look like, and how they go


def test_equal_notices_are_one_and_more_than_three_are_not_kept(page: Page):
    page.click("#raises-run")
    page.click("#raises-too-run")
    page.wait_error("ValueError")
    wait_notices(page, FAILED + "|2 times")
    page.click("#raises-too-run")  # one goes, and comes again
    page.wait_idle()
    wait_notices(page, FAILED + "|2 times")
    fail(page, ref="482193")
    wait_notices(page, FAILED + "|3 times")
    details = "return document.querySelector('.long-callback-notice-details').textContent"
    assert page.js(details) == "3 times · no. 482193"
    fail(page, "timed_out")
    fail(page, "of an unknown kind", message="<b>as the server says</b>")
    fail(page, user=True, message="There are no sales in May.\nChoose another month.")
    wait_notices(
        page,
        TIMED_OUT,
        "<b>as the server says</b>",
        "There are no sales in May.\nChoose another month.",
    )
    fail(page, user=True, message="x" * 5000)
    page.wait(lambda: len(notices(page)[-1]) == 601)


def test_a_notice_is_dismissed_by_mouse_and_by_keyboard(page: Page):
    fail(page)
    fail(page, "timed_out")
    fail(page, "lost")
    name = page.js("return document.querySelector('.long-callback-notice-dismiss').ariaLabel")
    assert name == "Dismiss"
    page.click(".long-callback-notice-dismiss")
    wait_notices(page, TIMED_OUT, LOST)
    # By Tab, and the focus goes on to the next, and then to where it was.
    page.js("document.querySelector('#last').focus()")
    active = page.driver.switch_to.active_element
    active.send_keys(Keys.TAB)
    for left in ([LOST], []):
        assert "dismiss" in page.js("return document.activeElement.className")
        page.driver.switch_to.active_element.send_keys(Keys.ENTER if left else Keys.ESCAPE)
        wait_notices(page, *left)
    assert page.js("return document.activeElement.id") == "last"
    # Escape from anywhere, but for where it means something else.
    fail(page)
    page.js(
        "const field = document.createElement('input'); field.id = 'field';"
        "document.body.append(field); field.focus()"
    )
    page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert page.stays(lambda: notices(page) == [FAILED])
    page.js("document.querySelector('#field').remove()")
    page.driver.find_element(By.TAG_NAME, "body").send_keys(Keys.ESCAPE)
    wait_notices(page)


PLACES = """
return Array.from(document.querySelectorAll('#react-entry-point *'), one => {
    const {x, y, width, height} = one.getBoundingClientRect(); return [x, y, width, height]; })
"""


@pytest.mark.parametrize("width", [1400, 390])
def test_notices_move_nothing_and_the_end_of_the_page_is_not_below_them(page: Page, width: int):
    media(page, width)
    before = page.js(PLACES)
    for kind in ("failed", "timed_out", "lost"):
        fail(page, kind)
    assert page.js(PLACES) == before
    page.js("window.scrollTo(0, document.documentElement.scrollHeight)")
    bottom, top, left, right = page.js(
        "const end = document.querySelector('#last').getBoundingClientRect();"
        "const {top, left, right} = document.querySelector('[role=alert]').getBoundingClientRect();"
        "return [end.bottom, top, left, right]"
    )
    scrolls = page.js("const e = document.scrollingElement; return e.scrollHeight > e.clientHeight")
    assert scrolls == (width == 390)
    assert bottom <= top or not scrolls
    assert left >= 0
    assert right <= width
    # Between notices, a click is for the page.
    over = page.js(
        "const {left, top} = document.querySelector('.long-callback-notice ~ *')"
        ".getBoundingClientRect();"
        "return document.elementFromPoint(left + 20, top - 4).closest('[role=alert]') === null"
    )
    assert over
    dismiss(page)
    assert page.js("return document.querySelector('.long-callback-notice-room')") is None
    page.js("window.scrollTo(0, 0)")
    assert page.js(PLACES) == before


def test_the_end_of_a_page_that_grows_is_not_below_a_notice(page: Page):
    media(page, 1400)
    fail(page)
    assert not page.exists(".long-callback-notice-room"), "the page fits"

    def free() -> bool:
        return page.js(
            "window.scrollTo(0, document.documentElement.scrollHeight);"
            "const end = document.querySelector('#last').getBoundingClientRect();"
            "const notice = document.querySelector('[role=alert]').getBoundingClientRect();"
            "return end.bottom <= notice.top"
        )

    page.js("document.querySelector('#last').style.marginTop = '150vh'")
    page.wait(free, "room below the end of the page")
    page.js("document.querySelector('#last').style.marginTop = ''")
    page.wait(lambda: not page.exists(".long-callback-notice-room"), "no scrollbar")
    dismiss(page)


BACKGROUND = """
return getComputedStyle(document.querySelector('.long-callback-notice')).backgroundColor
"""
LIGHT, DARK = "rgb(255, 255, 255)", "rgb(34, 38, 46)"
#: What the page does, what the user likes, and what a notice looks like.
SCHEMES = [
    ("", "light", LIGHT),
    ("", "dark", DARK),
    ("document.documentElement.style.colorScheme = 'light dark'", "dark", DARK),
    ("document.documentElement.style.colorScheme = 'light'", "dark", LIGHT),
    ("document.documentElement.style.colorScheme = 'dark'", "light", DARK),
    ("document.documentElement.setAttribute('data-bs-theme', 'dark')", "light", DARK),
    ("document.body.setAttribute('data-bs-theme', 'light')", "dark", LIGHT),
    ("document.documentElement.setAttribute('data-mantine-color-scheme', 'dark')", "light", DARK),
    ("document.body.style.background = '#111'", "light", DARK),
    ("document.querySelector('#react-entry-point').style.background = '#eee'", "dark", LIGHT),
]


def test_notices_are_light_or_dark_as_the_page_is(page: Page):
    fail(page)
    for change, likes, color in SCHEMES:
        media(page, prefers_color_scheme=likes)
        page.js(
            "for (const one of [document.documentElement, document.body,"
            " document.querySelector('#react-entry-point')]) {"
            " for (const name of ['style', 'data-bs-theme', 'data-mantine-color-scheme'])"
            " one.removeAttribute(name); }" + change
        )
        page.wait(
            lambda color=color: page.js(BACKGROUND) == color, f"{change} with {likes}: {color}"
        )
        fail(page)  # without it, what is painted inside of the page would not be looked at
    page.js(
        "document.documentElement.style.setProperty("
        "'--long-callback-notice-background', 'rgb(1, 2, 3)')"
    )
    assert page.js(BACKGROUND) == "rgb(1, 2, 3)"


def test_notices_have_the_language_of_the_page_and_move_for_who_likes_it(page: Page):
    media(page, prefers_reduced_motion="reduce")
    page.js("document.documentElement.lang = 'es-MX'")
    fail(page, "session", reload=True, ref="482193")
    assert "Su sesión ha caducado" in notices(page)[0]
    assert notices(page)[0].endswith("|n.º 482193")
    labels = "return Array.from(document.querySelectorAll('[role=alert] button'), b => b.ariaLabel)"
    assert page.js(labels) == [None, "Cerrar"]
    assert page.text(".long-callback-notice-reload") == "Recargar"
    assert page.js("return document.querySelector('.long-callback-notice-text').lang") == "es"
    moves = "return getComputedStyle(document.querySelector('.long-callback-notice')).animationName"
    assert page.js(moves) == "none"
    media(page, prefers_reduced_motion="no-preference")
    assert page.js(moves) == "long-callback-notice-comes"
    dismiss(page)
    page.js("document.documentElement.lang = 'fr'")
    fail(page)
    wait_notices(page, FAILED)


# Without a network

COUNT = """
window.sent = [];
window.pauses = [];
const [send, later] = [window.fetch, window.setTimeout];
window.setTimeout = (action, ms, ...more) => {
    const timer = later(action, ms, ...more);
    if (ms > 500) pauses.push(timer);
    return timer;
};
window.fetch = (...all) => { sent.push(String(all[0]).split('/').pop()); return send(...all); };
"""


def test_without_a_network_few_requests_are_made_and_the_next_is_made_as_soon_as_there_is_one(
    page: Page, app: Server
):
    begun = len(app.notes("long"))
    page.click("#long-run")
    app.wait_for_note("long", begun + 1)
    page.js(COUNT)
    page.unplug()
    page.click("#handled-run")  # a click, and a cancel
    page.click("#long-stop")
    assert page.stays(lambda: notices(page) == [] and page.text("#handled-state") == "on", 6)
    # With pauses of a quarter of a second there were twenty.
    sent: list[str] = page.js("return sent")
    for path in ("_dash-update-component", "cancel"):
        assert 3 <= sent.count(path) <= 7
    assert sent.count("updates") <= 7
    page.js("pauses.forEach(clearTimeout)")  # what is sent now is sent as the network is back
    page.plug_in()
    page.wait_text("#handled-result", "handled")
    page.wait_text("#long-state", "off")
    assert notices(page) == []


# The app takes part

APP = """
import os
import diskcache
from dash import Input, Output, html
from dash_long_callback import Dash, DiskcacheLongCallbackManager
from in_app import FOLDER

debug = "DEBUG" in os.environ
cache = diskcache.Cache(str(FOLDER / "cache"))
app = Dash(__name__, long_callback_manager=DiskcacheLongCallbackManager(cache))
app.layout = html.Div([html.Button("run", id="run"), html.Div("before", id="result")])

@app.long_callback(
    Output("result", "children"), Input("run", "n_clicks"), prevent_initial_call=True)
def update(n):
    raise ValueError("as planned")

policy = "; ".join(["default-src 'self'", "style-src 'self'", "img-src 'self' data:",
                    "script-src 'self' " + " ".join(app.csp_hashes())])

@app.server.after_request
def strict(response):
    if not debug:
        response.headers["Content-Security-Policy"] = policy
    return response

if __name__ == "__main__":
    app.run(port=os.environ["PORT"], debug=debug, use_reloader=False, dev_tools_hot_reload=False,
            dev_tools_disable_version_check=True)
"""
HOOK = """
window.failures = [];
window.addEventListener("long-callback-failed", (event) => {
    failures.push(event.detail);
    if (failures.length > 1) {
        event.preventDefault();
    }
});
"""


def test_an_app_hears_of_failures_can_keep_notices_away_and_may_have_a_strict_policy(
    blank: Page, serve: Callable[..., Server]
):
    page = blank
    page.expect_console("dash_renderer|Content Security Policy")  # Dash 4 has styles of its own
    page.open(serve(APP, files={"assets/failures.js": HOOK}).url)
    page.click("#run")
    page.wait_error("as planned|Something went wrong")
    wait_notices(page, FAILED)
    (failure,) = page.js("return failures")
    ref = failure.pop("ref")
    message = failure.pop("message")
    assert failure == {
        "callback": "result.children",
        "outputs": [{"id": "result", "property": "children"}],
        "kind": "failed",
        "user": False,
        "reload": False,
        "shown": False,
    }
    assert "as planned" not in message
    assert ref is None or len(ref) == 6
    # In spite of the policy it is where it is to be, and looks as it is to look.
    assert page.js("return getComputedStyle(document.querySelector('[role=alert]')).position") == (
        "fixed"
    )
    assert page.js(BACKGROUND) in (LIGHT, DARK)
    blocked = [text for text in page.complaints() if "notice" in text or "long_callback" in text]
    assert blocked == []
    page.click("#run")
    page.wait(lambda: len(page.js("return failures")) == 2)
    assert page.stays(lambda: notices(page) == [])
    assert page.text("#result") == "before"


@pytest.mark.parametrize("width", [1400, 390])
def test_a_notice_is_not_below_the_dev_tools(width: int, blank: Page, serve: Callable[..., Server]):
    page = blank
    page.open(serve(APP, env={"DEBUG": "1"}).url)
    media(page, width)
    page.click("#run")
    page.wait_error("as planned")
    page.wait_text(".test-devtools-error-count", "1")
    wait_notices(page, FAILED)
    dismiss(page)  # fails if anything covers the button
    media(page)
