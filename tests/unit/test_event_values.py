"""Values that are events are kept each, in order, within a bound; patches keep their order, too."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from dash import Input, Output, Patch, dcc, no_update, set_props
from inline_page import Click, Ended

from dash_long_callback import Dash, Event
from dash_long_callback.dash.events import kind_of
from dash_long_callback.dash.internals import join_patches, to_json_bytes
from dash_long_callback.jobs import Job
from dash_long_callback.worker import reporter
from dash_long_callback.worker.updates import Kind

OUT, IN = Output("out", "children"), Input("in", "value")


def file(text: str) -> dict[str, Any]:
    made: Any = dcc.send_string(text, f"{text}.txt")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return dict(made)


@pytest.mark.parametrize(
    "prop, value, kind",
    [
        ("children", "text", Kind.VALUE),
        ("extendData", [{"x": [[1]]}], Kind.STEP),
        ("rowTransaction", {"add": []}, Kind.STEP),
        ("sendNotifications", [], Kind.ONCE),
        ("data", file("a"), Kind.FILE),
        ("data", {"content": "x", "filename": "y"}, Kind.FILE),
        ("data", {"content": "x", "filename": "y", "more": 1}, Kind.VALUE),
        ("data", {"content": "x"}, Kind.VALUE),
        ("children", file("a"), Kind.VALUE),
        ("children", Event(1), Kind.ONCE),
        ("children", Event(1, replay=True), Kind.STEP),
        ("extendData", Event(1), Kind.ONCE),
        ("extendData", Patch(), Kind.PATCH),
    ],
)
def test_a_value_is_an_event_by_its_property_or_as_it_is_said(
    prop: str, value: Any, kind: Kind
) -> None:
    assert kind_of(prop, value) is kind


@pytest.mark.parametrize("value", [Patch(), no_update, Event(1)])
def test_an_event_takes_a_value_only(value: Any) -> None:
    with pytest.raises(TypeError, match="an Event takes a value"):
        Event(value)


def test_a_value_replaces_no_event_and_no_event_a_value() -> None:
    record = Job("id", "out.children")
    record.put(0)
    record.put(0, event=True)
    assert record.put(0) == (3, [1])
    assert record.put(0, event=True) == (4, [])
    again = Job.load(record.dump(), "id")
    assert again == record
    assert [(n, s.event) for n, s in again.since(1)] == [(2, True), (3, False), (4, True)]


def told(ended: Ended) -> list[Any]:
    """The updates, with events one by one."""
    found: list[Any] = []
    for target, value in ended.updates:
        if isinstance(value, dict) and (kind := value.get("__dash_long_callback_events")):
            found += [(target, kind, event) for _, event in value["events"]]
        else:
            found.append((target, "", value))
    return found


def test_each_event_is_delivered_and_of_other_values_the_latest(app: Dash, click: Click) -> None:
    graph, bar = Output("graph", "extendData"), Output("bar", "value")

    @app.long_callback(OUT, IN, progress=[graph, bar])
    def work(set_progress: Any, _: Any) -> None:
        for number in range(1000):
            set_progress([{"x": [[number]]}, number])
            set_props("note", {"title": Event(f"{number}")})
            set_props("load", {"data": file(str(number))})

    ended = click(app, 1)
    found = told(ended)
    numbers = list(range(1000))
    assert [v["x"][0][0] for t, k, v in found if (t, k) == (0, "step")] == numbers
    assert [int(v) for t, k, v in found if (t, k) == (["note", "title"], "once")] == numbers
    assert [int(v["content"]) for t, k, v in found if (t, k) == (["load", "data"], "file")] == (
        numbers
    )
    assert [v for t, _, v in found if t == 1] == [999]
    assert len(ended.updates) < 500, "those that nobody has seen yet are one"
    seqs = [e[0] for t, v in ended.updates if t == 0 for e in v["events"]]
    assert seqs == sorted(set(seqs))


def test_an_event_that_is_yielded_and_one_that_is_returned(app: Dash, click: Click) -> None:
    @app.long_callback([OUT, Output("load", "data")], IN)
    def work(_: Any) -> Any:
        yield no_update, Event({"a": 1})
        yield "half", no_update
        return Event("whole"), no_update

    ended = click(app, 1)
    assert told(ended) == [
        (["load", "data"], "once", {"a": 1}),
        (["out", "children"], "", "half"),
    ]
    assert ended.news["response"]["response"] == {"out": {"children": "whole"}}


def test_what_is_kept_of_events_has_a_bound_that_is_logged_once(
    app: Dash,
    click: Click,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(reporter, "EVENT_SLOTS", 5)
    monkeypatch.setattr(reporter, "EVENT_BYTES", 3000)
    monkeypatch.setattr(reporter, "WRITE_SECONDS", 0)

    @app.long_callback(OUT, IN)
    def work(_: Any) -> None:
        set_props("bar", {"value": 1})
        for number in range(20):
            set_props("note", {"title": Event(number)})
        set_props("note", {"lang": Event("x" * 5000)})

    with caplog.at_level(logging.WARNING):
        ended = click(app, 1)
    assert [(t, v) for t, _, v in told(ended)] == [
        (["bar", "value"], 1),
        (["note", "lang"], "x" * 5000),
    ]
    assert caplog.text.count("more events than are kept") == 1


def patch(*numbers: int) -> Patch:
    made = Patch()
    for number in numbers:
        made.append(number)
    return made


def test_joined_patches_can_be_told_apart() -> None:
    parts = [json.dumps(made.to_plotly_json()).encode() for made in (patch(1), patch(2, 3))]
    joined = json.loads(join_patches(parts))
    assert [step["params"]["value"] for step in joined["operations"]] == [1, 2, 3]
    assert joined["lengths"] == [1, 2]
    assert join_patches(parts[:1]) == parts[0]


@pytest.mark.parametrize("give", ["set_props", "progress", "yield"])
def test_a_value_after_a_patch_replaces_it_and_no_update_does_not(
    give: str, app: Dash, click: Click
) -> None:
    values = [patch(1), "plain", patch(2), no_update, patch(3)]

    def tell(say: Callable[[Any], object]) -> None:
        for value in values:
            say(value)

    def by_progress(set_progress: Any, _: Any) -> None:
        tell(set_progress)

    def by_yield(_: Any) -> Any:
        yield from values

    def by_set_props(_: Any) -> None:
        tell(lambda value: value is no_update or set_props("bar", {"value": value}))

    function: Any = {"progress": by_progress, "yield": by_yield, "set_props": by_set_props}[give]
    progress = Output("bar", "value") if give == "progress" else None
    app.long_callback(OUT, IN, progress=progress)(function)
    found = [value for _, value in click(app, 1).updates]
    assert found[0] == "plain"
    steps = [step["params"]["value"] for made in found[1:] for step in made["operations"]]
    assert steps == [2, 3]


def test_what_dash_sends_of_an_event_is_its_value() -> None:
    assert json.loads(to_json_bytes({"title": Event([1])})) == {"title": [1]}
    assert repr(Event(1, replay=True)) == "Event(1, replay=True)"
