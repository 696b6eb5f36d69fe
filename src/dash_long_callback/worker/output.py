"""Puts a job's number before each line that its function prints, if its manager is told to.

``sys.stdout`` and ``sys.stderr`` are replaced once in a process, when its first such job begins.
What no job prints passes through.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any, TypeAlias

from dash_long_callback.worker.current import current_run
from dash_long_callback.worker.run import Run

#: One who prints: a thread of a job.
Printer: TypeAlias = "tuple[Run, int]"
#: A line, or a part of one: a progress bar is drawn anew after each carriage return.
_PIECE = re.compile(r"[^\r\n]*(?:\r?\n|\r)|[^\r\n]+")


class PrefixedStream:
    """A text stream on which each line of a job's code begins with the job's number.

    A line is written when it ends, or is flushed: so threads that print at the same time do not
    write into each other's lines. Everything but writing is the stream's own.

    Args:
        name: of the stream in ``sys``.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._stream: Any = getattr(sys, name)
        # Reentrant, as a signal may have its handler print in the middle of it.
        self._lock = threading.RLock()
        #: What each has printed of a line that has not ended.
        self._parts: dict[Printer, str] = {}
        #: Whose line has been written without its end.
        self._open: Printer | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __reduce__(self) -> Any:
        # As cloudpickle sends these: a function may be sent on that refers to one.
        return getattr, (sys, self._name)

    def write(self, text: str) -> int:
        """Write text: whole lines at once, the rest when it ends or is flushed."""
        run = current_run()
        if run is None or not run.prefix:
            return self._stream.write(text)
        printer = run, threading.get_ident()
        lines, end, rest = (self._parts.pop(printer, "") + text).rpartition("\n")
        if rest:
            self._parts[printer] = rest
        if end:
            self._emit(printer, lines + end)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of them."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what this thread has printed, though its line has not ended."""
        if (run := current_run()) is not None:
            printer = run, threading.get_ident()
            if part := self._parts.pop(printer, ""):
                self._emit(printer, part)
        self._stream.flush()

    def end(self, run: Run) -> None:
        """A job is over: write what is left of it, and end its line."""
        for printer in [one for one in list(self._parts) if one[0] is run]:
            self._emit(printer, self._parts.pop(printer))
        with self._lock:
            if self._open is not None and self._open[0] is run:
                self._stream.write("\n")
                self._open = None

    def _emit(self, printer: Printer, text: str) -> None:
        with self._lock:
            begun = self._open == printer
            if self._open is not None and not begun:
                self._stream.write("\n")
            self._open = printer
            self._stream.write("".join(self._prefixed(printer[0].prefix, text, begun)))
            if text.endswith("\n"):
                self._open = None

    def _prefixed(self, prefix: str, text: str, begun: bool) -> Generator[str]:
        drawn = False
        for piece in _PIECE.findall(text):
            # What has the number already comes from a handler of the log.
            bare = begun or piece == "\r" or prefix in piece
            if not bare and not (drawn and self._is_too_wide(prefix + piece)):
                yield prefix
            yield piece
            drawn, begun = piece.endswith("\r"), not piece.endswith(("\r", "\n"))

    def _is_too_wide(self, line: str) -> bool:
        """Whether it would not fit on a terminal, so that one line too few is drawn over."""
        try:
            return len(line) > os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError, AttributeError):
            return False


@contextmanager
def prefixed(run: Run) -> Generator[None]:
    """Prefix what the code in the block prints, if the run is to have that."""
    if not run.prefix:
        yield
        return
    with _replacing:
        streams = [_replaced(name) for name in ("stdout", "stderr")]
    try:
        yield
    finally:
        for stream in streams:
            if stream is not None:
                stream.end(run)


#: Held while these are replaced: a pool of threads may begin several jobs at once.
_replacing = threading.Lock()


def _replaced(name: str) -> PrefixedStream | None:
    stream = getattr(sys, name)
    # Celery's puts what is printed into the log, where each record gets the prefix. It has no
    # buffer; nor has what takes the place of a stream in other ways.
    if isinstance(stream, PrefixedStream) or not hasattr(stream, "buffer"):
        return stream if isinstance(stream, PrefixedStream) else None
    made = PrefixedStream(name)
    setattr(sys, name, made)
    return made
