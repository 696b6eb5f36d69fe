from __future__ import annotations

import subprocess
import sys

import pytest

import dash_long_callback

#: Written out: a name that goes or comes shows up here, and in the change log.
NAMES = [
    "ApiRequest",
    "CeleryLongCallbackManager",
    "ContextNotSent",
    "Dash",
    "DiskcacheLongCallbackManager",
    "DoNotRetry",
    "Event",
    "JobCancelled",
    "JobEnded",
    "JobExited",
    "JobExpired",
    "JobFailed",
    "JobHandle",
    "JobLost",
    "JobNotFound",
    "JobNotStarted",
    "JobStopped",
    "JobTimedOut",
    "JobWasCancelled",
    "Limit",
    "LimitReached",
    "LongCallbackError",
    "OptionFailed",
    "Pacing",
    "PartialUpdate",
    "ProgressUpdate",
    "PropsUpdate",
    "Rate",
    "RegistrationError",
    "Retry",
    "StoreError",
    "TrackUpdate",
    "UserError",
    "__version__",
    "attach",
    "attempt",
    "find_job",
    "http_api",
    "long_callback",
    "plug",
    "show_step",
    "submit",
    "tqdm_progress",
    "track",
    "user_hash",
]
#: What only some users need, and what takes long to import.
HEAVY = [
    "celery",
    "fastapi",
    "ipykernel",
    "kombu",
    "numpy",
    "pandas",
    "PIL",
    "redis",
    "requests",
    "scipy",
    "selenium",
    "tqdm",
]


def test_the_public_names_are_sorted() -> None:
    assert dash_long_callback.__all__ == sorted(dash_long_callback.__all__)


def test_the_public_names_are_these() -> None:
    assert dash_long_callback.__all__ == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_public_name_can_be_imported(name: str) -> None:
    assert getattr(dash_long_callback, name) is not None


def modules_after(statement: str) -> set[str]:
    """The modules that a fresh interpreter has imported after a statement."""
    code = f"import sys; {statement}; print(*sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(shown.stdout.split())


def test_importing_the_package_imports_nothing_heavy_that_dash_does_not() -> None:
    ours = modules_after("import dash_long_callback")
    dash = modules_after("import dash")
    assert "dash_long_callback" in ours
    assert [name for name in HEAVY if name in ours - dash] == []
