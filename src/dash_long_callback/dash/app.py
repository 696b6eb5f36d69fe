"""``Dash``: ``dash.Dash`` with long callbacks; ``plug()`` for apps of another class."""

from __future__ import annotations

import signal
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import dash

from dash_long_callback.dash import app_reference, background, dash_proxy, internals
from dash_long_callback.dash.app_checks import check_app
from dash_long_callback.dash.app_reference import MANAGER
from dash_long_callback.dash.callbacks import LongCallback, callbacks_of, registry
from dash_long_callback.dash.client_config import client_config
from dash_long_callback.dash.decorator import F, declare, register
from dash_long_callback.dash.options import Keywords, signature_of
from dash_long_callback.dash.texts import Texts, check_texts
from dash_long_callback.errors import OwnerUnknown, RegistrationError
from dash_long_callback.executors.local import election, importing
from dash_long_callback.managers.base import Manager
from dash_long_callback.managers.diskcache import DiskcacheLongCallbackManager
from dash_long_callback.server import access_log
from dash_long_callback.server.owner import owner_of
from dash_long_callback.server.pacing import Pacing, pacer_of, set_pacing
from dash_long_callback.server.routes import add_routes

if TYPE_CHECKING:
    from typing_extensions import Unpack

A = TypeVar("A", bound=dash.Dash)

#: Set on an app that was plugged by us, so that its author may still plug it with a manager.
AUTOMATIC = "_long_callback_automatic"


class Dash(dash.Dash):
    """A ``dash.Dash`` that runs long callbacks.

    Args:
        *args: as ``dash.Dash``.
        long_callback_manager: runs the app's long callbacks. None: an embedded one is made on
            first use, in a folder for this app below the user's cache directory.
        long_callback_pacing: how the server paces the pages that wait for jobs. None: one
            ``Pacing()`` for all apps of the process that do not say.
        long_callback_notices: whether a page shows a notice when a long callback did not succeed,
            no ``on_error`` has dealt with it, and it has neither an indicator nor a ``status``.
        long_callback_indicator: whether long callbacks have an indicator that do not say so
            themselves.
        long_callback_texts: what indicators and notices say, by language and name, in place of
            their own words or beside them: ``{"de": {"running": "Läuft"}}``.
        **kwargs: as ``dash.Dash``.

    Raises:
        RegistrationError: if ``long_callback_manager`` is not a manager, or another of these
            arguments is of the wrong type.

    Examples:
        >>> app = Dash(__name__)
        >>> @app.long_callback(Output("result", "children"), Input("run", "n_clicks"))
        ... def work(n_clicks):
        ...     return n_clicks
    """

    def __init__(
        self,
        *args: Any,
        long_callback_manager: Manager | None = None,
        long_callback_pacing: Pacing | None = None,
        long_callback_notices: bool = True,
        long_callback_indicator: bool = False,
        long_callback_texts: Texts | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        shown = _Shown(long_callback_notices, long_callback_indicator, long_callback_texts)
        _plug(self, long_callback_manager, long_callback_pacing, shown)

    def long_callback(self, *args: Any, **kwargs: Unpack[Keywords]) -> Callable[[F], F]:
        """Declare a callback of this app that may take seconds to hours.

        Takes the arguments of ``dash_long_callback.long_callback``, which describes them.
        """
        return declare(self, args, {**kwargs})

    long_callback.__signature__ = signature_of(long_callback)  # type: ignore[attr-defined]

    @property
    def long_callback_manager(self) -> Manager:
        """The manager of the app's long callbacks."""
        return manager_of(self)

    # A property, as Dash's FastAPI backend looks for the app in the frame that calls `run`: a
    # function of ours would be that frame.
    @property
    def run(self) -> Callable[..., None]:  # type: ignore[override]
        """Start the development server, as ``dash.Dash.run``.

        In a worker process, which imports the app's module, this does nothing: ``app.run()`` needs
        no ``if __name__ == "__main__"`` around it.
        """
        if importing.is_importing():
            return lambda *_args, **_kwargs: None
        prepare_development_server()
        return super().run


def plug(
    app: A,
    long_callback_manager: Manager | None = None,
    long_callback_pacing: Pacing | None = None,
    long_callback_notices: bool = True,
    long_callback_indicator: bool = False,
    long_callback_texts: Texts | None = None,
) -> A:
    """Give an app of another class, such as ``dash.Dash`` or ``DashProxy``, long callbacks.

    Args:
        app: any ``dash.Dash``. Gets ``long_callback`` and ``long_callback_manager``.
        long_callback_manager: as for ``Dash``.
        long_callback_pacing: as for ``Dash``.
        long_callback_notices: as for ``Dash``.
        long_callback_indicator: as for ``Dash``.
        long_callback_texts: as for ``Dash``.

    Returns:
        The app itself.

    Raises:
        RegistrationError: if ``app`` is not a Dash app or was plugged already, or another argument
            is of the wrong type.

    Examples:
        >>> app = plug(dash.Dash(__name__))
        >>> @app.long_callback(Output("result", "children"), Input("run", "n_clicks"))
        ... def work(n_clicks):
        ...     return n_clicks
    """
    if not isinstance(app, internals.App):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise RegistrationError(f"plug() takes a dash.Dash, got {app!r}")
    if is_plugged(app) and not vars(app).pop(AUTOMATIC, False):
        raise RegistrationError("this app has long callbacks already: leave plug() out")
    again = is_plugged(app)
    shown = _Shown(long_callback_notices, long_callback_indicator, long_callback_texts)
    _plug(app, long_callback_manager, long_callback_pacing, shown)
    added: Any = app

    def long_callback(*args: Any, **kwargs: Any) -> Callable[[F], F]:
        return declare(app, args, kwargs)

    run: Any = app.run

    def guarded_run(*args: Any, **kwargs: Any) -> None:
        if not importing.is_importing():
            prepare_development_server()
            run(*args, **kwargs)

    added.long_callback = long_callback
    if internals.backend_of(app) == "flask" and not again:  # see Dash.run
        added.run = guarded_run
    added.long_callback_manager = manager_of(app)
    return app


#: Set on an app: what its pages show by themselves.
SHOWN = "_long_callback_shown"
#: What a page has for that.
_NOTICES = ("browser/notice.js", "browser/notice.css")
_INDICATOR = ("browser/indicator.js", "browser/indicator.css")


@dataclass(frozen=True)
class _Shown:
    """What the pages of an app show of long callbacks, by themselves."""

    notices: bool
    indicator: bool
    texts: Texts | None

    def __post_init__(self) -> None:
        for name in ("notices", "indicator"):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise RegistrationError(f"long_callback_{name}={value!r} must be True or False")
        check_texts(self.texts)


def manager_of(app: dash.Dash) -> Manager:
    """The manager of a plugged app."""
    return vars(app)[MANAGER]


def is_plugged(app: dash.Dash) -> bool:
    """Whether an app has long callbacks."""
    return MANAGER in vars(app)


def background_manager(app: dash.Dash) -> Manager | None:
    """A manager of ours that an app was given as Dash's."""
    manager = internals.background_manager(app)
    return manager if isinstance(manager, Manager) else None


def _plug(app: dash.Dash, manager: Manager | None, pacing: Pacing | None, shown: _Shown) -> None:
    if importing.is_importing():
        importing.serve_nothing()
    if manager is not None and not isinstance(manager, Manager):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise RegistrationError(
            f"long_callback_manager={manager!r} is not a manager; pass a "
            "DiskcacheLongCallbackManager, or nothing for the embedded default"
        )
    if pacing is not None and not isinstance(pacing, Pacing):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise RegistrationError(f"long_callback_pacing={pacing!r} is not a Pacing(...)")
    given = background_manager(app)
    if given is not None and manager not in (None, given):
        raise RegistrationError(
            "background_callback_manager and long_callback_manager are two managers: give the one "
            "for long callbacks as long_callback_manager, and leave the other out"
        )
    if (module := app.config.name) in sys.modules and module not in registry.modules:
        registry.modules.append(module)
    installed = is_plugged(app)
    vars(app)[MANAGER] = manager or given or DiskcacheLongCallbackManager()
    set_pacing(app, pacing)
    if not installed:
        _install(app)
    vars(app)[SHOWN] = shown
    internals.stop_serving(app, _NOTICES)  # what was plugged by itself has them
    if shown.notices:
        _serve(app, *_NOTICES)


def _install(app: dash.Dash) -> None:
    """Add to an app what no argument changes."""
    app_reference.remember(app)
    app.scripts.append_script(_served("browser/long_callback.js"))
    _serve(app, *_INDICATOR)
    add_routes(app)
    interpolate: Any = app.interpolate_index

    def interpolate_index(*args: Any, **kwargs: Any) -> str:
        # Each page load comes by here, before the first click: time to have workers ready.
        access_log.quiet()
        background.take_over(app)  # what was declared since
        callbacks = callbacks_of(app)
        check_app(app, callbacks, manager_of(app))
        for used in dict.fromkeys(c.options.manager or manager_of(app) for c in callbacks):
            used.ensure_running()
        kwargs["scripts"] = _config_tag(app, callbacks) + kwargs["scripts"]
        return interpolate(*args, **kwargs)

    app.interpolate_index = interpolate_index  # type: ignore[method-assign]
    if dash_proxy.is_proxy(app):
        dash_proxy.prepare(app, register, background.take_over)
    known = weakref.ref(app)

    def settle() -> None:
        if (one := known()) is not None:
            background.take_over(one)

    registry.unsettled.append(settle)


def _serve(app: dash.Dash, script: str, style: str) -> None:
    app.scripts.append_script(_served(script))
    app.css.append_css(_served(style))


def _served(path: str) -> Any:
    """A file of this package, served like those of component libraries."""
    return {"relative_package_path": path, "namespace": "dash_long_callback"}


def prepare_development_server() -> None:
    """Have SIGTERM end a development server as Ctrl-C does, so that the workers end, too."""
    election.development = True
    if (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    ):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def _config_tag(app: dash.Dash, callbacks: list[LongCallback]) -> str:
    """What the browser client needs to know: data in the page, so that no request is needed."""
    pacing, manager = pacer_of(app).pacing, manager_of(app)
    shown: _Shown = vars(app)[SHOWN]
    config: dict[str, Any] = {
        "patience": pacing.patience,
        "stream": pacing.stream and internals.backend_of(app) != "flask",
        "texts": shown.texts or {},
        "callbacks": {
            c.callback_id: client_config(c, manager, indicator=shown.indicator) for c in callbacks
        },
    }
    with suppress(OwnerUnknown):  # the log says why; the page leaves alone what its tab remembers
        config["owner"] = owner_of(app)
    # In HTML, only "</" could end the element early; in JSON, "<\\/" is the same string.
    data = internals.to_json_bytes(config).decode().replace("</", "<\\/")
    return f'<script id="_dash-long-callbacks" type="application/json">{data}</script>\n'
