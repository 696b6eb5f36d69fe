"""What a long callback is once it is declared, and where all of them are found."""

from __future__ import annotations

import functools
import hashlib
import threading
import weakref
from dataclasses import dataclass, field
from types import CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Protocol

from dash_long_callback import app_names, changed_values, dash_internals
from dash_long_callback.declaration import Declaration
from dash_long_callback.declaration_checks import module_load
from dash_long_callback.execution import Execution
from dash_long_callback.grouping import leaves
from dash_long_callback.jobs import Call, Job, new_job_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from dash import Output

    from dash_long_callback.dash_internals import Registration
    from dash_long_callback.jobs import Outcome, Sharing
    from dash_long_callback.options import Options
    from dash_long_callback.worker.run import Run


class Declared(Protocol):
    """A long callback by value. Calling it declares the callback again; it may be pickled."""

    def __call__(self) -> LongCallback:
        """Declare the callback in this process, for no app."""
        ...

    def without_function(self) -> Declared:
        """The same but for the function: enough to call its ``on_error``."""
        ...


@dataclass
class LongCallback:
    """A function with its dependencies and options.

    Attributes:
        function: what the user wrote.
        options: how to run it.
        registration: how Dash knows it.
        recipe: declares it again when called; can be pickled, for a worker that can't import it.
        number: which declaration of its id it is in this process, from 1 on.
        order: which declaration of all it is.
        loaded: tells whether its module was loaded again since.
        arguments: positional and keyword ones of its declaration.
        reads: hashes of values of its script when it was declared, by name.
    """

    function: Callable[..., Any]
    options: Options
    registration: Registration
    recipe: Declared
    number: int = field(default=0, compare=False)
    order: int = field(default=0, compare=False)
    reads: dict[str, str] = field(init=False)
    loaded: Any = field(init=False, repr=False, compare=False)
    arguments: tuple[tuple[Any, ...], dict[str, Any]] = field(
        default=((), {}), init=False, repr=False, compare=False
    )
    _key: str | None = field(default=None, init=False, compare=False)

    def __post_init__(self) -> None:
        self.reads = changed_values.read_by(self.function)
        self.loaded = module_load(self.function)

    @property
    def name(self) -> str:
        """The function and what it updates, for messages."""
        function = getattr(self.function, "__qualname__", repr(self.function))
        if self.registration.entry.get("no_output"):  # its id is a hash
            return f"{function} (no outputs)"
        return f"{function} ({self.registration.callback_id})"

    @property
    def function_name(self) -> str:
        """The function and its module, as a developer looks for it."""
        function = getattr(self.function, "__qualname__", repr(self.function))
        module = getattr(self.function, "__module__", None)
        return function if module in (None, *app_names.MAIN) else f"{module}.{function}"

    @property
    def key(self) -> str:
        """Its name in every process that runs the same app."""
        return self._key or registry.key_of(self)

    @key.setter
    def key(self, key: str) -> None:
        self._key = key

    @property
    def app_name(self) -> str:
        """What tells its app from others that have the same ids."""
        return app_names.name_of(self.registration.app, self.function)

    @functools.cached_property
    def digest(self) -> str:
        """A hash of the function's code."""
        return code_digest(self.function)

    @functools.cached_property
    def declaration(self) -> Declaration:
        """What a request must agree with: its inputs, states, outputs and progress."""
        return Declaration.of(self.registration, self.progress_outputs)

    @property
    def ends_with_page(self) -> bool:
        """Whether its jobs are cancelled when their page has gone."""
        return self.options.on_disconnect == "cancel"

    @property
    def handler(self) -> Callable[[Any], Any] | None:
        """The ``on_error``, its own or the app's."""
        return self.options.on_error or dash_internals.app_error_handler(self.registration)

    @property
    def handles_errors(self) -> bool:
        """Whether there is one."""
        return self.handler is not None

    def outcome(self, run: Run) -> Outcome:
        """Run a job to its end, in a worker."""
        return Execution(run, self).outcome()

    def call(
        self,
        request: bytes,
        sharing: Sharing | None = None,
        owner: str | None = None,
        job_id: str | None = None,
    ) -> Call:
        """A call of it, for a manager.

        Args:
            request: JSON of the arguments and the context.
            sharing: what makes calls equal; None: each is on its own.
            owner: who asks: what others ask about the job is answered as if there was none.
            job_id: random, from the page, which may then ask twice and start one job only: an
                answer may have got lost on its way. None: made here.
        """
        options = self.options
        job = Job(
            job_id or new_job_id(),
            self.key,
            name=self.name,
            owner=owner,
            interval=options.interval,
            timeout=options.timeout,
            handles_errors=self.handles_errors,
            ends_with_page=self.ends_with_page,
            digest=self.digest,
            queue=options.queue,
            priority=options.priority,
        )
        if sharing is None:
            return Call(job, request)
        job.cache_key, job.kept, job.expire = sharing.key, sharing.keep, sharing.expire
        return Call(job, request, sharing.coalesce)

    @property
    def progress_outputs(self) -> list[Output]:
        """The outputs of ``progress``, flat; their indices are the targets of updates."""
        return [] if self.options.progress is None else leaves(self.options.progress)


class Registry:
    """All long callbacks of this process.

    The key of a callback is its id of Dash, not its function's name: many apps name every callback
    ``update``. If several apps have a callback of that id, its app is part of the key:

        out.children                 the only one
        out.children#reports         that of the app in the module ``reports``
        out.children~1               an earlier one: the app was made again since, or twice

    The app is not part of a key that needs none, so that a process which imports one app
    understands the keys of another that has several, and the other way round.
    """

    def __init__(self) -> None:
        #: In the order of their declaration, as functions that return them. Those of an app that
        #: was made again live as long as that app.
        self._callbacks: dict[int, Callable[[], LongCallback | None]] = {}
        #: Their places there, by id.
        self._by_id: dict[str, tuple[int, ...]] = {}
        #: Modules that made the apps, in their order: importing them declares the callbacks again.
        self.modules: list[str] = []
        #: What declares the callbacks that an app registers at its first request only.
        self.unsettled: list[Callable[[], object]] = []
        self._lock = threading.RLock()
        self._added = 0

    def add(self, callback: LongCallback) -> None:
        """Keep a callback. An earlier one of the same id and app makes way."""
        base = callback.registration.callback_id
        with self._lock:
            alike = self._alike(base)
            callback.number = max((c.number for c in alike), default=0) + 1
            self._added += 1
            callback.order = self._added
            for other in alike:
                if other.app_name == callback.app_name:
                    self._callbacks[other.order] = weakref.ref(other)
            self._callbacks[callback.order] = lambda: callback
            orders = (*(c.order for c in alike), callback.order)
            for gone in {*self._by_id.get(base, ())} - {*orders}:
                del self._callbacks[gone]
            self._by_id[base] = orders

    def former(self, callback: LongCallback) -> LongCallback | None:
        """The callback that has the same id where this one is declared, if there is one."""
        for other in self._alike(callback.registration.callback_id):
            same = other.registration.app is callback.registration.app
            if same and dash_internals.is_there(other.registration):
                return other
        return None

    def remove(self, callback: LongCallback) -> None:
        """Forget a callback, and have Dash forget it."""
        base = callback.registration.callback_id
        dash_internals.remove(callback.registration)
        with self._lock:
            self._callbacks.pop(callback.order, None)
            self._by_id[base] = tuple(c.order for c in self._alike(base))

    def key_of(self, callback: LongCallback) -> str:
        """The name of a callback in every process that runs the same app."""
        base = callback.registration.callback_id
        alike = self._alike(base)
        if not any(c is not callback for c in alike):
            return base
        name = callback.app_name
        same = [c for c in alike if c.app_name == name]
        key = base if len(same) == len(alike) else f"{base}#{name}"
        newest = not same or same[-1] is callback
        return key if newest else f"{key}~{callback.number}"

    def get(self, key: str, digest: str | None = None) -> LongCallback | None:
        """The callback that this key names in this process, or in another that runs the same app.

        Args:
            key: of a callback.
            digest: of its code, to choose from several that may be meant.
        """
        base, name, number = self._parse(key)
        alike = self._alike(base)
        if len(alike) == 1 and name is None:
            return alike[0]
        if name is not None:
            same = [c for c in alike if c.app_name == name]
            alike = same or [c for c in alike if app_names.may_be_same(c.app_name, name)]
            if len({c.app_name for c in alike}) > 1:
                return None
        numbered = [c for c in alike if c.number == number]
        fitting = numbered or [c for c in alike if digest and c.digest == digest] or alike
        # Without a name it was the only app when the key was made: the first, if there are more.
        found = [c for c in fitting if c.app_name == fitting[0].app_name]
        return found[-1] if found else None

    def all(self) -> list[LongCallback]:
        """All callbacks, in the order of their declaration."""
        return [c for get in list(self._callbacks.values()) if (c := get()) is not None]

    def digests(self) -> dict[str, str]:
        """The code of each callback of this process, by every key that names it."""
        found: dict[str, str] = {}
        for callback in self.all():
            base = callback.registration.callback_id
            for key in (base, callback.key, f"{base}#{callback.app_name}"):
                named = self.get(key)
                assert named is not None
                found[key] = named.digest
        return found

    def settle(self) -> None:
        """Have apps register what they would register at their first request.

        For workers, which get no request.
        """
        for register in self.unsettled:
            register()

    def _alike(self, base: str) -> list[LongCallback]:
        gets = [self._callbacks.get(order) for order in self._by_id.get(base, ())]
        return [c for get in gets if get is not None and (c := get()) is not None]

    def _parse(self, key: str) -> tuple[str, str | None, int | None]:
        """Id, app and number. Ids may have any character in them."""
        if key in self._by_id:
            return key, None, None
        stem, tilde, number = key.rpartition("~")
        if tilde and number.isdigit():
            base, name, _ = self._parse(stem)
            return base, name, int(number)
        base, _, name = key.rpartition("#")
        return (base, name, None) if base else (key, None, None)


#: The callbacks of this process.
registry = Registry()


def code_digest(function: Callable[..., Any]) -> str:
    """A hash of what a function does: its bytecode, defaults and plain closed-over values.

    Line numbers and file names do not count: a comment does not make another function.
    """
    digest = hashlib.sha256()
    code: Any = getattr(function, "__wrapped__", function)
    if not isinstance(code, (FunctionType, MethodType, functools.partial)):
        # An object that can be called: what that does is written in its class.
        call: Any = type(code).__call__
        code = call if isinstance(call, FunctionType) else code
    _feed(digest.update, code, 0, set())
    return digest.hexdigest()[:32]


#: How deep functions and containers are followed; what is deeper counts by its type.
_DEPTH = 12


def _feed(update: Callable[[bytes], object], value: Any, depth: int, seen: set[int]) -> None:
    if isinstance(value, (str, bytes, int, float, complex, type(None), type(...))):
        update(f"{type(value).__name__}:{value!r};".encode())
        return
    # The brackets tell ((1, 2), 3) from (1, (2, 3)).
    update(f"{type(value).__qualname__}(".encode())
    # Closures that refer to each other are followed once. Not so tuples: whether two equal ones
    # are the same object is up to the process.
    again = isinstance(value, (FunctionType, list, dict)) and id(value) in seen  # pyright: ignore[reportUnknownArgumentType]
    seen.add(id(value))  # pyright: ignore[reportUnknownArgumentType]
    for part in _parts(value) if depth < _DEPTH and not again else ():
        _feed(update, part, depth + 1, seen)
    update(b")")


def _parts(value: Any) -> list[Any]:
    """What a value that is not plain is made of, as far as that says what a function does."""
    if isinstance(value, FunctionType):
        return [value.__code__, value.__defaults__, value.__kwdefaults__, *_cells(value)]
    if isinstance(value, CodeType):
        return [
            value.co_code,
            value.co_flags,
            # `def f(a, b)` and `def f(a, *, b)` have the same bytecode.
            (value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount),
            (value.co_names, value.co_varnames, value.co_freevars),
            value.co_consts,
        ]
    if isinstance(value, MethodType):
        return [value.__func__]
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]  # pyright: ignore[reportUnknownMemberType]
    if isinstance(value, (list, tuple)):
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, (set, frozenset)):
        # Their order differs from process to process.
        return sorted(map(repr, value))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, dict):
        return [part for item in value.items() for part in item]  # pyright: ignore[reportUnknownVariableType]
    return []


def _cells(function: FunctionType) -> list[Any]:
    found: list[Any] = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # not filled yet, as in a function that refers to itself
            found.append(None)
    return found
