"""The embedded engine and functions, processes and servers that do what none should do."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import psutil
import pytest
from apps import pause, wait_until
from engine import EngineServer, gunicorn_server, python_server

from dash_long_callback.stores.timing import LEASE_SECONDS

Told: TypeAlias = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineServer]:
    server = python_server(tmp_path_factory.mktemp("faults"), GRACE="20").start()
    yield server
    server.stop()


@pytest.fixture
def folder(server: EngineServer) -> Path:
    for name in ("child", "cleaned", "closed", "helper"):
        (server.folder / name).unlink(missing_ok=True)
    return server.folder


def written(path: Path) -> str:
    """What a job has written to a file, as soon as it has."""
    return str(wait_until(lambda: path.exists() and path.read_text()))


def ended(pid: int, server: EngineServer) -> None:
    wait_until(lambda: pid not in server.processes(), what=f"the end of process {pid}")


# What a function raises, reports, and does to its process


@pytest.mark.parametrize(
    "kind", ["CancelledError", "KeyboardInterrupt", "GeneratorExit", "Base", "Unprintable"]
)
def test_whatever_a_function_raises_fails_the_job_and_not_its_worker(
    server: EngineServer, kind: str, told: Told
) -> None:
    job = server.submit("raise", kind)
    worker = server.worker_of(job)
    outcome = told(server, job, f"the function raises `{kind}`")
    assert outcome["state"] == "failed"
    assert outcome["error"]["type"] == kind
    assert worker in server.processes()
    # on_error gets it as well: in the order of "Type: message", and not JobLost
    if kind != "Unprintable":
        handled = server.outcome(server.dispatch(["raise", kind], output="handled")["job"])
        assert handled["response"]["response"]["handled"]["children"].startswith(kind)


@pytest.mark.parametrize("kind", ["surrogate", "integer", "object", "in a list"])
def test_an_update_that_json_cannot_carry_is_an_error_in_the_function(
    server: EngineServer, kind: str, told: Told
) -> None:
    job = server.submit("report", kind)
    outcome = told(server, job, f"an update that JSON can't carry: {kind}")
    assert outcome["state"] == "failed"
    assert "can't be sent to the page as JSON" in outcome["error"]["message"]
    assert server.value(server.submit("report_and_go_on", kind)).startswith("caught: ")


def test_a_helper_thread_does_not_take_the_cancel_from_the_main_thread(
    server: EngineServer, folder: Path
) -> None:
    job = server.submit("helper", 1)
    worker = server.worker_of(job)
    server.post("cancel", {"jobs": [job]})
    assert written(folder / "helper") == "told"
    assert server.outcome(job)["state"] == "cancelled"
    ended(worker, server)
    assert (folder / "cleaned").exists()  # it was not just killed after the grace


def test_a_function_that_closes_all_files_is_lost_in_words(
    server: EngineServer, folder: Path, told: Told
) -> None:
    job = server.submit("close_files")
    worker = server.worker_of(job)
    outcome = told(server, job, "the function closes all files of its process")
    assert outcome["state"] == "lost"
    assert "closed its connection" in outcome["error"]["message"]
    ended(worker, server)
    assert server.value(server.submit("sleep", 0, "next")) == "next"


def test_of_two_silent_workers_the_paused_one_is_replaced_and_the_one_that_computes_goes_on(
    server: EngineServer, told: Told
) -> None:
    computes = server.submit("compute_holding_gil", LEASE_SECONDS + 3)
    job = server.submit("sleep", 300)
    worker = server.worker_of(job)
    pause(worker)
    outcome = told(server, job, "the worker process is paused (SIGSTOP)")
    assert outcome["state"] == "lost"
    assert "not heard of" in outcome["error"]["message"]
    ended(worker, server)
    assert server.value(computes, 120) > LEASE_SECONDS + 3


def test_the_child_of_a_fork_does_not_go_on_as_a_worker(server: EngineServer) -> None:
    # The server, the fork server, the resource tracker, and two workers.
    wait_until(lambda: len(server.processes()) == 5)
    assert server.value(server.submit("fork")) == ["from the parent", 0]
    assert server.value(server.submit("fork_and_raise")) == ["from the parent", 1]
    assert "in the child" in server.log
    assert len(server.processes()) == 5
    # What the child said is not taken for what its parent's next job says.
    job = server.submit("sleep", 60)
    server.worker_of(job)
    server.post("cancel", {"jobs": [job]})
    assert server.outcome(job)["state"] == "cancelled"


def test_the_next_job_has_the_process_as_it_was(server: EngineServer, folder: Path) -> None:
    folders = {server.value(server.submit("folder")) for _ in range(4)}
    assert len(folders) == 1
    for _ in range(4):
        server.value(server.submit("change_process"))
    assert {server.value(server.submit("folder")) for _ in range(4)} == folders
    both = [server.submit("clean_up", 60) for _ in range(2)]
    for job in both:
        server.worker_of(job)
        server.post("cancel", {"jobs": [job]})
    # Not only after the grace: then `finally` would not have run.
    for job in both:
        assert server.outcome(job)["state"] == "cancelled"
    assert written(folder / "cleaned") == "yes"


def test_a_cancel_ends_children_in_a_session_of_their_own(
    server: EngineServer, folder: Path
) -> None:
    job = server.submit("child_in_its_own_session", 60)
    child = int(written(folder / "child"))
    server.post("cancel", {"jobs": [job]})
    assert server.outcome(job)["state"] == "cancelled"
    ended(child, server)


def test_a_timeout_ends_children_in_a_session_of_their_own(
    server: EngineServer, folder: Path
) -> None:
    job = server.dispatch(["child_in_its_own_session", 60], output="handled")["job"]
    child = int(written(folder / "child"))
    assert "JobTimedOut" in server.value_of(job, "handled")
    ended(child, server)


# Workers whose server has gone


@pytest.fixture
def restarted(tmp_path: Path) -> Iterator[EngineServer]:
    """A server that the test kills and starts again; a job with a timeout has 4 s."""
    server = python_server(tmp_path, TIMEOUT="4").start()
    yield server
    server.stop()


def test_a_worker_without_a_server_keeps_to_the_timeout(restarted: EngineServer) -> None:
    server = restarted
    jobs = [
        server.dispatch([order, *args], output="handled")["job"]
        for order, *args in (("sleep", 300), ("ignore_cancel",))
    ]
    wait_until(lambda: all(server.news(job)["state"] == "running" for job in jobs))
    server.kill()
    wait_until(lambda: not server.processes(), what="the end of the workers")
    server.start()
    for job in jobs:
        assert "JobTimedOut" in server.value_of(job, "handled")


def test_a_cancel_reaches_a_worker_without_a_server(restarted: EngineServer) -> None:
    server = restarted
    jobs = [server.submit("clean_up", 300), server.submit("ignore_cancel")]
    workers = [server.worker_of(job) for job in jobs]
    server.kill()
    server.start()
    for job in jobs:
        server.post("cancel", {"jobs": [job]})
        assert server.outcome(job)["state"] == "cancelled"
    assert written(server.folder / "cleaned") == "yes"
    for worker in workers:
        ended(worker, server)
    both = [server.submit("sleep", 0.2) for _ in range(2)]
    assert [server.value(job) for job in both] == ["slept", "slept"]


def test_a_paused_worker_without_a_server_is_ended_and_frees_its_place(
    restarted: EngineServer, told: Told
) -> None:
    server = restarted
    jobs = [server.submit("sleep", 300) for _ in range(2)]
    workers = [server.worker_of(job) for job in jobs]
    # Until both have said in the store who they are.
    wait_until(lambda: all(server.holder(job) for job in jobs))
    server.kill()
    for worker in workers:
        # Not while it says in the store that it is there: nothing could be queued then.
        with server.locked_store():
            pause(worker)
    server.start()
    queued = server.submit("sleep", 0, "in their place")
    for job in jobs:
        outcome = told(server, job, "a worker is paused whose server was killed, after the restart")
        assert outcome["state"] == "lost"
        assert "since the server restarted" in outcome["error"]["message"]
    for worker in workers:
        ended(worker, server)
    assert server.value(queued) == "in their place"


def test_a_worker_that_was_paused_while_it_wrote_is_ended_and_frees_the_store(
    server: EngineServer, told: Told
) -> None:
    killed = server.submit("sleep", 300)
    other = server.worker_of(killed)
    job = server.submit("lock_store_and_pause")
    worker = server.worker_of(job)
    wait_until((server.folder / "locked").exists)
    os.kill(other, signal.SIGKILL)  # which the leader is to write, and can't
    outcome = told(server, job, "a worker is paused while it writes to the store")
    assert outcome["state"] == "lost"
    ended(worker, server)
    assert server.outcome(killed)["state"] == "lost"
    assert server.value(server.submit("sleep", 0, "next")) == "next"


# A store that can't be used just when a process takes the lead


def test_a_store_that_is_locked_while_a_process_takes_the_lead_does_not_end_the_engine(
    restarted: EngineServer,
) -> None:
    server = restarted
    assert server.value(server.submit("sleep", 0, "before")) == "before"
    server.stop()
    with server.locked_store():
        server.start()
        wait_until(lambda: "has an error" in server.log, what="the leader to fail")
    assert server.value(server.submit("sleep", 0, "after")) == "after"


# Planned stops


def test_a_server_that_is_told_to_end_lets_its_jobs_finish(tmp_path: Path) -> None:
    server = gunicorn_server(tmp_path, "--workers", "1", "--threads", "4").start()
    try:
        job = server.submit("gate", "later")
        worker = server.worker_of(job)
        queued = server.submit("sleep", 0, "queued")
        server.end()
        assert worker in server.processes()
        (tmp_path / "gate-later").touch()
        wait_until(lambda: not server.processes(), what="the end of the worker")
        server.start()
        assert server.value(job) == "later"
        assert server.value(queued) == "queued"
    finally:
        server.stop()


def test_jobs_finish_if_the_fork_server_is_told_to_end(server: EngineServer) -> None:
    """It is told a moment before the server, by who tells all processes."""
    jobs = [server.submit("gate", "later"), server.submit("pool")]
    fork_servers = {psutil.Process(server.worker_of(job)).parent() for job in jobs}
    (fork_server,) = fork_servers
    assert fork_server is not None
    assert any("forkserver" in word for word in fork_server.cmdline())
    fork_server.terminate()
    (server.folder / "gate-later").touch()
    assert [server.value(job) for job in jobs] == ["later", [0, 1, 4]]
    assert fork_server.is_running()


def test_jobs_finish_if_all_processes_of_a_service_are_told_to_end(tmp_path: Path) -> None:
    """As systemd does by default."""
    server = gunicorn_server(tmp_path, "--workers", "1", "--threads", "4").start()
    try:
        jobs = [server.submit("gate", "later"), server.submit("pool")]
        for job in jobs:
            server.worker_of(job)
        for pid in server.processes():
            os.kill(pid, signal.SIGTERM)
        (tmp_path / "gate-later").touch()
        wait_until(lambda: not server.processes(), what="the end of all")
        server.end()
        server.start()
        assert [server.value(job) for job in jobs] == ["later", [0, 1, 4]]
    finally:
        server.stop()


def test_a_server_that_is_told_to_end_may_have_its_jobs_run_again(tmp_path: Path) -> None:
    server = gunicorn_server(tmp_path, "--workers", "1", "--threads", "4", STOP="requeue").start()
    try:
        job = server.submit("mark", 3, "again")
        wait_until(lambda: len(server.marks()) == 1)
        server.stop()  # fails if it leaves anything behind
        assert [kind for kind, *_ in server.marks()] == ["begin"]
        server.start()
        assert server.value(job) == "again"
        assert [kind for kind, *_ in server.marks()] == ["begin", "begin", "end"]
    finally:
        server.stop()


def test_a_server_that_is_told_to_end_while_on_error_runs_leaves_the_first_error(
    tmp_path: Path,
) -> None:
    server = python_server(tmp_path, STOP="requeue").start()
    try:
        (tmp_path / "handler-waits").touch()
        job = server.dispatch(["kill"], output="handled")["job"]
        written(tmp_path / "handles")
        server.stop()
        assert server.state(job) == "lost"  # before there is another server
        server.start()
        outcome = server.outcome(job)
        assert outcome["state"] == "lost"
        assert "SIGKILL" in outcome["error"]["message"]
    finally:
        server.stop()


def test_a_server_that_is_told_to_end_may_wait_for_its_jobs(tmp_path: Path) -> None:
    server = gunicorn_server(
        tmp_path, "--workers", "1", "--threads", "4", "--graceful-timeout", "60", STOP_WAIT="60"
    ).start()
    try:
        job = server.submit("mark", 3, "waited")
        wait_until(lambda: len(server.marks()) == 1)
        server.end()
        assert [kind for kind, *_ in server.marks()] == ["begin", "end"]
        server.start()
        assert server.value(job) == "waited"
    finally:
        server.stop()


def test_the_end_of_a_server_ends_children_in_a_session_of_their_own(tmp_path: Path) -> None:
    server = python_server(tmp_path).start()
    try:
        server.submit("child_in_its_own_session", 60)
        written(tmp_path / "child")
    finally:
        server.stop()  # fails if it leaves anything behind
