"""The embedded engine under a development server: real processes, really killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import requests
from apps import missing, pause, wait_until
from engine import (
    APP,
    EngineServer,
    most_at_once,
    python_server,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineServer]:
    server = python_server(tmp_path_factory.mktemp("engine")).start()
    yield server
    server.stop()


@pytest.fixture
def folder(server: EngineServer) -> Path:
    for name in ("marks", "cleaned", "ignored", "child"):
        (server.folder / name).unlink(missing_ok=True)
    return server.folder


def test_quick_job_is_answered_in_its_own_request(server: EngineServer) -> None:
    server.value(server.submit("pid"))  # the workers are warm now

    def at_once() -> bool:
        answer = server.dispatch(0, "quick")["news"]
        return answer["ended"] and "response" in answer

    # A click waits for 30 ms, which may be too short on a busy machine.
    wait_until(at_once, what="a job that ends while its click waits")


def test_workers_are_other_processes_and_are_used_again(server: EngineServer) -> None:
    pids = {server.value(server.submit("pid")) for _ in range(12)}
    assert server.pid not in pids
    assert len(pids) <= 2


def test_ordinary_app_is_warned_of_nothing_that_its_import_leaves(server: EngineServer) -> None:
    assert server.value(server.submit("sleep", 0, "done")) == "done"
    assert "while it is imported" not in server.log
    assert "changed after import" not in server.log


def test_no_more_than_the_given_number_of_jobs_run_at_once(
    server: EngineServer, folder: Path
) -> None:
    before = len(server.processes())
    jobs = [server.submit("mark", 0.2, f"job{i}") for i in range(9)]
    assert [server.value(job) for job in jobs] == [f"job{i}" for i in range(9)]
    assert most_at_once(server.marks()) == 2
    assert len(server.processes()) == before


@pytest.mark.parametrize(
    "order, words",
    [("kill", "SIGKILL (out of memory?)"), ("crash", "SIGSEGV"), ("exit", "exited with code 7")],
)
def test_dead_worker_ends_its_job_as_lost_in_words(
    server: EngineServer, order: str, words: str
) -> None:
    outcome = server.outcome(server.submit(order))
    assert outcome["state"] == "lost"
    assert outcome["error"]["type"] == "JobLost"
    assert words in outcome["error"]["message"]
    # and it was replaced
    assert server.value(server.submit("sleep", 0, "next")) == "next"


def test_cancel_runs_finally_blocks(server: EngineServer, folder: Path) -> None:
    for order in ("clean_up", "await"):
        for name in ("to-clean-up", "cleaned"):
            (folder / name).unlink(missing_ok=True)
        job = server.submit(order, 60)
        wait_until((folder / "to-clean-up").exists, what="the function to be where it cleans up")
        assert server.post("cancel", {"jobs": [job]}).ok
        assert server.outcome(job)["state"] == "cancelled"
        assert (folder / "cleaned").exists()


def test_function_that_ignores_a_cancel_is_ended_after_the_grace_period(
    server: EngineServer, folder: Path
) -> None:
    job = server.submit("ignore_cancel")
    pid = server.worker_of(job)
    server.post("cancel", {"jobs": [job]})
    assert server.outcome(job)["state"] == "cancelled"
    assert (folder / "ignored").exists()
    wait_until(lambda: pid not in server.processes())


def test_cancel_ends_the_children_of_the_job(server: EngineServer, folder: Path) -> None:
    job = server.submit("children", 60)
    child = int(wait_until(lambda: (folder / "child").exists() and (folder / "child").read_text()))
    server.post("cancel", {"jobs": [job]})
    assert server.outcome(job)["state"] == "cancelled"
    wait_until(lambda: child not in server.processes())


def test_killed_worker_takes_the_children_of_its_job_with_it(
    server: EngineServer, folder: Path
) -> None:
    job = server.submit("children", 60)
    worker = server.worker_of(job)
    child = int(wait_until(lambda: (folder / "child").exists() and (folder / "child").read_text()))
    os.kill(worker, signal.SIGKILL)
    assert server.outcome(job)["state"] == "lost"
    wait_until(lambda: child not in server.processes())


def test_queued_job_that_is_cancelled_never_starts(server: EngineServer, folder: Path) -> None:
    busy = [server.submit("sleep", 1) for _ in range(2)]
    queued = server.submit("mark", 0, "queued")
    server.post("cancel", {"jobs": [queued]})
    assert server.outcome(queued)["state"] == "cancelled"
    for job in busy:
        server.value(job)
    assert server.value(server.submit("sleep", 0, "next")) == "next"
    assert server.marks() == []


def test_job_longer_than_its_timeout_ends_in_words(server: EngineServer) -> None:
    job = server.dispatch(30, output="quick")["job"]
    outcome = server.outcome(job)
    assert outcome["state"] == "timed_out"
    assert "timeout of 0.5 s" in outcome["error"]["message"]


@pytest.mark.parametrize(
    "order, words",
    [
        (["kill"], "JobLost: the worker process was ended by SIGKILL"),
        (["sleep", 60], "JobTimedOut: the job ran longer than its timeout of 0.5 s"),
        (["ignore_cancel"], "JobTimedOut: the job ran longer than its timeout of 0.5 s"),
    ],
)
def test_on_error_is_called_whatever_ended_the_job(
    server: EngineServer, order: list[object], words: str
) -> None:
    outcome = server.outcome(server.dispatch(order, output="handled")["job"])
    assert outcome["state"] == "succeeded", outcome
    assert outcome["response"]["response"]["handled"]["children"].startswith(words)


def test_two_clients_with_equal_arguments_both_get_their_result(server: EngineServer) -> None:
    jobs = [server.submit("sleep", 0.3, "mine") for _ in range(2)]
    assert jobs[0] != jobs[1]
    assert [server.value(job) for job in jobs] == ["mine", "mine"]


def test_reading_an_outcome_deletes_nothing(server: EngineServer) -> None:
    job = server.submit("sleep", 0, "kept")
    assert [server.value(job) for _ in range(3)] == ["kept"] * 3


def test_workers_do_not_hold_the_listening_socket(server: EngineServer) -> None:
    server.value(server.submit("pid"))
    table = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in table]
    listening = {
        row[9] for row in rows if row[3] == "0A" and row[1].endswith(f":{server.port:04X}")
    }
    assert listening
    for pid in server.processes().keys() - {server.pid}:
        links = [str(f.readlink()) for f in Path(f"/proc/{pid}/fd").iterdir()]
        assert not {f"socket:[{inode}]" for inode in listening} & set(links)


# Requests that the browser client does not send


def test_forged_job_id_is_404_and_reveals_nothing(server: EngineServer) -> None:
    for path, body in [
        ("updates", {"tab": "tab", "jobs": {"../../etc/passwd": 0}}),
        ("cancel", {"jobs": ["forged"]}),
    ]:
        answer = server.post(path, body)
        assert answer.status_code == 404
        assert answer.json()["error"] == "JobNotFound"
        assert "passwd" not in answer.text


@pytest.mark.parametrize("path", ["updates", "cancel"])
@pytest.mark.parametrize(
    "body, status",
    [
        (b"", 400),
        (b"\xff\xfe", 400),
        (b"not json", 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b"{}", 400),
        (b'{"jobs": 1}', 400),
        (b'{"jobs": {"a": "b"}}', 400),
        (b'{"jobs": [1]}', 400),
        (b'{"jobs": "' + b"x" * 300_000 + b'"}', 413),
    ],
)
def test_rubbish_is_refused_with_a_sentence(
    server: EngineServer, path: str, body: bytes, status: int
) -> None:
    url, headers = server.url + "_dash-long-callback/" + path, {"Content-Type": "application/json"}
    answer = requests.post(url, data=body, headers=headers, timeout=10)
    assert answer.status_code == status
    assert answer.json()["message"]


# The end of a server


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_end_of_the_server_ends_everything_it_started(tmp_path: Path, how: signal.Signals) -> None:
    server = python_server(tmp_path).start()
    try:
        job = server.submit("children", 60)
        server.worker_of(job)
        server.stop(how)  # fails if it leaves anything behind
        server.start()  # the port is free, and so is the lock
        assert server.outcome(job)["state"] == "lost"
        assert "server was stopped" in server.outcome(job)["error"]["message"]
        assert server.value(server.submit("sleep", 0, "again")) == "again"
    finally:
        server.stop()


def test_on_error_gets_a_planned_stop_in_the_next_server(tmp_path: Path) -> None:
    server = python_server(tmp_path, TIMEOUT="60").start()
    try:
        job = server.dispatch(["clean_up", 60], "handled")["job"]
        wait_until(lambda: server.news(job)["state"] == "running")
        server.stop(signal.SIGTERM)
        server.start()
        told = "JobStopped: the server was stopped while the job ran"
        assert server.value_of(job, "handled") == told
        assert " failed: " not in server.log
    finally:
        server.stop()


def test_on_error_that_dies_is_not_called_again(tmp_path: Path) -> None:
    server = python_server(tmp_path, TIMEOUT="60").start()
    try:
        (tmp_path / "handler-dies").touch()
        job = server.dispatch(["nonsense"], "handled")["job"]
        error = server.outcome(job)["error"]
        assert (error["kind"], error["type"]) == ("failed", "KeyError")
        (line,) = [x for x in server.log.splitlines() if x.startswith(f"no. {error['ref']}: ")]
        assert "handled (handled.children) failed: " in line
    finally:
        server.stop()


def test_killed_server_loses_nothing(tmp_path: Path) -> None:
    server = python_server(tmp_path).start()
    try:
        done = server.submit("sleep", 0, "done before")
        server.value(done)
        running = [server.submit("sleep", 2, f"running{i}") for i in range(2)]
        for job in running:
            server.worker_of(job)
        queued = server.submit("sleep", 0, "queued")
        server.kill()
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", server.port))  # the port is back at once
        server.start()
        assert server.value(done) == "done before"
        assert [server.value(job) for job in running] == ["running0", "running1"]
        assert server.value(queued) == "queued"
        # the old workers finished their jobs and went away
        server.stop()
    finally:
        server.stop()


def test_worker_that_dies_without_a_leader_is_noticed_by_the_next(tmp_path: Path) -> None:
    server = python_server(tmp_path).start()
    try:
        job = server.submit("sleep", 300)
        worker = server.worker_of(job)
        server.kill()
        os.kill(worker, signal.SIGKILL)
        server.start()
        outcome = server.outcome(job, timeout=20)
        assert outcome["state"] == "lost"
        assert "since the server restarted" in outcome["error"]["message"]
    finally:
        server.stop()


def test_spawned_workers_work_as_well(tmp_path: Path) -> None:
    server = python_server(tmp_path, ENGINE_APP_START="spawn").start()
    try:
        assert server.value(server.submit("sleep", 0, "spawned")) == "spawned"
        server.stop()
    finally:
        server.stop()


def test_after_an_edit_the_next_click_runs_the_new_code(tmp_path: Path) -> None:
    server = python_server(tmp_path, "--debug").start()
    try:
        assert server.value(server.submit("version")) == 1
        app = tmp_path / "app.py"
        app.write_text(app.read_text().replace("VERSION = 1", "VERSION = 2"))

        def new_version() -> bool:
            try:
                return server.value(server.submit("version")) == 2
            except (requests.ConnectionError, AssertionError):
                return False  # it restarts just now

        wait_until(new_version, 30)
        os.killpg(server.pid, signal.SIGINT)  # as Ctrl-C in a terminal
        wait_until(lambda: not server.processes())
    finally:
        server.stop()


def test_sigterm_of_the_reloader_leaves_nothing_behind(tmp_path: Path) -> None:
    server = python_server(tmp_path, "--debug").start()
    try:
        job = server.submit("sleep", 300)
        server.worker_of(job)
        server.stop(signal.SIGTERM)  # fails if it leaves anything behind
    finally:
        server.stop()


# Odd places


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """The folder of the cache, on a disk of its own. SQLite's log alone takes 4 MB in time."""
    disk = tmp_path / "cache"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], check=False
    ).returncode:
        missing("the right to mount a small disk")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.fixture
def server_on_small_disk(small_disk: Path) -> Iterator[EngineServer]:
    server = python_server(small_disk.parent)
    try:
        yield server.start()
    finally:
        server.stop()


@contextlib.contextmanager
def full(disk: Path) -> Generator[None]:
    """Until the end of the block, the disk is full."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as out:
        while True:
            out.write(b"x" * 1024)
    yield
    filler.unlink()


def test_full_disk_is_said_in_words_and_loses_no_queued_job(
    small_disk: Path, server_on_small_disk: EngineServer
) -> None:
    server = server_on_small_disk
    blockers = [server.submit("sleep", 1.5, "blocked") for _ in range(2)]
    queued = server.submit("sleep", 0, "kept")
    with full(small_disk):
        refused = [_refusal(server, ["sleep", 0, "x" * 50_000]) for _ in range(5)]
        assert any("its disk is not full" in words for words in refused)
        assert "its disk is not full" in server.log
    assert [server.value(job) for job in blockers] == ["blocked", "blocked"]
    assert server.value(queued) == "kept"


def test_worker_that_dies_while_the_disk_is_full_ends_its_job_later(
    small_disk: Path, server_on_small_disk: EngineServer
) -> None:
    server = server_on_small_disk
    job = server.submit("sleep", 300)
    worker = server.worker_of(job)
    with full(small_disk):
        # The other worker is idle, and is not given what could not be stored.
        assert "its disk is not full" in _refusal(server, ["sleep", 300, "x" * 50_000])
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: "has an error" in server.log, what="the leader to fail")
        assert server.news(job)["state"] == "running"
    outcome = server.outcome(job)
    assert outcome["state"] == "lost"
    assert "SIGKILL" in outcome["error"]["message"]
    both = [server.submit("sleep", 0.5) for _ in range(2)]
    assert len({server.worker_of(one) for one in both}) == 2
    assert [server.value(one) for one in both] == ["slept", "slept"]


def test_result_of_a_job_that_ends_while_the_disk_is_full_is_kept(
    small_disk: Path, server_on_small_disk: EngineServer
) -> None:
    server = server_on_small_disk
    job = server.submit("gate", "result")
    server.worker_of(job)
    # A first heartbeat, or its rows are what does not fit.
    wait_until(lambda: server.holder(job))
    with full(small_disk):
        (server.folder / "gate-result").touch()
        wait_until(lambda: "can't be stored yet" in server.log, what="the worker to fail")
    assert server.value(job) == "result"


def test_workers_that_die_before_they_begin_a_job_while_the_disk_is_full_do_not_lose_it(
    small_disk: Path, server_on_small_disk: EngineServer
) -> None:
    server = server_on_small_disk
    both = [server.submit("sleep", 0.5) for _ in range(2)]
    workers = {server.worker_of(one) for one in both}
    assert len(workers) == 2
    for one in both:
        server.value(one)
    for worker in workers:
        pause(worker)
    job = server.submit("sleep", 0, "in the end")
    wait_until(lambda: server.news(job)["state"] == "running")
    with full(small_disk):
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: "has an error" in server.log, what="the leader to fail")
    assert server.value(job) == "in the end"


def test_read_only_disk_is_said_in_words_until_it_is_writable(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", disk], check=False).returncode:
        missing("the right to mount a read-only disk")
    # The user's own cache elsewhere: diskcache itself does not open on a read-only disk.
    server = python_server(tmp_path, JOBS=str(disk))
    try:
        server.start()
        assert "check that it is writable" in _refusal(server, ["sleep", 0, "x"])
        assert "check that it is writable" in server.log
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        assert server.value(server.submit("sleep", 0, "writable")) == "writable"
    finally:
        server.stop()
        subprocess.run(["umount", disk], check=True)


def _refusal(server: EngineServer, order: list[object]) -> str:
    """What the page shows if a click was refused."""
    return server.dispatch(order)["news"].get("error", {}).get("message", "")


def test_app_without_a_file_works_as_in_a_notebook(tmp_path: Path) -> None:
    """What is typed into a notebook or an interpreter can't be imported by a worker."""
    code = "exec(compile(open('app.py').read(), '<typed>', 'exec'))"
    server = EngineServer(APP, tmp_path, command=("-c", code)).start()
    try:
        assert server.value(server.submit("sleep", 0, "typed")) == "typed"
    finally:
        server.stop()


def test_two_apps_may_share_a_cache(tmp_path: Path) -> None:
    servers = []
    try:
        for name in ("one", "two"):
            folder = tmp_path / name
            folder.mkdir()
            server = EngineServer(
                APP, folder, {"CACHE": str(tmp_path / "shared"), "ENGINE_APP_WORKERS": "1"}
            )
            servers.append(server.start())
        jobs = [server.submit("sleep", 0.2, f"{i}") for i, server in enumerate(servers)]
        assert [s.value(job) for s, job in zip(servers, jobs, strict=True)] == ["0", "1"]
    finally:
        for server in servers:
            server.stop()
