"""How far loops are, as one fraction: loops inside each other, and side by side in threads.

files    ██████░░░░  6 of 10 ─┐
  lines  █████░░░░░  half      ├─► 0.65
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Bar:
    """A loop that is under way. All but ``done`` is written with the lock of its ``Tracking``.

    A bar that is opened inside of another is one of its children. Most are a *part* of the item
    that the other is at: together they are worth one item. Which share of that each has is seen at
    the item before, which had so many of them. A child that is no part is an item of its own, as
    when threads work on the items of a loop that only collects their results.

    Attributes:
        done: items that are done.
        total: how many there are; None or 0: nobody knows.
        text: what it is called.
        stated: whether the function itself says how far it is: then its children count for nothing.
        thread: the number of the thread that has opened it.
        opened: when that was, as ``time.monotonic`` counts.
        first: how many items were done then.
        said: when it was given its text, in the order of all texts.
        outer: the bar that was innermost in its context before it.
        part: whether it is a part of its parent's item, which is the one after ``at`` others.
    """

    def __init__(
        self, total: float | None, text: str | None = None, done: float = 0, *, stated: bool = False
    ) -> None:
        self.done = self.first = done
        self.total = total
        self.text = text
        self.stated = stated
        self.closed = True
        self.thread = self.said = 0
        self.opened = 0.0
        self.outer: Bar | None = None
        self.owner: Any = None
        self.parent: Bar | None = None
        self.children: list[Bar] = []
        self.part = False
        self.at: float = 0
        self._forget()

    def _forget(self) -> None:
        self._high = 0.0
        #: The item that parts are counted of, how many there are and are closed, and how many the
        #: item before has had.
        self._item: float | None = None
        self._parts = self._over = self._usual = 0
        #: Children that were items and are closed, and ``done`` when the first of them was opened.
        self._items = 0
        self._items_from: float | None = None

    def advancing(self) -> bool:
        """Whether it is known that its loop waits for its next item, and works on none."""
        return False

    def pull(self) -> None:
        """Look at what it stands for, if that has changed unseen. Called without the lock."""

    def restart(self, now: float) -> None:
        """Its loop begins again."""
        self.opened, self.first = now, self.done
        self._forget()

    @property
    def stale(self) -> bool:
        """Whether it was said of an item that its parent has done meanwhile."""
        return self.stated and self.parent is not None and self.parent.done != self.at

    def enter(self, child: Bar, *, part: bool) -> None:
        """Take a child."""
        child.parent, child.part, child.at = self, part, self.done
        self.children.append(child)
        if part:
            if self._item != self.done:
                self._item, self._usual = self.done, self._parts
                self._parts = self._over = 0
            self._parts += 1
        elif self._items_from is None:
            self._items_from = self.done

    def leave(self, child: Bar) -> None:
        """A child is closed: it counts as done until its parent has got so far itself."""
        self.children.remove(child)
        if not child.part:
            self._items += 1
        elif child.at == self._item:
            self._over += 1

    def count_items(self, closed: int) -> None:
        """Count children that were closed before they were known to be its own."""
        self._items += closed

    @property
    def fraction(self) -> float:
        """How far a bar with a total is, from 0 to 1. It does not fall."""
        assert self.total
        done = self.done if self.stated else self.done + self._begun()
        self._high = max(self._high, min(1.0, float(done / self.total)))
        return self._high

    def _begun(self) -> float:
        """How much of further items is done."""
        done, parts, items = self.done, 0.0, 0.0
        for child in self.children:
            if not child.part:
                items += mean([child]) or 0.0
            elif child.at == done:
                parts += mean([child]) or 0.0
        if self._item == done:
            parts = (parts + self._over) / max(self._parts, self._usual)
        if self._items_from is not None:
            items += max(0.0, self._items - (done - self._items_from))
        return parts + items


def heads(bars: Iterable[Bar]) -> list[Bar]:
    """The outermost bars with a total: one without is as far as what it has inside."""
    found: list[Bar] = []
    for bar in bars:
        found += [bar] if bar.total else heads(bar.children)
    return found


def mean(bars: Iterable[Bar], closed: int = 0) -> float | None:
    """How far bars are that are side by side, of which some are closed; None if nobody knows."""
    found = heads(bars)
    if not found:
        return None
    return (closed + sum(bar.fraction for bar in found)) / (closed + len(found))
