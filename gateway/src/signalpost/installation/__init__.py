"""What `signalpost check` examines: the machine that a gateway is installed on, and the settings that it gets.

`findings.py` decides: each function is pure, takes what was seen, and says what is wrong and what to do. `seen.py` has
the types of what can be seen, and `examination.py` looks, through a `Machine` that tests replace.
"""
