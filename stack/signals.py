"""Signals that stop a stack."""

import signal
from types import FrameType
from typing import NoReturn


def stop_by_signal() -> None:
    """SIGTERM and a closed terminal stop the stack as Ctrl-C does; once it is stopping, nothing hurries it."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
