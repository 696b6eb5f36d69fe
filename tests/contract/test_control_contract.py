"""When jobs begin: limits, rates, priorities and turns, with real workers of each engine."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import contract_callbacks
import pytest
from managers import PATIENCE, WORKERS, Services, local, opened, wait_until
from test_manager_contract import all_ended, callback_of, ended, request_of, result

from dash_long_callback.errors import JobNotFound, LimitReached
from dash_long_callback.jobs import Job, State, new_job_id
from dash_long_callback.managers import positions
from dash_long_callback.managers.base import Manager
from dash_long_callback.managers.following import Following


class Jobs:
    """Jobs whose functions wait until they are let go.

    Args:
        pool: runs them.
        folder: where they tell that they have begun.
    """

    def __init__(self, pool: Manager, folder: Path) -> None:
        self.pool = pool
        self.folder = folder
        self.ids: dict[str, str] = {}
        self.key = new_job_id()  # stores are shared by tests

    def submit(self, name: str, **fields: Any) -> str:
        callback = callback_of(contract_callbacks.wait)
        call = callback.call(request_of(callback, name, self.folder))
        for bounds in ("limits", "rates"):
            if bounds in fields:
                fields[bounds] = [[f"{self.key}-{key}", *rest] for key, *rest in fields[bounds]]
        call = replace(call, job=call.job.changed(**fields))
        self.ids[name] = self.pool.submit(call).job_id
        return self.ids[name]

    def fill(self) -> list[str]:
        """Have a job in each worker."""
        names = [f"worker-{n}" for n in range(WORKERS)]
        for name in names:
            self.submit(name)
        wait_until(lambda: set(names) <= self.begun())
        return names

    def let_go(self, *names: str) -> None:
        for name in names:
            (self.folder / f"open-{name}").touch()

    def begun(self) -> set[str]:
        return {path.name.removeprefix("begun-") for path in self.folder.glob("begun-*")}

    def job(self, name: str) -> Job:
        found = self.pool.store.load(self.ids[name])
        assert found is not None
        return found

    def ended(self, *names: str) -> list[str]:
        """These jobs, once all have succeeded, in the order in which they have begun."""
        ids = {self.ids[name]: 0 for name in names}
        found = self.pool.wait(ids, PATIENCE, all_ended)
        assert {result(found[job_id]) for job_id in ids} == set(names)
        return sorted(names, key=lambda name: self.job(name).started or 0)


@pytest.fixture
def jobs(pool: Manager, tmp_path: Path) -> Jobs:
    return Jobs(pool, tmp_path)


def test_a_limit_has_jobs_wait_in_the_queue_and_lets_others_pass(jobs: Jobs) -> None:
    one = [["one", 1]]
    for name in ("first", "second", "third"):
        jobs.submit(name, limits=one)
    jobs.submit("free")
    wait_until(lambda: jobs.begun() == {"first", "free"})
    jobs.let_go("free", "second", "third")
    ended(jobs.pool, jobs.ids["free"])
    assert jobs.begun() == {"first", "free"}  # a worker has nothing to do, and they wait
    assert jobs.job("second").state is State.QUEUED
    jobs.let_go("first")
    assert jobs.ended("first", "second", "third") == ["first", "second", "third"]
    starts = [jobs.job(name) for name in ("first", "second", "third")]
    assert all((later.started or 0) >= (before.ended or 0) for before, later in pairwise(starts))


def test_a_worker_that_is_killed_leaves_its_place(jobs: Jobs) -> None:
    one = [["one", 1]]
    jobs.submit("first", limits=one)
    jobs.submit("second", limits=one)
    wait_until(lambda: jobs.begun() == {"first"})
    wait_until((jobs.folder / "begun-first").read_text)
    os.kill(int((jobs.folder / "begun-first").read_text()), signal.SIGKILL)
    jobs.let_go("second")
    assert jobs.ended("second") == ["second"]
    assert ended(jobs.pool, jobs.ids["first"]).job.state is State.LOST


def test_a_job_that_waits_for_its_limit_is_cancelled_at_once(jobs: Jobs) -> None:
    jobs.submit("first", limits=[["one", 1]])
    jobs.submit("second", limits=[["one", 1]])
    wait_until(lambda: jobs.begun() == {"first"})
    jobs.pool.cancel(jobs.ids["second"])
    assert jobs.job("second").state is State.CANCELLED
    jobs.let_go("first")
    jobs.ended("first")
    assert jobs.begun() == {"first"}


def test_a_job_that_does_not_wait_is_refused_until_there_is_room(jobs: Jobs) -> None:
    fields = {"limits": [["one", 1]], "reserves": True}
    jobs.submit("first", **fields)
    with pytest.raises(LimitReached, match="as its limits allow"):
        jobs.submit("second", **fields)
    jobs.let_go("first", "third")
    jobs.ended("first")
    jobs.submit("third", **fields)
    assert jobs.ended("third") == ["third"]


def test_a_rate_spreads_the_starts(jobs: Jobs) -> None:
    names = [f"{n}" for n in range(5)]
    jobs.let_go(*names)
    for name in names:
        jobs.submit(name, rates=[["two in a second", 2, 1.0]])
    assert jobs.ended(*names) == names
    starts = [jobs.job(name).started or 0 for name in names]
    assert all(later - before >= 1.0 for before, later in zip(starts, starts[2:], strict=False))


def test_urgent_jobs_come_first_and_users_take_turns(jobs: Jobs) -> None:
    first, other = jobs.fill()
    for n in range(4):
        jobs.submit(f"ann-{n}", owner="ann")
    jobs.submit("bob-0", owner="bob")
    jobs.submit("later", owner="bob", priority=-1.0)
    jobs.submit("urgent", owner="ann", priority=2.5)
    names = ["urgent", "ann-0", "bob-0", "ann-1", "ann-2", "ann-3", "later"]
    jobs.let_go(*names, first)  # one worker does it all
    wait_until(lambda: all(jobs.job(name).state is State.SUCCEEDED for name in names))
    assert sorted(names, key=lambda name: jobs.job(name).started or 0) == names
    jobs.let_go(other)
    jobs.ended(first, other)


def test_many_jobs_of_few_keys_never_run_at_once_more_than_they_may(jobs: Jobs) -> None:
    names = [f"{n}" for n in range(24)]
    jobs.let_go(*names)
    for n, name in enumerate(names):
        jobs.submit(name, limits=[[f"key {n % 3}", 1], ["all", WORKERS]])
    jobs.ended(*names)
    for key in range(3):
        spans = sorted(
            (jobs.job(name).started or 0, jobs.job(name).ended or 0)
            for n, name in enumerate(names)
            if n % 3 == key
        )
        assert all(later[0] >= before[1] for before, later in pairwise(spans))


def test_who_follows_a_job_that_waits_hears_how_many_are_ahead(jobs: Jobs) -> None:
    pool = jobs.pool
    filling = jobs.fill()
    for name in ("a", "b", "c"):
        jobs.submit(name)
    last = jobs.ids["c"]
    assert [pool.position(jobs.ids[name]).ahead for name in "abc"] == [0, 1, 2]  # pyright: ignore[reportOptionalMemberAccess]
    assert pool.position(jobs.ids[filling[0]]) is None  # it runs
    with pytest.raises(JobNotFound):
        pool.position("unknown")
    told = pool.position(last).told  # pyright: ignore[reportOptionalMemberAccess]
    with Following({pool: {last: jobs.job("c").seq}}, ahead={last: told}) as following:
        assert not following.fresh(following.wait(1.5, following.fresh))  # nothing has changed
        pool.cancel(jobs.ids["a"])
        news = following.news(following.wait(PATIENCE, following.fresh))
        assert news[last].position.ahead == 1  # pyright: ignore[reportOptionalMemberAccess]
        following.see(news)
        jobs.let_go("b", "c", *filling)
        jobs.ended("b", "c", *filling)
    assert pool.position(last) is None


def test_a_wait_is_estimated_from_what_such_jobs_have_taken(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = jobs.pool
    monkeypatch.setattr(positions, "RECENT_SECONDS", 0.0)
    monkeypatch.setattr(pool._positions, "_recent", (0.0, []))  # what others have left
    monkeypatch.setattr(positions, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(positions, "RECENT", 2)
    for n in range(2):
        jobs.submit(f"{n}")
    wait_until(lambda: jobs.begun() == {"0", "1"})
    time.sleep(1.0)
    jobs.let_go("0", "1")
    jobs.ended("0", "1")
    took = (
        sum((jobs.job(f"{n}").ended or 0) - (jobs.job(f"{n}").started or 0) for n in range(2)) / 2
    )
    filling = jobs.fill()
    waiting = [jobs.submit(f"waits {n}") for n in range(3)]
    limited = jobs.submit("limited", limits=[["one", 1]])
    jobs.submit("limited, too", limits=[["one", 1]])
    found = [pool.position(job_id) for job_id in [*waiting, limited, jobs.ids["limited, too"]]]
    seconds = [one.seconds for one in found if one is not None and one.seconds is not None]
    expected = [0.25 * took, 0.75 * took, 1.25 * took, 1.75 * took, 2.25 * took]
    assert seconds == pytest.approx(expected, rel=0.01)
    names = ["waits 0", "waits 1", "waits 2", "limited", "limited, too"]
    jobs.let_go(*filling, *names)
    jobs.ended(*filling, *names)


def test_what_waits_has_its_order_and_its_limits_after_a_restart(
    tmp_path: Path, services: Services
) -> None:
    folder, one = tmp_path / "jobs", [["one", 1]]
    (tmp_path / "before").mkdir()
    with opened(local, folder, services) as before:
        jobs = Jobs(before.manager, tmp_path / "before")
        jobs.fill()
        jobs.folder = tmp_path
        jobs.submit("limited", limits=one)
        jobs.submit("limited, too", limits=one, priority=2.0)
        for n in range(2):
            jobs.submit(f"ann-{n}", owner="ann", priority=1.0)
        jobs.submit("bob", owner="bob", priority=1.0)
    with opened(local, folder, services) as after:
        after.manager.ensure_running()
        jobs.pool = after.manager
        wait_until(lambda: jobs.begun() == {"limited, too", "ann-0"})
        jobs.let_go("ann-0", "bob", "ann-1")
        wait_until(lambda: jobs.job("ann-1").state is State.SUCCEEDED)
        assert jobs.begun() == {"limited, too", "ann-0", "bob", "ann-1"}
        assert (jobs.job("bob").started or 0) < (jobs.job("ann-1").started or 0)
        jobs.let_go("limited", "limited, too")
        assert jobs.ended("limited", "limited, too") == ["limited, too", "limited"]
