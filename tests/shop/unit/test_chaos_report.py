"""The timeline and the report of a chaos run, without a run."""

import json
import re
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from devstack.chaos import run_command
from devstack.chaos.fault import Fault
from devstack.chaos.faults.catalogue import FAULTS
from devstack.chaos.memory_samples import MemorySample
from devstack.chaos.report.facts import Facts
from devstack.chaos.report.latency import Ended, percentile
from devstack.chaos.report.plots import LETTERS, lanes_of
from devstack.chaos.report.report import Report
from devstack.chaos.report.summary import summary
from devstack.chaos.report.write import write
from devstack.chaos.run import ChaosRun
from devstack.chaos.run_command import run
from devstack.chaos.run_verdicts import injected, recovered
from devstack.chaos.schedule import Scheduled
from devstack.chaos.stage import Stage
from devstack.chaos.timeline import Moment, Span, Timeline, seconds_to_ready, spans
from devstack.chaos.torturer import Torturer
from devstack.chaos.verdict import Offence, Verdict
from devstack.chaos.watch import WatchSample

ID = "01a21f3e-1111-7000-8000-000000000001"
FACTS = Facts(
    7, 2, 5, "./ordersaga chaos run --seed 7", "2026-11-28T00:00:00+00:00", {"Python": "3.11"}, {"cores": "2"}
)
MOMENTS = [
    Moment(8.0, "inject", "worker <got> SIGKILL.", "kill-process", 1),
    Moment(9.0, "unready", "Not ready: orders-worker."),
    Moment(12.0, "heal", "worker may start again.", "kill-process", 1),
    Moment(14.5, "ready", "Everything is ready again."),
]
GOOD = Verdict("money", "Is each order charged once?", {"ok": 12})
BAD = Verdict("stock", "Is no unit lost?", {"lost": 1}, [Offence(f"order {ID}", "one unit <is> lost")])


def report(*verdicts: Verdict, trouble: str = "", interrupted: bool = False) -> Report:
    scheduled = [Scheduled(1, "kill-process", 8.0, 4.0, "7-1")]
    ended = [Ended(ID, 3.0, 0.2, "confirmed"), Ended(ID, 9.0, 6.0, "timed_out"), Ended(ID, 9.5, 1.0, "out_of_stock")]
    samples = [WatchSample(1.0, 5, 0, 0, 2, 1, []), WatchSample(2.0, 9, 1, 0, None, None, ["postgres"])]
    memory = [MemorySample(0.0, "orders-api", 7, 50_000_000)]
    commands = [("place_order", "ok"), ("place_order", "ok"), ("cancel", "fail")]
    return Report(FACTS, scheduled, MOMENTS, verdicts, samples, ended, memory, commands, trouble, interrupted)


class Odd(Fault):
    """Does what it is told to, and keeps what was called."""

    name, does = "odd", "It does what a test wants."

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self.healed = 0

    def inject(self) -> str:
        raise OSError("there is nothing to harm")

    def heal(self) -> str:
        self.healed += 1
        return "Healed."


class Missing(Odd):
    name = "missing"

    def cannot_run(self) -> str:
        return "This machine has no such thing."


class Early(Odd):
    """Its target is there the second time."""

    name = "early"

    def inject(self) -> str:
        return "Early." if self.healed else super().inject()


class Slow(Odd):
    """Harming and healing take longer than the schedule knows of."""

    name = "slow"

    def inject(self) -> str:
        time.sleep(0.2)
        return "Slow."

    def heal(self) -> str:
        time.sleep(0.2)
        return "Healed."


def tortured(directory: Path, *scheduled: Scheduled) -> tuple[Torturer, Timeline]:
    timeline = Timeline(directory / "timeline.jsonl")
    stage = Stage(None, None, directory)  # type: ignore[arg-type]
    torturer = Torturer(stage, scheduled, {"odd": Odd, "missing": Missing, "slow": Slow, "early": Early}, timeline)
    timeline.begin()
    torturer.start()
    torturer.join()
    timeline.close()
    return torturer, timeline


def test_a_fault_that_fails_halfway_is_healed_all_the_same_and_is_an_offence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devstack.chaos.torturer.PATIENCE", -1)
    scheduled = [Scheduled(1, "odd", 0.0, 0.0, "1")]
    torturer, timeline = tortured(tmp_path, *scheduled)
    fault = torturer.faults[1]
    assert isinstance(fault, Odd)
    assert fault.healed == 1
    assert [moment.event for moment in timeline.moments] == ["not injected", "heal"]
    verdict = injected(scheduled, timeline.moments, {})
    assert [(each.subject, "nothing to harm" in each.detail) for each in verdict.offences] == [("odd (number 1)", True)]


def test_a_fault_that_finds_its_target_not_back_from_the_one_before_is_tried_again(tmp_path: Path) -> None:
    torturer, timeline = tortured(tmp_path, Scheduled(1, "early", 0.0, 0.0, "1"))
    assert isinstance(torturer.faults[1], Odd)
    assert [moment.event for moment in timeline.moments] == ["inject", "heal"]
    assert torturer.faults[1].healed == 2


def test_a_fault_lasts_as_long_as_it_was_to_however_long_it_takes_to_harm_and_to_heal(tmp_path: Path) -> None:
    scheduled = [Scheduled(1, "slow", 0.0, 0.1, "1"), Scheduled(2, "slow", 0.2, 0.1, "2")]
    _, timeline = tortured(tmp_path, *scheduled)
    first, second = spans(timeline.moments)
    assert first.ended - first.began > 0.28
    assert second.began - first.ended > 0.08
    assert second.ended - second.began > 0.28


def test_a_fault_that_this_machine_cannot_have_is_skipped_and_said_so(tmp_path: Path) -> None:
    scheduled = [Scheduled(1, "missing", 0.0, 0.0, "1")]
    _, timeline = tortured(tmp_path, *scheduled)
    assert [(moment.event, moment.text) for moment in timeline.moments] == [
        ("skipped", "This machine has no such thing.")
    ]
    verdict = injected(scheduled, timeline.moments, {})
    assert verdict.counts["skipped"] == 1
    assert [each.subject for each in verdict.offences] == ["schedule"]
    others = [Scheduled(2, "odd", 0.0, 0.0, "2")]
    harmed = [Moment(1, "inject", "", "odd", 2), Moment(2, "heal", "", "odd", 2)]
    assert injected([*scheduled, *others], [*timeline.moments, *harmed], {}).is_good


def test_a_fault_that_was_never_healed_is_an_offence() -> None:
    scheduled = [Scheduled(1, "odd", 0.0, 0.0, "1")]
    found = injected(scheduled, [Moment(1, "inject", "", "odd", 1)], {})
    assert found.offences == [Offence("odd (number 1)", "never healed")]


def test_a_run_that_injects_nothing_is_not_good_unless_somebody_interrupted() -> None:
    assert [each.subject for each in injected([], [], {}).offences] == ["schedule"]
    assert injected([], [], {}, interrupted=True).is_good


def test_a_fault_that_never_began_is_an_offence_unless_somebody_interrupted() -> None:
    scheduled = [Scheduled(1, "kill-process", 8.0, 4.0, "7-1"), Scheduled(2, "odd", 20.0, 1.0, "7-2")]
    assert [each.subject for each in injected(scheduled, MOMENTS, {}).offences] == ["odd (number 2)"]
    assert injected(scheduled, MOMENTS, {}, interrupted=True).is_good


def test_a_fault_of_which_something_has_not_come_out_is_an_offence() -> None:
    found = injected([Scheduled(1, "kill-process", 8.0, 4.0, "7-1")], MOMENTS, {1: "two of its messages are nowhere"})
    assert [(each.subject, each.detail) for each in found.offences] == [
        ("kill-process (number 1)", "two of its messages are nowhere")
    ]


def test_the_timeline_is_a_file_that_can_be_read_while_the_run_goes_on(tmp_path: Path) -> None:
    timeline = Timeline(tmp_path / "timeline.jsonl")
    timeline.note("inject", "It is down.", "kill-postgres", 3)
    [line] = (tmp_path / "timeline.jsonl").read_text().splitlines()
    found = json.loads(line)
    assert (found["event"], found["fault"], found["number"]) == ("inject", "kill-postgres", 3)
    timeline.close()
    timeline.note("phase", "After the end.")


def test_a_span_is_as_long_as_the_fault_was_and_not_as_it_was_planned() -> None:
    [span] = spans(MOMENTS)
    assert (span.fault, span.began, span.ended, span.healed) == ("kill-process", 8.0, 12.0, "worker may start again.")


def test_a_fault_that_was_never_healed_lasts_until_the_last_moment() -> None:
    assert [span.ended for span in spans(MOMENTS[:2])] == [9.0]


def test_no_bar_of_a_fault_and_no_name_covers_another() -> None:
    spans = [Span(n, "kill-process", 10.0 * n, 10.0 * n + 5, "", "") for n in range(60)]
    lanes = lanes_of(spans)
    for lane in set(lanes):
        row = [span.began for span, at in zip(spans, lanes, strict=True) if at == lane]
        assert all(later - earlier > 5 + 600 / LETTERS * len("kill-process") for earlier, later in pairwise(row))
    assert max(lanes) < 10


def test_recovery_is_measured_from_the_last_heal_of_a_group_until_all_is_ready() -> None:
    assert seconds_to_ready(MOMENTS) == [(12.0, 2.5)]


def test_the_first_heal_of_a_pair_is_no_recovery() -> None:
    pair = [
        Moment(1.0, "inject", "", "a", 1),
        Moment(2.0, "inject", "", "b", 2),
        Moment(3.0, "unready", ""),
        Moment(4.0, "heal", "", "a", 1),
        Moment(5.0, "ready", ""),
        Moment(6.0, "heal", "", "b", 2),
    ]
    assert seconds_to_ready(pair) == [(6.0, 0.0)]


def test_a_recovery_that_takes_longer_than_a_minute_is_an_offence() -> None:
    late = [*MOMENTS[:3], Moment(80.0, "ready", "Everything is ready again.")]
    assert recovered(MOMENTS).is_good
    assert [each.detail for each in recovered(late).offences] == ["ready after 68 s"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with a good verdict and a bad one; a page takes a third of a second."""
    directory = tmp_path_factory.mktemp("report")
    write(report(GOOD, BAD), directory)
    return directory


def test_the_report_is_one_file_that_loads_nothing_from_anywhere(written: Path) -> None:
    page = (written / "report.html").read_text()
    assert not re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=", page)
    assert ID in page
    assert "one unit &lt;is&gt; lost" in page
    assert "./ordersaga chaos run --seed 7" in page


def test_the_json_has_the_seed_the_command_every_verdict_and_every_fault(written: Path) -> None:
    found = json.loads((written / "report.json").read_text())
    assert (found["seed"], found["command"], found["good"]) == (7, "./ordersaga chaos run --seed 7", False)
    assert [(each["name"], each["good"]) for each in found["verdicts"]] == [("money", True), ("stock", False)]
    assert [each["fault"] for each in found["faults"]] == ["kill-process"]
    assert found["ends"] == {"confirmed": 1, "timed_out": 1, "out_of_stock": 1}
    assert found["commands"] == {"cancel": {"fail": 1}, "place_order": {"ok": 2}}


def test_an_order_for_which_a_clock_had_stepped_counts_as_ended_and_has_no_time() -> None:
    found = report(GOOD)
    stepped = [Ended(ID, 93_600.0, 0.2, "confirmed"), Ended(ID, 9.0, 93_600.0, "cancelled"), Ended(ID, 9.0, -1.0, "x")]
    mixed = replace(found, ended=[*found.ended, *stepped])
    assert mixed.latency() == found.latency()
    assert sum(mixed.ends().values()) == len(found.ended) + 3


def test_a_run_is_good_only_when_it_came_to_its_end_and_every_verdict_is() -> None:
    assert report(GOOD).is_good
    assert not report(GOOD, BAD).is_good
    assert not report(GOOD, trouble="Traceback").is_good
    assert not report().is_good


def test_a_run_that_broke_before_its_check_has_a_report_too(tmp_path: Path) -> None:
    write(Report(FACTS, [], [], [], trouble="Traceback: no stack"), tmp_path)
    assert "Traceback: no stack" in (tmp_path / "report.html").read_text()


def test_the_summary_names_what_is_bad_the_report_and_how_to_repeat_it(tmp_path: Path) -> None:
    (tmp_path / "report.html").touch()
    text = summary(report(GOOD, BAD), tmp_path)
    assert "1 of 2 verdicts are bad: stock." in text
    assert str(tmp_path / "report.html") in text
    assert "./ordersaga chaos run --seed 7" in text
    assert ID in text


@pytest.mark.parametrize(("percent", "expected"), [(0, 1.0), (50, 3.0), (99, 4.0)])
def test_a_percentile_is_one_of_the_values(percent: float, expected: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], percent) == expected
    assert percentile([], percent) == 0


def test_the_command_prints_the_same_schedule_for_the_same_seed_and_starts_nothing() -> None:
    arguments = ["--seed", "7", "--minutes", "5", "--without", "rolling-restart", "--schedule"]
    first, second = (CliRunner().invoke(run, arguments) for _ in range(2))
    assert first.exit_code == 0
    assert first.output == second.output
    assert "rolling-restart" not in first.output
    objects = json.loads(CliRunner().invoke(run, [*arguments, "--json"]).output)
    assert len(objects) == len(first.output.splitlines())


def test_the_help_says_what_each_fault_does() -> None:
    words = CliRunner().invoke(run, ["--help"], terminal_width=400).output.split()
    assert set(FAULTS) <= set(words)


def test_a_fault_that_does_not_exist_and_none_that_is_left_are_wrong_usage() -> None:
    unknown = CliRunner().invoke(run, ["--fault", "earthquake"])
    assert unknown.exit_code == 2
    assert "kill-process" in unknown.output
    none_left = CliRunner().invoke(run, ["--fault", "kill-process", "--without", "kill-process"])
    assert none_left.exit_code == 2
    assert "No fault is left" in none_left.output


@pytest.mark.parametrize("option", ["--minutes", "--rate"])
def test_a_run_takes_nothing_that_is_no_number(option: str) -> None:
    done = CliRunner().invoke(run, [option, "nan", "--schedule"])
    assert (done.exit_code, "nan is no number" in done.output) == (2, True)


def test_a_run_into_which_no_fault_fits_does_not_start(tmp_path: Path) -> None:
    done = CliRunner().invoke(run, ["--minutes", "0.1", "--directory", str(tmp_path / "new")])
    assert (done.exit_code, "No fault fits" in done.output) == (2, True)
    assert not (tmp_path / "new").exists()


def test_a_run_cannot_have_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = CliRunner().invoke(run, ["--directory", str(tmp_path / "file" / "below")])
    assert (done.exit_code, "cannot be used: Not a directory" in done.output) == (2, True)


def test_a_run_that_is_interrupted_while_its_stack_starts_ends_with_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ChaosRun, "perform", interrupted)
    monkeypatch.setattr(run_command, "interrupt_by_signal", lambda: None)
    done = CliRunner().invoke(run, ["--directory", str(tmp_path / "new")])
    assert (done.exit_code, "there is no report" in done.output) == (130, True)
