"""``LongCallbacks``: what the fixture ``long_callbacks`` is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import dash

from dash_long_callback.dash import plain_apps
from dash_long_callback.dash.app import manager_of
from dash_long_callback.dash.callbacks import LongCallback, callbacks_of
from dash_long_callback.managers.base import Manager
from dash_long_callback.testing.client import Client
from dash_long_callback.testing.engine import Engine
from dash_long_callback.testing.jobs import Jobs
from dash_long_callback.testing.page import Page
from dash_long_callback.testing.patterns import prop_id, split
from dash_long_callback.testing.retrigger import Triggers
from dash_long_callback.testing.run import CallbackRun
from dash_long_callback.testing.trigger import chosen_of, initial, nothing_follows, triggered
from dash_long_callback.testing.values import value_for

if TYPE_CHECKING:
    from typing_extensions import Self

_MODES = ("inline", "manual", "real")


class LongCallbacks:
    """Triggers long callbacks of apps as their pages do. The fixture ``long_callbacks`` is one.

    In the modes ``"inline"`` and ``"manual"`` jobs run in this process, and are kept in memory: no
    manager uses its folder, its Redis or its broker meanwhile. What is set is put back at the end.

    Args:
        mode: ``"inline"``: a job has ended when ``click`` returns. ``"manual"``: it waits until
            ``run_next``, and the clock of the queue stands still until ``advance``. ``"real"``:
            the app's own manager runs it, and ``click`` waits for its end.

    Raises:
        ValueError: if the mode is none of these.

    Examples:
        >>> def test_report(long_callbacks):
        ...     run = long_callbacks.click(app, "run.n_clicks", 3)
        ...     assert run.outputs == {"report.children": "Run 3 is done."}
    """

    def __init__(self, mode: str = "inline") -> None:
        if mode not in _MODES:
            known = ", ".join(map(repr, _MODES))
            raise ValueError(f"LongCallbacks({mode!r}): the mode is one of {known}")
        self._mode = mode
        self._engine = None if mode == "real" else Engine(manual=mode == "manual")
        self._jobs = Jobs(self._engine)
        self._triggers = Triggers(self._jobs, self._engine)
        self._pages: dict[dash.Dash, Page] = {}
        self._clients: dict[dash.Dash, Client] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._engine is not None:
            self._stack.enter_context(self._engine.installed())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def runs(self) -> list[CallbackRun]:
        """All runs of this test, in the order in which they were triggered.

        Also those of ``submit``, once they have begun; in the mode ``"real"`` without these.
        """
        return list(self._jobs.all())

    def click(
        self,
        app: dash.Dash,
        name: str,
        value: Any = ...,
        *,
        state: Mapping[str, Any] | None = None,
        callback: Callable[..., Any] | str | None = None,
        user: Any = ...,
        cookies: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> CallbackRun:
        """Change a property as a user does: what has it as an ``Input`` or a ``cancel`` follows.

        All long callbacks that have it as an ``Input`` are triggered; ordinary ones are not. The
        page is that of the app's layout, which is loaded with the first click.

        Args:
            app: whose page it is.
            name: the property, as ``"id.property"``; ``prop_id`` makes it of an id that is a dict.
            value: what it is set to. Default: of ``n_clicks``, one more; else as it is.
            state: values of other properties, by ``"id.property"``, which are set before.
            callback: which of several that are triggered the answer is to be of: its function, or
                one of its outputs as ``"id.property"``.
            user: whose page it is from now on, as the manager's ``user`` returns it; None:
                nobody's.
            cookies: that the browser has from now on.
            headers: that this request has.

        Returns:
            The run. For a change that cancels, the run that was cancelled.

        Raises:
            ValueError: if the page has no such property, no long callback has it as an Input or a
                cancel, or several have it and ``callback`` does not say which is meant. The message
                names those that there are.
            TypeError: if a value is not JSON.
            LongCallbackError: if the app does not answer, or the layout lacks a component.

        Examples:
            >>> run = long_callbacks.click(app, "run.n_clicks", 3, state={"year.value": 2024})
        """
        page = self._page(app, user, cookies)
        for other, one in (state or {}).items():
            page[other] = one
        component_id, prop = split(name)
        name = prop_id(component_id, prop)
        found = triggered(page, self._callbacks(app), component_id, prop)
        stopped = self._triggers.cancelled_by(page, component_id, prop)
        chosen = chosen_of(name, found, callback)
        if chosen is None and not stopped:
            raise ValueError(nothing_follows(self._callbacks(app), name, self._mode))
        if not page.has(component_id, {}):
            raise ValueError(page.missing(name))
        if value is ...:
            before = page[name]
            value = (before or 0) + 1 if prop == "n_clicks" else before
        page.put(name, value_for(name, value))
        for one in stopped:
            self._triggers.cancel(one, headers or {})
        runs = self._triggers.fire(found, headers or {})
        return stopped[0].run if chosen is None else runs[found.index(chosen)]

    def load(
        self,
        app: dash.Dash,
        path: str = "/",
        *,
        user: Any = ...,
        cookies: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> list[CallbackRun]:
        """Load the page of an app anew: its layout, and the initial calls of its long callbacks.

        Args:
            app: which.
            path: of one of the app's pages, where it has several.
            user: as for ``click``.
            cookies: as for ``click``.
            headers: as for ``click``.

        Returns:
            The runs of those that have no ``prevent_initial_call``, as they were declared. As in a
            browser, one that has an output or an input that the page does not have is not called.

        Raises:
            LongCallbackError: if the app does not answer.

        Examples:
            >>> [run] = long_callbacks.load(app, "/reports")
        """
        page = self._page(app, user, cookies, path)
        return self._triggers.fire(initial(page, self._callbacks(app)), headers or {})

    def page(self, app: dash.Dash) -> Page:
        """The page of an app: ``page["id.property"]`` is a value, and can be set.

        Args:
            app: which.
        """
        return self._page(app, ..., None)

    def client(self, app: dash.Dash) -> Any:
        """Flask's test client that the page's requests are sent with: to log in, for example.

        Args:
            app: which.

        Raises:
            LongCallbackError: if the app does not run on Flask.

        Examples:
            >>> long_callbacks.client(app).post("/login", data={"name": "ann"})
        """
        return self._client(app).flask

    def run_next(self) -> CallbackRun:
        """Run the job that is next in the queue, by its priority and its limits, to its end.

        Returns:
            Its run, also if code has asked for the job with ``submit``. One that is to be tried
            again waits once more.

        Raises:
            LookupError: if none may begin now. The message says what waits.
            RuntimeError: in another mode than ``"manual"``.
        """
        engine = self._manual("run_next")
        job = engine.run_next()
        if job is None:
            raise LookupError(f"no job may begin now: {self._triggers.shown()}")
        self._triggers.go_on()
        return self._jobs.run_of(job.id)

    def run_all(self) -> list[CallbackRun]:
        """Run what waits, one after the other, until no job may begin.

        Returns:
            Their runs, each once.

        Raises:
            RuntimeError: in another mode than ``"manual"``.
        """
        engine = self._manual("run_all")
        found: list[CallbackRun] = []
        while (job := engine.run_next()) is not None:
            self._triggers.go_on()
            run = self._jobs.run_of(job.id)
            found += [run] if run not in found else []
        return found

    def advance(self, seconds: float) -> None:
        """Let time pass, on the clock of the queue alone.

        Retries, ``delay`` and ``at`` of ``submit``, ``debounce``, ``start_within``, rates and kept
        results go by it. Called while a function runs, as by what stands for a slow service, it
        lets its ``timeout`` pass. Jobs that may begin wait for ``run_next``.

        Args:
            seconds: how many, from 0 on.

        Raises:
            ValueError: if it is not such a number.
            RuntimeError: in another mode than ``"manual"``.

        Examples:
            >>> long_callbacks.advance(60)
            >>> run = long_callbacks.run_next()
        """
        if not seconds >= 0:
            raise ValueError(f"advance({seconds!r}): give a number of seconds from 0 on")
        self._manual("advance")
        self._triggers.advance(seconds)

    def _manual(self, method: str) -> Engine:
        if self._mode != "manual" or self._engine is None:
            raise RuntimeError(
                f"long_callbacks.{method}() is for jobs that wait until the test says so, and this "
                f'is the mode {self._mode!r}: mark the test @pytest.mark.long_callbacks("manual")'
            )
        return self._engine

    def _client(self, app: dash.Dash) -> Client:
        if app not in self._clients:
            if not isinstance(app, dash.Dash):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"give the Dash app, got {app!r}")
            plain_apps.ensure(app)
            self._clients[app] = Client(app)
        return self._clients[app]

    def _page(
        self, app: dash.Dash, user: Any, cookies: Mapping[str, str] | None, path: str | None = None
    ) -> Page:
        client = self._client(app)
        client.set_cookies(cookies or {})
        page = self._pages.get(app) or Page(app, client)
        if user is not ...:
            page.user = (user,)
        if path is not None or app not in self._pages:
            self._triggers.leave(page)
            page.load(path or "/")
        self._pages[app] = page
        return page

    def _callbacks(self, app: dash.Dash) -> list[tuple[LongCallback, Manager]]:
        return [(c, c.options.manager or manager_of(app)) for c in callbacks_of(app)]
