"""`python -m tests.shop.support.killed_rebuild STEP [PART]`: a rebuild that kills itself after so many parts."""

import os
import signal
import sys

from ordersaga.runtime.settings import database_urls
from projections.rebuild.progress import Progress
from projections.rebuild.rebuild import Rebuild


def main(step: str, part: int) -> None:
    def die(progress: Progress) -> None:
        if (progress.step, progress.done) == (step, part):
            os.kill(os.getpid(), signal.SIGKILL)

    Rebuild(database_urls(), lambda _: None, patience=0, progress=Progress(show=die)).run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
