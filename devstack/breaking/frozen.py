"""Processes that are stopped for a while, and that continue even if the process that stopped them is killed."""

import os
import signal
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from devstack.children import Identity

MARGIN_SECONDS = 5
LONGEST_SECONDS = 120
NOTHING = subprocess.DEVNULL


class Freeze:
    """Processes that are stopped together (SIGSTOP) until `thaw`."""

    def __init__(self) -> None:
        self._frozen: Sequence[Identity] = ()
        self._guard: subprocess.Popen[bytes] | None = None

    def stop(self, identities: Iterable[Identity], longest: float = LONGEST_SECONDS) -> None:
        """A guard process continues them after `longest` seconds, for a caller that is killed with SIGKILL."""
        self._frozen = list(identities)
        pids = " ".join(str(each.pid) for each in self._frozen)
        wait = f"sleep {longest}; kill -CONT {pids}"
        self._guard = subprocess.Popen(
            ["sh", "-c", wait], stdin=NOTHING, stdout=NOTHING, stderr=NOTHING, start_new_session=True
        )
        for identity in self._frozen:
            identity.signal(signal.SIGSTOP)

    def thaw(self, number: signal.Signals = signal.SIGCONT) -> bool:
        """Continue those that still run, or end them with SIGKILL; whether there was anything to do."""
        for identity in self._frozen:
            identity.signal(number)
        if self._guard:
            os.killpg(self._guard.pid, signal.SIGKILL)
            self._guard.wait()
        was_frozen, self._frozen, self._guard = bool(self._frozen), (), None
        return was_frozen


@contextmanager
def frozen(identity: Identity, seconds: float) -> Iterator[None]:
    """The process is stopped for as long as the block lasts, and no longer than MARGIN_SECONDS after `seconds`."""
    freeze = Freeze()
    try:
        freeze.stop([identity], seconds + MARGIN_SECONDS)
        yield
    finally:
        freeze.thaw()
