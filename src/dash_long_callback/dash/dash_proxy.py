"""Apps that collect callbacks and register them at their first request: DashProxy.

dash-extensions changes callbacks by its *transforms*, between their declaration and the first
request. A long callback goes the same way:

    @app.long_callback ──► blueprint ──► transforms: ids, inputs, function ──► register, as ever

dash-extensions is not imported here: an app that has such a blueprint is asked for what it has.
"""

from __future__ import annotations

import copy
import functools
import inspect
import weakref
from collections.abc import Callable
from typing import Any

from dash import ClientsideFunction, Input, Output, State

from dash_long_callback.checks import listed
from dash_long_callback.dash import internals
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.dash.grouping import leaves
from dash_long_callback.dash.options import indicator_output
from dash_long_callback.errors import RegistrationError

Register = Callable[..., object]

#: Set on an app once its callbacks are registered.
_REGISTERED = "_long_callback_registered"
#: Keywords that transforms read, by the transform.
_LOADING, _BLOCKING = "LoadingTransform", "BlockingCallbackTransform"


def is_proxy(app: Any) -> bool:
    """Whether the class of an app collects callbacks and changes them by transforms."""
    cls = type(app)
    return callable(getattr(cls, "register_callbacks", None)) and (
        cls.callback is not internals.App.callback
    )


def collects(app: Any) -> bool:
    """Whether an app collects callbacks now; after its first request it registers them at once."""
    # It exchanges its own method then.
    waits = is_proxy(app) and _REGISTERED not in vars(app) and "callback" not in vars(app)
    return waits and isinstance(getattr(app.blueprint, "callbacks", None), list)


def prepare(app: Any, register: Register, registered: Callable[[Any], object]) -> None:
    """Make an app of such a class ready: once, when it is plugged.

    Args:
        app: of such a class.
        register: registers a long callback.
        registered: called with the app once all callbacks are registered.
    """
    before: Callable[[], object] = app.register_callbacks

    def register_callbacks() -> None:
        # At the first request, and in a worker. Transforms change what they are given.
        if _REGISTERED not in vars(app):
            vars(app)[_REGISTERED] = True
            _adopt(app, register)
            before()
            registered(app)

    app.register_callbacks = register_callbacks
    known = weakref.ref(app)

    def settle() -> None:
        if (one := known()) is not None:
            one.register_callbacks()

    registry.unsettled.append(settle)


def _adopt(app: Any, register: Register) -> None:
    """Have callbacks without an app go through the app's transforms: it would take them over."""
    free = [c for c in registry.all() if c.registration.app is None]
    free = [c for c in free if internals.is_there(c.registration)]
    for callback in free:
        registry.remove(callback)
    if free:
        internals.remove_helpers()
    del vars(app)[_REGISTERED]  # for a moment it collects again
    for callback in free:
        recipe = callback.recipe
        as_declared = functools.partial(register, conventions=recipe.conventions)
        collect(app, recipe.function, recipe.args, recipe.kwargs, as_declared)
    vars(app)[_REGISTERED] = True


def check(app: Any, name: str, function: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Refuse what a transform can't do to a long callback.

    Returns:
        the arguments that are not a transform's own.

    Raises:
        RegistrationError: naming the transform.
    """
    transforms = {
        type(transform).__name__ for transform in getattr(app.blueprint, "transforms", [])
    }
    rest = dict(kwargs)
    if _BLOCKING in transforms:
        rest.pop("blocking_timeout", None)
        if rest.pop("blocking", None):
            raise RegistrationError(
                f"{name}: blocking=True of {_BLOCKING} does not notice a cancel or a lost worker; "
                'write on_retrigger="queue" (the next click waits) or "ignore" instead'
            )
    if _LOADING in transforms and rest.pop("loading", None):
        yields = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
        if yields or inspect.iscoroutinefunction(function):
            raise RegistrationError(
                f"{name}: loading=True of {_LOADING} needs a function that returns, and this is a "
                "generator or a coroutine; leave it out, and put a dcc.Loading around the output"
            )
    inputs = rest.get("inputs")
    if isinstance(inputs, dict) and any(type(one).__name__ == "Trigger" for one in leaves(inputs)):
        raise RegistrationError(
            f"{name}: TriggerTransform takes no dict of inputs; give them as a list"
        )
    return rest


def collect(
    app: Any, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], register: Register
) -> None:
    """Give a long callback to the app's blueprint.

    Args:
        app: of such a class.
        function: the author's.
        args: positional arguments of ``long_callback``.
        kwargs: the others.
        register: registers it on the app once the transforms have been at it.
    """
    # Copied: transforms change dependencies in place, and an author may use one in two callbacks.
    args, theirs = copy.deepcopy((args, _passed_on(kwargs)))
    progress = kwargs.get("progress")
    if progress is not None:
        # Then transforms count with `set_progress` as the first argument.
        theirs |= {"background": True, "progress": progress}
    blueprint = app.blueprint
    blueprint.callback(*args, **theirs)(function)
    collected = blueprint.callbacks[-1]
    # Transforms know of outputs and inputs: what else we have rides along as the states of a
    # callback that is never registered.
    others = {key: kwargs[key] for key in _RIDES_ALONG if kwargs.get(key)}
    if (indicator := indicator_output(kwargs.get("indicator"))) is not None:
        others["indicator"] = indicator
    states = [
        State(copy.deepcopy(one.component_id), one.component_property)
        for one in leaves(others)
        if isinstance(one, (Input, Output))
    ]
    if states:
        blueprint.clientside_callback(ClientsideFunction("long_callback", ""), *states)
        blueprint.clientside_callbacks[-1].register = lambda _app: None

    def hand_out(target: Any) -> None:
        found = _Handed()
        type(collected).register(collected, found)
        options = {**kwargs, **found.kwargs, **_moved(others, states)}
        for name in ("background", "loading", "blocking", "blocking_timeout", "state"):
            options.pop(name, None)
        for name in {"output", "inputs"} - found.kwargs.keys():
            options.pop(name, None)
        # Another app, if this one has given its callbacks away (`hijack`).
        owner = target if isinstance(target, internals.App) else app
        register(owner, found.function, found.args, options)

    collected.register = hand_out


#: Options with dependencies, of which a blueprint knows nothing.
_RIDES_ALONG = ("running", "progress", "cancel", "status")
#: What goes through a blueprint.
_PASSED_ON = ("output", "inputs", "state", "loading")


def _passed_on(kwargs: dict[str, Any]) -> dict[str, Any]:
    passed = {key: kwargs[key] for key in _PASSED_ON if key in kwargs}
    # A blueprint knows inputs only, in which states may be, too.
    state = passed.pop("state", None)
    if state:
        inputs = passed.get("inputs", [])
        if isinstance(inputs, dict):
            passed["inputs"] = {**inputs, **state}
        else:
            passed["inputs"] = [*listed(inputs), *listed(state)]
    return passed


class _Handed:
    """In the place of an app: keeps what a blueprint registers."""

    def __init__(self) -> None:
        self.function: Any = None
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}

    def callback(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        self.args, self.kwargs = args, kwargs
        inputs = kwargs.get("inputs")
        if isinstance(inputs, dict):  # the place of `set_progress` is among them
            own = {key: one for key, one in inputs.items() if _is_own(one)}
            self.kwargs = {**kwargs, "inputs": own}
        return functools.partial(setattr, self, "function")


def _is_own(value: Any) -> bool:
    return all(isinstance(one, (Input, State)) for one in leaves(value))


def _moved(options: dict[str, Any], states: list[State]) -> dict[str, Any]:
    """Options whose dependencies are where transforms have left these states, in their order."""
    left = iter(states)

    def moved(one: Any) -> Any:
        if not isinstance(one, (Input, Output)):
            return one
        state, made = next(left), copy.copy(one)
        made.component_id = state.component_id
        made.component_property = state.component_property
        return made

    return {key: internals.map_grouping(moved, value) for key, value in options.items()}
