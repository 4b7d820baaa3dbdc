"""The narrative as text, for a reader who has never seen the project."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from devstack.breaking.run import Observation
from devstack.chaos.narrative.figures import Figures
from devstack.chaos.narrative.order_narrative import NarrativeStep, OrderNarrative
from devstack.chaos.verdict import Verdict

WIDTH = 110
INDENT = 33
"""At most, of the lines that continue another."""


@dataclass
class Writer:
    """Writes the parts of a narrative, each as soon as it is known; `say` prints a line."""

    say: Callable[[str], None]
    steps: int = 0

    def heading(self, text: str) -> None:
        self.say(f"\n{text}\n{'-' * len(text)}")

    def step(self, observation: Observation) -> None:
        self.steps += 1
        self.say(wrapped(f"{self.steps:3}. {observation.at:6.1f} s  ", observation.text))

    def introduction(self, name: str, about: str, does: str, expect: str) -> None:
        self.say(f"{name}\n{'=' * len(name)}")
        for text in (about, does, f"Expect: {expect}"):
            self.say(wrapped("", text) + "\n")

    def orders(self, narratives: Sequence[OrderNarrative]) -> None:
        """What each service did for an order."""
        for narrative in narratives:
            self.heading(f"The order of {narrative.title}")
            self.say(wrapped("", f"{narrative.order}, as the event stores of the three services have it:") + "\n")
            for line in told_steps(narrative.steps):
                self.say(line)

    def figures(self, before: Figures, after: Figures, findings: Sequence[str]) -> None:
        self.heading("The books")
        width = max(map(len, after)) + 2
        self.say(f"  {'':{width}}{'before':>12}{'after':>12}")
        for name, value in after.items():
            self.say(f"  {name:{width}}{before[name]:>12}{value:>12}")
        if findings:
            self.say("")
        for text in findings:
            self.say(wrapped("  ", text))

    def verdicts(self, verdicts: Sequence[Verdict], unsettled: Sequence[str], named: Sequence[str]) -> None:
        """Those that had nothing to count are left out."""
        if named:
            self.heading("What the checker names, as it must")
        for text in named:
            self.say(wrapped("  ", text))
        self.heading("The verdicts of the checker")
        for text in unsettled:
            self.say(wrapped("  NOT SETTLED  ", text))
        for verdict in verdicts:
            if verdict.is_good and not any(verdict.counts.values()):
                continue
            said = f"{verdict.question} {counted(verdict.counts)}"
            self.say(wrapped(f"  {'good' if verdict.is_good else 'BAD':5}{verdict.name:15}", said))
            for offence in verdict.offences:
                self.say(wrapped("       ", f"{offence.subject}: {offence.detail}"))


def wrapped(first: str, text: str) -> str:
    return click.wrap_text(text, WIDTH, first, " " * min(len(first), INDENT))


def counted(counts: Mapping[str, float]) -> str:
    found = [f"{word} {number:g}" for word, number in counts.items() if number]
    return f"({', '.join(found)})" if found else ""


def told_steps(steps: Sequence[NarrativeStep]) -> Iterator[str]:
    """Each transaction in at most four lines: what made the service act, what it recorded, undid and announced."""
    for step in steps:
        begin = f"{milliseconds(steps, step):8.0f} ms  {step.service:10}"
        for verb, text in step_lines(steps, step):
            yield wrapped(f"{begin:23}{verb:10}", text)
            begin = ""


def step_lines(steps: Sequence[NarrativeStep], step: NarrativeStep) -> Iterator[tuple[str, str]]:
    yield "acts on", step.why
    if step.records:
        yield "records", "; ".join(step.records)
    if step.compensates:
        done = [each for each in steps if each.service == step.service and each.records and each.at < step.at]
        at = f", which undoes what it did at {milliseconds(steps, done[0]):.0f} ms" if done else ""
        yield "", f"^ a compensation{at}"
    if step.announces:
        yield "announces", ", ".join(step.announces)
    if not step.records and not step.announces:
        yield "", "and has nothing to do"


def milliseconds(steps: Sequence[NarrativeStep], step: NarrativeStep) -> float:
    return (step.at - steps[0].at).total_seconds() * 1000
