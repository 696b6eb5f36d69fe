"""Behind nginx: its timeouts and buffers, its 502 while the app is away, and a path of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from page import Page
from proxied import Site, served

pytestmark = pytest.mark.newest_only  # a proxy does not know which Dash it is

#: Each with or without a path, and gunicorn with the times in scale: requests wait for 1 s instead
#: of 15, and nginx for 5 s instead of 60.
SITES: dict[str, dict[str, Any]] = {
    "gunicorn": {"prefix": "/app/", "hold": 1, "read_timeout": "5s"},
    "uvicorn": {},
}


@pytest.fixture(scope="module", params=SITES)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp(request.param)
    with served(request.param, folder, **SITES[request.param]) as site:
        yield site


def test_progress_comes_through_step_by_step(blank: Page, site: Site):
    site.open(blank)
    blank.click("#run")
    for number in range(3):
        blank.wait_text("#bar", f"step {number}")
        site.app.open_gate(f"step {number}")
    blank.wait_text("#result", "run 1 is done")
    blank.wait_text("#bar", "idle")


def test_a_cancel_comes_through(blank: Page, site: Site):
    site.open(blank)
    blank.click("#run")
    blank.wait_text("#bar", "step 0")
    blank.click("#stop")
    blank.wait_text("#bar", "idle")
    assert blank.text("#result") == ""


def see_502(page: Page, site: Site) -> None:
    """Wait until nginx has told the page that the app is away."""
    # And 504 while the app starts on a slow machine; and an answer that goes on was cut off.
    page.expect_console("50[24]|ERR_INCOMPLETE_CHUNKED_ENCODING")
    page.wait(lambda: site.away, "502")
    seen = len(site.nginx.statuses("updates"))
    page.wait(lambda: 502 in site.nginx.statuses("updates")[seen:], "the page to ask")


def test_a_page_whose_app_has_crashed_gets_its_result_from_the_next(blank: Page, site: Site):
    site.open(blank)
    blank.click("#run")
    blank.wait_text("#bar", "step 0")
    site.crash()
    see_502(blank, site)
    blank.click("#another")
    blank.wait(lambda: 502 in site.nginx.statuses("update-component"), "502 for a click")
    site.let_go()
    site.app.start()
    blank.wait_text("#result", "run 1 is done")
    blank.wait_text("#bar", "idle")
    blank.wait_text("#other", "done, too")


@pytest.mark.parametrize("site", ["gunicorn"], indirect=True)
def test_a_page_whose_app_is_restarted_hears_of_all_its_jobs(blank: Page, site: Site):
    site.open(blank)
    blank.click("#run")
    blank.wait_text("#bar", "step 0")
    clicks = len(site.nginx.statuses("update-component"))
    blank.click("#another")  # there is one worker: this job waits
    blank.wait(lambda: len(site.nginx.statuses("update-component")) > clicks, "its answer")
    site.app.end()  # its job goes on
    see_502(blank, site)
    site.let_go()
    site.app.start()
    blank.wait_text("#result", "run 1 is done")
    blank.wait_text("#other", "done, too")
    blank.wait_text("#bar", "idle")


# A job that is silent for longer than nginx waits for an answer


@pytest.mark.parametrize("site", ["gunicorn"], indirect=True)
def test_requests_are_answered_before_nginx_loses_patience(blank: Page, site: Site):
    site.open(blank)
    before = len(site.nginx.statuses("updates"))

    def answers() -> list[int]:
        return site.nginx.statuses("updates")[before:]

    blank.click("#run")
    blank.wait_text("#bar", "step 0")
    told = len(answers())
    blank.wait(lambda: len(answers()) > told + 6, "more answers than nginx has seconds")
    assert blank.text("#bar") == "step 0"
    site.let_go()
    blank.wait_text("#result", "run 1 is done")
    assert set(answers()) == {200}
