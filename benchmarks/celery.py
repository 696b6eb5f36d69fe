"""The Celery engine: click to page, round trip, throughput, and what it asks of Redis."""

from __future__ import annotations

import time
from typing import Any

import redis

from benchmarks.harness import (
    Browser,
    Result,
    Row,
    Server,
    celery_worker,
    median,
    redis_server,
)

#: Clicks that count, per callback, and clicks before them.
ROUNDS, SLOW_ROUNDS, WARM_UP = 60, 15, 5
#: Milliseconds between two clicks.
PAUSE = 120
#: Round trips, and clients with this many jobs each.
TRIPS, CLIENTS, EACH = 300, 50, 20
#: Jobs that Redis's work is counted for: without updates, and with a thousand.
NOOPS, UPDATES = 20, 3
#: Jobs of 2 s that one page starts at once.
BURST = 40


def run() -> Result:
    with redis_server() as port:
        url = f"redis://127.0.0.1:{port}/0"
        with Server("celery_app", redis=url) as server, celery_worker(server, "celery_app", 2):
            with Browser(server.url, "long") as page:
                times = _clicks(page)
                work = {
                    kind: _work(page, port, kind, UPDATES if "updates" in kind else NOOPS)
                    for kind in ("long", "background", "long-updates", "background-updates")
                }
                requests = {kind: _burst(page, kind) for kind in ("l", "b")}
            trips = server.get("bench/round_trips", count=TRIPS)
            rates = {
                kind: [
                    server.get("bench/throughput", kind=kind, clients=CLIENTS, each=EACH)
                    for _ in range(2)
                ]
                for kind in ("raw", "ours")
            }
    ours, ordinary, theirs = (median(times[k]) for k in ("long", "ordinary", "background"))
    pair = median([a / b for a, b in zip(times["long"], times["ordinary"], strict=True)])
    trip, raw = median(trips["ours"]), median(trips["raw"])
    rate, raw_rate = max(rates["ours"]), max(rates["raw"])
    rows = [
        Row(
            "click to page, beside an ordinary callback",
            ours,
            "ms",
            ordinary,
            pair,
            "<= 1.4 x the peer",
            pair <= 1.4,
        ),
        Row("click to page, beside background=True", ours, "ms", theirs, theirs / ours),
        Row(
            "round trip, beside task.delay().get()",
            trip,
            "ms",
            raw,
            trip / raw,
            "<= 1.5 x the peer",
            trip <= 1.5 * raw,
        ),
        Row(
            f"jobs a second, {CLIENTS} clients, beside task.delay().get()",
            rate,
            "/s",
            raw_rate,
            rate / raw_rate,
            ">= 0.8 x the peer",
            rate >= 0.8 * raw_rate,
        ),
    ]
    for name, kind in (("", ""), (", 1,000 set_progress", "-updates")):
        mine, peer = work[f"long{kind}"], work[f"background{kind}"]
        rows += [
            Row(f"Redis commands a job{name}", mine[0], "", peer[0], mine[0] / peer[0]),
            Row(f"KB to and from Redis a job{name}", mine[1], "KB", peer[1], mine[1] / peer[1]),
        ]
    rows += [
        Row(
            f"requests a job, {BURST} of 2 s at once",
            requests["l"][0],
            "",
            requests["b"][0],
            requests["l"][0] / requests["b"][0],
        ),
        Row("results on the page", requests["l"][1], "", requests["b"][1]),
    ]
    title = (
        "Celery over Redis, prefork worker with 2 processes "
        "(peer: named in the row, else background=True with CeleryManager)"
    )
    return Result("celery", title, rows)


def _clicks(page: Browser) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"ordinary": [], "long": [], "background": []}
    for number in range(WARM_UP + ROUNDS):
        for kind in ("ordinary", "long") if number % 2 else ("long", "ordinary"):
            ms = _click(page, kind)
            if number >= WARM_UP:
                times[kind].append(ms)
    for _ in range(SLOW_ROUNDS):
        times["background"].append(_click(page, "background"))
    return times


def _click(page: Browser, kind: str) -> float:
    page.call(f"bench.sleep({PAUSE})")
    click = page.call("bench.click(args[0], args[1])", kind, f"{kind}-out")
    if click["ms"] is None:
        raise RuntimeError(f"{kind}: nothing changed after a click")
    return click["ms"]


def _work(page: Browser, port: int, kind: str, count: int) -> tuple[float, float]:
    """Redis commands and KB a job, without what the worker does when it is idle."""
    client = redis.Redis(port=port)

    def read() -> tuple[int, int]:
        stats: dict[str, Any] = client.info("stats")  # pyright: ignore[reportAssignmentType]
        traffic = stats["total_net_input_bytes"] + stats["total_net_output_bytes"]
        return stats["total_commands_processed"], traffic

    time.sleep(1)
    before = read()
    begun = time.monotonic()
    for _ in range(count):
        _click(page, kind)
    took = time.monotonic() - begun
    middle = read()
    time.sleep(min(took, 10))
    after = read()
    idle = took / min(took, 10)
    commands, traffic = (
        (b - a - (c - b) * idle) / count for a, b, c in zip(before, middle, after, strict=True)
    )
    return commands, traffic / 1024


def _burst(page: Browser, kind: str) -> tuple[float, int]:
    """Requests a job, and results that came, of jobs that one page starts at once."""
    page.call("performance.clearResourceTimings()")
    page.call("performance.setResourceTimingBufferSize(5000)")
    page.call(
        "Array.from({length: args[1]}, (_, i) => document.getElementById(args[0] + i).click())",
        kind,
        BURST,
    )
    count = (
        "Array.from({length: args[1]}, "
        "(_, i) => document.getElementById(args[0] + '-out' + i).textContent)"
    )
    deadline = time.monotonic() + 60  # 40 s of work
    while sum(map(bool, found := page.call(count, kind, BURST))) < BURST:
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
    requests = page.call(
        "performance.getEntriesByType('resource').filter(e => e.name.includes('/_dash')).length"
    )
    return requests / BURST, sum(map(bool, found))
