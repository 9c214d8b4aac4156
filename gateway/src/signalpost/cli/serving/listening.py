"""Sockets that listen: one process's own, or one for each of several processes on the same port.

Several processes have a socket each on one port (SO_REUSEPORT), and the kernel shares new connections out evenly, by
their addresses. One socket that all inherit would be simpler, but the process that wakes first would take nearly all of
the connections that come together: of 64, one of four processes took 56. The price: when a process is killed, the few
connections that it had not accepted yet are reset with those that it had.

`hold_port` notices a port that is in use once, before anything starts, also if the other program would share it.
It returns a socket that does not listen, so that the system gives the number to no one who asks for any free port.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from signalpost.domain.errors import StartError

BACKLOG = 2048


def listen(host: str, port: int, idle_seconds: float) -> socket.socket:
    """A listening socket. Its connections end when a client reads nothing of its answer for `idle_seconds`.

    Raises StartError."""
    with _explained(host, port):
        listener = socket.create_server((host, port), family=_family(host), backlog=BACKLOG)
    _end_unread(listener, idle_seconds)
    return listener


def hold_port(host: str, port: int) -> socket.socket:
    """A socket with the port for `listen_beside`, which takes no connections itself.

    Raises StartError, also if another program listens there that would share the port."""
    with _explained(host, port):
        with socket.create_server(
            (host, port), family=_family(host)
        ) as alone:  # no other program has it, shared or not
            port = alone.getsockname()[1]
        holder = socket.socket(_family(host), socket.SOCK_STREAM)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if _family(host) == socket.AF_INET6:
            holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # as `create_server` does
        holder.bind((host, port))
    return holder


def listen_beside(holder: socket.socket, idle_seconds: float) -> socket.socket:
    """A listening socket on the port that `holder` keeps, which other processes have too. Raises StartError."""
    host, port = holder.getsockname()[:2]
    with _explained(host, port):
        listener = socket.create_server((host, port), family=holder.family, backlog=BACKLOG, reuse_port=True)
    _end_unread(listener, idle_seconds)
    return listener


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _end_unread(listener: socket.socket, idle_seconds: float) -> None:
    """Closing a connection does not end it, because unread data keeps it open. The kernel ends it, on Linux."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(idle_seconds * 1000))


@contextmanager
def _explained(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise StartError(
            f"Cannot listen on {host}:{port}: {reason}. Choose another HOST or port, or stop the program that uses it."
        ) from None
