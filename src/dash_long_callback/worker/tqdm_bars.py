"""Has bars of tqdm report to the job that they run for. What tqdm prints stays as it is.

The methods of the class are replaced, once in a process, and not its name: libraries have it under
names of their own, and its other kinds (notebook, rich, asyncio) are derived from it. Who iterates
over a bar gets a loop that counts by itself: tqdm does so in a local variable, and looks at it only
when it is to print, which may be never.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from dash_long_callback.worker.bars import Bar
from dash_long_callback.worker.current import current_run
from dash_long_callback.worker.track import Loop
from dash_long_callback.worker.tracking import Tracking, number

#: The attribute of a tqdm that has its bar, as long as that is open.
_BAR = "_long_callback_bar"
_lock = threading.Lock()
_patched: list[type] = []


@contextmanager
def tqdm_progress() -> Generator[None]:
    """Have the bars of tqdm that the block makes show on the page, as loops with ``track`` do.

    Also those that are made in threads meanwhile, and inside of libraries. For a whole function
    there is ``long_callback(track_tqdm=True)``. What tqdm prints stays as it is. Without tqdm, and
    outside of a long callback's function, it does nothing.

    Examples:
        >>> with tqdm_progress():
        ...     model = download("a large model")
    """
    run = current_run()
    if run is None:
        yield
        return
    with following(run.tracking):
        yield


@contextmanager
def following(tracking: Tracking) -> Generator[None]:
    """The same for the bars of one job."""
    _patch()
    with _lock:
        tracking.tqdm += 1
    try:
        yield
    finally:
        with _lock:
            tracking.tqdm -= 1


class _TqdmBar(Loop):
    """What a tqdm shows, which is not kept from being deleted by it."""

    def __init__(self, tqdm: Any) -> None:
        super().__init__(_total(tqdm), _text(tqdm), tqdm.n)
        self._tqdm = weakref.ref(tqdm)
        self.iterated = False

    def pull(self) -> None:
        tqdm = self._tqdm()
        if tqdm is not None:
            self.total = _total(tqdm)
            if (text := _text(tqdm)) != self.text:
                self.owner.name(self, text)

    def count(self, n: Any) -> None:
        """Take over the number of items from tqdm, which is behind while it is iterated over."""
        if n > self.done or not self.iterated:
            if n <= self.first:
                self.begin_again()
            self.done = n
        if not self.owner.marked:
            self.owner.mark()

    def begin_again(self) -> None:
        """Count from the start, if it is not there."""
        if self.done != self.first:
            self.done = self.first
            self.owner.restart(self)


class _Nowhere:
    """A file for a bar that is not to print."""

    def write(self, _: object) -> None:
        """Write nothing."""

    def flush(self) -> None:
        """Do nothing."""


def _total(tqdm: Any) -> int | float | None:
    return None if tqdm.total is None else number(tqdm.total)


def _text(tqdm: Any) -> str | None:
    text = getattr(tqdm, "desc", None)
    return text.removesuffix(": ") or None if isinstance(text, str) else None


def _bar_of(tqdm: Any) -> _TqdmBar | None:
    return tqdm.__dict__.get(_BAR)


def _patch() -> None:
    """Replace the methods of tqdm, if it is installed and that was not done."""
    with _lock:
        if _patched:
            return
        try:
            from tqdm.std import tqdm
        except ImportError:
            return
        for name, make in _METHODS.items():
            original = getattr(tqdm, name)
            setattr(tqdm, name, functools.wraps(original)(make(original)))
        _patched.append(tqdm)


def _init(original: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(original)

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        run = current_run()
        if run is None or not run.tracking.tqdm:
            original(self, *args, **kwargs)
            return
        try:
            given = signature.bind(self, *args, **kwargs)
        except TypeError:
            original(self, *args, **kwargs)  # says what is wrong
            return
        if given.arguments.get("disable", False) is None:
            # Off, unless its file is a terminal: then it counts nothing, either.
            if not _is_terminal(given.arguments.get("file")):
                given.arguments["file"] = _Nowhere()
            given.arguments["disable"] = False
        original(*given.args, **given.kwargs)
        if not self.disable:
            bar = _TqdmBar(self)
            run.tracking.open(bar)
            if not bar.closed:
                self.__dict__[_BAR] = bar

    return init


def _is_terminal(file: Any) -> bool:
    isatty = getattr(sys.stderr if file is None else file, "isatty", None)
    return isatty is None or bool(isatty())


def _iter(original: Callable[..., Any]) -> Callable[..., Any]:
    def iterate(self: Any) -> Any:
        bar = _bar_of(self)
        if bar is None:
            return original(self)
        generator = _counted(bar, original(self))
        bar.generator = weakref.ref(generator)
        return generator

    return iterate


def _counted(bar: _TqdmBar, items: Generator[Any]) -> Generator[Any]:
    tracking, bar.iterated = bar.owner, True
    try:
        for item in items:
            yield item
            bar.done += 1
            if not tracking.marked:
                tracking.mark()
    finally:
        bar.iterated = False
        items.close()


def _update(original: Callable[..., Any]) -> Callable[..., Any]:
    """Of ``update`` and ``refresh``: afterwards, see what they have changed."""

    def update(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        bar = _bar_of(self)
        if bar is not None:
            bar.count(self.n)
        return result

    return update


def _reset(original: Callable[..., None]) -> Callable[..., None]:
    def reset(self: Any, *args: Any, **kwargs: Any) -> None:
        bar = _bar_of(self)
        if bar is not None:
            bar.begin_again()
        original(self, *args, **kwargs)

    return reset


def _close(original: Callable[..., None]) -> Callable[..., None]:
    def close(self: Any) -> None:
        try:
            original(self)
        finally:
            bar = self.__dict__.pop(_BAR, None)
            if bar is not None:
                bar.owner.close(bar)

    return close


_METHODS: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "__init__": _init,
    "__iter__": _iter,
    "update": _update,
    "refresh": _update,
    "reset": _reset,
    "close": _close,
}
