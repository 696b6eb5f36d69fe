"""What a job reports while it runs, for code that follows it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple, TypeAlias, cast

from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.dash.grouping import group
from dash_long_callback.jobs import TRACKED, Target
from dash_long_callback.worker.updates import events_in, numbered_events_in

#: The target and the JSON of each thing that a job has reported.
Reports: TypeAlias = "Iterable[tuple[Target, bytes]]"


@dataclass(frozen=True)
class ProgressUpdate:
    """What the function gave ``set_progress`` last.

    Attributes:
        value: in the grouping of ``progress``. A ``Patch`` or a component is its JSON.
    """

    value: Any


@dataclass(frozen=True)
class TrackUpdate:
    """How far the loops are that ``track``, ``show_step`` or ``tqdm`` tell of.

    Attributes:
        fraction: of all of them together, from 0 to 1; None: not known.
        text: what was said last.
        done: items that are done, of the loop that is shown.
        total: items that it has.
        rate: items a second.
        remaining: seconds until all of it is done.
    """

    fraction: float | None = None
    text: str | None = None
    done: float | None = None
    total: float | None = None
    rate: float | None = None
    remaining: float | None = None


@dataclass(frozen=True)
class PropsUpdate:
    """What ``set_props`` has set.

    Attributes:
        id: of the component; a dict, if it has one.
        props: the values of its properties, as JSON has them.
    """

    id: str | dict[str, Any]
    props: dict[str, Any]


@dataclass(frozen=True)
class PartialUpdate:
    """What a function that yields has yielded last.

    Attributes:
        value: in the grouping of the outputs; None where nothing was yielded yet.
    """

    value: Any


Update: TypeAlias = ProgressUpdate | TrackUpdate | PropsUpdate | PartialUpdate


class Report(NamedTuple):
    """A value that was reported.

    Attributes:
        number: its sequence number; 0: not known.
        target: what for.
        value: as JSON has it.
    """

    number: int
    target: Target
    value: Any


class Reader:
    """Reads what one job reports, as it comes.

    Args:
        callback: whose job it is.
    """

    def __init__(self, callback: LongCallback) -> None:
        self._callback = callback
        self._outputs: list[tuple[str, str]] = callback.declaration.parts["outputs"]
        self._seen: dict[Target, Any] = {}

    def read(self, reports: Reports) -> Iterator[Update]:
        """What reports tell, the oldest first."""
        found = [
            Report(0, target, one)
            for target, value in reports
            for one in events_in(json.loads(value))
        ]
        return (update for _, update in self._updates(found))

    def read_since(
        self, seq: int, reports: Reports, numbers: Iterable[int]
    ) -> Iterator[tuple[int, Update]]:
        """What reports tell that were not read yet, each with the number of the last one in it.

        Args:
            seq: the number that was read last.
            reports: all there are, or all since ``seq``.
            numbers: their sequence numbers.
        """
        found = [
            Report(own, target, one)
            for (target, value), number in zip(reports, numbers, strict=True)
            for own, one in numbered_events_in(json.loads(value), number)
        ]
        # Events that were written together come in one report, which others may lie between.
        found.sort(key=lambda one: one.number)
        for _ in self._updates([one for one in found if one.number <= seq]):
            pass  # the state that the others change
        return self._updates([one for one in found if one.number > seq])

    def _updates(self, reports: list[Report]) -> Iterator[tuple[int, Update]]:
        for kind, part in groupby(reports, key=lambda one: self._kind(one.target)):
            if kind == "set_props":
                yield from _props(list(part))
                continue
            for together in of_different_targets(list(part)):
                self._seen |= {one.target: one.value for one in together}
                yield together[-1].number, self._update(kind)

    def progress(self) -> Any:
        """What was reported of ``progress``, in its grouping."""
        schema = self._callback.options.progress
        if schema is None:
            return None
        targets = range(len(self._callback.progress_outputs))
        return group((self._seen.get(target) for target in targets), schema)

    def tracked(self) -> TrackUpdate | None:
        """What loops have said."""
        found = self._seen.get(TRACKED)
        return None if found is None else TrackUpdate(**found)

    def outputs(self) -> list[Any]:
        """What was yielded for each output, or set there; None: nothing."""
        return [self._seen.get(target) for target in self._outputs]

    def grouped(self, outputs: Iterable[Any]) -> Any:
        """Values of the outputs, in the grouping in which they were declared."""
        return group(iter(outputs), self._callback.registration.entry["outputs_indices"])

    def _kind(self, target: Target) -> str:
        if isinstance(target, int):
            return "track" if target == TRACKED else "set_progress"
        return "yield" if target in self._outputs else "set_props"

    def _update(self, kind: str) -> Update:
        if kind == "set_progress":
            return ProgressUpdate(self.progress())
        if kind == "track":
            found = self.tracked()
            assert found is not None
            return found
        return PartialUpdate(self.grouped(self.outputs()))


def of_different_targets(reports: list[Report]) -> Iterator[list[Report]]:
    """Values that were reported together, or may have been: each target once."""
    together: dict[Target, Report] = {}
    for one in reports:
        if one.target in together:
            yield list(together.values())
            together = {}
        together[one.target] = one
    yield list(together.values())


def _props(reports: list[Any]) -> Iterator[tuple[int, PropsUpdate]]:
    for component_id, part in groupby(reports, key=lambda one: one.target[0]):
        for together in of_different_targets(list(part)):
            props = {prop: value for _, (_, prop), value in cast("list[Any]", together)}
            yield together[-1].number, PropsUpdate(_id(component_id), props)


def _id(component_id: str) -> str | dict[str, Any]:
    return json.loads(component_id) if component_id.startswith("{") else component_id
