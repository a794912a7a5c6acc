"""Loopback: free ports of 127.0.0.1 for the servers of one machine."""

import socket
from random import SystemRandom

_FIRST, _LAST = 20_000, 29_999


class NoFreePort(Exception):
    """No port between 20000 and 29999 is free on 127.0.0.1."""


def free_port(wanted: int = 0) -> int:
    """Return the wanted port if it is free, else a free one between 20000 and 29999.

    That range lies below the ephemeral ports of Linux and macOS: a client that keeps dialling a server that is down
    could otherwise be given the server's own port as its local one, and connect to itself.
    """
    if wanted and is_free(wanted):
        return wanted
    for port in SystemRandom().sample(range(_FIRST, _LAST + 1), 200):
        if is_free(port):
            return port
    raise NoFreePort


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Say whether a server could listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
