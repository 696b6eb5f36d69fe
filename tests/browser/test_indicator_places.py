"""Where indicators are: over the component that a job is for, wherever that is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from apps import Server
from indicators import COMMON, row_of, rows, wait_gone, wait_row
from page import BasePage, Page, css

keep_page = True
pytestmark = pytest.mark.newest_only  # what is tried on every Dash is in test_indicator.py

source = (
    COMMON
    + """
from dash import dash_table

FIGURE = {"data": [{"y": [1, 3, 2]}], "layout": {"height": 260}}
TABLE = [{"a": n, "b": n * n} for n in range(5)]

@part("graph", dcc.Graph(id="graph-result", figure=FIGURE), "figure")
def graph(n):
    wait_for("graph")
    return FIGURE

@part("table", dash_table.DataTable(TABLE, id="table-result"), "data")
def table(n):
    wait_for("table")
    return TABLE

tall = html.Div("tall", id="scrolled-result", style={"height": 600})
scrolls = {"height": 150, "overflow": "auto"}

@part("scrolled", html.Div(tall, id="scrolls", tabIndex=0, style=scrolls))
def scrolled(n):
    wait_for("scrolled")
    return "done"

def window(name, Component, **more):
    main.append(Component([html.Button("run", id=f"{name}-run"),
                           html.P("before", id=f"{name}-result")], id=name, **more))

    @app.long_callback(Output(f"{name}-result", "children"), Input(f"{name}-run", "n_clicks"),
                       indicator=True, cancelable=True, prevent_initial_call=True)
    def update(n):
        wait_for(name)
        return "done"

window("dialog", html.Dialog)
window("modal", html.Div, role="dialog", **{"aria-label": "a window"},
       style={"position": "fixed", "right": 20, "top": 20, "width": 300, "background": "#eee"})

main += [html.Button("run", id=f"{name}-run") for name in ("store", "none", "named", "one", "two")]
main += [dcc.Store(id="store-result"), dcc.Store(id="named-result"),
         html.Div("a card", id="card", style={"height": 120}), html.P(id="one-result"),
         html.P(id="two-result")]

@app.long_callback(Output("store-result", "data"), Input("store-run", "n_clicks"),
                   indicator=True, prevent_initial_call=True)
def store(n):
    wait_for("store")
    return n

@app.long_callback(Input("none-run", "n_clicks"), indicator=True, prevent_initial_call=True)
def none(n):
    wait_for("none")
    raise UserError("It was not sent.")

@app.long_callback(Output("named-result", "data"), Input("named-run", "n_clicks"),
                   indicator="card", prevent_initial_call=True)
def named(n):
    wait_for("named")
    return n

@app.long_callback(Output("one-result", "children"), Input("one-run", "n_clicks"),
                   indicator="card", prevent_initial_call=True)
def one(n):
    wait_for("one")
    return "done"

@app.long_callback(Output("two-result", "children"), Input("two-run", "n_clicks"),
                   indicator="card", prevent_initial_call=True)
def two(n):
    wait_for("two")
    return "done"

main += [html.Div([html.Button("run", id={"type": "run", "n": n}),
                   html.P("match", id={"type": "card", "n": n}),
                   html.P(id={"type": "result", "n": n})]) for n in range(2)]

@app.long_callback(
    Output({"type": "result", "n": MATCH}, "children"),
    Input({"type": "run", "n": MATCH}, "n_clicks"),
    indicator={"type": "card", "n": MATCH}, prevent_initial_call=True)
def matched(n):
    wait_for("matched")
    return "done"

def again(name):
    @part(name, on_retrigger=name)
    def update(n):
        show_step(f"Run {n}")
        wait_for(f"{name}-{n}")
        return f"done {n}"

for name in ("replace", "parallel", "queue"):
    again(name)

main.append(html.Button("run", id="hidden-run"))
main.append(html.Div(html.P("before", id="hidden-result"), id="tab", style={"display": "none"}))

@app.long_callback(Output("hidden-result", "children"), Input("hidden-run", "n_clicks"),
                   indicator=True, prevent_initial_call=True)
def hidden(n):
    note("hidden")
    wait_for("hidden")
    raise ValueError("as planned")
"""
)


@pytest.fixture
def page(page: Page, app: Server) -> Iterator[Page]:
    page.size(1300, 1000)
    drawn = ("#graph-result .main-svg", "#table-result td")  # they are loaded when they are needed
    page.wait(lambda: all(map(page.exists, drawn)), "the graph and the table")
    yield page
    for gate in app.folder.glob("gate-*"):
        gate.unlink()


#: The boxes of a component, as far as it is not scrolled away, and of what lies over it: left, top,
#: right, bottom.
BOXES = """
const overlay = Array.from(document.querySelectorAll(".long-callback-indicator:not([hidden])"))
    .find(one => !arguments[1] || one.textContent.includes(arguments[1]));
const box = ({left, top, right, bottom}) => [left, top, right, bottom];
const [seen, over, card] = [document.querySelector(arguments[0]), overlay, overlay.firstChild].map(
    one => box(one.getBoundingClientRect()));
const scrolls = document.querySelector(arguments[0]).closest("#scrolls");
if (scrolls) {
    const {top, bottom} = scrolls.getBoundingClientRect();
    [seen[1], seen[3]] = [Math.max(seen[1], top), Math.min(seen[3], bottom)];
}
return [seen, over, card];
"""


def boxes(page: BasePage, component: str | dict[str, Any], text: str = "") -> list[list[float]]:
    return page.js(BOXES, css(component), text)


def run(page: BasePage, name: str) -> None:
    """Have a job begin that is the only one of the page."""
    page.click(f"#{name}-run")
    page.wait(lambda: rows(page), f"the indicator of {name}")


def finish(page: BasePage, app: Server, gate: str) -> None:
    app.open_gate(gate)
    page.wait(lambda: rows(page) == [], f"the indicator of {gate} to go")


@pytest.mark.parametrize("width", [1300, 390])
@pytest.mark.parametrize("name", ["graph", "table", "scrolled"])
def test_it_lies_over_what_can_be_seen_of_its_component(
    name: str, width: int, page: BasePage, app: Server
):
    page.size(width, 800)
    page.js("window.scrollTo(0, 0)")
    wide = "return document.scrollingElement.scrollWidth"
    page.wait(lambda: page.js(wide) == page.js(wide), "the page to have its new size")
    before = page.js(wide)
    run(page, name)
    seen = f"#{name}-result"
    component, overlay, card = boxes(page, seen)
    assert overlay == pytest.approx(component, abs=1.5)
    assert overlay[0] <= card[0] < card[2] <= overlay[2]
    assert overlay[1] <= card[1] < card[3] <= overlay[3]
    assert 0 <= card[0] < card[2] <= width
    assert page.js(wide) <= before
    if name == "scrolled":
        # It stays in sight, and goes where its component is not.
        page.js("document.querySelector('#scrolls').scrollTo(0, 300)")
        assert boxes(page, seen)[1] == pytest.approx(component, abs=1.5)
    page.js("window.scrollTo(0, 60)")
    component, overlay, _ = boxes(page, seen)
    assert overlay == pytest.approx(component, abs=1.5)
    finish(page, app, name)


@pytest.mark.parametrize("name", ["dialog", "modal"])
def test_in_a_window_of_the_page_it_is_above_it(name: str, page: BasePage, app: Server):
    if name == "dialog":
        page.js("document.querySelector('#dialog').showModal()")
    run(page, name)
    wait_row(page, f"{name}-result", "Running|Waiting")
    component, overlay, _ = boxes(page, f"#{name}-result")
    assert overlay == pytest.approx(component, abs=1.5)
    page.click(".long-callback-indicator-stop")  # fails if anything covers the button
    wait_row(page, f"{name}-result", "Cancelled")
    page.js("for (const one of document.querySelectorAll('dialog[open]')) one.close()")
    if name == "dialog":
        page.wait(lambda: rows(page) == [], "it to go with the dialog")
    page.leave()


def test_what_has_no_place_is_in_the_corner(page: BasePage, app: Server):
    page.click("#store-run")
    page.click("#none-run")
    page.wait(lambda: [row.over for row in rows(page)] == ["corner", "corner"])
    for width in (1300, 390):
        page.size(width, 800)
        card = boxes(page, "main")[2]
        assert width - 60 < card[2] <= width
        assert 700 < card[3] <= 800
        assert card[0] >= 0
    app.open_gate("store")
    page.wait(lambda: len(rows(page)) == 1)
    app.open_gate("none")
    row = wait_row(page, "corner", re.escape("It was not sent."))
    page.wait_error("It was not sent")
    assert row.buttons[0] == "Try again"
    assert not page.exists(".long-callback-notice")


def test_it_is_on_the_component_that_is_named_and_several_share_it(page: BasePage, app: Server):
    for count, name in enumerate(("named", "one", "two"), 1):
        page.click(f"#{name}-run")
        page.wait(
            lambda count=count: [row.over for row in rows(page)] == ["card"] * count, f"{count}"
        )
    component, overlay, _ = boxes(page, "#card")
    assert overlay == pytest.approx(component, abs=1.5)
    assert len(page.js("return [...document.querySelectorAll('.long-callback-indicator')]")) == 1
    for left, name in ((2, "one"), (1, "named")):
        app.open_gate(name)
        page.wait(lambda left=left: len(rows(page)) == left)
        assert page.js("return document.querySelector('#card').ariaBusy") == "true"
    finish(page, app, "two")
    assert not page.js("return document.querySelector('#card').ariaBusy")


def test_a_pattern_shows_each_on_its_own_component(page: BasePage, app: Server):
    card = '{"n":1,"type":"card"}'
    page.click({"type": "run", "n": 1})
    wait_row(page, card, "Running|Waiting")
    assert [row.over for row in rows(page)] == [card]
    page.click({"type": "run", "n": 0})
    page.wait(lambda: len(rows(page)) == 2)
    assert {row.over for row in rows(page)} == {card, card.replace("1", "0")}
    finish(page, app, "matched")


def test_of_several_of_the_same_outputs_the_first_that_goes_on_is_shown(
    page: BasePage, app: Server
):
    for name in ("replace", "parallel", "queue"):
        for _ in range(2):
            page.click(f"#{name}-run")
            wait_row(page, f"{name}-result", "Running", r"Run [12]")
    wait_row(page, "replace-result", "Running", "Run 2")
    for name in ("parallel", "queue"):
        row = row_of(page, f"{name}-result")
        assert row
        assert row.details == "Run 1"
        app.open_gate(f"{name}-1")
        wait_row(page, f"{name}-result", "Running", "Run 2")
    for name in ("replace", "parallel", "queue"):
        app.open_gate(f"{name}-2")
        wait_gone(page, f"{name}-result")
        page.wait_text(f"#{name}-result", "done 2")


def test_in_a_tab_that_is_not_open_nothing_is_shown_and_a_notice_tells_the_end(
    page: BasePage, app: Server
):
    begun = len(app.notes("hidden"))
    page.click("#hidden-run")
    app.wait_for_note("hidden", begun + 1)
    assert page.stays(lambda: rows(page) == [], 0.8)
    page.js("document.querySelector('#tab').style.display = ''")
    wait_row(page, "hidden-result", "Running")
    page.js("document.querySelector('#tab').style.display = 'none'")
    page.wait(lambda: rows(page) == [])
    app.open_gate("hidden")
    page.wait(lambda: page.exists(".long-callback-notice"), "a notice")
    page.wait_error("as planned")
    assert rows(page) == []
