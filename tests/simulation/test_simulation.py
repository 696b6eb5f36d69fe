"""Both engines, as they are, on simulated machines on which everything goes wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.newest_only

SCRIPT = Path(__file__).parent / "simulate.py"
#: What is tried of each engine in each run of the tests: both together take one core 20 s.
#: With a first seed of your own, try others:
#: ``python tests/simulation/simulate.py celery 100000 10000``.
SEEDS = 1000


def simulate(
    engine: str, first: int, count: int, *more: str, hash_seed: str = "0"
) -> tuple[int, str]:
    """Run seeds in a process of their own, as the modules of the engine are changed for it."""
    done = subprocess.run(
        [sys.executable, SCRIPT, engine, str(first), str(count), *more],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )
    assert done.returncode in (0, 1), done.stderr
    assert "seeds have broken a rule" in done.stdout, done.stderr
    return done.returncode, done.stdout


engines = pytest.mark.parametrize("engine", ["embedded", "celery"])


@pytest.mark.timeout(600)
@engines
def test_all_jobs_end_once_and_all_who_wait_hear_of_it_whatever_goes_wrong(engine: str) -> None:
    broken, printed = simulate(engine, 0, SEEDS)
    assert not broken, printed


@engines
def test_a_seed_gives_the_same_history_again(engine: str) -> None:
    traces = {
        re.findall("trace (.*)", simulate(engine, 0, 30, hash_seed=seed)[1])[0]
        for seed in ("0", "1")
    }
    assert len(traces) == 1


@pytest.mark.parametrize(
    "engine,part",
    [
        ("embedded", "orphans"),
        ("embedded", "cancels"),
        ("embedded", "grace"),
        ("embedded", "deadlines"),
        ("embedded", "attempts"),
        ("embedded", "limits"),
        ("embedded", "rates"),
        ("celery", "checks"),
        ("celery", "deadlines"),
        ("celery", "attempts"),
        ("celery", "limits"),
        ("celery", "rates"),
    ],
)
def test_an_engine_that_lacks_something_breaks_a_rule(engine: str, part: str) -> None:
    broken, printed = simulate(engine, 0, 2000, "--without", part)  # up to the first that does
    assert broken
    assert "BrokenRule" in printed or "no time goes by" in printed
