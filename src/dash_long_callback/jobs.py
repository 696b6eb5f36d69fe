"""A job: one run of a long callback with given arguments.

    QUEUED ──► RUNNING ──► SUCCEEDED
      │           ├──────► FAILED       the function raised, or its result was not usable
      ├───────────┼──────► CANCELLED    the user's wish
      │           ├──────► TIMED_OUT    the callback's ``timeout`` passed
      └───────────┴──────► LOST         the worker died, or none could be started

A job has one record with one writer: its worker. What a job tells the page is a set of *slots*.
A slot is the latest value for one target, or one of several ``Patch``es or events. Each write gives
the slots that it touches the next sequence number, so "what is new since n?" is answered by looking
at numbers, and a value that was overwritten before anybody asked is never sent.
"""

from __future__ import annotations

import hashlib
import json
import operator
import re
import secrets
import time
from dataclasses import dataclass, field, fields
from enum import Enum
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeAlias

from dash_long_callback.errors import (
    JobEnded,
    JobLost,
    JobNotStarted,
    JobStopped,
    JobTimedOut,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class State(str, Enum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    LOST = "lost"

    @property
    def ended(self) -> bool:
        """Whether a job in this state has its outcome."""
        return not TRANSITIONS[self]


#: Which states may follow which. A job that has ended never changes again.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.FAILED, State.CANCELLED, State.LOST}),
    State.RUNNING: frozenset(
        {State.SUCCEEDED, State.FAILED, State.CANCELLED, State.TIMED_OUT, State.LOST}
    ),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
    State.TIMED_OUT: frozenset(),
    State.LOST: frozenset(),
}


@dataclass(frozen=True)
class Succeeded:
    """The function returned.

    Attributes:
        response: the JSON for the page, ``b"{}"`` for no update.
        lasting: whether the next who asks may get it, too: not what ``on_error`` made of an
            error, and not a ``PreventUpdate``.
    """

    response: bytes
    lasting: bool = True
    state = State.SUCCEEDED


@dataclass(frozen=True)
class Failed:
    """The function raised, or what it returned could not be used.

    Attributes:
        error_type: name of the exception.
        message: what it says.
        traceback: where it was raised.
        kind: what the page tells a user, of ``server.failures.SENTENCES``.
        user: whether the message is a ``UserError``'s, for the user to read.
    """

    error_type: str
    message: str
    traceback: str = ""
    kind: str = "failed"
    user: bool = False
    state = State.FAILED


@dataclass(frozen=True)
class Cancelled:
    """The user cancelled, or a newer run replaced this one."""

    state = State.CANCELLED


@dataclass(frozen=True)
class TimedOut:
    """The job ran longer than its callback allows.

    Attributes:
        seconds: its timeout.
        words: what happened, as a record says it; empty: made from ``seconds``.
    """

    seconds: float
    words: str = ""
    state = State.TIMED_OUT

    @property
    def reason(self) -> str:
        """What happened, in words."""
        return self.words or f"the job ran longer than its timeout of {self.seconds:g} s"


@dataclass(frozen=True)
class Lost:
    """The worker died; ``reason`` says how, as far as it is known.

    Attributes:
        kind: what the page tells a user, of ``server.failures.SENTENCES``.
    """

    reason: str
    kind: str = "lost"
    state = State.LOST


Outcome: TypeAlias = Succeeded | Failed | Cancelled | TimedOut | Lost

#: Where an update goes: the index of a ``progress`` output, or a component id and a property.
Target: TypeAlias = "int | tuple[str, str]"


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
    callback: str
    state: State = State.QUEUED
    seq: int = 0
    slots: dict[int, Slot] = field(default_factory=dict[int, Slot])
    #: Why it has not succeeded, complete: what a page may know of it is decided when it is told.
    error: dict[str, Any] | None = None
    created: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    interval: float | None = None
    #: A hash of the user who asked for it (see ``server.owner``); None if that is not known: then
    #: whoever knows the id may have it.
    owner: str | None = None
    #: Names what determines the outcome; None if it is neither kept nor shared.
    cache_key: str | None = None
    #: Whether the outcome is kept for the next who asks, and seconds after its last use to drop it.
    kept: bool = False
    expire: float | None = None
    #: Times that it was sent to a worker again, as none had begun it.
    resent: int = 0
    #: Counts the workers that were asked to see to it. Each writes with the number that it was
    #: given, so that one that was paused, and taken for dead, can't write any more when it wakes.
    attempt: int = 0
    #: Whether it can't end by itself, for the reason in ``error``, and another worker was asked to
    #: call its ``on_error``.
    handed_over: bool = False
    #: Whether a worker has begun to call its ``on_error``, which happens once. If that does not
    #: survive, the job ends for the reason in ``error``.
    handling: bool = False
    #: When it was handed over.
    handed_over_at: float | None = None
    #: Bytes of its result, if that is kept apart from the record, as it is large.
    result_size: int | None = None
    #: What a newer version of this package has written: kept as it is.
    unknown: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def ref(self) -> str:
        """Its public number, which pages and logs show."""
        return ref_of(self.id)

    @property
    def waiting(self) -> bool:
        """Whether no worker has it: it is queued, or waits for one that calls its ``on_error``."""
        if self.state is State.RUNNING:
            return self.handed_over and not self.handling
        return self.state is State.QUEUED

    @property
    def original(self) -> Lost | TimedOut | Failed:
        """What its ``on_error`` is called for: how it ends if that can't be called, or fails."""
        error = self.error or {}
        words = str(error.get("message", "its worker died"))
        if "traceback" in error:
            return Failed(
                str(error.get("type")),
                words,
                str(error["traceback"]),
                str(error.get("kind", "failed")),
                user=error.get("user") is True,
            )
        if error.get("type") == "JobTimedOut":
            return TimedOut(0, words)
        return Lost(words, str(error.get("kind", "lost")))

    def end(self, outcome: Outcome) -> None:
        """Enter the state of ``outcome``, if the state it is in allows it."""
        self.enter(outcome.state)
        self.ended = time.time()
        self.error = _error_of(outcome)

    def enter(self, state: State) -> None:
        """Change the state.

        Raises:
            ValueError: if the table of transitions does not allow it.
        """
        if state not in TRANSITIONS[self.state]:
            raise ValueError(f"a {self.state.value} job can't become {state.value}")
        self.state = state
        self.seq += 1
        if state is State.RUNNING:
            self.started = time.time()

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
        known = {**self.__dict__}
        unknown = known.pop("unknown")
        return _encode(
            {
                **unknown,
                **known,
                "state": self.state.value,
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
            raw["state"] = State(raw["state"])
            raw["slots"] = {
                int(n): Slot(
                    int(n), _target(target), bool(kind) and kind != "event", kind == "event"
                )
                for n, target, kind in raw["slots"]
            }
            unknown = {name: raw.pop(name) for name in raw.keys() - _FIELDS}
            job = cls(**raw, unknown=unknown)
        except (
            ValueError,
            TypeError,
            LookupError,
            AttributeError,
            ArithmeticError,
            RecursionError,
        ):
            return cls._unreadable(job_id)
        plausible = all(map(isinstance, _counted(job), _KINDS.values()))
        return job if job.id == job_id and plausible else cls._unreadable(job_id)

    @classmethod
    def _unreadable(cls, job_id: str) -> Job:
        words = (
            "the record of this job can't be read: it is damaged, or was written by another "
            "version of this package; run the callback again"
        )
        error = {"type": "JobUnreadable", "message": words, "kind": "lost"}
        return cls(job_id, "", State.FAILED, seq=LAST_SEQ, error=error)


_encode = json.JSONEncoder(separators=(",", ":")).encode
#: Of a record that nobody writes any more: newer than all that a page can have seen.
LAST_SEQ = 2**53 - 1
#: What those fields must be that others count and compare with.
_KINDS: dict[str, Any] = {
    "callback": str,
    "seq": int,
    "attempt": int,
    "resent": int,
    "created": (int, float),
    "started": (int, float, NoneType),
    "ended": (int, float, NoneType),
    "handed_over_at": (int, float, NoneType),
    "result_size": (int, NoneType),
    "interval": (int, float, NoneType),
    "expire": (int, float, NoneType),
    "cache_key": (str, NoneType),
    "owner": (str, NoneType),
    "error": (dict, NoneType),
}
_counted = operator.attrgetter(*_KINDS)
_FIELDS = frozenset(one.name for one in fields(Job)) - {"unknown"}


@dataclass(frozen=True)
class Result:
    """What a job gave the page, ready to be given to the next who asks.

    Attributes:
        updates: what ``set_props`` set, in order.
        response: the outputs; a part of what was loaded, not a copy of it: it may be large.
    """

    updates: list[tuple[Target, bytes]]
    response: bytes | memoryview

    def dump(self) -> bytes:
        """As bytes; the JSON values in it are neither parsed nor encoded again."""
        index = json.dumps([[target, len(value)] for target, value in self.updates]).encode()
        return b"".join([index, b"\n", *(value for _, value in self.updates), self.response])

    @classmethod
    def load(cls, data: bytes) -> Result:
        """The reverse of ``dump``.

        Raises:
            ValueError: if these are not the bytes of a result.
        """
        start = data.index(b"\n") + 1
        updates: list[tuple[Target, bytes]] = []
        try:
            for target, length in json.loads(data[:start]):
                updates.append((_target(target), data[start : start + length]))
                if length < 0 or len(updates[-1][1]) != length:
                    raise ValueError("it is cut off")
                start += length
        except (TypeError, RecursionError) as error:
            raise ValueError(f"it is not a result: {error}") from error
        return cls(updates, memoryview(data)[start:])


def begin(job: Job) -> bool:
    """Start a job that waits. For ``Store.change``."""
    if job.state is not State.QUEUED:
        return False
    job.enter(State.RUNNING)
    job.attempt += 1
    return True


def ending(outcome: Outcome, attempt: int | None = None) -> Callable[[Job], bool]:
    """End a job that has not ended. For ``Store.change``.

    Args:
        outcome: how it ends.
        attempt: of the worker that says so, which may be late; None for who decides over workers.
    """

    def end(job: Job) -> bool:
        late = attempt is not None and (job.state is not State.RUNNING or attempt != job.attempt)
        if job.state.ended or late:
            return False
        job.end(outcome)
        return True

    return end


def handing_over(outcome: Lost | TimedOut | Failed) -> Callable[[Job], bool]:
    """Take a running job from its worker, for another to call ``on_error``. For ``Store.change``.

    The worker may only have been paused: what it still writes is refused.
    """

    def hand_over(job: Job) -> bool:
        if job.state is not State.RUNNING or job.handed_over or job.handling:
            return False
        job.handed_over = True
        job.handed_over_at = time.time()
        job.resent = 0
        job.error = _error_of(outcome)
        job.attempt += 1
        job.seq += 1
        return True

    return hand_over


def begin_handling(job: Job) -> bool:
    """Begin to call ``on_error`` of a job that was handed over, once. For ``Store.change``."""
    if job.state is not State.RUNNING or not job.handed_over or job.handling:
        return False
    job.handling = True
    job.attempt += 1
    job.seq += 1
    return True


def handling_here(outcome: Lost | TimedOut | Failed) -> Callable[[Job], None]:
    """Note that the worker of a job is about to call its ``on_error``, and for what."""

    def note(job: Job) -> None:
        job.handling = True
        job.error = _error_of(outcome)
        job.seq += 1

    return note


def as_error(outcome: Lost | TimedOut | Failed) -> JobEnded:
    """What ``on_error`` is given of a job that was handed over."""
    if isinstance(outcome, Failed):
        return JobNotStarted(outcome.message)
    if isinstance(outcome, TimedOut):
        return JobTimedOut(outcome.reason)
    return (JobStopped if outcome.kind == "stopped" else JobLost)(outcome.reason)


def _target(target: Any) -> Target:
    """A target from JSON."""
    if isinstance(target, int):
        return target
    component, prop = target
    if not isinstance(component, str) or not isinstance(prop, str):
        raise TypeError("a target is an id and a property")
    return component, prop


def new_job_id() -> str:
    """A random id of 192 bits: all that a client can name, and not to be guessed."""
    return secrets.token_urlsafe(24)


def ref_of(job_id: str) -> str:
    """The public number of a job: six digits, which tell nothing of the id and open nothing."""
    return f"{int.from_bytes(hashlib.sha256(job_id.encode()).digest()[:8], 'big') % 1_000_000:06d}"


_JOB_ID = re.compile("[A-Za-z0-9_-]{32}")


def is_job_id(text: str) -> bool:
    """Whether this has the form of an id. What has not is no job's: no store is asked for it."""
    return _JOB_ID.fullmatch(text) is not None


def _error_of(outcome: Outcome) -> dict[str, Any] | None:
    """What the record says of an outcome that is not a success."""
    if isinstance(outcome, Failed):
        return {
            "type": outcome.error_type,
            "message": outcome.message,
            "traceback": outcome.traceback,
            **_kind_of(outcome),
            **({"user": True} if outcome.user else {}),
        }
    if isinstance(outcome, TimedOut):
        return {"type": "JobTimedOut", "message": outcome.reason}
    if isinstance(outcome, Lost):
        name = type(as_error(outcome)).__name__
        return {"type": name, "message": outcome.reason, **_kind_of(outcome)}
    return None


def _kind_of(outcome: Failed | Lost) -> dict[str, str]:
    """What the state does not say already."""
    return {} if outcome.kind == outcome.state.value else {"kind": outcome.kind}
