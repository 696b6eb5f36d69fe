"""What any process does that runs jobs, whichever engine it is a part of.

    record ──► run_job ──► the callback's function ──► Run.report ──► Reporter ──► store   (updates)
                  │  Heartbeat: renews the lease            ▲
                  │  Watchdog: cancel, timeout, grace ──────┘ JobCancelled, JobTimedOut
                  └──────────────────────────────────────────────────────────────► store   (outcome)

An engine's own part is to receive a job, and to say who hears of a worker that dies.
"""
