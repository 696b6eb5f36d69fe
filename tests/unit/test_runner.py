"""The runner, through an inline executor and a real store: what a job does is what is stored.

What becomes of a function is in ``test_function_runs.py``. Here is how a page is told of it, what
is written and how often, and how a job can end from outside.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from dash import Input, Output, Patch, html, no_update, set_props
from dash.exceptions import PreventUpdate
from ids import plain
from inline_page import Click
from test_function_runs import count, count_async

from dash_long_callback import Dash, JobCancelled, JobTimedOut
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.errors import StoreError
from dash_long_callback.executors.inline import InlineExecutor
from dash_long_callback.jobs import Begin, Cancelled, End, Job, Lost, Outcome, Succeeded
from dash_long_callback.jobs import State as JobState
from dash_long_callback.managers.base import Manager
from dash_long_callback.stores import names
from dash_long_callback.stores.diskcache import DiskcacheStore
from dash_long_callback.stores.ports import Batch
from dash_long_callback.worker import reporter
from dash_long_callback.worker import run_job as run_module
from dash_long_callback.worker.run import Run
from dash_long_callback.worker.run_job import run_job

OUT, IN = Output("out", "children"), Input("in", "value")
BAR = Output("bar", "value")


# Ends of the function


def fail(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize("error", [PreventUpdate(), ValueError("no luck")], ids=plain)
@pytest.mark.parametrize(
    "output,handled",
    [((OUT,), None), (([OUT, BAR],), None), ((), None), ((), "shown nowhere")],
    ids=["one", "two", "none", "a value for none"],
)
def test_a_response_that_changes_nothing_is_empty(
    output: Any, handled: Any, error: Exception, app: Dash, click: Click
) -> None:
    app.long_callback(*output, IN, on_error=lambda error: handled)(lambda _: fail(error))
    ended = click(app, 1)
    assert (ended.state, ended.news["response"], ended.error) == ("succeeded", {}, {})


@pytest.mark.parametrize(
    "error,name,message",
    [
        (KeyError("no such ☃"), "KeyError", "'no such ☃'"),
        (SystemExit("bye"), "JobExited", "the function called sys.exit('bye')"),
    ],
    ids=plain,
)
def test_a_page_is_told_the_type_and_the_message_of_an_exception(
    error: BaseException, name: str, message: str, app: Dash, click: Click
) -> None:
    app.long_callback(OUT, IN)(lambda _: fail(error))
    ended = click(app, 1)
    assert ended.state == "failed"
    assert (ended.error["type"], ended.error["message"]) == (name, message)


def test_a_page_is_told_of_no_error_if_the_function_raises_a_cancel(
    app: Dash, click: Click
) -> None:
    app.long_callback(OUT, IN)(lambda _: fail(JobCancelled()))
    ended = click(app, 1)
    assert (ended.state, ended.error) == ("cancelled", {})


def helper() -> None:
    raise ValueError("deep")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_traceback_begins_at_the_user_s_frame(kind: str, app: Dash, click: Click) -> None:
    if kind == "sync":

        @app.long_callback(OUT, IN)
        def work(_: Any) -> Any:
            helper()

    else:

        @app.long_callback(OUT, IN)
        async def work_async(_: Any) -> Any:
            helper()

    lines = click(app, 1).error["traceback"].splitlines()
    frames = [line for line in lines if line.startswith("  File ")]
    assert lines[0] == "Traceback (most recent call last):"
    assert frames[-1].endswith("in helper")
    assert lines[-1] == "ValueError: deep"
    assert not any(f"dash_long_callback{os.sep}" in frame for frame in frames)
    if kind == "sync":
        assert [frame.rsplit(" ", 1)[1] for frame in frames] == ["work", "helper"]


def test_a_chained_exception_shows_its_cause(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN)
    def work(_: Any) -> Any:
        try:
            helper()
        except ValueError as error:
            raise RuntimeError("outer") from error

    ended = click(app, 1)
    assert ended.error["type"] == "RuntimeError"
    assert "ValueError: deep" in ended.error["traceback"]


def three(_: int) -> Generator[Any]:
    yield [1, 2, 3]  # here


async def three_async(_: int) -> AsyncGenerator[Any]:
    yield [1, 2, 3]  # here


@pytest.mark.parametrize("function", [three, three_async], ids=["sync", "async"])
def test_the_traceback_of_a_wrong_shape_has_the_line_of_the_yield(
    function: Any, app: Dash, click: Click
) -> None:
    app.long_callback([OUT, BAR], IN)(function)
    assert "yield [1, 2, 3]  # here" in click(app, 1).error["traceback"]


# Updates


@pytest.mark.parametrize("function", [count, count_async], ids=["sync", "async"])
def test_the_last_value_that_was_yielded_is_the_result_and_told_once(
    function: Any, app: Dash, click: Click
) -> None:
    app.long_callback(OUT, IN)(function)
    ended = click(app, 5)
    assert ended.state == "succeeded"
    assert ended.updates == [[["out", "children"], 4]]
    assert ended.outputs == {}


def test_a_yield_that_can_not_be_encoded_raises_at_the_yield(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN)
    def work(_: int) -> Generator[Any]:
        try:
            yield object()
        except TypeError:
            yield "caught"

    assert click(app, 1).updates == [[["out", "children"], "caught"]]


def test_patches_that_are_yielded_are_all_delivered(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN)
    def work(_: int) -> Generator[Any]:
        yield []
        for number in range(3):
            patch = Patch()
            patch.append(number)
            yield patch

    updates = click(app, 1).updates
    assert updates[0][1] == []
    assert appended(updates[1:]) == [0, 1, 2]


def appended(updates: list[Any]) -> list[Any]:
    """What these patches append, in their order; several may have become one."""
    steps = [step for _, patch in updates for step in patch["operations"]]
    return [step["params"]["value"] for step in steps]


def test_a_progress_that_can_not_be_encoded_raises_in_the_user_s_function(
    app: Dash, click: Click
) -> None:
    @app.long_callback(OUT, IN, progress=BAR)
    def work(set_progress: Any, _: Any) -> str:
        with suppress(TypeError):
            set_progress(object())
            return "accepted"
        return "refused"

    ended = click(app, 1)
    assert ended.outputs == {"out": {"children": "refused"}}
    assert ended.updates == []


@pytest.mark.parametrize(
    "progress,value,updates",
    [
        (BAR, [5, 6], [[0, [5, 6]]]),
        ([BAR, OUT], (5, 6), [[0, 5], [1, 6]]),
        ([BAR, OUT], (no_update, 6), [[1, 6]]),
        ([BAR, OUT], no_update, []),
        ({"a": BAR, "b": [OUT]}, {"b": [6], "a": 5}, [[0, 5], [1, 6]]),
    ],
)
def test_progress_reaches_the_output_of_the_same_place(
    progress: Any, value: Any, updates: list[Any], app: Dash, click: Click
) -> None:
    app.long_callback(Output("x", "y"), IN, progress=progress)(
        lambda set_progress, _: set_progress(value)
    )
    assert click(app, 1).updates == updates


def test_a_value_that_changes_after_the_call_is_reported_as_it_was(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN, progress=[BAR, Output("log", "children")])
    def work(set_progress: Any, _: Any) -> None:
        lines: list[str] = []
        for number in range(3):
            lines.append(f"line {number}")
            set_progress((number, lines))
        lines.append("never reported")

    assert click(app, 1).updates == [[0, 2], [1, ["line 0", "line 1", "line 2"]]]


def test_the_latest_value_of_each_property_is_kept_in_its_place(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN, progress=BAR)
    def work(set_progress: Any, _: Any) -> None:
        set_props("a", {"x": 1, "y": 1})
        set_props("b", {"x": 2})
        set_progress(1)
        set_props("a", {"y": 3})
        set_props({"type": "c", "i": 1}, {"x": 4})

    assert click(app, 1).updates == [
        [["a", "x"], 1],
        [["b", "x"], 2],
        [0, 1],
        [["a", "y"], 3],
        [['{"i":1,"type":"c"}', "x"], 4],
    ]


def test_set_props_is_not_sent_a_second_time_with_the_outputs(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN)
    def work(_: Any) -> str:
        set_props("a", {"x": 1})
        return "done"

    ended = click(app, 1)
    assert "sideUpdate" not in ended.news["response"]
    assert ended.updates == [[["a", "x"], 1]]


def test_patches_are_all_delivered_and_in_order(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN)
    def work(_: Any) -> None:
        set_props("log", {"children": []})
        for number in range(50):
            patch = Patch()
            patch.append(number)
            set_props("log", {"children": patch})

    updates = click(app, 1).updates
    assert {tuple(target) for target, _ in updates} == {("log", "children")}
    assert updates[0][1] == []
    assert len(updates) < 20, "those that nobody has seen yet are one"
    values = appended(updates[1:])
    assert values == list(range(50))


def test_a_value_after_patches_is_all_that_is_delivered(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN)
    def work(_: Any) -> None:
        for _number in range(5):
            set_props("log", {"children": Patch()})
        set_props("log", {"children": "cleared"})

    assert click(app, 1).updates == [[["log", "children"], "cleared"]]


class CountingStore(DiskcacheStore):
    """A real store that notes what is written for a running job."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.writes: list[dict[int, bytes]] = []

    def write(self, job: Job, values: Mapping[int, bytes], stale: Any) -> bool:
        self.writes.append(dict(values))
        return super().write(job, values, stale)

    def finish(self, job: Job, outcome: Outcome, values: Any = (), stale: Any = ()) -> Job | None:
        self.writes.append(dict(values))
        return super().finish(job, outcome, values, stale)


def test_a_flood_of_progress_costs_few_writes_and_the_first_and_last_arrive(
    store: DiskcacheStore,
) -> None:
    calls = 20_000
    counting = CountingStore(store.directory, 60)
    manager = Manager(counting, InlineExecutor(counting))
    app = Dash("app", long_callback_manager=manager)
    app.layout = html.Div()
    took: list[float] = []

    @app.long_callback(OUT, IN, progress=BAR)
    def work(set_progress: Any, _: Any) -> None:
        begin = time.monotonic()
        for number in range(calls):
            set_progress(number)
        took.append(time.monotonic() - begin)

    answer = click_once(app)
    values = [value for write in counting.writes for value in write.values()]
    # At most 60 a second while it runs, and one at each end.
    assert 2 <= len(counting.writes) <= 60 * took[0] + 2
    assert values[0] == b"0"
    assert values[-1] == str(calls - 1).encode()
    assert answer["news"]["updates"] == [[0, calls - 1]]
    record = store.load(answer["job"])
    assert record is not None
    assert len(record.slots) == 1
    counting.close()


def test_a_flood_of_patches_stays_a_small_record(
    store: DiskcacheStore, manager: Manager, app: Dash, click: Click
) -> None:
    took: list[float] = []

    @app.long_callback(OUT, IN)
    def work(_: Any) -> Generator[Any]:
        begin = time.monotonic()
        for number in range(5_000):
            patch = Patch()
            patch.append(number)
            yield patch
        took.append(time.monotonic() - begin)

    ended = click(app, 1)
    assert appended(ended.updates) == list(range(5_000))
    assert len(ended.updates) <= 60 * took[0] + 2


def test_a_job_with_many_slots_writes_less_often(
    store: DiskcacheStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporter, "SLOTS", 2)
    counting = CountingStore(store.directory, 60)
    app = Dash("app", long_callback_manager=Manager(counting, InlineExecutor(counting)))
    app.layout = html.Div()

    @app.long_callback(OUT, IN)
    def work(_: Any) -> None:
        for number in range(60):
            set_props(f"part-{number}", {"children": number})
            time.sleep(0.01)

    click_once(app)
    assert sum(len(write) for write in counting.writes) == 60
    assert len(counting.writes) <= 15, "of a 60th of a second there are 36"
    counting.close()


def click_once(app: Dash) -> Any:
    body = {
        "output": "out.children",
        "outputs": {"id": "out", "property": "children"},
        "inputs": [{"id": "in", "property": "value", "value": 1}],
        "changedPropIds": ["in.value"],
    }
    answer = app.server.test_client().post("/_dash-update-component", json=body)
    return json.loads(answer.data)


def test_a_value_that_came_too_fast_is_written_without_another_call(
    store: DiskcacheStore, manager: Manager, app: Dash, click: Click
) -> None:
    written: list[list[bytes | None]] = []

    @app.long_callback(OUT, IN, progress=BAR)
    def work(set_progress: Any, _: Any) -> None:
        set_progress(1)
        set_progress(2)
        job_id = next(iter(store.active())).id
        for _try in range(1000):
            job = store.load(job_id)
            assert job is not None
            written.append(store.values(job_id, job.slots))
            if written[-1] == [b"2"]:
                return
            time.sleep(0.005)

    click(app, 1)
    assert written[-1] == [b"2"]


# How a job can end from outside


def response_of(store: DiskcacheStore, job_id: str) -> bytes | None:
    found = store.load_all(job_id)
    assert found is not None
    return found[1]


def running(store: DiskcacheStore) -> Job:
    """A job of the callback declared last, as a worker has claimed it."""
    job = registry.all()[-1].call(REQUEST, job_id="job").job
    store.create(job, REQUEST)

    started = store.change(job.id, Begin())
    assert started is not None
    return started


REQUEST = json.dumps(
    {
        "inputs": [{"id": "in", "property": "value", "value": 1}],
        "states": [],
        "outputs": {"id": "out", "property": "children"},
        "changed": ["in.value"],
    }
).encode()


@pytest.mark.parametrize("seconds", [0.5, 3])
def test_a_timeout_raises_in_the_function_and_names_the_seconds(
    seconds: float, app: Dash, store: DiskcacheStore
) -> None:
    cleaned: list[bool] = []

    @app.long_callback(OUT, IN, progress=BAR, timeout=seconds)
    def work(set_progress: Any, _: Any) -> None:
        run.stop(JobTimedOut("too long"))
        try:
            set_progress(1)
        finally:
            cleaned.append(True)

    run = Run(store, running(store), registry.all()[-1])
    run_job(run)
    job = store.load("job")
    assert job is not None
    assert cleaned == [True]
    assert (job.state, job.error) == (
        JobState.TIMED_OUT,
        {
            "type": "JobTimedOut",
            "message": f"the job ran longer than its timeout of {seconds:g} s",
        },
    )


@pytest.mark.parametrize("taken", [True, False])
def test_a_worker_that_begins_late_asks_whether_the_job_is_still_its_own(
    taken: bool, app: Dash, store: DiskcacheStore
) -> None:
    """It was paused before it began: meanwhile another may have been given it, for ``on_error``."""
    calls: list[Any] = []
    app.long_callback(OUT, IN, on_error=print)(calls.append)
    job = replace(running(store), started=time.time() - 60)
    if taken:
        assert store.change(job.id, End(Lost("its worker was not heard of"), job.attempt))
    run_job(Run(store, job, registry.all()[-1]))
    assert len(calls) == (0 if taken else 1)
    after = store.load(job.id)
    assert after is not None
    assert after.state is (JobState.QUEUED if taken else JobState.SUCCEEDED)


def test_on_error_is_told_of_a_timeout(app: Dash, store: DiskcacheStore) -> None:
    @app.long_callback(OUT, IN, progress=BAR, timeout=1, on_error=lambda e: type(e).__name__)
    def work(set_progress: Any, _: Any) -> None:
        run.stop(JobTimedOut("too long"))
        set_progress(1)

    run = Run(store, running(store), registry.all()[-1])
    run_job(run)
    assert b'"JobTimedOut"' in (response_of(store, "job") or b"")


@pytest.mark.parametrize("update", ["set_progress", "set_props"])
def test_a_cancel_raises_at_the_next_update(update: str, app: Dash, store: DiskcacheStore) -> None:
    steps: list[str] = []

    @app.long_callback(OUT, IN, progress=BAR, on_error=lambda e: steps.append("on_error"))
    def work(set_progress: Any, _: Any) -> None:
        run.stop(JobCancelled())
        steps.append("before")
        try:
            if update == "set_progress":
                set_progress(1)
            else:
                set_props("a", {"b": 1})
            steps.append("after")
        finally:
            steps.append("cleanup")
            set_progress(2)

    run = Run(store, running(store), registry.all()[-1])
    run_job(run)
    job = store.load("job")
    assert job is not None
    assert (job.state, steps) == (JobState.CANCELLED, ["before", "cleanup"])


@pytest.mark.parametrize("update", ["set_progress", "set_props"])
def test_an_interrupt_in_the_middle_of_a_write_waits_until_it_is_done(
    update: str, app: Dash, store: DiskcacheStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bool] = []
    write = store.write

    def interrupted_write(*args: Any) -> bool:
        run.stop(JobCancelled())
        signal.raise_signal(signal.SIGINT)
        written.append(write(*args))
        return written[-1]

    @app.long_callback(OUT, IN, progress=BAR)
    def work(set_progress: Any, _: Any) -> None:
        if update == "set_progress":
            set_progress(1)
        else:
            set_props("a", {"b": 1})
        written.append(False)  # not reached

    monkeypatch.setattr(store, "write", interrupted_write)
    run = Run(store, running(store), registry.all()[-1])
    before = signal.signal(signal.SIGINT, lambda *_: run.checkpoint())
    try:
        run_job(run)
    finally:
        signal.signal(signal.SIGINT, before)
    job = store.load("job")
    assert job is not None
    assert (job.state, written) == (JobState.CANCELLED, [True])


def test_a_result_that_the_store_refuses_is_failed_in_words(
    app: Dash, store: DiskcacheStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = store.finish

    def refuse(job: Job, outcome: Outcome, values: Any, stale: Any) -> Job | None:
        if isinstance(outcome, Succeeded):
            raise StoreError("it is too large")
        return finish(job, outcome, values, stale)

    app.long_callback(OUT, IN)(lambda _: "x" * 1000)
    job = running(store)
    monkeypatch.setattr(run_module, "SETTLE_SECONDS", 0.1)
    monkeypatch.setattr(store, "finish", refuse)
    run_job(Run(store, job, registry.all()[-1]))
    record = store.load("job")
    assert record is not None
    assert record.error is not None
    assert record.error["message"] == "the result could not be stored: it is too large"


def test_updates_that_the_store_refuses_do_not_lose_the_result(
    app: Dash,
    store: DiskcacheStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    finish = store.finish

    def refuse_to_write(*_: Any) -> bool:
        raise StoreError("it is too large")

    def refuse_to_finish(job: Job, outcome: Outcome, values: Any, stale: Any) -> Job | None:
        if values:
            raise StoreError("it is too large")
        return finish(job, outcome, values, stale)

    @app.long_callback(OUT, IN, progress=BAR)
    def work(set_progress: Any, _: Any) -> str:
        set_progress(1)
        return "done"

    job = running(store)
    monkeypatch.setattr(run_module, "SETTLE_SECONDS", 0.1)
    monkeypatch.setattr(store, "write", refuse_to_write)
    monkeypatch.setattr(store, "finish", refuse_to_finish)
    run_job(Run(store, job, registry.all()[-1]))
    assert b"done" in (response_of(store, "job") or b"")
    record = store.load("job")
    assert record is not None
    assert record.slots == {}
    assert "reported last could not be stored" in caplog.text


def test_updates_of_a_moment_in_which_the_store_can_not_be_used_are_not_lost(
    app: Dash, store: DiskcacheStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = store.finish
    tries: list[Any] = []

    def refuse_to_write(*_: Any) -> bool:
        raise StoreError("the disk is full")

    def refuse_once(job: Job, outcome: Outcome, values: Any, stale: Any) -> Job | None:
        tries.append(values)
        if len(tries) == 1:
            raise StoreError("the disk is full")
        return finish(job, outcome, values, stale)

    @app.long_callback(OUT, IN, progress=BAR)
    def work(set_progress: Any, _: Any) -> None:
        set_progress(1)

    job = running(store)
    monkeypatch.setattr(run_module, "SETTLE_PAUSE", 0.0)
    monkeypatch.setattr(store, "write", refuse_to_write)
    monkeypatch.setattr(store, "finish", refuse_once)
    run_job(Run(store, job, registry.all()[-1]))
    record = store.load("job")
    assert record is not None
    assert record.state is JobState.SUCCEEDED
    assert store.values("job", record.slots) == [b"1"]


def test_a_cancel_before_the_call_calls_nothing(app: Dash, store: DiskcacheStore) -> None:
    calls: list[int] = []
    app.long_callback(OUT, IN)(calls.append)
    run = Run(store, running(store), registry.all()[-1])
    run.stop(JobCancelled())
    run_job(run)
    assert calls == []


def test_a_lost_job_calls_on_error_and_not_the_function(app: Dash, store: DiskcacheStore) -> None:
    calls: list[int] = []
    app.long_callback(OUT, IN, on_error=lambda e: f"{type(e).__name__}: {e}")(calls.append)
    job = running(store)
    run_job(Run(store, job, registry.all()[-1], Lost("out of memory")))
    assert calls == []
    assert b"JobLost: out of memory" in (response_of(store, job.id) or b"")


def test_a_lost_job_without_on_error_ends_as_lost(app: Dash, store: DiskcacheStore) -> None:
    app.long_callback(OUT, IN)(print)
    run_job(Run(store, running(store), registry.all()[-1], Lost("out of memory")))
    job = store.load("job")
    assert job is not None
    assert (job.state, job.error) == (
        JobState.LOST,
        {"type": "JobLost", "message": "out of memory"},
    )


def test_a_job_whose_arguments_are_gone_is_lost_in_words(app: Dash, store: DiskcacheStore) -> None:
    app.long_callback(OUT, IN)(print)
    job = running(store)
    store.rows.apply(Batch(drop=[names.request("job")]))
    run_job(Run(store, job, registry.all()[-1]))
    ended = store.load("job")
    assert ended is not None
    assert ended.error == {"type": "JobLost", "message": "its arguments have expired"}


def test_an_outcome_does_not_overwrite_an_earlier_one(app: Dash, store: DiskcacheStore) -> None:
    app.long_callback(OUT, IN)(lambda _: store.change("job", End(Cancelled())) and "too late")
    run_job(Run(store, running(store), registry.all()[-1]))
    job = store.load("job")
    assert job is not None
    assert job.state is JobState.CANCELLED
    assert response_of(store, "job") is None


def test_no_thread_is_left_when_a_job_has_ended(app: Dash, click: Click) -> None:
    app.long_callback(OUT, IN)(lambda _: 1)
    click(app, 1)
    assert "job-reporter" not in [thread.name for thread in threading.enumerate()]
