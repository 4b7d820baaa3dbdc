"""How gunicorn serves an API: `gunicorn --config python:ordersaga.http.gunicorn_conf PACKAGE.api:create_app()`."""

import atexit
import gc
import os
import re
import signal
import sys
from types import FrameType
from typing import Any

from ordersaga.http.app import THREADS
from ordersaga.http.request_worker import MAX_WAITING
from ordersaga.http.waiting import LONGEST_SECONDS, MAX_SUSPENDED
from ordersaga.runtime import failpoints, telemetry
from ordersaga.runtime.logs import configure_logging
from ordersaga.runtime.settings import MissingSetting, Settings, read_settings
from ordersaga.runtime.signals import handler_that_sets

PACKAGE = re.compile("[.:]")
"""What ends the name of the package, or of the one module, in `package.api:create_app()`."""


def on_starting(server: Any) -> None:
    """Format gunicorn's own log lines like all others."""
    configure_logging(settings, process_of(server.app))
    server.log.error_log.handlers.clear()
    server.log.error_log.propagate = True


def process_of(app: Any) -> str:
    return f"{PACKAGE.split(app.app_uri)[0]} api"


def post_worker_init(worker: Any) -> None:
    """SIGTERM ends streams, which the shutdown would otherwise wait for; SIGQUIT and SIGINT end the worker at once.

    gunicorn's own handler of the latter two shuts the thread pool down, and waits for ever when the signal comes while
    the main thread holds the lock of the pool.
    """
    failpoints.begin()
    # What lives as long as the worker need not be looked at for garbage again and again.
    gc.collect()
    gc.freeze()
    stop, set_stopping = signal.getsignal(signal.SIGTERM), handler_that_sets(worker.wsgi.stopping)

    def stop_streams(number: int, frame: FrameType | None) -> None:
        set_stopping(number, frame)
        if callable(stop):
            stop(number, frame)

    def quit_now(number: int, frame: FrameType | None) -> None:
        sys.exit()

    signal.signal(signal.SIGTERM, stop_streams)
    for number in (signal.SIGQUIT, signal.SIGINT):
        signal.signal(number, quit_now)


def worker_exit(server: Any, worker: Any) -> None:
    """Report a missing setting and end the master too, which would restart such a worker again and again."""
    # The master calls this too, for a worker that has died.
    if os.getpid() == worker.pid:
        ending = sys.exc_info()[1]
        if isinstance(ending, MissingSetting):
            sys.stderr.write(f"{process_of(worker.app)}: {ending}\n")
            os._exit(server.APP_LOAD_ERROR)
        telemetry.end()
        end_at_once()


def on_exit(server: Any) -> None:
    end_at_once()


def end_at_once() -> None:
    """Exit without finalising the interpreter, which takes 0.35 s of CPU, and once took 9 s on a busy machine."""
    ending = sys.exc_info()[1]
    if getattr(ending, "code", 0) or getattr(ending, "exit_status", 0):
        return
    atexit._run_exitfuncs()
    os._exit(0)


settings = read_settings(Settings)
bind = f"{settings.http_host}:{settings.http_port}"
worker_class = "ordersaga.http.request_worker.RequestWorker"
workers = 1
threads = THREADS + settings.http_streams
# Requests that have or wait for a thread leave MAX_WAITING to clients that still send; suspended ones come on top.
worker_connections = threads + 2 * MAX_WAITING + MAX_SUSPENDED
# All gunicorns of one user share the path of this socket, and two would take each other's.
control_socket_disable = True
# Longer than a request waits for its saga.
graceful_timeout = LONGEST_SECONDS + 5
keepalive = 15
# The kernel would send a file from the thread of its request; the worker sends what a client does not read itself.
sendfile = False
loglevel = settings.log_level.lower()
