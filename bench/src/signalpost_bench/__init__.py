"""Measure a gateway on this machine, and check that nothing was lost.

Every rate is also a share of the limit: what a client that does nothing but
send reaches in the same run. A run fails if an event did not arrive exactly
once, verified and in the order of its document. It also fails, after its table,
if a bound was not held.

Example: signalpost bench --scene engine --fan-out 10 --runs 5
"""
