"""What a job's loops have to say of its progress, and when that is reported.

track, tqdm ──► Bar.done += 1            (each iteration)
                  │ mark()               (if no report is due)
                  ▼
                the thread "progress" ──► Reporter.put ──► store, target TRACKED
                  takes the state as it is then, and rests
"""

from __future__ import annotations

import itertools
import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

from dash_long_callback.jobs import TRACKED
from dash_long_callback.worker.bars import Bar, heads, mean
from dash_long_callback.worker.flusher import Flusher
from dash_long_callback.worker.updates import Update

#: Seconds after which a loop has shown how fast it is.
SETTLED_SECONDS = 0.5
#: Letters of a text: a page has a line for it.
TEXT_LENGTH = 200

#: The bar that was opened last in this context, if it is still open.
_innermost: ContextVar[Bar | None] = ContextVar("long_callback_bar", default=None)


class Tracking:
    """The bars of one run of a job.

    What it reports is JSON:

    - ``fraction``: of all bars together, from 0 to 1, or null.
    - ``text``: what was said last, or null.
    - ``done``, ``total``: of the bar that is shown, or null; and ``rate``, its items a second.
    - ``remaining``: seconds until the fraction is 1, or null.

    The bar that is shown is the innermost that has a text, as numbers without one say nothing; if
    none has, the innermost. It is one of the job's own thread, if that has any.

    An iteration takes no lock and looks at no clock. The lock can be taken again by its thread, as
    the garbage collector may close a bar anywhere. A process that is forked has no use for it: it
    may have been held at that moment.

    Attributes:
        flusher: is to hear of each change, unless it is ``marked``.
        tqdm: how many blocks run in which bars of tqdm are followed.

    Args:
        put: where reports go.
    """

    def __init__(self, put: Callable[[Iterable[Update]], object]) -> None:
        self.flusher = Flusher(self._report)
        self.tqdm = 0
        self._put = put
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._home = threading.get_ident()
        self._ended = False
        self._bars: list[Bar] = []
        #: Those without a parent; how many of these were closed since there were none.
        self._roots: list[Bar] = []
        self._roots_over = 0
        self._order = itertools.count(1)
        #: What was said last besides the bars, and by a bar that is closed; each with its place in
        #: the order of all texts.
        self._said: tuple[int, str | None] = (0, None)
        self._left: tuple[int, str | None] = (0, None)
        #: The outermost bar, when its time began, and how far all were then.
        self._since: tuple[Bar, float, float] | None = None

    def open(self, bar: Bar) -> None:
        """A loop begins."""
        if self._pid != os.getpid():
            return
        with self._lock:
            if self._ended:
                return
            outer = self._own()
            bar.closed, bar.owner, bar.outer = False, self, outer
            bar.opened, bar.thread = time.monotonic(), threading.get_ident()
            self.name(bar, bar.text)
            parent = outer or (None if bar.thread == self._home else self._last_at_home())
            if parent is None:
                self._add_root(bar)
            else:
                parent.enter(bar, part=bar.thread == parent.thread or not parent.collects)
            self._bars.append(bar)
            self._start_clock(bar.opened)
        _innermost.set(bar)
        self.flusher.mark()

    def _own(self) -> Bar | None:
        """The innermost bar of this thread, task or context."""
        bar = _innermost.get()
        while bar is not None and bar.owner is self:
            if not bar.closed and not bar.stale:
                return bar
            self.close(bar)
            bar = bar.outer
        return None

    def _last_at_home(self) -> Bar | None:
        return next((bar for bar in reversed(self._bars) if bar.thread == self._home), None)

    def _add_root(self, bar: Bar) -> None:
        if not self._bars:
            self._roots_over, self._left, self._since = 0, (0, None), None
        if bar.thread == self._home:
            # A pool may have begun with the items before there was a loop over its results.
            others = [root for root in self._roots if root.thread != self._home]
            for root in others:
                self._roots.remove(root)
                bar.enter(root, part=False)
            if others:
                bar.count_items(self._roots_over)
                self._roots_over = 0
        self._roots.append(bar)

    def close(self, bar: Bar) -> None:
        """A loop has ended, in whatever way: it counts as done."""
        if self._pid != os.getpid():
            return
        with self._lock:
            if bar.closed:
                return
            if bar.text and bar is self._speaker():
                self._left = next(self._order), bar.text
            bar.closed = True  # first: if that is interrupted, it is not begun again
            self._bars.remove(bar)
            orphans, bar.children = bar.children, []
            if bar.parent is not None:
                for child in orphans:
                    bar.parent.enter(child, part=True)
                bar.parent.leave(bar)
            else:
                for child in orphans:
                    child.parent = None
                self._roots.remove(bar)
                self._roots += orphans
                self._roots_over += bool(bar.total) and not orphans
        if _innermost.get() is bar:
            _innermost.set(bar.outer)
        self.flusher.mark()

    def close_all(self) -> None:
        """The function has ended: so have its loops, even if something still holds them."""
        for bar in reversed(tuple(self._bars)):
            self.close(bar)
        with self._lock:
            # A cancel may have come in the middle of opening one, or of closing it.
            self._bars, self._roots = [], []

    def restart(self, bar: Bar) -> None:
        """A loop begins again."""
        if self._pid != os.getpid():
            return
        with self._lock:
            parent = bar.parent
            if bar.closed:
                return
            if parent is not None:
                parent.leave(bar)
                parent.enter(bar, part=bar.part)
            bar.restart(time.monotonic())
            self._since = None
            self._start_clock(bar.opened)

    def name(self, bar: Bar, text: str | None) -> None:
        """A bar says what it is."""
        bar.text, bar.said = text, next(self._order)

    def say(self, text: str, fraction: float | None) -> None:
        """The function says what it does, and perhaps how far it is."""
        with self._lock:
            self._said = next(self._order), text
            bar = self._own()
            if bar is not None and bar.stated:
                if fraction is not None and fraction >= bar.done:
                    bar.done, fraction = fraction, None
                else:
                    self.close(bar)
            if fraction is not None:
                self.open(Bar(1, done=fraction, stated=True))
        self.flusher.mark()

    def end(self) -> None:
        """Report nothing any more."""
        with self._lock:
            self._ended = True
        self.flusher.end()
        self.close_all()

    # Reports

    def _report(self) -> None:
        self._put([Update(TRACKED, json.dumps(self.state()).encode())])

    def state(self) -> dict[str, Any]:
        """What is to be reported now."""
        for bar in tuple(self._bars):
            bar.pull()
        with self._lock:
            now = time.monotonic()
            fraction = mean(self._roots, self._roots_over)
            self._start_clock(now)
            bar = self._shown()
            return {
                "fraction": None if fraction is None else round(fraction, 4),
                "text": self._text(),
                "done": bar and number(bar.done),
                "total": bar and (number(bar.total) or None),
                "rate": bar and _rate(bar, now),
                "remaining": self._remaining(fraction, now),
            }

    def _seen(self) -> list[Bar]:
        """The bars whose words and numbers are shown, the innermost last."""
        return [bar for bar in self._bars if bar.thread == self._home] or self._bars

    def _shown(self) -> Bar | None:
        """The bar whose numbers are shown."""
        bars = [bar for bar in self._seen() if not bar.stated]
        return self._speaker() or (bars[-1] if bars else None)

    def _speaker(self) -> Bar | None:
        """The innermost bar that has a text."""
        return next((bar for bar in reversed(self._seen()) if bar.text), None)

    def _text(self) -> str | None:
        bar = self._speaker()
        said = self._left if bar is None else (bar.said, bar.text)
        text = max(said, self._said, key=lambda one: one[0])[1]
        return text and text[:TEXT_LENGTH]

    def _start_clock(self, now: float) -> None:
        """Begin to measure time, if the outermost bar is another one.

        When it is opened, and not at the first report: on a busy machine that may be late, and
        there may be no other one for long.
        """
        first = next(iter(heads(self._roots)), None)
        if first and (self._since is None or self._since[0] is not first):
            self._since = first, now, mean(self._roots, self._roots_over) or 0.0

    def _remaining(self, fraction: float | None, now: float) -> float | None:
        if fraction is None or self._since is None:
            return None
        _, since, begun = self._since
        if fraction <= begun or now - since < SETTLED_SECONDS:
            return None
        return round((now - since) * (1 - fraction) / (fraction - begun), 1)


def _rate(bar: Bar, now: float) -> float | None:
    """Items a second, with as many digits as mean something."""
    took, done = now - bar.opened, float(bar.done - bar.first)
    return float(f"{done / took:.3g}") if took >= SETTLED_SECONDS and done > 0 else None


def number(value: Any) -> int | float | None:
    """A number of any library as JSON has it; None if it is none."""
    try:
        value = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() else value
