"""Free TCP ports on the loopback interface."""

import random
import socket

LOOPBACK = "127.0.0.1"
CANDIDATES = range(20000, 32000)
"""Below Linux's range for outgoing connections (32768 and up), which could take a port between choice and use."""


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Whether something accepts connections there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        return client.connect_ex((LOOPBACK, port)) == 0


def choose(taken: set[int]) -> int:
    """A free port that is not among those taken."""
    return next(port for port in random.sample(CANDIDATES, len(CANDIDATES)) if port not in taken and is_free(port))
