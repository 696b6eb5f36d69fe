"""What a job reports while it runs, for code that follows it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.dash.grouping import group
from dash_long_callback.jobs import TRACKED, Target
from dash_long_callback.worker.updates import events_in

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
        single = (
            (target, one) for target, value in reports for one in events_in(json.loads(value))
        )
        for kind, part in groupby(single, key=lambda one: self._kind(one[0])):
            values = list(part)
            if kind == "set_props":
                yield from _props(values)
                continue
            for together in of_different_targets(values):
                self._seen |= together
                yield self._update(kind)

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


def of_different_targets(values: list[tuple[Target, Any]]) -> Iterator[dict[Target, Any]]:
    """Values that were reported together, or may have been: each target once."""
    together: dict[Target, Any] = {}
    for target, value in values:
        if target in together:
            yield together
            together = {}
        together[target] = value
    yield together


def _props(values: list[tuple[Any, Any]]) -> Iterator[PropsUpdate]:
    for component_id, part in groupby(values, key=lambda one: one[0][0]):
        for together in of_different_targets(list(part)):
            props = {target[1]: value for target, value in together.items()}  # type: ignore[index]
            yield PropsUpdate(_id(component_id), props)


def _id(component_id: str) -> str | dict[str, Any]:
    return json.loads(component_id) if component_id.startswith("{") else component_id
