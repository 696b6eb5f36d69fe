"""What an iteration costs whose loop reports its progress."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable
from typing import Any

from tqdm import tqdm

from benchmarks.harness import Result, Row, median
from dash_long_callback import track
from dash_long_callback.jobs import Begin, Job, new_job_id
from dash_long_callback.stores.memory import MemoryStore
from dash_long_callback.worker.current import running
from dash_long_callback.worker.run import Run
from dash_long_callback.worker.tqdm_bars import tqdm_progress

#: Iterations of a loop, and loops, of which the median counts.
ITERATIONS = 2_000_000
LOOPS = 7
#: Nanoseconds that reporting may add to an iteration.
GOAL = 1000


def run() -> Result:
    plain = _measure(lambda items: items)
    alone = _measure(_tqdm)
    outside = _measure(track)
    tracked, followed = _in_job(lambda: (_measure(track), _measure(_tqdm)))
    goal = f"< {GOAL} ns more"
    rows = [
        Row("track, in a job", tracked, "ns", plain, plain / tracked, goal, tracked - plain < GOAL),
        Row("track, elsewhere", outside, "ns", plain, plain / outside),
        Row(
            "tqdm, in a job", followed, "ns", alone, alone / followed, goal, followed - alone < GOAL
        ),
    ]
    title = (
        f"an iteration of an empty loop of {ITERATIONS:,} that reports its progress ten times a "
        f"second (medians of {LOOPS}; peer: the loop without track; tqdm alone, printing to memory)"
    )
    return Result("track", title, rows)


def _measure(over: Callable[[Iterable[int]], Iterable[int]]) -> float:
    """Nanoseconds an iteration."""
    return median([_loop(over) for _ in range(LOOPS)])


def _loop(over: Callable[[Iterable[int]], Iterable[int]]) -> float:
    begun = time.perf_counter()
    for _ in over(range(ITERATIONS)):
        pass
    return (time.perf_counter() - begun) / ITERATIONS * 1e9


def _tqdm(items: Iterable[int]) -> Iterable[int]:
    return tqdm(items, file=io.StringIO())


def _in_job(measure: Callable[[], Any]) -> Any:
    store = MemoryStore(retention=60)
    job = Job(new_job_id(), "benchmark")
    store.create(job, b"{}")
    begun = store.change(job.id, Begin())
    assert begun is not None
    run: Any = Run(store, begun, None)  # pyright: ignore[reportArgumentType]
    with running(run), tqdm_progress():
        found = measure()
    run.tracking.end()
    run.reporter.close()
    return found
