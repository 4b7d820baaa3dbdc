"""The run of a scenario, from the cause to the verdict, as text or JSON."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import click

from devstack.breaking.scenario import FailureScenario
from devstack.breaking.scene import Scene
from devstack.demo.shop import ServiceRefused
from devstack.options import state_option
from devstack.state import State
from ordersaga.cli.errors import Failed
from ordersaga.cli.options import json_option
from ordersaga.runtime.signals import INTERRUPTED, interrupt_by_signal

POLL = 0.5

Command = Callable[..., None]


@dataclass(frozen=True)
class Observation:
    """What was done or seen; `at` counts from the beginning, in seconds."""

    at: float
    text: str


@dataclass
class ScenarioRun:
    """`steps` in order; `healed_after` counts from the end of the cause, in seconds."""

    tell: Callable[[Observation], None]
    """Called with each step."""
    began: float = field(default_factory=time.monotonic)
    steps: list[Observation] = field(default_factory=list)
    healed: bool = False
    healed_after: float | None = None
    advice: str = ""

    def note(self, text: str) -> None:
        self.steps.append(Observation(round(time.monotonic() - self.began, 1), text))
        self.tell(self.steps[-1])

    def perform(self, scenario: FailureScenario) -> None:
        """Call `prepare` first. Raises KeyboardInterrupt, after the end of the cause, when it is interrupted."""
        scenario.say, self.began = self.note, time.monotonic()
        try:
            with scenario.broken():
                self.note(scenario.begin())
                self._watch(scenario, time.monotonic() + scenario.lasts, lambda: False)
                if not scenario.has_struck():
                    self._watch(scenario, time.monotonic() + scenario.limit, scenario.has_struck)
        except KeyboardInterrupt:
            self.note(f"Interrupted: the cause is removed. {scenario.heals}")
            raise
        ended = time.monotonic()
        if scenario.lasts:
            self.note(f"The cause is removed. {scenario.heals}")
        self.healed = self._watch(scenario, ended + scenario.limit, scenario.is_healed)
        wrong = scenario.verdict() if self.healed else f"Not healed within {scenario.limit:.0f} s."
        if wrong:
            self.healed, self.advice = False, scenario.advice()
            self.note(f"{wrong} {self.advice}")
        else:
            self.healed_after = round(time.monotonic() - ended, 1)
            since = f"Healed {self.healed_after} s after the end of the cause: " if scenario.lasts else ""
            self.note(f"{since}{'e' if since else 'E'}very order has ended as it must.")

    def _watch(self, scenario: FailureScenario, end: float, is_over: Callable[[], bool]) -> bool:
        """Note what is seen whenever it changes. True when it is over in time."""
        while True:
            seen = seen_of(scenario)
            if not self.steps or seen not in (step.text for step in self.steps[-2:]):
                self.note(seen)
            if is_over():
                return True
            if (left := end - time.monotonic()) <= 0:
                return False
            time.sleep(min(POLL, left))


def seen_of(scenario: FailureScenario) -> str:
    try:
        return scenario.seen()
    except (ServiceRefused, OSError) as error:
        return f"No answer at the moment: {error}"


def introduction(scenario: FailureScenario) -> str:
    """What is done, where to look, and what to expect."""
    pages = [f"{scenario.scene.page(path)}   (./ordersaga open {path})" for path in scenario.pages]
    commands = [f"./ordersaga {command}" for command in scenario.commands]
    lasts = f" It lasts {scenario.lasts:g} s; Ctrl-C ends it at once." if scenario.lasts else ""
    look = "\n            ".join([*pages, *commands])
    return f"\n{scenario.does}{lasts}\n\n  Look at   {look}\n  Expect    {wrapped(scenario.expect)}\n"


def wrapped(text: str) -> str:
    return click.wrap_text(text, 112, " " * 12, " " * 12).lstrip()


def seconds_option(kind: type[FailureScenario], default: float) -> Callable[[Command], Command]:
    """`--seconds`, of a cause that lasts."""
    return click.option(
        "--seconds",
        type=click.FloatRange(0, 300),
        default=default,
        show_default=True,
        hidden=not kind.seconds,
        help="How long the cause lasts.",
    )


def command_of(kind: type[FailureScenario]) -> click.Command:
    """The command that runs a scenario."""

    @click.command(help=f"{kind.does}\n\nWhat to expect: {kind.expect}\n\nHow it heals: {kind.heals}")
    @state_option
    @seconds_option(kind, kind.seconds)
    @json_option
    def command(state: State, seconds: float, as_json: bool) -> None:
        scenario = kind(Scene(state), seconds)
        scenario.check()
        interrupt_by_signal()
        run = ScenarioRun(lambda step: click.echo(f"{step.at:7.1f} s  {step.text}", err=as_json))
        click.echo(introduction(scenario), err=as_json)
        try:
            scenario.prepare()
            run.perform(scenario)
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None
        except (ServiceRefused, OSError) as error:
            raise Failed(f"The orders could not be placed, and the cause is removed: {error}") from None
        finally:
            if as_json:
                click.echo(as_object(run, scenario))
        raise SystemExit(0 if run.healed else 1)

    return command


def as_object(run: ScenarioRun, scenario: FailureScenario) -> str:
    orders = {str(order): state for order, state in scenario.scene.orders.items()}
    steps = [asdict(step) for step in run.steps]
    found = {"healed": run.healed, "healed_after": run.healed_after, "advice": run.advice}
    return json.dumps({**found, "orders": orders, "steps": steps})
