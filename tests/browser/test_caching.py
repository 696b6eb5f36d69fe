"""Kept results: the second who asks gets it at once, in one request and without a flash."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from app_parts import QUIET
from apps import Server
from page import Page

pytestmark = pytest.mark.newest_only  # results are kept in the same way on every Dash

EXAMPLE = Path(__file__).parents[2] / "examples" / "7_caching.py"

source = """
def part(name, **kwargs):
    page.extend([dcc.Input(id=f"{name}-word", value="a"), html.Button("run", id=f"{name}-run"),
                 html.Button("stop", id=f"{name}-stop"), html.Progress(id=f"{name}-bar", max="2"),
                 html.Div(id=f"{name}-result"), html.Div(id=f"{name}-side")])
    return app.long_callback(
        Output(f"{name}-result", "children"),
        Input(f"{name}-run", "n_clicks"), State(f"{name}-word", "value"),
        running=[(Output(f"{name}-run", "disabled"), True, False)],
        cancel=Input(f"{name}-stop", "n_clicks"),
        progress=Output(f"{name}-bar", "value"), progress_default="0",
        prevent_initial_call=True,
        **{"cache_by": [], "cache_args_to_ignore": 0, **kwargs},
    )
"""

#: Counts what happens to the parts of the page that would flash.
WATCH = """
    window.flashes = [];
    const watch = (id, name) => new MutationObserver(() => flashes.push(id + "." + name))
        .observe(document.getElementById(id), {attributes: true, attributeFilter: [name]});
    watch(arguments[0] + "-run", "disabled");
    watch(arguments[0] + "-bar", "value");
"""
#: Of all requests that a click has made: the path, and milliseconds.
REQUESTS = """
    return performance.getEntriesByType("resource")
        .filter((entry) => entry.name.includes("/_dash-"))
        .map((entry) => [new URL(entry.name).pathname, entry.duration]);
"""
#: Milliseconds that an answer may take and still be there before the page shows that it waits.
AT_ONCE = 40


@contextmanager
def second_tab(page: Page, url: str) -> Generator[None]:
    """A tab of the same page, in front while the block runs."""
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    try:
        page.open(url)
        yield
    finally:
        page.driver.close()
        page.driver.switch_to.window(first)


def ask(page: Page, name: str, word: str, answer: str | None = None) -> None:
    page.type(f"#{name}-word", word)
    page.click(f"#{name}-run")
    page.wait_text(f"#{name}-result", answer or f"{word}!")
    page.wait(page.is_idle)


source += """
@part("hit")
def hit(set_progress, n, word):
    note("hit", word)
    set_progress("1")
    time.sleep(0.2)
    return f"{word}!"
"""


def test_the_second_click_is_one_request_and_nothing_flashes(page: Page, app: Server):
    ask(page, "hit", "a")
    ask(page, "hit", "b")
    assert app.notes("hit") == ["a", "b"]
    page.js(WATCH, "hit")

    def quick() -> bool:
        """Ask for the other one; whether the answer came at once, as on a machine that is idle."""
        other = "a" if page.text("#hit-result") == "b!" else "b"
        page.js("performance.clearResourceTimings(); flashes.length = 0;")
        ask(page, "hit", other)
        requests = page.js(REQUESTS)
        # A busy page may hear late of an answer that has come at once.
        if requests[0][1] > AT_ONCE or page.js("return flashes.length"):
            return False
        assert [path for path, _ in requests] == ["/_dash-update-component"]
        return True

    page.wait(quick, "an answer at once", 20)
    assert app.notes("hit") == ["a", "b"]


def test_the_page_shows_that_a_result_is_not_there_yet(page: Page, app: Server):
    page.js(WATCH, "hit")
    ask(page, "hit", "miss")
    assert page.js("return flashes").count("hit-run.disabled") == 2
    assert "hit-bar.value" in page.js("return flashes")
    assert page.prop("hit-run", "disabled") is False


source += """
@part("side")
def side(set_progress, n, word):
    note("side", word)
    set_props("side-side", {"children": []})
    for letter in word:
        patch = Patch()
        patch.append(letter)
        set_props("side-side", {"children": patch})
    return f"{word}!"
"""


def test_what_the_run_has_set_on_the_side_is_set_again(page: Page, app: Server):
    ask(page, "side", "abc")
    ask(page, "side", "xyz")
    assert page.text("#side-side") == "xyz"
    ask(page, "side", "abc")
    assert page.text("#side-side") == "abc"
    assert app.notes("side") == ["abc", "xyz"]


source += """
@part("tabs")
def tabs(set_progress, n, word):
    note("tabs", word)
    set_progress("1")
    wait_for(f"tabs-{word}")
    return f"{word}!"
"""


def test_another_tab_gets_the_result_too(page: Page, app: Server):
    app.open_gate("tabs-shared")
    ask(page, "tabs", "shared")
    with second_tab(page, app.url):
        ask(page, "tabs", "shared")
    assert app.notes("tabs").count("shared") == 1


def test_two_tabs_wait_for_one_run_and_both_see_its_progress(page: Page, app: Server):
    page.type("#tabs-word", "joined")
    page.click("#tabs-run")
    page.wait_prop("tabs-bar", "value", "1")
    with second_tab(page, app.url):
        page.type("#tabs-word", "joined")
        page.click("#tabs-run")
        page.wait_prop("tabs-bar", "value", "1")
        assert page.prop("tabs-run", "disabled") is True
        app.open_gate("tabs-joined")
        page.wait_text("#tabs-result", "joined!")
        page.wait_prop("tabs-run", "disabled", value=False)
    page.wait_text("#tabs-result", "joined!")
    assert app.notes("tabs").count("joined") == 1


def test_a_cancel_in_one_tab_leaves_the_other_its_run(page: Page, app: Server):
    page.type("#tabs-word", "left")
    page.click("#tabs-run")
    page.wait_prop("tabs-bar", "value", "1")
    with second_tab(page, app.url):
        page.type("#tabs-word", "left")
        page.click("#tabs-run")
        page.wait_prop("tabs-bar", "value", "1")
        page.click("#tabs-stop")
        page.wait_prop("tabs-run", "disabled", value=False)
        assert page.text("#tabs-result") == ""
    assert page.prop("tabs-run", "disabled") is True
    app.open_gate("tabs-left")
    page.wait_text("#tabs-result", "left!")
    assert app.notes("tabs").count("left") == 1


source += """
def current_user():
    raise LookupError("nobody is logged in")

@part("broken", cache_by=current_user)
def broken(set_progress, n, word):
    note("broken")
    return f"{word}!"
"""


def test_a_failing_cache_by_function_is_named_in_the_dev_tools(page: Page, app: Server):
    page.click("#broken-run")
    text = page.wait_error("in current_user")
    assert "the cache_by function current_user of broken (broken-result.children) failed" in text
    assert "LookupError: nobody is logged in" in text
    page.wait(lambda: not page.prop("broken-run", "disabled"))
    assert app.notes("broken") == []


source += """
page.extend([html.Button("run", id={"match": n}) for n in (1, 2)])
page.extend([html.P(id={"match": n, "kind": "out"}) for n in (1, 2)])

@app.long_callback(Output({"match": MATCH, "kind": "out"}, "children"),
                   Input({"match": MATCH}, "n_clicks"), cache_by=[], prevent_initial_call=True)
def match(n):
    return f"clicked {n}"
"""


def test_each_row_of_a_pattern_gets_its_result(page: Page):
    for n in (1, 2):
        page.click({"match": n})
        page.wait_text({"match": n, "kind": "out"}, "clicked 1")


# The example


def press(page: Page, expected: int, timeout: float = 20) -> None:
    page.click("#run")
    page.wait_text("#result", f"Clicks so far: {expected}", timeout)
    page.wait(page.is_idle)


@pytest.fixture
def example(serve: Callable[..., Server], tmp_path: Path) -> Server:
    # The default manager writes to the user's cache directory.
    return serve(EXAMPLE, env={**QUIET, "XDG_CACHE_HOME": str(tmp_path)})


def test_the_example_runs_four_times_and_then_never_again(example: Server, blank: Page):
    blank.open(example.url)
    for n in (1, 2, 3, 4):
        press(blank, n)
    for n in (1, 2, 3, 4):
        press(blank, n, 1)
    with second_tab(blank, example.url):
        for n in (1, 2):
            press(blank, n, 1)
