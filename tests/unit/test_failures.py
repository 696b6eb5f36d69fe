from __future__ import annotations

import json
from typing import Any

import pytest
from changes import changed

from dash_long_callback.jobs import End, Failed, Job, Lost, State, TimedOut, ref_of
from dash_long_callback.server.failures import SENTENCES, failure

SECRET = "postgresql://admin:1234@db.internal"


def ended(outcome: Failed | Lost | TimedOut) -> Job:
    job = changed(Job("id", "out.children", state=State.RUNNING), End(outcome))
    return Job.load(job.dump(), "id")


@pytest.mark.parametrize(
    "outcome, kind",
    [
        (Failed("OperationalError", SECRET, SECRET), "failed"),
        (Failed("NotPickleable", SECRET, "", "unavailable"), "unavailable"),
        (Failed("StoreError", SECRET, "", "refused"), "refused"),
        (Failed("StoreError", SECRET, "", "not_stored"), "not_stored"),
        (Lost(SECRET), "lost"),
        (Lost(SECRET, "stopped"), "stopped"),
        (Lost(SECRET, "unavailable"), "unavailable"),
        (TimedOut(SECRET), "timed_out"),
    ],
)
def test_a_page_is_told_a_sentence_and_the_number_of_the_job(outcome: Any, kind: str) -> None:
    told = failure(ended(outcome), details=False)
    ref = ref_of("id")
    assert told == {
        "kind": kind,
        "message": SENTENCES[kind].format(ref=ref),
        "user": False,
        "ref": ref,
    }
    assert ref in told["message"]
    assert failure(ended(outcome), details=True)["message"] == SECRET


def test_the_words_of_a_user_error_are_told_as_they_are() -> None:
    job = ended(Failed("NoSales", "No sales <b>in May</b>. {ref}", "Traceback", user=True))
    told = failure(job, details=False)
    assert (told["message"], told["user"]) == ("No sales <b>in May</b>. {ref}", True)
    assert "traceback" not in failure(job, details=True)


def test_a_user_error_without_words_is_told_as_any_other() -> None:
    told = failure(ended(Failed("UserError", "  ", "", user=True)), details=False)
    assert (told["message"], told["user"]) == (SENTENCES["failed"].format(ref=told["ref"]), False)


@pytest.mark.parametrize(
    "error",
    [
        {"type": "ValueError", "message": SECRET, "traceback": SECRET},  # of an older version
        {"type": "X", "message": SECRET, "kind": "of a newer version"},
        {"type": "X", "message": SECRET, "kind": ["failed"]},
        {"type": "X", "message": SECRET, "user": "yes"},
        {"type": ["X"], "message": {"text": SECRET}, "user": 1},
        {},
        None,
    ],
)
def test_a_record_that_is_not_as_expected_tells_nothing(error: Any) -> None:
    record = json.loads(ended(Failed("X", "x")).dump())
    told = failure(Job.load(json.dumps({**record, "error": error}).encode(), "id"), details=False)
    assert told["kind"] == "failed"
    assert SECRET not in json.dumps(told)


def test_a_record_that_can_not_be_read_counts_as_lost() -> None:
    assert failure(Job.load(b"{", "id"), details=False)["kind"] == "lost"


def test_the_number_of_a_job_is_six_digits_that_its_id_alone_determines() -> None:
    refs = {ref_of(f"id {n}") for n in range(2000)}
    assert all(len(ref) == 6 and ref.isdecimal() for ref in refs)
    assert len(refs) > 1990
    assert Job("id 7", "").ref == ref_of("id 7")
