"""Behind nginx, with the times that users have. A file of its own, as it takes its time."""

from __future__ import annotations

from pathlib import Path

import pytest
from page import Page
from proxied import served


@pytest.mark.newest_only
def test_a_job_of_40_s_with_nginx_s_patience_at_30_s(blank: Page, tmp_path: Path):
    with served("uvicorn", tmp_path, read_timeout="30s") as site:
        site.open(blank)
        blank.click("#run")
        blank.wait_text("#bar", "step 0")
        assert blank.stays(lambda: blank.text("#bar") == "step 0", 32)
        site.app.open_gate("step 0")
        blank.wait_text("#bar", "step 1", 3)
        assert blank.stays(lambda: blank.text("#bar") == "step 1", 4)
        site.let_go()
        blank.wait_text("#result", "run 1 is done", 3)
        assert set(site.nginx.statuses("updates")) == {200}
