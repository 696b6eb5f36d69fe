"""Which long callbacks a change of a page triggers, and for which of its components."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dash_long_callback.dash import internals
from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.managers.base import Manager
from dash_long_callback.testing.page import Page
from dash_long_callback.testing.patterns import (
    Binding,
    has_match,
    matched,
    parsed,
    pattern_of,
    split,
    text_of,
)
from dash_long_callback.testing.values import as_json


@dataclass(frozen=True)
class Trigger:
    """A long callback that is triggered, for some components of a page.

    Attributes:
        page: where.
        callback: which.
        manager: that runs its jobs.
        binding: what ``MATCH`` stands for.
        changed: the properties that have triggered it; none, if the page was loaded.
    """

    page: Page
    callback: LongCallback
    manager: Manager
    binding: Binding
    changed: tuple[str, ...]

    @property
    def spec(self) -> dict[str, Any]:
        """The callback as the renderer knows it, without what is our browser client's."""
        registration = self.callback.registration
        states = registration.spec["state"]
        own = states[: len(states) - registration.more_states]
        return {**registration.spec, "state": own}

    @property
    def outputs(self) -> list[str]:
        """The properties that it updates."""
        wired = internals.wired_as(self.spec, {}).outputs
        return [
            name
            for pattern, prop in wired
            for name in self.page.targets(pattern, prop.partition("@")[0], self.binding)
        ]

    @property
    def running(self) -> list[tuple[str, Any, Any]]:
        """What ``running`` sets: each property, and its values while a job runs and after."""
        return [
            (name, as_json(on), as_json(off))
            for output, on, off in self.callback.options.running
            for name in self._targets(output)
        ]

    @property
    def progress(self) -> list[list[str]]:
        """The properties that each output of ``progress`` stands for."""
        return [self._targets(output) for output in self.callback.progress_outputs]

    @property
    def name(self) -> str:
        """For messages: the function, and what it updates."""
        return f"{self.callback.function_name} ({', '.join(self.outputs) or 'no outputs'})"

    def _targets(self, output: Any) -> list[str]:
        return self.page.targets(pattern_of(output), output.component_property, self.binding)

    def is_of(self, wanted: Any) -> bool:
        """Whether it is the one that a test names, by its function or an output."""
        return self.callback.function == wanted or str(wanted) in self.outputs

    def is_cancelled_by(self, component_id: Any, prop: str) -> bool:
        """Whether a change of this property ends its job."""
        for stop in self.callback.options.cancel:
            found = matched(pattern_of(stop), component_id)
            if found is not None and stop.component_property == prop:
                return all(self.binding.get(key, value) == value for key, value in found.items())
        return False

    def request(self) -> dict[str, Any]:
        """What the renderer posts for it."""
        return self.page.request(self.spec, self.binding, list(self.changed))


def triggered(
    page: Page, callbacks: list[tuple[LongCallback, Manager]], component_id: Any, prop: str
) -> list[Trigger]:
    """The long callbacks that have this property as an ``Input``."""
    name = f"{text_of(component_id)}.{prop}"
    return [
        Trigger(page, callback, manager, binding, (name,))
        for callback, manager in callbacks
        for found in _matches(callback, component_id, prop)
        for binding in _bindings(page, callback, found)
    ]


def initial(page: Page, callbacks: list[tuple[LongCallback, Manager]]) -> list[Trigger]:
    """The long callbacks that are called when the page has been loaded."""
    return [
        Trigger(page, callback, manager, binding, ())
        for callback, manager in callbacks
        if not callback.registration.spec["prevent_initial_call"]
        for binding in _bindings(page, callback, {})
        if _is_complete(page, callback, binding)
    ]


def _matches(callback: LongCallback, component_id: Any, prop: str) -> Iterator[Binding]:
    for one in callback.registration.spec["inputs"]:
        pattern = parsed(one["id"])
        found = matched(pattern, component_id)
        if found is not None and one["property"] == prop:
            yield found
            return


def _bindings(page: Page, callback: LongCallback, found: Binding) -> list[Binding]:
    """All that ``MATCH`` may stand for: the outputs decide it, as far as it is not known."""
    patterns = [
        pattern for pattern, _ in internals.wired_as(callback.registration.spec, {}).outputs
    ]
    if not patterns:
        patterns = [parsed(one["id"]) for one in callback.registration.spec["inputs"]]
    first = next(filter(has_match, patterns), None)
    return [found] if first is None else page.bindings(first, found)


def _is_complete(page: Page, callback: LongCallback, binding: Binding) -> bool:
    """Whether the page has all that the callback names."""
    spec = callback.registration.spec
    named = [parsed(one["id"]) for one in spec["inputs"]]
    named += [pattern for pattern, _ in internals.wired_as(spec, {}).outputs]
    return all(page.has(pattern, binding) for pattern in named)


def chosen_of(name: str, found: list[Trigger], wanted: Any) -> Trigger | None:
    """The one that a test wants the run of; None if nothing is triggered.

    Args:
        name: of the property, for messages.
        found: what is triggered.
        wanted: a function, or an output; None: there is to be one only.

    Raises:
        ValueError: if it can't be told.
    """
    fitting = found if wanted is None else [one for one in found if one.is_of(wanted)]
    if len(fitting) > 1 or (found and not fitting):
        shown = "; ".join(one.name for one in found)
        raise ValueError(
            f"{name} triggers {len(found)} runs of long callbacks: {shown}. Say by callback= which "
            'is meant: its function, or an output as "id.property"'
        )
    return fitting[0] if fitting else None


def nothing_follows(callbacks: list[tuple[LongCallback, Manager]], name: str, mode: str) -> str:
    """What to say of a change that no long callback follows."""
    component_id, prop = split(name)
    stops = [stop for callback, _ in callbacks for stop in callback.options.cancel]
    if any(
        stop.component_property == prop and matched(pattern_of(stop), component_id) is not None
        for stop in stops
    ):
        more = f': in the mode "{mode}" each has ended when click() returns'
        return f"{name} cancels jobs, and none waits or runs{'' if mode == 'manual' else more}"
    inputs = [one for callback, _ in callbacks for one in callback.registration.spec["inputs"]]
    names = [f"{one['id']}.{one['property']}" for one in inputs]
    names += [f"{stop.component_id_str()}.{stop.component_property}" for stop in stops]
    if not names:
        return "this app has no long callbacks"
    known = ", ".join(dict.fromkeys(names))
    return f"no long callback has {name} as an Input or a cancel; they have {known}"
