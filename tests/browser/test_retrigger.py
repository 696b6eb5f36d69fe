"""What a trigger does while a job for the same outputs runs."""

from __future__ import annotations

import time
from typing import Any

import pytest
from apps import Server
from page import Page

keep_page = True

source = """
def part(name, policy, **kwargs):
    page.extend([html.Button("run", id=f"{name}-run"), html.Button("stop", id=f"{name}-stop"),
                 html.P(id=f"{name}-state"), html.P(id=f"{name}-bar"), html.P(id=f"{name}-next"),
                 dcc.Loading(html.P(id=f"{name}-result"), custom_spinner=html.B(id=f"{name}-turns"),
                             overlay_style={"visibility": "visible"})])
    return app.long_callback(
        Output(f"{name}-result", "children"), Input(f"{name}-run", "n_clicks"),
        running=(Output(f"{name}-state", "children"), "on", "off"),
        progress=Output(f"{name}-bar", "children"), progress_default="idle",
        cancel=Input(f"{name}-stop", "n_clicks"), on_retrigger=policy,
        prevent_initial_call=True, **kwargs)

for policy in ("ignore", "queue", "latest", "parallel"):
    for name in (policy, f"{policy}-cancel", f"{policy}-reload", f"{policy}-double"):
        @part(name, policy)
        def update(set_progress, n, name=name):
            note(name, f"begins {n}")
            set_progress(f"step {n}")
            try:
                wait_for(f"{name}-{n}")
            finally:
                note(name, f"ends {n}")
            return f"done {n}"

        @app.callback(Output(f"{name}-next", "children"), Input(f"{name}-result", "children"),
                      prevent_initial_call=True)
        def follow(result, name=name):
            note(f"{name}-next", result)
            return result
"""


def test_ignore_does_nothing_while_a_job_runs(page: Page, app: Server):
    page.record("#ignore-state", "#ignore-result")
    page.click("#ignore-run")
    app.wait_for_note("ignore")
    for _ in range(3):
        page.click("#ignore-run")
    assert page.stays(lambda: app.notes("ignore") == ["begins 1"])
    assert page.exists("#ignore-turns"), "what still runs is still shown"
    app.open_gate("ignore-1")
    page.wait_text("#ignore-result", "done 1")
    page.wait(lambda: not page.exists("#ignore-turns"))
    page.wait_text("#ignore-next", "done 1")
    page.click("#ignore-run")
    app.open_gate("ignore-5")
    page.wait_text("#ignore-result", "done 5")
    page.wait_text("#ignore-state", "off")
    assert page.recorded("#ignore-result") == ["", "done 1", "done 5"]
    assert page.recorded("#ignore-state") == ["", "on", "off", "on", "off"]
    page.wait_text("#ignore-next", "done 5")
    assert app.notes("ignore-next") == ["done 1", "done 5"]


def test_queue_runs_one_after_the_other_in_the_order_of_the_clicks(page: Page, app: Server):
    page.record("#queue-state", "#queue-result", "#queue-bar")
    for _ in range(3):
        page.click("#queue-run")
    app.wait_for_note("queue")
    assert page.stays(lambda: app.notes("queue") == ["begins 1"])
    for n in (1, 2, 3):
        page.wait_text("#queue-bar", f"step {n}")
        assert page.exists("#queue-turns")
        app.open_gate(f"queue-{n}")
        page.wait_text("#queue-result", f"done {n}")
    page.wait_text("#queue-state", "off")
    page.wait(lambda: not page.exists("#queue-turns"))
    order = [f"{what} {n}" for n in (1, 2, 3) for what in ("begins", "ends")]
    assert app.notes("queue") == order
    assert page.recorded("#queue-state") == ["", "on", "off"]
    bar = ["idle", "step 1", "idle", "step 2", "idle", "step 3", "idle"]
    assert page.recorded("#queue-bar") == bar
    page.wait_text("#queue-next", "done 3")
    assert app.notes("queue-next") == ["done 1", "done 2", "done 3"]


def test_latest_lets_the_running_job_end_and_then_runs_the_newest_only(page: Page, app: Server):
    page.record("#latest-state", "#latest-result")
    for _ in range(4):
        page.click("#latest-run")
    app.wait_for_note("latest")
    assert page.stays(lambda: app.notes("latest") == ["begins 1"])
    for n in (1, 4):
        page.wait_text("#latest-bar", f"step {n}")
        assert page.exists("#latest-turns")
        app.open_gate(f"latest-{n}")
        page.wait_text("#latest-result", f"done {n}")
    page.wait_text("#latest-state", "off")
    page.wait(lambda: not page.exists("#latest-turns"))
    assert app.notes("latest") == ["begins 1", "ends 1", "begins 4", "ends 4"]
    assert page.recorded("#latest-state") == ["", "on", "off"]
    page.wait_text("#latest-next", "done 4")
    assert app.notes("latest-next") == ["done 1", "done 4"]


def test_parallel_runs_all_at_once_and_shows_each_result_when_it_comes(page: Page, app: Server):
    page.record("#parallel-state", "#parallel-result")
    for _ in range(3):
        page.click("#parallel-run")
    app.wait_for_note("parallel", 3)
    page.wait_text("#parallel-state", "on")
    for n in (2, 3, 1):
        assert page.exists("#parallel-turns")
        app.open_gate(f"parallel-{n}")
        page.wait_text("#parallel-result", f"done {n}")
        page.wait_text("#parallel-next", f"done {n}")
    page.wait_text("#parallel-state", "off")
    page.wait_text("#parallel-bar", "idle")
    page.wait(lambda: not page.exists("#parallel-turns"))
    assert page.recorded("#parallel-result") == ["", "done 2", "done 3", "done 1"]
    assert page.recorded("#parallel-state") == ["", "on", "off"]
    assert app.notes("parallel-next") == ["done 2", "done 3", "done 1"]


@pytest.mark.parametrize(
    "policy,begun", [("ignore", 1), ("queue", 1), ("latest", 1), ("parallel", 3)]
)
@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_a_cancel_ends_all_of_them(policy: str, begun: int, page: Page, app: Server):
    name = f"{policy}-cancel"
    page.record(f"#{name}-result")
    for _ in range(3):
        page.click(f"#{name}-run")
    app.wait_for_note(name, begun)
    page.click(f"#{name}-stop")
    page.wait_text(f"#{name}-state", "off")
    page.wait_text(f"#{name}-bar", "idle")
    page.wait(lambda: not page.exists(f"#{name}-turns"))
    app.wait_for_note(name, 2 * begun)
    assert page.stays(lambda: len(app.notes(name)) == 2 * begun)
    assert page.recorded(f"#{name}-result") == [""]
    page.click(f"#{name}-run")
    app.open_gate(f"{name}-4")
    page.wait_text(f"#{name}-result", "done 4")


@pytest.mark.parametrize("policy", ["ignore", "queue", "latest", "parallel"])
def test_clicks_in_one_moment_run_as_often_as_the_renderer_tells_of_them(
    policy: str, page: Page, app: Server
):
    name = f"{policy}-double"
    for n in (1, 2, 3):
        app.open_gate(f"{name}-{n}")
    page.js(f"for (let i = 0; i < 3; i++) document.querySelector('#{name}-run').click()")
    page.wait_text(f"#{name}-state", "off")
    page.wait_idle()
    begun = [note.split()[1] for note in app.notes(name) if note.startswith("begins")]
    assert len(begun) == len(set(begun)), "none of them twice"
    page.wait_text(f"#{name}-result", f"done {begun[-1]}")


@pytest.mark.parametrize(
    "policy,runs",
    [("ignore", [1]), ("queue", [1, 2, 3]), ("latest", [1, 3]), ("parallel", [1, 2, 3])],
)
@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_they_are_found_again_by_a_reload(policy: str, runs: list[int], page: Page, app: Server):
    name = f"{policy}-reload"
    for _ in range(3):
        page.click(f"#{name}-run")
    at_once = len(runs) if policy == "parallel" else 1
    app.wait_for_note(name, at_once)
    page.wait(lambda: accepted(page, at_once))
    page.open(app.url)
    page.wait_text(f"#{name}-state", "on")
    page.record(f"#{name}-result", f"#{name}-state")
    for n in runs:
        app.open_gate(f"{name}-{n}")
        page.wait_text(f"#{name}-result", f"done {n}")
    page.wait_text(f"#{name}-state", "off")
    assert page.recorded(f"#{name}-state") == ["on", "off"]
    assert page.recorded(f"#{name}-result") == ["", *(f"done {n}" for n in runs)]
    begun = [note for note in app.notes(name) if note.startswith("begins")]
    assert sorted(begun) == [f"begins {n}" for n in runs]


def accepted(page: Page, count: int) -> bool:
    """Whether the server has as many jobs of this page."""
    stored = page.js('return Object.values(sessionStorage).filter(text => !/"payload"/.test(text))')
    return len(stored) == count


source += """
for n in (1, 2):
    page += [html.Button("run", id={"type": "each-run", "n": n}),
             html.P(id={"type": "each-result", "n": n})]

@app.long_callback(Output({"type": "each-result", "n": MATCH}, "children"),
                   Input({"type": "each-run", "n": MATCH}, "n_clicks"),
                   on_retrigger="ignore", prevent_initial_call=True)
def update(clicks):
    n = ctx.triggered_id["n"]
    note("each", n)
    wait_for(f"each-{n}")
    return f"done {clicks}"
"""


def test_the_outputs_that_a_pattern_matches_are_told_apart(page: Page, app: Server):
    def part(name: str, n: int) -> dict[str, Any]:
        return {"type": f"each-{name}", "n": n}

    for n in (1, 1, 2, 2):
        page.click(part("run", n))
    app.wait_for_note("each", 2)
    for n in (1, 2):
        app.open_gate(f"each-{n}")
        page.wait_text(part("result", n), "done 1")
    assert sorted(app.notes("each")) == ["1", "2"]


source += """
@part("failing", "queue")
def update(set_progress, n):
    if n == 1:
        wait_for("failing")
        raise ValueError("as planned")
    return f"done {n}"
"""


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_after_an_error_the_queue_goes_on(page: Page, app: Server):
    page.click("#failing-run")
    page.click("#failing-run")
    time.sleep(0.1)
    app.open_gate("failing")
    page.wait_error("(?s)failing-result.children.*ValueError: as planned")
    page.wait_text("#failing-result", "done 2")
    page.wait_text("#failing-state", "off")
