"""How long a worker may be silent."""

#: Seconds without a heartbeat before a job counts as Lost. Long enough for a function that holds
#: the interpreter's lock for some seconds in C code, short enough for a user who waits.
LEASE_SECONDS = 10.0
#: Seconds between two heartbeats: several may be missed before the lease runs out.
HEARTBEAT_SECONDS = 2.0
