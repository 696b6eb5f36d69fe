"""The function that makes the app, named to a manager: ``app="module:function"``.

An app that is made in a function is made by who calls it: ``gunicorn "app:create_server()"``, or
what is below the main guard. Workers import modules and call nothing. So they are told what to
call, and have all callbacks as the server has them.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import operator
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dash_long_callback.errors import RegistrationError

_FORM = (
    'must name the function that makes the app, as "module:function", or as gunicorn takes it: '
    "\"module:function('an argument')\""
)

#: What tells an app, or its server, from a function that makes one.
is_made: list[Callable[[Any], bool]] = []

#: What was called in this process, or in the one that it was forked from.
_called: dict[str, Any] = {}


def check(named: Any) -> str | None:
    """Check a manager's ``app``.

    Raises:
        RegistrationError: if it does not name anything.
    """
    if named is not None:
        _parse(named)
    return named


def call(named: str) -> None:
    """Make the app in this process, once.

    Raises:
        RegistrationError: if there is no such function.
        Exception: what the function raises.
    """
    if named in _called:
        return
    module, function, args, kwargs = _parse(named)
    imported = _module(module)
    try:
        value: Any = operator.attrgetter(function)(imported)
    except AttributeError:
        raise RegistrationError(f"app={named!r}: the module {module} has no {function}") from None
    # A server is callable, too, but nobody has to: the app was made by the import.
    if not any(is_one(value) for is_one in is_made):
        if not callable(value):
            raise RegistrationError(f"app={named!r}: {function} is not a function, but {value!r}")
        value = value(*args, **kwargs)
    _called[named] = value  # kept, as a server keeps it


def _module(name: str) -> Any:
    """Import a module; the script itself is not imported a second time."""
    script = sys.modules.get("__mp_main__")
    path = getattr(script, "__file__", None)
    if script is not None and path is not None and name not in sys.modules:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None and Path(spec.origin).samefile(path):
            return script
    return importlib.import_module(name)


def _parse(named: Any) -> tuple[str, str, list[Any], dict[str, Any]]:
    module, _, text = named.partition(":") if isinstance(named, str) else ("", "", "")
    try:
        node = ast.parse(text, mode="eval").body
        call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
        function = ast.unparse(call.func)
        args = [ast.literal_eval(arg) for arg in call.args]
        kwargs = {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
        if all(name.isidentifier() for name in f"{module}.{function}".split(".")):
            return module, function, args, kwargs
    except (SyntaxError, ValueError):
        pass
    raise RegistrationError(f"app={named!r} {_FORM}")
