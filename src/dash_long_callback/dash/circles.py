"""Finds long callbacks whose ``progress`` or ``running`` starts them again, by way of others.

    long callback ── progress ──► bar.value ──► an ordinary callback ──► store.data ──┐
         ▲                                                                           │
         └───────────────────────────── Input("store", "data") ◄─────────────────────┘

Such an app calls for ever, after one click. Dash itself refuses circles of inputs and outputs, and
does not know of the other ways. Here those are followed from each ``progress`` and ``running``, and
Dash's own rules hold for the rest: an output with ``allow_duplicate`` is no part of a circle, and
nor is ``ALLSMALLER``.

What is refused is a circle for sure: of ids with wildcards only such are followed that certainly
meet. A wildcard stands for one unknown value (``MATCH``), or for all (``ALL``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.dash.declaration_checks import shown
from dash_long_callback.dash.internals import Wired, id_as_wired
from dash_long_callback.errors import RegistrationError

_MATCH, _ALL, _SMALLER = ["MATCH"], ["ALL"], ["ALLSMALLER"]

#: A property of components, as ``Wired`` has it.
_Property = tuple[Any, str]


def check(wired: Sequence[Wired], callbacks: Sequence[LongCallback]) -> None:
    """Refuse circles.

    Raises:
        RegistrationError: naming what leads from a long callback to its own input.
    """
    ordinary = [one for one in wired if not one.helper]
    sides = {callback.callback_id: list(_sides(callback)) for callback in callbacks}
    for callback in callbacks:
        for option, prop in sides[callback.callback_id]:
            path = _path_back(callback.callback_id, prop, ordinary, sides)
            if path is not None:
                way = " → ".join(
                    [f"{option} {shown(prop)}"]
                    + [f"{one.name} → {shown(output)}" for one, output in path]
                )
                raise RegistrationError(
                    f"the long callback {callback.name} would start itself again "
                    f"for ever: {way}, which is its own input. Make one of these inputs a State, "
                    "or have the callback between them set something else"
                )


def _sides(callback: LongCallback) -> Iterator[tuple[str, _Property]]:
    for output in callback.progress_outputs:
        yield "progress", (id_as_wired(output), output.component_property)
    for output, _, _ in callback.options.running:
        yield "running", (id_as_wired(output), output.component_property)


def _path_back(
    start: str,
    prop: _Property,
    wired: Sequence[Wired],
    sides: dict[str, list[tuple[str, _Property]]],
) -> list[tuple[Wired, _Property]] | None:
    """The callbacks, and what each sets, from a property to an input of the callback ``start``."""
    todo: list[tuple[_Property, list[tuple[Wired, _Property]]]] = [(prop, [])]
    seen = [prop]
    while todo:
        (component_id, name), path = todo.pop(0)
        for one in wired:
            for matched in _matches((component_id, name), one):
                if one.callback_id == start:
                    return path
                nexts = [*one.outputs, *(side for _, side in sides.get(one.callback_id, []))]
                for output in nexts:
                    reached = (_filled(output[0], matched), output[1])
                    if "@" not in output[1] and reached not in seen:
                        seen.append(reached)
                        todo.append((reached, [*path, (one, reached)]))
    return None


def _matches(prop: _Property, one: Wired) -> Iterator[dict[str, Any]]:
    """What MATCH stands for in each input of a callback that a property triggers."""
    for component_id, name in one.inputs:
        if name == prop[1] and (matched := _meet(prop[0], component_id)) is not None:
            yield matched


def _meet(component_id: Any, pattern: Any) -> dict[str, Any] | None:
    """What MATCH stands for if this id triggers that input; None if that is not certain."""
    if isinstance(component_id, str) or isinstance(pattern, str):
        return {} if component_id == pattern else None
    if component_id.keys() != pattern.keys():
        return None
    matched: dict[str, Any] = {}
    for key, wanted in pattern.items():
        value = component_id[key]
        if wanted == _SMALLER:
            return None
        if wanted == _MATCH:
            matched[key] = value
        elif wanted != _ALL and value not in (wanted, _ALL):
            return None
    return matched


def _filled(component_id: Any, matched: dict[str, Any]) -> Any:
    if isinstance(component_id, str):
        return component_id
    return {
        key: matched.get(key, value) if value == _MATCH else value
        for key, value in component_id.items()
    }
