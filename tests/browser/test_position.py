"""How many jobs are ahead of one that waits: the page is told, and so is whoever listens there."""

from __future__ import annotations

import pytest
from apps import Server
from page import Page

pytestmark = pytest.mark.newest_only  # the queue is the same on every Dash

#: Keeps what the page says of jobs that wait.
LISTEN = """
window.told = [];
window.addEventListener("long-callback-status", ({ detail: { outputs, status } }) => {
    if (status.ahead !== null) {
        window.told.push([outputs[0].id, status.ahead]);
    }
});
"""

source = """
def part(name):
    page.extend([html.Button("run", id=f"{name}-run"), html.Button("stop", id=f"{name}-stop"),
                 html.P(id=f"{name}-result")])

    @app.long_callback(
        Output(f"{name}-result", "children"), Input(f"{name}-run", "n_clicks"),
        cancel=Input(f"{name}-stop", "n_clicks"), prevent_initial_call=True)
    def update(n):
        note(name, "begins")
        wait_for(name)
        return f"done {n}"

for name in ("one", "two", "three", "four", "first", "second", "last"):
    part(name)
"""


def test_the_page_says_how_many_are_ahead_and_when_that_changes(page: Page, app: Server):
    page.js(LISTEN)
    workers = ("one", "two", "three", "four")
    for name in workers:
        page.click(f"#{name}-run")
        app.wait_for_note(name)

    def told(output: str) -> list[int]:
        return [ahead for one, ahead in page.js("return told") if one == output]

    for name in ("first", "second", "last"):  # one after the other: each is told when it waits
        page.click(f"#{name}-run")
        page.wait(lambda name=name: told(f"{name}-result"))
    page.wait(lambda: told("last-result") == [2])
    assert page.stays(lambda: told("last-result") == [2], 2.5), "the same is not told again"
    page.click("#first-stop")
    page.wait(lambda: told("last-result") == [2, 1])
    assert told("second-result") == [1, 0]
    for name in (*workers, "second", "last"):
        app.open_gate(name)
        page.wait_text(f"#{name}-result", "done 1")
    assert told("last-result") in ([2, 1], [2, 1, 0])
