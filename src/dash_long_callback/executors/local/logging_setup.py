"""Carries the logging settings of the web process to its workers.

``logging.basicConfig()`` is often called below ``if __name__ == "__main__"``, which workers do not
run. Levels are carried, and plain handlers of the root logger: to stderr, to stdout, and to a file
that is appended to. A handler of another kind (one that rotates its file, or begins it anew, a
socket), or with a filter or a formatter of another class, is not: two processes can't use it, or it
can't be sent.
Loggers' own handlers are not carried either, so that no line is printed twice.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

from dash_long_callback.fault_log import log


def describe() -> dict[str, Any]:
    """The settings of this process, as plain values."""
    root = logging.getLogger()
    named = dict(logging.Logger.manager.loggerDict)
    return {
        "levels": {
            name: logger.level
            for name, logger in named.items()
            if isinstance(logger, logging.Logger) and logger.level
        },
        "root": root.level,
        "handlers": [found for handler in list(root.handlers) if (found := _describe(handler))],
    }


def apply(settings: dict[str, Any]) -> None:
    """Set up logging in a worker as ``describe`` has said.

    What the app sets when it is imported comes first: the root logger's handlers are added only if
    it has none.

    Args:
        settings: from ``describe``.
    """
    root = logging.getLogger()
    for name, level in settings["levels"].items():
        logging.getLogger(name).setLevel(level)
    root.setLevel(settings["root"])
    if root.handlers:
        return
    for handler in settings["handlers"]:
        try:
            root.addHandler(_make(handler))
        except OSError as error:
            log.warning("a worker can't write the log file: %s", error)


def _describe(handler: logging.Handler) -> dict[str, Any] | None:
    target, form = _target(handler), _format(handler.formatter)
    if target is None or form is None or handler.filters:
        log.debug("%r of the root logger is not carried to workers", handler)
        return None
    return {"target": target, "level": handler.level, "format": form}


def _target(handler: logging.Handler) -> dict[str, Any] | str | None:
    """The arguments of a ``FileHandler``, or the name of a stream of ``sys``."""
    if type(handler) is logging.FileHandler:
        # One that was opened with "w" writes where it was, over what others have appended since.
        if not handler.mode.startswith("a"):
            return None
        file = {"filename": handler.baseFilename, "encoding": handler.encoding}
        return {**file, "errors": handler.errors}
    if type(handler) is logging.StreamHandler:
        stream: Any = handler.stream  # pyright: ignore[reportUnknownMemberType]
        return next((name for name in ("stderr", "stdout") if stream is getattr(sys, name)), None)
    return None


def _format(formatter: logging.Formatter | None) -> dict[str, Any] | None:
    """The arguments of a formatter; None if it is not a plain one."""
    if formatter is None:
        return {}
    style: Any = formatter._style  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    styles: dict[str, Any] = logging._STYLES  # type: ignore[attr-defined] # noqa: SLF001
    letter = next((s for s, (kind, _) in styles.items() if type(style) is kind), None)
    if type(formatter) is not logging.Formatter or letter is None or style._defaults:  # noqa: SLF001
        return None
    return {"fmt": style._fmt, "datefmt": formatter.datefmt, "style": letter}  # noqa: SLF001


def _make(settings: dict[str, Any]) -> logging.Handler:
    target = settings["target"]
    if isinstance(target, str):
        handler: logging.Handler = logging.StreamHandler(getattr(sys, target))
    else:
        handler = logging.FileHandler(**target)
    handler.setLevel(settings["level"])
    if settings["format"]:
        handler.setFormatter(logging.Formatter(**settings["format"]))
    return handler
