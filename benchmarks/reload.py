"""A page with a hundred jobs is loaded again in the middle of them."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from benchmarks.harness import Browser, Result, Row, Server, wait_until

JOBS, SECONDS, WORKERS = 100, 1.0, 4
#: Seconds after the clicks: jobs are still being submitted.
EARLY = 0.3
#: Seconds after the page has begun the last job: some have ended, others wait.
LATE = 4.0
#: Seconds after the reload in which outcomes must come: three times what ours need.
PATIENCE = 75
#: Of the peer: seconds to the reload, as ours need for theirs, and after it. It has nothing left
#: to bring after a few.
PEER_LATE, PEER_PATIENCE = 8.0, 15
#: The jobs that the tab has begun and whose outcomes it does not have.
OPEN = "Object.keys(sessionStorage).filter((key) => key.startsWith('dash-long-callback')).length"


def run() -> Result:
    early = _reload("long", EARLY, PATIENCE, all_begun=False)
    late = _reload("long", LATE, PATIENCE, all_begun=True)
    theirs = _reload("background", PEER_LATE, PEER_PATIENCE, all_begun=False)
    what = "reload while jobs are being submitted:"
    rows = [
        # The renderer calls twelve callbacks at once. Clicks that wait for their turn are lost by
        # a reload, as they are with ordinary callbacks.
        Row(f"{what} jobs that ran", early["ran"], ""),
        Row(f"{what} outcomes on the page", *_of("outcomes", early, early["ran"])),
        Row(f"{what} jobs that ran twice", *_of("twice", early, 0)),
    ]
    what = "reload later:"
    rows += [
        Row(f"{what} jobs that had ended", late["before"], "", theirs["before"]),
        Row(f"{what} outcomes on the page", *_of("outcomes", late, JOBS, theirs)),
        Row(f"{what} jobs that ran twice", *_of("twice", late, 0, theirs)),
        Row(f"{what} jobs that ran, but brought nothing", *_of("vain", late, 0, theirs)),
    ]
    title = (
        f"{JOBS} jobs of {SECONDS:g} s, {WORKERS} workers, development server; the page is loaded "
        "again meanwhile; outcomes before and after it (peer: background=True)"
    )
    details = {"early": early, "late": late, "background=True": theirs}
    return Result("reload", title, rows, details)


def _of(name: str, found: dict[str, Any], goal: int, peer: dict[str, Any] | None = None) -> tuple:
    """The rest of a row whose figure is to be this number."""
    met = found[name] == goal
    return found[name], "", peer and peer[name], None, f"{goal}", met


def _reload(kind: str, after: float, patience: float, *, all_begun: bool) -> dict[str, Any]:
    with Server("burst_app", kind=kind, jobs=JOBS, seconds=SECONDS, workers=WORKERS) as server:
        server.warm_up(WORKERS)
        with Browser(server.url, "b0") as page:
            page.call("bench.sleep(500)")
            page.call(f"bench.burst({JOBS})")
            if all_begun:
                wait_until(lambda: len(_shown(page)) + page.call(OPEN) >= JOBS, 60)
            page.call(f"bench.sleep({after * 1000})")
            # A reload empties the page, as it does after ordinary callbacks. Outcomes that come in
            # its last moment count: a user who looks sees them.
            page.call(f"bench.noteAtEnd({JOBS})")
            page.reload()
            seen = before = {number for number, _ in page.call("JSON.parse(sessionStorage.bench)")}
            deadline = time.monotonic() + patience
            while len(seen) < JOBS and time.monotonic() < deadline:
                time.sleep(0.3)
                ended = kind == "long" and page.call(OPEN) == 0
                time.sleep(0.3)
                seen = seen | _shown(page)
                if ended:
                    break
        runs = Counter(server.get("bench/runs"))
    return {
        "outcomes": len(seen),
        "before": len(before),
        "ran": len(runs),
        "twice": sum(times > 1 for times in runs.values()),
        "vain": len(runs.keys() - seen),
    }


def _shown(page: Browser) -> set[int]:
    """The numbers of the jobs whose outcomes are on the page."""
    return {number for number, _ in page.call(f"bench.results({JOBS})")}
