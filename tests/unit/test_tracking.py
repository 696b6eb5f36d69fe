"""How far a function is, as its loops say it."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from dash import Input, Output
from hypothesis import given
from hypothesis import strategies as st
from ids import plain
from inline_page import Click
from jobs_at_hand import AtHand, job_at_hand, until

from dash_long_callback import Dash, JobCancelled, Retry, attempt, show_step, track
from dash_long_callback.jobs import TRACKED, Begin, Job, Sharing, new_job_id
from dash_long_callback.stores.diskcache import DiskcacheStore
from dash_long_callback.testing import LongCallbacks
from dash_long_callback.worker import flusher as flusher_module
from dash_long_callback.worker import tracking as tracking_module
from dash_long_callback.worker.bars import Bar
from dash_long_callback.worker.current import current_run

OUT, IN = Output("out", "children"), Input("in", "value")
#: What is shown of a function that has said nothing.
NOTHING = dict.fromkeys(("fraction", "text", "done", "total", "rate", "remaining"))


@pytest.fixture
def job() -> Iterator[AtHand]:
    with job_at_hand() as job:
        yield job


def advance(loop: Iterator[Any], times: int) -> None:
    """Have a loop finish so many items, and begin the next."""
    for _ in range(times + 1):
        next(loop)


# One loop


def test_a_loop_says_how_many_items_are_done(job: AtHand) -> None:
    seen = [(item, job.now["done"], job.fraction) for item in track("abcd", "Letters")]
    assert seen == [("a", 0, 0), ("b", 1, 0.25), ("c", 2, 0.5), ("d", 3, 0.75)]


def test_the_text_and_the_total_are_those_of_the_loop(job: AtHand) -> None:
    for _ in track(iter("abcd"), "Letters", total=8):
        shown = job.now
        assert (shown["text"], shown["total"]) == ("Letters", 8)


def test_without_a_length_only_the_items_are_counted(job: AtHand) -> None:
    for number, _ in enumerate(track(iter("abcd"))):
        shown = job.now
        assert (shown["done"], shown["total"], shown["fraction"]) == (number, None, None)


def test_more_items_than_were_said_are_not_more_than_all(job: AtHand) -> None:
    loop = track(range(10), total=4)
    advance(loop, 6)
    assert (job.now["done"], job.fraction) == (6, 1)


def test_a_loop_over_nothing_is_over_at_once(job: AtHand) -> None:
    assert list(track([], "Nothing")) == []
    assert job.fraction is None


def test_numbers_of_numpy_are_numbers(job: AtHand) -> None:
    totals: list[Any] = [np.int64(8), np.float32(8)]
    for total in totals:
        loop = track(iter("abcd"), total=total)
        advance(loop, 2)
        assert json.loads(json.dumps(job.now))["total"] == 8


def leave(loop: Iterator[Any]) -> None:
    for _ in loop:
        break


def _fail(loop: Iterator[Any]) -> None:
    for _ in loop:
        raise LookupError


def fail(loop: Iterator[Any]) -> None:
    with pytest.raises(LookupError):
        _fail(loop)


@pytest.mark.parametrize("end", [list, leave, fail])
def test_a_loop_is_over_however_it_ends(end: Callable[[Any], Any], job: AtHand) -> None:
    end(track(range(5), "Reading"))
    assert job.now == {**NOTHING, "text": "Reading"}


def test_a_loop_is_over_if_its_items_raise(job: AtHand) -> None:
    def items() -> Generator[int]:
        yield 1
        raise LookupError

    with pytest.raises(LookupError):
        list(track(items(), total=4))
    assert job.fraction is None


def test_a_loop_that_nobody_has_any_more_is_over(job: AtHand) -> None:
    loop = track(range(5))
    next(loop)
    holds: list[Any] = [loop]
    holds.append(holds)  # a circle, which waits for the garbage collector
    assert job.fraction == 0
    del loop, holds
    gc.collect()
    assert job.fraction is None


def test_a_loop_that_was_never_begun_is_not_shown(job: AtHand) -> None:
    loops = [track(range(5)), track(range(5))]
    assert job.now == NOTHING
    assert [list(loop) for loop in loops] == [[*range(5)]] * 2


def test_how_fast_it_is_and_how_long_it_takes_is_said_when_that_is_known(
    job: AtHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(tracking_module.time, "monotonic", lambda: now)
    job.tracking.flusher.mark = lambda: None  # the thread waits by that clock, too
    loop = track(range(100))
    next(loop)
    assert (job.now["rate"], job.now["remaining"]) == (None, None)
    advance(loop, 9)
    now += 0.4
    assert (job.now["rate"], job.now["remaining"]) == (None, None)
    now += 1.6
    assert (job.now["rate"], job.now["remaining"]) == (5.0, 18.0)
    now += 2  # it stalls
    assert (job.now["rate"], job.now["remaining"]) == (2.5, 36.0)


def test_how_long_a_loop_takes_is_known_from_its_beginning_however_late_the_first_report(
    job: AtHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(tracking_module.time, "monotonic", lambda: now)
    job.tracking.flusher.mark = lambda: None
    loop = track(range(100))
    advance(loop, 20)
    now += 10
    assert (job.now["fraction"], job.now["remaining"]) == (0.2, 40.0)


# Loops inside each other


def test_loops_inside_each_other_are_one(job: AtHand) -> None:
    seen: list[float] = []
    for _ in track(range(2)):
        for _ in track(range(2)):
            seen += [job.fraction for _ in track(range(2))]
    assert seen == [n / 8 for n in range(8)]


def test_what_is_inside_counts_as_done_until_the_outer_loop_says_so(job: AtHand) -> None:
    for number in track(range(4)):
        list(track(range(3)))
        assert job.fraction == (number + 1) / 4


def test_loops_after_each_other_share_the_item_of_the_outer_as_the_last_time(job: AtHand) -> None:
    seen: list[float] = []
    for _ in track(range(4)):
        for _ in range(2):
            seen += [job.fraction for _ in track(range(2))]
    # Only in the first item nobody knows that another loop will follow.
    assert seen == [0, 0.125, 0.125, 0.1875, *(n / 16 for n in range(4, 16))]


def test_a_loop_of_unknown_length_is_as_far_as_what_is_inside(job: AtHand) -> None:
    for _ in track(iter("ab")):
        assert [job.fraction for _ in track(range(4))] == [0, 0.25, 0.5, 0.75]


def test_a_loop_over_a_generator_that_has_a_loop_is_as_far_as_that(job: AtHand) -> None:
    def load() -> Generator[int]:
        yield from track(range(4), "Loading")

    assert [job.fraction for _ in track(load())] == [0, 0.25, 0.5, 0.75]
    assert [job.fraction for _ in track(load(), total=4)] == [0, 0.25, 0.5, 0.75]


def test_the_numbers_are_those_of_the_innermost_loop_with_a_text(job: AtHand) -> None:
    outer, inner = track(range(5), "Files"), track(range(7))
    next(outer)
    next(inner)
    assert (job.now["text"], job.now["total"]) == ("Files", 5)
    third = track(range(9), "Lines")
    next(third)
    assert (job.now["text"], job.now["total"]) == ("Lines", 9)
    list(third)
    assert (job.now["text"], job.now["total"]) == ("Files", 5)


def test_a_loop_that_was_left_open_counts_no_more_when_the_outer_is_over(job: AtHand) -> None:
    outer = track(range(2))
    next(outer)
    inner = track(range(4))
    advance(inner, 1)
    del outer
    assert job.fraction == 0.25  # it is the outermost now
    advance(inner, 0)
    assert job.fraction == 0.5


@given(st.lists(st.tuples(st.integers(0, 2), st.one_of(st.none(), st.integers(0, 6))), max_size=60))
def test_the_whole_never_falls_back_while_the_outermost_loop_is_open(
    steps: list[tuple[int, int | None]],
) -> None:
    with job_at_hand() as job:
        job.tracking.flusher.mark = lambda: None
        outermost = track(range(10))
        next(outermost)
        loops, last = [outermost], 0.0
        for step, length in steps:
            if step == 0:  # begin one
                loops.append(track(iter(range(5)), total=length))
            elif len(loops) > 1 and (step == 1 or next(loops[-1], None) is None):
                loops.pop()  # leave one, or it is over
            elif len(loops) == 1:
                next(outermost, None)
            fraction = job.fraction
            if fraction is None:
                assert next(outermost, None) is None
                return
            assert last <= fraction <= 1
            last = fraction
        while len(loops) > 1:
            loops.pop()


# In words


def test_a_step_is_shown_until_the_next(job: AtHand) -> None:
    show_step("Loading")
    assert job.now == {**NOTHING, "text": "Loading"}
    show_step("Saving")
    assert job.now == {**NOTHING, "text": "Saving"}


def test_a_step_is_shown_until_a_loop_has_words_of_its_own(job: AtHand) -> None:
    show_step("Loading")
    for _ in track("ab"):
        assert job.now["text"] == "Loading"
    for _ in track("ab", "Letters"):
        assert job.now["text"] == "Letters"
    assert job.now["text"] == "Letters"
    for _ in track("ab", "Letters"):
        show_step("Parsing")
        assert job.now["text"] == "Parsing"
        for _ in track("cd", "More letters"):
            assert job.now["text"] == "More letters"
        assert job.now["text"] == "Parsing"


def test_the_words_of_a_loop_are_not_those_of_the_next(job: AtHand) -> None:
    list(track("ab", "Letters"))
    for _ in track("ab"):
        assert job.now["text"] is None


def test_a_step_says_how_far_the_function_is(job: AtHand) -> None:
    show_step("Loading", 0.25)
    assert job.now == {**NOTHING, "text": "Loading", "fraction": 0.25}
    show_step("Fitting", 0.5)
    assert job.fraction == 0.5
    for _ in track("ab"):
        assert (job.fraction, job.now["total"]) == (0.5, 2)
    show_step("Another model", 0)
    assert job.fraction == 0
    show_step("Saving")
    assert job.fraction is None


def test_a_step_in_a_loop_says_how_far_its_item_is(job: AtHand) -> None:
    seen: list[float] = []
    for _ in track("ab"):
        seen.append(job.fraction)
        list(track("cd"))
        seen.append(job.fraction)
        show_step("Reading", 0.5)
        show_step("Parsing", 0.75)
        seen.append(job.fraction)
    assert seen == [0, 0.5, 0.5, 0.5, 1, 1]


def test_long_words_are_cut(job: AtHand) -> None:
    show_step("a" * 1000)
    assert job.now["text"] == "a" * 200


# Threads and tasks


def test_threads_that_work_on_the_items_of_a_loop_count_for_it(job: AtHand) -> None:
    steps, begun = [threading.Semaphore(0) for _ in range(4)], threading.Event()
    counted = threading.Semaphore(0)

    def work(number: int) -> None:
        assert begun.wait(20)
        for _ in track(range(4)):
            counted.release()
            assert steps[number].acquire(timeout=20)

    def await_counted(times: int) -> None:
        for _ in range(times):
            assert counted.acquire(timeout=20)

    seen: list[float] = []

    def look() -> None:
        seen.append(job.fraction)

    def lead() -> None:
        await_counted(4)
        look()
        for number in (0, 1):  # half of two items
            steps[number].release(2)
        await_counted(4)
        look()
        steps[1].release(2)  # the second is done before the first
        until(lambda: len(job.tracking._bars) == 4)
        look()
        for number in (0, 2, 3):
            steps[number].release(4)

    with ThreadPoolExecutor(4) as pool:
        leader = threading.Thread(target=lead)
        leader.start()
        items = pool.map(work, range(4))
        for _ in track(_once_begun(begun, items), total=4):
            look()
        leader.join()
    assert seen[:3] == [0, 0.25, 0.375]
    assert seen[3:] == sorted(seen[3:])
    assert job.fraction is None


def _once_begun(begun: threading.Event, items: Iterator[Any]) -> Generator[Any]:
    begun.set()
    yield from items


def test_a_pool_inside_of_an_item_counts_for_that_item_only(job: AtHand) -> None:
    seen: list[float] = []
    with ThreadPoolExecutor(3) as pool:
        for _ in track(range(4)):
            parts = pool.map(lambda n: list(track(range(n))), range(1, 10))
            seen.extend(job.fraction for _ in parts)
            seen.append(job.fraction)
    assert [seen[9], seen[19], seen[29], seen[39]] == [0.25, 0.5, 0.75, 1]
    assert seen == sorted(seen)


def test_threads_that_have_begun_before_the_loop_over_their_results_count_for_it(
    job: AtHand,
) -> None:
    begun, go = threading.Semaphore(0), threading.Event()

    def work(number: int) -> None:
        for step in track(range(2)):
            if step:
                begun.release()
                go.wait(20)

    with ThreadPoolExecutor(2) as pool:
        items = pool.map(work, range(2))
        assert begun.acquire(timeout=20)
        assert begun.acquire(timeout=20)
        assert job.fraction == 0.5  # side by side
        loop = track(items, total=4)
        threading.Timer(0.1, go.set).start()
        next(loop)
        assert job.fraction in {0.375, 0.5}  # 0 of 4 is done, and two that are over
        list(loop)


def test_loops_side_by_side_are_as_far_as_their_mean(job: AtHand) -> None:
    async def work(length: int) -> None:
        for _ in track(range(length)):
            seen.append(job.fraction)
            await asyncio.sleep(0)

    async def both() -> None:
        await asyncio.gather(work(4), work(2))

    seen: list[float] = []
    asyncio.run(both())
    assert seen == [0, 0, 0.125, 0.375, 0.5, 0.875]
    assert job.fraction is None


def test_tasks_of_an_item_count_for_it(job: AtHand) -> None:
    async def work() -> None:
        for _ in track(range(2)):
            seen.append(job.fraction)
            await asyncio.sleep(0)

    async def run() -> None:
        for _ in track(range(2)):
            await asyncio.gather(work(), asyncio.to_thread(list, track(range(3))))

    seen: list[float] = []
    asyncio.run(run())
    assert seen == sorted(seen)
    assert 0 <= seen[0] <= seen[1] <= 0.5 <= seen[2]


def test_an_asynchronous_loop_is_a_loop(job: AtHand) -> None:
    async def items() -> AsyncIterator[int]:
        for number in range(4):
            await asyncio.sleep(0)
            yield number

    async def fail() -> None:
        async for _ in track(items(), total=4):
            raise LookupError

    async def run() -> None:
        async for number in track(items(), "Waiting", total=4):
            assert (job.now["done"], job.fraction) == (number, number / 4)
        assert job.now == {**NOTHING, "text": "Waiting"}
        async for _ in track(items(), "Leaving", total=4):
            break
        assert job.fraction is None
        with pytest.raises(LookupError):
            await fail()
        assert job.fraction is None

    asyncio.run(run())


# Reports


def test_the_first_report_comes_at_once_and_the_last_though_the_loop_stalls(job: AtHand) -> None:
    for number in track(range(1000)):
        if number == 0:
            until(lambda: job.reports)
            assert job.reports[0]["done"] == 0
        if number == 500:
            until(lambda: job.reports[-1]["done"] == 500)
            break


def test_a_quick_loop_is_reported_ten_times_a_second_at_most(job: AtHand) -> None:
    begun = time.monotonic()
    for _ in track(range(10**9)):
        if time.monotonic() - begun > 0.55:
            break
    took = time.monotonic() - begun
    assert 2 <= len(job.reports) <= took / flusher_module.REST_SECONDS + 2
    fractions = [report["fraction"] for report in job.reports if report["fraction"] is not None]
    assert fractions == sorted(fractions)


def test_after_the_end_nothing_is_reported_and_no_thread_is_left() -> None:
    before = set(threading.enumerate())
    with job_at_hand() as job:
        loop = track(range(10))
        advance(loop, 2)
        until(lambda: job.reports)
        assert {thread.name for thread in set(threading.enumerate()) - before} >= {"progress"}
    assert set(threading.enumerate()) <= before
    reports = len(job.reports)
    assert list(loop) == [3, 4, 5, 6, 7, 8, 9]
    job.tracking.say("too late", 0.5)
    job.tracking.flusher.mark()
    assert set(threading.enumerate()) <= before
    assert len(job.reports) == reports


def test_a_report_that_fails_is_logged_and_the_next_is_made(
    job: AtHand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    state, failed = job.tracking.state, threading.Event()

    def fail_once() -> Any:
        if failed.is_set():
            return state()
        failed.set()
        raise ZeroDivisionError

    monkeypatch.setattr(job.tracking, "state", fail_once)
    loop = track(range(5))
    next(loop)
    assert failed.wait(20)
    next(loop)
    until(lambda: job.reports)
    assert "progress can't be reported" in caplog.text


def test_a_cancel_in_the_middle_of_closing_a_loop_leaves_none(job: AtHand) -> None:
    bar = Bar(5)
    job.tracking.open(bar)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job.tracking, "_bars", _Interrupted(job.tracking._bars))
        with pytest.raises(JobCancelled):
            job.tracking.close(bar)
    assert bar.closed
    job.tracking.close_all()
    assert job.now == NOTHING
    advance(track(range(4)), 1)


class _Interrupted(list[Any]):
    def remove(self, value: Any, /) -> None:
        raise JobCancelled


def test_the_reports_are_in_the_store_under_a_target_of_their_own(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN)
    def work(_: Any) -> Any:
        store = app.long_callback_manager.store
        for number in track("ab", "Letters"):
            if number == "b":
                until(lambda: any(_tracked(store, job)["done"] == 1 for job in store.active()))
        return "done"

    ended = click(app, 1)
    assert ended.outputs == {"out": {"children": "done"}}
    assert [target for target, _ in ended.updates] == [TRACKED]


def _tracked(store: Any, job: Job) -> dict[str, Any]:
    slots = [number for number, slot in job.slots.items() if slot.target == TRACKED]
    (value,) = store.values(job.id, slots) or [None]
    return json.loads(value or '{"done": null}')


@pytest.mark.parametrize("kind", ["plain", "async", "generator", "async generator"])
def test_every_kind_of_function_may_have_loops(
    kind: str, app: Dash, long_callbacks: LongCallbacks
) -> None:
    def plain(_: Any) -> Any:
        fractions.extend(_fraction() for _ in track(range(3), "Letters"))
        return "done"

    async def coroutine(_: Any) -> Any:
        await asyncio.sleep(0)
        return plain(_)

    def generator(_: Any) -> Any:
        for number in track(range(3), "Letters"):
            fractions.append(_fraction())
            yield number

    async def async_generator(_: Any) -> Any:
        for number in track(range(3), "Letters"):
            fractions.append(_fraction())
            yield number

    fractions: list[float] = []
    functions = (plain, coroutine, generator, async_generator)
    kinds = dict(zip(["plain", "async", "generator", "async generator"], functions, strict=True))
    app.long_callback(OUT, IN)(kinds[kind])
    assert long_callbacks.click(app, "in.value", 1).state == "succeeded"
    assert fractions == pytest.approx([0, 1 / 3, 2 / 3], abs=1e-4)


def _fraction() -> Any:
    run = current_run()
    assert run is not None
    return run.tracking.state()["fraction"]


def test_a_loop_that_an_error_has_left_is_over_when_it_is_handled(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    def handle(error: Exception) -> Any:
        loop = error.__traceback__
        assert loop is not None  # it has the function's variables
        show_step("Cleaning up")
        return str(_fraction())

    @app.long_callback(OUT, IN, on_error=handle)
    def work(_: Any) -> Any:
        loop = track(range(4))
        for _ in loop:
            raise LookupError

    assert long_callbacks.click(app, "in.value", 1).outputs == {"out.children": "None"}


def test_another_attempt_begins_with_nothing(app: Dash, long_callbacks: LongCallbacks) -> None:
    @app.long_callback(OUT, IN, retry=Retry(1, backoff=0.01))
    def work(_: Any) -> Any:
        assert _fraction() is None
        for number in track(range(4)):
            if number == 2 and attempt() == 1:
                raise LookupError
        return "done"

    run = long_callbacks.click(app, "in.value", 1)
    assert (run.outputs, run.attempts) == ({"out.children": "done"}, 2)


def test_what_was_reported_is_not_kept_with_the_result(store: DiskcacheStore) -> None:
    sharing = Sharing("key", keep=True, coalesce=False, expire=None)
    job = Job(new_job_id(), "callback", cache_key=sharing.key, kept=True)
    store.create(job, b"{}")
    running = store.change(job.id, Begin())
    assert running is not None
    first, _ = running.put(TRACKED)
    second, _ = running.put(("box", "children"))
    store.write(running, {first: b'{"fraction": 1}', second: b'"side"'}, [])
    store.keep(running, b"{}")
    kept = store.kept("key", None)
    assert kept is not None
    assert kept.updates == [(("box", "children"), b'"side"')]


# Outside of a job


def test_outside_of_a_job_a_loop_is_what_it_is() -> None:
    items = iter("abc")
    assert track(items, "Letters", total=7) is items
    assert list(track("abc")) == ["a", "b", "c"]
    show_step("nobody sees it", 0.5)

    async def run() -> list[int]:
        async def numbers() -> AsyncIterator[int]:
            yield 1

        return [number async for number in track(numbers())]

    assert asyncio.run(run()) == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is forked")
def test_a_process_that_a_function_forks_reports_nothing(job: AtHand) -> None:
    def work(results: Any) -> None:
        show_step("in the child", 0.5)
        inner = list(track(range(3), "in the child"))
        results.put((inner, list(loop)))

    loop = track(range(5), "in the job")
    advance(loop, 1)
    context: Any = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    process = context.Process(target=work, args=(results,))
    locked, started = threading.Event(), threading.Event()

    def hold() -> None:  # as another thread may at that moment
        with job.tracking._lock, job.tracking.flusher._lock:
            locked.set()
            started.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert locked.wait(20)
    process.start()
    started.set()
    holder.join()
    process.join(20)
    assert process.exitcode == 0
    assert results.get() == ([0, 1, 2], [2, 3, 4])
    assert (job.now["done"], job.now["text"]) == (1, "in the job")


MISTAKES: list[tuple[Any, tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    (track, (5,), {}, TypeError, "track: 5 is nothing that can be looped over"),
    (track, ([], 5), {}, TypeError, "track: text=5 must be a string"),
    (track, ([],), {"total": "x"}, TypeError, "track: total='x' must be a number"),
    (track, ([],), {"total": True}, TypeError, "track: total=True must be a number"),
    (track, ([],), {"total": -1}, ValueError, "track: total=-1 must be a number from 0 on"),
    (track, ([],), {"total": float("nan")}, ValueError, "track: total=nan must be a number"),
    (show_step, (None,), {}, TypeError, "show_step: text=None must be a string"),
    (show_step, ("x", "y"), {}, TypeError, "show_step: fraction='y' must be a number"),
    (show_step, ("x", 1.5), {}, ValueError, "show_step: fraction=1.5 must be from 0 to 1"),
    (show_step, ("x", -0.1), {}, ValueError, "show_step: fraction=-0.1 must be from 0 to 1"),
]


@pytest.mark.parametrize("call, args, kwargs, error, words", MISTAKES, ids=plain)
def test_a_mistake_is_said_where_it_is_made(
    call: Any, args: Any, kwargs: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        call(*args, **kwargs)
    with job_at_hand(), pytest.raises(error, match=words):
        call(*args, **kwargs)
