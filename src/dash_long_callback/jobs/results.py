"""What a job gave the page, as it is kept for the next who asks."""

from __future__ import annotations

import json
from dataclasses import dataclass

from dash_long_callback.jobs.record import Target, target_of


@dataclass(frozen=True)
class Result:
    """What a job gave the page, ready to be given to the next who asks.

    Attributes:
        updates: what ``set_props`` set, in order.
        response: the outputs; a part of what was loaded, not a copy of it: it may be large.
    """

    updates: list[tuple[Target, bytes]]
    response: bytes | memoryview

    def dump(self) -> bytes:
        """As bytes; the JSON values in it are neither parsed nor encoded again."""
        index = json.dumps([[target, len(value)] for target, value in self.updates]).encode()
        return b"".join([index, b"\n", *(value for _, value in self.updates), self.response])

    @classmethod
    def load(cls, data: bytes) -> Result:
        """The reverse of ``dump``.

        Raises:
            ValueError: if these are not the bytes of a result.
        """
        start = data.index(b"\n") + 1
        updates: list[tuple[Target, bytes]] = []
        try:
            for target, length in json.loads(data[:start]):
                updates.append((target_of(target), data[start : start + length]))
                if length < 0 or len(updates[-1][1]) != length:
                    raise ValueError("it is cut off")
                start += length
        except (TypeError, RecursionError) as error:
            raise ValueError(f"it is not a result: {error}") from error
        return cls(updates, memoryview(data)[start:])
