"""A process that is stopped for a while, and that continues even if the process that stopped it is killed."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from devstack.children import Identity

MARGIN_SECONDS = 5
NOTHING = subprocess.DEVNULL


@contextmanager
def frozen(identity: Identity, seconds: float) -> Iterator[None]:
    """The process is stopped (SIGSTOP) for as long as the block lasts.

    A guard process continues it MARGIN_SECONDS after `seconds`, for a caller that is killed with SIGKILL.
    """
    wait = f"sleep {seconds + MARGIN_SECONDS}; kill -CONT {identity.pid}"
    guard = subprocess.Popen(["sh", "-c", wait], stdin=NOTHING, stdout=NOTHING, stderr=NOTHING, start_new_session=True)
    try:
        identity.signal(signal.SIGSTOP)
        yield
    finally:
        identity.signal(signal.SIGCONT)
        os.killpg(guard.pid, signal.SIGKILL)
        guard.wait()
