"""The sealer's process: seals event stores until SIGTERM or SIGINT."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from ordersaga.audit.note import Signer
from ordersaga.audit.sealed_log import LogFiles
from ordersaga.audit.sealing import SealingLoop
from ordersaga.audit.settings import SealerSettings
from ordersaga.runtime import failpoints
from ordersaga.runtime.errors import UnusableDatabase
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
    failpoints.begin()
    serve_health(
        settings.health_port, settings.health_host, lambda: [text for each in loops for text in each.problems()]
    )
    exit_codes: list[int] = []
    tasks = [task for each in loops for task in (each.run, each.keep_verifying)]
    threads = [threading.Thread(target=run, args=(task, stop, exit_codes), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(STOP_SECONDS)
    return max(exit_codes, default=0)


def run(task: Callable[[], None], stop: threading.Event, exit_codes: list[int]) -> None:
    """Run a task in its thread; an exception ends the process."""
    try:
        task()
    except UnusableDatabase as error:
        log.error(f"the sealer cannot use a database: {error}")
        exit_codes.append(2)
        stop.set()
    except Exception:  # noqa: BLE001 - the last frame of the thread
        log.exception("the sealer cannot go on and ends, to be started again")
        exit_codes.append(1)
        stop.set()
