"""Results that are kept in rows, beside the jobs, until they expire.

    <key>:kept              JSON in one line: callback, its generations; behind it, the value
    <callback>:generation   a random word that names the results kept since those of a callback were
                            cleared; those of all callbacks, without a name

To clear results is to begin another generation: those of the old one are found no more, and expire.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

from dash_long_callback.stores import timing
from dash_long_callback.stores.parse import read_json
from dash_long_callback.stores.ports import Batch, Results, Rows

if TYPE_CHECKING:
    from collections.abc import Callable


class RowResults(Results):
    """Keeps results in rows.

    Args:
        rows: where.
        retention: seconds after its last use to drop a result, if nothing else is said.
    """

    def __init__(self, rows: Rows, retention: float) -> None:
        self._rows = rows
        self._retention = retention

    def get(self, key: str, expire: float | None) -> bytes | None:
        name = _kept(key)
        data = self._rows.read([name])[0]
        head, _, value = (data or b"").partition(b"\n")
        match read_json(head or None, "a kept result"):
            case [str(callback), words]:
                known = self._words(callback)
            case _:
                return None
        if words != known:
            return None
        self._rows.apply(Batch(touch={name: self._seconds(expire)}))
        return value

    def put(
        self,
        key: str,
        value: bytes,
        expire: float | None,
        callback: str,
        is_current: Callable[[], bool],
    ) -> None:
        # Before it is asked whether the result is current: what is cleared later begins another.
        known = self._words(callback)
        if not is_current():
            return
        pairs = zip(("", callback), known, strict=True)
        # One that is lost is made anew: with it, all is cleared that was kept under the old.
        words = [word or self._begin(name) for name, word in pairs]
        data = json.dumps([callback, words]).encode() + b"\n" + value
        self._rows.apply(Batch(put={_kept(key): (data, self._seconds(expire))}))

    def clear(self, callback: str | None) -> None:
        self._begin(callback or "")

    def _begin(self, callback: str) -> str:
        word = secrets.token_hex(8)
        # As long as any store keeps anything.
        row = word.encode(), timing.LONGEST_SECONDS
        self._rows.apply(Batch(put={_generation(callback): row}))
        return word

    def _words(self, callback: str) -> list[str | None]:
        rows = self._rows.read([_generation(""), _generation(callback)])
        return [row.decode(errors="replace") if row else None for row in rows]

    def _seconds(self, expire: float | None) -> float:
        return self._retention if expire is None else expire


def _kept(key: str) -> str:
    return f"{key}:kept"


def _generation(callback: str) -> str:
    return f"{callback}:generation"
