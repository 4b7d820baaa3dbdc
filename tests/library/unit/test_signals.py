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

ANOTHER_THREAD_GETS_IT = """
import os, signal, threading, time
from ordersaga.runtime.signals import set_by_signal
threading.Thread(target=time.sleep, args=(50,), daemon=True).start()
event = threading.Event()
set_by_signal(event)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.kill(os.getpid(), signal.SIGTERM)
event.wait()
"""


def test_a_signal_is_heard_by_a_process_that_is_just_about_to_wait_for_it() -> None:
    assert subprocess.run([sys.executable, "-c", WAITS], timeout=60, check=False).returncode == 0


def test_a_signal_is_heard_when_the_kernel_delivers_it_to_another_thread_than_the_one_that_waits() -> None:
    assert subprocess.run([sys.executable, "-c", ANOTHER_THREAD_GETS_IT], timeout=30, check=False).returncode == 0
