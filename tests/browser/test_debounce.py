"""``debounce``: of triggers that follow each other, the last one starts a job."""

from __future__ import annotations

import pytest
from apps import Server
from page import Page, css

keep_page = True
pytestmark = pytest.mark.newest_only  # it is ours alone, and the same on every Dash

#: Seconds after which what waits for 1000 ms has begun.
PASSED = 1.5

#: Clicks elements one after the other. In the page, where a slow test makes no pause longer.
CLICKS = """
const [elements, then] = arguments;
const click = (index) => {
    if (index < elements.length) {
        document.querySelector(elements[index]).click();
        setTimeout(click, 20, index + 1);
    } else if (then) {
        location.replace(then);
    }
};
click(0);
"""

#: Notes whether a moment comes in which the page has had ten clicks and shows nothing of them.
LOOK = """
window.calm = false;
setInterval(() => {
    const find = (css) => document.querySelector(css);
    const clicked = dash_component_api.getLayout("ten-run").props.n_clicks === 10;
    const shown = find("#ten-turns") || find("#ten-state").textContent;
    const busy = store.getState().callbacks.watched.length || document.title === "Updating...";
    window.calm = window.calm || (clicked && !shown && !busy);
}, 10);
"""

source = """
def part(name, debounce=1000, **kwargs):
    page.extend([html.Button("run", id=f"{name}-run"), html.Button("stop", id=f"{name}-stop"),
                 html.P(id=f"{name}-state"),
                 dcc.Loading(html.P(id=f"{name}-result"), custom_spinner=html.B(id=f"{name}-turns"),
                             overlay_style={"visibility": "visible"})])
    return app.long_callback(
        Output(f"{name}-result", "children"), Input(f"{name}-run", "n_clicks"),
        running=(Output(f"{name}-state", "children"), "on", "off"),
        cancel=Input(f"{name}-stop", "n_clicks"), debounce=debounce, **kwargs)

@part("ten", prevent_initial_call=True)
def update(n):
    note("ten", n)
    wait_for("ten")
    return f"done {n}"
"""


def test_ten_clicks_start_one_job_with_the_last_value(page: Page, app: Server):
    before = page.requests("_dash-update-component")
    page.record("#ten-state", "#ten-result")
    page.js(LOOK)
    page.js(CLICKS, ["#ten-run"] * 10)
    assert app.wait_for_note("ten") == ["10"]
    page.wait_text("#ten-state", "on")
    page.wait(lambda: page.exists("#ten-turns"))
    assert page.js("return calm"), "while it waited, the page showed nothing"
    app.open_gate("ten")
    page.wait_text("#ten-result", "done 10")
    page.wait_text("#ten-state", "off")
    page.wait(lambda: not page.exists("#ten-turns"))
    assert page.stays(lambda: app.notes("ten") == ["10"], PASSED)
    assert page.requests("_dash-update-component") == before + 1
    assert page.recorded("#ten-state") == ["", "on", "off"]
    assert page.recorded("#ten-result") == ["", "done 10"]


source += """
for n in (1, 2):
    page += [html.Button("run", id={"type": "each-run", "n": n}),
             html.P(id={"type": "each-result", "n": n})]

@app.long_callback(Output({"type": "each-result", "n": MATCH}, "children"),
                   Input({"type": "each-run", "n": MATCH}, "n_clicks"),
                   debounce=1000, prevent_initial_call=True)
def update(clicks):
    n = ctx.triggered_id["n"]
    note("each", f"{n}: {clicks}")
    return f"done {clicks}"
"""


def test_each_match_waits_on_its_own(page: Page, app: Server):
    one, two = (css({"type": "each-run", "n": n}) for n in (1, 2))
    page.js(CLICKS, [one, two, one, two, two])
    for n, clicks in ((1, 2), (2, 3)):
        page.wait_text({"type": "each-result", "n": n}, f"done {clicks}")
    assert sorted(app.notes("each")) == ["1: 2", "2: 3"]


source += """
@part("stopped", prevent_initial_call=True)
def update(n):
    note("stopped", n)
    return f"done {n}"
"""


def test_a_cancel_drops_what_waits(page: Page, app: Server):
    page.record("#stopped-state", "#stopped-result")
    page.js(CLICKS, [*["#stopped-run"] * 3, "#stopped-stop"])
    page.wait_prop("stopped-stop", "n_clicks", 1)
    assert page.stays(lambda: app.notes("stopped") == [], PASSED)
    page.wait_idle()
    assert page.recorded("#stopped-state") == page.recorded("#stopped-result") == [""]
    page.click("#stopped-run")
    page.wait_text("#stopped-result", "done 4")
    assert app.notes("stopped") == ["4"]


source += """
@part("initial", debounce=3_600_000)
def update(n):
    return f"done {n}"
"""


def test_the_initial_call_does_not_wait(page: Page):
    page.wait_text("#initial-result", "done None")


source += """
@part("left", prevent_initial_call=True)
def update(n):
    note("left", n)
    wait_for("left")
    return f"done {n}"
"""


def test_a_page_that_comes_back_finds_what_runs_and_not_what_waited(page: Page, app: Server):
    page.click("#left-run")
    app.wait_for_note("left")
    page.js(CLICKS, ["#left-run"], "about:blank")
    page.wait(lambda: page.js("return location.href") == "about:blank")
    page.open(app.url)
    page.wait_text("#left-state", "on")
    assert page.stays(lambda: app.notes("left") == ["1"], PASSED)
    app.open_gate("left")
    page.wait_text("#left-result", "done 1")
    page.wait_text("#left-state", "off")
