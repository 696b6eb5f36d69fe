"""An ordinary callback while fifty long callbacks of the same page are in flight."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.harness import Browser, Result, Row, Server, median, wait_until

#: As ``busy_app`` has them; each job has a worker, and tells its progress once a second.
JOBS, SECONDS = 50, 12
#: Alone, beside the jobs, alone: clicks in each part, and clicks beside them in all.
ALONE, BESIDE, CLICKS = 7, 14, 40
#: Milliseconds between two clicks: what a click has caused is over, and it meets any moment of
#: the second between two values of progress.
PAUSE = 130
#: Of the peer, which starts a process for each job: jobs at once, and clicks if there is time.
PEER_JOBS, PEER_CLICKS = (12, 24), 10
#: Milliseconds after which a click counts as answered: the jobs have ended long before.
PATIENCE = 60_000
SERVERS = {"development": "development server", "uvicorn": "FastAPI on uvicorn"}


def run() -> Result:
    rows: list[Row] = []
    details: dict[str, Any] = {}
    for by, name in SERVERS.items():
        found = details[name] = _ours(by)
        alone, beside = median(found["alone"]), median(found["beside"])
        rows.append(
            Row(
                f"{name}: click to page beside {JOBS} jobs (peer: alone)",
                beside,
                "ms",
                alone,
                beside / alone,
                "<= 1.3 x alone",
                beside <= 1.3 * alone,
            )
        )
    ours = median(details[SERVERS["development"]]["beside"])
    for jobs in PEER_JOBS:
        times = details[f"background=True, {jobs} jobs"] = _theirs(jobs)
        theirs = median(times)
        what = f"development server: beside {JOBS} jobs (peer: beside {jobs} of background=True)"
        rows.append(Row(what, ours, "ms", theirs, theirs / ours))
    title = (
        f"an ordinary callback beside {JOBS} long ones on one page, each with progress once a "
        f"second (medians of {CLICKS} clicks)"
    )
    return Result("busy", title, rows, details)


def _ours(by: str) -> dict[str, Any]:
    alone: list[float] = []
    beside: list[float] = []
    with Server("busy_app", by=by, kind="long", seconds=SECONDS, workers=JOBS) as server:
        server.warm_up(JOBS)
        with Browser(server.url, "b0") as page:
            _clicks(page, ALONE)  # nothing is warm before them
            while len(beside) < CLICKS:
                alone += _clicks(page, ALONE)
                page.call(f"bench.burst({JOBS})")
                wait_until(lambda: _in_flight(page) == JOBS, 30)
                for _ in range(BESIDE):
                    times = _clicks(page, 1)
                    if _in_flight(page) == JOBS:
                        beside += times
                wait_until(lambda: _in_flight(page) == 0, 60)
                time.sleep(0.5)
                alone += _clicks(page, ALONE)
    return {"alone": alone, "beside": beside}


def _theirs(jobs: int) -> list[float]:
    """Until the first job has ended; a click may take as long as that."""
    times: list[float] = []
    with (
        Server("busy_app", kind="background", seconds=SECONDS) as server,
        Browser(server.url, "b0") as page,
    ):
        _clicks(page, ALONE)
        page.call(f"bench.burst({jobs})")
        time.sleep(2)  # until their processes have started
        while len(times) < PEER_CLICKS and not page.call(f"bench.results({jobs})"):
            times += _clicks(page, 1)
    return times


def _clicks(page: Browser, count: int) -> list[float]:
    """Milliseconds from click to DOM."""
    times: list[float] = []
    for _ in range(count):
        page.call(f"bench.sleep({PAUSE})")
        click = page.call("bench.click('ordinary', 'ordinary-out', args[0])", PATIENCE)
        times.append(round(click["ms"] or PATIENCE, 2))
    return times


def _in_flight(page: Browser) -> int:
    """Jobs whose progress is on the page: when one has ended, it is not."""
    return len(page.call(f"bench.results({JOBS}, 'p')"))
