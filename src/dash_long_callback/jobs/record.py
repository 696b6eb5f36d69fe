"""The record of a job: one small document, rewritten with every change.

What a job tells the page is a set of *slots*. A slot is the latest value for one target, or one of
several ``Patch``es or events. Each write gives the slots that it touches the next sequence number,
so "what is new since n?" is answered by looking at numbers, and a value that was overwritten before
anybody asked is never sent.
"""

from __future__ import annotations

import json
import math
import operator
import time
from dataclasses import MISSING, dataclass, field, fields
from types import UnionType
from typing import Any, TypeAlias, get_args, get_origin, get_type_hints

from dash_long_callback.jobs.ids import ref_of
from dash_long_callback.jobs.outcomes import Problem, problem_of
from dash_long_callback.jobs.states import State

#: Which fields a record has. A version that reads another keeps what it does not know.
SCHEMA = 2

#: Where an update goes: the index of a ``progress`` output, or a component id and a property.
Target: TypeAlias = "int | tuple[str, str]"
#: And in place of an index, for what ``track`` and its like report: see ``worker/tracking.py``.
TRACKED: Target = -1


@dataclass
class Slot:
    """The latest value for a target; the value itself is in a row of its own."""

    seq: int
    target: Target
    patch: bool = False
    #: Whether it has events: it replaces nothing, and nothing replaces it.
    event: bool = False


@dataclass
class Job:
    """The record of a job: small, and rewritten with every change."""

    id: str
    #: The key of its callback.
    callback: str
    state: State = State.QUEUED
    seq: int = 0
    slots: dict[int, Slot] = field(default_factory=dict[int, Slot])
    #: Why it has not succeeded, complete: what a page may know of it is decided when it is told.
    error: dict[str, Any] | None = None
    created: float = field(default_factory=lambda: time.time())  # noqa: PLW0108 - of whichever clock
    started: float | None = None
    ended: float | None = None
    interval: float | None = None
    #: What messages call its callback.
    name: str = ""
    #: Seconds that it may run.
    timeout: float | None = None
    #: Until when a worker may call its function, in seconds since 1970; None: any time, or one has.
    start_by: float | None = None
    #: Whether its callback has an ``on_error``, which is called if it ends without a result.
    handles_errors: bool = False
    #: Whether it is cancelled when its page has gone.
    ends_with_page: bool = False
    #: A hash of the code of its callback, in the process that asked for it.
    digest: str = ""
    #: In which queue it waits, with Celery, and how soon its turn comes: higher ones first.
    queue: str | None = None
    priority: float = 0.0
    #: How many jobs may run at once that have the same key: pairs of a key and a number.
    limits: list[list[Any]] | None = None
    #: How many may start within a time that have the same key: keys, numbers, and seconds.
    rates: list[list[Any]] | None = None
    #: Whether it has its part of these from when it was asked for, and does not wait for it.
    reserves: bool = False
    #: Whether its owner takes turns with others who wait.
    fair: bool = True
    #: A hash of the user who asked for it (see ``server.owner``); None if that is not known: then
    #: whoever knows the id may have it.
    owner: str | None = None
    #: Names what determines the outcome; None if it is neither kept nor shared.
    cache_key: str | None = None
    #: Whether the outcome is kept for the next who asks, and seconds after its last use to drop it.
    kept: bool = False
    expire: float | None = None
    #: Counts the workers that have begun it. Each writes with the number that it was given, so that
    #: one that was paused, and taken for dead, can't write any more when it wakes.
    attempt: int = 0
    #: Celery's name for the message by which a worker has begun it.
    message: str | None = None
    #: When it was put into the queue, the last time; of one that is to begin later, when that is.
    queued: float | None = None
    #: Times that it was sent to a worker again, as none had begun it.
    resends: int = 0
    #: Seconds to wait before each further attempt that it may have.
    waits: list[float] | None = None
    #: States, besides that of a function that has raised, after which it has one.
    retried_after: list[str] | None = None
    #: Attempts that have failed, each of which another has followed or will follow.
    failures: int = 0
    #: When the next of these is to begin; of a job that was asked for with a delay, the first.
    not_before: float | None = None
    #: Whether its function is over, for the reason in ``error``, and the attempt is its
    #: ``on_error``'s. That is called once: if it does not survive, the job ends for that reason.
    handler: bool = False
    #: Bytes of its result, if that is kept apart from the record, as it is large.
    result_size: int | None = None
    #: What a newer version of this package has written: kept as it is.
    unknown: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        self.name = self.name or self.callback

    @property
    def ref(self) -> str:
        """Its public number, which pages and logs show."""
        return ref_of(self.id)

    @property
    def problem(self) -> Problem:
        """Why it has not succeeded: what its ``on_error`` is called for."""
        return problem_of(self.error)

    @property
    def gate(self) -> list[str]:
        """The keys of what may keep it from beginning, though it is its turn."""
        if self.reserves:
            return []
        return [key for key, *_ in [*(self.limits or ()), *(self.rates or ())]]

    def is_late(self, now: float) -> bool:
        """Whether it waits, and may not begin any more."""
        return self.state is State.QUEUED and self.start_by is not None and now >= self.start_by

    @property
    def is_scheduled(self) -> bool:
        """Whether it waits for the moment for which it was asked for, and was not begun before."""
        return self.not_before is not None and not self.failures

    def changed(self, **changes: Any) -> Job:
        """A record with other values."""
        # Not dataclasses.replace, which takes five times as long: each click changes one or two.
        job = object.__new__(Job)
        job.__dict__ = {**self.__dict__, **changes}
        return job

    def put(
        self, target: Target, *, patch: bool = False, event: bool = False
    ) -> tuple[int, list[int]]:
        """Make room for a new value of ``target``.

        Returns the number of the slot to write and the numbers of the slots it replaces: a plain
        value replaces all that came before it except events, a ``Patch`` is kept behind what it
        patches, and so is an event.
        """
        self.seq += 1
        stale: list[int] = []
        if not patch and not event:
            stale = [n for n, s in self.slots.items() if s.target == target and not s.event]
        for n in stale:
            del self.slots[n]
        # The sequence number is also the slot's number: unique, and a reader that still holds an
        # older record finds the old row gone rather than a newer value under the old number.
        self.slots[self.seq] = Slot(self.seq, target, patch, event)
        return self.seq, stale

    def since(self, seq: int) -> list[tuple[int, Slot]]:
        """The slots newer than ``seq``, oldest first."""
        return sorted((n, slot) for n, slot in self.slots.items() if slot.seq > seq)

    def dump(self) -> bytes:
        """The record as JSON."""
        # What is as it is in most jobs is left out: each update writes the record, too.
        known = {
            name: value
            for name, value in self.__dict__.items()
            if name not in _DEFAULTS or value != _DEFAULTS[name]
        }
        unknown = known.pop("unknown")
        return _encode(
            {
                **unknown,
                "schema": SCHEMA,
                **known,
                "state": unknown.get("state", self.state.value),
                # A version that knows no events takes theirs for patches, and keeps them, too.
                "slots": [
                    [n, s.target, "event" if s.event else s.patch] for n, s in self.slots.items()
                ],
            }
        ).encode()

    @classmethod
    def load(cls, data: bytes, job_id: str) -> Job:
        """The reverse of ``dump``. A record that can't be read is that of a job that has failed.

        So it does no harm beyond itself: it is not run, waited for or counted, and who asks for it
        is told.
        """
        try:
            raw: dict[str, Any] = json.loads(data)
            _translate(raw)
            state, unknown = raw["state"], {}
            if isinstance(state, str) and state not in _STATES and raw.get("ended") is None:
                state, unknown = State.NEWER, {"state": state}
            raw["state"] = State(state)
            raw["slots"] = {
                int(n): Slot(
                    int(n), target_of(target), bool(kind) and kind != "event", kind == "event"
                )
                for n, target, kind in raw["slots"]
            }
            unknown |= {name: raw.pop(name) for name in raw.keys() - _FIELDS}
            job = cls(**raw, unknown=unknown)
        except _NOT_A_RECORD:
            return cls._unreadable(job_id)
        plausible = all(map(isinstance, _values(job), _KINDS.values()))
        plausible = plausible and all(n > 0 for n in job.slots)  # 0 is before the first
        plausible = plausible and all(
            type(n) is float and 0 <= n < math.inf for n in job.waits or ()
        )
        plausible = plausible and all(map(_is_limit, job.limits or ()))
        plausible = plausible and all(map(_is_rate, job.rates or ()))
        return job if job.id == job_id and plausible else cls._unreadable(job_id)

    @classmethod
    def _unreadable(cls, job_id: str) -> Job:
        message = (
            "the record of this job can't be read: it is damaged, or was written by another "
            "version of this package; run the callback again"
        )
        error = {"type": "JobUnreadable", "message": message, "kind": "lost"}
        return cls(job_id, "", State.FAILED, seq=LAST_SEQ, error=error)


#: What is raised over JSON of any other shape.
_NOT_A_RECORD = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
_encode = json.JSONEncoder(separators=(",", ":")).encode
#: Of a record that nobody writes any more: newer than all that a page can have seen.
LAST_SEQ = 2**53 - 1


def _classes(kind: Any) -> tuple[type, ...]:
    """What a field of a type may hold, as JSON has it."""
    if get_origin(kind) is UnionType:
        return tuple(one for part in get_args(kind) for one in _classes(part))
    return (int, float) if kind is float else (get_origin(kind) or kind,)


_KINDS = {name: _classes(kind) for name, kind in get_type_hints(Job).items()}
_values = operator.attrgetter(*_KINDS)
_STATES = frozenset(state.value for state in State)
_FIELDS = frozenset(one.name for one in fields(Job)) - {"unknown"}
_DEFAULTS = {one.name: one.default for one in fields(Job) if one.default is not MISSING}


def _translate(raw: dict[str, Any]) -> None:
    """Bring the fields of the first schema into the shape of this one."""
    raw.pop("schema", None)
    raw.pop("handed_over_at", None)
    over = [raw.pop(name, False) for name in ("handed_over", "handling")]
    if any(over):
        raw["handler"] = True
    if "resent" in raw:
        raw.setdefault("resends", raw.pop("resent"))


def _is_limit(limit: Any) -> bool:
    match limit:
        case [str(), int(number)]:
            return number > 0
        case _:
            return False


def _is_rate(rate: Any) -> bool:
    match rate:
        case [str(), int(number), int() | float() as seconds]:
            return number > 0 and 0 < seconds < math.inf
        case _:
            return False


def target_of(target: Any) -> Target:
    """A target from JSON.

    Raises:
        TypeError: if it is none.
    """
    if isinstance(target, bool):
        raise TypeError("a target is a number, or an id and a property")
    if isinstance(target, int):
        return target
    component, prop = target
    if not isinstance(component, str) or not isinstance(prop, str):
        raise TypeError("a target is a number, or an id and a property")
    return component, prop
