"""`signalpost bench`: measures a gateway on this machine, and checks that nothing was lost while it did.

Every part runs in a process of its own, and on a core of its own where there are enough: the *sink*, an endpoint that
keeps what it is sent and checks all of it afterwards; the *reference*, a client that does nothing but send, whose rate
into that sink is the limit of the machine; the *engine* alone, driven in process; the *gateway*, as `signalpost serve`
runs it; and the *load* that drives it through HTTP. `stage.py` starts them; `gauge.py` watches the measured process
from outside, `probe.py` its event loop from inside. What is measured is the table in `scenes/`: a new scene is a
function in a module there and a line in that table.
"""
