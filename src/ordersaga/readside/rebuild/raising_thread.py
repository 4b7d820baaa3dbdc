"""RaisingThread: a thread whose failure its starter gets."""

import threading
from collections.abc import Callable


class RaisingThread(threading.Thread):
    """Starts at once; `finish` waits for its end and raises what it raised."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - `finish` raises it
            self._error = error

    def finish(self) -> None:
        self.join()
        if self._error:
            raise self._error
