"""The module that Celery workers of the contract tests are started with."""

from __future__ import annotations

import os

import contract_callbacks
import sharing_callbacks
from celery import Celery

from dash_long_callback import CeleryLongCallbackManager

celery_app = Celery(
    "contract", broker=os.environ["CONTRACT_BROKER"], backend=os.environ["CONTRACT_BACKEND"]
)
celery_app.conf.update(
    task_default_queue=os.environ["CONTRACT_QUEUE"],
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
)
manager = CeleryLongCallbackManager(celery_app, cache_by=[], grace=0.5, retention=600)
callbacks = [contract_callbacks, sharing_callbacks]
