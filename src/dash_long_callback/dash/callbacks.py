"""What a long callback is once it is declared."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import dash
from dash import Output

from dash_long_callback import app_names, changed_values
from dash_long_callback.code_digest import code_digest
from dash_long_callback.dash import app_reference, internals
from dash_long_callback.dash.conventions import LONG_CALLBACK, Conventions
from dash_long_callback.dash.declaration import Declaration
from dash_long_callback.dash.declaration_checks import module_load, parameter_names
from dash_long_callback.dash.execution import Execution
from dash_long_callback.dash.grouping import leaves
from dash_long_callback.dash.internals import Registration
from dash_long_callback.dash.options import Options
from dash_long_callback.jobs import Call, Job, Outcome, Sharing, new_job_id
from dash_long_callback.limits import Terms
from dash_long_callback.managers.base import Manager
from dash_long_callback.registry import Registry
from dash_long_callback.registry import registry as process_registry
from dash_long_callback.worker.run import Run


@dataclass(frozen=True)
class Recipe:
    """What a long callback was declared with. Calling it, in a worker, declares it again.

    Attributes:
        declare: makes a callback of what follows, where no app has it.
        function: what the user wrote.
        args: positional arguments of the declaration.
        kwargs: keyword arguments of it.
        conventions: of its decorator.
        key: of the callback where it was declared.
        app: which it is to know.
    """

    declare: Callable[[Any, tuple[Any, ...], dict[str, Any], Conventions], LongCallback]
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    conventions: Conventions = LONG_CALLBACK
    key: str | None = None
    app: dash.Dash | None = None

    def __call__(self) -> LongCallback:
        """Declare the callback in this process, where its app does not have it."""
        callback = self.declare(self.function, self.args, self.kwargs, self.conventions)
        callback.sent_as = self.key
        callback.registration.app = self.app
        internals.provide_app(self.app)
        return callback


#: Options that the web process alone uses: not all that they may be can be sent.
_OF_THE_WEB_PROCESS = ("manager", "cache_by", "priority", "limits", "rate", "on_limit")


class _NotSent:
    """In the place of a function that is not called."""

    def __init__(self, name: str) -> None:
        self.__name__ = self.__qualname__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(self.__name__)


@dataclass(eq=False)
class LongCallback:
    """A function with its dependencies and options.

    Attributes:
        function: what the user wrote.
        options: how to run it.
        registration: how Dash knows it.
        recipe: what it was declared with.
        number: which declaration of its id it is in this process, from 1 on.
        order: which declaration of all it is.
        sent_as: its key where it was declared, if it came here by value.
        reads: hashes of values of its script when it was declared, by name.
        loaded: tells whether its module was loaded again since.
    """

    function: Callable[..., Any]
    options: Options
    registration: Registration
    recipe: Recipe
    number: int = 0
    order: int = 0
    sent_as: str | None = None
    reads: dict[str, str] = field(init=False)
    loaded: Any = field(init=False)

    def __post_init__(self) -> None:
        self.reads = changed_values.read_by(self.function)
        self.loaded = module_load(self.function)

    @property
    def name(self) -> str:
        """The function and what it updates, for messages."""
        function = getattr(self.function, "__qualname__", repr(self.function))
        if self.registration.entry.get("no_output"):  # its id is a hash
            return f"{function} (no outputs)"
        return f"{function} ({self.callback_id})"

    @property
    def conventions(self) -> Conventions:
        """What its code is used to."""
        return self.recipe.conventions

    @property
    def callback_id(self) -> str:
        """Dash's name for it."""
        return self.registration.callback_id

    @property
    def function_name(self) -> str:
        """The function and its module, as a developer looks for it."""
        function = getattr(self.function, "__qualname__", repr(self.function))
        module = getattr(self.function, "__module__", None)
        return function if module in (None, *app_names.MAIN) else f"{module}.{function}"

    @property
    def key(self) -> str:
        """Its name in every process that runs the same app."""
        return self.sent_as or registry.key_of(self)

    @property
    def app_name(self) -> str:
        """What tells its app from others that have the same ids."""
        app = self.registration.app
        if app is None:
            return app_names.module_name(getattr(self.function, "__module__", None))
        return app_names.name_of(app.config.name, app_reference.prefix_of(app))

    @property
    def digest(self) -> str:
        """A hash of the function's code."""
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        return code_digest(self.function)

    @functools.cached_property
    def declaration(self) -> Declaration:
        """What a request must agree with: its inputs, states, outputs and progress."""
        return Declaration.of(self.registration, self.progress_outputs)

    @functools.cached_property
    def argument_names(self) -> list[str]:
        """What its arguments are called, in their order."""
        grouping = self.registration.entry["inputs_state_indices"]
        progress = self.options.progress is not None
        return parameter_names(self.function, grouping, progress=progress)

    @property
    def manager(self) -> Manager | None:
        """The manager that it was declared with; None: its app's."""
        return self.options.manager

    @property
    def queue(self) -> str | None:
        """The queue that it was declared with; None: its manager's."""
        return self.options.queue

    @property
    def handler(self) -> Callable[[Any], Any] | None:
        """The ``on_error``, its own or the app's."""
        return self.options.on_error or internals.app_error_handler(self.registration)

    def is_current(self, request: Mapping[str, Any]) -> bool:
        """Whether a request is for the callback as it is declared in this process.

        Args:
            request: ``internals.context_fields``, and the page's hash as ``"declared"`` if
                there is one: requests that did not come from our browser client have none.
        """
        sent = internals.sent(self.registration, request)
        return self.declaration.fits(sent, request.get("declared"))

    def by_value(self, *, whole: bool) -> Recipe:
        """What a worker that can't import it is sent.

        Args:
            whole: with its function; else with its ``on_error`` only.
        """
        function = self.function
        if not whole:
            function = _NotSent(getattr(function, "__qualname__", ""))
        # The manager and what it keeps belong to the web process, and so does the app, which stays
        # there, too: all but its on_error.
        kept = {**dict.fromkeys(_OF_THE_WEB_PROCESS), "on_error": self.handler}
        kwargs = {**self.recipe.kwargs, **kept}
        app = internals.app_of(self.registration)
        return replace(self.recipe, function=function, kwargs=kwargs, key=self.key, app=app)

    def withdraw(self) -> None:
        """Have Dash forget it."""
        internals.remove(self.registration)

    def outcome(self, run: Run) -> Outcome:
        """Run a job to its end, in a worker."""
        return Execution(run, self).outcome()

    def call(
        self,
        request: bytes,
        sharing: Sharing | None = None,
        owner: str | None = None,
        job_id: str | None = None,
        terms: Terms | None = None,
        not_before: float | None = None,
    ) -> Call:
        """A call of it, for a manager.

        Args:
            request: JSON of the arguments and the context.
            sharing: what makes calls equal; None: each is on its own.
            owner: who asks: what others ask about the job is answered as if there was none.
            job_id: random, from the page, which may then ask twice and start one job only: an
                answer may have got lost on its way. None: made here.
            terms: when its job may begin; None: any time.
            not_before: seconds since 1970, before which it is not to begin. It answers nobody else
                then, and waits for its limits.
        """
        options = self.options
        job = Job(
            job_id or new_job_id(),
            self.key,
            name=self.name,
            owner=owner,
            interval=options.interval,
            timeout=options.timeout,
            handles_errors=self.handler is not None,
            ends_with_page=options.on_disconnect == "cancel",
            digest=self.digest,
            queue=options.queue,
        )
        if options.retry is not None:
            job.waits, job.retried_after = options.retry.waits(), options.retry.states
        if options.start_within is not None:
            job.start_by = (not_before or job.created) + options.start_within
        job.not_before = job.queued = not_before
        if terms is not None:
            job.priority = terms.priority
            job.reserves = terms.reserves and not_before is None
            job.limits, job.rates = terms.limits, terms.rates
        if sharing is None:
            return Call(job, request)
        job.cache_key, job.kept, job.expire = sharing.key, sharing.keep, sharing.expire
        return Call(job, request, sharing.coalesce and not_before is None)

    @property
    def progress_outputs(self) -> list[Output]:
        """The outputs of ``progress``, flat; their indices are the targets of updates."""
        return [] if self.options.progress is None else leaves(self.options.progress)


#: The callbacks of this process, with all that is known of them here: nothing else declares any.
registry = cast("Registry[LongCallback]", process_registry)


def callbacks_of(app: dash.Dash) -> list[LongCallback]:
    """The long callbacks that an app has: its own, and those without an app that it took over."""
    entries = app.callback_map
    return [c for c in registry.all() if entries.get(c.callback_id) is c.registration.entry]
