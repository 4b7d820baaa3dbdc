"""The schedule of a chaos run: the seed decides all of it, and it leaves room for recovery."""

from itertools import pairwise

import pytest

from devstack.chaos.faults.catalogue import FAULTS, KINDS
from devstack.chaos.schedule import COOL_DOWN_SECONDS, QUIET_SECONDS, WARM_UP_SECONDS, Scheduled, as_text, schedule

SEEDS = range(1, 11)
TEN_MINUTES = 600.0
KNOWN = """\
     8.0 s  for   0.9 s  kill-process
    19.5 s  for   6.2 s  stop-process
    21.0 s  for   3.9 s  kill-rabbitmq
    37.1 s  for   5.6 s  kill-rabbitmq
    40.8 s  for   5.8 s  stop-process"""


def groups(scheduled: list[Scheduled]) -> list[list[Scheduled]]:
    """Those that follow one another without a quiet gap."""
    found: list[list[Scheduled]] = []
    for each in scheduled:
        if found and each.at < max(one.until for one in found[-1]):
            found[-1].append(each)
        else:
            found.append([each])
    return found


def test_the_same_seed_gives_the_same_schedule_byte_for_byte_in_whatever_order_the_faults_are_named() -> None:
    first = as_text(schedule(7, TEN_MINUTES, KINDS))
    assert as_text(schedule(7, TEN_MINUTES, reversed(KINDS))) == first
    assert as_text(schedule(8, TEN_MINUTES, KINDS)) != first


def test_the_schedule_of_a_seed_is_the_same_on_every_machine() -> None:
    made = schedule(1, 60, [FAULTS[name] for name in ("kill-process", "stop-process", "kill-rabbitmq")])
    assert as_text(made) == KNOWN


@pytest.mark.parametrize("seed", SEEDS)
def test_in_ten_minutes_every_fault_comes_at_least_once_and_some_overlap(seed: int) -> None:
    made = schedule(seed, TEN_MINUTES, KINDS)
    assert {each.name for each in made} == set(FAULTS)
    assert {len(group) for group in groups(made)} == {1, 2}


@pytest.mark.parametrize("seed", SEEDS)
def test_between_two_groups_of_faults_and_at_both_ends_nothing_is_harmed(seed: int) -> None:
    made = groups(schedule(seed, TEN_MINUTES, KINDS))
    quiet = [later[0].at - max(one.until for one in earlier) for earlier, later in pairwise(made)]
    assert min(quiet) >= QUIET_SECONDS[0] - 0.1
    assert made[0][0].at == WARM_UP_SECONDS
    assert all(one.until <= TEN_MINUTES - COOL_DOWN_SECONDS for group in made for one in group)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_fault_lasts_as_long_as_it_may(seed: int) -> None:
    for each in schedule(seed, TEN_MINUTES, KINDS):
        assert FAULTS[each.name].shortest <= each.lasts <= FAULTS[each.name].longest


@pytest.mark.parametrize("seed", SEEDS)
def test_one_server_is_never_harmed_twice_at_a_time_and_a_fault_that_wants_to_be_alone_is(seed: int) -> None:
    for group in groups(schedule(seed, TEN_MINUTES, KINDS)):
        kinds = [FAULTS[each.name] for each in group]
        servers = [kind.server for kind in kinds if kind.server]
        assert len(servers) == len(set(servers))
        assert len(group) == 1 or not any(kind.alone for kind in kinds)


def test_both_servers_are_harmed_at_once_now_and_then_but_seldom() -> None:
    made = [group for seed in range(100) for group in groups(schedule(seed, TEN_MINUTES, KINDS))]
    pairs = [group for group in made if len(group) == 2]
    both = [group for group in pairs if all(FAULTS[each.name].server for each in group)]
    assert 0 < len(both) < 0.1 * len(pairs)


@pytest.mark.parametrize("seconds", [0, 10, 20, 25, 40])
def test_a_short_run_has_fewer_faults_and_a_very_short_one_has_none(seconds: float) -> None:
    made = schedule(3, seconds, KINDS)
    assert all(each.until <= seconds - COOL_DOWN_SECONDS for each in made)
    assert bool(made) == (seconds > WARM_UP_SECONDS + COOL_DOWN_SECONDS)
