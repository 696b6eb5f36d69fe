"""Behind nginx, with the times that pages and servers have. Its own file: it takes its time."""

from __future__ import annotations

from pathlib import Path

import pytest
from page import Page
from proxied import served

pytestmark = pytest.mark.newest_only  # a proxy does not know which Dash it is


def test_a_job_that_is_silent_for_longer_than_nginx_has_patience(blank: Page, tmp_path: Path):
    # A stream gives a sign of life every 10 s.
    with served("uvicorn", tmp_path, read_timeout="15s") as site:
        site.open(blank)
        blank.click("#run")
        blank.wait_text("#bar", "step 0")
        assert blank.stays(lambda: blank.text("#bar") == "step 0", 17)
        site.app.open_gate("step 0")
        blank.wait_text("#bar", "step 1")
        assert blank.stays(lambda: blank.text("#bar") == "step 1", 4)
        site.let_go()
        blank.wait_text("#result", "run 1 is done")
        # A stream is in the log when it has ended, a moment later.
        statuses = blank.wait(lambda: site.nginx.statuses("updates"))
        assert set(statuses) == {200}


def test_a_page_whose_proxy_keeps_streams_back_asks_for_answers_that_end(
    blank: Page, tmp_path: Path
):
    with served("uvicorn", tmp_path, keep_streams=True) as site:

        def given_up() -> int:
            return site.nginx.statuses("updates").count(499)

        site.open(blank)
        blank.click("#run")
        blank.wait(lambda: given_up() == 1, "the page to give up the stream")
        blank.wait_text("#bar", "step 0")
        site.app.open_gate("step 0")
        blank.wait_text("#bar", "step 1")
        assert given_up() == 1
        # The server may just have been busy: after a minute a stream is tried again.
        blank.js("const now = Date.now; Date.now = () => now() + 61000")
        site.app.open_gate("step 1")
        blank.wait_text("#bar", "step 2")
        blank.wait(lambda: given_up() == 2, "the page to try a stream again")
        site.let_go()
        blank.wait_text("#result", "run 1 is done")
        assert given_up() == 2
