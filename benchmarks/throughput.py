"""Jobs that do nothing: what the way through the engine costs."""

from __future__ import annotations

from benchmarks.harness import Result, Row, Server, median

JOBS = 1000


def run() -> Result:
    with Server("jobs_app", workers=2) as server:
        server.warm_up(2)
        ours = server.get("bench/throughput", jobs=JOBS)
        theirs = server.get("bench/futures", jobs=JOBS)
    trip, peer_trip = median(ours["round_trips"]), median(theirs["round_trips"])
    rate, peer_rate = JOBS / ours["all_s"], JOBS / theirs["all_s"]
    rows = [
        Row("round trip", trip, "ms", peer_trip, trip / peer_trip),
        Row("jobs a second, submitted at once", rate, "/s", peer_rate, rate / peer_rate),
        Row("of which submit, each", ours["submit_s"] / JOBS * 1000, "ms"),
    ]
    title = (
        "jobs that do nothing, through the manager, 2 workers "
        "(peer: ProcessPoolExecutor, which keeps nothing on disk: the floor)"
    )
    return Result("throughput", title, rows)
