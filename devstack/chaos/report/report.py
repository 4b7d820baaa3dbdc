"""Report: everything that is known of one chaos run."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from devstack.chaos.memory_samples import MemorySample
from devstack.chaos.rendering import as_objects
from devstack.chaos.report.facts import Facts
from devstack.chaos.report.latency import Ended, percentile
from devstack.chaos.schedule import Scheduled
from devstack.chaos.timeline import Moment, Span, spans
from devstack.chaos.verdict import Verdict
from devstack.chaos.watch import WatchSample

PERCENTS = (50, 90, 99)
SLACK_SECONDS = 60.0
"""An order may end after the last moment of the timeline."""


@dataclass(frozen=True)
class Report:
    facts: Facts
    scheduled: Sequence[Scheduled]
    moments: Sequence[Moment]
    verdicts: Sequence[Verdict]
    samples: Sequence[WatchSample] = ()
    ended: Sequence[Ended] = ()
    memory: Sequence[MemorySample] = ()
    operations: Sequence[tuple[str, str]] = ()
    """Kind and outcome of each command."""
    trouble: str = ""
    """What kept the run from its end."""
    interrupted: bool = False

    @property
    def is_good(self) -> bool:
        return bool(self.verdicts) and not self.trouble and all(verdict.is_good for verdict in self.verdicts)

    @property
    def result(self) -> str:
        """One sentence."""
        bad = [verdict.name for verdict in self.verdicts if not verdict.is_good]
        if self.trouble:
            return "The run did not come to its end."
        if bad:
            return f"{len(bad)} of {len(self.verdicts)} verdicts are bad: {', '.join(bad)}."
        early = "Interrupted; of what was done, all" if self.interrupted else "All"
        return f"{early} {len(self.verdicts)} verdicts are good."

    @property
    def spans(self) -> list[Span]:
        return spans(list(self.moments))

    @property
    def timed(self) -> list[Ended]:
        """The orders whose times are within the run: where the clock of a process had stepped, they say nothing."""
        end = max((moment.at for moment in self.moments), default=0.0) + SLACK_SECONDS
        return [each for each in self.ended if each.at >= 0 and 0 <= each.seconds <= end - each.at]

    def commands(self) -> dict[str, dict[str, int]]:
        """Kind of command -> outcome -> number."""
        counted = Counter(self.operations)
        kinds = sorted({kind for kind, _ in counted})
        return {kind: {outcome: n for (of, outcome), n in counted.items() if of == kind} for kind in kinds}

    def ends(self) -> dict[str, int]:
        """How orders ended -> number, the most frequent first."""
        return dict(Counter(each.end for each in self.ended).most_common())

    def latency(self) -> dict[str, float]:
        """Seconds from placed to ended: percentiles and the longest."""
        seconds = [each.seconds for each in self.timed]
        found = {f"p{percent}": round(percentile(seconds, percent), 3) for percent in PERCENTS}
        return {**found, "longest": round(max(seconds, default=0.0), 3)}

    def as_object(self) -> dict[str, Any]:
        """What report.json holds."""
        return {
            "result": self.result,
            "good": self.is_good,
            "interrupted": self.interrupted,
            "trouble": self.trouble,
            **asdict(self.facts),
            "verdicts": as_objects(self.verdicts),
            "commands": self.commands(),
            "ends": self.ends(),
            "latency_seconds": self.latency(),
            "schedule": [each.as_object() for each in self.scheduled],
            "faults": [asdict(span) for span in self.spans],
        }
