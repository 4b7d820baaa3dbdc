"""Processes hear every signal that tells them to stop, whatever they are doing."""

import subprocess
import sys

WAITS = """
import os, signal, threading
from ordersaga.runtime.signals import set_by_signal
event = threading.Event()
set_by_signal(event)
with event._cond:
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
assert event.wait(30)
"""


def test_a_signal_is_heard_by_a_process_that_is_just_about_to_wait_for_it() -> None:
    assert subprocess.run([sys.executable, "-c", WAITS], timeout=60, check=False).returncode == 0
