"""Jobs that do nothing: what the way through the engine costs."""

from __future__ import annotations

import psutil

from benchmarks.harness import Result, Row, Server, median

JOBS = 1000


def run() -> Result:
    with Server("jobs_app", workers=2) as server:
        server.warm_up(2)
        before = _cpu(server)
        ours = server.get("bench/throughput", jobs=JOBS)
        web, workers = (now - then for now, then in zip(_cpu(server), before, strict=True))
        theirs = server.get("bench/futures", jobs=JOBS)
    trip, peer_trip = median(ours["round_trips"]), median(theirs["round_trips"])
    rate, peer_rate = JOBS / ours["all_s"], JOBS / theirs["all_s"]
    rows = [
        Row("round trip", trip, "ms", peer_trip, trip / peer_trip),
        Row("jobs a second, submitted at once", rate, "/s", peer_rate, rate / peer_rate),
        Row("submit, each, when all are submitted at once", ours["submit_s"] / JOBS * 1000, "ms"),
        # Other work on the machine slows the clock's time down, this hardly.
        Row("processor time a job, web process", web / ours["jobs"] * 1000, "ms"),
        Row("processor time a job, workers", workers / ours["jobs"] * 1000, "ms"),
    ]
    title = (
        "jobs that do nothing, through the manager, 2 workers "
        "(peer: ProcessPoolExecutor, which keeps nothing on disk: the floor)"
    )
    return Result("throughput", title, rows)


def _cpu(server: Server) -> tuple[float, float]:
    """Seconds of processor time that the web process and the workers have used."""
    times = [psutil.Process(pid).cpu_times() for pid in (server.web_pid(), *server.worker_pids())]
    web, *workers = (one.user + one.system for one in times)
    return web, sum(workers)
