"""A client that asks again, as it got no answer, names its request by a key: it gets the same job.

Who asks first writes which job it will be, before there is one. So of two at once, in whichever
process, both know the same id, and the store creates a job only once. If the first one dies in
between, the next creates that job. When it is there, that is noted: a job that has expired since is
not started again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from dash_long_callback.stores import names, timing
from dash_long_callback.stores.parse import read_json
from dash_long_callback.stores.ports import Batch

if TYPE_CHECKING:
    from dash_long_callback.stores.ports import Rows


class Claim(NamedTuple):
    """What is known of a key.

    Attributes:
        job_id: the job of its request.
        asked: a hash of what was asked for.
        stored: whether the job was stored.
    """

    job_id: str
    asked: str
    stored: bool = False


class RequestKeys:
    """Which job was started for a key.

    Args:
        rows: where that is written.
        retention: seconds that a job and its outcome are kept.
    """

    def __init__(self, rows: Rows, retention: float) -> None:
        self._rows = rows
        # As long as a job may wait, and is kept then.
        self._seconds = min(retention * (timing.WAITING + 1), timing.LONGEST_SECONDS)

    def claim(self, key: str, job_id: str, asked: str) -> Claim:
        """Note which job a request is about to start, unless another was noted before.

        Args:
            key: of the client's request: a hash of its user and of what it calls the request.
            job_id: of the job.
            asked: a hash of what is asked for.

        Returns:
            What is noted now.
        """
        name, mine = names.request_key(key), Claim(job_id, asked)
        while (found := _read(row := self._rows.read([name])[0])) is None:
            if self._rows.apply(Batch({name: row}, {name: (_row(mine), self._seconds)})):
                return mine
        return found

    def note_stored(self, key: str, claim: Claim, later: float = 0.0) -> None:
        """Note that the job of a key is there.

        Args:
            key: as for ``claim``.
            claim: what that returned.
            later: seconds until it may begin.
        """
        name = names.request_key(key)
        seconds = min(self._seconds + later, timing.LONGEST_SECONDS)
        put = {name: (_row(claim._replace(stored=True)), seconds)}
        self._rows.apply(Batch({name: _row(claim)}, put))


def _row(claim: Claim) -> bytes:
    return json.dumps(claim).encode()


def _read(row: bytes | None) -> Claim | None:
    match read_json(row, "the job of a request"):
        case [str(job_id), str(asked), bool(stored)]:
            return Claim(job_id, asked, stored)
        case _:
            return None
