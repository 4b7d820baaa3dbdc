"""`./ordersaga logs`: which entries of which processes it shows, in which order, also while they are rotated."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from devstack.log_rotation import rotate
from devstack.logs.command import logs
from devstack.logs.entries import entries, entries_backwards
from devstack.logs.files import BLOCK, GrowingLog, lines_backwards
from devstack.state import State

API = """\
2026-11-27T21:00:00.100000Z [info     ] request method=POST correlation_id=aaaa
2026-11-27T21:00:02.100000Z [error    ] it failed correlation_id=bbbb
Traceback (most recent call last):
  ...
ValueError: no
2026-11-27T21:00:04.100000Z [info     ] request method=GET correlation_id=bbbb
"""
POSTGRES = """\
2026-11-27 21:00:01.100 UTC [15] ordersaga orders ERROR:  no such table
2026-11-27 21:00:01.100 UTC [15] ordersaga orders STATEMENT:  select
\tfrom nothing
2026-11-27 21:00:03.100 GMT [15] ordersaga orders LOG:  fine
"""
BROKER = "2026-11-27 21:00:02.500000+00:00 [warning] <0.1.0> memory\n"
JSON = '{"event": "json", "level": "critical", "timestamp": "2026-11-27T21:00:05.1Z"}\n'
MIGRATE = "migrated order_service\nmigrated projections\n"


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State(tmp_path).create()
    texts = {"orders-api": API, "postgres": POSTGRES, "rabbitmq": BROKER, "webhooks": JSON, "migrate": MIGRATE}
    for name, text in texts.items():
        state.log(name).write_text(text)
    return state


def shown(state: State, *arguments: str) -> list[str]:
    done = CliRunner().invoke(logs, ["--state", str(state.directory), *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def test_entries_of_several_processes_are_merged_by_time_under_their_names(state: State) -> None:
    names = [line.partition("|")[0].strip() for line in shown(state, "orders-api", "postgres", "rabbitmq", "webhooks")]
    assert names == [
        "orders-api",
        *["postgres"] * 3,
        *["orders-api"] * 4,
        "rabbitmq",
        "postgres",
        "orders-api",
        "webhooks",
    ]


def test_one_process_is_shown_as_it_wrote(state: State) -> None:
    assert shown(state, "orders-api") == API.splitlines()
    assert shown(state, "migrate", "-n", "1") == ["migrated projections"]


def test_an_entry_is_found_by_level_and_text_with_the_lines_that_belong_to_it(state: State) -> None:
    assert shown(state, "orders-api", "--level", "warning") == API.splitlines()[1:5]
    assert shown(state, "orders-api", "--grep", "VALUEERROR") == API.splitlines()[1:5]
    assert shown(state, "postgres", "--level", "error") == [line.expandtabs() for line in POSTGRES.splitlines()[:3]]
    assert len(shown(state, "orders-api", "--grep", "bbbb")) == 5


def test_since_takes_a_time_or_an_age_and_then_all_entries(state: State) -> None:
    assert shown(state, "orders-api", "--since", "2026-11-27T21:00:02.200Z") == API.splitlines()[5:]
    now = datetime.now(UTC)
    lines = [f"{(now - timedelta(minutes=9) + timedelta(seconds=n)).isoformat()} line" for n in range(60)]
    state.log("orders-api").write_text("2020-01-01T00:00:00Z old\n" + "\n".join(lines) + "\n")
    assert shown(state, "orders-api", "--since", "10m") == lines
    assert shown(state, "orders-api", "--since", "5m") == []
    assert shown(state, "orders-api", "-n", "2") == lines[-2:]


def test_json_has_an_object_a_line(state: State) -> None:
    found = [json.loads(line) for line in shown(state, "orders-api", "webhooks", "--level", "error", "--json")]
    assert [(entry["process"], entry["level"]) for entry in found] == [
        ("orders-api", "error"),
        ("webhooks", "critical"),
    ]
    assert found[0]["time"] == "2026-11-27T21:00:02.100000+00:00"
    assert found[0]["text"].endswith("ValueError: no")


def test_the_log_before_a_rotation_is_read_too(state: State) -> None:
    log = state.log("orders-api")
    assert rotate(log, most=10)
    log.write_text("2026-11-27T21:01:00Z new\n")
    assert shown(state, "orders-api") == [*API.splitlines(), "2026-11-27T21:01:00Z new"]
    assert shown(state, "orders-api", "-n", "1") == ["2026-11-27T21:01:00Z new"]


def test_following_misses_nothing_across_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "orders-api.log"
    log.write_text("before\n")
    growing = GrowingLog(log)
    with log.open("a") as process:

        def says(text: str) -> None:
            process.write(text)
            process.flush()

        says("one\ntw")
        assert growing.new_lines() == ["one"]
        says("o\nthree\n")
        assert rotate(log, most=1)
        says("four\n")
        assert growing.new_lines() == ["two", "three", "four"]
        assert growing.new_lines() == []


def test_entries_are_the_same_from_either_end_of_a_file_of_many_blocks(tmp_path: Path) -> None:
    log = tmp_path / "long.log"
    text = "".join(f"2026-11-27T21:00:00Z entry {number} é\n  below\n" for number in range(BLOCK // 20))
    log.write_text("untimed\n" + text)
    forwards = list(entries("a", log.read_text().splitlines()))
    assert list(entries_backwards("a", lines_backwards(log)))[::-1] == forwards
    assert len(forwards) == BLOCK // 20 + 1


def test_a_process_without_a_log_is_refused_with_exit_code_2_and_no_logs_at_all_with_1(
    state: State, tmp_path: Path
) -> None:
    missing = CliRunner().invoke(logs, ["--state", str(state.directory), "order-api"])
    assert (missing.exit_code, "Did you mean 'orders-api'" in missing.stderr) == (2, True)
    nothing = CliRunner().invoke(logs, ["--state", str(tmp_path / "other")])
    assert (nothing.exit_code, "no stack has run there yet" in nothing.stderr) == (1, True)
