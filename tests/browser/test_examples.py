"""The examples, each alone and all in the gallery, and an app in the words of Dash 2."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from app_parts import QUIET
from apps import Server
from page import Page
from selenium.webdriver.common.by import By

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ["1_simple", "2_disable", "3_cancelable", "4_progress", "5_progress2"]
BEFORE = "Nothing has run yet."


def cache_below(folder: Path) -> dict[str, str]:
    """Has the default manager write to a folder of the test, and not to the user's."""
    return {"XDG_CACHE_HOME": str(folder)}


def example(serve: Callable[..., Server], page: Page, name: str, folder: Path) -> None:
    """Open an example as its reader does: python examples/name.py."""
    page.open(serve(EXAMPLES / f"{name}.py", env={**QUIET, **cache_below(folder)}).url)
    page.wait_text("#result", BEFORE)


@pytest.mark.newest_only  # the gallery has it on the oldest
def test_progress(serve: Callable[..., Server], blank: Page, tmp_path: Path):
    example(serve, blank, "4_progress", tmp_path)
    assert not shown(blank, "#bar")
    blank.click("#run")
    blank.wait(lambda: int(blank.prop("bar", "value") or 0) > 4, "the bar to move", 20)
    assert shown(blank, "#bar")
    assert blank.prop("bar", "max") == "20"
    blank.wait_text("#result", "Clicks so far: 1", 20)
    blank.wait_prop("bar", "hidden", value=True)


@pytest.mark.newest_only  # what it shows is tried on the oldest, too
def test_streaming(serve: Callable[..., Server], blank: Page, tmp_path: Path):
    # React, of dcc.Markdown: it sets state when its highlighter is loaded, mounted or not
    blank.expect_console("defaultProps|hasn't mounted yet")
    example(serve, blank, "8_streaming", tmp_path)
    blank.record("#result")
    blank.click("#run")
    blank.wait_prop("stop", "disabled", value=False)
    blank.wait(lambda: (blank.text("#result") or "").startswith("Why does it rain? That is"))
    blank.open(blank.driver.current_url)
    blank.wait_prop("run", "disabled", value=True)
    blank.wait(lambda: (blank.text("#result") or "").endswith("meanwhile."), timeout=20)
    blank.wait_text("#count", "32 words")
    blank.click("#run")
    blank.wait_prop("stop", "disabled", value=False)
    blank.wait(lambda: len(blank.text("#result") or "") < 60, "another answer to begin")
    blank.click("#stop")
    blank.wait_prop("run", "disabled", value=False)
    assert not (blank.text("#result") or "").endswith("meanwhile.")
    assert blank.text("#count") == "32 words"


#: What indicators say.
SAID = """
return [...document.querySelectorAll(".long-callback-indicator-state")].map((one) => one.innerText);
"""


@pytest.mark.newest_only  # what it shows is tried on the oldest, too
def test_failures(serve: Callable[..., Server], blank: Page, tmp_path: Path):
    blank.open(serve(EXAMPLES / "9_failures.py", env={**QUIET, **cache_below(tmp_path)}).url)

    def part(name: str, case: str) -> dict[str, str]:
        return {"type": name, "case": case}

    def said() -> set[str]:
        return set(blank.js(SAID))

    cases = ("raise", "tell", "kill", "hang", "work")
    blank.js("document.querySelectorAll('.row button').forEach(button => button.click())")
    blank.wait(lambda: {"Waiting", "Running"} <= said(), "one to run, and others to wait")
    blank.wait_text(part("result", "work"), "Clicks so far: 1", 60)
    for pattern in ("ConnectionError", "Choose a longer one", "worker process", "timeout of 3 s"):
        blank.wait_error(pattern)
    for case in cases:
        blank.wait_prop(part("run", case), "disabled", value=False)
    assert said() == {
        "Something went wrong. Try again.",
        "There are no sales in this period. Choose a longer one.",
        "This was interrupted before it had finished. Try again.",
        "This took too long and was stopped. Try again.",
    }


#: Of each job of each user, what its row says, and how far its bar is.
QUEUES = """
const words = (row) => [...row.querySelectorAll("span")].map((span) => span.textContent);
return [...document.querySelectorAll("iframe")].map(({contentDocument}) =>
    [...contentDocument.querySelectorAll(".job")].map((row) =>
        [words(row).find(Boolean) || "", row.querySelector("progress").position]));
"""


@pytest.mark.newest_only  # what it shows is tried on the oldest, too
def test_indicator(serve: Callable[..., Server], blank: Page, tmp_path: Path):
    blank.open(serve(EXAMPLES / "11_indicator.py", env={**QUIET, **cache_below(tmp_path)}).url)
    blank.click("#run")
    blank.wait(lambda: blank.exists("[role=progressbar][aria-valuenow]"), "a bar")
    blank.click(".long-callback-indicator-stop")
    blank.wait(lambda: blank.js(SAID) == ["Cancelled"])
    assert len(blank.prop("chart", "figure")["data"]) == 3, "what was there stays"
    blank.click("#run")
    blank.wait(lambda: len(blank.prop("chart", "figure")["data"]) == 40, "the walks")
    blank.wait(lambda: blank.js(SAID) == [])


@pytest.mark.newest_only  # the queue is the same on every Dash
def test_queues(serve: Callable[..., Server], blank: Page, tmp_path: Path):
    blank.open(serve(EXAMPLES / "10_queues.py", env={**QUIET, **cache_below(tmp_path)}).url)
    ann, bob, cleo = range(3)

    def words() -> list[list[str]]:
        return [[word for word, _ in rows] for rows in blank.js(QUEUES)]

    def click(user: int, selector: str, n: int = 0) -> None:
        blank.js(
            "document.querySelectorAll('iframe')[arguments[0]].contentDocument"
            ".querySelectorAll(arguments[1])[arguments[2]].click()",
            *(user, selector, n),
        )

    def until(condition: Callable[[list[list[str]]], Any]) -> list[list[str]]:
        return blank.wait(lambda: found if condition(found := words()) else None, timeout=40)

    until(lambda seen: [len(rows) for rows in seen] == [4, 4, 4])
    click(ann, "#run")

    def half() -> list[Any] | None:
        rows = blank.js(QUEUES)[ann]
        return rows if any(word == "runs" and bar > 0.4 for word, bar in rows) else None

    # There is another worker, which has nothing to do.
    assert [word for word, _ in blank.wait(half, "a bar to move")].count("runs") == 1
    click(bob, "#run")
    until(lambda seen: "runs" in seen[bob])
    click(cleo, "#run")
    seen = until(lambda seen: "" not in seen[cleo] and seen[cleo].count("waits") > 2)
    *before, urgent = [n for n, word in enumerate(seen[cleo]) if word == "waits"]
    click(cleo, ".job button", urgent)
    seen = until(lambda seen: seen[cleo][urgent] == "done")
    assert "done" not in [seen[cleo][n] for n in before]
    seen = until(lambda seen: seen[cleo].count("done") > 1)
    assert {*seen[ann]} != {"done"} != {*seen[bob]}  # though all theirs were there before hers
    until(lambda seen: all({*rows} == {"done"} for rows in seen))


def shown(page: Page, selector: str) -> bool:
    return page.driver.find_element(By.CSS_SELECTOR, selector).is_displayed()


def bars(page: Page) -> list[int]:
    return page.prop("chart", "figure")["data"][0]["y"]


# The gallery


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("gallery")
    server = Server("", folder, cache_below(folder), command=[str(EXAMPLES / "gallery.py")])
    yield server.start()
    server.stop(signal.SIGINT)  # Ctrl-C; fails if anything is left


@contextmanager
def frame(page: Page, name: str) -> Generator[None]:
    """Inside, the page is that of an example in the gallery."""
    [element] = page.driver.find_elements(By.CSS_SELECTOR, f"[id='{name}'] iframe")
    page.driver.switch_to.frame(element)
    try:
        yield
    finally:
        page.driver.switch_to.default_content()


def test_all_examples_run_side_by_side_in_the_gallery(gallery: Server, blank: Page):
    blank.open(gallery.url)
    for name in NAMES:
        with frame(blank, name):
            blank.wait(blank.is_idle, f"{name} to be rendered", 20)
            assert blank.text("#result") == BEFORE
            blank.click("#run")
    with frame(blank, "5_progress2"):
        blank.wait(lambda: bars(blank)[0] == 100, "the first bar to be full", 20)
        assert bars(blank)[3] < 100
    for name in NAMES:
        with frame(blank, name):
            blank.wait_text("#result", "Clicks so far: 1", 30)
            blank.wait_idle()
            assert blank.errors() == []
    with frame(blank, "5_progress2"):
        assert bars(blank) == [0, 0, 0, 0]
    with frame(blank, "2_disable"):
        blank.click("#run")
        blank.wait_text("#run", "Running …")
        assert blank.prop("run", "disabled") is True
        blank.wait_text("#result", "Clicks so far: 2", 20)
        blank.wait_text("#run", "Run")
        assert blank.prop("run", "disabled") is False
    with frame(blank, "3_cancelable"):
        blank.click("#run")
        blank.wait_prop("cancel", "disabled", value=False)
        blank.click("#cancel")
        blank.wait_prop("run", "disabled", value=False, timeout=20)
        assert blank.prop("cancel", "disabled") is True
        assert blank.text("#result") == "Clicks so far: 1"


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_gallery_shows_the_files_that_run(gallery: Server, blank: Page):
    blank.open(gallery.url)
    for name in NAMES:
        code = f"[id='{name}'] pre code"
        blank.wait(lambda code=code: blank.exists(code + " .hljs-keyword"), "coloured code")
        text = blank.text(code)
        assert text
        assert text.strip() in (EXAMPLES / f"{name}.py").read_text()
        assert "@app.long_callback(" in text


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_frames_are_as_high_as_their_examples(gallery: Server, blank: Page):
    blank.open(gallery.url)

    def fits(name: str) -> bool:
        scrolls = "const e = document.documentElement; return e.scrollHeight > innerHeight"
        with frame(blank, name):
            return blank.exists("#run") and not blank.js(scrolls)

    for name in NAMES:
        blank.wait(lambda name=name: fits(name), f"the frame of {name} to fit")
    with frame(blank, "4_progress"):
        blank.wait(blank.is_idle)
        blank.click("#run")
        blank.wait(lambda: shown(blank, "#bar"))
    blank.wait(lambda: fits("4_progress"), "the frame to grow with the progress bar")


#: Of each text and button of a document, how far its colour is from that of what is behind it, by
#: the formula of WCAG 2; and how much wider than the window the document is.
LOOKS = """
const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
const behind = (e) => !e ? [] : [...behind(e.parentElement), getComputedStyle(e).backgroundColor];
const mixed = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
};
const light = (colour) => {
    const [r, g, b] = colour.map((c) => c / 255)
        .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const looks = [...document.querySelectorAll("h1, h2, p, span, a, button, input, .bar, code")]
    .filter((e) => (e.value || e.innerText) && e.checkVisibility())
    .map((e) => {
        const ground = behind(e), text = mixed([...ground, getComputedStyle(e).color]);
        const [low, high] = [light(mixed(ground)), light(text)].sort((a, b) => a - b);
        return [`${e.localName}#${e.id} ${e.disabled ? "off" : ""}`, (high + 0.05) / (low + 0.05)];
    });
return [looks, document.documentElement.scrollWidth - innerWidth];
"""


@pytest.mark.newest_only  # colours are those of the newest components
@pytest.mark.parametrize("scheme, width", [("light", 390), ("dark", 1280)])
def test_all_is_readable_and_fits(scheme: str, width: int, gallery: Server, blank: Page):
    blank.expect_console("dash_renderer")  # some of the failures come while the page is open
    command = blank.driver.execute_cdp_cmd
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    command("Emulation.setEmulatedMedia", {"features": features})
    command("Emulation.setDeviceMetricsOverride", size)
    try:
        blank.open(gallery.url)
        blank.wait(lambda: blank.exists(".code .hljs-keyword"), "coloured code")
        looks_well(blank, "the gallery")
        for name in ("3_cancelable", "4_progress", "8_streaming", "9_failures"):
            with frame(blank, name):
                looks_well_at_work(blank, name)
        with frame(blank, "10_queues"):
            blank.wait(lambda: blank.exists("iframe[title=Ann]"), "the frames of users")
            looks_well(blank, "10_queues")
            blank.driver.switch_to.frame(0)
            looks_well_at_work(blank, "a queue")
    finally:
        command("Emulation.setEmulatedMedia", {"features": []})
        command("Emulation.clearDeviceMetricsOverride", {})


def looks_well_at_work(page: Page, name: str) -> None:
    page.wait(page.is_idle, f"{name} to be rendered", 20)
    page.js("document.querySelectorAll('#run, .row button').forEach(b => b.click())")
    page.wait(lambda: page.exists("button:disabled"))
    looks_well(page, name)


def looks_well(page: Page, name: str) -> None:
    """Fail unless texts can be read, also those of disabled buttons, and nothing is too wide."""

    def poor() -> list[Any]:
        looks, too_wide = page.js(LOOKS)
        assert looks
        return [text for text in looks if text[1] < 3.8] + [too_wide] * (too_wide > 0)

    with suppress(pytest.fail.Exception):  # colours change within a fraction of a second
        page.wait(lambda: not poor(), timeout=3)
    assert poor() == [], name


# An app in the words of Dash 2

DASH_2 = """
import dash_long_callback.compat
import time
import dash
from dash import html
from dash.dependencies import Input, Output
from dash.long_callback import DiskcacheLongCallbackManager
import diskcache

cache = diskcache.Cache("./cache")
long_callback_manager = DiskcacheLongCallbackManager(cache)

app = dash.Dash(__name__, long_callback_manager=long_callback_manager)
app.layout = html.Div(
    [
        html.P(id="result", children=["Not clicked"]),
        html.Progress(id="bar", value="0"),
        html.Button(id="run", children="Run"),
        html.Button(id="cancel", children="Cancel"),
    ]
)

@app.long_callback(
    output=Output("result", "children"),
    inputs=Input("run", "n_clicks"),
    running=[
        (Output("run", "disabled"), True, False),
        (Output("cancel", "disabled"), False, True),
        (Output("bar", "style"), {"visibility": "visible"}, {"visibility": "hidden"}),
    ],
    cancel=[Input("cancel", "n_clicks")],
    progress=[Output("bar", "value"), Output("bar", "max")],
    prevent_initial_call=True,
)
def callback(set_progress, n_clicks):
    total = 10
    for i in range(total):
        time.sleep(0.2)
        set_progress((str(i + 1), str(total)))
    return [f"Clicked {n_clicks} times"]

if __name__ == "__main__":
    app.run_server(debug=True)
"""


def test_app_in_the_words_of_dash_2(serve: Callable[..., Server], blank: Page):
    blank.open(serve(DASH_2, env=QUIET).url)
    blank.click("#run")
    blank.wait_prop("run", "disabled", value=True)
    blank.wait(lambda: int(blank.prop("bar", "value") or 0) > 1, "the bar to move", 20)
    assert shown(blank, "#bar")
    blank.click("#cancel")
    blank.wait_prop("run", "disabled", value=False, timeout=20)
    assert blank.text("#result") == "Not clicked"
    assert not shown(blank, "#bar")
    blank.click("#run")
    blank.wait_text("#result", "Clicked 2 times", 20)
