from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from changes import changed
from hypothesis import given
from hypothesis import strategies as st

from dash_long_callback.jobs import (
    Begin,
    Cancel,
    Cancelled,
    End,
    Event,
    Failed,
    Finish,
    Handle,
    Job,
    Lost,
    Requeue,
    Resend,
    State,
    Succeeded,
    Target,
    new_job_id,
    transition,
)


def job(state: State = State.RUNNING) -> Job:
    return Job("id", "out.children", state=state)


def test_each_put_gets_the_next_sequence_number() -> None:
    record = job()
    assert [record.put(i, patch=False)[0] for i in range(3)] == [1, 2, 3]
    assert record.seq == 3


def test_a_value_replaces_the_earlier_one_of_its_target_only() -> None:
    record = job()
    record.put(0, patch=False)
    record.put(1, patch=False)
    slot, stale = record.put(0, patch=False)
    assert (slot, stale) == (3, [1])
    assert [(n, s.target) for n, s in record.since(0)] == [(2, 1), (3, 0)]


def test_patches_are_kept_in_order_behind_what_they_patch() -> None:
    record = job()
    target = ("list", "children")
    record.put(target, patch=False)
    assert record.put(target, patch=True) == (2, [])
    assert record.put(target, patch=True) == (3, [])
    assert [(n, s.patch) for n, s in record.since(0)] == [(1, False), (2, True), (3, True)]


def test_a_value_replaces_the_patches_before_it() -> None:
    record = job()
    target = ("list", "children")
    record.put(target, patch=True)
    record.put(target, patch=True)
    assert record.put(target, patch=False) == (3, [1, 2])
    assert [n for n, _ in record.since(0)] == [3]


def test_since_leaves_out_what_a_client_has_seen() -> None:
    record = job()
    for target in range(4):
        record.put(target, patch=False)
    assert [n for n, _ in record.since(2)] == [3, 4]
    assert record.since(4) == []


def test_asking_what_is_new_changes_nothing() -> None:
    record = job()
    record.put(0, patch=False)
    before = record.dump()
    assert record.since(0) == record.since(0)
    assert record.dump() == before


def test_a_slot_number_is_never_used_again() -> None:
    record = job()
    numbers = [record.put(0, patch=False)[0] for _ in range(5)]
    assert len(set(numbers)) == 5
    assert list(record.slots) == [5]


targets: st.SearchStrategy[Target] = st.one_of(
    st.integers(0, 2), st.tuples(st.sampled_from(["a", '{"type":"x"}']), st.sampled_from("pq"))
)
puts = st.lists(st.tuples(targets, st.booleans()), max_size=30)


@given(puts)
def test_a_record_comes_back_from_json_as_it_was(sequence: list[tuple[Target, bool]]) -> None:
    record = Job(new_job_id(), "..a.b...c.d..", interval=0.5)
    record = changed(record, Begin())
    for target, patch in sequence:
        record.put(target, patch=patch)
    assert Job.load(record.dump(), record.id) == record
    record = changed(record, End(Failed("E", "☃ </script>", "tb")))
    assert Job.load(record.dump(), record.id) == record


def test_a_record_is_plain_json() -> None:
    record = job()
    record.put(("a", "b"), patch=True)
    assert json.loads(record.dump())["slots"] == [[1, ["a", "b"], True]]


def test_fields_of_a_newer_version_are_kept_and_ignored() -> None:
    newer = {**json.loads(job().dump()), "color": "red"}
    record = Job.load(json.dumps(newer).encode(), newer["id"])
    assert record.state is State.RUNNING
    record = changed(record, End(Cancelled()))
    assert json.loads(record.dump())["color"] == "red"
    assert replace(record, seq=7).unknown == {"color": "red"}


def test_a_state_of_a_newer_version_is_that_version_s_to_change() -> None:
    newer = {**json.loads(job().dump()), "state": "asleep"}
    record = Job.load(json.dumps(newer).encode(), newer["id"])
    assert not record.state.ended
    for event in (Begin(), Cancel(), End(Cancelled()), End(Failed("E", "words"))):
        assert transition(record, event, 1.0) is None
    assert json.loads(record.dump())["state"] == "asleep"


def test_an_end_that_only_a_newer_version_knows_is_an_end() -> None:
    newer = {**json.loads(job().dump()), "state": "forgotten", "ended": 1.0}
    record = Job.load(json.dumps(newer).encode(), "id")
    assert record.state is State.FAILED
    assert "another version" in str(record.error)


@pytest.mark.parametrize(
    "over, handler", [({}, False), ({"handed_over": True}, True), ({"handling": True}, True)]
)
def test_a_record_of_the_first_schema_is_read(over: dict[str, bool], handler: bool) -> None:
    first = json.loads(job().dump())
    del first["schema"]
    names = {"handed_over": False, "handling": False, "handed_over_at": None, "resent": 2, **over}
    read = Job.load(json.dumps({**first, **names}).encode(), "id")
    assert (read.state, read.handler, read.resends) == (State.RUNNING, handler, 2)
    assert read.unknown == {}
    assert Job.load(read.dump(), "id") == read


EVENTS: list[Event] = [
    Begin(),
    Finish(Succeeded(b"{}"), 0),
    End(Failed("E", "words")),
    Cancel(),
    Requeue(0, begun=True),
    Handle(Lost("words")),
    Resend(0, 0),
]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@pytest.mark.parametrize(
    "slots", [[[-1, 0, False]], [[0, 0, False]], [[1, False, False]], [[1, None, False]]]
)
def test_slots_that_no_version_writes_can_not_be_read(slots: Any) -> None:
    record = {**json.loads(job().dump()), "slots": slots}
    read = Job.load(json.dumps(record).encode(), record["id"])
    assert read.error is not None
    assert read.error["type"] == "JobUnreadable"


@given(st.binary(max_size=80), json_values, st.data())
def test_a_record_that_cannot_be_read_is_that_of_a_job_that_has_failed(
    rubbish: bytes, value: Any, data: st.DataObject
) -> None:
    record = json.loads(job().dump())
    # Those at their default, too, which are left out.
    field = data.draw(st.sampled_from([one.name for one in fields(Job)]))
    for row in (rubbish, json.dumps(value).encode(), json.dumps({**record, field: value}).encode()):
        read = Job.load(row, record["id"])
        assert read.id == record["id"]
        if read.error is not None and read.error.get("type") == "JobUnreadable":
            assert read.state is State.FAILED
            assert "can't be read" in read.error["message"]
            assert read.seq > 2**52
        # what everybody does with a record
        assert read.since(-1) == sorted(read.slots.items())
        assert read.dump()
        for event in EVENTS:
            change = transition(read, event, 1.0)
            if change is not None:
                assert Job.load(change.job.dump(), read.id) == change.job


class Screen:
    """A page: a plain value sets, a patch appends."""

    def __init__(self) -> None:
        self.shown: dict[Target, list[int]] = {}

    def apply(self, target: Target, value: int, *, patch: bool) -> None:
        before = self.shown.get(target, []) if patch else []
        self.shown[target] = [*before, value]


@given(puts, st.data())
def test_reading_in_any_steps_shows_what_applying_all_in_order_shows(
    sequence: list[tuple[Target, bool]], data: st.DataObject
) -> None:
    record, rows = job(), dict[int, int]()
    truth, page = Screen(), Screen()
    seen = 0

    def read() -> int:
        for number, slot in record.since(seen):
            page.apply(slot.target, rows[number], patch=slot.patch)
        return record.seq

    for value, (target, patch) in enumerate(sequence):
        truth.apply(target, value, patch=patch)
        number, stale = record.put(target, patch=patch)
        rows[number] = value
        for old in stale:
            del rows[old]
        if data.draw(st.booleans()):
            record = Job.load(record.dump(), record.id)
            seen = read()
    read()
    assert page.shown == truth.shown
    assert set(rows) == set(record.slots)


def test_plain_values_take_room_for_the_latest_only() -> None:
    record = job()
    for _ in range(1000):
        record.put(0, patch=False)
        record.put(("a", "b"), patch=False)
    assert len(record.slots) == 2


def test_job_ids_are_long_random_and_fit_into_a_url() -> None:
    ids = {new_job_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(i) == 32 and i.replace("-", "").replace("_", "").isalnum() for i in ids)
