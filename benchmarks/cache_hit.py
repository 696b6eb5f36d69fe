"""A result that is there already: to the page, to many clients at once, out of many."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from benchmarks.harness import Browser, Result, Row, Server, median

#: Clicks that count, per callback, and clicks before them: the first two find nothing kept.
ROUNDS, WARM_UP = 30, 6
#: Milliseconds between two clicks: the server and the renderer are idle again.
PAUSE = 150
#: HTTP clients, and equal requests of each, for a job of this many seconds.
CLIENTS, REQUESTS, SECONDS = 50, 20, 1.0
#: Kept results, and hits measured at each of these sizes.
SIZES, HITS = (10, 1_000, 100_000), 500
KINDS = ("ordinary", "long", "background")


def run() -> Result:
    with Server("cache_app") as server, Browser(server.url, "long") as page:
        times, requested, runs = _clicks(server, page)
    with Server("cache_app") as server:
        storm = _storm(server)
    with Server("cache_app") as server:
        hits = _hits(server)
    ours, ordinary = median(times["long"]), median(times["ordinary"])
    theirs = median(times["background"])
    pair = median([a / b for a, b in zip(times["long"], times["ordinary"], strict=True)])
    few, most = hits[SIZES[0]], hits[SIZES[-1]]
    rows = [
        Row(
            "click to page, beside an ordinary callback",
            ours,
            "ms",
            ordinary,
            pair,
            "<= 1.15 x the peer, pair by pair",
            pair <= 1.15,
        ),
        Row("click to page, beside background=True", ours, "ms", theirs, theirs / ours),
        Row(
            "requests a click",
            requested["long"],
            "",
            requested["background"],
            None,
            "1",
            requested["long"] == 1,
        ),
        Row(
            f"runs in {ROUNDS} clicks",
            runs["long"],
            "",
            runs["background"],
            None,
            "0",
            runs["long"] == 0,
        ),
        Row(
            f"runs for {CLIENTS * REQUESTS:,} equal requests of {CLIENTS} clients at once",
            storm["runs"],
            "",
            None,
            None,
            "1",
            storm["runs"] == 1 and storm["answers"] == CLIENTS * REQUESTS,
        ),
        Row("until all of them were answered", storm["seconds"], "s"),
        *(
            Row(
                f"manager.submit, a hit among {size:,}",
                hits[size],
                "ms",
                None if size == SIZES[0] else few,
                None if size == SIZES[0] else hits[size] / few,
                f"<= 1.5 x that among {SIZES[0]}" if size == SIZES[-1] else "",
                most <= 1.5 * few if size == SIZES[-1] else None,
            )
            for size in SIZES
        ),
    ]
    return Result(
        "cache_hit",
        f"a result that is kept (medians of {ROUNDS} clicks and {HITS} hits; peer of requests and "
        "runs: background=True with cache_by)",
        rows,
        {"clicks": {k: [round(ms, 2) for ms in v] for k, v in times.items()}, "storm": storm},
    )


def _clicks(server: Server, page: Browser) -> tuple[dict[str, list[float]], Any, Any]:
    """Milliseconds, requests a click and runs, of one click of each kind in turn."""
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    requested = dict.fromkeys(KINDS, 0.0)
    before: dict[str, int] = {}
    for number in range(WARM_UP + ROUNDS):
        if number == WARM_UP:
            before = server.get("bench/runs")
        # The two that are compared closely take turns at being first.
        first = KINDS[:2] if number % 2 else KINDS[1::-1]
        for kind in (*first, KINDS[2]):
            page.call(f"bench.sleep({PAUSE})")
            page.call("performance.clearResourceTimings()")
            click = page.call("bench.click(args[0], args[1])", kind, f"{kind}-out")
            if click["ms"] is None:
                raise RuntimeError(f"{kind}: nothing changed after a click\n{server.log()}")
            if number >= WARM_UP:
                page.call("bench.sleep(20)")  # until the request is listed
                times[kind].append(click["ms"])
                requested[kind] += len(page.call("performance.getEntriesByType('resource')"))
    page.call("bench.sleep(1500)")  # until the last process of Dash has ended
    after = server.get("bench/runs")
    return (
        times,
        {kind: round(count / ROUNDS, 1) for kind, count in requested.items()},
        {kind: after[kind] - before[kind] for kind in KINDS},
    )


def _storm(server: Server) -> dict[str, Any]:
    requests.get(server.url, timeout=60)  # starts the workers
    begin = threading.Barrier(CLIENTS)
    body = {
        "output": "storm-out.children",
        "outputs": {"id": "storm-out", "property": "children"},
        "inputs": [{"id": "storm", "property": "n_clicks", "value": SECONDS}],
        "changedPropIds": ["storm.n_clicks"],
    }

    def client(number: int) -> int:
        with requests.Session() as session:
            begin.wait()
            return sum(_answered(session, server.url, body, number) for _ in range(REQUESTS))

    begun = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = sum(pool.map(client, range(CLIENTS)))
    seconds = time.monotonic() - begun
    return {"answers": answers, "seconds": seconds, "runs": server.get("bench/runs")["storm"]}


def _answered(session: requests.Session, url: str, body: Any, tab: int) -> bool:
    answer = session.post(url + "_dash-update-component", json=body, timeout=60).json()
    job, news = answer["job"], answer["news"]
    while not news["ended"]:
        time.sleep(answer["after"])
        asked = {"tab": str(tab), "jobs": {job: news["seq"]}}
        answer = session.post(url + "_dash-long-callback/updates", json=asked, timeout=60).json()
        news = answer["jobs"][job]
    return news["response"]["response"]["storm-out"]["children"] == "storm 0"


def _hits(server: Server) -> dict[int, float]:
    """Median milliseconds of a hit for each number of kept results."""
    found: dict[int, float] = {}
    filled = 0
    for size in SIZES:
        server.get("bench/fill", first=filled, last=size)
        filled = size
        server.get("bench/hits", kept=size, hits=100)
        found[size] = median(server.get("bench/hits", kept=size, hits=HITS))
    return found
