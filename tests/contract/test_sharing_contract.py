"""What every manager promises on results that are kept and jobs that are shared."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sharing_callbacks as callbacks
from dash import Dash as PlainDash
from dash import Input, Output
from dash._utils import AttributeDict
from managers import PATIENCE, WORKERS, wait_until

from dash_long_callback import Dash, long_callback, plug
from dash_long_callback.dash.callbacks import LongCallback, registry
from dash_long_callback.errors import CacheByFailed, JobNotFound, StoreError
from dash_long_callback.executors.inline import InlineExecutor
from dash_long_callback.jobs import Begin, Job, Sharing, State, Succeeded, new_job_id
from dash_long_callback.managers.base import Disposition, Manager, News, Receipt
from dash_long_callback.server import pacing
from dash_long_callback.server.sharing import sharing_of
from dash_long_callback.server.submit import Click
from dash_long_callback.stores.diskcache import DiskcacheStore
from dash_long_callback.stores.large_results import LargeResult
from dash_long_callback.stores.timing import WAITING

any_broker = True
MB = 1 << 20


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DiskcacheStore]:
    store = DiskcacheStore(tmp_path / "jobs", retention=600)
    yield store
    store.close()


def callback_of(function: Callable[..., Any]) -> LongCallback:
    return next(c for c in registry.all() if c.function is function)


@contextmanager
def given(callback: LongCallback, **options: Any) -> Generator[None]:
    """As if a callback had been declared with other options."""
    before = callback.options
    callback.options = replace(before, **options)
    try:
        yield
    finally:
        callback.options = before


def context_of(callback: LongCallback, kind: Any, path: Path) -> Any:
    """Dash's callback context of a click."""
    component, prop = callback.registration.callback_id.rsplit(".", 1)
    return AttributeDict(
        inputs_list=[
            {"id": "in", "property": "value", "value": kind},
            {"id": "in", "property": "path", "value": str(path)},
        ],
        states_list=[],
        outputs_list={"id": component, "property": prop},
        triggered_inputs=[{"prop_id": "in.value", "value": kind}],
    )


def ask(
    manager: Manager,
    kind: Any,
    path: Path,
    function: Callable[..., Any] = callbacks.work,
    job_id: str | None = None,
    owner: str | None = None,
) -> Receipt:
    """What the web side does with a click."""
    callback = callback_of(function)
    context = context_of(callback, kind, path)
    request = {
        "inputs": context.inputs_list,
        "states": [],
        "outputs": context.outputs_list,
        "changed": ["in.value"],
    }
    sharing = sharing_of(callback, manager, context)
    body = json.dumps(request).encode()
    return manager.submit(callback.call(body, sharing, owner, job_id))


def ended(manager: Manager, receipt: Receipt, owner: str | None = None) -> News:
    found = manager.wait(
        {receipt.job_id: 0},
        PATIENCE,
        lambda found: all(n.job.state.ended for n in found.values()),
        owner,
    )
    return found[receipt.job_id]


def value_of(response: bytes | memoryview | LargeResult | None) -> Any:
    assert isinstance(response, (bytes, memoryview))
    (props,) = json.loads(bytes(response))["response"].values()
    return props["children"]


def runs(path: Path) -> int:
    return len(list(path.glob("run-*")))


# Results that are kept


def test_the_second_who_asks_gets_the_result_without_a_job(
    manager: Manager, tmp_path: Path
) -> None:
    first = ask(manager, "a", tmp_path)
    assert first.disposition is Disposition.NEW
    assert value_of(ended(manager, first).response) == "a!"
    second = ask(manager, "a", tmp_path)
    assert second.disposition is Disposition.CACHED
    assert second.result is not None
    assert value_of(second.result.response) == "a!"
    assert second.result.response == ended(manager, first).response
    assert manager.news({second.job_id: 0}) == {}
    assert runs(tmp_path) == 1


def test_other_arguments_and_other_callbacks_are_other_results(
    manager: Manager, tmp_path: Path
) -> None:
    for kind in ("a", "b"):
        for function in (callbacks.work, callbacks.other):
            receipt = ask(manager, kind, tmp_path, function)
            assert receipt.disposition is Disposition.NEW
            assert value_of(ended(manager, receipt).response) == f"{kind}!"
    assert runs(tmp_path) == 4


def test_none_is_kept(manager: Manager, tmp_path: Path) -> None:
    ended(manager, ask(manager, None, tmp_path))
    second = ask(manager, None, tmp_path)
    assert second.result is not None
    assert value_of(second.result.response) is None
    assert runs(tmp_path) == 1


@pytest.mark.parametrize(
    "kind,function,state",
    [
        ("raise", callbacks.work, State.FAILED),
        ("prevent", callbacks.work, State.SUCCEEDED),
        ("raise", callbacks.handled, State.SUCCEEDED),
    ],
    ids=["Failed", "PreventUpdate", "on_error"],
)
def test_these_are_never_kept(
    kind: str, function: Callable[..., Any], state: State, manager: Manager, tmp_path: Path
) -> None:
    for count in (1, 2):
        receipt = ask(manager, kind, tmp_path, function)
        assert receipt.disposition is Disposition.NEW
        assert ended(manager, receipt).job.state is state
        assert runs(tmp_path) == count


@pytest.mark.parametrize(
    "kind,function,state",
    [("die", callbacks.other, State.LOST), ("wait", callbacks.limited, State.TIMED_OUT)],
    ids=["Lost", "TimedOut"],
)
def test_what_the_executor_ended_is_never_kept(
    kind: str, function: Callable[..., Any], state: State, pool: Manager, tmp_path: Path
) -> None:
    for count in (1, 2):
        receipt = ask(pool, kind, tmp_path, function)
        assert receipt.disposition is Disposition.NEW
        assert ended(pool, receipt).job.state is state
        assert runs(tmp_path) == count


def test_a_cancelled_job_is_never_kept(pool: Manager, tmp_path: Path) -> None:
    for count in (1, 2):
        receipt = ask(pool, "wait", tmp_path)
        assert receipt.disposition is Disposition.NEW
        wait_until(lambda count=count: runs(tmp_path) == count)
        pool.cancel(receipt.job_id)
        assert ended(pool, receipt).job.state is State.CANCELLED


def test_what_on_error_does_not_touch_is_kept(manager: Manager, tmp_path: Path) -> None:
    ended(manager, ask(manager, "fine", tmp_path, callbacks.handled))
    assert ask(manager, "fine", tmp_path, callbacks.handled).disposition is Disposition.CACHED


def test_set_props_are_replayed_in_order_and_progress_is_not(
    manager: Manager, tmp_path: Path
) -> None:
    news = ended(manager, ask(manager, "props", tmp_path))
    hit = ask(manager, "props", tmp_path)
    assert hit.result is not None
    assert hit.result.updates == [u for u in news.updates if not isinstance(u[0], int)]
    *patches, last = ((target, json.loads(value)) for target, value in hit.result.updates)
    assert {target for target, _ in patches} == {("list", "data")}
    steps = [step for _, patch in patches for step in patch["operations"]]
    assert [step["params"]["value"] for step in steps] == [0, 1, 2]
    assert last == (("a", "children"), "last")


def test_without_cache_by_each_request_runs(tmp_path: Path, manager: Manager) -> None:
    manager.cache_by = None
    try:
        receipts = [ask(manager, "each", tmp_path) for _ in range(2)]
    finally:
        manager.cache_by = []
    assert [r.disposition for r in receipts] == [Disposition.NEW] * 2
    assert all(value_of(ended(manager, r).response) == "each!" for r in receipts)
    assert runs(tmp_path) == 2
    # and the next has nothing to find
    assert ask(manager, "each", tmp_path).disposition is Disposition.NEW


def test_the_callback_overrides_the_manager(manager: Manager, tmp_path: Path) -> None:
    callback = callback_of(callbacks.other)
    context = context_of(callback, 1, tmp_path)
    manager.expire = 7
    try:
        plain = sharing_of(callback, manager, context)
        with given(callback, cache_by=[os.getpid], expire=5):
            own = sharing_of(callback, manager, context)
    finally:
        manager.expire = None
    assert plain is not None
    assert own is not None
    assert plain.key != own.key
    assert (plain.expire, own.expire) == (7, 5)


# Jobs that are shared


def test_those_who_ask_while_it_runs_join(pool: Manager, tmp_path: Path) -> None:
    first = ask(pool, "wait", tmp_path)
    wait_until(lambda: pool.news({first.job_id: 0})[first.job_id].updates)
    others = [ask(pool, "wait", tmp_path) for _ in range(3)]
    assert [r.disposition for r in others] == [Disposition.JOINED] * 3
    ids = [first.job_id, *(r.job_id for r in others)]
    assert len(set(ids)) == 4
    for found in pool.news(dict.fromkeys(ids, 0)).values():
        assert (found.updates, found.job.state) == ([(0, b'"half"')], State.RUNNING)
    (tmp_path / "open").touch()
    assert [value_of(ended(pool, r).response) for r in [first, *others]] == ["wait!"] * 4
    assert runs(tmp_path) == 1
    assert ask(pool, "wait", tmp_path).disposition is Disposition.CACHED


def test_who_asks_twice_by_one_name_joins_once(pool: Manager, tmp_path: Path) -> None:
    first = ask(pool, "wait", tmp_path)
    name = new_job_id()
    receipts = [ask(pool, "wait", tmp_path, job_id=name) for _ in range(2)]
    assert [(r.job_id, r.disposition) for r in receipts] == [(name, Disposition.JOINED)] * 2
    (tmp_path / "open").touch()
    assert [value_of(ended(pool, r).response) for r in (first, *receipts)] == ["wait!"] * 3
    assert runs(tmp_path) == 1


def test_who_asks_twice_by_the_name_of_the_job_has_it(pool: Manager, tmp_path: Path) -> None:
    name = new_job_id()
    receipts = [ask(pool, "wait", tmp_path, job_id=name) for _ in range(2)]
    assert [r.disposition for r in receipts] == [Disposition.NEW, Disposition.KNOWN]
    pool.cancel(name)
    assert ended(pool, receipts[0]).job.state is State.CANCELLED, "nobody else has asked"


def test_what_a_generator_yields_is_kept(manager: Manager, tmp_path: Path) -> None:
    for disposition in (Disposition.NEW, Disposition.CACHED):
        receipt = ask(manager, 3, tmp_path, callbacks.stream)
        assert receipt.disposition is disposition
        if receipt.result is None:
            news = ended(manager, receipt)
            assert (news.job.error, news.job.state) == (None, State.SUCCEEDED)
            assert news.updates == [(("streamed", "children"), b"2")]
        else:
            assert receipt.result.updates == [(("streamed", "children"), b"2")]


def test_a_job_in_the_queue_is_joined(pool: Manager, tmp_path: Path) -> None:
    blockers = [tmp_path / f"b{i}" for i in range(WORKERS)]
    for folder in blockers:
        folder.mkdir()
        ask(pool, "wait", folder)
    wait_until(lambda: all(runs(folder) for folder in blockers))
    receipts = [ask(pool, "queued", tmp_path) for _ in range(3)]
    assert [r.disposition.value for r in receipts] == ["new", "joined", "joined"]
    for folder in blockers:
        (folder / "open").touch()
    assert [value_of(ended(pool, r).response) for r in receipts] == ["queued!"] * 3
    assert runs(tmp_path) == 1


def test_many_at_once_are_one_run(pool: Manager, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as clients:
        receipts = list(clients.map(lambda _: ask(pool, "many", tmp_path), range(40)))
    for receipt in receipts:
        response = receipt.result.response if receipt.result else ended(pool, receipt).response
        assert value_of(response) == "many!"
    assert runs(tmp_path) == 1


def test_all_who_joined_hear_of_a_failure(pool: Manager, tmp_path: Path) -> None:
    blockers = [tmp_path / f"b{i}" for i in range(WORKERS)]
    for folder in blockers:
        folder.mkdir()
        ask(pool, "wait", folder)
    receipts = [ask(pool, "raise", tmp_path) for _ in range(2)]
    for folder in blockers:
        (folder / "open").touch()
    for receipt in receipts:
        assert (ended(pool, receipt).job.error or {})["message"] == "no luck"
    assert ask(pool, "raise", tmp_path).disposition is Disposition.NEW


@pytest.mark.parametrize("leaver", [0, 1], ids=["the first", "one who joined"])
def test_a_cancel_detaches_the_one_who_cancels(leaver: int, pool: Manager, tmp_path: Path) -> None:
    receipts = [ask(pool, "wait", tmp_path) for _ in range(2)]
    wait_until(lambda: runs(tmp_path) == 1)
    gone, stays = receipts[leaver], receipts[1 - leaver]
    for _ in range(2):  # a client repeats itself until it is heard
        pool.cancel(gone.job_id)
    assert ended(pool, gone).job.state is State.CANCELLED
    assert pool.news({stays.job_id: 0})[stays.job_id].job.state is State.RUNNING
    (tmp_path / "open").touch()
    assert value_of(ended(pool, stays).response) == "wait!"
    news = ended(pool, gone)
    assert (news.job.state, news.response) == (State.CANCELLED, None)
    assert runs(tmp_path) == 1


def test_who_joins_the_job_of_another_user_has_a_name_of_their_own(
    pool: Manager, tmp_path: Path
) -> None:
    ada, grace = (ask(pool, "wait", tmp_path, owner=owner) for owner in ("ada", "grace"))
    assert (ada.disposition, grace.disposition) == (Disposition.NEW, Disposition.JOINED)
    names = [(ada.job_id, "ada"), (grace.job_id, "grace")]
    for name, owner in names:
        for other in {"ada", "grace", None} - {owner}:
            assert pool.news({name: 0}, other) == {}
            assert pool.job(name, other) is None
            with pytest.raises(JobNotFound):
                pool.cancel(name, other)
        # Sent by another, a name says nothing: that one joins, too, under a new one.
        for other in ("ada", "grace"):
            again = ask(pool, "wait", tmp_path, owner=other, job_id=name)
            assert (again.job_id == name) == (other == owner)
    wait_until(lambda: runs(tmp_path) == 1)
    pool.cancel(*names[0])
    assert pool.news({grace.job_id: 0}, "grace")[grace.job_id].job.state is State.RUNNING
    (tmp_path / "open").touch()
    assert value_of(ended(pool, grace, "grace").response) == "wait!"
    assert pool.news({ada.job_id: 0}, "ada")[ada.job_id].job.state is State.CANCELLED
    assert runs(tmp_path) == 1


def test_the_last_one_s_cancel_ends_the_job(pool: Manager, tmp_path: Path) -> None:
    receipts = [ask(pool, "wait", tmp_path) for _ in range(3)]
    wait_until(lambda: pool.news({receipts[0].job_id: 0})[receipts[0].job_id].updates)
    for receipt in receipts:
        assert not (tmp_path / "left").exists()
        pool.cancel(receipt.job_id)
    wait_until((tmp_path / "left").exists)
    assert [ended(pool, r).job.state for r in receipts] == [State.CANCELLED] * 3


def test_who_asks_after_the_last_cancel_gets_a_run_of_its_own(store: DiskcacheStore) -> None:
    manager = Manager(store, Never(store))
    callback, sharing = callback_of(callbacks.work), Sharing("k", True, True, None)
    first = manager.submit(callback.call(b"{}", sharing))
    running = store.change(first.job_id, Begin())
    assert running is not None
    manager.cancel(first.job_id)  # it runs on until its function lets go
    second = manager.submit(callback.call(b"{}", sharing))
    assert second.disposition is Disposition.NEW
    store.finish(running, Succeeded(b"{}"))
    # The end of the first one does not hide the second.
    third = manager.submit(callback.call(b"{}", sharing))
    assert third.disposition is Disposition.JOINED
    assert manager.news({third.job_id: 0})[third.job_id].job.id == second.job_id


def test_nobody_joins_a_job_while_it_is_being_cancelled(store: DiskcacheStore) -> None:
    """Between the leaving of the last and the end there is no gap to slip into."""
    callback, sharing = callback_of(callbacks.work), Sharing("k", False, True, None)
    manager = Manager(store, Never(store))
    first = manager.submit(callback.call(b"{}", sharing))
    store.change(first.job_id, Begin())
    late: list[Receipt] = []
    late_one = threading.Thread(
        target=lambda: late.append(manager.submit(callback.call(b"{}", sharing))), daemon=True
    )
    leave = store.leave

    def slow_leave(job: Job, waiter: str) -> bool:
        last = leave(job, waiter)
        late_one.start()
        time.sleep(0.2)
        return last

    store.leave = slow_leave
    manager.cancel(first.job_id)
    late_one.join(PATIENCE)
    assert [receipt.disposition for receipt in late] == [Disposition.NEW]


def test_a_shared_job_stays_shared_for_longer_than_rows_are_kept(tmp_path: Path) -> None:
    """The worker's heartbeats keep all that belongs to the job from expiring."""
    store = DiskcacheStore(tmp_path / "jobs", retention=1)
    manager = Manager(store, Never(store))
    callback, sharing = callback_of(callbacks.work), Sharing("k", False, True, None)
    manager.submit(callback.call(b"{}", sharing))
    joined = manager.submit(callback.call(b"{}", sharing))
    queued = store.in_flight("k")
    assert queued is not None
    job = store.change(queued.id, Begin())
    assert job is not None
    begun = time.monotonic()
    while time.monotonic() - begun < 1.5:
        assert store.renew(job)
        time.sleep(0.05)
    assert joined.job_id in manager.news({joined.job_id: 0})
    assert manager.submit(callback.call(b"{}", sharing)).disposition is Disposition.JOINED
    store.close()


def test_who_shows_a_job_of_code_knows_it_for_longer_than_rows_are_kept(tmp_path: Path) -> None:
    store = DiskcacheStore(tmp_path / "jobs", retention=1)
    manager = Manager(store, Never(store))
    callback = callback_of(callbacks.work)
    jobs = [manager.submit(callback.call(b"{}")).job_id for _ in range(2)]
    job = store.change(jobs[0], Begin())
    assert job is not None
    shown = [found[0] for job_id in jobs if (found := manager.attach(job_id)) is not None]
    begun = time.monotonic()
    while time.monotonic() - begun < 1.5:
        assert store.renew(job)
        time.sleep(0.05)
    states = [found.state for one in shown if (found := manager.job(one)) is not None]
    assert states == [State.RUNNING, State.QUEUED]
    store.close()


def test_a_shared_job_expires_for_all_who_wait_and_the_next_who_asks_gets_another(
    pool: Manager, tmp_path: Path
) -> None:
    folders = [tmp_path / f"{i}" for i in range(WORKERS)]
    for folder in folders:
        folder.mkdir()
    blockers = [ask(pool, "wait", folder, callbacks.other) for folder in folders]
    wait_until(lambda: all(map(runs, folders)))
    callback = callback_of(callbacks.hurried)
    with given(callback, start_within=2):
        first, second = (ask(pool, "late", tmp_path, callbacks.hurried) for _ in range(2))
    assert (first.disposition, second.disposition) == (Disposition.NEW, Disposition.JOINED)
    # Of one that is late nobody who asks would get anything, whether it was ended yet or not.
    wait_until(lambda: _job(pool, first).is_late(time.time()))
    third = ask(pool, "late", tmp_path, callbacks.hurried)
    assert third.disposition is Disposition.NEW
    assert [ended(pool, r).job.state for r in (first, second, third)] == [State.EXPIRED] * 3
    for folder in folders:
        (folder / "open").touch()
    assert all(ended(pool, r).job.state is State.SUCCEEDED for r in blockers)
    with given(callback, start_within=PATIENCE):
        fourth = ask(pool, "late", tmp_path, callbacks.hurried)
    assert fourth.disposition is Disposition.NEW
    assert value_of(ended(pool, fourth).response) == "late!"
    assert runs(tmp_path) == 1


def _job(manager: Manager, receipt: Receipt) -> Job:
    job = manager.store.load(receipt.job_id)
    assert job is not None
    return job


def test_coalesce_alone_shares_the_job_and_keeps_nothing(pool: Manager, tmp_path: Path) -> None:
    pool.cache_by = None
    try:
        with given(callback_of(callbacks.work), coalesce=True):
            receipts = [ask(pool, "wait", tmp_path) for _ in range(2)]
            (tmp_path / "open").touch()
            assert [value_of(ended(pool, r).response) for r in receipts] == ["wait!"] * 2
            again = ask(pool, "wait", tmp_path)
    finally:
        pool.cache_by = []
    assert [r.disposition.value for r in [*receipts, again]] == ["new", "joined", "new"]
    ended(pool, again)
    assert runs(tmp_path) == 2


def test_coalesce_false_runs_each_and_keeps_the_result(pool: Manager, tmp_path: Path) -> None:
    with given(callback_of(callbacks.work), coalesce=False):
        receipts = [ask(pool, "wait", tmp_path) for _ in range(2)]
        wait_until(lambda: runs(tmp_path) == 2)
        (tmp_path / "open").touch()
        assert [value_of(ended(pool, r).response) for r in receipts] == ["wait!"] * 2
        assert ask(pool, "wait", tmp_path).disposition is Disposition.CACHED
    assert [r.disposition.value for r in receipts] == ["new", "new"]


class Never(InlineExecutor):
    """Takes jobs and leaves them alone."""

    def start(self, job: Job) -> None:
        """Nothing, ever."""


# cache_by functions


def broken() -> Any:
    raise KeyError("no user")


def not_json() -> Any:
    return {1, 2}


@pytest.mark.parametrize(
    "function,words",
    [(broken, "broken .* KeyError: 'no user'"), (not_json, "not_json .* TypeError: .*set")],
    ids=["raises", "not JSON"],
)
def test_a_failing_cache_by_function_is_named_and_no_job_runs(
    function: Any, words: str, manager: Manager, tmp_path: Path
) -> None:
    callback = callback_of(callbacks.work)
    failing = pytest.raises(CacheByFailed, match=f"the cache_by function {words}")
    with given(callback, cache_by=[os.getpid, function]), failing as raised:
        ask(manager, "a", tmp_path)
    assert callback.name in str(raised.value)
    assert runs(tmp_path) == 0


def test_an_app_without_the_class_of_ours_keeps_results_too(
    embedded: Manager, tmp_path: Path
) -> None:
    app: Any = plug(PlainDash(__name__), embedded)

    @app.long_callback(Output("plugged", "children"), Input("in", "value"), Input("in", "path"))
    def plugged(kind: Any, path: str) -> Any:
        return kind

    ended(embedded, ask(embedded, 1, tmp_path, plugged))
    assert ask(embedded, 1, tmp_path, plugged).disposition is Disposition.CACHED


def test_a_function_that_closes_over_another_value_is_another_function(
    embedded: Manager, tmp_path: Path
) -> None:
    def make(factor: int) -> Callable[..., Any]:
        def scaled(kind: Any, path: str) -> Any:
            return kind * factor

        return scaled

    for factor in (2, 3):
        for former in [c for c in registry.all() if c.key == "scaled.children"]:
            registry.remove(former)  # as after a restart with another value
        function = make(factor)
        long_callback(Output("scaled", "children"), Input("in", "value"), Input("in", "path"))(
            function
        )
        receipt = ask(embedded, 5, tmp_path, function)
        assert receipt.disposition is Disposition.NEW
        assert value_of(ended(embedded, receipt).response) == 5 * factor


# Dropping results


def test_clear_drops_the_results_of_one_callback(manager: Manager, tmp_path: Path) -> None:
    for function in (callbacks.work, callbacks.other):
        for kind in ("a", "b"):
            ended(manager, ask(manager, kind, tmp_path, function))
    manager.clear(callbacks.work)
    assert ask(manager, "a", tmp_path, callbacks.other).disposition is Disposition.CACHED
    for kind in ("a", "b"):
        receipt = ask(manager, kind, tmp_path)
        assert receipt.disposition is Disposition.NEW
        ended(manager, receipt)


def test_clear_drops_all_results(manager: Manager, tmp_path: Path) -> None:
    for function in (callbacks.work, callbacks.other):
        ended(manager, ask(manager, "a", tmp_path, function))
    manager.clear()
    for function in (callbacks.work, callbacks.other):
        receipt = ask(manager, "a", tmp_path, function)
        assert receipt.disposition is Disposition.NEW
        ended(manager, receipt)


@pytest.mark.parametrize("function", [callbacks.work, None], ids=["one", "all"])
def test_what_runs_while_results_are_cleared_is_for_nobody_else(
    function: Any, pool: Manager, tmp_path: Path
) -> None:
    """It may work on what is out of date."""
    old = ask(pool, "wait", tmp_path)
    wait_until(lambda: runs(tmp_path) == 1)
    pool.clear(function)
    (tmp_path / "open").touch()
    assert value_of(ended(pool, old).response) == "wait!"
    (tmp_path / "open").unlink()
    new = ask(pool, "wait", tmp_path)
    assert new.disposition is Disposition.NEW
    wait_until(lambda: runs(tmp_path) == 2)
    assert ask(pool, "wait", tmp_path).disposition is Disposition.JOINED
    pool.clear(function)
    assert ask(pool, "wait", tmp_path).disposition is Disposition.NEW
    (tmp_path / "open").touch()
    assert value_of(ended(pool, new).response) == "wait!"


def test_a_result_that_can_not_be_kept_is_a_result_all_the_same(
    store: DiskcacheStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(store, "keep", full)
    manager = Manager(store, InlineExecutor(store), cache_by=[])
    for _ in range(2):
        assert value_of(ended(manager, ask(manager, "a", tmp_path)).response) == "a!"


def test_clear_of_what_is_no_long_callback_says_so(manager: Manager) -> None:
    with pytest.raises(ValueError, match=r"wait_until.* is not the function of a long callback"):
        manager.clear(wait_until)


def rows(store: Any) -> list[str]:
    """The keys of all kept results, straight from SQLite."""
    database = sqlite3.connect(store.directory / "results" / "cache.db")
    found = [key for (key,) in database.execute("SELECT key FROM Cache")]
    database.close()
    return found


def files(store: DiskcacheStore) -> list[Path]:
    """The files of large results: what is not the database."""
    return [p for p in (store.directory / "results").rglob("*.val") if p.is_file()]


def keep(store: DiskcacheStore, key: str, size: int = 10, expire: float | None = None) -> None:
    job = Job(new_job_id(), "out.children", cache_key=key, kept=True, expire=expire)
    store.keep(job, b"x" * size)


@pytest.mark.parametrize("size", [10, MB], ids=["in the database", "in a file"])
def test_expire_counts_from_the_last_use_and_really_deletes(
    size: int, store: DiskcacheStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    keep(store, "used", size, expire=10)
    keep(store, "unused", size, expire=10)
    keep(store, "forever", size)
    for _ in range(5):
        now[0] += 6
        assert store.kept("used", 10) is not None
        store.purge()
    assert sorted(rows(store)) == ["forever", "used"]
    assert len(files(store)) == (2 if size == MB else 0)
    now[0] += 11
    assert store.kept("used", 10) is None
    store.purge()
    assert rows(store) == ["forever"]
    assert len(files(store)) == (1 if size == MB else 0)


def test_after_the_retention_and_the_expiry_nothing_is_left_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DiskcacheStore(tmp_path / "jobs", retention=60)
    manager = Manager(store, InlineExecutor(store), cache_by=[], expire=10)
    for kind in ("a", "props", "raise", {"size": MB}):
        for _ in range(2):
            ask(manager, kind, tmp_path)
    flight = Manager(store, Never(store), cache_by=[])
    asked = [ask(flight, "running", tmp_path) for _ in range(3)]
    for receipt in asked[:2]:
        flight.cancel(receipt.job_id)
    later = time.time() + 60 * WAITING + 1
    monkeypatch.setattr(time, "time", lambda: later)
    store.purge()
    for file, rows_of in (("jobs.db", "rows"), ("jobs.db", "jobs"), ("results/cache.db", "Cache")):
        database = sqlite3.connect(store.directory / file)
        assert database.execute(f"SELECT * FROM {rows_of}").fetchall() == []
        database.close()
    assert list(store.directory.rglob("*.val")) == []
    store.close()


@pytest.mark.parametrize("purge", [False, True], ids=["as it is kept", "at a purge"])
def test_the_least_recently_used_results_go_when_space_is_short(
    purge: bool, tmp_path: Path
) -> None:
    store = DiskcacheStore(tmp_path / "jobs", 600, size_limit=5 * MB + 200_000)
    for number in range(5):
        keep(store, str(number), MB)
        time.sleep(0.002)
    assert store.kept("0", None) is not None
    if purge:  # by another process, whose limit is smaller
        smaller = DiskcacheStore(tmp_path / "jobs", 600, size_limit=3 * MB + 200_000)
        smaller.purge()
        smaller.close()
        assert sorted(rows(store)) == ["0", "3", "4"]
    else:
        keep(store, "5", MB)
        assert sorted(rows(store)) == ["0", "2", "3", "4", "5"]
        keep(store, "too large", 6 * MB)  # it is not worth all others
        assert sorted(rows(store)) == ["0", "2", "3", "4", "5"]
    assert len(files(store)) == len(rows(store))
    store.close()


# Large results, other processes


def click(callback: LongCallback, context: Any, manager: Manager) -> Click:
    app = Dash("clicked", long_callback_manager=manager)
    return Click(callback, context, app, pacing.Capacity(0, 100))


def test_fifty_megabytes_are_kept_and_served_as_they_are(
    pool: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = {"size": 50 * MB}
    callback = callback_of(callbacks.work)
    first = ended(pool, ask(pool, kind, tmp_path))
    assert isinstance(first.response, LargeResult)
    written = first.response.whole()
    assert len(written) > 50 * MB
    loads = json.loads

    def small_only(data: Any, **kwargs: Any) -> Any:
        assert len(data) < MB, "the web process parsed a result"
        return loads(data, **kwargs)

    monkeypatch.setattr(json, "loads", small_only)
    context = context_of(callback, kind, tmp_path)
    answer = click(callback, context, pool).submit()
    assert runs(tmp_path) == 1
    head, _, rest = answer.partition(b',"response":')
    assert rest[: len(written)] == written
    assert loads(head + b"}}")["news"]["ended"]


def test_a_result_that_is_not_even_json_is_passed_on(store: DiskcacheStore) -> None:
    """So it can't have been parsed."""
    manager = Manager(store, InlineExecutor(store), cache_by=[])
    callback = callback_of(callbacks.work)
    context = context_of(callback, "odd", Path("/"))
    sharing = sharing_of(callback, manager, context)
    assert sharing is not None
    odd = b"\x00\xff{{{" * 1000
    store.keep(Job(new_job_id(), callback.key, cache_key=sharing.key, kept=True), odd)
    assert odd in click(callback, context, manager).submit()


def test_results_survive_a_restart(tmp_path: Path) -> None:
    """Another process, another store object, the same directory."""
    code = f"""
import sys
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parent.parent)!r}]
from pathlib import Path
import test_sharing_contract as contract
from dash_long_callback.stores.diskcache import DiskcacheStore
store = DiskcacheStore(Path({str(tmp_path / "jobs")!r}), 600)
manager = contract.Manager(store, contract.InlineExecutor(store), cache_by=[])
for kind in ("a", "props"):
    receipt = contract.ask(manager, kind, Path({str(tmp_path)!r}))
    assert receipt.disposition is contract.Disposition.NEW
manager.stop()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)
    folder = tmp_path / "jobs"
    manager = Manager(store := DiskcacheStore(folder, 600), InlineExecutor(store), cache_by=[])
    for kind in ("a", "props"):
        receipt = ask(manager, kind, tmp_path)
        assert receipt.disposition is Disposition.CACHED
        assert receipt.result is not None
        assert value_of(receipt.result.response) == f"{kind}!"
    assert {target for target, _ in receipt.result.updates} == {("list", "data"), ("a", "children")}
    assert runs(tmp_path) == 2
    manager.stop()
