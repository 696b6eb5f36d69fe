"""What ``on_error`` gets, that it gets it once, and what becomes of its own mistakes."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Generator
from typing import Any

import pytest
from changes import changed
from dash import Input, Output, ctx, set_props
from dash.exceptions import PreventUpdate
from inline_page import Click, Ended

from dash_long_callback import ContextNotSent, Dash, JobEnded, JobExited, JobLost, UserError
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.ends import end
from dash_long_callback.jobs import Begin, End, Failed, Job, Lost, State, ref_of
from dash_long_callback.stores.diskcache import DiskcacheStore
from dash_long_callback.worker.run import Run
from dash_long_callback.worker.run_job import run_job

OUT, IN = Output("out", "children"), Input("in", "value")
BAR = Output("bar", "value")


class NoSales(UserError):
    pass


class Handler:
    """An ``on_error`` that remembers what it got."""

    def __init__(self, answer: Callable[[Any], Any] = lambda error: f"handled {error}") -> None:
        self.got: list[Exception] = []
        self._answer = answer

    def __call__(self, error: Exception) -> Any:
        self.got.append(error)
        return self._answer(error)


def fail(error: BaseException) -> Any:
    raise error


@pytest.fixture
def run(app: Dash, click: Click, caplog: pytest.LogCaptureFixture) -> Callable[..., Ended]:
    """Runs a function with a handler."""
    caplog.set_level(logging.INFO, "dash_long_callback")

    def start(function: Callable[[Any], Any], handler: Any = None, output: Any = OUT) -> Ended:
        app.long_callback(output, IN, on_error=handler)(function)
        return click(app, 1)

    return start


def logged(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == level]


def streams(_: Any) -> Generator[Any]:
    yield ["a", 1]
    yield ["b"]


@pytest.mark.parametrize(
    "function,name,words",
    [
        (lambda _: "one", "", "out.children"),
        (lambda _: [1, 2, 3], "SchemaLengthValidationError", "out.children"),
        (lambda _: [object(), 1], "InvalidCallbackReturnValue", "out"),
        (lambda _: [{1, 2}, 1], "InvalidCallbackReturnValue", "out"),
        (lambda _: sys.exit("enough"), "JobExited", "the function called sys.exit('enough')"),
        (lambda _: fail(asyncio.CancelledError("stop")), "CancelledError", "stop"),
        (lambda _: fail(NoSales("none in May")), "NoSales", "none in May"),
        (streams, "ValueError", "yield: expected 2 values, got 1"),
    ],
    ids=["too few", "too many", "object", "set", "exit", "cancelled", "user", "yield"],
)
def test_on_error_gets_whatever_keeps_a_function_from_giving_a_result(
    function: Any, name: str, words: str, run: Callable[..., Ended], caplog: Any
) -> None:
    handler = Handler(lambda error: ["handled", len(str(error))])
    ended = run(function, handler, [OUT, BAR])
    assert len(handler.got) == 1
    assert name in ("", type(handler.got[0]).__name__)
    assert words in str(handler.got[0])
    assert ended.state == "succeeded"
    assert ended.outputs["out"] == {"children": "handled"}
    assert logged(caplog, logging.INFO) == caplog.messages
    begins, succeeded = caplog.messages
    assert " begins: " in begins
    assert " succeeded: " in succeeded


def test_a_value_of_a_function_without_outputs_reaches_on_error(run: Callable[..., Ended]) -> None:
    handler = Handler()
    ended = run(lambda _: "lost otherwise", handler, [])
    assert [type(error).__name__ for error in handler.got] == ["InvalidCallbackReturnValue"]
    assert (ended.state, ended.news["response"]) == ("succeeded", {})


def test_on_error_for_a_result_has_the_context_and_may_set_props(run: Callable[..., Ended]) -> None:
    def tell(error: Exception) -> Any:
        set_props("toast", {"children": ctx.triggered_id})

    ended = run(lambda _: [1], Handler(tell), [OUT, BAR])
    assert ended.updates == [[["toast", "children"], "in"]]
    assert ended.state == "succeeded"


def test_prevent_update_in_on_error_leaves_the_outputs(run: Callable[..., Ended]) -> None:
    ended = run(lambda _: fail(ValueError()), Handler(lambda _: fail(PreventUpdate())))
    assert (ended.state, ended.news["response"]) == ("succeeded", {})


def test_an_exit_tells_its_code_and_counts_as_an_end() -> None:
    error = JobExited(3)
    assert (error.code, str(error)) == (3, "the function called sys.exit(3)")
    assert isinstance(error, JobEnded)


@pytest.mark.parametrize(
    "answer,second",
    [
        (lambda _: fail(RuntimeError("worse")), "RuntimeError: worse"),
        (lambda _: sys.exit("worse"), "the function called sys.exit('worse')"),
        (lambda _: ["too", "few"], "SchemaLengthValidationError"),
        (lambda _: [object(), 1, 2], "InvalidCallbackReturnValue"),
    ],
    ids=["raises", "exits", "wrong number", "not JSON"],
)
@pytest.mark.parametrize(
    "function,first",
    [
        (lambda _: fail(ValueError("no luck")), "ValueError: no luck"),
        (lambda _: [object(), 1, 2], "InvalidCallbackReturnValue"),
    ],
    ids=["raises", "result"],
)
def test_if_on_error_fails_both_errors_are_logged_and_the_first_is_told(
    function: Any, first: str, answer: Any, second: str, run: Callable[..., Ended], caplog: Any
) -> None:
    handler = Handler(answer)
    three = [OUT, BAR, Output("three", "children")]
    ended = run(function, handler, three)
    assert len(handler.got) == 1
    assert ended.state == "failed"
    assert first in f"{ended.error['type']}: {ended.error['message']}"
    of_handler, of_job = logged(caplog, logging.ERROR)
    assert "on_error failed" in of_handler
    assert second in of_handler
    assert first in of_job
    assert all(text.startswith(f"no. {ended.job.ref}: ") for text in (of_handler, of_job))


def test_a_user_error_in_on_error_is_what_the_user_reads(run: Callable[..., Ended], caplog: Any):
    handler = Handler(lambda _: fail(NoSales("There are none in May.")))
    ended = run(lambda _: fail(ValueError("no luck")), handler)
    assert ended.error["message"] == "There are none in May."
    assert ended.error["user"] is True
    assert logged(caplog, logging.ERROR) == []
    (warning,) = logged(caplog, logging.WARNING)
    assert "ValueError" in warning
    assert "no luck" in warning


def test_a_user_error_is_logged_without_a_traceback(run: Callable[..., Ended], caplog: Any):
    ended = run(lambda _: fail(NoSales("There are none in May.")))
    assert (ended.error["message"], ended.error["user"]) == ("There are none in May.", True)
    assert ended.job.error
    assert "Traceback" in ended.job.error["traceback"]
    begins, line = logged(caplog, logging.INFO)
    assert " begins: " in begins
    assert "(out.children) failed: waited 0." in line
    assert line.endswith(", attempt 1: NoSales: There are none in May.")
    assert len(caplog.records) == 2


def test_words_that_can_not_be_had_are_not_the_user_s(run: Callable[..., Ended]) -> None:
    class Broken(UserError):
        def __str__(self) -> str:
            raise KeyError("inside")

    ended = run(lambda _: fail(Broken()))
    assert ended.error["user"] is False


def test_an_error_is_logged_once_with_number_name_duration_and_traceback(
    run: Callable[..., Ended], caplog: Any
) -> None:
    ended = run(lambda _: fail(ValueError("no luck")))
    (line,) = logged(caplog, logging.ERROR)
    head, *rest = line.splitlines()
    assert head.startswith(f"no. {ref_of(ended.job.id)}: ")
    assert "(out.children) failed: waited 0." in head
    assert head.endswith("s, attempt 1: ValueError: no luck")
    assert rest[0] == "Traceback (most recent call last):"
    (begins,) = logged(caplog, logging.INFO)
    assert len(caplog.records) == 2
    assert begins.startswith(head.partition(" failed: ")[0] + " begins: waited 0.")


# Once, also if a worker dies


def stored(store: DiskcacheStore) -> Job:
    request = b'{"inputs":[{"id":"in","property":"value","value":1}],"states":[],'
    request += b'"outputs":{"id":"out","property":"children"},"changed":["in.value"]}'
    store.create(registry.all()[-1].call(request, job_id="job").job, request)
    job = store.change("job", Begin())
    assert job is not None
    return job


def test_a_job_whose_on_error_has_begun_is_not_handed_over(
    app: Dash, store: DiskcacheStore
) -> None:
    seen: list[Job | None] = []
    app.long_callback(OUT, IN, on_error=lambda _: seen.append(store.load("job")))(
        lambda _: fail(NoSales("There are none in May."))
    )
    run_job(Run(store, stored(store), registry.all()[-1]))
    (during,) = seen
    assert during is not None
    assert (during.state, during.handler) == (State.RUNNING, True)
    # If its worker dies now, it ends for what `on_error` was called for.
    problem = changed(during, End(Lost("the worker died"))).problem
    assert isinstance(problem, Failed)
    assert (problem.message, problem.user) == ("There are none in May.", True)


def test_a_worker_that_was_taken_for_dead_leaves_on_error_to_the_next(
    app: Dash, store: DiskcacheStore
) -> None:
    """It was paused, say, and its function fails as it wakes, before anything tells it."""
    handler = Handler()

    def wakes(_: Any) -> None:
        assert store.change("job", End(Lost("its worker was not heard of"), attempt=1)) is not None
        raise ValueError

    app.long_callback(OUT, IN, on_error=handler)(wakes)
    run_job(Run(store, stored(store), registry.all()[-1]))
    assert handler.got == []
    job = store.load("job")
    assert job is not None
    assert (job.state, job.handler) == (State.QUEUED, True)
    again = store.claim()
    assert again is not None
    run_job(Run(store, again, registry.all()[-1]))
    (error,) = handler.got
    assert isinstance(error, JobLost)


def test_a_handed_over_job_ends_as_it_would_have_if_on_error_fails(
    app: Dash, store: DiskcacheStore
) -> None:
    app.long_callback(OUT, IN, on_error=lambda _: 1 / 0)(print)
    problem = Failed("CallbackOutdated", "another version", kind="unavailable")
    run_job(Run(store, stored(store), registry.all()[-1], problem))
    job = store.load("job")
    assert job is not None
    assert job.error == {
        "type": "CallbackOutdated",
        "message": "another version",
        "traceback": "",
        "kind": "unavailable",
    }


@pytest.mark.parametrize(
    "outcome,reason",
    [
        (Failed("NotPickleable", "no worker can have it"), "NotPickleable: no worker can have it"),
        (Lost("its worker died"), "its worker died"),
    ],
    ids=["failed", "lost"],
)
def test_the_log_says_why_on_error_could_not_be_called_to_its_end(
    outcome: Failed | Lost, reason: str, app: Dash, store: DiskcacheStore, caplog: Any
) -> None:
    app.long_callback(OUT, IN, on_error=print)(print)
    job = stored(store)
    assert end(store, job.id, Lost("the first worker died"), job.attempt) is not None
    after = end(store, job.id, outcome)
    assert after is not None
    assert (after.state, after.problem) == (State.LOST, Lost("the first worker died"))
    first, second = logged(caplog, logging.ERROR)
    assert first == f"the on_error of no. {after.ref} did not run to its end: {reason}"
    assert second.endswith("the first worker died")


# dash.ctx: what belongs to the answer to a click


@pytest.mark.parametrize(
    "ask,words",
    [
        (lambda: ctx.response.set_cookie("token", "abc"), "in an ordinary callback"),
        (lambda: ctx.response.headers["X"], "in an ordinary callback"),
        (lambda: setattr(ctx.response, "status", 3), "in an ordinary callback"),
        (lambda: ctx.record_timing("query", 1.0), "ctx.record_timing belongs to the answer"),
        (lambda: ctx.timing_information, "ctx.timing_information belongs to the answer"),
    ],
    ids=["cookie", "headers", "set", "record_timing", "timing_information"],
)
@pytest.mark.parametrize("handled", [False, True], ids=["raises", "on_error"])
def test_what_belongs_to_the_answer_to_the_click_says_so(
    ask: Any, words: str, handled: bool, app: Dash, store: DiskcacheStore
) -> None:
    handler = Handler()
    app.long_callback(OUT, IN, on_error=handler if handled else None)(lambda _: ask())
    run_job(Run(store, stored(store), registry.all()[-1]))
    job = store.load("job")
    assert job is not None
    if handled:
        assert isinstance(handler.got[0], ContextNotSent)
        assert words in str(handler.got[0])
    else:
        assert job.error is not None
        assert (job.error["type"], words in job.error["message"]) == ("ContextNotSent", True)
