"""The sealer's process: seals event stores until SIGTERM or SIGINT."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from ordersaga.audit.note import Signer
from ordersaga.audit.sealed_log import LogFiles
from ordersaga.audit.sealing import SealingLoop
from ordersaga.audit.settings import SealerSettings
from ordersaga.runtime.health import serve_health
from ordersaga.runtime.logs import configure_logging, log
from ordersaga.runtime.settings import read_settings
from ordersaga.runtime.signals import set_by_signal

STOP_SECONDS = 10


def serve(urls: Mapping[str, str], directory: Path, signer: Signer) -> int:
    """Seal the stores with these names and URLs into logs in `directory`. Returns the exit code.

    Raises:
        MissingSetting: a variable of the environment has an invalid value.
        OSError: HEALTH_PORT is taken.
    """
    settings = read_settings(SealerSettings)
    stop = threading.Event()
    set_by_signal(stop)
    loops = [
        SealingLoop(LogFiles(directory, name), url, signer, settings.audit_seal_seconds, stop)
        for name, url in urls.items()
    ]
    configure_logging(settings, "audit sealer")
    serve_health(
        settings.health_port, settings.health_host, lambda: [text for each in loops for text in each.problems()]
    )
    crashes: list[BaseException] = []
    tasks = [task for each in loops for task in (each.run, each.keep_verifying)]
    threads = [threading.Thread(target=run, args=(task, stop, crashes), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(STOP_SECONDS)
    return 1 if crashes else 0


def run(task: Callable[[], None], stop: threading.Event, crashes: list[BaseException]) -> None:
    """Run a task in its thread; an exception ends the process with exit code 1."""
    try:
        task()
    except Exception as error:  # noqa: BLE001 - the last frame of the thread
        log.exception("the sealer cannot go on and ends, to be started again")
        crashes.append(error)
        stop.set()
