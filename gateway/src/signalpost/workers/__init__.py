"""Processes that work for a gateway, so that what costs most, TLS above all, has cores of its own.

    engine ── WorkerTransport ══ socket ══ Worker ── Sender ──▶ endpoints        (a worker for each core to use)

- `workers.py`: starts the processes, and replaces one that ended or hangs.
- `worker_transport.py`: the `Transport` that the engine has. It chooses a worker for each attempt, and is the authority
  on which attempts run.
- `worker.py`: the process, which sends with the sender that a gateway without workers has (`sender/sender.py`).
- `frames.py`: what the two tell each other; `channel.py`: how it travels.
- `worker_process.py`: how a worker is started, and what it inherits.

Only the engine decides. A worker has no database, no master key, no state that matters, and no way to its gateway
but one socket; what it forgets when it ends costs handshakes.
"""
