"""Processes hear every signal that tells them to stop, whatever they are doing."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ordersaga.runtime.signals import interrupt_by_signal

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
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


@pytest.fixture
def handlers() -> Iterator[None]:
    """Those of a shell, also where the tests run under `nohup`; those of before come back."""
    before = [(number, signal.getsignal(number)) for number in NUMBERS]
    for number in NUMBERS:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before:
        signal.signal(number, handler)


def interrupts(number: int) -> bool:
    """Whether the signal raises KeyboardInterrupt here."""
    try:
        signal.raise_signal(number)
    except KeyboardInterrupt:
        return True
    return False


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", NUMBERS, ids=str)
def test_a_command_is_interrupted_once_by_ctrl_c_by_a_stop_and_by_a_terminal_that_is_closed(number: int) -> None:
    interrupt_by_signal()
    assert interrupts(number)
    assert not [again for again in NUMBERS if interrupts(again)]


@pytest.mark.usefixtures("handlers")
def test_a_command_under_nohup_goes_on_when_its_terminal_is_closed() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interrupt_by_signal()
    assert not interrupts(signal.SIGHUP)
    assert interrupts(signal.SIGTERM)
