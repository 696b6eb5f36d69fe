"""``cache_key()``: a hash of all that determines an outcome. Pure: the same in every process.

Equal meaning, equal key; different meaning, different key:

* the callback, and the code of its function with the plain values that it closes over
  (see ``code_digest``; what is not plain, such as a data frame or a connection, counts by
  its type only: name a version of it in ``cache_by``);
* the arguments, as canonical JSON: the order of keys does not count, ``1`` and ``1.0`` are equal,
  ``1``, ``True`` and ``"1"`` are not;
* the components it updates, and those behind each ``ALL`` that it reads: they differ from page to
  page;
* the inputs that triggered it, if asked for;
* the values of the ``cache_by`` functions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any


def cache_key(
    callback: str,
    digest: str,
    arguments: Sequence[Any] | Mapping[str, Any],
    cache_by: Sequence[Any] = (),
    triggered: Sequence[str] | None = None,
    *,
    components: Any = None,
) -> str:
    """The key under which an outcome is kept.

    Args:
        callback: key of the long callback.
        digest: hash of its function's code.
        arguments: JSON values of its arguments, those to ignore left out.
        cache_by: JSON values of its ``cache_by`` functions, in their order.
        triggered: ``"id.property"`` of the inputs that triggered it; None if that does not count.
        components: JSON of the components it updates, and of those behind each ``ALL``.

    Returns:
        64 hexadecimal digits.

    Raises:
        TypeError: if a value is not JSON.

    Examples:
        >>> cache_key("out.children", "…", [1, {"a": 2, "b": 3}]) == cache_key(
        ...     "out.children", "…", [1.0, {"b": 3, "a": 2}]
        ... )
        True
    """
    parts = [callback, digest, arguments, cache_by, triggered and sorted(triggered), components]
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """JSON that is the same for equal values.

    Raises:
        TypeError: if a value is not JSON.
    """
    return json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise TypeError(f"{type(value).__name__} is not JSON")
