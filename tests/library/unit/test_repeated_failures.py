"""A step that fails again and again does not fill the log."""

import threading

from structlog.testing import capture_logs

from ordersaga.consumer.background import Background
from ordersaga.runtime.logs import MAX_TEXT, bounded


def test_a_repeated_failure_is_logged_with_its_traceback_once_and_then_ever_more_rarely() -> None:
    task = Background("retries", "", lambda _: 0, threading.Event())
    with capture_logs() as lines:
        for number in range(1000):
            try:
                raise ValueError(number)
            except ValueError as error:
                task.log_failure(error)
    assert [line.get("exc_info", False) for line in lines] == [True] + [False] * 9
    assert [line.get("failures") for line in lines[1:]] == [2**power for power in range(1, 10)]
    with capture_logs() as lines:
        try:
            raise KeyError("another")
        except KeyError as error:
            task.log_failure(error)
    assert [line["exc_info"] for line in lines] == [True]


def test_a_text_that_others_have_chosen_is_cut() -> None:
    line = bounded(None, "", {"event": "message parked", "reason": "x" * 1_000_000, "attempts": 3})
    assert len(line["reason"]) < MAX_TEXT + 50
    assert line["reason"].endswith("... (1,000,000 characters)")
    assert (line["event"], line["attempts"]) == ("message parked", 3)
