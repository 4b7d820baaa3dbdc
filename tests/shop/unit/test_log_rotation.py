"""The logs of a stack do not grow without end."""

from pathlib import Path

from devstack.log_rotation import rotate, rotate_all


def test_a_large_log_begins_anew_while_its_process_goes_on_writing(tmp_path: Path) -> None:
    log, previous = tmp_path / "one.log", tmp_path / "one.log.1"
    with log.open("ab", buffering=0) as process:
        for turn in ("first", "second"):
            process.write(turn.encode() * 100)
            assert rotate(log, most=99)
            assert (previous.read_text(), log.read_text()) == (turn * 100, "")
        process.write(b"after")
        assert not rotate(log, most=99)
        assert log.read_text() == "after"
    assert {path.name for path in tmp_path.iterdir()} == {"one.log", "one.log.1"}


def test_a_process_without_a_log_yet_has_none_to_rotate(tmp_path: Path) -> None:
    assert not rotate(tmp_path / "none.log")


def test_every_log_of_a_stack_is_rotated_whoever_writes_it(tmp_path: Path) -> None:
    names = ("orders-api", "postgres", "rabbitmq", "supervisor", "topology")
    for name in names:
        (tmp_path / f"{name}.log").write_text("said before\n")
    rotate_all([tmp_path], most=5)
    assert {path.name for path in tmp_path.glob("*.log.1")} == {f"{name}.log.1" for name in names}
    assert all(path.stat().st_size == 0 for path in tmp_path.glob("*.log"))


def test_a_log_that_a_full_disk_cannot_copy_stays_and_the_others_are_rotated(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.log").write_text("said before\n")
    (tmp_path / "one.log.1").symlink_to("/dev/full")
    rotate_all([tmp_path], most=5)
    assert [(tmp_path / f"{name}.log").read_text() for name in ("one", "two")] == ["said before\n", ""]
