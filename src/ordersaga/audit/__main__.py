"""`python -m ordersaga.audit`: seal what the services record, until SIGTERM or SIGINT."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path

from ordersaga.audit.note import BadKey, Signer
from ordersaga.audit.sealed_log import LogFiles
from ordersaga.audit.sealing import SealingLoop
from ordersaga.audit.settings import SealerSettings
from ordersaga.runtime.health import serve_health
from ordersaga.runtime.logs import configure_logging, log
from ordersaga.runtime.settings import MissingSetting, database_urls, read_settings
from ordersaga.runtime.signals import set_by_signal

STOP_SECONDS = 10

USAGE = """usage: python -m ordersaga.audit

Seals every event of the services' stores into a log outside the databases, with a signed checkpoint behind each
window, and verifies the stores against it from time to time.

Environment:
  <NAME>_DATABASE_URL  one for each store: postgresql://auditor:password@host:port/name
                       The role needs what `ordersaga migrate` grants to `auditor`.
  AUDIT_SIGNING_KEY    Ed25519 private key as PEM
  AUDIT_CHECKPOINTS    directory of the logs; keep copies of its *.checkpoints where no administrator of this
                       machine can change them
  AUDIT_SEAL_SECONDS   between two windows (default 5)
  HEALTH_PORT          serves /healthz, /readyz and /metrics on loopback; unset: none
  LOG_LEVEL, LOG_FORMAT=console|json

The sealer waits for servers that are away. It reports a damaged log on /readyz and appends nothing to it.
SIGTERM or Ctrl-C: finishes the window under way, exits 0. Exit 2: something must be set first.
"""


def sealing_loops(settings: SealerSettings, stop: threading.Event) -> list[SealingLoop]:
    """One loop for each database of the environment. Raises MissingSetting."""
    urls = database_urls()
    if not urls:
        raise MissingSetting("No <NAME>_DATABASE_URL is set, so there is nothing to seal.")
    if not settings.audit_checkpoints:
        raise MissingSetting("AUDIT_CHECKPOINTS is not set. Set it to the directory that is to hold the logs.")
    try:
        signer = Signer.from_pem(settings.audit_signing_key)
    except BadKey as error:
        raise MissingSetting(f"AUDIT_SIGNING_KEY is {error}") from None
    directory = Path(settings.audit_checkpoints)
    return [
        SealingLoop(LogFiles(directory, name), urls[name], signer, settings.audit_seal_seconds, stop)
        for name in sorted(urls)
    ]


def serve() -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code."""
    settings = read_settings(SealerSettings)
    stop = threading.Event()
    set_by_signal(stop)
    loops = sealing_loops(settings, stop)
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


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.stdout.write(USAGE)
        sys.exit(0)
    if sys.argv[1:]:
        sys.exit("audit sealer: it takes no arguments. See python -m ordersaga.audit --help")
    try:
        sys.exit(serve())
    except (MissingSetting, OSError) as wrong:
        sys.stderr.write(f"audit sealer: {wrong}\n")
        sys.exit(2)
