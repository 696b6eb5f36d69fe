"""The context of a callback, ``dash.ctx``: of a web request, on its way, and in a worker."""

# Dash does not declare types for what it does not document.
# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import flask
from dash import _callback_context

# Where `dash.ctx` looks: a worker fills it as Dash's own dispatch does.
from dash._callback_context import context_value

# How Dash turns the lists of a request into arguments and into the groupings of `dash.ctx`.
from dash._grouping import grouping_len, map_grouping, update_args_group
from dash._utils import (
    AttributeDict,
    convert_to_AttributeDict,
    inputs_to_dict,
    inputs_to_vals,
    stringify_id,
)

from dash_long_callback.dash.internals.apps import app_of
from dash_long_callback.errors import ContextNotSent
from dash_long_callback.jobs import CONTEXT

try:
    # Where `dash.get_app` looks first. Older Dash knows the app that was made last only.
    from dash._get_app import app_context
except ImportError:
    app_context: Any = None

from collections.abc import Collection, Generator, Mapping

import dash

if TYPE_CHECKING:
    from dash_long_callback.dash.internals.registration import Registration


#: Where browsers send clicks.
_DISPATCH = "/_dash-update-component"


def request_context(app: dash.Dash) -> Any:
    """The parts of ``dash.ctx`` that any web request has, on whichever server the app runs."""
    # Before Dash 4.1 there was Flask only.
    request: Any = app.backend.request_adapter() if hasattr(app, "backend") else flask.request
    context: Any = AttributeDict()
    context.cookies = dict(request.cookies)
    context.headers = dict(request.headers)
    context.args = request.args
    context.path = request.full_path
    context.remote = request.remote_addr
    context.origin = request.origin
    return context


@contextmanager
def _set(variable: ContextVar[Any], value: Any) -> Generator[None]:
    """Set a context variable while the block runs."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def callback_context(context: Any) -> AbstractContextManager[None]:
    """Let ``dash.ctx`` tell of this request while the block runs."""
    return _set(context_value, context)


def current_app(app: dash.Dash | None = None) -> AbstractContextManager[None]:
    """Let ``dash.get_app`` give this app while the block runs; None: the one that was made last.

    After that it gives what it gave before. Dash sets it when an app answers, and never back.
    """
    return nullcontext() if app_context is None else _set(app_context, app)


def is_dispatch(context: Any) -> bool:
    """Whether a request is one to Dash's dispatch, and not one that its MCP server has taken."""
    return str(context.get("path") or "").partition("?")[0].endswith(_DISPATCH)


def answers_page() -> bool:
    """Whether this code runs in a callback, and what it sets reaches the page that has called it.

    Not in the function of a layout, nor in a call of Dash's MCP server, which has no page.
    """
    context = context_value.get(None)
    if not context or "updated_props" not in context:
        return False
    return context.get("dash_websocket") is not None or is_dispatch(context)


def current_request(app: dash.Dash) -> dict[str, Any] | None:
    """The parts of ``dash.ctx`` that the web request has which this code answers; None: none.

    On servers other than Flask, a request is known in callbacks only.
    """
    context = context_value.get(None)
    if not context:
        if not flask.has_request_context():
            return None
        context = request_context(app)
    return request_fields(context)


def request_fields(context: Any) -> dict[str, Any]:
    """The parts of ``dash.ctx`` that belong to a web request."""
    return {name: context.get(name) for name in CONTEXT}


def context_of_call(
    inputs: list[Any], states: list[Any], outputs: Any, request: Mapping[str, Any] | None
) -> Any:
    """What ``dash.ctx`` is for a callback that code calls: no input has triggered it.

    Args:
        inputs: each with its id, property and value, as a request has it.
        states: the same.
        outputs: each with its id and property.
        request: ``current_request``; None: what belongs to a request is empty.
    """
    none = {**dict.fromkeys(CONTEXT), "cookies": {}, "headers": {}, "args": {}, "custom_data": {}}
    context: Any = AttributeDict(none if request is None else request)
    context.headers = dict(context.headers or {})
    context.inputs_list, context.states_list, context.outputs_list = inputs, states, outputs
    context.input_values, context.state_values = inputs_to_dict(inputs), inputs_to_dict(states)
    context.triggered_inputs = []
    return context


def pop_header(context: Any, name: str) -> str | None:
    """Take a header out of a request's context: what is left is what the browser sent itself."""
    headers: dict[str, str] = context.get("headers") or {}
    # Servers differ in how they write names.
    return next((headers.pop(key) for key in list(headers) if key.lower() == name), None)


def context_fields(context: Any, travel: Collection[str] = CONTEXT) -> dict[str, Any]:
    """The part of a request that a job needs, ready for JSON.

    Args:
        context: Dash's callback context of the request.
        travel: which of ``CONTEXT`` are part of it.
    """
    fields: dict[str, Any] = {name: context.get(name) for name in CONTEXT if name in travel}
    fields["inputs"] = context.inputs_list
    fields["states"] = context.states_list
    fields["outputs"] = context.outputs_list
    fields["changed"] = [trigger["prop_id"] for trigger in context.triggered_inputs]
    if "args" in fields:
        fields["args"] = dict(fields["args"] or {})
    elif "path" in fields:
        fields["path"] = str(fields["path"] or "").partition("?")[0]  # Dash's has the query in it
    return fields


def run_in_context(
    registration: Registration, fields: dict[str, Any], updated_props: dict[str, Any]
) -> str | bytes:
    """Run a registered function as Dash's dispatch would, from ``context_fields``.

    ``updated_props`` is where ``dash.set_props`` puts what it is given. Returns Dash's JSON.
    """
    inputs, states = fields["inputs"], fields["states"] or []
    outputs = fields["outputs"]
    entry = registration.entry
    context = AttributeDict({name: fields.get(name) for name in CONTEXT})
    context.custom_data = AttributeDict(fields.get("custom_data") or {})
    for name in ("cookies", "headers", "custom_data", "args"):
        if name not in fields:
            context[name] = _NotSent(name)
    context.inputs_list = inputs
    context.states_list = states
    context.outputs_list = [] if entry.get("no_output") else outputs
    context.input_values = inputs_to_dict(inputs)
    context.state_values = inputs_to_dict(states)
    context.triggered_inputs = [
        {"prop_id": prop_id, "value": context.input_values.get(prop_id)}
        for prop_id in fields["changed"]
    ]
    context.updated_props = updated_props
    context.dash_response = _NO_RESPONSE
    # Pages are registered by the web process, once.
    context.ignore_register_page = True

    everything = convert_to_AttributeDict(inputs + states)
    for group in everything:
        for one in group if isinstance(group, list) else [group]:
            update_args_group(one, fields["changed"])
    context.args_grouping, context.using_args_grouping = _group(
        everything, entry["inputs_state_indices"]
    )
    flat_outputs = outputs if isinstance(outputs, list) else [outputs]
    context.outputs_grouping, context.using_outputs_grouping = (
        _group(flat_outputs, entry["outputs_indices"]) if context.outputs_list else ([], False)
    )
    app = app_of(registration)
    # `dash.get_app` gives this app then, as in Dash's dispatch. What Dash's wrapper sets is gone
    # after that: else this thread would seem to answer a request from then on.
    with callback_context(context), current_app(app):
        return registration.run(
            *inputs_to_vals(inputs + states),
            outputs_list=context.outputs_list,
            callback_context=context,
            app=app,
        )


def _group(flat: list[Any], indices: Any) -> tuple[Any, bool]:
    using = not isinstance(indices, int) and indices != list(range(grouping_len(indices)))
    return map_grouping(lambda index: flat[index], indices), using


def sent(registration: Registration, fields: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What ``context_fields`` has in the place of each: id and property, or a list of these."""
    entry, outputs = registration.entry, fields["outputs"]
    if entry.get("no_output"):
        outputs = []
    elif isinstance(entry["outputs_indices"], int):
        outputs = [outputs]
    return {"inputs": fields["inputs"], "states": fields["states"] or [], "outputs": outputs or []}


def outputs_of_call(*, single: bool) -> list[Any]:
    """Id and property of each output of the callback that runs, flat; a list for one with ALL."""

    def target(output: Any) -> Any:
        if isinstance(output, list):
            return [target(one) for one in output]
        # Behind an @ stands what tells apart callbacks that share an output.
        return stringify_id(output["id"]), output["property"].partition("@")[0]

    outputs: Any = context_value.get()["outputs_list"]
    return [target(outputs)] if single else target(outputs)


def grouped_arguments(registration: Registration, context: Any) -> list[Any] | dict[str, Any]:
    """The values of a request's inputs and states as the function gets them: by place or name."""
    values = inputs_to_vals(context.inputs_list + (context.states_list or []))
    indices = registration.entry["inputs_state_indices"]
    if isinstance(indices, int):
        return [values[indices]]
    grouped = map_grouping(lambda index: values[index], indices)
    return grouped if isinstance(grouped, dict) else list(grouped)


class _NotSent:
    """In the place of a part of ``dash.ctx`` that a job does not have: says so when it is used."""

    def __init__(self, *why: str) -> None:
        vars(self)["_why"] = why

    def _refuse(self, *_: Any) -> Any:
        raise ContextNotSent(*self._why)

    __getitem__ = __iter__ = __len__ = __contains__ = __str__ = __repr__ = _refuse
    __bool__ = __eq__ = __hash__ = __setattr__ = _refuse  # pyright: ignore[reportAssignmentType]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._refuse()


#: In the place of ``ctx.response``.
_NO_RESPONSE = _NotSent(
    "response",
    "is not there in a long callback, as the click has been answered before its function runs; set "
    "cookies and headers in an ordinary callback, with the result as its Input",
)


#: What of ``dash.ctx`` asks the web server for the request that it answers.
_TIMING = ("record_timing", "timing_information")


def explained(error: BaseException) -> BaseException:
    """An error of a function, explained, if ``dash.ctx`` has raised it for want of a request."""
    tb = error.__traceback__
    while tb is not None:
        code = tb.tb_frame.f_code
        if code.co_name in _TIMING and code.co_filename == _callback_context.__file__:
            why = "belongs to the answer to the click, which has been given; use the log"
            refusal = ContextNotSent(code.co_name, why).with_traceback(error.__traceback__)
            refusal.__suppress_context__ = True
            return refusal
        tb = tb.tb_next
    return error
