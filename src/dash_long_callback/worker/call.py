"""The one place where a user's function is called: ordinary or async, generators of both."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import traceback
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from typing import Any

from dash_long_callback.errors import JobCancelled, JobTimedOut
from dash_long_callback.worker.run import Run


def call(
    run: Run,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    on_yield: Callable[[Any], None],
) -> Any:
    """Call a function, which may be told to stop as long as it runs. Returns what it returns.

    Args:
        run: the job that it is called for.
        function: what the user wrote.
        args: its positional arguments.
        kwargs: its keyword arguments.
        on_yield: called with each value that it yields, if it is a generator.

    Raises:
        JobCancelled: if the job was cancelled, and the function has let that pass.
        JobTimedOut: if it took too long.
        BaseException: whatever the function raises.
    """
    pid = os.getpid()
    try:
        run.armed = True
        run.checkpoint()
        value = function(*args, **kwargs)
        if inspect.isgenerator(value):
            return _finish(_report_each(value, on_yield))
        if inspect.isasyncgen(value):
            return asyncio.run(_report_each(value, on_yield))
        return asyncio.run(value) if inspect.iscoroutine(value) else value
    except JobCancelled:
        if isinstance(run.stopping, JobTimedOut):
            raise run.stopping from None
        raise
    finally:
        run.armed = False
        if os.getpid() != pid:
            _leave_fork()


def _leave_fork() -> None:
    """End a process that the function forked, which has come out of it as a second worker."""
    failed = sys.exc_info()[0] is not None
    if failed:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(failed))


async def _report_each(generator: Any, report: Callable[[Any], None]) -> Any:
    """Report what a generator yields, as it comes. Returns what it returns.

    What ``report`` raises is raised at the ``yield``, where the mistake is, or what is to clean up.
    """
    problem: BaseException | None = None
    while True:
        try:
            if isinstance(generator, AsyncGenerator):
                step = generator.asend(None) if problem is None else generator.athrow(problem)
                value = await step
            else:
                value = next(generator) if problem is None else generator.throw(problem)
        except StopAsyncIteration:
            return None
        except StopIteration as end:
            return end.value
        problem = None
        try:
            report(value)
        except BaseException as error:
            problem = error


def _finish(coroutine: Coroutine[Any, None, Any]) -> Any:
    """The result of a coroutine that never waits: without a loop, as the function may want one."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError
