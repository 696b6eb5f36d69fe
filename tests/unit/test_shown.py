"""What an app and its callbacks say of indicators, of a job's status, and in which words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import dash
import pytest
from dash import Input, Output
from dash_extensions.enrich import DashProxy, MultiplexerTransform, PrefixIdTransform

from dash_long_callback import Dash, RegistrationError, plug
from dash_long_callback.managers.base import Manager

OUT, IN = Output("out", "children"), Input("in", "value")


def work(value: Any) -> Any:
    return value


def config(app: dash.Dash) -> Any:
    """What a page is told."""
    page = app.server.test_client().get("/").get_data(as_text=True)
    found = re.search(r'id="_dash-long-callbacks"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


@pytest.mark.parametrize(
    "app_wide, own, shown",
    [
        (False, {}, None),
        (True, {}, []),
        (True, {"indicator": False}, None),
        (False, {"indicator": True}, []),
        (False, {"indicator": "card"}, [{"id": "card", "property": "id"}]),
        (True, {"indicator": "card"}, [{"id": "card", "property": "id"}]),
    ],
)
def test_the_callback_counts_for_more_than_the_app(
    app_wide: bool, own: Any, shown: Any, make_app: Callable[..., Dash]
) -> None:
    app = make_app(long_callback_indicator=app_wide)
    app.long_callback(OUT, IN, **own)(work)
    told = config(app)["callbacks"]["out.children"]
    assert (told["indicator"], told["cancelable"], told["status"]) == (shown, False, None)


def test_a_page_is_told_of_the_status_and_of_what_can_be_stopped(
    make_app: Callable[..., Dash],
) -> None:
    app = make_app()
    app.long_callback(OUT, IN, status=Output("status", "data"), cancelable=True)(work)
    told = config(app)["callbacks"]["out.children"]
    assert told["status"] == {"id": "status", "property": "data"}
    assert told["cancelable"] is True


@pytest.mark.parametrize(
    "option, message",
    [
        ({"indicator": 1}, "indicator=1 must be True, False, or the id of a component"),
        ({"indicator": ""}, "indicator='' must be True, False, or the id of a component"),
        ({"indicator": {}}, "indicator={} must be True, False, or the id of a component"),
        ({"status": "status"}, "status"),
        ({"status": Input("status", "data")}, "status"),
        ({"cancelable": "yes"}, "cancelable='yes' must be True or False"),
    ],
)
def test_what_makes_no_sense_of_a_callback_is_refused(option: Any, message: str, app: Dash) -> None:
    with pytest.raises(RegistrationError, match=re.escape(message)):
        app.long_callback(OUT, IN, **option)(work)


def test_own_words_reach_the_page(make_app: Callable[..., Dash], manager: Manager) -> None:
    texts = {"de": {"running": "Läuft"}, "en": {"failed": "</script> Oh."}}
    app = make_app(long_callback_texts=texts, long_callback_indicator=True)
    assert config(app)["texts"] == texts
    assert not config(make_app()).get("texts")
    plugged = plug(dash.Dash("plugged"), manager, long_callback_texts=texts)
    plugged.layout = []
    assert config(plugged)["texts"] == texts


@pytest.mark.parametrize(
    "texts, message",
    [
        ("de", "long_callback_texts='de' must be a dict by language"),
        ({"running": "Läuft"}, "must be a dict by language"),
        ({1: {"running": "Läuft"}}, "must be a dict by language"),
        ({"de": {"runs": "Läuft"}}, "'de' has 'runs', and texts are 'failed', 'timed_out'"),
        ({"de": {"running": None}}, "'running' in 'de' must be a string, got None"),
    ],
)
def test_words_that_no_text_has_are_refused(texts: Any, message: str) -> None:
    with pytest.raises(RegistrationError, match=re.escape(message)):
        Dash("app", long_callback_texts=texts)
    with pytest.raises(RegistrationError, match=re.escape(message)):
        plug(dash.Dash("app"), long_callback_texts=texts)


@pytest.mark.parametrize("wrong", [None, 1, "card"])
def test_whether_an_app_has_indicators_is_true_or_false(wrong: Any) -> None:
    with pytest.raises(RegistrationError, match=f"long_callback_indicator={wrong!r} must be True"):
        Dash("app", long_callback_indicator=wrong)


def test_transforms_of_a_proxy_change_the_ids(manager: Manager) -> None:
    proxy: Any = DashProxy("app", transforms=[MultiplexerTransform(), PrefixIdTransform("p")])
    app = plug(proxy, manager, long_callback_indicator=True)
    app.layout = dash.html.Div()
    app.long_callback(OUT, IN, status=Output("status", "data"), indicator="card")(work)
    app.long_callback(Output("other", "children"), IN)(work)
    told = config(app)["callbacks"]
    assert told["p-out.children"]["indicator"] == [{"id": "p-card", "property": "id"}]
    assert told["p-out.children"]["status"] == {"id": "p-status", "property": "data"}
    assert told["p-other.children"]["indicator"] == []
