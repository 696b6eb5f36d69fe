"""A job: one run of a long callback with given arguments. Knows no store, no process and no Dash.

states       where a job is in its life
outcomes     how it may end
call         what somebody asks for
record       all that is known of the job that it gets
transition   what may happen to it, and what that entails
results      what it gave the page
ids          what it is called
"""

from dash_long_callback.jobs.call import CONTEXT, Call, Sharing
from dash_long_callback.jobs.ids import is_job_id, new_job_id, ref_of
from dash_long_callback.jobs.outcomes import (
    Cancelled,
    Changed,
    Expired,
    Failed,
    Kind,
    Lost,
    Outcome,
    Problem,
    Succeeded,
    TimedOut,
    Unfinished,
)
from dash_long_callback.jobs.record import TRACKED, Job, Slot, Target
from dash_long_callback.jobs.results import Result
from dash_long_callback.jobs.states import State
from dash_long_callback.jobs.transition import (
    Begin,
    Cancel,
    Effect,
    End,
    Event,
    Expire,
    Finish,
    Handle,
    Requeue,
    Resend,
    Transition,
    retries,
    transition,
)

__all__ = [
    "CONTEXT",
    "TRACKED",
    "Begin",
    "Call",
    "Cancel",
    "Cancelled",
    "Changed",
    "Effect",
    "End",
    "Event",
    "Expire",
    "Expired",
    "Failed",
    "Finish",
    "Handle",
    "Job",
    "Kind",
    "Lost",
    "Outcome",
    "Problem",
    "Requeue",
    "Resend",
    "Result",
    "Sharing",
    "Slot",
    "State",
    "Succeeded",
    "Target",
    "TimedOut",
    "Transition",
    "Unfinished",
    "is_job_id",
    "new_job_id",
    "ref_of",
    "retries",
    "transition",
]
