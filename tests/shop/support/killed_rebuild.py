"""`python -m tests.shop.support.killed_rebuild STEP [PART]`: a rebuild that kills itself after so many parts."""

import os
import signal
import sys

from ordersaga.readside.rebuild.progress import RebuildProgress
from ordersaga.readside.rebuild.rebuild import Rebuild
from ordersaga.runtime.settings import database_urls
from projections.service import projections


def main(step: str, part: int) -> None:
    def die(progress: RebuildProgress) -> None:
        if (progress.step, progress.done) == (step, part):
            os.kill(os.getpid(), signal.SIGKILL)

    Rebuild(projections, database_urls(), lambda _: None, patience=0, progress=RebuildProgress(show=die)).run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
