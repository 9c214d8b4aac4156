"""`signalpost` with a fault where parts meet (`gateway/tests/joints/planted.py`). A program of its own:
`planted_process.py FAULT serve …`."""

import sys

from gateway.tests.joints.planted import FAULTS

from signalpost.cli.main import main

if __name__ == "__main__":
    name = sys.argv.pop(1)
    (fault,) = [each for each in FAULTS.all if each.name == name]
    with fault.planted():
        main()
