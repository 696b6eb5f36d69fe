"""How long a worker may be silent, and how long rows are kept."""

#: Seconds without a heartbeat before a job counts as Lost. Long enough for a function that holds
#: the interpreter's lock for some seconds in C code, short enough for a user who waits.
LEASE_SECONDS = 10.0
#: Seconds between two heartbeats: several may be missed before the lease runs out.
HEARTBEAT_SECONDS = 2.0
#: How many times longer a job is kept while it waits in a queue: nobody renews it there.
WAITING = 24
#: The longest that a store keeps anything: memcached takes a larger number for a date.
LONGEST_SECONDS = 30 * 24 * 3600.0
