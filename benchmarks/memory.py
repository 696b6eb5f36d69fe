"""What the processes of an app with 500 MB of data take."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.harness import Result, Row, Server, median

WORKERS = 4
#: Megabytes that a worker may have of its own, if it was forked from a process that has the data.
OWN = 50
METHODS = ("forkserver", "spawn", "fork")


def run() -> Result:
    rows: list[Row] = []
    details = {}
    for method in METHODS:
        found = _measure(method)
        details[method] = found
        worker, job = (
            {kind: median([one[kind] for one in found[name]]) for kind in _KINDS}
            for name in ("workers", "dash_jobs")
        )
        rows += [
            Row(f"{method}: web process, {kind}", found["web"][kind], "MB")
            for kind in ("RSS", "PSS")
        ]
        rows += [
            Row(
                f"{method}: a worker, {kind}",
                worker[kind],
                "MB",
                job[kind],
                worker[kind] / job[kind],
            )
            for kind in _KINDS
        ]
        if method != "spawn":  # which imports everything again, by its nature
            rows[-1].goal, rows[-1].met = f"< {OWN} MB", worker["USS"] < OWN
        rows.append(
            Row(
                f"{method}: web process, helpers, {WORKERS} workers: sum of PSS",
                found["all"],
                "MB",
                found["dash_all"],
                found["all"] / found["dash_all"],
            )
        )
    title = (
        "numpy, pandas and 500 MB of data loaded by the app; idle workers that have run a job "
        f"(peer: {WORKERS} running jobs of DiskcacheManager, which forks the web process)"
    )
    return Result("memory", title, rows, details)


_KINDS = {"RSS": "Rss", "PSS": "Pss", "USS": "Private_Clean Private_Dirty"}


def _measure(method: str) -> dict:
    with Server("memory_app", workers=WORKERS, start_method=method) as server:
        # The peer first: a web process that has no workers yet.
        web = server.web_pid()
        jobs = server.get("bench/dash_jobs", jobs=WORKERS, seconds=3)
        time.sleep(1)
        dash_jobs = [_rollup(pid) for pid in jobs]
        dash_all = _rollup(web)["PSS"] + sum(one["PSS"] for one in dash_jobs)
        time.sleep(3)
        server.warm_up(WORKERS)
        time.sleep(1)
        everyone = [web, *(p.pid for p in server.descendants() if p.pid not in jobs)]
        return {
            "web": _rollup(web),
            "workers": [_rollup(pid) for pid in server.worker_pids()],
            "all": round(sum(_rollup(pid)["PSS"] for pid in everyone), 1),
            "dash_jobs": dash_jobs,
            "dash_all": round(dash_all, 1),
        }


def _rollup(pid: int) -> dict[str, float]:
    """Megabytes, as the kernel counts them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {name.rstrip(":"): int(kb) for name, kb, *_ in map(str.split, lines)}
    return {kind: round(sum(sizes[n] for n in ns.split()) / 1024, 1) for kind, ns in _KINDS.items()}
