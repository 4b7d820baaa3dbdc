"""How commands print findings: one JSON object however many there are, and to a person no more than can be read."""

import json

import pytest

from ordersaga.cli.findings_output import FindingsOutput
from ordersaga.reconcile.findings import ReconcileFinding

FOUND = ReconcileFinding("missing", "order_service.outbox", "its row is gone")


@pytest.mark.parametrize("number", [0, 1, 2])
def test_as_json_it_is_one_object_with_every_finding(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    output = FindingsOutput(as_json=True)
    for _ in range(number):
        output.finding(FOUND)
    output.end({"events": 5}, ["for people"])
    said = json.loads(capsys.readouterr().out)
    assert [finding["place"] for finding in said.pop("findings")] == ["order_service.outbox"] * number
    assert said == {"clean": number == 0, "events": 5}


def test_a_person_is_told_that_there_are_more_than_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    output = FindingsOutput(as_json=False, max_lines=2)
    for _ in range(4):
        output.finding(FOUND)
    output.end({"events": 5}, ["Findings: 4"])
    shown = ["missing in order_service.outbox: its row is gone"] * 2
    assert capsys.readouterr().out.splitlines() == [*shown, "... and more; --json prints all of them.", "Findings: 4"]


def test_a_finding_is_one_line_and_steers_no_terminal_whatever_key_it_names(capsys: pytest.CaptureFixture[str]) -> None:
    output = FindingsOutput(as_json=False)
    output.finding(ReconcileFinding("missing", "outbox", "its row\nis gone", key="\x1b[2J"))
    output.finding(ReconcileFinding("missing", "outbox", "gone", contract="a.b.v1", key="\x1b[2J"))
    assert capsys.readouterr().out.splitlines() == [
        r"missing in outbox: its row\nis gone",
        r"missing in outbox: a.b.v1 of \x1b[2J: gone",
    ]
