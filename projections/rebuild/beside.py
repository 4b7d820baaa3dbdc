"""Work beside one's own, in a thread."""

import threading
from collections.abc import Callable


class Beside(threading.Thread):
    """Begins at once; its failure is raised at `end`."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - raised at `end`
            self._error = error

    def end(self) -> None:
        self.join()
        if self._error:
            raise self._error
