"""A diskcache disk that reads and writes bytes only, and never unpickles."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, NoReturn

import diskcache

from dash_long_callback.stores.parse import UnreadableRow


class BytesDisk(diskcache.Disk):
    """A diskcache disk that knows bytes only.

    ``diskcache`` unpickles any row that says it is pickled (CVE-2025-69872), so that whoever can
    write to the directory can run code in every process that reads it. This one refuses.
    """

    def put(self, key: Any) -> Any:
        if not isinstance(key, (str, bytes)):
            raise TypeError("keys are str")
        return super().put(key)

    def get(self, key: Any, raw: bool) -> Any:
        if not raw:
            _refuse()
        return super().get(key, raw)

    def store(self, value: Any, read: bool, key: Any = diskcache.UNKNOWN) -> Any:
        if not isinstance(value, bytes):
            raise TypeError("values are bytes")
        return super().store(value, read, key=key)

    def _write(self, full_path: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return super()._write(full_path, *args, **kwargs)
        except BaseException:
            # On a full disk, the part that was written would stay there for good, with each try.
            with contextlib.suppress(OSError):
                Path(full_path).unlink()
            raise

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        if mode not in (diskcache.core.MODE_RAW, diskcache.core.MODE_BINARY):
            _refuse()
        return super().fetch(mode, filename, value, read)


def _refuse() -> NoReturn:
    raise UnreadableRow("this package did not write it")
