"""How indicators look and read: light and dark, in other words, and for who can't see them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from apps import Server
from indicators import COMMON, FAILED, row_of, rows, wait_gone, wait_row
from page import BasePage, Page

keep_page = True
pytestmark = pytest.mark.newest_only  # it is ours alone, and the same on every Dash

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"

source = (
    COMMON
    + """
for name in ("queued", "running", "measured", "retrying", "cancelling", "cancelled", "failed",
             "told", "reload", "offline"):
    main.append(html.P(f"the output of {name}", id=name, style={"height": 90}))
main += [html.H1("Indicators"), html.Div("a card", id="card", style={"height": 120}),
         html.P("the end", id="end")]

@part("works")
def works(n):
    wait_for("works")
    raise ValueError("as planned")
"""
)


@pytest.fixture
def page(page: Page, app: Server) -> Iterator[Page]:
    yield page
    for gate in app.folder.glob("gate-*"):
        gate.unlink()
    page.leave()  # its language, its colours


NOTHING = {
    **dict.fromkeys(("ahead", "wait", "elapsed", "fraction", "remaining", "text", "done", "total")),
    **dict.fromkeys(("rate", "retry_in", "error")),
    "attempt": 1,
    "connected": True,
}
ERROR = {"kind": "failed", "message": "", "user": False, "ref": "482193", "reload": False}
#: What each component is to show.
STATES: dict[str, dict[str, Any]] = {
    "queued": {"state": "queued", "ahead": 3, "wait": 12},
    "running": {"state": "running", "elapsed": 65},
    "measured": {
        "state": "running",
        "elapsed": 65,
        "fraction": 0.4,
        "text": "Reading files",
        "done": 4,
        "total": 10,
        "rate": 2.5,
        "remaining": 70,
    },
    "retrying": {"state": "retrying", "attempt": 2, "retry_in": 9},
    "cancelling": {"state": "cancelling", "elapsed": 3},
    "cancelled": {"state": "cancelled"},
    "failed": {"state": "failed", "error": ERROR},
    "told": {"state": "failed", "error": {**ERROR, "user": True, "message": "No sales in May."}},
    "reload": {"state": "failed", "error": {**ERROR, "kind": "session", "reload": True}},
    "offline": {"state": "running", "elapsed": 7, "connected": False},
}
SHOW = """
const [name, status, on] = arguments;
const act = () => {};
dispatchEvent(new CustomEvent("long-callback-status", {detail: {
    callback: name, outputs: [{id: on, property: "children"}], run: name.length, status,
    indicator: [], here: true, cancelable: true,
    stop: ["queued", "running", "retrying"].includes(status.state) ? act : null,
    again: status.state === "failed" ? act : null }}));
"""


def show(page: BasePage, name: str, on: str | None = None, **changes: Any) -> None:
    """Have the page be told that a job is in one of the states, as the client tells it."""
    page.js(SHOW, name, {**NOTHING, **STATES[name], **changes}, on or name)


def show_all(page: BasePage) -> None:
    """Show all states, and two on one component."""
    # What has been cancelled is told where it was shown before.
    show(page, "cancelled", state="running")
    for name in STATES.keys() - {"cancelled"}:
        show(page, name)
    for name in ("queued", "failed"):
        page.js(SHOW, f"{name} too", {**NOTHING, **STATES[name]}, "card")
    page.wait(lambda: len(rows(page)) == len(STATES) + 2, "all states")
    show(page, "cancelled")
    assert {row.state for row in rows(page)} == {
        *("queued", "running", "retrying", "cancelling", "cancelled", "failed", "reconnecting")
    }


def violations(page: BasePage) -> list[str]:
    """What axe finds on the page, and of which words of ours it can't tell the contrast."""
    if not page.js("return 'axe' in window"):
        page.js(AXE.read_text())
    page.js(
        "window.found = null;"
        # What lies over the old output is a pseudo element, and below the words.
        "axe.run(document, {checks: {'color-contrast': {options: {ignorePseudo: true}}}})"
        ".then(found => { window.found = found; })"
    )
    page.wait(lambda: page.js("return window.found !== null"), "axe")
    checked = page.js(
        "return found.passes.filter(one => one.id === 'color-contrast').flatMap(one => one.nodes)"
        ".filter(node => node.html.includes('long-callback-')).length"
    )
    assert checked > 10, "it has looked at our words"
    return page.js(
        "const say = (rule) => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 200)}: `"
        " + node.failureSummary);"
        "const contrast = found.incomplete.filter(one => one.id === 'color-contrast');"
        "const ours = contrast.map(one => ({...one, nodes: one.nodes.filter("
        "    node => node.html.includes('long-callback-'))}));"
        "return [...found.violations, ...ours].flatMap(say)"
    )


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_fault_in_any_state(dark: bool, each_page: BasePage):
    page = each_page
    if dark:
        page.js(
            "document.documentElement.style.colorScheme = 'dark';"
            "document.body.style.cssText = 'background: #111; color: #eee'"
        )
    page.js("document.querySelector('#end').style.marginBottom = '300px'")  # notices are below
    page.js(
        "dispatchEvent(new CustomEvent('long-callback-failed', {cancelable: true, detail: {"
        "callback: 'a', outputs: [], kind: 'failed', message: '', user: false, ref: '482193',"
        " reload: true}}))"
    )
    show_all(page)
    # What comes fades in.
    page.wait(
        lambda: page.js(
            "return document.getAnimations().every(one => one.effect.getTiming()"
            ".iterations === Infinity)"
        ),
        "the page to be still",
    )
    found, shown = violations(page), len(rows(page))
    page.leave()  # its colours
    assert not found, "\n".join(found)
    assert shown == len(STATES) + 2


BACKGROUND = """
return getComputedStyle(document.querySelector('.long-callback-indicator-card')).backgroundColor
"""
LIGHT, DARK = "rgb(255, 255, 255)", "rgb(34, 38, 46)"


def test_it_is_light_or_dark_as_the_page_is_and_has_the_colours_of_the_app(page: BasePage):
    show(page, "running")
    wait_row(page, "running", "Running")
    assert page.js(BACKGROUND) == LIGHT
    root = "document.documentElement"
    for change, color in (
        (f"{root}.style.colorScheme = 'dark'", DARK),
        (f"{root}.setAttribute('data-bs-theme', 'light')", LIGHT),
        (f"{root}.setAttribute('data-mantine-color-scheme', 'dark')", DARK),
        (f"{root}.removeAttribute('data-mantine-color-scheme')", LIGHT),
        (f"{root}.removeAttribute('style'); {root}.removeAttribute('data-bs-theme')", LIGHT),
        ("document.body.style.background = '#111'", DARK),
    ):
        page.js(change)
        page.wait(lambda color=color: page.js(BACKGROUND) == color, f"{change}: {color}", 5)
    page.js(f"{root}.style.setProperty('--long-callback-indicator-background', 'rgb(1, 2, 3)')")
    page.js(f"{root}.style.setProperty('--long-callback-indicator-veil', 'rgb(4, 5, 6)')")
    assert page.js(BACKGROUND) == "rgb(1, 2, 3)"
    veil = "getComputedStyle(document.querySelector('.long-callback-indicator'), '::before')"
    assert page.js(f"return {veil}.backgroundColor") == "rgb(4, 5, 6)"


def test_it_speaks_the_language_of_the_page(page: BasePage, app: Server):
    page.js("document.documentElement.lang = 'es-MX'")
    page.click("#works-run")
    row = wait_row(page, "works-result", "En marcha")
    assert row.buttons == ["Detener"]
    assert page.js("return document.querySelector('.long-callback-indicator-state').lang") == "es"
    assert page.js("return document.querySelector('[role=progressbar]').ariaLabel") == "Progreso"
    app.open_gate("works")
    row = wait_row(page, "works-result", re.escape("Algo ha salido mal. Inténtelo de nuevo."))
    assert row.details.startswith("n.º ")
    assert row.buttons[0] == "Reintentar"
    label = "return document.querySelector('.long-callback-indicator-dismiss').ariaLabel"
    assert page.js(label) == "Cerrar"
    page.wait_error("as planned")
    show(page, "measured")
    wait_row(
        page,
        "measured",
        "En marcha",
        re.escape("Reading files · 4 de 10 · 2,5 por segundo · quedan unos 1 min"),
    )
    page.js("document.documentElement.lang = 'fr'")
    wait_row(page, "works-result", re.escape(FAILED))


def test_it_moves_and_is_dark_for_who_likes_it(blank: Page, app: Server):
    page = blank  # Firefox has no command for what its user likes
    page.open(app.url)
    moves = (
        "return ['', '-fill'].map(name => getComputedStyle("
        "document.querySelector('.long-callback-indicator' + name)).animationName)"
    )
    show(page, "running")
    wait_row(page, "running", "Running")
    assert page.js(moves) == ["long-callback-indicator-comes", "long-callback-indicator-goes"]
    reduce = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": reduce})
    assert page.js(moves) == ["none", "none"]
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": dark})
    page.wait(lambda: page.js(BACKGROUND) == DARK, "it to be dark as its user likes it")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    page.leave()


# An app of its own

APP = """
import os
import diskcache
from dash import Input, Output, html
from dash_long_callback import Dash, DiskcacheLongCallbackManager
from in_app import FOLDER, wait_for

cache = diskcache.Cache(str(FOLDER / "cache"))
app = Dash(__name__, long_callback_manager=DiskcacheLongCallbackManager(cache),
           long_callback_indicator=True, long_callback_texts={
               "en": {"running": "At <b>work</b>"},
               "de": {"running": "Läuft", "failed": "Das ging schief.", "number": "Nr."}})
app.layout = html.Div([html.Button("run", id="run"), html.Div("before", id="result"),
                       html.Button("quiet", id="quiet"), html.Div("before", id="other")])

@app.long_callback(
    Output("result", "children"), Input("run", "n_clicks"), prevent_initial_call=True)
def update(n):
    wait_for("go")
    raise ValueError("as planned")

@app.long_callback(Output("other", "children"), Input("quiet", "n_clicks"), indicator=False,
                   prevent_initial_call=True)
def quiet(n):
    wait_for("go")
    return "done"

policy = "; ".join(["default-src 'self'", "style-src 'self'", "img-src 'self' data:",
                    "script-src 'self' " + " ".join(app.csp_hashes())])

@app.server.after_request
def strict(response):
    response.headers["Content-Security-Policy"] = policy
    return response

if __name__ == "__main__":
    app.run(port=os.environ["PORT"])
"""


def test_an_app_has_its_own_words_and_may_have_a_strict_policy(
    blank: Page, serve: Callable[..., Server]
):
    page = blank
    page.expect_console("dash_renderer|Content.Security.Policy")  # Dash 4 has styles of its own
    server = serve(APP)
    page.open(server.url)
    page.click("#quiet")
    page.click("#run")
    row = wait_row(page, "result", re.escape("At <b>work</b>"))
    assert row.buttons == [], "it is not cancelable"
    assert row_of(page, "other") is None
    style = "getComputedStyle(document.querySelector('.long-callback-indicator'))"
    assert page.js(f"return {style}.position") == "absolute"
    assert page.js(BACKGROUND) in (LIGHT, DARK)
    page.js("document.documentElement.lang = 'de-AT'")
    wait_row(page, "result", "Läuft")
    server.open_gate("go")
    row = wait_row(page, "result", re.escape("Das ging schief."), r"Nr\. \d{6}")
    assert row.buttons[0] == "Try again", "what the author has left out is English"
    page.wait_error("as planned|Something went wrong")
    page.wait_text("#other", "done")
    blocked = [text for text in page.complaints() if "indicator" in text or "long_callback" in text]
    assert blocked == []
    page.click(".long-callback-indicator-dismiss")
    wait_gone(page, "result")
