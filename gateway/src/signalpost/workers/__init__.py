"""Processes that speak HTTP for a gateway, so that what costs most, TLS above all, has cores of its own.

    engine ── WorkerTransport ══╗          ╔══ Worker ── Sender ──▶ endpoints        (a worker for each core to use)
                                ╠══ socket ╣
       API ◀── WorkerServer ════╝          ╚══ Worker ── Server ◀── clients

- `workers.py`: starts the processes, and replaces one that ended or hangs.
- `worker_transport.py`: the `Transport` that the engine has. It chooses a worker for each attempt, and is the authority
  on which attempts run.
- `worker_server.py`: what calls the API for clients of the workers; `call.py`: one request of theirs, and its answer.
- `worker.py`: the process, which sends with the sender that a gateway without workers has (`sender/sender.py`), and
  listens with its server (`listener/server.py`); `listening.py`: the application of that server, which is the gateway.
- `frames.py`: what the two tell each other; `channel.py`: how it travels; `origins.py`: how heads do.
- `worker_process.py`: how a worker is started, and what it inherits.

Only the gateway decides. A worker has no database, no master key, no state that matters, and no way to its gateway
but one socket; what it forgets when it ends costs handshakes.
"""
