"""Ends a process whose watchdog can't, as code in C holds the interpreter's lock."""

from __future__ import annotations

import faulthandler
from collections.abc import Generator
from contextlib import contextmanager

#: Where the log says what the process was at: Celery has a stream of its own in ``sys.stderr``.
_STDERR = 2


@contextmanager
def ended_after(seconds: float) -> Generator[None]:
    """End this process if the block runs for longer, and have stderr say where it is.

    A thread in C does it, which does not need that lock. There is one such timer in a process: a
    function that uses ``faulthandler.dump_traceback_later`` itself goes without this one.
    """
    faulthandler.dump_traceback_later(seconds, exit=True, file=_STDERR)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
