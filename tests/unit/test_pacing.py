# pyright: reportPrivateUsage=false
from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dash_long_callback import Pacing, RegistrationError
from dash_long_callback.managers.following import Following
from dash_long_callback.server import pacing as pacing_module
from dash_long_callback.server.pacing import (
    HOLDS_ASYNC,
    HOLDS_DEVELOPMENT,
    HOLDS_THREADS,
    PACE_MAX,
    PACE_MIN,
    PACE_RATIO,
    SUBMIT_SAVED,
    SUBMIT_SHARE,
    TURN_MAX,
    Capacity,
    Pacer,
    pace,
)

THREADED = {"wsgi.multithread": True, "SERVER_SOFTWARE": "gunicorn/23"}
DEVELOPMENT = {"wsgi.multithread": True, "SERVER_SOFTWARE": "Werkzeug/3"}
FREE, FULL = Capacity(2, 100), Capacity(0, 100)

ages = st.floats(-10, 1e9)


@pytest.fixture
def pacer() -> Pacer:
    return Pacer(Pacing())


@contextmanager
def hold(pacer: Pacer, tab: str, capacity: Capacity = FREE) -> Generator[Any]:
    """A request that waits; None if it may not."""
    request = Following({})
    with pacer.hold(tab, request, capacity):
        yield request if request.waits else None


# The pace of those who are not held


@given(ages)
def test_the_pace_has_bounds(age: float) -> None:
    assert PACE_MIN <= pace(age, None) <= PACE_MAX


@given(ages, ages)
def test_an_older_job_is_never_asked_about_more_often(one: float, other: float) -> None:
    younger, older = sorted((one, other))
    assert pace(younger, None) <= pace(older, None)


@given(st.floats(PACE_MIN / PACE_RATIO, 1e9))
def test_a_client_waits_a_small_part_of_the_job_s_age_at_most(age: float) -> None:
    assert pace(age, None) <= PACE_RATIO * age + 1e-9


@given(ages, st.floats(0.001, 100))
def test_the_interval_is_an_upper_bound(age: float, interval: float) -> None:
    assert 0 < pace(age, interval) <= min(interval, PACE_MAX)


def test_the_pace_of_a_young_a_middle_and_an_old_job() -> None:
    assert [pace(age, None) for age in (0.0, 2.0, 3600.0)] == [PACE_MIN, 0.3, PACE_MAX]


# The rate of all together


def test_a_few_clients_come_when_they_like(pacer: Pacer) -> None:
    assert pacer.after(0, FREE, ["one"]) == 0
    assert pacer.after(0.5, FREE, ["other"]) == 0.5


@given(st.lists(st.floats(0, 2), min_size=50, max_size=200), st.floats(1, 1000))
def test_many_clients_come_one_after_the_other(wanted: list[float], rate: float) -> None:
    pacer, capacity = Pacer(Pacing()), Capacity(0, rate)
    begun = time.monotonic()
    comes = sorted(
        time.monotonic() - begun + pacer.after(w, capacity, [str(n)]) for n, w in enumerate(wanted)
    )
    assert comes[-1] >= min((len(wanted) - 1) / rate, TURN_MAX) - 0.1
    assert all(0 <= after <= TURN_MAX + 0.1 for after in comes)


def test_when_nobody_came_for_a_while_nobody_waits_for_that_time(pacer: Pacer) -> None:
    for _ in range(20):
        pacer.after(0, Capacity(0, 1000), ["one"])
    time.sleep(0.05)
    assert pacer.after(0, Capacity(0, 1000), ["one"]) == 0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be changed by the test."""
    now = [1000.0]
    monkeypatch.setattr(pacing_module.time, "monotonic", lambda: now[0])
    return now


def test_a_client_that_does_not_wait_for_its_turn_delays_nobody(
    pacer: Pacer, clock: list[float]
) -> None:
    capacity, told = Capacity(0, 100), list[float]()
    for number in range(60_000):  # a minute of a thousand questions a second
        assert pacer.after(0, capacity, ["impatient"]) <= 2 / capacity.rate + 1e-6
        if number % 1000 == 0:
            told.append(pacer.after(0, capacity, ["patient"]))
        clock[0] += 0.001
    assert max(told) <= 3 / capacity.rate


def test_who_asks_early_is_told_the_turn_that_it_has(pacer: Pacer, clock: list[float]) -> None:
    capacity = Capacity(0, 1)
    turns = [pacer.after(0, capacity, [name]) for name in ("a", "b", "c")]
    assert turns == [0, 1, 2]
    clock[0] += 0.5
    assert pacer.after(0, capacity, ["c", "new"]) == 1.5, "a job more is no other client"
    assert pacer.after(0, capacity, ["d"]) == 2.5, "and no turn more"
    assert pacer.after(5, capacity, ["c"]) == 5, "who wants to come later may"


def test_a_crowd_is_slow_but_nobody_is_sent_away_for_long(
    pacer: Pacer, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing_module, "TURNS_MAX", 500)
    for number in range(20_000):
        assert pacer.after(0, Capacity(0, 100), [f"forged {number}"]) <= TURN_MAX
        assert len(pacer._turns) <= 500
    assert pacer.after(0, Capacity(0, 100), ["honest"]) <= TURN_MAX
    clock[0] += TURN_MAX + 1
    assert pacer.after(0, Capacity(0, 100), ["honest"]) == 0


# Clicks


def test_a_click_now_and_then_may_wait(pacer: Pacer) -> None:
    for capacity in (Capacity(64, 100), Capacity(0, 100, scarce=True)):
        with pacer.submit(capacity) as seconds:
            assert seconds == pacer.pacing.submit


def test_many_clicks_that_wait_leave_the_threads_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(pacing_module.time, "monotonic", lambda: now)
    pacer = Pacer(Pacing())
    waited = 0.0
    for _ in range(1000):
        with pacer.submit(Capacity(2, 100, scarce=True)) as seconds:
            now += seconds  # each of them waits for as long as it may
            waited += seconds
        now += 0.01  # and then comes the next
    assert waited <= SUBMIT_SAVED + SUBMIT_SHARE * now + 0.1
    now += 10
    with pacer.submit(Capacity(2, 100, scarce=True)) as seconds:
        assert seconds == pacer.pacing.submit, "again, when it is calm"


# Places


@pytest.mark.parametrize("environ", [{}, {"wsgi.multithread": False}])
def test_a_server_with_one_thread_holds_nothing(environ: dict[str, object], pacer: Pacer) -> None:
    with hold(pacer, "tab", pacer.capacity_wsgi(environ)) as held:
        assert held is None


@pytest.mark.parametrize(
    "environ,places", [(THREADED, HOLDS_THREADS), (DEVELOPMENT, HOLDS_DEVELOPMENT)]
)
def test_a_server_holds_as_many_as_its_capacity_allows(
    environ: dict[str, object], places: int, pacer: Pacer
) -> None:
    capacity = pacer.capacity_wsgi(environ)
    with ExitStack() as stack:
        first = stack.enter_context(ExitStack())
        assert first.enter_context(hold(pacer, "tab0", capacity)) is not None
        for i in range(1, places):
            assert stack.enter_context(hold(pacer, f"tab{i}", capacity)) is not None
        with hold(pacer, "one more", capacity) as held:
            assert held is None
        first.close()
        with hold(pacer, "one more", capacity) as held:
            assert held is not None


def test_what_a_server_can_do_may_be_said(pacer: Pacer) -> None:
    assert pacer.capacity_asgi().holds == HOLDS_ASYNC
    mine = Pacer(Pacing(holds=7, rate=9))
    assert mine.capacity_asgi() == mine.capacity_wsgi(DEVELOPMENT) == Capacity(7, 9)
    assert mine.capacity_wsgi(THREADED) == Capacity(7, 9, scarce=True)
    assert mine.capacity_wsgi({}) == Capacity(0, 9, scarce=True)


@pytest.mark.parametrize(
    "wrong", [{"hold": -1}, {"rate": 0}, {"holds": "many"}, {"submit": None}, {"hidden": True}]
)
def test_a_wrong_value_is_said_in_words(wrong: dict[str, Any]) -> None:
    with pytest.raises(RegistrationError, match=rf"Pacing: {next(iter(wrong))}=.* must be a"):
        Pacing(**wrong)


def test_a_new_request_of_a_tab_ends_the_older_one(pacer: Pacer) -> None:
    with hold(pacer, "tab") as old, hold(pacer, "tab") as new:
        assert new.waits
        assert not old.waits
        assert old.waker.wait(0), "whoever waits is told at once"


def test_the_end_of_a_replaced_request_leaves_the_newer_one_its_place(pacer: Pacer) -> None:
    older = hold(pacer, "tab")
    older.__enter__()
    with hold(pacer, "tab") as newer:
        older.__exit__(None, None, None)
        assert newer.waits
        assert pacer._tabs == {"tab": newer}


def test_another_tab_ends_nothing(pacer: Pacer) -> None:
    with hold(pacer, "one") as one, hold(pacer, "other") as other:
        assert one.waits
        assert other.waits


def test_a_request_of_a_tab_ends_the_older_one_also_where_it_is_not_held_itself(
    pacer: Pacer,
) -> None:
    with hold(pacer, "tab") as old, hold(pacer, "tab", FULL) as new:
        assert new is None
        assert not old.waits


def test_an_error_while_holding_gives_the_place_back(pacer: Pacer) -> None:
    def fail() -> None:
        with hold(pacer, "tab") as held:
            assert held is not None
            raise KeyError

    for _ in range(FREE.holds + 1):
        with pytest.raises(KeyError):
            fail()
    assert pacer._tabs == {}


def test_a_server_that_ends_answers_those_who_wait_and_holds_nobody_more(pacer: Pacer) -> None:
    with hold(pacer, "tab") as held:
        pacer.end()
        assert not held.waits
    with hold(pacer, "tab") as held:
        assert held is None


def test_many_threads_get_no_more_places_than_there_are(pacer: Pacer) -> None:
    meet, count = threading.Barrier(16), 0
    lock, leave = threading.Lock(), threading.Barrier(16)

    def ask(number: int) -> None:
        nonlocal count
        meet.wait(10)
        with hold(pacer, f"tab{number}") as held:
            with lock:
                count += held is not None
            leave.wait(10)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count == FREE.holds
    assert pacer._tabs == {}
