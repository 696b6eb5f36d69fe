"""A process that nothing else can end."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from celery_parts import sending
from dash import Input, Output

from dash_long_callback import Dash
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.executors.celery import executor
from dash_long_callback.executors.celery.broker import Message
from dash_long_callback.jobs import Lost, State
from dash_long_callback.stores.diskcache import DiskcacheStore

pytestmark = pytest.mark.newest_only  # processes end alike on every Dash

HOLD = """
import ctypes
from dash_long_callback.executors.celery.backstop import ended_after

with ended_after({seconds}):
    ctypes.PyDLL(None).usleep(500_000)  # holds the lock of the interpreter
ctypes.PyDLL(None).usleep({after})
print("over")
"""


def hold(seconds: float, after: float = 0.0) -> Any:
    """Hold the lock for half a second in a block that may take so many, and then for others."""
    code = HOLD.format(seconds=seconds, after=round(after * 1e6))
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_process_that_holds_the_lock_of_the_interpreter_is_ended_and_says_where_it_is() -> None:
    ended = hold(0.1)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert 'File "<string>", line 6' in ended.stderr


def test_one_that_lets_go_in_time_goes_on() -> None:
    ended = hold(2.0, after=2.0)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "over\n", "")


@pytest.mark.parametrize("after,state", [(0.0, State.TIMED_OUT), (60.0, State.LOST)])
def test_a_job_whose_process_was_ended_so_has_timed_out(
    after: float,
    state: State,
    app: Dash,
    store: DiskcacheStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app.long_callback(Output("out", "children"), Input("in", "value"), timeout=1e-9)(print)
    job = registry.all()[-1].call(b"{}").job
    store.create(job, b"{}")
    assert store.begin_next(message="m").job is not None
    engine = sending(store, [])
    monkeypatch.setattr(executor, "BACKSTOP_SECONDS", after - 1.0)  # its grace is a second
    engine.process_died(Message("m", "", job.id), Lost("its worker process died"))
    found = store.load(job.id)
    assert found is not None
    assert found.state is state
