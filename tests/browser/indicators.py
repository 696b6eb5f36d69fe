"""What a test sees of the indicators of a page, and what the apps have in common that show some."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from page import BasePage

#: The beginning of the source of such an app: a page as people have it, and rows for its jobs.
COMMON = """
from dash_long_callback import UserError, show_step, track

app.index_string = app.index_string.replace("<html>", '<html lang="en">')
app.title = "Indicators"
main = []
page.append(html.Main(main))

def part(name, out=None, prop="children", **options):
    if out is None:
        out = html.P(f"before {name}", id=f"{name}-result")
    main.append(html.Div([html.Button(f"run {name}", id=f"{name}-run"), out]))
    options = {"indicator": True, "cancelable": True, **options}
    return app.long_callback(
        Output(f"{name}-result", prop), Input(f"{name}-run", "n_clicks"),
        prevent_initial_call=True, **options)

one_worker = DiskcacheLongCallbackManager(
    diskcache.Cache(str(FOLDER / "one-worker")), workers=1, grace=1)
"""

#: In words, one of each for the sentences that tests look for.
FAILED = "Something went wrong. Try again."
LOST = "This was interrupted before it had finished. Try again."

READ = """
const name = ".long-callback-indicator";
const box = (one) => one.getBoundingClientRect();
const marked = Array.from(document.querySelectorAll("[data-long-callback]"));
return Array.from(document.querySelectorAll(`${name}:not([hidden])`)).flatMap(overlay => {
    const here = box(overlay);
    const over = marked.find(one =>
        ["left", "top", "width"].every(side => Math.abs(box(one)[side] - here[side]) < 1));
    return Array.from(overlay.querySelectorAll(`${name}-row`), row => {
        const part = (which) => {
            const one = row.querySelector(`${name}-${which}`);
            return one && !one.hidden ? one.textContent : "";
        };
        const bar = row.querySelector("[role=progressbar]");
        const filled = bar && box(bar.firstChild).width / box(bar).width;
        return [
            overlay.dataset.place || (over ? over.id : ""), row.dataset.state,
            part("state"), part("time"), part("percent"), part("details"),
            bar && [bar.getAttribute("aria-valuenow"), bar.getAttribute("aria-valuetext"), filled],
            Array.from(row.querySelectorAll("button:not([hidden])"), one => one.textContent),
        ];
    });
});
"""


@dataclass(frozen=True)
class Bar:
    """A bar: what a screen reader reads of it, and which part of it is filled."""

    now: str | None
    text: str | None
    filled: float


@dataclass(frozen=True)
class Row:
    """What an indicator says of one job. What it does not say is empty.

    Attributes:
        over: the id of the component that it lies over, or ``"corner"``.
        state: for style sheets.
        text: what the user reads first.
        time: how long it takes.
        percent: how much is done.
        details: small print.
        bar: None if there is none.
        buttons: the texts of those that can be seen.
    """

    over: str
    state: str
    text: str
    time: str
    percent: str
    details: str
    bar: Bar | None
    buttons: list[str]


def rows(page: BasePage) -> list[Row]:
    """All that indicators say, in the order of the document."""
    return [Row(*row[:6], bar=row[6] and Bar(*row[6]), buttons=row[7]) for row in page.js(READ)]


def row_of(page: BasePage, component: str) -> Row | None:
    """What is said over a component; None if nothing is."""
    found = [row for row in rows(page) if row.over == component]
    assert len(found) <= 1
    return found[0] if found else None


def wait_row(page: BasePage, component: str, text: str, details: str = ".*") -> Row:
    """Wait until an indicator says this over a component: patterns for all of it."""

    def found() -> Row | None:
        row = row_of(page, component)
        return row if row and matches(row, text, details) else None

    try:
        return page.wait(found)
    except pytest.fail.Exception:
        pytest.fail(f"no indicator over {component!r} says {text!r}, {details!r}: {rows(page)}")


def matches(row: Row, text: str, details: str) -> bool:
    return bool(re.fullmatch(text, row.text) and re.fullmatch(details, row.details))


def wait_gone(page: BasePage, component: str) -> None:
    """Wait until there is no indicator over a component."""
    page.wait(lambda: row_of(page, component) is None, f"the indicator of {component} to go")
    busy = (
        "const e = document.getElementById(arguments[0]); return e && e.hasAttribute('aria-busy')"
    )
    assert not page.js(busy, component)


def no_notice(page: BasePage) -> bool:
    return not page.exists(".long-callback-notice")


#: Where all that the app has on the page is.
PLACES = """
return Array.from(document.querySelectorAll('main, main *'), one => {
    const {x, y, width, height} = one.getBoundingClientRect();
    return [x + scrollX, y + scrollY, width, height]; })
"""
