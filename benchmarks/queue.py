"""Many more jobs than workers."""

from __future__ import annotations

import threading

from benchmarks.harness import Result, Row, Server

JOBS, SECONDS, WORKERS = 200, 0.5, 4
#: Seconds between two looks at the processes.
LOOK = 0.2


def run() -> Result:
    with Server("jobs_app", workers=WORKERS) as server:
        server.warm_up(WORKERS)
        counts: list[int] = []
        done = threading.Event()

        def look() -> None:
            while not done.wait(LOOK):
                counts.append(len(server.descendants()))

        looking = threading.Thread(target=look)
        looking.start()
        try:
            found = server.get("bench/spans", jobs=JOBS, seconds=SECONDS)
        finally:
            done.set()
            looking.join()
    spans = found["spans"]
    most = max(sum(start <= at < end for start, end, _ in spans) for at, _, _ in spans)
    total = max(end for _, end, _ in spans) - found["begun"]
    ideal = JOBS * SECONDS / WORKERS
    steady = min(counts) == max(counts)
    rows = [
        Row("jobs that ended", len(spans), "", JOBS, None, f"all {JOBS}", len(spans) == JOBS),
        Row("running at once, at most", most, "", None, None, f"<= {WORKERS}", most <= WORKERS),
        Row(
            "workers that ran them",
            len({pid for _, _, pid in spans}),
            goal=f"<= {WORKERS}",
            met=len({pid for _, _, pid in spans}) <= WORKERS,
        ),
        Row(
            "processes besides the server, at most",
            max(counts),
            "",
            min(counts),
            None,
            "constant: the least is the same",
            steady,
        ),
        Row("all", total, "s", ideal, total / ideal, "<= 1.15 x", total <= 1.15 * ideal),
        Row("submitting all", found["submitted"] - found["begun"], "s"),
    ]
    title = f"{JOBS} jobs of {SECONDS} s at once, {WORKERS} workers (peer: the arithmetic)"
    return Result("queue", title, rows, {"processes": counts})
