"""A log line never ends what it tells about."""

import logging
from typing import Any, NoReturn

import pytest

from ordersaga.envelope.message import Cause
from ordersaga.runtime.errors import describe
from ordersaga.runtime.logs import HarmlessLogger, renderers, trace_id_of, working_on
from tests.support.any_envelope import SOUND


class WithoutText(Exception):
    """An exception whose text fails."""

    def __str__(self) -> NoReturn:
        raise RuntimeError

    __repr__ = __str__


def fail(*_: Any) -> NoReturn:
    raise WithoutText


def test_a_line_that_cannot_be_written_raises_nothing_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    log = HarmlessLogger(logging.getLogger("told"), [fail], {})
    with working_on(Cause(SOUND.id, traceparent="x")):
        log.warning("message parked", reason=WithoutText())
        log.error("forked history")
    assert [record.getMessage() for record in caplog.records] == [
        "a log line was lost: 'message parked', WithoutText",
        "a log line was lost: 'forked history', WithoutText",
    ]


def test_nothing_in_a_line_steers_the_terminal() -> None:
    line: Any = {"event": "parked", "key": "a\x1b]0;b\x07", "error": "two\nlines \x9b2J"}
    try:
        raise ValueError("c\x1b[2J")
    except ValueError as error:
        line["exc_info"] = error
    for renderer in renderers("console"):
        line = renderer(None, "warning", line)
    assert all(part in line for part in (r"a\x1b]0;b\x07", r"\x9b2J", r"ValueError: c\x1b[2J"))
    assert line.replace("\n", "").isprintable()


def test_the_trace_of_a_line_is_the_valid_one_or_none() -> None:
    assert trace_id_of(SOUND.cause.traceparent) == "a" * 32
    assert [trace_id_of(text) for text in ("", "x", "-", "00-aa-bb-01")] == [""] * 4


def test_a_failure_is_described_whatever_its_exception_does() -> None:
    try:
        fail()
    except WithoutText as error:
        failure = describe(error)
    assert (failure.error, failure.message) == ("WithoutText", "WithoutText, whose text cannot be made")
    assert "WithoutText" in failure.traceback
