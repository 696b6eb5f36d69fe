from __future__ import annotations

import inspect
import re

import pytest

from dash_long_callback import errors
from dash_long_callback.errors import (
    BadRequest,
    JobCancelled,
    JobEnded,
    JobLost,
    JobNotFound,
    JobTimedOut,
    LongCallbackError,
    RequestTooLarge,
)

CLASSES = [
    one
    for _, one in inspect.getmembers(errors, inspect.isclass)
    if one.__module__ == "dash_long_callback.errors"
]


def drawn() -> dict[str, str | None]:
    """Each class of the tree at the top of the file, and what it hangs from."""
    found: dict[str, str | None] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^([ │├└─]*)(\w+)", line)
        if match is None or match[2] not in vars(errors):
            continue
        depth = len(match[1]) // 4
        above = [*above[:depth], match[2]]
        found[match[2]] = above[depth - 1] if depth else None
    return found


def test_the_tree_at_the_top_of_the_file_is_the_real_one() -> None:
    names = {one.__name__ for one in CLASSES}
    assert drawn() == {
        one.__name__: one.__bases__[0].__name__ if one.__bases__[0].__name__ in names else None
        for one in CLASSES
    }


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_says_in_a_docstring_what_it_means(error: type[BaseException]) -> None:
    assert error.__doc__


def test_except_exception_in_a_user_s_function_does_not_swallow_a_cancel() -> None:
    assert not issubclass(JobCancelled, Exception)


def test_one_except_catches_all_other_errors() -> None:
    assert all(issubclass(e, LongCallbackError) for e in CLASSES if e is not JobCancelled)


def test_on_error_can_ask_for_all_ends_from_outside_at_once() -> None:
    assert issubclass(JobLost, JobEnded)
    assert issubclass(JobTimedOut, JobEnded)


def test_each_refusal_of_a_request_has_its_http_status() -> None:
    assert (BadRequest.status, RequestTooLarge.status, JobNotFound.status) == (400, 413, 404)


def test_an_unknown_job_is_explained_without_naming_it() -> None:
    assert "it never existed or has expired" in str(JobNotFound())
