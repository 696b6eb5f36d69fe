"""A page of an app, as far as its long callbacks know it: the components, and their properties."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import dash

from dash_long_callback.dash import internals
from dash_long_callback.errors import LongCallbackError
from dash_long_callback.testing.client import Client
from dash_long_callback.testing.patterns import (
    Binding,
    bound,
    has_match,
    is_among,
    is_many,
    matched,
    parsed,
    split,
    text_of,
)
from dash_long_callback.testing.values import value_for


class Page:
    """The components that the layout has, with what was set since.

    Values are as JSON has them. Long callbacks set their outputs, ``progress`` and ``running``;
    ordinary callbacks are not called. A ``Patch`` changes nothing here.

    Examples:
        >>> page = long_callbacks.page(app)
        >>> page["report.children"]
        'Run 3 is done.'
    """

    def __init__(self, app: dash.Dash, client: Client) -> None:
        self.app = app
        self.client = client
        #: Whose page it is, if the test has said so: in a tuple, as None is nobody.
        self.user: tuple[Any] | None = None
        self._components: dict[str, dict[str, Any]] = {}
        self._callbacks: list[dict[str, Any]] = []

    def load(self, path: str = "/") -> None:
        """Begin anew, with what the app's layout has now."""
        layout = self.client.get("_dash-layout")
        self._callbacks = self.client.get("_dash-dependencies")
        self._components = {}
        self._add(layout)
        if internals.PAGE_CONTENT in self._components:
            self._go(path)

    def _go(self, path: str) -> None:
        """Have the layout of one of the app's pages, as Dash's own callback tells it."""
        location = self._components[internals.PAGE_LOCATION]
        pathname, _, query = self.app.get_relative_path(path).partition("?")
        location |= {"pathname": pathname, "search": query and f"?{query}"}
        wanted = f"{internals.PAGE_CONTENT}.children"
        [router] = [one for one in self._callbacks if f"..{wanted}.." in one["output"]]
        found = self.answer(router, {}, [f"{internals.PAGE_LOCATION}.pathname"])
        self._add(found["response"][internals.PAGE_CONTENT]["children"])

    def _add(self, layout: Any) -> None:
        for component_id, props in _components(layout):
            self._components[text_of(component_id)] = props

    def answer(
        self,
        spec: Mapping[str, Any],
        binding: Binding,
        changed: list[str],
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """What the app answers to the request of a callback."""
        body = self.request(spec, binding, changed)
        return self.client.post("_dash-update-component", body, headers)

    def request(
        self, spec: Mapping[str, Any], binding: Binding, changed: list[str]
    ) -> dict[str, Any]:
        """What the renderer would post for a callback.

        Args:
            spec: the callback as the renderer knows it.
            binding: what ``MATCH`` stands for.
            changed: the properties that have triggered it.
        """
        outputs = [
            self._each(pattern, binding, lambda i, prop=prop: {"id": i, "property": prop})
            for pattern, prop in internals.wired_as(dict(spec), {}).outputs
        ]
        body = {
            "output": spec["output"],
            "changedPropIds": changed,
            "inputs": [self._filled(one, binding) for one in spec["inputs"]],
            "state": [self._filled(one, binding) for one in spec["state"]],
        }
        if outputs:
            body["outputs"] = outputs if spec["output"].startswith("..") else outputs[0]
        return body

    def _filled(self, dependency: Mapping[str, Any], binding: Binding) -> Any:
        prop = dependency["property"]

        def filled(component_id: Any) -> dict[str, Any]:
            props = self._components.get(text_of(component_id))
            if props is None:
                name = f"{text_of(component_id)}.{prop}"
                raise LongCallbackError(
                    f"the callback needs {name}, and the layout does not have this component; give "
                    f"its value: state={{{name!r}: ...}}"
                )
            return {"id": component_id, "property": prop, "value": props.get(prop)}

        return self._each(parsed(dependency["id"]), binding, filled)

    def _each(self, pattern: Any, binding: Binding, make: Any) -> Any:
        """Something for the component that a pattern stands for, or a list of it."""
        if is_many(pattern):
            return [make(one) for one in self.all(bound(pattern, binding), binding)]
        return make(bound(pattern, binding))

    def all(self, pattern: Any, binding: Binding) -> list[Any]:
        """The ids of all components that a bound pattern stands for, in their order."""
        ids = map(parsed, self._components)
        return [one for one in ids if is_among(pattern, one, binding)]

    def bindings(self, pattern: Any, known: Binding) -> list[Binding]:
        """What ``MATCH`` may stand for in a pattern, where a part of that is known."""
        if not has_match(bound(pattern, known)):
            return [known]
        found = [matched(bound(pattern, known), one) for one in map(parsed, self._components)]
        bindings = [{**known, **one} for one in found if one is not None]
        return [one for n, one in enumerate(bindings) if one not in bindings[:n]]

    def targets(self, pattern: Any, prop: str, binding: Binding) -> list[str]:
        """The properties that an ``Output`` of an option stands for, by name."""
        pattern = bound(pattern, binding)
        ids = self.all(pattern, binding) if is_many(pattern) else [pattern]
        return [f"{text_of(one)}.{prop}" for one in ids]

    def has(self, pattern: Any, binding: Binding) -> bool:
        """Whether the page has what a pattern stands for."""
        pattern = bound(pattern, binding)
        return is_many(pattern) or text_of(pattern) in self._components

    def __getitem__(self, name: str) -> Any:
        """The value of a property, by ``"id.property"``; None if it has none.

        Raises:
            KeyError: if there is no such component.
        """
        component_id, prop = split(name)
        props = self._components.get(text_of(component_id))
        if props is None:
            raise KeyError(self.missing(name))
        return props.get(prop)

    def __setitem__(self, name: str, value: Any) -> None:
        """Set a property, as a user does; no callback is triggered.

        Raises:
            ValueError: if neither the layout nor a callback knows it.
            TypeError: if the value is not JSON.
        """
        component_id, prop = split(name)
        known = prop in self._components.get(text_of(component_id), ())
        if not known and not self.is_used(component_id, prop):
            raise ValueError(self._unknown(name))
        self.put(name, value_for(name, value))

    def put(self, name: str, value: Any) -> None:
        """Set a property that a callback of the app has."""
        component_id, prop = split(name)
        self._components.setdefault(text_of(component_id), {"id": component_id})[prop] = value

    def is_used(self, component_id: Any, prop: str) -> bool:
        """Whether a callback has this property as an Input or a State."""
        return any(
            one["property"] == prop and matched(parsed(one["id"]), component_id) is not None
            for one in self._dependencies()
        )

    def _dependencies(self) -> Iterator[Mapping[str, Any]]:
        for spec in self._callbacks:
            yield from (*spec["inputs"], *spec["state"])

    def _unknown(self, name: str) -> str:
        """What to say of a property that there is not."""
        component_id, _ = split(name)
        used = dict.fromkeys(f"{one['id']}.{one['property']}" for one in self._dependencies())
        own = [one for one in used if matched(parsed(split(one)[0]), component_id) is not None]
        if text_of(component_id) in self._components:
            return f"no callback knows {name}; of this component they know {_listed(own)}"
        return self.missing(name)

    def missing(self, name: str) -> str:
        """What to say of a property whose component is not on the page."""
        component_id, _ = split(name)
        close = difflib.get_close_matches(text_of(component_id), self._components, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        more = f". If a callback puts it there, give state={{{name!r}: ...}}"
        if internals.PAGE_CONTENT in self._components:
            more = f". It may be on another page of the app: load() goes there{more}"
        return f"there is no {name} on the page, which has {_listed(self._components)}{hint}{more}"


def _components(layout: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Each component of a layout that has an id, wherever it is, with its properties."""
    if isinstance(layout, list):
        for part in layout:
            yield from _components(part)
    elif isinstance(layout, dict):
        match layout:
            case {"type": str(), "namespace": str(), "props": {"id": component_id}}:
                yield component_id, layout["props"]
            case _:
                pass
        for part in layout.values():
            yield from _components(part)


def _listed(names: Any) -> str:
    return ", ".join(names) or "nothing"
