"""Signals that stop a stack, or a command that has to clean up."""

import signal
from types import FrameType
from typing import NoReturn


def stop_by_signal() -> None:
    """SIGTERM and a closed terminal stop a command as Ctrl-C does; once it is stopping, nothing hurries it.

    Also where SIGINT was ignored at the start, as in the background of a script, where Python leaves it so.
    """

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
