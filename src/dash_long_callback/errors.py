"""Every error this package raises, drawn as a tree.

LongCallbackError
├── UserError              words of the author, for the user to read
├── DoNotRetry             raised in the function: another attempt would fail, too
├── RegistrationError      the decorator was used wrongly; raised at import
├── BadCall                a function was called from code, or by a client, with what it can't take
├── OptionFailed           a function for an option raised, or returned what can't be used
│   └── CacheByFailed      a ``cache_by`` function did
├── LimitReached           a click or a call was refused, by ``on_limit="refuse"``
├── WorkerTraceback        the cause of a ``JobFailed``: where its exception was raised
├── StoreError             the store can't be read or written
│   └── NotListed          it has no index, so that its jobs can't be listed or counted
├── OwnerUnknown           who has sent a request can't be told, as ``user`` has failed
├── OwnerChanged           a click was made by another user than is logged in now
├── BadRequest             a client sent something that is not ours
│   ├── RequestTooLarge
│   └── NotJson
├── ContextNotSent         the job asked ``dash.ctx`` for what did not travel to it
├── AppNotInWorker         the job used the app, which was not made in its worker
├── InternalError          this package failed in a way that it did not foresee
├── JobNotFound            no such job: it never existed or has expired
└── JobEnded               how a job ended, other than by returning or raising
    ├── JobLost            its worker died
    │   └── JobStopped     the server, or its Celery worker, was stopped
    ├── JobTimedOut        it ran longer than its ``timeout``
    ├── JobExpired         no worker began it within its ``start_within``
    ├── JobExited          its function called ``sys.exit``
    ├── JobNotStarted      no worker could call its function
    ├── JobFailed          its function raised: for who has submitted it from code
    └── JobWasCancelled    it was cancelled: the same
JobCancelled (BaseException)   raised inside the user's function by a cancel
"""

from __future__ import annotations


class LongCallbackError(Exception):
    """Base of all errors of this package."""


class UserError(LongCallbackError):
    """What went wrong, in words that the user may read. For the functions of an app to raise.

    Of any other exception a page tells only that something went wrong, and the number under which
    the log has the details; the words of this one, and of its subclasses, are shown as they are.
    It reaches ``on_error`` like any other. It may be raised in the function, in its ``on_error``
    and in the functions for ``cache_by``, ``priority`` and the ``key`` of a limit.

    Examples:
        >>> raise UserError("There are no sales in May. Choose another month.")
    """


class DoNotRetry(LongCallbackError):
    """Another attempt would fail, too, whatever ``retry`` says. For the functions of an app.

    Examples:
        >>> raise DoNotRetry("the file is empty")
    """


class RegistrationError(LongCallbackError, TypeError):
    """A long callback was declared wrongly. The message names the callback and the fix."""


class BadCall(LongCallbackError, TypeError):
    """The function of a long callback can't be called with these arguments.

    Attributes:
        problem: why, in words.
        argument: the name of the one that is wrong; None: it is not one alone.
    """

    def __init__(self, call: str, problem: str, argument: str | None = None) -> None:
        super().__init__(f"{call}: {problem}")
        self.problem, self.argument = problem, argument


class OptionFailed(LongCallbackError):
    """A function for an option raised in the web request, or returned what can't be used.

    Such as that for ``priority``, or the ``key`` of a limit. The message names it.
    """


class CacheByFailed(OptionFailed):
    """A ``cache_by`` function raised, or returned what is not JSON. The message names it."""


class LimitReached(LongCallbackError):
    """A click or a call was refused: a limit is reached, and ``on_limit="refuse"``."""


class StoreError(LongCallbackError):
    """The store can't be read or written, for example because its disk is full."""

    status = 503


class NotListed(StoreError):
    """The store finds a job by its id only. Trying again does not help; another store does."""

    def __init__(self) -> None:
        super().__init__(
            "this Celery result backend finds a value by its key only, so jobs can't be listed or "
            "counted; use Redis"
        )


class BadRequest(LongCallbackError):
    """A request does not have the shape that the browser client sends."""

    status = 400


class RequestTooLarge(BadRequest):
    """A request is larger than any that the browser client sends."""

    status = 413


class NotJson(BadRequest):
    """A request does not say that it is JSON: a form on another site could send it, too."""

    status = 415

    def __init__(self) -> None:
        super().__init__("the Content-Type of this request must be application/json")


class OwnerUnknown(LongCallbackError):
    """Who has sent a request can't be told. The message is for the user's page."""

    status = 503

    def __init__(self) -> None:
        super().__init__(
            "the server could not find out who you are; try again. Its log has the details"
        )


class OwnerChanged(LongCallbackError):
    """A click was made by another user than is logged in when it arrives."""

    def __init__(self) -> None:
        super().__init__(
            "this was asked for by another user than is logged in now; reload the page"
        )


class JobNotFound(LongCallbackError):
    """No such job: it never existed or has expired."""

    status = 404

    def __init__(self, **details: str | None) -> None:
        #: What the page is told beside.
        self.details = details
        # The id is left out on purpose: an answer must not echo what a client made up.
        super().__init__("no such job: it never existed or has expired; run the callback again")


class InternalError(LongCallbackError):
    """This package failed in a way that it did not foresee."""

    status = 500

    def __init__(self) -> None:
        super().__init__(
            "the server could not do this, for a reason that it did not foresee; try again. "
            "Its log has the details"
        )


class ContextNotSent(LongCallbackError):
    """A job asked ``dash.ctx`` for a part of the request that its worker does not have.

    It was not sent there, or belongs to the answer to the click, which has been given.
    """

    def __init__(self, name: str, why: str = "") -> None:
        not_sent = (
            "was not sent to the worker: it may hold secrets, and is kept out of the "
            f"store unless the callback asks for it with context=[{name!r}]"
        )
        super().__init__(f"ctx.{name} {why or not_sent}")


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
    """How a job ended other than by returning or raising; what ``on_error`` receives then."""


class JobLost(JobEnded):
    """The worker died before the job ended."""


class JobStopped(JobLost):
    """The server, or the Celery worker, was stopped while the job ran."""


class JobTimedOut(JobEnded):
    """The job ran longer than the ``timeout`` of its callback."""


class JobExpired(JobEnded):
    """No worker began the job within the ``start_within`` of its callback."""


class JobExited(JobEnded):
    """The function called ``sys.exit``. An ``Exception``, unlike the ``SystemExit`` it stands for.

    Attributes:
        code: what ``sys.exit`` was given.
    """

    def __init__(self, code: object) -> None:
        super().__init__(f"the function called sys.exit({code!r})")
        self.code = code


class JobNotStarted(JobEnded):
    """No worker could call the function: it has another version of it, or can't be given it."""


class JobFailed(JobEnded):
    """The function raised, or its result can't be used: what ``JobHandle.result`` raises.

    The exception itself stays in its worker: it could be of any class, and hold anything. Its
    traceback is shown with this one's, as its cause.

    Attributes:
        type: the name of the exception.
        message: what it says.
        traceback: where it was raised; empty if that is not known.
        user: whether it was a ``UserError``, whose message is for the user to read.
    """

    def __init__(self, type: str, message: str, traceback: str = "", *, user: bool = False) -> None:  # noqa: A002 - as others know it
        super().__init__(f"{type}: {message}")
        self.type, self.message, self.traceback, self.user = type, message, traceback, user
        if traceback:
            self.__cause__ = WorkerTraceback(traceback)


class WorkerTraceback(LongCallbackError):
    """Where an exception was raised in another process. Only ever the cause of another error."""

    def __init__(self, traceback: str) -> None:
        super().__init__(f"\n{traceback.rstrip()}")


class JobWasCancelled(JobEnded):
    """The job was cancelled: what ``JobHandle.result`` raises.

    Not ``asyncio.CancelledError``, which would say that whoever waits for the job was cancelled.
    """


class JobCancelled(BaseException):
    """Raised inside the user's function when the job is cancelled.

    A ``BaseException``, so that ``except Exception`` in the function does not swallow it, while
    ``finally`` and ``with`` blocks run. Catch it only to clean up, then raise it again.
    """
