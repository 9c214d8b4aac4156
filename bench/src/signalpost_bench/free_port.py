"""Finds ports for programs that need to know their port before they start.

The system gives ports from 32,768 on, or later ones, to every program that connects or asks for any. One of those that
is free now may be taken when its program gets to it. So ports are looked for below, and each process looks in a place
of its own.
"""

import os
import socket
from contextlib import suppress
from itertools import count
from typing import Final

_FIRST: Final = 10_000
_PLACES: Final = 500
_PORTS_OF_A_PLACE: Final = 20
_turns = count()


def free_port(*distances: int) -> int:
    """A port of the loopback interface that is free, as are those at these distances above it."""
    place = _FIRST + os.getpid() % _PLACES * _PORTS_OF_A_PLACE
    while True:
        port = place + next(_turns) % _PORTS_OF_A_PLACE
        if all(_is_free(port + distance) for distance in (0, *distances)):
            return port


def _is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False
