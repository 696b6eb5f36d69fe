"""What a running job reports, between its function and the store: JSON, one value per slot."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

from dash_long_callback.jobs import Target

#: A value that can't change, and is sure to be JSON: so it is encoded when it is written.
Plain: TypeAlias = "str | int | float | bool | None"

#: What a row of events has in place of a value.
EVENTS = "__dash_long_callback_events"
#: Whole numbers up to here are JSON for every encoder.
_LARGEST_INT = 2**53


class Kind(str, Enum):
    """What a value of a job means for those before it, as its record says it."""

    #: It replaces them.
    VALUE = ""
    #: It changes them.
    PATCH = "patch"
    #: An event that adds to its component: a component that is new gets all of them again.
    STEP = "step"
    #: An event that has its effect once, whatever becomes of the page.
    ONCE = "once"
    #: As ``ONCE`` for a ``dcc.Download``, as ``STEP`` for what else it may be: the page knows.
    FILE = "file"

    @property
    def event(self) -> bool:
        """Whether each value counts."""
        return self not in (Kind.VALUE, Kind.PATCH)


class Update(NamedTuple):
    """A value that a job reports for a property.

    Attributes:
        target: the index of a progress output, or the id and property of any other.
        value: its JSON, or what ``is_plain``.
        kind: what it means for those before it.
        join: of a patch: makes one patch of the JSON of several.
    """

    target: Target
    value: bytes | Plain
    kind: Kind = Kind.VALUE
    join: Callable[[list[bytes]], bytes] | None = None


def is_plain(value: object) -> bool:
    """Whether a value can be encoded later: it can't change, and is sure to be JSON."""
    if type(value) is str:
        # Others may have half a surrogate pair, as file names do that are not UTF-8.
        return value.isascii()
    if type(value) is int:
        return -_LARGEST_INT < value < _LARGEST_INT
    if type(value) is float:
        return math.isfinite(value)
    return value is None or type(value) is bool


def events_in(value: Any) -> list[Any]:
    """The values that the JSON of one row stands for: those of its events, or itself."""
    return [one for _, one in numbered_events_in(value, 0)]


def numbered_events_in(value: Any, number: int) -> list[tuple[int, Any]]:
    """The same, each value with its own number; ``number`` is that of the row."""
    if isinstance(value, dict) and EVENTS in value:
        return [(own, one) for own, one in value["events"]]
    return [(number, value)]


def encoded(value: bytes | Plain | Joined) -> bytes:
    """The JSON of a value."""
    if isinstance(value, bytes):
        return value
    return value.dump() if isinstance(value, Joined) else json.dumps(value).encode()


class Joined:
    """What is written as one: patches, or events, each of these with its number.

    Args:
        first: the first of them.
    """

    def __init__(self, first: Update) -> None:
        self.kind = first.kind
        self._join = first.join
        self._parts: list[tuple[int, bytes | Plain]] = []

    def add(self, seq: int, value: bytes | Plain) -> None:
        """Add one more."""
        self._parts.append((seq, value))

    def dump(self) -> bytes:
        """Their JSON."""
        if self._join is not None:
            return self._join([encoded(value) for _, value in self._parts])
        events = b",".join(b"[%d,%b]" % (seq, encoded(value)) for seq, value in self._parts)
        # In a word of its own, as a Patch is: stores and servers need not know of it.
        return b'{"%b":"%b","events":[%b]}' % (EVENTS.encode(), self.kind.value.encode(), events)
