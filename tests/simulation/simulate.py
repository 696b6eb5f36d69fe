"""Runs simulations: ``python tests/simulation/simulate.py ENGINE FIRST COUNT [--without PART]``.

Prints the seeds that break a rule, and a hash of all that has happened. ``COUNT`` 1 replays a seed.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable
from typing import Any

from install import install
from world import ENGINES, World

from dash_long_callback.executors.celery.executor import CeleryExecutor
from dash_long_callback.executors.local.orphans import Orphans
from dash_long_callback.executors.local.supervisor import Supervisor
from dash_long_callback.managers import base
from dash_long_callback.stores import limits
from dash_long_callback.stores.records import Records
from dash_long_callback.worker.limits import Limits

#: Seeds that are printed with what has gone wrong.
SHOWN = 3


def _nothing(*_: object, **__: object) -> None:
    pass


def _anybody(held: Callable[..., Any]) -> Callable[..., Any]:
    return lambda job: {name: None for name in held(job) if not name}


def break_engine(part: str) -> None:
    """Take something away from the engine that it can't do without."""
    engine: Any
    match part:
        case "orphans":  # a new leader does not look for what an earlier one has left
            engine = Orphans
            engine.take_over = _nothing
        case "cancels":  # nobody tells the workers
            engine = Supervisor
            engine._pass_on_cancels = _nothing
        case "checks":  # nobody sees to it that jobs can still end
            engine = CeleryExecutor
            engine.check_liveness = _nothing
        case "deadlines":  # nobody sees that a job that waits is late
            engine = base
            engine.expire = _nothing
        case "grace":  # a function that holds out is let alone
            engine = Limits
            engine.overdue = lambda _limits, _now: False
        case "attempts":  # who comes late may write
            engine = Records
            engine.held = staticmethod(_anybody(engine.held))
        case "limits":  # nobody counts who runs
            engine = limits.Limits
            engine.current = lambda _limits, _holders: []
        case "rates":  # nor who has started
            engine = limits
            engine.read_starts = lambda _: []
        case _:
            raise SystemExit(f"there is nothing to break that is called {part!r}")


def main() -> int:
    """Run simulations. Returns how many seeds have broken a rule."""
    parser = argparse.ArgumentParser()
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--without")
    arguments = parser.parse_args()
    if arguments.without:
        break_engine(arguments.without)
    install()
    trace, broken, seed = 0, 0, arguments.first
    for seed in range(arguments.first, arguments.first + arguments.count):
        world = World(seed, arguments.engine)
        try:
            world.run()
        except BaseException:
            broken += 1
            if broken <= SHOWN:
                print(f"seed {seed}")
                traceback.print_exc(file=sys.stdout)
            if arguments.without:
                break
        trace = hash((trace, world.scheduler.trace))
    print(f"{broken} of {seed - arguments.first + 1} seeds have broken a rule; trace {trace:x}")
    return broken


if __name__ == "__main__":
    sys.exit(min(main(), 1))
