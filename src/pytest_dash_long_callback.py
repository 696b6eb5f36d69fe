"""The pytest plugin of dash-long-callback: the fixture ``long_callbacks``.

A module beside the package, as pytest imports it in every run: so a run that does not ask for the
fixture imports neither Dash nor the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dash_long_callback.testing import LongCallbacks

#: How the jobs of a test run. The first is the default.
MODES = ("inline", "manual", "real")
_MARKER = "long_callbacks"
_OPTION = "long_callbacks_mode"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting for all tests."""
    text = f"how jobs run in tests with the fixture long_callbacks: {', '.join(MODES)}"
    parser.addini(_OPTION, text, default=MODES[0])


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and refuse a setting that is none."""
    text = f"{_MARKER}(mode): how jobs run that the fixture long_callbacks starts: "
    config.addinivalue_line("markers", text + ", ".join(MODES))
    _checked(config.getini(_OPTION), f"the ini option {_OPTION}")


@pytest.fixture
def long_callbacks(request: pytest.FixtureRequest) -> Iterator[LongCallbacks]:
    """Triggers long callbacks of an app as a page does, and tells all that their jobs did."""
    from dash_long_callback.testing import LongCallbacks

    with LongCallbacks(_mode(request)) as fixture:
        yield fixture


def _mode(request: pytest.FixtureRequest) -> str:
    marker = request.node.get_closest_marker(_MARKER)
    if marker is None:
        return request.config.getini(_OPTION)
    if len(marker.args) != 1 or marker.kwargs:
        raise pytest.UsageError(f'@pytest.mark.{_MARKER} takes one mode, as in ("manual")')
    return _checked(marker.args[0], f"@pytest.mark.{_MARKER}")


def _checked(mode: Any, where: str) -> str:
    if mode not in MODES:
        raise pytest.UsageError(f"{where}: {mode!r} is none of {', '.join(map(repr, MODES))}")
    return mode
