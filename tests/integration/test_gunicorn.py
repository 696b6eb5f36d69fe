"""The embedded engine under gunicorn: one or several web processes, one pool of workers."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from apps import wait_until
from engine import EngineServer, gunicorn_server, most_at_once


def web_processes(server: EngineServer) -> list[int]:
    """The children of gunicorn's arbiter that serve requests."""
    found = []
    for pid, command in server.processes().items():
        parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        if int(parent) == server.pid and "gunicorn" in command:
            found.append(pid)
    return found


def leader(server: EngineServer) -> int:
    """The web process that has the workers: the one that holds the lock file."""

    def holder() -> int | None:
        for pid in web_processes(server):
            for file in Path(f"/proc/{pid}/fd").iterdir():
                try:
                    if str(file.readlink()).endswith("leader.lock"):
                        return pid
                except OSError:
                    continue
        return None

    return wait_until(holder) or 0


@pytest.mark.parametrize(
    "options",
    [
        ("--workers", "1"),
        ("--workers", "1", "--threads", "4"),
        ("--workers", "3"),
        ("--workers", "2", "--preload"),
    ],
    ids=" ".join,
)
def test_jobs_run_within_the_limit_whichever_web_process_is_asked(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    server = gunicorn_server(tmp_path, *options).start()
    try:
        with ThreadPoolExecutor(8) as clients:
            jobs = list(clients.map(lambda i: server.submit("mark", 0.2, f"job{i}"), range(10)))
            values = list(clients.map(server.value, jobs))
        assert values == [f"job{i}" for i in range(10)]
        assert most_at_once(server.marks()) == 2
    finally:
        server.stop()  # fails if it leaves anything behind


def test_a_page_is_not_told_to_wait_for_a_client_that_does_not(tmp_path: Path) -> None:
    server = gunicorn_server(tmp_path, "--workers", "1").start()
    try:
        impatient, patient = (server.submit("sleep", 60) for _ in range(2))
        for job in (impatient, patient):
            server.worker_of(job)

        def told(job: str) -> float:
            asked = {"tab": job, "jobs": {job: 1000}}
            return server.post("updates", asked).json()["after"]

        assert max(told(impatient) for _ in range(200)) < 2
        assert told(patient) < 2
        server.post("cancel", {"jobs": [impatient, patient]})
    finally:
        server.stop()


def test_another_web_process_takes_over_when_the_leader_is_killed(tmp_path: Path) -> None:
    server = gunicorn_server(tmp_path, "--workers", "3").start()
    try:
        running = server.submit("sleep", 3, "running")
        server.worker_of(running)
        queued = [server.submit("sleep", 0, f"queued{i}") for i in range(5)]
        first = leader(server)
        os.kill(first, signal.SIGKILL)
        assert [server.value(job) for job in queued] == [f"queued{i}" for i in range(5)]
        assert server.value(running) == "running"
        assert leader(server) != first
    finally:
        server.stop()


def test_restarted_web_process_hands_over(tmp_path: Path) -> None:
    """As gunicorn's --max-requests does: SIGTERM for one web process, another goes on."""
    server = gunicorn_server(tmp_path, "--workers", "2").start()
    try:
        server.value(server.submit("pid"))
        first = leader(server)
        os.kill(first, signal.SIGTERM)
        wait_until(lambda: first not in server.processes())
        assert server.value(server.submit("sleep", 0, "after")) == "after"
    finally:
        server.stop()


def test_queued_jobs_go_on_after_the_leader_was_replaced_without_a_new_click(
    tmp_path: Path,
) -> None:
    server = gunicorn_server(tmp_path, "--workers", "2", ENGINE_APP_WORKERS="1").start()
    try:
        blocker = server.submit("sleep", 5, "blocker")
        server.worker_of(blocker)
        queued = server.submit("sleep", 0, "queued")
        for pid in web_processes(server):
            os.kill(pid, signal.SIGTERM)
        assert server.value(queued) == "queued"  # asks for news only
    finally:
        server.stop()


def test_sync_worker_is_never_held(tmp_path: Path) -> None:
    """One thread must stay free for other requests while a job runs."""
    server = gunicorn_server(tmp_path, "--workers", "1").start()
    try:
        job = server.submit("gate", "slow")
        seq = server.news(job)["seq"]
        answer = server.post("updates", {"tab": "t", "jobs": {job: seq}})
        assert answer.elapsed.total_seconds() < 10  # where requests are held, it would be 15
        assert 0.05 <= answer.json()["after"] <= 1
        server.open_gate("slow")
        assert server.value(job) == "slow"
    finally:
        server.stop()
