"""Every undocumented name of Dash that this package touches, and nothing else.

registration    callbacks, as Dash keeps them
context         ``dash.ctx``
apps            an app and its server
background      callbacks with ``background=True``
arguments       what these were declared with
encoding        JSON

``tests/contract/test_dash_internals.py`` checks each of them on the oldest and the newest
supported Dash. If Dash changes, this is the only package to change.
"""

from dash_long_callback.dash.internals.apps import (
    PAGE_CONTENT,
    PAGE_LOCATION,
    add_route,
    app_error_handler,
    app_of,
    backend_of,
    background_manager,
    error_page,
    fastapi_body,
    has_started,
    provide_app,
    shows_errors,
    stop_serving,
)
from dash_long_callback.dash.internals.arguments import PASSED_ON
from dash_long_callback.dash.internals.background import (
    INTERVAL,
    MANAGER_METHODS,
    Background,
    background_callbacks,
    before_setup,
    named_managers,
    on_background,
    task_names,
)
from dash_long_callback.dash.internals.context import (
    AttributeDict,
    callback_context,
    context_fields,
    context_of_call,
    current_request,
    explained,
    grouped_arguments,
    is_dispatch,
    map_grouping,
    outputs_of_call,
    pop_header,
    request_context,
    run_in_context,
    sent,
)
from dash_long_callback.dash.internals.encoding import (
    join_patches,
    plain_json,
    to_json_bytes,
)
from dash_long_callback.dash.internals.registration import (
    NAMESPACE,
    Registration,
    Wired,
    add,
    declared,
    has_long_callbacks,
    id_as_wired,
    is_dash_s,
    is_there,
    register,
    register_clientside,
    remove,
    remove_helpers,
    rename,
    same_without_outputs,
    wired,
    wired_as,
)

__all__ = [
    "INTERVAL",
    "MANAGER_METHODS",
    "NAMESPACE",
    "PAGE_CONTENT",
    "PAGE_LOCATION",
    "PASSED_ON",
    "AttributeDict",
    "Background",
    "Registration",
    "Wired",
    "add",
    "add_route",
    "app_error_handler",
    "app_of",
    "backend_of",
    "background_callbacks",
    "background_manager",
    "before_setup",
    "callback_context",
    "context_fields",
    "context_of_call",
    "current_request",
    "declared",
    "error_page",
    "explained",
    "fastapi_body",
    "grouped_arguments",
    "has_long_callbacks",
    "has_started",
    "id_as_wired",
    "is_dash_s",
    "is_dispatch",
    "is_there",
    "join_patches",
    "map_grouping",
    "named_managers",
    "on_background",
    "outputs_of_call",
    "plain_json",
    "pop_header",
    "provide_app",
    "register",
    "register_clientside",
    "remove",
    "remove_helpers",
    "rename",
    "request_context",
    "run_in_context",
    "same_without_outputs",
    "sent",
    "shows_errors",
    "stop_serving",
    "task_names",
    "to_json_bytes",
    "wired",
    "wired_as",
]
