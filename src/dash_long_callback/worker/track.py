"""``track`` and ``show_step``: a function says how far it is."""

from __future__ import annotations

import math
import weakref
from collections.abc import AsyncIterable, AsyncIterator, Generator, Iterable, Iterator
from numbers import Real
from types import GeneratorType
from typing import Any, TypeVar, overload

from dash_long_callback.worker.bars import Bar
from dash_long_callback.worker.current import current_run
from dash_long_callback.worker.tracking import Tracking, number

T = TypeVar("T")


@overload
def track(
    iterable: Iterable[T], text: str | None = None, *, total: float | None = None
) -> Iterator[T]: ...
@overload
def track(
    iterable: AsyncIterable[T], text: str | None = None, *, total: float | None = None
) -> AsyncIterator[T]: ...
def track(iterable: Any, text: str | None = None, *, total: float | None = None) -> Any:
    """Loop over something, and have the page show how far the loop is.

    It works in the function of a long callback, in what that calls, and in threads that it starts.
    Elsewhere, as in an ordinary callback, a test, or another process that the function has started,
    the loop is what it is without ``track``.

    Loops inside each other are shown as one: while the second of ten files is half read, 15 % are
    done. So are loops in threads.

    Args:
        iterable: what to loop over, with ``for``; or with ``async for``, if it is asynchronous.
        text: what the loop does, in words for the user.
        total: how many items there are. Default: ``len(iterable)``, and if that has none, nobody
            knows: then the page shows how many are done.

    Returns:
        An iterator over the items.

    Raises:
        TypeError: if ``iterable`` can't be looped over, or another argument is of the wrong type.
        ValueError: if ``total`` is below 0, or not finite.

    Examples:
        >>> for name in track(["a.csv", "b.csv"], "Reading files"):
        ...     print(name)
        a.csv
        b.csv
    """
    _check_text("track", text)
    _check_total(total)
    is_async = isinstance(iterable, AsyncIterable)
    if not is_async:
        try:
            iterator = iter(iterable)
        except TypeError:
            raise TypeError(
                f"track: {iterable!r:.80} is nothing that can be looped over; pass a list, a range "
                "or another iterable"
            ) from None
    run = current_run()
    if run is None:
        return aiter(iterable) if is_async else iterator  # pyright: ignore[reportPossiblyUnbound]
    bar = Loop(_length(iterable) if total is None else number(total), text)
    if is_async:
        return _AsyncTrack(run.tracking, bar, aiter(iterable))
    generator = _follow(run.tracking, bar, iterator)  # pyright: ignore[reportPossiblyUnbound]
    bar.generator = weakref.ref(generator)
    return generator


def show_step(text: str, fraction: float | None = None) -> None:
    """Have the page show what the function does now, and perhaps how far it is.

    For phases without a loop. The text is shown until the next call, or until a loop with a text of
    its own begins. Outside of a long callback's function it does nothing.

    Args:
        text: what the function does, in words for the user.
        fraction: from 0 to 1, how much is done: of all, or inside of a loop, of the item that the
            loop is at. It holds until the next call without one, or the loop's next item; loops
            that begin meanwhile do not move it.

    Raises:
        TypeError: if an argument is of the wrong type.
        ValueError: if ``fraction`` is below 0 or above 1.

    Examples:
        >>> show_step("Waiting for the database")
        >>> show_step("Fitting the model", 0.7)
    """
    if text is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise TypeError("show_step: text=None must be a string")
    _check_text("show_step", text)
    if fraction is not None:
        if not _is_number(fraction):
            raise TypeError(f"show_step: fraction={fraction!r} must be a number from 0 to 1")
        if not 0 <= fraction <= 1:
            raise ValueError(f"show_step: fraction={fraction!r} must be from 0 to 1")
        fraction = float(fraction)
    run = current_run()
    if run is not None:
        run.tracking.say(text, fraction)


class Loop(Bar):
    """A bar that knows its loop."""

    generator: weakref.ref[Generator[Any]] | None = None

    def advancing(self) -> bool:
        generator = self.generator and self.generator()
        return isinstance(generator, GeneratorType) and generator.gi_running


def _follow(tracking: Tracking, bar: Bar, iterator: Iterator[T]) -> Generator[T]:
    """The items of a loop that its bar counts: an item is done when the next is asked for."""
    tracking.open(bar)
    try:
        for item in iterator:
            yield item
            bar.done += 1
            if not tracking.marked:
                tracking.mark()
    finally:
        tracking.close(bar)


class _AsyncTrack(AsyncIterator[T]):
    """The same for ``async for``. No generator, which a ``break`` would not end at once."""

    def __init__(self, tracking: Tracking, bar: Bar, iterator: AsyncIterator[T]) -> None:
        self._tracking = tracking
        self._bar = bar
        self._iterator = iterator
        self._begun = False

    async def __anext__(self) -> T:
        bar, tracking = self._bar, self._tracking
        if not self._begun:
            self._begun = True
            tracking.open(bar)
        else:
            bar.done += 1
            if not tracking.marked:
                tracking.mark()
        try:
            return await anext(self._iterator)
        except BaseException:
            tracking.close(bar)
            raise

    def __del__(self) -> None:
        self._tracking.close(self._bar)


def _length(iterable: Any) -> int | None:
    try:
        return len(iterable)
    except Exception:  # it has none, or only says so when it is asked
        return None


def _check_text(function: str, text: object) -> None:
    if text is not None and not isinstance(text, str):
        raise TypeError(f"{function}: text={text!r:.80} must be a string")


def _check_total(total: Any) -> None:
    if total is None:
        return
    if not _is_number(total):
        raise TypeError(f"track: total={total!r:.80} must be a number")
    if total < 0 or not math.isfinite(total):
        raise ValueError(
            f"track: total={total!r} must be a number from 0 on; leave it out if it is not known"
        )


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
