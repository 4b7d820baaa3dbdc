"""What a scenario tells: its words, and what it makes of the verdicts."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from devstack.breaking.command import break_
from devstack.breaking.scenarios.database_crash import detail_of
from devstack.breaking.scenarios.table import OWN_STACK_ONLY, WHAT, scenario
from devstack.chaos.command import chaos
from devstack.chaos.narrative.event_words import in_words
from devstack.chaos.narrative.order_narrative import NarrativeStep
from devstack.chaos.narrative.scenario_narrative import sort_out
from devstack.chaos.narrative.text import told_steps
from devstack.chaos.verdict import Offence, Verdict

START = datetime(2026, 11, 28, tzinfo=UTC)


def step(milliseconds: int, *records: str, compensates: bool = False) -> NarrativeStep:
    return NarrativeStep(START + timedelta(milliseconds=milliseconds), "inventory", "x", [*records], [], compensates)


@pytest.mark.parametrize(
    ("topic", "data", "words"),
    [
        ("stock.reserved", {"quantity": 2}, "stock reserved (2 of lamp)"),
        ("order.cancelled", {"reason": "timed_out"}, "order cancelled (timed_out)"),
        ("payment.charged_late", {"amount": 1980, "currency": "EUR"}, "payment charged late (19.80 EUR)"),
        ("reservation.released", {"lines": [{"sku": "cup", "quantity": 1}]}, "reservation released (1 of cup)"),
        ("order.confirmed", {}, "order confirmed"),
    ],
)
def test_an_event_is_told_with_what_is_in_it(topic: str, data: dict[str, object], words: str) -> None:
    assert in_words(topic, data, "lamp") == words


def test_a_compensation_says_which_step_of_its_service_it_undoes() -> None:
    told = list(told_steps([step(0, "order placed"), step(40, "released", compensates=True), step(90)]))
    assert told[4].endswith("^ a compensation, which undoes what it did at 0 ms")
    assert told[-1].endswith("and has nothing to do")


def test_what_was_planted_must_be_named_and_is_no_offence() -> None:
    verdict = Verdict("effects", "?", {}, [Offence("message 7", "nothing explains it"), Offence("message 8", "lost")])
    (kept,), named = sort_out([verdict], ["7"])
    assert named == ["effects: message 7: nothing explains it"]
    assert [offence.subject for offence in kept.offences] == ["message 8"]


@pytest.mark.parametrize("name", WHAT)
def test_every_scenario_has_commands_that_say_what_it_does(name: str) -> None:
    kind = scenario(name)
    assert kind.name == name
    for group in (chaos,) if name in OWN_STACK_ONLY else (break_, chaos):
        said = CliRunner().invoke(group, [name, "--help"])
        assert said.exit_code == 0
        assert "What to expect: " in said.stdout
        assert ("--seconds" in said.stdout) == (kind.seconds > 0)


def test_a_directory_that_is_in_use_is_no_place_for_a_scenario(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{}")
    said = CliRunner().invoke(chaos, ["payment-fail", "--state", str(tmp_path)])
    assert said.exit_code == 2
    assert "is not empty" in said.stderr


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"status": 503, "detail": "Send it again later."}', "Send it again later."),
        (b"<html>", "<html>"),
        (b"[1]", "[1]"),
    ],
)
def test_of_a_problem_document_its_detail_is_told_and_not_half_of_its_json(body: bytes, said: str) -> None:
    answer = requests.Response()
    answer._content = body
    assert detail_of(answer) == said
