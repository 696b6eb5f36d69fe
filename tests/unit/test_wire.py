from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from changes import changed
from ids import plain

from dash_long_callback.errors import BadRequest, RequestTooLarge, StoreError
from dash_long_callback.jobs import End, Failed, Job, Lost, State, new_job_id
from dash_long_callback.managers.base import News
from dash_long_callback.managers.positions import Position
from dash_long_callback.server.wire import (
    MAX_BODY,
    MAX_JOBS,
    LargeBody,
    ahead_of,
    job_ids,
    jobs_since,
    joined,
    news_json,
    object_json,
    parse,
    whole,
)
from dash_long_callback.stores.large_results import PIECE_BYTES, LargeResult


def job(**kwargs: Any) -> Job:
    return Job("secret-id", "out.children", **kwargs)


def told(news: News) -> bytes:
    return whole(news_json(news))


def test_news_of_a_waiting_job_are_its_state_and_number() -> None:
    assert told(News(job(), [], None)) == b'{"state":"queued","seq":0,"ended":false}'


def test_updates_are_pairs_of_target_and_value_as_the_worker_wrote_it() -> None:
    news = News(
        job(state=State.RUNNING, seq=3), [(0, b"0.50"), (("box", "children"), b'{"a": 1}')], None
    )
    assert told(news) == (
        b'{"state":"running","seq":3,"ended":false,'
        b'"updates":[[0,0.50],[["box", "children"],{"a": 1}]]}'
    )


def test_the_response_goes_through_byte_for_byte() -> None:
    response = '{"multi":true,  "response":{"☃":1e0}}'.encode()
    news = News(job(state=State.SUCCEEDED, seq=2), [], response)
    assert told(news) == (
        b'{"state":"succeeded","seq":2,"ended":true,"response":' + response + b"}"
    )


def test_an_error_is_a_sentence_and_a_number() -> None:
    record = changed(
        job(state=State.RUNNING), End(Failed("ValueError", "the password is 1234", "Traceback"))
    )
    parsed = json.loads(told(News(record, [], None)))
    assert parsed == {
        "state": "failed",
        "seq": 1,
        "ended": True,
        "error": {
            "kind": "failed",
            "message": "Something went wrong (no. 685519). Try again.",
            "user": False,
            "ref": "685519",
        },
    }


def test_an_error_has_its_type_message_and_traceback_for_who_develops_the_app() -> None:
    record = changed(
        job(state=State.RUNNING), End(Failed("ValueError", 'a "quoted" </script>', "Traceback"))
    )
    parsed = json.loads(whole(news_json(News(record, [], None), details=True)))
    assert parsed["error"] == {
        "kind": "failed",
        "message": 'a "quoted" </script>',
        "user": False,
        "ref": "685519",
        "type": "ValueError",
        "traceback": "Traceback",
        "callback": "out.children",
    }


def test_the_end_of_a_job_may_come_with_updates() -> None:
    record = changed(job(state=State.RUNNING), End(Lost("gone")))
    parsed = json.loads(told(News(record, [(0, b"1")], None)))
    assert parsed["updates"] == [[0, 1]]
    assert parsed["error"]["kind"] == "lost"


def test_news_do_not_say_what_the_client_need_not_know() -> None:
    text = told(News(job(), [], None)).decode()
    assert "secret-id" not in text
    assert "out.children" not in text


def test_an_object_of_json_values_is_json() -> None:
    fields = {'a"b': [b"[1,", b"2]"], "☃": [b"null"]}
    assert json.loads(whole(object_json(fields))) == {'a"b': [1, 2], "☃": None}
    assert whole(object_json({})) == b"{}"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"NaN", b"jobs=1", b"\xff\xfe", b"{'a': 1}", b'{"jobs": ' * 20],
    ids=plain,
)
def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match=r"is not JSON$"):
        parse(body)


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"jobs"'])
def test_a_body_that_is_not_an_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="is not a JSON object"):
        parse(body)


def test_json_nested_so_deeply_that_python_gives_up_is_refused() -> None:
    body = b'{"jobs":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert len(body) < MAX_BODY
    with pytest.raises(BadRequest):
        parse(body)


def test_a_number_with_more_digits_than_python_reads_is_refused() -> None:
    with pytest.raises(BadRequest):
        parse(b'{"jobs":{"a":' + b"9" * 10_000 + b"}}")


def test_a_body_of_the_largest_size_is_read_and_one_byte_more_is_refused() -> None:
    body = b'{"tab":"%s"}' % (b"x" * (MAX_BODY - 10))
    assert len(body) == MAX_BODY
    assert parse(body)
    with pytest.raises(RequestTooLarge, match=f"larger than {MAX_BODY} bytes") as caught:
        parse(body + b" ")
    assert caught.value.status == 413


@pytest.mark.parametrize("jobs", [None, [], ["id"], "id", 1, {}, True], ids=plain)
def test_jobs_that_are_not_an_object_are_refused(jobs: Any) -> None:
    with pytest.raises(BadRequest, match='"jobs" must be an object'):
        jobs_since({"jobs": jobs})


def test_a_body_without_jobs_is_refused() -> None:
    with pytest.raises(BadRequest, match='"jobs" must be an object') as caught:
        jobs_since({"tab": "t"})
    assert caught.value.status == 400


@pytest.mark.parametrize("seq", ["1", 1.0, True, None, [1], {}], ids=plain)
def test_a_sequence_number_that_is_not_a_whole_number_is_refused(seq: Any) -> None:
    with pytest.raises(BadRequest, match="whole number"):
        jobs_since({"jobs": {"good": 1, "bad": seq}})


def test_too_many_jobs_are_refused() -> None:
    jobs = {str(i): 0 for i in range(MAX_JOBS)}
    assert jobs_since({"jobs": jobs}) == jobs
    with pytest.raises(RequestTooLarge, match=f"at most {MAX_JOBS} jobs"):
        jobs_since({"jobs": {**jobs, "more": 0}})
    ids = [new_job_id() for _ in range(MAX_JOBS)]
    assert job_ids(json.dumps({"jobs": ids}).encode()) == ids
    with pytest.raises(RequestTooLarge, match=f"at most {MAX_JOBS} jobs"):
        job_ids(json.dumps({"jobs": [*ids, "more"]}).encode())


@pytest.mark.parametrize(
    "ahead",
    [1, "1", ["id"], {"id": 1}, {"id": [1.5, True]}, {"id": [True, True]}, {"id": [1, 0]}],
    ids=plain,
)
def test_how_many_are_ahead_is_an_object_of_pairs(ahead: Any) -> None:
    with pytest.raises(BadRequest, match='"ahead" must be an object'):
        ahead_of({"ahead": ahead})


def test_a_client_need_not_ask_how_many_are_ahead() -> None:
    assert ahead_of({}) is None
    assert ahead_of({"ahead": {}}) == {}
    assert ahead_of({"ahead": {"id": [3, True]}}) == {"id": (3, True)}


def test_news_of_a_job_that_waits_say_where() -> None:
    news = json.loads(whole(news_json(News(job(), [], None, Position(3, 1.5)))))
    assert (news["ahead"], news["wait"]) == (3, 1.5)
    news = json.loads(whole(news_json(News(job(), [], None, Position(0, None)))))
    assert (news["ahead"], news["wait"]) == (0, None)


@pytest.mark.parametrize("seq", [0, 5, -1, 2**80])
def test_any_whole_number_and_any_id_are_taken(seq: int) -> None:
    forged = {"../../etc/passwd": seq, "": seq, "☃'; DROP TABLE": seq}
    assert jobs_since({"jobs": forged}) == forged


class Pieces:
    """A store that has one large result."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self.opened = False

    def pieces(self, job: Job) -> Iterator[bytes]:
        assert job.state is State.SUCCEEDED
        self.opened = True
        yield from self._pieces


def large(*pieces: bytes, size: int | None = None) -> tuple[Any, LargeBody]:
    store: Any = Pieces(*pieces)
    size = sum(map(len, pieces)) if size is None else size
    ended = job(state=State.SUCCEEDED, seq=2, result_size=size)
    result = LargeResult(store, ended)
    answer = joined(news_json(News(ended, [(0, b"1")], result)))
    assert isinstance(answer, LargeBody)
    return store, answer


def test_a_large_result_is_read_when_it_is_sent_and_small_pieces_go_together() -> None:
    store, answer = large(b'"abc', b'def"')
    assert not store.opened
    (sent,) = answer.read()
    assert sent == (
        b'{"state":"succeeded","seq":2,"ended":true,"updates":[[0,1]],"response":"abcdef"}'
    )
    assert answer.size == len(sent)


def test_large_pieces_are_sent_as_they_are() -> None:
    pieces = [bytes([65 + i]) * PIECE_BYTES for i in range(3)]
    _, answer = large(*pieces)
    head, *rest, tail = answer.read()
    assert head.endswith(b'"response":')
    assert all(sent is piece for sent, piece in zip(rest, pieces, strict=True))
    assert tail == b"}"
    assert answer.size == len(head) + 3 * PIECE_BYTES + 1


@pytest.mark.parametrize("pieces", [(), (b"half",)], ids=len)
def test_a_result_that_is_not_there_is_told_before_anything_is_sent(
    pieces: tuple[bytes, ...],
) -> None:
    _, answer = large(*pieces, size=8)
    with pytest.raises(StoreError, match="a result of 8 bytes could not be sent"):
        answer.begin()


def test_an_answer_whose_result_is_cut_off_later_has_begun() -> None:
    _, answer = large(b"x" * PIECE_BYTES, size=2 * PIECE_BYTES)
    parts = answer.begin()
    next(parts)
    with pytest.raises(StoreError):
        list(parts)
