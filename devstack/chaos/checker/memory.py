"""Memory: what the samples of a run say of each process; growth beyond the bound is an offence."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from devstack.chaos.checker.evidence import Evidence
from devstack.chaos.json_lines import read_whole_lines
from devstack.chaos.memory_samples import FILE, MemorySample
from devstack.chaos.verdict import Offence, Verdict

QUESTION = "Does the resident memory of no process grow without bound?"
WARM_UP_SECONDS = 60.0
"""Of each process; caches and pools fill."""
LEAST_SECONDS = 60.0
"""After the warm-up; of a shorter life only the figure is given."""
BOUND_FACTOR, BOUND_MIB = 1.25, 64.0
"""The median of the last third may be so many times that of the first third after the warm-up, and so much more: a
worker keeps 56 MiB of buffers for some minutes when it has received a body of 8 MiB."""
MIB = 1024 * 1024


def memory(evidence: Evidence) -> Verdict:
    """Good without a sampler, as where a stack runs for a minute; not with one whose samples end before the run."""
    path = evidence.directory / FILE if evidence.directory else None
    samples = read(path) if path else []
    found = judge(samples)
    lacks = evidence.sampler.lacks() if evidence.sampler else ""
    if path and path.exists() and not samples:
        lacks = lacks or f"{path.name} is empty: the sampler has failed"
    return replace(found, offences=[*found.offences, Offence("samples", lacks)]) if lacks else found


def read(path: Path) -> list[MemorySample]:
    """The samples of a run; none when it took none."""
    return [MemorySample(**line) for line in read_whole_lines(path)] if path.exists() else []


def judge(samples: Iterable[MemorySample]) -> Verdict:
    """Each process is judged by itself from its start to its end; a restarted one is another."""
    lives: Mapping[tuple[str, int], list[MemorySample]] = defaultdict(list)
    for sample in samples:
        lives[sample.process, sample.pid].append(sample)
    figures: dict[str, float] = {}
    offences = []
    for (name, pid), life in lives.items():
        figure = f"{name} MiB"
        figures[figure] = round(max(figures.get(figure, 0), max(sample.resident for sample in life) / MIB), 1)
        if grew := growth(life):
            first, last = grew
            detail = f"grew from {first:.0f} to {last:.0f} MiB in {life[-1].at - life[0].at:.0f} s"
            offences.append(Offence(f"process {name} ({pid})", detail))
    return Verdict("memory", QUESTION, figures, offences)


def growth(life: Sequence[MemorySample]) -> tuple[float, float] | None:
    """MiB in the first and the last third after the warm-up, if that is more than the bound."""
    warm = [sample for sample in life if sample.at >= life[0].at + WARM_UP_SECONDS]
    if not warm or warm[-1].at - warm[0].at < LEAST_SECONDS:
        return None
    third = len(warm) // 3
    first, last = (median(sample.resident for sample in part) / MIB for part in (warm[:third], warm[-third:]))
    return (first, last) if last > first * BOUND_FACTOR + BOUND_MIB else None
