"""Every error this package raises, drawn as a tree.

LongCallbackError
├── RegistrationError      the decorator was used wrongly; raised at import
├── NotPickleable          the function can be neither imported nor sent to a worker
├── CacheByFailed          a ``cache_by`` function raised, or returned what is not JSON
├── StoreError             the store can't be read or written
├── BadRequest             a client sent something that is not ours
│   └── RequestTooLarge
├── ContextNotSent         the job asked ``dash.ctx`` for what did not travel to it
├── AppNotInWorker         the job used the app, which was not made in its worker
├── InternalError          this package failed in a way that it did not foresee
├── JobNotFound            no such job: it never existed or has expired
└── JobEnded               how a job ended, other than by its own code
    ├── JobLost            its worker died
    └── JobTimedOut        it ran longer than its ``timeout``
JobCancelled (BaseException)   raised inside the user's function by a cancel
"""

from __future__ import annotations


class LongCallbackError(Exception):
    """Base of all errors of this package."""


class RegistrationError(LongCallbackError, TypeError):
    """A long callback was declared wrongly. The message names the callback and the fix."""


class NotPickleable(LongCallbackError):
    """A worker can neither import the function nor be sent it by value."""


class CacheByFailed(LongCallbackError):
    """A ``cache_by`` function raised, or returned what is not JSON. The message names it."""


class StoreError(LongCallbackError):
    """The store can't be read or written, for example because its disk is full."""

    status = 503


class BadRequest(LongCallbackError):
    """A request does not have the shape that the browser client sends."""

    status = 400


class RequestTooLarge(BadRequest):
    """A request is larger than any that the browser client sends."""

    status = 413


class JobNotFound(LongCallbackError):
    """No such job: it never existed or has expired."""

    status = 404

    def __init__(self) -> None:
        # The id is left out on purpose: an answer must not echo what a client made up.
        super().__init__("no such job: it never existed or has expired; run the callback again")


class InternalError(LongCallbackError):
    """This package failed in a way that it did not foresee. The message is for the user's page."""

    status = 500

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"the server could not do this, for a reason that it did not foresee "
            f"({type(error).__name__}); try again. Its log has the details"
        )


class ContextNotSent(LongCallbackError):
    """A job asked ``dash.ctx`` for a part of the request that was not sent to its worker."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"ctx.{name} was not sent to the worker: it may hold secrets, and is kept out of the "
            f"store unless the callback asks for it with context=[{name!r}]"
        )


class AppNotInWorker(LongCallbackError, AttributeError):
    """A job used its app, which its worker has not made, as nobody but the server does."""

    def __init__(self, part: str, name: str) -> None:
        super().__init__(
            f"{part}.{name} is not there in a worker process, as it does not make the app: that is "
            'made below `if __name__ == "__main__"` or in a function. Make it at the top level of '
            "its module, tell the manager the function that makes it, as in "
            'DiskcacheLongCallbackManager(app="module:function"), or use start_method="fork"'
        )


class JobEnded(LongCallbackError):
    """How a job ended when it was not its own code that ended it; what ``on_error`` receives."""


class JobLost(JobEnded):
    """The worker died before the job ended."""


class JobTimedOut(JobEnded):
    """The job ran longer than the ``timeout`` of its callback."""


class JobCancelled(BaseException):
    """Raised inside the user's function when the job is cancelled.

    A ``BaseException``, so that ``except Exception`` in the function does not swallow it, while
    ``finally`` and ``with`` blocks run. Catch it only to clean up, then raise it again.
    """
