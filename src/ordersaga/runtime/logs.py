"""Log lines in one format, with the ids of the current request or message."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from structlog.typing import EventDict, Processor

from ordersaga.envelope.message import Cause
from ordersaga.envelope.trace_context import valid_traceparent
from ordersaga.runtime.settings import Settings

log: structlog.stdlib.BoundLogger = structlog.get_logger()

MAX_TEXT = 2000
"""Longest text of one value in a log line."""
VERBOSE_LIBRARIES = ("pika", "urllib3")


class Work(NamedTuple):
    """The request or message at hand."""

    cause: Cause
    message_id: UUID | None = None

    @property
    def ids(self) -> dict[str, str]:
        found = {
            "correlation_id": self.cause.correlation_id,
            "causation_id": self.cause.causation_id,
            "message_id": self.message_id,
            "trace_id": trace_id_of(self.cause.traceparent),
        }
        return {name: str(id_) for name, id_ in found.items() if id_}


current_work: ContextVar[Work | None] = ContextVar("current_work", default=None)


class HarmlessLogger(structlog.stdlib.BoundLogger):
    """A logger that raises nothing: a line that cannot be written must not end what it tells about."""

    def _proxy_to_logger(self, method_name: str, event: str | None = None, *args: Any, **line: Any) -> Any:
        try:
            return super()._proxy_to_logger(method_name, event, *args, **line)
        except Exception as error:  # noqa: BLE001 - whatever a processor or a value in the line raises
            return logging.getLogger(__name__).error("a log line was lost: %r, %s", event, type(error).__name__)


def configure_logging(settings: Settings, process: str) -> None:
    """Send every log line of this process and its libraries to stderr in one format."""

    def add_process(_: Any, __: str, line: EventDict) -> EventDict:
        line["process"] = process
        return line

    shared: list[Processor] = [
        add_ids,
        bounded,
        add_process,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=HarmlessLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    last = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers(settings.log_format)]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    logging.basicConfig(handlers=[handler], level=settings.log_level, force=True)
    for name in VERBOSE_LIBRARIES:
        quieten(name)


def add_ids(_: Any, __: str, line: EventDict) -> EventDict:
    """Add the ids of the work at hand; few requests write a line, so that the ids are made here."""
    work = current_work.get()
    return {**work.ids, **line} if work else line


def bounded(_: Any, __: str, line: EventDict) -> EventDict:
    """Cut long texts: an error may repeat the message that it refuses, which others have chosen."""
    for name, value in line.items():
        if isinstance(value, str) and len(value) > MAX_TEXT:
            line[name] = f"{value[:MAX_TEXT]}... ({len(value):,} characters)"
    return line


def is_worth_a_line(repetition: int) -> bool:
    """Whether this repetition of a failure is logged: the 1st, 2nd, 4th, 8th and so on."""
    return repetition & (repetition - 1) == 0


def quieten(library: str) -> None:
    """Drop the INFO lines of a library; call it after `configure_logging`."""
    logging.getLogger(library).setLevel(max(logging.WARNING, logging.getLogger().level))


def renderers(log_format: str) -> list[Processor]:
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    # structlog's default traceback prints the locals of every frame, among them passwords in URLs.
    plain = structlog.dev.plain_traceback
    console = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    return [structlog.processors.format_exc_info, without_control_characters, console]


CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def without_control_characters(_: Any, __: str, line: EventDict) -> EventDict:
    """Escape what would steer the terminal of a reader: keys and errors have text that others have chosen."""
    for name, value in line.items():
        if isinstance(value, str) and not value.isprintable():
            line[name] = value.translate(CONTROL)
    return line


def trace_id_of(traceparent: str) -> str:
    """The 32 hex digits of the trace id; empty without a valid trace."""
    return valid_traceparent(traceparent)[3:35]


@contextmanager
def working_on(cause: Cause, message_id: UUID | None = None) -> Iterator[None]:
    """Add the ids of a request or message to every log line of the block."""
    token = begin_work(cause, message_id)
    try:
        yield
    finally:
        current_work.reset(token)


def begin_work(cause: Cause, message_id: UUID | None = None) -> Token[Work | None]:
    """The same until `current_work.reset(token)`."""
    return current_work.set(Work(cause, message_id))
