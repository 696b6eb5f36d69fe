"""The long callbacks of a process, by keys that mean the same in each that runs the app.

What is asked of a callback here, in managers and in executors, is in ``Callback``. Whoever declares
one knows more of it: which framework calls it, how its request becomes arguments.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from dash_long_callback import app_names
from dash_long_callback.worker.run import Runnable


class ByValue(Protocol):
    """A long callback by value: it can be pickled, and declares the callback when it is called."""

    @property
    def function(self) -> Callable[..., Any]:
        """What the user wrote; what stands for it if it is not to be called."""
        ...

    @property
    def kwargs(self) -> dict[str, Any]:
        """What it was declared with, by name."""
        ...

    def __call__(self) -> Callback:
        """Declare the callback in this process, a worker."""
        ...


class Callback(Runnable, Protocol):
    """A long callback, as managers, executors and the registry know it.

    Attributes:
        function: what the user wrote.
        number: which declaration of its id it is in this process, from 1 on.
        order: which declaration of all it is.
        reads: hashes of values of its script when it was declared, by name.
    """

    function: Callable[..., Any]
    number: int
    order: int
    reads: dict[str, str]

    @property
    def callback_id(self) -> str:
        """Its name in its app, the same in every process."""
        ...

    @property
    def app_name(self) -> str:
        """What tells its app from others that have the same ids."""
        ...

    @property
    def key(self) -> str:
        """Its name in every process that runs the same app."""
        ...

    @property
    def name(self) -> str:
        """The function and what it updates, for messages."""
        ...

    @property
    def digest(self) -> str:
        """A hash of the function's code."""
        ...

    @property
    def manager(self) -> object | None:
        """The manager that it was declared with; None: its app's."""
        ...

    @property
    def queue(self) -> str | None:
        """The queue that it was declared with; None: its manager's."""
        ...

    def is_current(self, request: Mapping[str, Any]) -> bool:
        """Whether a request is for the callback as it is declared in this process."""
        ...

    def by_value(self, *, whole: bool) -> ByValue:
        """What a worker that can't import it is sent.

        Args:
            whole: with its function; else with its ``on_error`` only.
        """
        ...

    def withdraw(self) -> None:
        """Take it away from where it was declared."""
        ...


C = TypeVar("C", bound=Callback)


class Registry(Generic[C]):
    """All long callbacks of this process.

    The key of a callback is its id in its app, not its function's name: many apps name every
    callback ``update``. If several apps have a callback of that id, its app is part of the key:

        out.children                 the only one
        out.children#reports         that of the app in the module ``reports``
        out.children~1               an earlier one: the app was made again since, or twice

    The app is not part of a key that needs none, so that a process which imports one app
    understands the keys of another that has several, and the other way round.
    """

    def __init__(self) -> None:
        #: By id, in the order of their declaration, as functions that return them. Those of an app
        #: that was made again live as long as that app.
        self._by_id: dict[str, list[Callable[[], C | None]]] = {}
        #: Modules that made the apps, in their order: importing them declares the callbacks again.
        self.modules: list[str] = []
        #: What declares the callbacks that an app registers at its first request only.
        self.unsettled: list[Callable[[], object]] = []
        self._lock = threading.RLock()
        self._added = 0

    def add(self, callback: C) -> None:
        """Keep a callback. An earlier one of the same id and app makes way."""
        base = callback.callback_id
        with self._lock:
            alike = [(get, c) for get in self._by_id.get(base, ()) if (c := get()) is not None]
            callback.number = max((c.number for _, c in alike), default=0) + 1
            self._added += 1
            callback.order = self._added
            self._by_id[base] = [
                *(weakref.ref(c) if c.app_name == callback.app_name else get for get, c in alike),
                lambda: callback,
            ]

    def remove(self, callback: C) -> None:
        """Forget a callback, and take it away from where it was declared."""
        base = callback.callback_id
        callback.withdraw()
        with self._lock:
            gets = self._by_id.get(base, ())
            self._by_id[base] = [get for get in gets if get() not in (None, callback)]

    def key_of(self, callback: C) -> str:
        """The name of a callback in every process that runs the same app."""
        base = callback.callback_id
        alike = self.alike(base)
        if all(c is callback for c in alike):  # mostly; to find an app's name takes longer
            return base
        name = callback.app_name
        same = [c for c in alike if c.app_name == name]
        key = base if len(same) == len(alike) else f"{base}#{name}"
        newest = not same or same[-1] is callback
        return key if newest else f"{key}~{callback.number}"

    def get(self, key: str, digest: str | None = None) -> C | None:
        """The callback that this key names in this process, or in another that runs the same app.

        Args:
            key: of a callback.
            digest: of its code, to choose from several that may be meant.
        """
        base, name, number = self._parse(key)
        alike = self.alike(base)
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

    def all(self) -> list[C]:
        """All callbacks, in the order of their declaration."""
        found = [c for base in list(self._by_id) for c in self.alike(base)]
        return sorted(found, key=lambda c: c.order)

    def alike(self, callback_id: str) -> list[C]:
        """All callbacks of an id, in the order of their declaration: of several apps, or of one."""
        return [c for get in self._by_id.get(callback_id, ()) if (c := get()) is not None]

    def digests(self) -> dict[str, str]:
        """The code of each callback of this process, by every key that names it."""
        found: dict[str, str] = {}
        for callback in self.all():
            base = callback.callback_id
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
registry: Registry[Callback] = Registry()
