"""A simulated world: everything around the gateway's real engine and store, on virtual time.

Real are the engine, the store, SQLite and the signing. Simulated are the event loop's time, the clock, the threads, the
network with its receivers and, if a test wants that, the disk below SQLite. So everything that happens follows from
the code and one random source, a day takes milliseconds, and a process can be killed at any turn of its event loop.

The layers, each of which knows only those above it:

- `virtual_time`: event loops, executors and clocks that share one virtual time.
- `disk`, `folder`: a disk that loses what was not synced, and where its files are.
- `network`: what receivers are sent, what they answer, and the transport of a process.
- `store`: SQLite, with faults before and after what it is asked for.
- `process`: one process of the gateway, from its start to its end.
- `world`: what outlives processes (time, the wall clock, receivers), and who makes the next turn.

Two kinds of tests build on it. The engine's tests write a scenario and say what each endpoint answers
(`gateway/tests/engine/scripted_world.py`). The simulation draws everything from a seed and has checkers look on
(`gateway/tests/simulation`).

A world may have several processes at a time. They share its time and its wall clock, and each has its own event loop,
network and connections; `World.step` always lets that one make its turn whose next event is the earliest. Whether they
work on one database or on several is up to the test that starts them.
"""
