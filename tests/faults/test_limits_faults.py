"""A limit holds, and nothing is lost behind it, while processes that count for it are killed."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from apps import wait_until
from celery_stack import Stack
from engine import EngineServer, gunicorn_server, most_at_once

#: As the app has it; jobs, and seconds that each takes.
LIMIT, JOBS, SECONDS = 2, 16, 0.3
#: Seconds in which processes are killed, and between two of them.
ROUGH, PAUSE = 4.0, 0.5
LEASE = 3.0


class Marks:
    """What the functions of jobs have written: when they began and ended, and where."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "marks"
        #: When processes were killed.
        self.killed: dict[int, float] = {}

    def read(self) -> list[tuple[str, str, float, int]]:
        text = self._path.read_text() if self._path.exists() else ""
        found = re.findall(r"(begin|end) (\S+) (\S+) (\d+)\n", text)
        return [(kind, name, float(at), int(pid)) for kind, name, at, pid in found]

    def open(self) -> list[tuple[str, int]]:
        """The jobs that have begun and not ended, and their processes."""
        running: dict[str, int] = {}
        for kind, name, _, pid in self.read():
            if kind == "begin":
                running[name] = pid
            else:
                running.pop(name, None)
        return [(name, pid) for name, pid in running.items() if pid not in self.killed]

    def kill_one(self) -> None:
        if running := self.open():
            _, pid = random.choice(running)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.killed[pid] = time.time()

    def most(self) -> int:
        """How many functions ran at once, at most."""
        found = self.read()
        ends = {(name, pid) for kind, name, _, pid in found if kind == "end"}
        marks: list[tuple[str, str, float]] = []
        for kind, name, at, pid in found:
            if kind == "begin" and (name, pid) not in ends:
                if pid not in self.killed:
                    # It died unlisted, or was ended as it had been silent. Nobody knows when: from
                    # then on another has had its place.
                    continue
                marks.append(("end", name, max(at, self.killed[pid])))
            marks.append((kind, name, at))
        return most_at_once(marks)


def storm(web: EngineServer, folder: Path, *disasters: Callable[[Marks], object]) -> None:
    """Start jobs, kill what runs them, and see that all end and that the limit has held."""
    marks = Marks(folder)
    jobs = [web.dispatch(["mark", SECONDS, f"job-{n}"], "capped")["job"] for n in range(JOBS)]
    wait_until(marks.open, 30, "the first to begin")
    until = time.monotonic() + ROUGH
    left = list(disasters)
    while time.monotonic() < until:
        marks.kill_one()
        time.sleep(PAUSE)
        if left and random.random() < 0.5:
            left.pop()(marks)
    for disaster in left:
        disaster(marks)
    for n, job in enumerate(jobs):
        assert web.value_of(job, "capped") == f"job-{n}"
    assert marks.killed
    assert marks.most() == LIMIT


@pytest.mark.timeout(180)
def test_the_embedded_engine_keeps_a_limit_while_workers_and_servers_are_killed(
    tmp_path: Path,
) -> None:
    web = gunicorn_server(tmp_path, "--workers", "2", ENGINE_APP_WORKERS="4").start()
    try:

        def kill_server(_: Marks) -> None:
            os.kill(web.web_pid(), signal.SIGKILL)  # gunicorn starts another
            wait_until(web.answers, 30, "an answer")

        storm(web, tmp_path, kill_server, kill_server)
    finally:
        web.stop()


@pytest.mark.newest_only
@pytest.mark.timeout(180)
def test_celery_keeps_a_limit_while_processes_and_workers_are_killed(
    stack: Callable[..., Stack], redis_url: str
) -> None:
    one = stack(redis_url, redis_url, LEASE=str(LEASE), RESEND="4")
    web = one.web(gunicorn_server, "--workers", "2")
    workers = [one.worker("--concurrency", "2", "-n", f"w{n}@%h") for n in range(2)]

    def kill_worker(marks: Marks) -> None:
        pids, at = workers[0].pids(), time.time()
        workers[0].kill()
        marks.killed |= dict.fromkeys(pids, at)
        workers[0].start()

    storm(web, one.folder, kill_worker)
