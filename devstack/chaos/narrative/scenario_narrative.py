"""ScenarioNarrative: a scenario run on a stack of its own, from an empty stack to the verdicts of the checker."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from devstack.breaking.run import ScenarioRun
from devstack.breaking.scenario import FailureScenario
from devstack.breaking.scene import Scene
from devstack.chaos.checker.check import check
from devstack.chaos.checker.settle import settle
from devstack.chaos.history import History, read
from devstack.chaos.narrative.figures import Figures, figures
from devstack.chaos.narrative.order_narrative import OrderNarrative, order_narrative
from devstack.chaos.narrative.recorded_shop import RecordedShop
from devstack.chaos.narrative.text import Writer
from devstack.chaos.rendering import as_objects
from devstack.chaos.stage import Stage
from devstack.chaos.verdict import Verdict
from devstack.demo.books import read_books

SETTLE_SECONDS = 120
HISTORY = "history.jsonl"
COMPARING = ("effects", "read side", "audit")
"""The verdicts that find what no stored event explains: nothing that is planted excuses money, stock or a saga."""


@dataclass
class ScenarioNarrative:
    """What was found; everything but `steps` was read from the stores."""

    run: ScenarioRun
    before: Figures = field(default_factory=dict)
    after: Figures = field(default_factory=dict)
    orders: list[OrderNarrative] = field(default_factory=list)
    findings: Sequence[str] = ()
    unsettled: Sequence[str] = ()
    """What did not come to rest."""
    verdicts: list[Verdict] = field(default_factory=list)
    named: Sequence[str] = ()
    """What the verdicts say of what the scenario has planted, which is no offence."""
    is_named: bool = True

    @property
    def is_good(self) -> bool:
        return (
            self.run.healed
            and self.is_named
            and not self.unsettled
            and all(verdict.is_good for verdict in self.verdicts)
        )

    def under_way(self, text: str) -> None:
        self.run.note(f"Still under way: {text}")

    def as_object(self, name: str) -> dict[str, Any]:
        """For JSON."""
        return {
            "scenario": name,
            "good": self.is_good,
            "healed": self.run.healed,
            "healed_after": self.run.healed_after,
            "steps": [asdict(step) for step in self.run.steps],
            "before": self.before,
            "after": self.after,
            "orders": [asdict(narrative) for narrative in self.orders],
            "findings": list(self.findings),
            "unsettled": list(self.unsettled),
            "verdicts": as_objects(self.verdicts),
            "named": list(self.named),
        }


def tell(kind: type[FailureScenario], stage: Stage, seconds: float, writer: Writer) -> ScenarioNarrative:
    """Run the scenario on the stage, and write its narrative. Raises KeyboardInterrupt after the end of the cause."""
    with History(stage.directory / HISTORY) as history:
        scenario = kind(Scene(stage.scene.state, partial(RecordedShop, history=history)), seconds)
        narrative = ScenarioNarrative(ScenarioRun(writer.step))
        scenario.prepare()
        settle(stage, SETTLE_SECONDS)
        narrative.before = read_figures(scenario)
        writer.heading("What happened")
        narrative.run.perform(scenario)
        narrative.unsettled = settle(stage, SETTLE_SECONDS, say=narrative.under_way)
        narrative.orders = [
            order_narrative(scenario.scene.environments.owner_urls(), order, title, scenario.skus)
            for order, title in scenario.titles().items()
        ]
        writer.orders(narrative.orders)
        narrative.after = read_figures(scenario)
        narrative.findings = scenario.findings()
        writer.figures(narrative.before, narrative.after, narrative.findings)
        verdicts, planted = check(stage, read(history.path)), scenario.planted()
        narrative.verdicts, narrative.named = sort_out(verdicts, planted)
        narrative.is_named = bool(narrative.named) == bool(planted)
        writer.verdicts(narrative.verdicts, narrative.unsettled, narrative.named)
    return narrative


def sort_out(verdicts: Sequence[Verdict], planted: Sequence[str]) -> tuple[list[Verdict], list[str]]:
    """The verdicts without the offences that name what was planted, and these offences as sentences."""
    kept, named = [], []
    for verdict in verdicts:
        said = {offence: f"{offence.subject}: {offence.detail}" for offence in verdict.offences}
        about = planted if verdict.name in COMPARING else ()
        of_plants = [offence for offence, text in said.items() if any(id_ in text for id_ in about)]
        named += [f"{verdict.name}: {said[offence]}" for offence in of_plants]
        kept.append(replace(verdict, offences=[each for each in verdict.offences if each not in of_plants]))
    return kept, named


def read_figures(scenario: FailureScenario) -> Figures:
    urls, ledger = scenario.scene.environments.owner_urls(), scenario.scene.shop.ledger()
    return figures(read_books(urls, ledger), scenario.skus)
