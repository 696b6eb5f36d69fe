"""Values as pages get them."""

from __future__ import annotations

import json
from typing import Any

from dash_long_callback.dash import internals


def as_json(value: Any) -> Any:
    """A value as a page gets it, to compare with: components and figures are dicts.

    Args:
        value: whatever a callback may return for an output.

    Raises:
        TypeError: if it can't be sent to a page.

    Examples:
        >>> assert run.outputs == {"report.children": as_json(html.P("Done"))}
    """
    return json.loads(internals.to_json_bytes(value))


def value_for(name: str, value: Any) -> Any:
    """What a page has if a property is set to a value.

    Args:
        name: of the property, for messages.
        value: as a test gives it.

    Raises:
        TypeError: if no page could have it.
    """
    try:
        return as_json(value)
    except Exception as error:
        raise TypeError(f"{name} can't be {value!r:.80}: it is not JSON ({error})") from error
