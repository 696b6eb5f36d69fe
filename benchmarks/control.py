"""Turns, limits and rates: whether they are held, and what they cost."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import redis

from benchmarks.harness import Result, Row, Server, celery_worker, median, redis_server

WORKERS = 4
#: Jobs of one user, seconds that each takes, and jobs of the other, one after another.
MANY, SECONDS, FEW = 500, 0.05, 5
#: Jobs of some milliseconds, and keys that they have.
JOBS, KEYS = 1000, 3
#: Jobs at once of each key: with the latter, all workers may be busy.
LIMITS = (1, 2)
#: Times that these are run, and those beside them without a limit, in turn. The fastest counts.
ROUNDS = 2
#: Jobs of which operations of the store are counted.
COUNTED = 200
#: Seconds after which an engine's workers have had the messages that are left of the jobs before.
SETTLE = {"embedded": 0.5, "Celery": 2.0}
KINDS = {"plain": "no options", "limit": "a limit", "rate": "a rate"}
MODES = {False: "one at a time, waited for", True: "from the queue"}


class Engine:
    """An app, and what runs its jobs.

    Args:
        server: the app.
        ports: of the Redis that has the store, and of that which has the messages; None if it is
            the embedded engine.
    """

    def __init__(self, server: Server, ports: tuple[int, int] | None) -> None:
        self.server = server
        self._redis = None if ports is None else [redis.Redis(port=port) for port in ports]

    def counts(self) -> dict[str, float]:
        """What its store, and its broker, have done until now."""
        if self._redis is None:
            found = self.server.get("bench/operations")
            return {
                "transactions": found["a"],
                "calls that read": found["r"],
                "calls that read whether to cancel one": found["c"],
            }
        store, broker = self._redis
        return {
            "round trips to the store": _round_trips(store),
            "commands of the store, those of scripts included": _commands(store),
            "round trips to the broker": _round_trips(broker),
        }


def run() -> Result:
    rows: list[Row] = []
    details: dict[str, Any] = {}
    for name, pause in SETTLE.items():
        turns = {}
        for fair, times in ((True, FEW), (False, 1)):
            with _engine(name, fair=fair) as engine:
                turns[fair] = engine.server.get(
                    "bench/turns", jobs=MANY, seconds=SECONDS, times=times
                )
        rows += _turns(name, turns)
        with _engine(name) as engine:
            found = {limit: list[dict[str, Any]]() for limit in (*LIMITS, 0)}
            for _ in range(ROUNDS):
                for limit, rounds in found.items():
                    time.sleep(pause)
                    rounds.append(
                        engine.server.get("bench/limited", jobs=JOBS, keys=KEYS, limit=limit)
                    )
        rows += _limits(name, found)
        with _engine(name, counted=True) as engine:
            costs = {(kind, mode): _cost(engine, kind, mode) for mode in MODES for kind in KINDS}
        rows += _costs(name, costs)
        details[name] = {"turns": turns}
    title = f"turns, limits and rates, {WORKERS} workers (peer: named in the row)"
    return Result("control", title, rows, details)


@contextmanager
def _engine(name: str, **settings: Any) -> Generator[Engine]:
    with ExitStack() as stack:
        ports = None
        if name == "Celery":
            # Store and broker have a Redis each, so that what they are asked can be told apart.
            ports = (stack.enter_context(redis_server()), stack.enter_context(redis_server()))
            urls = [f"redis://127.0.0.1:{port}/0" for port in ports]
            settings |= {"store": urls[0], "broker": urls[1]}
        server = stack.enter_context(Server("control_app", workers=WORKERS, **settings))
        if ports is None:
            server.warm_up(WORKERS)
        else:
            stack.enter_context(celery_worker(server, "control_app", WORKERS))
            server.get("bench/warm", workers=WORKERS)
        yield Engine(server, ports)


# Turns


def _turns(name: str, found: dict[bool, list[dict[str, float]]]) -> Iterator[Row]:
    what = f"{name}, {MANY} jobs of A, then one of B: B's"
    ahead = median([one["ahead"] for one in found[False]])
    for part, jobs in (("begins", 0), ("ends", 1)):
        ours, theirs = (median([one[part] for one in found[fair]]) for fair in (True, False))
        # Each worker is free once in the time of a job. The first that is takes one of A.
        goal = (3 + jobs) * SECONDS
        yield Row(
            f"{what} {part}, beside fair=False",
            ours,
            "s",
            theirs,
            theirs / ours,
            f"< {goal:g} s",
            ours < goal,
        )
        ideal = 2 * SECONDS / WORKERS + jobs * SECONDS
        yield Row(f"{what} {part}, beside the arithmetic", ours, "s", ideal, ours / ideal)
        ideal = ahead * SECONDS / WORKERS + jobs * SECONDS
        what_else = f"{what} {part} with fair=False, beside the arithmetic"
        yield Row(what_else, theirs, "s", ideal, theirs / ideal)


# Limits


def _limits(name: str, found: dict[int, list[dict[str, Any]]]) -> Iterator[Row]:
    for limit in LIMITS:
        most = max(_most(spans) for one in found[limit] for spans in one["spans"])
        what = f"{name}, {JOBS:,} jobs of {KEYS} keys, Limit({limit}): of one key at once, at most"
        yield Row(what, most, "", limit, None, f"<= {limit}", most <= limit)
    plain = max(map(_rate, found[0]))
    for limit in LIMITS:
        rate, may = max(map(_rate, found[limit])), min(WORKERS, KEYS * limit)
        full = may == WORKERS
        what = f"{name}, Limit({limit}), so {may} may run: jobs a second, beside no limit"
        goal = (">= 0.7 x", rate >= 0.7 * plain) if full else ("", None)
        yield Row(what, rate, "/s", plain, rate / plain, *goal)


def _most(spans: list[list[float]]) -> int:
    """How many ran at once, at most."""
    return max(sum(start <= at < end for start, end in spans) for at, _ in spans)


def _rate(found: dict[str, Any]) -> float:
    """Jobs a second, from the first submit to the last end."""
    last = max(end for spans in found["spans"] for _, end in spans)
    return JOBS / (last - found["begun"])


# Costs


def _cost(engine: Engine, kind: str, queued: bool) -> dict[str, float]:
    """Operations a job, without those of an engine that is idle."""
    time.sleep(0.5)
    before = engine.counts()
    begun = time.monotonic()
    engine.server.get("bench/run", kind=kind, jobs=COUNTED, queued=queued)
    time.sleep(0.5)  # what follows the end of the last
    took = time.monotonic() - begun
    middle = engine.counts()
    time.sleep(took)
    after = engine.counts()
    return {
        what: (2 * middle[what] - before.get(what, 0) - after[what]) / COUNTED for what in after
    }


def _costs(name: str, found: dict[tuple[str, bool], dict[str, float]]) -> Iterator[Row]:
    for mode, mode_words in MODES.items():
        for kind, kind_words in KINDS.items():
            for what, count in found[kind, mode].items():
                title = f"{name}, {kind_words}, {mode_words}: {what}, a job"
                if kind == "plain":
                    yield Row(title, count)
                    continue
                plain = found["plain", mode][what]
                yield Row(title, count, "", plain, count / plain if plain > 0.05 else None)


def _round_trips(client: redis.Redis) -> int:
    """Times that Redis has read from a connection: once for each command, or for a pipeline."""
    return client.info("stats")["total_reads_processed"]  # pyright: ignore[reportIndexIssue]


def _commands(client: redis.Redis) -> int:
    stats: dict[str, Any] = client.info("commandstats")  # pyright: ignore[reportAssignmentType]
    return sum(one["calls"] for name, one in stats.items() if name != "cmdstat_info")
