"""What every part runs on: clock, tasks, log, durable files and the types of ASGI.

The event loop does everything that does not block. Long work on it (a large list, a large event to sign, refused lines
of an import) is done in slices, at most one in each round of the loop (`sharing/loop_turns.py`). These threads do the
rest:

- on SQLite, one that writes (groups of jobs, one commit each), one that copies the WAL back, and two that read
- on PostgreSQL, one with an event loop of its own (`loop_thread.py`) that reads
- one for the free disk space, one for bodies that are large or malformed, one for hashes of passwords
- one for large events, of which conditions are asked there
- one for rehearsals, and for looks at what is wrong
- one for pages and overviews that take long to render
- four for files, and four more if they are in a bucket
- one for each host name that is being looked up
- one for whatever is built when a caller first asks for it, such as the description of the API

With several processes on SQLite, workers (`workers/`) speak with clients and endpoints, each with an event loop and the
threads that look up its host names.

Tenants take turns at reading megabytes and at large bodies, with rests in between (`sharing/resting_turns.py`).
Executors are passed in, as are clock, randomness, transport and store, so the same engine runs on virtual time.
"""
