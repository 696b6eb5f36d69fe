"""Forty jobs started at once on one page."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.harness import Browser, Result, Row, Server

JOBS, SECONDS = 40, 2.0
WORKERS = 4
#: Seconds after which a result that has not come is lost: three times what ours need.
PATIENCE = 60
#: Milliseconds that a click on something else may take meanwhile: some times what it takes alone.
ORDINARY = 200


def run() -> Result:
    ours, theirs = _burst("long"), _burst("background")
    rows = [
        Row(
            "results on the page",
            ours["arrived"],
            "",
            theirs["arrived"],
            None,
            f"all {JOBS}",
            ours["arrived"] == JOBS,
        ),
        Row("wrong results", ours["wrong"], "", theirs["wrong"], None, "0", ours["wrong"] == 0),
        Row("until the last that came", ours["seconds"], "s", theirs["seconds"]),
        Row(
            "processes at once, at most",
            ours["processes"],
            "",
            theirs["processes"],
            None,
            f"the {WORKERS} workers and what was there",
            ours["processes"] <= ours["before"],
        ),
        Row(
            "processes left behind", ours["left"], "", theirs["left"], None, "0", ours["left"] == 0
        ),
        Row(
            "click to page of an ordinary callback meanwhile",
            ours["ordinary"],
            "ms",
            theirs["ordinary"],
            theirs["ordinary"] / ours["ordinary"],
            f"< {ORDINARY} ms",
            ours["ordinary"] < ORDINARY,
        ),
    ]
    title = (
        f"{JOBS} jobs of {SECONDS:g} s started at once on one page, {WORKERS} workers "
        "(peer: background=True)"
    )
    return Result("burst", title, rows, {"ours": ours, "dash": theirs})


def _burst(kind: str) -> dict[str, Any]:
    with Server("burst_app", kind=kind, jobs=JOBS, seconds=SECONDS, workers=WORKERS) as server:
        server.warm_up(WORKERS)
        with Browser(server.url, "b0") as page:
            page.call("bench.sleep(500)")
            before = len(server.descendants())
            page.call(f"bench.burst({JOBS})")
            begun = time.monotonic()
            page.call("bench.sleep(1000)")
            ordinary = page.call("bench.click('ordinary', 'ordinary-out', 60000)")["ms"]
            texts, last, most = [], 0.0, 0
            while time.monotonic() - begun < PATIENCE and len(texts) < JOBS:
                most = max(most, len(server.descendants()))
                found = page.call(f"bench.results({JOBS})")
                if len(found) > len(texts):
                    texts, last = found, time.monotonic() - begun
                time.sleep(0.2)
            time.sleep(1)
            left = len(server.descendants()) - before
    wrong = sum(text != f"done {number}" for number, text in texts)
    return {
        "arrived": len(texts),
        "wrong": wrong,
        "seconds": round(last, 1),
        "before": before,
        "processes": most,
        "left": left,
        "ordinary": ordinary,
    }
