"""Large results: apart from the records of their jobs, in pieces."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dash_long_callback.errors import StoreError
from dash_long_callback.stores import names
from dash_long_callback.stores.ports import Batch

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from dash_long_callback.jobs import Job
    from dash_long_callback.stores.job_store import JobStore
    from dash_long_callback.stores.ports import Rows

#: Bytes of a result that is kept with the record, so that a quick job takes no read more. A larger
#: one would be read by all who only want the record.
INLINE_BYTES = 32 * 1024
#: Bytes of a large result that are written and read in one go: few calls, and little memory.
PIECE_BYTES = 256 * 1024


@dataclass(frozen=True)
class LargeResult:
    """A result that is kept apart from the record of its job, and is read when it is sent."""

    store: JobStore
    job: Job

    @property
    def size(self) -> int:
        """Bytes of it."""
        return self.job.result_size or 0

    def pieces(self) -> Iterator[bytes]:
        """The JSON, piece by piece.

        Raises:
            StoreError: if it can't be read, or is not there any more, or not all of it.
        """
        found = 0
        with closing(self.store.pieces(self.job)) as pieces:
            for piece in pieces:
                found += len(piece)
                yield piece
        if found != self.size:
            raise StoreError(
                f"a result of {self.size} bytes could not be sent: {found} bytes of it are there; "
                "it has expired meanwhile, or was damaged"
            )

    def whole(self) -> bytes:
        """The JSON at once. Raises StoreError as ``pieces`` does."""
        return b"".join(self.pieces())


class LargeResults:
    """Writes and reads large results.

    Args:
        rows: where.
        retention: seconds that they are kept.
    """

    def __init__(self, rows: Rows, retention: float) -> None:
        self._rows = rows
        self._retention = retention

    def put(
        self, job_id: str, attempt: int, result: bytes, held: dict[str, bytes | None] | None = None
    ) -> bool:
        """Keep one, as the job's worker. In steps, so that others come in between.

        Args:
            job_id: of the job.
            attempt: whose result it is.
            result: the JSON.
            held: what must be true all the time; None: that the worker holds the job.

        Returns:
            False, and keeps nothing, if another worker was given the job.
        """
        held = {names.attempt(job_id): b"%d" % attempt} if held is None else held
        view = memoryview(result)
        kept = False
        try:
            for n in range(_count(len(result))):
                piece = bytes(view[n * PIECE_BYTES : (n + 1) * PIECE_BYTES])
                put = {names.piece(job_id, attempt, n): (piece, self._retention)}
                if not self._rows.apply(Batch(held, put)):
                    return False
            size = b"%d" % len(result), self._retention
            kept = self._rows.apply(Batch(held, {names.result(job_id, attempt): size}))
        finally:
            if not kept:
                self.drop(job_id, attempt, len(result))
        return kept

    def drop(self, job_id: str, attempt: int, size: int) -> None:
        """Delete one that nobody will ask for."""
        pieces = [names.piece(job_id, attempt, n) for n in range(_count(size))]
        with suppress(StoreError):  # it expires, and there is something more important to say
            self._rows.apply(Batch(drop=[names.result(job_id, attempt), *pieces]))

    def has(self, job: Job) -> bool:
        """Whether a job has one."""
        return self._rows.read([names.result(job.id, job.attempt)]) != [None]

    def pieces(self, job: Job) -> Generator[bytes]:
        """A job's, ``PIECE_BYTES`` at a time; as far as it is there."""
        for n in range(_count(job.result_size or 0)):
            (piece,) = self._rows.read([names.piece(job.id, job.attempt, n)])
            if piece is None:
                return
            yield piece


def _count(size: int) -> int:
    return -(-size // PIECE_BYTES)
