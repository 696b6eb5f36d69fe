# pyright: reportPrivateUsage=false
from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dash_long_callback.server.pacing import (
    HOLDS,
    HOLDS_DEVELOPMENT,
    PACE_MAX,
    PACE_MIN,
    PACE_RATIO,
    Holds,
    pace,
    room,
)

THREADED = {"wsgi.multithread": True, "SERVER_SOFTWARE": "gunicorn/23"}
DEVELOPMENT = {"wsgi.multithread": True, "SERVER_SOFTWARE": "Werkzeug/3"}

ages = st.floats(-10, 1e9)


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


@pytest.mark.parametrize("environ", [{}, {"wsgi.multithread": False}])
def test_a_server_with_one_thread_holds_nothing(environ: dict[str, object]) -> None:
    with Holds().hold("tab", room(environ)) as hold:
        assert hold is None


def test_a_threaded_server_holds_a_request() -> None:
    with Holds().hold("tab", room(THREADED)) as hold:
        assert hold is not None
        assert hold.wanted


@pytest.mark.parametrize("environ,places", [(THREADED, HOLDS), (DEVELOPMENT, HOLDS_DEVELOPMENT)])
def test_a_server_holds_as_many_as_it_has_room_for(environ: dict[str, object], places: int) -> None:
    holds = Holds()
    managers = [holds.hold(f"tab{i}", room(environ)) for i in range(places)]
    assert all(m.__enter__() is not None for m in managers)
    with holds.hold("one more", room(environ)) as hold:
        assert hold is None
    managers[0].__exit__(None, None, None)
    with holds.hold("one more", room(environ)) as hold:
        assert hold is not None
    for manager in managers[1:]:
        manager.__exit__(None, None, None)


def test_a_new_request_of_a_tab_ends_the_older_one() -> None:
    holds = Holds()
    with holds.hold("tab", room(THREADED)) as old, holds.hold("tab", room(THREADED)) as new:
        assert old is not None
        assert new is not None
        assert not old.wanted
        assert new.wanted


def test_the_end_of_a_replaced_request_leaves_the_newer_one_its_place() -> None:
    holds = Holds()
    older = holds.hold("tab", room(THREADED))
    older.__enter__()
    with holds.hold("tab", room(THREADED)) as newer:
        older.__exit__(None, None, None)
        assert newer is not None
        assert newer.wanted


def test_another_tab_ends_nothing() -> None:
    holds = Holds()
    with holds.hold("one", room(THREADED)) as one, holds.hold("other", room(THREADED)) as other:
        assert one is not None
        assert other is not None
        assert one.wanted
        assert other.wanted


def test_a_request_of_a_tab_ends_the_older_one_also_where_it_is_not_held_itself() -> None:
    holds = Holds()
    with (
        holds.hold("tab", room(THREADED)) as old,
        holds.hold("tab", room({"wsgi.multithread": False})) as new,
    ):
        assert old is not None
        assert new is None
        assert not old.wanted


def test_an_error_while_holding_gives_the_place_back() -> None:
    holds = Holds()

    def fail() -> None:
        with holds.hold("tab", room(THREADED)) as hold:
            assert hold is not None
            raise KeyError

    for _ in range(HOLDS + 1):
        with pytest.raises(KeyError):
            fail()
    assert holds._tabs == {}


def test_many_threads_get_no_more_places_than_there_are() -> None:
    holds = Holds()
    meet, count = threading.Barrier(16), 0
    lock, leave = threading.Lock(), threading.Barrier(16)

    def ask(number: int) -> None:
        nonlocal count
        meet.wait(10)
        with holds.hold(f"tab{number}", room(THREADED)) as hold:
            with lock:
                count += hold is not None
            leave.wait(10)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count == HOLDS
    assert holds._tabs == {}
