"""What a CeleryLongCallbackManager takes and refuses, and what a callback says of Celery."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest
from celery import Celery
from dash import Input, Output

from dash_long_callback import CeleryLongCallbackManager, RegistrationError, long_callback
from dash_long_callback.managers.celery import _shown
from dash_long_callback.stores.key_value import KeyValueStore
from dash_long_callback.stores.redis import RedisStore

REDIS = "redis://:open-sesame@localhost:1/0"


@pytest.mark.parametrize(
    "backend,words",
    [
        ("rpc://", "it hands each result to one process only"),
        ("db+sqlite:///x.db", "it knows tasks, not keys and values"),
        (None, "none is configured"),
    ],
)
def test_a_backend_that_can_not_keep_jobs_is_refused_with_one_that_can(
    backend: str | None, words: str
) -> None:
    with pytest.raises(RegistrationError) as refused:
        CeleryLongCallbackManager(Celery("x", broker=REDIS, backend=backend))
    assert words in str(refused.value)
    assert "Use Redis" in str(refused.value)


def test_a_backend_that_does_not_exist_is_refused_without_its_password() -> None:
    with pytest.raises(RegistrationError, match="can't keep long callbacks") as refused:
        CeleryLongCallbackManager(Celery("x", broker=REDIS, backend="rediz://:secret@host/0"))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("thing", [None, "redis://localhost", object()])
def test_what_is_not_a_celery_app_is_refused(thing: Any) -> None:
    with pytest.raises(RegistrationError, match=r"is not a celery\.Celery"):
        CeleryLongCallbackManager(thing)


def test_redis_is_used_natively_and_other_stores_of_keys_by_polling(tmp_path: Any) -> None:
    assert isinstance(
        CeleryLongCallbackManager(Celery("x", broker=REDIS, backend=REDIS)).store, RedisStore
    )
    files = Celery("x", broker=REDIS, backend=f"file://{tmp_path}")
    assert isinstance(CeleryLongCallbackManager(files).store, KeyValueStore)


def test_nothing_is_connected_to_before_the_first_job() -> None:
    manager = CeleryLongCallbackManager(Celery("x", broker=REDIS, backend=REDIS))
    manager.ensure_running()  # nobody listens on that port
    manager.stop()


def test_the_log_says_once_where_jobs_run_and_no_password(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "dash_long_callback")
    manager = CeleryLongCallbackManager(Celery("x", broker=REDIS, backend=REDIS))
    for queue, output in ((None, "a"), ("reports", "b")):
        long_callback(Output(output, "x"), Input("in", "x"), queue=queue)(lambda _: 0)
    for _ in range(2):
        manager.ensure_running()  # nobody listens on that port
    (line,) = caplog.messages
    assert line == (
        "long callbacks run in Celery workers of the queues 'celery', 'reports' of "
        "redis://:**@localhost:1/0; results are kept in redis://:**@localhost:1/0"
    )


def test_no_password_of_several_servers_is_shown() -> None:
    shown = _shown("sentinel://:open-sesame@a:1;sentinel://u:open-sesame@b:2/0?password=sesame")
    assert "sesame" not in shown
    assert "@a:1" in shown
    assert "@b:2" in shown


def test_a_page_is_not_refused_as_the_log_can_not_say_where_jobs_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "dash_long_callback")
    manager = CeleryLongCallbackManager(Celery("x", broker="nonsense://x", backend=REDIS))
    manager.ensure_running()
    (line,) = caplog.messages
    assert line == "it can't be told which Celery workers run long callbacks"


def test_the_module_is_imported_without_celery() -> None:
    code = """
import sys
for name in ("celery", "kombu", "redis"):
    sys.modules[name] = None
import dash_long_callback
try:
    dash_long_callback.CeleryLongCallbackManager(None)
except ImportError as error:
    assert "pip install 'celery[redis]>=5.4'" in str(error), error
else:
    raise SystemExit("no error")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    "options,words",
    [
        ({"context": ["cookie"]}, "context takes names of 'cookies', 'headers'"),
        ({"queue": 7}, "queue=7 must be the name of a Celery queue"),
        ({"queue": ""}, "queue='' must be the name of a Celery queue"),
    ],
)
def test_a_wrong_option_is_an_error_where_it_is_declared(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(RegistrationError) as refused:
        long_callback(Output("a", "b"), Input("c", "d"), **options)(lambda _: None)
    assert words in str(refused.value)
