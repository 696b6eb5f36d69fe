"""Every adapter does what the one in memory does, whatever is asked in whatever order."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any, ClassVar, get_args

import pytest
import stores
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from managers import Services
from stores import having

from dash_long_callback.jobs import State
from dash_long_callback.stores import names
from dash_long_callback.stores.memory import MemoryRows
from dash_long_callback.stores.ports import Batch, Entry, Field, Place, Rows

#: Stores and records know nothing of Dash (see ``tests/unit/test_structure.py``).
pytestmark = pytest.mark.newest_only

#: Seconds that rows are kept here: longer than a test takes, so that clocks do not matter.
KEPT = 3600.0
NAMES = st.sampled_from(["a:x", "a:y", "b:x", ":port"])
VALUES = st.sampled_from([b"", b"1", b"two", b"\x00\xff\n", b"=", b"x" * 5000])
LISTS: list[tuple[Field, str | None]] = [
    ("all", None),
    *(("state", one.value) for one in State),
    *(("callback", value) for value in ("one", "two")),
    *(("owner", value) for value in ("one", "two")),
]
QUEUES = ["", "gpu"]
PLACES = st.builds(
    Place,
    queue=st.sampled_from(QUEUES),
    priority=st.sampled_from([0.0, 0.0, 1.0, 2.5, -1.0]),
    lane=st.sampled_from(["", "", "ann", "bob"]),
    gate=st.sampled_from(["", "", "a", "a:b"]),
    front=st.sampled_from([False, False, True]),
    not_before=st.sampled_from([0.0, 0.0, 0.0, math.inf]),
    stays=st.sampled_from([False, False, True]),
)
SETTINGS = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
OTHERS = [name for name in having() if name != "memory"]


class Machine(RuleBasedStateMachine):
    """One batch after another, to an adapter and to the one in memory."""

    make: ClassVar[Any]
    queued = Bundle("queued")

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.model = type(self).make(), MemoryRows()
        self.ids = (f"job-{n}" for n in itertools.count())
        self.jobs: dict[str, Entry] = {}

    def both(self, batch: Batch) -> bool:
        done = self.rows.apply(batch)
        assert done == self.model.apply(batch)
        return done

    def read(self, *rows: str) -> list[bytes | None]:
        found = self.rows.read(rows)
        assert found == self.model.read(rows)
        return found

    @rule(put=st.dictionaries(NAMES, VALUES), drop=st.lists(NAMES), touch=st.lists(NAMES))
    def change(self, put: dict[str, bytes], drop: list[str], touch: list[str]) -> None:
        kept = {name: (value, KEPT) for name, value in put.items()}
        assert self.both(Batch(put=kept, touch=dict.fromkeys(touch, KEPT), drop=drop))
        self.read("a:x", "a:y", "b:x", ":port")

    @rule(name=NAMES, value=VALUES, new=VALUES)
    def change_if_it_holds(self, name: str, value: bytes, new: bytes) -> None:
        self.both(Batch(expect={name: value}, put={name: (new, KEPT)}))
        self.read(name)

    @rule(name=NAMES, other=NAMES, new=VALUES)
    def change_if_it_is_missing_and_another_as_it_was(
        self, name: str, other: str, new: bytes
    ) -> None:
        (known,) = self.read(other)
        expect = {other: known, name: None}
        self.both(Batch(expect=expect, put={name: (new, KEPT)}, drop=[other]))
        self.read(name, other)

    @rule(
        target=queued,
        callback=st.sampled_from(["one", "two"]),
        owner=st.sampled_from(["one", "two", None]),
        place=PLACES,
        created=st.integers(0, 3),
    )
    def create(
        self,
        callback: str,
        owner: str | None,
        place: Place,
        created: int,
    ) -> str:
        entry = Entry(next(self.ids), State.QUEUED.value, callback, owner, float(created))
        self.jobs[entry.id] = entry
        put = {names.job(entry.id): (b"{}", KEPT)}
        assert self.both(Batch(put=put, entry=entry, place=place, news=entry.id))
        return entry.id

    @rule(job_id=queued, state=st.sampled_from(State), place=st.one_of(st.none(), PLACES))
    def move(self, job_id: str, state: State, place: Place | None) -> None:
        entry = self.jobs[job_id] = self.jobs[job_id]._replace(state=state.value)
        touch = {names.job(job_id): KEPT}
        assert self.both(Batch(touch=touch, entry=entry, place=place))

    @rule(job_id=queued)
    def dequeue(self, job_id: str) -> None:
        assert self.both(Batch(dequeue=job_id))

    @rule()
    def purge(self) -> None:
        self.rows.purge()

    @invariant()
    def the_same_is_next(self) -> None:
        for queue in QUEUES:
            head, expected = self.rows.next_queued(queue), self.model.next_queued(queue)
            assert self.rows.heads(queue) == (self.model.heads(queue) if self.rows.queues else [])
            if head is None or expected is None:
                assert head == expected or not self.rows.queues
            else:
                assert head[:2] == expected[:2]
                assert head.request in (None, expected.request)

    @rule()
    def count_who_is_ahead(self) -> None:
        if self.rows.queues:
            for job_id in self.jobs:
                assert self.rows.ahead(job_id) == self.model.ahead(job_id)
            for queue in QUEUES:
                assert self.rows.waiting(queue) == self.model.waiting(queue)

    @rule(limit=st.integers(1, 4))
    def list_in_pages(self, limit: int) -> None:
        for by, value in LISTS:
            whole = self.model.list(by, value, 1000)
            assert pages(self.rows, by, value, limit) == whole
            assert self.rows.count(by, value) == len(whole)


def pages(rows: Rows, by: Field, value: str | None, limit: int) -> list[Any]:
    """A whole list, page by page."""
    found: list[Any] = []
    while page := rows.list(by, value, limit, found[-1] if found else None):
        assert len(page) <= limit
        found += page
    return found


@pytest.mark.parametrize("name", OTHERS)
def test_an_adapter_does_what_the_one_in_memory_does(
    name: str, tmp_path: Path, services: Services
) -> None:
    opened: list[Rows] = []
    numbers = itertools.count()

    def make() -> Rows:
        opened.append(stores.place(name, tmp_path / f"{next(numbers)}", services).open().rows)
        return opened[-1]

    members: dict[str, Any] = {"make": staticmethod(make)}
    if name not in having(listed=True):
        members["list_in_pages"] = None
    run_state_machine_as_test(type("OfAdapter", (Machine,), members), settings=SETTINGS)
    for rows in opened:
        rows.close()


def test_the_lists_here_are_all_that_there_are() -> None:
    assert {by for by, _ in LISTS} == set(get_args(Field))
