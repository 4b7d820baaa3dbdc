"""How gunicorn serves an API: `gunicorn --config python:ordersaga.http.gunicorn_conf PACKAGE.api:create_app()`."""

import atexit
import os
import signal
import sys
from types import FrameType
from typing import Any

from ordersaga.http.app import THREADS
from ordersaga.http.waiting import LONGEST_SECONDS
from ordersaga.runtime.logs import configure_logging
from ordersaga.runtime.settings import MissingSetting, Settings, read_settings
from ordersaga.runtime.signals import setting


def on_starting(server: Any) -> None:
    """gunicorn's own lines are to look like all others."""
    configure_logging(settings, process_of(server.app))
    server.log.error_log.handlers.clear()
    server.log.error_log.propagate = True


def process_of(app: Any) -> str:
    service, _, _ = app.app_uri.partition(".")
    return f"{service} api"


def post_worker_init(worker: Any) -> None:
    """Streams end at SIGTERM, which else would wait for the last of them; SIGQUIT and SIGINT end it at once.

    gunicorn's own handler of the latter shuts the thread pool down, and waits for ever if the signal came while
    the main thread held the pool's lock.
    """
    stop, set_stopping = signal.getsignal(signal.SIGTERM), setting(worker.wsgi.stopping)

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
    """Says what is missing and ends the master too, which would start such a worker again and again."""
    # The master calls it too, of a worker that has died.
    if os.getpid() == worker.pid:
        ending = sys.exc_info()[1]
        if isinstance(ending, MissingSetting):
            sys.stderr.write(f"{process_of(worker.app)}: {ending}\n")
            os._exit(server.APP_LOAD_ERROR)
        end_at_once()


def on_exit(server: Any) -> None:
    end_at_once()


def end_at_once() -> None:
    """Without taking the interpreter apart: that is 0.35 s of CPU for nothing, seen to take 9 s on a busy machine."""
    ending = sys.exc_info()[1]
    if getattr(ending, "code", 0) or getattr(ending, "exit_status", 0):
        return
    atexit._run_exitfuncs()
    os._exit(0)


settings = read_settings(Settings)
bind = f"{settings.http_host}:{settings.http_port}"
worker_class = "gthread"
workers = 1
threads = THREADS + settings.http_streams
# Two gunicorns of one user would take each other's socket: its path is the same for all.
control_socket_disable = True
# A request that waits for its saga is not cut off.
graceful_timeout = LONGEST_SECONDS + 5
keepalive = 15
loglevel = settings.log_level.lower()
