"""A queue in the rows of a ``PooledCache``: ``queue-<15 digits>``, the lowest number first."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dash_long_callback.stores.pooled_cache import COLUMNS
from dash_long_callback.stores.rows import UnreadableRow, ignored

if TYPE_CHECKING:
    from dash_long_callback.stores.pooled_cache import PooledCache

#: The number of the first entry: there is room on both sides.
_MIDDLE = 500_000_000_000_000
_OURS = "key > 'queue-' AND key < 'queue-:' AND raw = 1"  # a colon comes after all digits
_FIRST = f"""SELECT rowid, expire_time <= ?, {COLUMNS} FROM Cache WHERE {_OURS}
ORDER BY key LIMIT 1"""  # noqa: S608 - no input
_DELETE = "DELETE FROM Cache WHERE rowid = ?"
_NUMBER = f"""SELECT CAST(substr(key, 7) AS INTEGER) FROM Cache
WHERE {_OURS} AND key GLOB 'queue-{"[0-9]" * 15}' ORDER BY key {{order}} LIMIT 1"""  # noqa: S608 - no input
_LAST_NUMBER, _FIRST_NUMBER = _NUMBER.format(order="DESC"), _NUMBER.format(order="ASC")


def push(cache: PooledCache, value: bytes, *, front: bool, expire: float) -> None:
    """Put a value at the back of the queue, or at its front; it expires after some seconds."""
    with cache.transact():
        rows = cache.execute(_FIRST_NUMBER if front else _LAST_NUMBER).fetchall()
        number = rows[0][0] + (-1 if front else 1) if rows else _MIDDLE
        cache.set(f"queue-{number:015d}", value, expire=expire)


def pull(cache: PooledCache) -> bytes | None:
    """Take the first value; None if there is none. In a transaction only.

    What is no value of ours is dropped, so that it holds up nobody behind it.
    """
    while rows := cache.execute(_FIRST, (time.time(),)).fetchall():
        rowid, expired, *columns = rows[0]
        cache.execute(_DELETE, (rowid,))
        if expired:
            continue
        try:
            return cache.value_of(*columns)
        except (OSError, UnreadableRow) as error:
            ignored("an entry of the queue", error)
    return None
