"""``ProcessId``: who a process is, whatever becomes of its number and of the clock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest

from dash_long_callback.worker import processes
from dash_long_callback.worker.processes import ProcessId


def test_a_living_process_is_found_again_by_what_was_written_down() -> None:
    written = ProcessId.of(os.getpid()).dump()
    process = ProcessId.load(written)
    assert process == ProcessId.of(os.getpid())
    assert process is not None
    assert process.runs()
    assert not process.elsewhere()


def test_a_process_that_has_ended_does_not_run() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = ProcessId.of(child.pid)
        assert process.runs()
        child.kill()
        # A zombie, which nobody has waited for.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not process.runs()
    assert not process.runs()


def test_a_later_process_of_the_same_number_is_another() -> None:
    process = ProcessId.of(os.getpid())
    earlier = replace(process, started="1 boot")
    assert earlier != process
    assert not earlier.runs()
    assert not replace(process, started="").runs()


def test_one_in_another_container_can_not_be_told_to_run() -> None:
    process = replace(ProcessId.of(os.getpid()), place="another pid:[1]")
    assert process.elsewhere()
    assert not process.runs()


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"\xff\x00",
        b"{}",
        b"null",
        b"17",
        b"[17]",
        b'[17, 1.5, "a", "b"]',
        b'["17", "a", "b"]',
        b'[null, "a", "b"]',
        # What earlier versions wrote: the number and a time.
        b"[17, 1700000000.5]",
    ],
)
def test_what_is_not_a_process_is_none(data: bytes | None) -> None:
    assert ProcessId.load(data) is None


def test_rubbish_in_the_right_form_is_a_process_that_does_not_run() -> None:
    for pid in (-1, 0, 2**40, os.getpid()):
        process = ProcessId.load(json.dumps([pid, {"a": []}, ProcessId.of(1).place]).encode())
        assert process is not None
        assert not process.runs()


def test_it_does_not_depend_on_a_clock_that_may_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux has a count of ticks since boot")
    before = ProcessId.of(os.getpid())
    real, created = time.time, psutil.Process.create_time
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: created(process) + 3600)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    assert ProcessId.of(os.getpid()) == before
    assert before.runs()


def test_a_child_starts_by_the_clock_after_what_came_before_it() -> None:
    before = processes.clock()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = psutil.Process(child.pid).create_time()
        child.kill()
    assert before - 0.1 <= started <= processes.clock() + 0.1
