"""The verdict `memory` names a process that grows without bound, and a sampler that ends before its run."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from devstack.chaos import memory_samples
from devstack.chaos.checker import memory
from devstack.chaos.checker.evidence import Evidence
from devstack.chaos.memory_samples import MemorySample, MemorySampler
from devstack.records import Records
from devstack.state import State
from ordersaga.cli.app import Application
from tests.support.wait import until


def life(mebibytes: Sequence[float], every: float = 10) -> list[MemorySample]:
    return [MemorySample(n * every, "orders-worker", 7, int(size * 2**20)) for n, size in enumerate(mebibytes)]


def test_memory_names_a_process_that_grows_on_and_on() -> None:
    [offence] = memory.judge(life([40 + 5 * n for n in range(60)])).offences
    assert offence.subject == "process orders-worker (7)"


def test_memory_is_good_for_a_process_that_fills_its_caches_and_stays() -> None:
    found = memory.judge(life([40, 60, 80, 100, 120, 140, *[150] * 60]))
    assert (found.is_good, found.counts) == (True, {"orders-worker MiB": 150})


def test_memory_is_good_for_a_process_that_has_received_one_large_body() -> None:
    assert memory.judge(life([*[43] * 30, *[102] * 30])).is_good


def test_memory_does_not_judge_a_life_that_is_too_short_to_tell() -> None:
    assert memory.judge(life([40 + 20 * n for n in range(10)])).is_good


def test_memory_is_not_good_when_the_sampler_has_written_nothing(tmp_path: Path) -> None:
    evidence = Evidence(Application(tuple), (), {}, directory=tmp_path)
    assert memory.memory(evidence).is_good
    (tmp_path / "memory.jsonl").touch()
    [offence] = memory.memory(evidence).offences
    assert offence.subject == "samples"


def test_memory_is_not_good_when_the_sampler_has_died_before_the_end_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> Iterator[MemorySample]:
        yield MemorySample(0.0, "orders-worker", 7, 2**20)
        raise OSError("No space left on device")

    monkeypatch.setattr(memory_samples, "samples", dies)
    with MemorySampler(Records(State(tmp_path)), tmp_path) as sampler:
        until(lambda: bool(sampler.lacks()), seconds=5)
        found = memory.memory(Evidence(Application(tuple), (), {}, directory=tmp_path, sampler=sampler))
    assert [(each.subject, "No space left on device" in each.detail) for each in found.offences] == [("samples", True)]


def test_memory_is_not_good_when_the_sampler_cannot_even_begin(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    with MemorySampler(Records(State(tmp_path)), gone) as sampler:
        until(lambda: bool(sampler.lacks()), seconds=5)
        found = memory.memory(Evidence(Application(tuple), (), {}, directory=gone, sampler=sampler))
    assert [each.subject for each in found.offences] == ["samples"]


def test_memory_is_not_good_when_the_sampler_stands_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = MemorySampler(Records(State(tmp_path)), tmp_path)
    assert not sampler.lacks()
    monkeypatch.setattr(memory_samples, "STALE_SECONDS", -1.0)
    assert "has written nothing for" in sampler.lacks()


def test_a_sample_that_a_full_disk_has_cut_off_is_left_out(tmp_path: Path) -> None:
    whole = MemorySample(0.0, "orders-worker", 7, 2**20)
    (tmp_path / "memory.jsonl").write_text(json.dumps(asdict(whole)) + '\n{"at": 2.0, "proc')
    assert memory.read(tmp_path / "memory.jsonl") == [whole]
